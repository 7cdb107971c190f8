package clickhouse

import (
	"errors"

	driver "github.com/ClickHouse/clickhouse-go/v2"
)

// fault is what to do about an error.
type fault int

const (
	fatal     fault = iota // stop: the schema, the rights or the program are wrong
	transient              // the same again later
	crowded                // the same again later, in smaller portions
	rejected               // one of the rows is at fault
)

// Codes of ClickHouse (src/Common/ErrorCodes.cpp) that pass by themselves.
var transientCodes = map[int32]bool{
	3:    true, // UNEXPECTED_END_OF_FILE
	32:   true, // ATTEMPT_TO_READ_AFTER_EOF
	33:   true, // CANNOT_READ_ALL_DATA
	74:   true, // CANNOT_READ_FROM_FILE_DESCRIPTOR
	75:   true, // CANNOT_WRITE_TO_FILE_DESCRIPTOR
	76:   true, // CANNOT_OPEN_FILE
	95:   true, // CANNOT_READ_FROM_SOCKET
	96:   true, // CANNOT_WRITE_TO_SOCKET
	107:  true, // FILE_DOESNT_EXIST: a part that a merge has just replaced
	159:  true, // TIMEOUT_EXCEEDED
	160:  true, // TOO_SLOW
	201:  true, // QUOTA_EXCEEDED
	202:  true, // TOO_MANY_SIMULTANEOUS_QUERIES
	203:  true, // NO_FREE_CONNECTION
	209:  true, // SOCKET_TIMEOUT
	210:  true, // NETWORK_ERROR
	225:  true, // NO_ZOOKEEPER
	232:  true, // NO_SUCH_DATA_PART
	236:  true, // ABORTED
	242:  true, // TABLE_IS_READ_ONLY
	243:  true, // NOT_ENOUGH_SPACE
	252:  true, // TOO_MANY_PARTS
	279:  true, // ALL_CONNECTION_TRIES_FAILED
	285:  true, // TOO_FEW_LIVE_REPLICAS
	286:  true, // UNSATISFIED_QUORUM_FOR_PREVIOUS_WRITE
	319:  true, // UNKNOWN_STATUS_OF_INSERT
	394:  true, // QUERY_WAS_CANCELLED
	425:  true, // SYSTEM_ERROR
	439:  true, // CANNOT_SCHEDULE_TASK
	473:  true, // DEADLOCK_AVOIDED
	667:  true, // NOT_INITIALIZED: a table of a server that is starting
	722:  true, // ASYNC_LOAD_WAIT_FAILED: likewise
	745:  true, // SERVER_OVERLOADED
	999:  true, // KEEPER_EXCEPTION
	1000: true, // POCO_EXCEPTION: the socket layer
}

// Codes that a single row can cause.
var rejectedCodes = map[int32]bool{
	6:   true, // CANNOT_PARSE_TEXT
	27:  true, // CANNOT_PARSE_INPUT_ASSERTION_FAILED
	38:  true, // CANNOT_PARSE_DATE
	41:  true, // CANNOT_PARSE_DATETIME
	53:  true, // TYPE_MISMATCH
	69:  true, // ARGUMENT_OUT_OF_BOUND
	70:  true, // CANNOT_CONVERT_TYPE
	72:  true, // CANNOT_PARSE_NUMBER
	131: true, // TOO_LARGE_STRING_SIZE
	153: true, // ILLEGAL_DIVISION
	321: true, // VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE
	349: true, // CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN
	395: true, // FUNCTION_THROW_IF_VALUE_IS_NON_ZERO
	407: true, // DECIMAL_OVERFLOW
	469: true, // VIOLATED_CONSTRAINT
	691: true, // UNKNOWN_ELEMENT_OF_ENUM
}

const codeMemoryLimit = 241

// classify says what to do about an error of an insert or a query. Cancellation of the caller's context is not its business.
func classify(err error) fault {
	if exception, ok := errors.AsType[*driver.Exception](err); ok {
		switch {
		case exception.Code == codeMemoryLimit:
			return crowded
		case transientCodes[exception.Code]:
			return transient
		case rejectedCodes[exception.Code]:
			return rejected
		}
		return fatal
	}
	if errors.Is(err, errColumnType) {
		return fatal
	}
	// Everything else comes from the connection or from the driver's reading of it: broken pipes, half a handshake of a server
	// that is starting, time-outs. A stream that waits, and says so, is better than one that ended over a torn packet.
	return transient
}
