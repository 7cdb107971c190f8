package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"

	"otklik/stream"
	"otklik/stream/brand"
	"otklik/stream/firehose"
	"otklik/stream/kafka"
	"otklik/stream/sentiment"
)

// fillBytes is how much is queued before it is sent.
const fillBytes = 4 << 20

// fill puts the tweets into the topic, in turn into its partitions.
func (r *run) fill(ctx context.Context) error {
	out := r.stack.Kafka.Outbox(r.topic, partitions)
	for i := range r.Events {
		tweet, _ := r.tweets.Next()
		r.bytes += int64(len(tweet))
		out.AddTo(int32(i%partitions), nil, bytes.Clone(tweet))
		if out.Bytes() >= fillBytes || i == r.Events-1 {
			if err := out.Send(ctx); err != nil {
				return fmt.Errorf("fill %s: %w", r.topic, err)
			}
		}
	}
	return nil
}

// errRead ends the reading of a partition at its end.
var errRead = errors.New("read")

// reading reads a partition from the first to the last record that it held before and gives each to do.
type reading func(ctx context.Context, p stream.Partition, rg kafka.Range, do func(value []byte, at stream.Time)) error

// plainly reads with kafka-go's own reader.
func (r *run) plainly(ctx context.Context, p stream.Partition, rg kafka.Range, do func(value []byte, at stream.Time)) error {
	return r.stack.Kafka.ReadPlainly(ctx, p, rg, r.bounds(), do)
}

// reading reads as the engine does.
func (r *run) reading(ctx context.Context, p stream.Partition, rg kafka.Range, do func(value []byte, at stream.Time)) error {
	err := r.stack.Kafka.Read(ctx, p, rg.First, r.bounds(), func(_ context.Context, b kafka.Batch) error {
		for i := range b.Records {
			do(b.Records[i].Value, b.Records[i].Timestamp)
		}
		b.Release()
		if b.Next >= rg.End {
			return errRead
		}
		return nil
	})
	if errors.Is(err, errRead) {
		return nil
	}
	return err
}

func (r *run) bounds() kafka.ReaderConfig {
	return kafka.ReaderConfig{MaxRecords: r.Config.Limits.MicroBatchRecords, MaxBytes: int(r.Config.Limits.MicroBatchBytes)}
}

// readAll reads all partitions of the topic at once and gives each record to the work of its partition.
func (r *run) readAll(ctx context.Context, name string, read reading, work func() (func(value []byte, at stream.Time), error)) (Step, error) {
	ranges, err := r.stack.Kafka.Ranges(ctx, r.topic)
	if err != nil {
		return Step{}, err
	}
	settle()
	before, err := r.usage()
	if err != nil {
		return Step{}, err
	}
	group, gctx := errgroup.WithContext(ctx)
	for n, rg := range ranges {
		do, err := work()
		if err != nil {
			return Step{}, err
		}
		group.Go(func() error { return read(gctx, stream.Partition{Topic: r.topic, Number: n}, rg, do) })
	}
	if err := group.Wait(); err != nil {
		return Step{}, fmt.Errorf("%s: %w", name, err)
	}
	if ctx.Err() != nil {
		return Step{}, context.Cause(ctx)
	}
	after, err := r.usage()
	if err != nil {
		return Step{}, err
	}
	return r.step(name, before, after), nil
}

// discarding does nothing.
func discarding() (func(value []byte, at stream.Time), error) {
	return func([]byte, stream.Time) {}, nil
}

// decoding decodes.
func (r *run) decoding() (func(value []byte, at stream.Time), error) {
	decoder, err := firehose.New(stream.Twitter)
	if err != nil {
		return nil, err
	}
	var items []stream.Item
	return func(value []byte, at stream.Time) {
		items, _ = decoder.Decode(value, at, items[:0]) // a tweet of the simulator has no faults
	}, nil
}

// matching decodes, finds the brands and labels the item for each.
func (r *run) matching() (func(value []byte, at stream.Time), error) {
	decoder, err := firehose.New(stream.Twitter)
	if err != nil {
		return nil, err
	}
	matcher, err := brand.NewMatcher(r.Config.Brands)
	if err != nil {
		return nil, err
	}
	var (
		items   []stream.Item
		scratch brand.Scratch
		labels  sentiment.Scratch
	)
	return func(value []byte, at stream.Time) {
		items, _ = decoder.Decode(value, at, items[:0])
		for i := range items {
			for _, hit := range matcher.Match(&items[i], &scratch) {
				r.classifier.Classify(items[i].Text, items[i].Lang, sentiment.Target{Spans: hit.Spans}, &labels)
			}
		}
	}, nil
}
