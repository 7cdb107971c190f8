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

// readAll reads all partitions of the topic at once and gives each record to the work of its partition.
func (r *run) readAll(ctx context.Context, name string, work func() (func(*stream.Record), error)) error {
	ranges, err := r.stack.Kafka.Ranges(ctx, r.topic)
	if err != nil {
		return err
	}
	settle()
	before, err := r.usage()
	if err != nil {
		return err
	}
	group, gctx := errgroup.WithContext(ctx)
	limits := &r.Config.Limits
	for n, rg := range ranges {
		do, err := work()
		if err != nil {
			return err
		}
		group.Go(func() error {
			p := stream.Partition{Topic: r.topic, Number: n}
			cfg := kafka.ReaderConfig{MaxRecords: limits.MicroBatchRecords, MaxBytes: int(limits.MicroBatchBytes)}
			err := r.stack.Kafka.Read(gctx, p, kafka.FromFirst, cfg, func(_ context.Context, b kafka.Batch) error {
				for i := range b.Records {
					do(&b.Records[i])
				}
				if b.Next >= rg.End {
					return errRead
				}
				return nil
			})
			if errors.Is(err, errRead) {
				return nil
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	after, err := r.usage()
	if err != nil {
		return err
	}
	r.add(name, before, after)
	return nil
}

// decoding decodes.
func (r *run) decoding() (func(*stream.Record), error) {
	decoder, err := firehose.New(stream.Twitter)
	if err != nil {
		return nil, err
	}
	var items []stream.Item
	return func(rec *stream.Record) {
		items, _ = decoder.Decode(rec.Value, rec.Timestamp, items[:0]) // a tweet of the simulator has no faults
	}, nil
}

// matching decodes, finds the brands and labels the item for each.
func (r *run) matching() (func(*stream.Record), error) {
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
	return func(rec *stream.Record) {
		items, _ = decoder.Decode(rec.Value, rec.Timestamp, items[:0])
		for i := range items {
			for _, hit := range matcher.Match(&items[i], &scratch) {
				r.classifier.Classify(items[i].Text, items[i].Lang, sentiment.Target{Spans: hit.Spans}, &labels)
			}
		}
	}, nil
}
