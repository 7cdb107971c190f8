package engine

import (
	"context"
	"time"

	"otklik/stream"
	"otklik/stream/kafka"
)

// Drained reports how many records the stages have still to make durable: the distance of every restart point from the end of
// its partition. The restart points are asked for once and before the ends, so 0 means that everything that was in the raw topics when the
// call began has gone through: what a stage had made by then lies before the ends of the next one.
func (e *Engine) Drained(ctx context.Context) (left int64, err error) {
	saved, err := e.ClickHouse.Positions(ctx)
	if err != nil {
		return 0, err
	}
	for _, stage := range stream.Stages {
		next := e.next(saved, stage)
		for _, topic := range e.topicsOf(stage) {
			ranges, err := e.Kafka.Ranges(ctx, topic)
			if err != nil {
				return 0, err
			}
			for n, r := range ranges {
				if r.First < r.End {
					left += r.End - max(r.First, next[stream.Partition{Topic: topic, Number: n}])
				}
			}
		}
	}
	return left, nil
}

// next returns the next offset of every partition that a stage has made something of durable, from the restart points of all.
func (e *Engine) next(saved []stream.Progress, stage stream.Stage) map[stream.Partition]int64 {
	next := map[stream.Partition]int64{}
	for i := range saved {
		if p := &saved[i]; p.Stage == stage && p.Position.Epoch() == e.topics[p.Partition.Topic].Epoch {
			next[p.Partition] = p.Position.Next()
		}
	}
	return next
}

// bound is what a bounded run has to make durable: everything before the ends of these ranges.
type bound map[stream.Partition]kafka.Range

// boundOf returns the bound of what the topics hold now.
func (e *Engine) boundOf(ctx context.Context, topics []string) (bound, error) {
	b := bound{}
	for _, topic := range topics {
		ranges, err := e.Kafka.Ranges(ctx, topic)
		if err != nil {
			return nil, err
		}
		for n, r := range ranges {
			b[stream.Partition{Topic: topic, Number: n}] = r
		}
	}
	return b, nil
}

// reached reports whether a stage has made everything before the bound durable, whichever processes did it.
func (e *Engine) reached(ctx context.Context, stage stream.Stage, b bound) (bool, error) {
	saved, err := e.ClickHouse.Positions(ctx)
	if err != nil {
		return false, err
	}
	next := e.next(saved, stage)
	for p, r := range b {
		if r.First < r.End && next[p] < r.End {
			return false, nil
		}
	}
	return true, nil
}

// How often awaitMentions looks again: soon at first, and rarely where there is much to read, since it asks ClickHouse each time.
const (
	awaitInterval    = 500 * time.Millisecond
	maxAwaitInterval = 4 * time.Second
)

// awaitMentions returns when what is said of mentions can be read. Where it never was, the figures are computed anew: corrections would
// come before the mentions that they are about, and would be refused. So everything that the raw topics hold by now goes first.
func (e *Engine) awaitMentions(ctx context.Context, said stream.Partition) error {
	_, begun, err := e.ClickHouse.Progress(ctx, stream.StageIngest, said)
	if err != nil || begun {
		return err
	}
	for _, leg := range []struct {
		stage  stream.Stage
		topics []string
	}{{stream.StageIngest, e.rawTopics()}, {stream.StageTrack, e.topicsOf(stream.StageTrack)}} {
		until, err := e.boundOf(ctx, leg.topics)
		if err != nil {
			return err
		}
		pause := awaitInterval
		for told := false; ; told = true {
			done, err := e.reached(ctx, leg.stage, until)
			if err != nil {
				return err
			}
			if done {
				break
			}
			if !told {
				e.Logger.Info("what is said of mentions waits for them", "partition", said.String(), "stage", string(leg.stage))
			}
			again := time.NewTimer(pause)
			pause = min(pause*3/2, maxAwaitInterval)
			select {
			case <-again.C:
			case <-ctx.Done():
				again.Stop()
				return context.Cause(ctx)
			}
		}
	}
	return nil
}

// Feed appends raw records to their topics, each in the partition that its number in its topic gives, so that a feeder that
// is deterministic goes on exactly where it was killed: what a partition holds tells how far it had come.
type Feed struct {
	client  *kafka.Client
	outbox  map[stream.Platform]*kafka.Outbox
	offsets map[stream.Platform][]int64 // records already in each partition when the feed began
	next    map[stream.Platform]int64   // number of the next record of a platform
	queued  int
}

// NewFeed returns a feed. With resume, the first records of each partition are those that it holds already beyond base
// (offsets by topic and partition at which this feed first began); they are not appended again.
func (e *Engine) NewFeed(ctx context.Context, base map[string][]int64) (*Feed, error) {
	f := &Feed{client: e.Kafka, outbox: map[stream.Platform]*kafka.Outbox{}, offsets: map[stream.Platform][]int64{}, next: map[stream.Platform]int64{}}
	for topic, platform := range e.raw {
		n := int(e.topics[topic].Partitions)
		f.outbox[platform] = e.Kafka.Outbox(topic, n)
		ends, err := e.ends(ctx, topic, n)
		if err != nil {
			return nil, err
		}
		for i := range ends {
			if i < len(base[topic]) {
				ends[i] -= base[topic][i]
			}
		}
		f.offsets[platform] = ends
	}
	return f, nil
}

// Ends returns the end offsets of all raw topics, by topic and partition: the base of a new feed.
func (e *Engine) Ends(ctx context.Context) (map[string][]int64, error) {
	all := map[string][]int64{}
	for topic := range e.raw {
		ends, err := e.ends(ctx, topic, int(e.topics[topic].Partitions))
		if err != nil {
			return nil, err
		}
		all[topic] = ends
	}
	return all, nil
}

func (e *Engine) ends(ctx context.Context, topic string, partitions int) ([]int64, error) {
	ranges, err := e.Kafka.Ranges(ctx, topic)
	if err != nil {
		return nil, err
	}
	ends := make([]int64, partitions)
	for n := range ends {
		ends[n] = ranges[int32(n)].End
	}
	return ends, nil
}

// Add queues a record and reports whether it is new, that is, was not appended by an earlier run. The value must stay
// unchanged until Send returns.
func (f *Feed) Add(platform stream.Platform, value []byte) bool {
	out := f.outbox[platform]
	number := f.next[platform]
	f.next[platform]++
	n := int64(out.Partitions())
	partition, place := number%n, number/n
	if place < f.offsets[platform][partition] {
		return false
	}
	out.AddTo(int32(partition), nil, value)
	f.queued++
	return true
}

// Queued returns the number of records that wait for Send.
func (f *Feed) Queued() int { return f.queued }

// Send makes the queued records durable.
func (f *Feed) Send(ctx context.Context) error {
	for _, out := range f.outbox {
		if err := out.Send(ctx); err != nil {
			return err
		}
	}
	f.queued = 0
	return nil
}
