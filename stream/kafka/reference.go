package kafka

import (
	"context"
	"fmt"

	kafkago "github.com/segmentio/kafka-go"

	"otklik/stream"
)

// ReadPlainly reads the offsets of the range with kafka-go's own Reader and hands over each record's value and timestamp. The engine reads with Read; this is what `otklik bench` compares with.
func (c *Client) ReadPlainly(ctx context.Context, p stream.Partition, rg Range, cfg ReaderConfig, out func(value []byte, at stream.Time)) (err error) {
	cfg = cfg.withDefaults()
	r := kafkago.NewReader(kafkago.ReaderConfig{
		Brokers: c.cfg.Brokers, Dialer: c.dialer, Topic: p.Topic, Partition: int(p.Number),
		MinBytes: 1, MaxBytes: cfg.MaxBytes, MaxWait: cfg.MaxWait, QueueCapacity: cfg.MaxRecords,
	})
	defer func() {
		if closeErr := r.Close(); err == nil && closeErr != nil {
			err = fmt.Errorf("close the reader of %s: %w", p, closeErr)
		}
	}()
	if err := r.SetOffset(rg.First); err != nil {
		return fmt.Errorf("read %s: %w", p, err)
	}
	for next := rg.First; next < rg.End; {
		m, err := r.ReadMessage(ctx)
		if err != nil {
			return fmt.Errorf("read %s: %w", p, err)
		}
		out(m.Value, stream.TimeOf(m.Time))
		next = m.Offset + 1
	}
	return nil
}
