package kafka

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	kafkago "github.com/segmentio/kafka-go"

	"otklik/stream"
)

// Batch is what one fetch brought.
type Batch struct {
	Records []stream.Record
	Next    int64 // the next offset to read: beyond the last record, and beyond compacted or control records after it
	End     int64 // the partition's end offset as the fetch saw it: End − Next is the lag
	Gap     int64 // offsets before this batch that retention had already removed
	// At is when the broker answered: an empty batch says that the partition held nothing new then, however long it has waited since.
	At time.Time

	frames []*frame // what the records are parts of
}

// ErrPositionBeyondEnd says that a partition ends before the position that we hold for it: the topic was recreated or
// truncated (promise 7).
var ErrPositionBeyondEnd = errors.New("the position is beyond the end of the partition")

// ReaderConfig bounds what a reader holds.
type ReaderConfig struct {
	MaxBytes   int           // of one fetch; default 4 MB
	MaxRecords int           // of one batch; default 5,000
	MaxWait    time.Duration // how long the broker may hold an empty fetch; default 250 ms
}

func (cfg ReaderConfig) withDefaults() ReaderConfig {
	if cfg.MaxBytes <= 0 {
		cfg.MaxBytes = 4 << 20
	}
	if cfg.MaxRecords <= 0 {
		cfg.MaxRecords = 5000
	}
	if cfg.MaxWait <= 0 {
		cfg.MaxWait = 250 * time.Millisecond
	}
	return cfg
}

// FromFirst is the offset to read from that means the first record that the partition retains.
const FromFirst int64 = -1

// Read fetches the partition from the given offset (or FromFirst) on and hands over its batches, in order, until ctx ends or out refuses.
// An empty batch comes when the partition has nothing new for MaxWait, so that the caller can mind its clock. Transient errors
// are retried for ever on a new connection. It returns nil when ctx ends, ErrPositionBeyondEnd when the log ends
// before the offset, ErrAnotherLog when after a broken connection it is not the log that was read before, and otherwise the error of out.
func (c *Client) Read(ctx context.Context, p stream.Partition, from int64, cfg ReaderConfig, out func(context.Context, Batch) error) error {
	cfg = cfg.withDefaults()
	r := &reader{client: c, partition: p, next: from, cfg: cfg, out: out}
	err := c.retry(ctx, "read "+p.String(), func(ctx context.Context) error {
		err := r.session(ctx)
		if r.fatal != nil {
			return nil //nolint:nilerr // not to be retried; returned below
		}
		return err
	})
	switch {
	case r.fatal != nil:
		return r.fatal
	case ctx.Err() != nil:
		return nil //nolint:nilerr // to be cancelled is how reading ends
	}
	return err
}

type reader struct {
	client    *Client
	partition stream.Partition
	next      int64
	gap       int64
	cfg       ReaderConfig
	out       func(context.Context, Batch) error
	last      stream.Tail // of what was handed over
	fatal     error
	released  atomic.Bool // whoever takes the batches gives their memory back
}

// session reads over one connection until something breaks. It always returns an error. It begins with the last record that was handed
// over, if that is still there: the topic may have been made again while nobody was connected.
func (r *reader) session(ctx context.Context) error {
	from, err := r.locate(ctx)
	if err != nil {
		return err
	}
	f, err := r.client.dialFetcher(ctx, r.partition)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = f.close() })
	defer func() {
		if stop() {
			_ = f.close()
		}
	}()
	for {
		memory := r.frame()
		got, err := f.fetch(from, &r.cfg, memory)
		if err != nil {
			return err
		}
		if from, err = r.drain(ctx, from, &got, memory); err != nil {
			return err
		}
	}
}

// locate checks the position against what the partition retains: it fails for good beyond the end, and notes a gap when
// retention has overtaken us (kafka-go would skip it silently). It returns where to begin to read.
func (r *reader) locate(ctx context.Context) (int64, error) {
	ranges, err := r.client.Ranges(ctx, r.partition.Topic)
	if err != nil {
		return 0, err
	}
	rg, ok := ranges[r.partition.Number]
	if !ok {
		return 0, fmt.Errorf("%s: %w", r.partition, kafkago.UnknownTopicOrPartition)
	}
	if r.next == FromFirst {
		r.next = rg.First
	}
	if r.next > rg.End {
		r.fatal = fmt.Errorf("read %s: position %d, end %d: %w", r.partition, r.next, rg.End, ErrPositionBeyondEnd)
		return 0, r.fatal
	}
	if r.next < rg.First {
		r.gap += rg.First - r.next
		r.next = rg.First
	}
	if r.last.Hash != 0 && r.last.Offset >= rg.First {
		return r.last.Offset, nil
	}
	return r.next, nil
}

// drain hands over what a fetch from that offset brought into memory, in batches of at most MaxRecords, and returns where to fetch next.
func (r *reader) drain(ctx context.Context, from int64, got *fetched, memory *frame) (int64, error) {
	at := time.Now()
	all, next, err := parseRecords(r.partition, got.records, memory.records[:0])
	memory.records = all
	memory.users.Store(1)
	defer memory.release()
	records := all[:0:0]
	emit := func() error {
		b := Batch{Records: records, Next: r.next, End: max(got.end, r.next), Gap: r.gap, At: at, frames: memory.use()}
		r.last = LastOf(&b, r.last)
		r.gap, records = 0, nil
		if err := r.out(ctx, b); err != nil {
			r.fatal = err
			return err
		}
		return nil
	}
	for i := range all {
		rec := &all[i]
		if rec.Offset < r.next {
			if len(records) > 0 {
				err = fmt.Errorf("%w: offset %d comes after offset %d", errBadBatch, rec.Offset, r.next-1)
				break
			}
			// The broker sends whole batches; and a session begins with the record that was read last.
			if rec.Offset == r.last.Offset && r.last.Hash != 0 {
				if r.fatal = compare(r.partition, r.last, TailOf(rec)); r.fatal != nil {
					return 0, r.fatal
				}
			}
			continue
		}
		n := len(records)
		records = all[i-n : i+1 : i+1]
		r.next = rec.Offset + 1
		if len(records) == r.cfg.MaxRecords {
			if err := emit(); err != nil {
				return 0, err
			}
		}
	}
	if err != nil {
		if len(records) > 0 {
			return 0, errors.Join(emit(), err)
		}
		return 0, err
	}
	r.next = max(r.next, next)
	return max(from, r.next, next), emit()
}
