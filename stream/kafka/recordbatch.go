package kafka

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"github.com/segmentio/kafka-go/compress"
)

// A record batch (message format 2, https://kafka.apache.org/documentation/#recordbatch) begins with a head of batchHead bytes:
//
//	base offset 8 · length 4 (of what follows) · leader epoch 4 · magic 1 · CRC 4 (of what follows) · attributes 2 · last offset delta 4 ·
//	first and largest timestamp 8+8 · producer id 8 · producer epoch 2 · base sequence 4 · number of records 4
//
// and goes on with the records, each
//
//	length · attributes 1 · timestamp delta · offset delta · key length · key · value length · value · number of headers · headers
//
// with zigzag varints, and a length of −1 for what is absent.
const (
	batchHead = 61

	batchLengthAt     = 8
	batchMagicAt      = 16
	batchCRCAt        = 17
	batchAttributesAt = 21
	batchLastDeltaAt  = 23
	batchFirstTimeAt  = 27
	batchMaxTimeAt    = 35
	batchProducerAt   = 43
	batchCountAt      = 57

	// lengthEnd is where the bytes begin that the length of a batch counts.
	lengthEnd = batchLengthAt + 4

	compressionMask = 0x7  // of the attributes
	controlBit      = 0x20 // of the attributes: markers of transactions instead of records
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// appendRecordBatch appends the messages as one record batch. now is the timestamp of messages without one, in Unix milliseconds.
// The error is that of the compression.
func appendRecordBatch(dst []byte, messages []Message, now int64, compression compress.Compression) ([]byte, error) {
	start := len(dst)
	dst = appendBatchHead(dst)
	var first, largest int64
	for i := range messages {
		at := int64(messages[i].Time)
		if at == 0 {
			at = now
		}
		if i == 0 {
			first = at
		}
		largest = max(largest, at)
		dst = appendRecord(dst, &messages[i], at-first, int64(i))
	}
	return sealBatch(dst, start, len(messages), first, largest, compression)
}

// appendBatchHead appends room for the head of a batch; the records follow.
func appendBatchHead(dst []byte) []byte {
	var head [batchHead]byte
	return append(dst, head[:]...)
}

// sealBatch completes the batch that begins at start with so many records: it compresses them and fills in the head. The error is that of
// the compression.
func sealBatch(dst []byte, start, count int, first, largest int64, compression compress.Compression) ([]byte, error) {
	if codec := compression.Codec(); codec != nil {
		records := append([]byte(nil), dst[start+batchHead:]...)
		w := &appender{b: dst[:start+batchHead]}
		c := codec.NewWriter(w)
		if _, err := c.Write(records); err != nil {
			return nil, fmt.Errorf("compress with %s: %w", compression, err)
		}
		if err := c.Close(); err != nil {
			return nil, fmt.Errorf("compress with %s: %w", compression, err)
		}
		dst = w.b
	}
	batch := dst[start:]
	order := binary.BigEndian
	order.PutUint32(batch[batchLengthAt:], uint32(len(batch)-lengthEnd))
	order.PutUint32(batch[lengthEnd:], ^uint32(0)) // leader epoch: unknown
	batch[batchMagicAt] = 2
	order.PutUint16(batch[batchAttributesAt:], uint16(compression)&compressionMask)
	order.PutUint32(batch[batchLastDeltaAt:], uint32(count-1))
	order.PutUint64(batch[batchFirstTimeAt:], uint64(first))
	order.PutUint64(batch[batchMaxTimeAt:], uint64(largest))
	for i := batchProducerAt; i < batchCountAt; i++ {
		batch[i] = 0xff // producer id, its epoch and the base sequence: none
	}
	order.PutUint32(batch[batchCountAt:], uint32(count))
	order.PutUint32(batch[batchCRCAt:], crc32.Checksum(batch[batchAttributesAt:], castagnoli))
	return dst, nil
}

// appender is a writer to the end of a slice.
type appender struct{ b []byte }

// Write implements io.Writer; it never fails.
func (a *appender) Write(p []byte) (int, error) {
	a.b = append(a.b, p...)
	return len(p), nil
}

func appendRecord(dst []byte, m *Message, timeDelta, offsetDelta int64) []byte {
	size := 1 + varintSize(timeDelta) + varintSize(offsetDelta) + bytesSize(m.Key) + bytesSize(m.Value) + varintSize(int64(len(m.Headers)))
	for i := range m.Headers {
		h := &m.Headers[i]
		size += varintSize(int64(len(h.Key))) + len(h.Key) + bytesSize(h.Value)
	}
	dst = binary.AppendVarint(dst, int64(size))
	dst = append(dst, 0) // attributes of a record: none are defined
	dst = binary.AppendVarint(dst, timeDelta)
	dst = binary.AppendVarint(dst, offsetDelta)
	dst = appendBytes(dst, m.Key)
	dst = appendBytes(dst, m.Value)
	dst = binary.AppendVarint(dst, int64(len(m.Headers)))
	for i := range m.Headers {
		h := &m.Headers[i]
		dst = binary.AppendVarint(dst, int64(len(h.Key)))
		dst = append(dst, h.Key...)
		dst = appendBytes(dst, h.Value)
	}
	return dst
}

// appendBytes appends bytes with their length before them; nil is null, which is not the same as empty.
func appendBytes(dst, b []byte) []byte {
	if b == nil {
		return binary.AppendVarint(dst, -1)
	}
	dst = binary.AppendVarint(dst, int64(len(b)))
	return append(dst, b...)
}

func bytesSize(b []byte) int {
	if b == nil {
		return varintSize(-1)
	}
	return varintSize(int64(len(b))) + len(b)
}

// varintSize returns how many bytes v takes as a zigzag varint.
func varintSize(v int64) int {
	n := 1
	for u := uint64(v)<<1 ^ uint64(v>>63); u >= 0x80; u >>= 7 {
		n++
	}
	return n
}
