package kafka

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"sync"
	"time"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"

	"otklik/stream"
)

// Message is a record to produce.
type Message struct {
	Key   []byte // nil: none
	Value []byte
	// Headers of the record, if any.
	Headers []Header
	// Time is the record timestamp; 0 is the moment of the first attempt. A topic may be configured to replace it.
	Time stream.Time
}

// Header is a named value beside a record.
type Header = kafkago.Header

// What a record, and each of its headers, costs in a batch beside keys and values, rounded up.
const (
	recordOverhead = 32
	headerOverhead = 10
)

// size returns what the message takes in a batch at most, before compression.
func (m *Message) size() int {
	n := len(m.Key) + len(m.Value) + recordOverhead
	for i := range m.Headers {
		n += len(m.Headers[i].Key) + len(m.Headers[i].Value) + headerOverhead
	}
	return n
}

// Produce appends the messages to one partition, in order, and returns when all in-sync replicas have them. A request that
// fails or whose answer is lost is sent again with the same messages before the next one goes out, so what the
// partition holds is the messages in order with whole requests possibly repeated: never a gap, never a swap. It retries
// until ctx ends; permanent refusals are returned at once.
func (c *Client) Produce(ctx context.Context, p stream.Partition, messages []Message) error {
	for len(messages) > 0 {
		n, size := 0, 0
		for n < len(messages) {
			size += messages[n].size()
			if n > 0 && size > c.cfg.MaxRequestBytes {
				break
			}
			n++
		}
		if err := c.produce(ctx, p, messages[:n]); err != nil {
			return err
		}
		messages = messages[n:]
	}
	return nil
}

// produce sends messages as one batch.
func (c *Client) produce(ctx context.Context, p stream.Partition, messages []Message) error {
	buf := newRequest(0)
	request, err := appendRecordBatch(*buf, messages, time.Now().UnixMilli(), c.compression)
	if err != nil {
		return err
	}
	putSize(request)
	lost, err := c.deliver(ctx, p, request, len(messages))
	if err != nil {
		return err
	}
	if !lost {
		*buf = request
		requests.Put(buf)
	}
	return nil
}

// requests are buffers for the record batches of requests. One belongs to its request until the broker has answered: where no answer comes,
// kafka-go may still be sending it, and it is not used again.
var requests sync.Pool // of *[]byte

// sizeBytes is the size of a record set before it.
const sizeBytes = 4

// newRequest returns a buffer that begins with the size of a record set and holds so much without growing.
func newRequest(expected int) *[]byte {
	buf, ok := requests.Get().(*[]byte)
	if !ok {
		buf = new([]byte)
	}
	if cap(*buf) < expected {
		*buf = make([]byte, 0, expected)
	}
	*buf = append((*buf)[:0], make([]byte, sizeBytes)...)
	return buf
}

// putSize writes the size of a finished record set before it: once, because an attempt that got no answer may still be reading.
func putSize(request []byte) {
	binary.BigEndian.PutUint32(request, uint32(len(request)-sizeBytes))
}

// deliver sends a record set with its size before it, a batch of so many records, again and again if need be, and always the very same
// bytes, which it only reads. lost says that an attempt got no answer, so it may still be under way.
func (c *Client) deliver(ctx context.Context, p stream.Partition, request []byte, count int) (lost bool, err error) {
	err = c.retry(ctx, fmt.Sprintf("produce %d records to %s", count, p), func(ctx context.Context) error {
		resp, err := c.client.RawProduce(ctx, &kafkago.RawProduceRequest{
			Topic:        p.Topic,
			Partition:    int(p.Number),
			RequiredAcks: kafkago.RequireAll,
			RawRecords:   protocol.RawRecordSet{Reader: bytes.NewReader(request)},
		})
		if err != nil {
			lost = true
			return err
		}
		return resp.Error
	})
	return lost, err
}
