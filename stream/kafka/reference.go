package kafka

import (
	"context"
	"fmt"

	kafkago "github.com/segmentio/kafka-go"

	"otklik/stream"
)

// Discard reads the partition from its first record up to the offset end with kafka-go's own Reader, and throws the records away:
// what a benchmark compares Read with. It returns how many records it saw. Nothing is retried beyond what kafka-go does.
func (c *Client) Discard(ctx context.Context, p stream.Partition, end int64) (records int64, err error) {
	r := kafkago.NewReader(kafkago.ReaderConfig{
		Brokers: c.cfg.Brokers, Topic: p.Topic, Partition: int(p.Number), Dialer: c.dialer, MaxBytes: 4 << 20, QueueCapacity: 1000,
	})
	defer func() {
		if closeErr := r.Close(); err == nil && closeErr != nil {
			err = fmt.Errorf("discard %s: %w", p, closeErr)
		}
	}()
	for next := int64(0); next < end; records++ {
		m, err := r.ReadMessage(ctx)
		if err != nil {
			return records, fmt.Errorf("discard %s: %w", p, err)
		}
		next = m.Offset + 1
	}
	return records, nil
}
