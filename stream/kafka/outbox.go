package kafka

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"

	"otklik/stream"
)

// Outbox collects messages for the partitions of one topic and sends them partition by partition in parallel, each in order.
// It is not safe for concurrent use.
type Outbox struct {
	client     *Client
	topic      string
	partitions [][]outgoing
	bytes      int
	usual      []int // by partition: size of the largest batch that was sent last
}

// outgoing is a record batch on its way. Messages are encoded when they are added: they are in the processor's cache then, and once in
// memory instead of three times.
type outgoing struct {
	request *[]byte // room for the size of the record set, the head of the batch, the records
	count   int
	sealed  bool // complete: it may have been sent
	lost    bool // an attempt to send it got no good answer, and may still be under way
}

// A buffer is kept for the next batch unless it has more than mostRoom times what was in it, and leastRoom: where one partition has most of the
// messages, the buffers of all others would come to be as large as its own.
const (
	mostRoom  = 8
	leastRoom = 64 << 10
)

// Outbox returns an empty outbox for a topic with n partitions.
func (c *Client) Outbox(topic string, n int) *Outbox {
	return &Outbox{client: c, topic: topic, partitions: make([][]outgoing, n), usual: make([]int, n)}
}

// Partitions returns the number of partitions of the topic.
func (o *Outbox) Partitions() int { return len(o.partitions) }

// Add queues a message for the partition that its key hashes to. It is copied.
func (o *Outbox) Add(key, value []byte) { o.AddTo(PartitionOf(key, len(o.partitions)), key, value) }

// AddTo queues a message for the given partition. It is copied.
func (o *Outbox) AddTo(partition int32, key, value []byte) {
	m := Message{Key: key, Value: value}
	list := o.partitions[partition]
	last := len(list) - 1
	if last < 0 || list[last].sealed || len(*list[last].request)+m.size() > o.client.cfg.MaxRequestBytes {
		b := outgoing{request: newRequest(o.usual[partition] + o.usual[partition]/8)}
		*b.request = appendBatchHead(*b.request)
		list = append(list, b)
		o.partitions[partition] = list
		last++
	}
	b := &list[last]
	*b.request = appendRecord(*b.request, &m, 0, int64(b.count))
	b.count++
	o.bytes += len(value)
}

// Bytes returns the size of the queued values.
func (o *Outbox) Bytes() int { return o.bytes }

// Send produces all queued messages and empties the outbox. Their timestamp is the moment of the first attempt. After an error nothing may
// be assumed about what was produced, and the outbox still holds the messages.
func (o *Outbox) Send(ctx context.Context) error {
	group, gctx := errgroup.WithContext(ctx)
	for number, list := range o.partitions {
		if len(list) == 0 {
			continue
		}
		p := stream.Partition{Topic: o.topic, Number: int32(number)}
		group.Go(func() error {
			for i := range list {
				if err := o.send(gctx, p, &list[i]); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for i, list := range o.partitions {
		if len(list) == 0 {
			continue
		}
		o.usual[i] = 0
		for j := range list {
			size := len(*list[j].request)
			o.usual[i] = max(o.usual[i], size)
			if !list[j].lost && cap(*list[j].request) <= mostRoom*size+leastRoom {
				requests.Put(list[j].request)
			}
		}
		clear(list)
		o.partitions[i] = list[:0]
	}
	o.bytes = 0
	return nil
}

// send produces a batch, again and again if need be: always the very same bytes.
func (o *Outbox) send(ctx context.Context, p stream.Partition, b *outgoing) error {
	if !b.sealed {
		now := time.Now().UnixMilli()
		request, err := sealBatch(*b.request, sizeBytes, b.count, now, now, o.client.compression)
		if err != nil {
			return err
		}
		putSize(request)
		*b.request, b.sealed = request, true
	}
	lost, err := o.client.deliver(ctx, p, *b.request, b.count)
	b.lost = b.lost || lost
	return err
}
