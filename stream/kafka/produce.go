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
	"golang.org/x/sync/errgroup"

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
		request := messages[:n]
		err := c.retry(ctx, fmt.Sprintf("produce %d records to %s", n, p), func(ctx context.Context) error {
			return c.produceOnce(ctx, p, request)
		})
		if err != nil {
			return err
		}
		messages = messages[n:]
	}
	return nil
}

// requests are buffers for the record batches of requests. One belongs to its request until the broker has answered: where no answer comes,
// kafka-go may still be sending it, and it is not used again.
var requests sync.Pool // of *[]byte

func (c *Client) produceOnce(ctx context.Context, p stream.Partition, messages []Message) error {
	buf, ok := requests.Get().(*[]byte)
	if !ok {
		buf = new([]byte)
	}
	// The size of the record set stands before it.
	batch, err := appendRecordBatch(append((*buf)[:0], 0, 0, 0, 0), messages, time.Now().UnixMilli(), c.compression)
	if err != nil {
		return err
	}
	binary.BigEndian.PutUint32(batch, uint32(len(batch)-4))
	resp, err := c.client.RawProduce(ctx, &kafkago.RawProduceRequest{
		Topic:        p.Topic,
		Partition:    int(p.Number),
		RequiredAcks: kafkago.RequireAll,
		RawRecords:   protocol.RawRecordSet{Reader: bytes.NewReader(batch)},
	})
	if err != nil {
		return err
	}
	*buf = batch
	requests.Put(buf)
	return resp.Error
}

// Outbox collects messages for the partitions of one topic and sends them partition by partition in parallel, each in order.
// It is not safe for concurrent use.
type Outbox struct {
	client     *Client
	topic      string
	partitions [][]Message
	bytes      int
}

// Outbox returns an empty outbox for a topic with n partitions.
func (c *Client) Outbox(topic string, n int) *Outbox {
	return &Outbox{client: c, topic: topic, partitions: make([][]Message, n)}
}

// Partitions returns the number of partitions of the topic.
func (o *Outbox) Partitions() int { return len(o.partitions) }

// Add queues a message for the partition that its key hashes to. The message must stay unchanged until Send returns.
func (o *Outbox) Add(key, value []byte) { o.AddTo(PartitionOf(key, len(o.partitions)), key, value) }

// AddTo queues a message for the given partition.
func (o *Outbox) AddTo(partition int32, key, value []byte) {
	o.partitions[partition] = append(o.partitions[partition], Message{Key: key, Value: value})
	o.bytes += len(value)
}

// Bytes returns the size of the queued values.
func (o *Outbox) Bytes() int { return o.bytes }

// Send produces all queued messages and empties the outbox. After an error nothing may be assumed about what was
// produced, and the outbox still holds the messages.
func (o *Outbox) Send(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	for number, messages := range o.partitions {
		if len(messages) == 0 {
			continue
		}
		p := stream.Partition{Topic: o.topic, Number: int32(number)}
		group.Go(func() error { return o.client.Produce(ctx, p, messages) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for i := range o.partitions {
		clear(o.partitions[i])
		o.partitions[i] = o.partitions[i][:0]
	}
	o.bytes = 0
	return nil
}
