// Package redrive puts dead letters back into the topics that they came from, after what was wrong with them, or with the
// configuration, has been mended.
//
// Only records of the raw topics are put back. A record of otklik.mentions or otklik.panes that could not be read would do
// no good there: its mention carries a source that its partition has passed, which makes it an echo (see "Echoes" in
// stream/DESIGN.md), and every partial is followed by newer ones that hold all it held. A row that ClickHouse refused is not a
// record at all. They stay in the table for people.
package redrive

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"otklik/sinks/clickhouse"
	"otklik/stream"
	"otklik/stream/kafka"
)

// Letters is where dead letters are kept.
type Letters interface {
	EachDeadLetter(ctx context.Context, f clickhouse.DeadLetterFilter, fn func(*stream.DeadLetter) error) error
	MarkRedriven(ctx context.Context, letters []stream.DeadLetter) error
}

// Producer appends messages to one partition and returns when they are durable.
type Producer interface {
	Produce(ctx context.Context, p stream.Partition, messages []kafka.Message) error
}

// Options say what to put back.
type Options struct {
	Reasons []string       // of at least one dead letter of a record; none stands for all
	Topics  map[string]int // raw topics that may be written to, with their partitions
	// Hold, by topic, names in a dead letter what it holds (stream.DeadLetter.Items), as the program that reads it now makes it out. Optional.
	Hold   map[string]func(*stream.DeadLetter)
	Topic  string      // of the records; "" is all of Topics
	Since  stream.Time // record timestamp ≥ Since; 0 is no bound
	Until  stream.Time // record timestamp < Until; 0 is no bound
	Again  bool        // those that were put back before, too
	Limit  int         // records; 0 is no limit
	DryRun bool        // only count
}

// Summary is what was put back, or with DryRun would be.
type Summary struct {
	Records int `json:"records"`
	Letters int `json:"dead_letters"` // a record may hold several broken elements
	// What stays, in dead letters.
	NotRaw  int `json:"not_raw"` // no record of a raw topic of this configuration
	Emptied int `json:"emptied"` // the record itself is gone: it was empty, or older than the retention of texts
	Erased  int `json:"erased"`  // the record itself is gone: the platform deleted an item in it
}

const (
	batchRecords = 1000
	batchBytes   = 4 << 20
	// refusedRow is the reason of a row that ClickHouse refused: its payload is the row, not a record.
	refusedRow = "rejected_row"
)

// errLimit ends the reading at the limit.
var errLimit = errors.New("limit")

// Run puts records back, each in the partition that it came from and with its timestamp, and marks its dead letters once it is
// durable. It may be interrupted at any point: what was put back but not yet marked is put back again by the next run, and its
// mentions then count as duplicates. A record with several broken elements is put back once, as a whole; its
// good elements count as duplicates.
func Run(ctx context.Context, letters Letters, producer Producer, o Options) (Summary, error) {
	r := &run{Options: o, letters: letters, producer: producer, messages: map[stream.Partition][]kafka.Message{}}
	filter := clickhouse.DeadLetterFilter{Topic: o.Topic, Since: o.Since, Until: o.Until, Redriven: o.Again}
	err := letters.EachDeadLetter(ctx, filter, func(l *stream.DeadLetter) error {
		if len(r.here) > 0 && (r.here[0].Source.Partition != l.Source.Partition || r.here[0].Source.Offset != l.Source.Offset) {
			if err := r.takeHere(ctx); err != nil {
				return err
			}
		}
		r.here = append(r.here, *l)
		return nil
	})
	if err == nil {
		err = r.takeHere(ctx)
	}
	if err != nil && !errors.Is(err, errLimit) {
		return r.done, err
	}
	return r.done, r.send(ctx)
}

type run struct {
	Options
	letters  Letters
	producer Producer

	here     []stream.DeadLetter // the dead letters of one offset: of a record, and of rows that came of it
	batch    []stream.DeadLetter // not yet marked
	messages map[stream.Partition][]kafka.Message
	records  int // in the batch
	bytes    int
	taken    int
	done     Summary
}

// sameRecord says of dead letters of one offset whether they are of the record itself, or of rows of one stage.
func sameRecord(a, b *stream.DeadLetter) bool {
	return a.Stage == b.Stage && (a.Reason == refusedRow) == (b.Reason == refusedRow)
}

// takeHere queues the records of the offset that has been collected. A row that was refused may stand between the broken elements of the record that
// it came of.
func (r *run) takeHere(ctx context.Context) error {
	here := r.here
	r.here = nil
	for len(here) > 0 {
		var record, rest []stream.DeadLetter
		for i := range here {
			if sameRecord(&here[0], &here[i]) {
				record = append(record, here[i])
			} else {
				rest = append(rest, here[i])
			}
		}
		if err := r.take(ctx, record); err != nil {
			return err
		}
		here = rest
	}
	return nil
}

// take queues a record, if it is wanted.
func (r *run) take(ctx context.Context, record []stream.DeadLetter) error {
	if !r.wanted(record) {
		return nil
	}
	first := &record[0]
	partitions, raw := r.Topics[first.Source.Partition.Topic]
	switch {
	case !raw || partitions == 0 || first.Stage != stream.StageIngest || first.Reason == refusedRow:
		r.done.NotRaw += len(record)
		return nil
	case slices.ContainsFunc(record, func(l stream.DeadLetter) bool { return l.Erased }):
		r.done.Erased += len(record)
		return nil
	case len(first.Payload) == 0:
		r.done.Emptied += len(record)
		return nil
	}
	p := first.Source.Partition
	p.Number %= int32(partitions) // a topic that was made anew may have fewer
	m := kafka.Message{Value: first.Payload, Time: first.At}
	if len(first.Key) > 0 {
		m.Key = first.Key
	}
	r.messages[p] = append(r.messages[p], m)
	if hold := r.Hold[first.Source.Partition.Topic]; hold != nil && !r.DryRun {
		hold(first)
		for i := range record {
			if len(record[i].Payload) > 0 {
				record[i].Platform, record[i].Items = first.Platform, first.Items
			}
		}
	}
	r.batch = append(r.batch, record...)
	r.records++
	r.taken++
	r.bytes += len(first.Payload)
	if r.records >= batchRecords || r.bytes >= batchBytes {
		if err := r.send(ctx); err != nil {
			return err
		}
	}
	if r.Limit > 0 && r.taken >= r.Limit {
		return errLimit
	}
	return nil
}

func (r *run) wanted(record []stream.DeadLetter) bool {
	if len(r.Reasons) == 0 {
		return true
	}
	for i := range record {
		if slices.Contains(r.Reasons, record[i].Reason) {
			return true
		}
	}
	return false
}

// send makes the batch durable and then marks it.
func (r *run) send(ctx context.Context) error {
	if r.records == 0 {
		return nil
	}
	if !r.DryRun {
		for p, messages := range r.messages {
			if err := r.producer.Produce(ctx, p, messages); err != nil {
				return fmt.Errorf("put %d records back: %w", len(messages), err)
			}
		}
		if err := r.letters.MarkRedriven(ctx, r.batch); err != nil {
			return err
		}
	}
	r.done.Records += r.records
	r.done.Letters += len(r.batch)
	clear(r.messages)
	r.batch, r.records, r.bytes = nil, 0, 0
	return nil
}
