package kafka

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/segmentio/kafka-go/compress"
	"github.com/segmentio/kafka-go/protocol"

	"otklik/stream"
)

// logAppendTime is the bit of a batch's attributes that says that the largest timestamp, the broker's, is that of all its records.
const logAppendTime = 0x08

// parseRecords appends to dst the records of a fetch, which consists of record batches of which the last one may be cut off. Keys and values
// are parts of set, or of what it holds when it is decompressed. next is the offset after the last batch, which compaction and markers of
// transactions can leave without a record; −1 if there is no batch. What was read before an error is returned with it.
func parseRecords(p stream.Partition, set []byte, dst []stream.Record) (records []stream.Record, next int64, err error) {
	next, records = -1, slices.Grow(dst, countRecords(set))
	for len(set) > batchMagicAt {
		size := int(int32(binary.BigEndian.Uint32(set[batchLengthAt:])))
		if size > len(set)-lengthEnd {
			break // cut off
		}
		if size <= batchMagicAt-lengthEnd {
			return records, next, fmt.Errorf("%w: a length of %d", errBadBatch, size)
		}
		batch := set[:lengthEnd+size]
		set = set[len(batch):]
		first := int64(binary.BigEndian.Uint64(batch))
		if magic := batch[batchMagicAt]; magic < 2 {
			records, err = appendOldMessages(records, p, batch)
			next = first + 1
			if n := len(records); n > 0 {
				next = max(next, records[n-1].Offset+1)
			}
		} else {
			records, err = appendBatchRecords(records, p, batch)
			if err == nil {
				next = first + int64(int32(binary.BigEndian.Uint32(batch[batchLastDeltaAt:]))) + 1
			}
		}
		if err != nil {
			return records, next, fmt.Errorf("batch at offset %d: %w", first, err)
		}
	}
	if next < 0 && len(set) > 0 {
		return records, next, fmt.Errorf("%w: it holds only the beginning of a batch", errBadAnswer)
	}
	return records, next, nil
}

// countRecords returns how many records the batches of a fetch say that they hold, as far as that can be.
func countRecords(set []byte) int {
	total := 0
	for len(set) >= batchHead {
		size := int(int32(binary.BigEndian.Uint32(set[batchLengthAt:])))
		if size < batchHead-lengthEnd || size > len(set)-lengthEnd {
			break
		}
		if count := int(int32(binary.BigEndian.Uint32(set[batchCountAt:]))); set[batchMagicAt] == 2 && count > 0 && count <= size/leastRecord {
			total += count
		}
		set = set[lengthEnd+size:]
	}
	return total
}

// leastRecord is the least size of a record in bytes.
const leastRecord = 7

// errBadBatch says that a record batch does not hold what it says.
var errBadBatch = errors.New("the batch is broken")

// appendBatchRecords appends the records of a batch of format 2.
func appendBatchRecords(dst []stream.Record, p stream.Partition, batch []byte) ([]stream.Record, error) {
	if len(batch) < batchHead || batch[batchMagicAt] != 2 {
		return dst, fmt.Errorf("%w: format %d, %d bytes", errBadBatch, batch[batchMagicAt], len(batch))
	}
	order := binary.BigEndian
	attributes := order.Uint16(batch[batchAttributesAt:])
	if attributes&controlBit != 0 {
		return dst, nil
	}
	base, count := int64(order.Uint64(batch)), int(int32(order.Uint32(batch[batchCountAt:])))
	firstTime, maxTime := int64(order.Uint64(batch[batchFirstTimeAt:])), int64(order.Uint64(batch[batchMaxTimeAt:]))
	data := batch[batchHead:]
	if c := compress.Compression(attributes & compressionMask); c != compress.None {
		var err error
		if data, err = decompress(c, data); err != nil {
			return dst, err
		}
	}
	if count < 0 || count > len(data)/leastRecord || base < 0 || int32(order.Uint32(batch[batchLastDeltaAt:])) < 0 {
		return dst, fmt.Errorf("%w: %d records in %d bytes from offset %d on", errBadBatch, count, len(data), base)
	}
	dst = slices.Grow(dst, count)
	for i := range count {
		size, n := binary.Varint(data)
		if n <= 0 || size < 0 || size > int64(len(data)-n) {
			return dst, fmt.Errorf("%w: record %d of %d is cut off", errBadBatch, i, count)
		}
		rec := stream.Record{Partition: p}
		if !parseRecord(data[n:n+int(size)], &rec) {
			return dst, fmt.Errorf("%w: record %d of %d cannot be read", errBadBatch, i, count)
		}
		data = data[n+int(size):]
		rec.Offset += base
		if attributes&logAppendTime != 0 {
			rec.Timestamp = stream.Time(maxTime)
		} else {
			rec.Timestamp += stream.Time(firstTime)
		}
		dst = append(dst, rec)
	}
	return dst, nil
}

// parseRecord reads a record without its length: the timestamp and the offset as what is to be added to those of the batch. Headers are
// left alone.
func parseRecord(b []byte, rec *stream.Record) bool {
	if len(b) == 0 {
		return false
	}
	at := 1 // behind the attributes
	ok := true
	number := func() int64 {
		v, n := binary.Varint(b[at:])
		ok = ok && n > 0
		at += max(n, 0)
		return v
	}
	part := func() []byte {
		size := number()
		if size < 0 || !ok {
			return nil
		}
		if size > int64(len(b)-at) {
			ok = false
			return nil
		}
		from := at
		at += int(size)
		return b[from:at:at]
	}
	rec.Timestamp = stream.Time(number())
	rec.Offset = number()
	rec.Key = part()
	rec.Value = part()
	return ok
}

func decompress(c compress.Compression, data []byte) ([]byte, error) {
	codec := c.Codec()
	if codec == nil {
		return nil, fmt.Errorf("%w: compression %d is not known", errBadBatch, c)
	}
	r := codec.NewReader(bytes.NewReader(data))
	var out bytes.Buffer
	out.Grow(4 * len(data)) // what texts are compressed to
	_, err := out.ReadFrom(r)
	if err = errors.Join(err, r.Close()); err != nil {
		return nil, fmt.Errorf("decompress %s: %w", c, err)
	}
	return out.Bytes(), nil
}

// appendOldMessages appends the messages of formats 0 and 1, of Kafka before 0.11, which old topics may hold.
func appendOldMessages(dst []stream.Record, p stream.Partition, message []byte) ([]stream.Record, error) {
	sized := binary.BigEndian.AppendUint32(make([]byte, 0, 4+len(message)), uint32(len(message)))
	var set protocol.RecordSet
	if _, err := set.ReadFrom(bytes.NewBuffer(append(sized, message...))); err != nil {
		return dst, err
	}
	for set.Records != nil {
		r, err := set.Records.ReadRecord()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return dst, err
		}
		rec := stream.Record{Partition: p, Offset: r.Offset, Timestamp: stream.TimeOf(r.Time)}
		if rec.Key, err = protocol.ReadAll(r.Key); err != nil {
			return dst, err
		}
		if rec.Value, err = protocol.ReadAll(r.Value); err != nil {
			return dst, err
		}
		dst = append(dst, rec)
	}
	return dst, nil
}
