// Package task runs one partition of a stage: restore the state, read, process, flush, and go on until the generation ends.
// What is computed is the Processor's business; that nothing is lost or doubled in between is this package's.
package task

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"

	"otklik/stream"
	"otklik/stream/kafka"
	"otklik/stream/window"
)

// Processor is the state of one partition and what a record does to it. Its methods are called from one goroutine.
type Processor interface {
	// Restore loads the state and returns the next offset to read, or FromFirst.
	Restore(ctx context.Context) (next int64, err error)
	// Process applies a batch. An empty batch is a tick: nothing was read, but time went by. The list of its records is valid until the next call, and
	// their keys and values for as long as the processor wants, unless it calls Batch.Release.
	Process(ctx context.Context, batch kafka.Batch) error
	// Flush makes everything processed so far durable, in the order of stream/DESIGN.md, and returns the position
	// up to which that holds. It retries transient errors itself and is called again after an error only by a new task.
	Flush(ctx context.Context) (stream.Position, error)
}

// FromFirst makes a task begin with the first record that the partition retains.
const FromFirst = kafka.FromFirst

// Start returns where a stage goes on: at its restart point, or with the first record when it has none or the topic was begun
// anew in a later epoch. Kafka's committed offset is not asked: it is written after the restart point, so it is never ahead
// of it, and without the rows in ClickHouse the figures have to be computed again anyway.
func Start(progress stream.Progress, ok bool, epoch uint16) int64 {
	if !ok || progress.Position.Epoch() != epoch {
		return FromFirst
	}
	return progress.Position.Next()
}

// Resume restores what every stage keeps of a partition: its books, and where it goes on. The position is that of the restart point,
// and next is FromFirst when there is none in this epoch.
func Resume(ctx context.Context, books Books, stage stream.Stage, p stream.Partition, epoch uint16, ledger *Ledger) (
	progress stream.Progress, next int64, at stream.Position, err error,
) {
	progress, ok, err := books.Progress(ctx, stage, p)
	if err != nil {
		return progress, 0, 0, err
	}
	rows, err := books.LedgerRows(ctx, stage, p)
	if err != nil {
		return progress, 0, 0, err
	}
	ledger.Restore(rows)
	next = Start(progress, ok, epoch)
	if next == FromFirst {
		progress.Last = stream.Tail{} // of the topic before this one
	}
	return progress, next, stream.PositionAfter(epoch, max(next, 0)-1), nil
}

// Marks returns the source marks of a restart point as the watermark tracker takes them.
func Marks(sources []stream.SourceMark) []window.Mark {
	marks := make([]window.Mark, len(sources))
	for i := range sources {
		marks[i] = window.Mark{Source: sources[i].Partition, EventTime: sources[i].EventTime}
	}
	return marks
}

// Log is where a task reads its partition.
type Log interface {
	Read(ctx context.Context, p stream.Partition, from int64, cfg kafka.ReaderConfig, out func(context.Context, kafka.Batch) error) error
}

// Observer is told what a task and its processor do; the implementation counts it for one partition.
type Observer interface {
	Restored(took time.Duration)
	Batch(books *stream.Books) // what became of one batch
	Lag(records int64)
	Watermark(mark stream.Time, idle bool)
	State(kind string, entries int) // in memory, by kind: panes, threads, identities
	Flushed(took time.Duration, err error)
	Close() // the partition belongs to somebody else from now on
}

// Config paces a task.
type Config struct {
	Stage         stream.Stage
	FlushInterval time.Duration // flush at its multiples on the wall clock while records come; default 1 s
	FlushRecords  int           // flush earlier after so many records; default 100,000
	FlushTimeout  time.Duration // for the last flush when the generation ends; default 10 s
	StallTimeout  time.Duration // how long one batch may take before the task is declared hanging; default 10 min
	Pace          *Pace         // of all tasks of the process; nil: the task knows of no other
	Until         int64         // stop after the record before this offset; 0 reads for ever
	Bounded       bool          // Until holds
	Reader        kafka.ReaderConfig
	Logger        *slog.Logger
	Observer      Observer
}

func (cfg Config) withDefaults() Config {
	if cfg.FlushInterval <= 0 {
		cfg.FlushInterval = time.Second
	}
	if cfg.FlushRecords <= 0 {
		cfg.FlushRecords = 100_000
	}
	if cfg.FlushTimeout <= 0 {
		cfg.FlushTimeout = 10 * time.Second
	}
	if cfg.StallTimeout <= 0 {
		cfg.StallTimeout = 10 * time.Minute
	}
	if cfg.Pace == nil {
		cfg.Pace = new(Pace)
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return cfg
}

// ErrStalled says that one batch took longer than StallTimeout. The group answers by beginning a new generation, in which
// another process may have more luck: heartbeats alone would keep a hanging task its partition for ever.
var ErrStalled = kafka.ErrRejoin

// errDone ends the reader when a bounded task has all it wanted.
var errDone = errors.New("task is done")

// Run follows the assigned partition with the processor until ctx ends (then it flushes what it has, within FlushTimeout, and
// returns nil) or, for a bounded task, until everything before Until is durable. Any other return is an error that stops the
// stage: transient ones have been retried before.
func Run(ctx context.Context, a kafka.Assignment, log Log, proc Processor, cfg Config) error {
	cfg = cfg.withDefaults()
	t := &task{cfg: cfg, assignment: a, log: log, proc: proc}
	defer cfg.Observer.Close()
	defer t.keepUp()
	err := t.run(ctx)
	if ctx.Err() != nil {
		if err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, context.Cause(ctx)) {
			cfg.Logger.Info("partition left without a last flush", "stage", cfg.Stage, "partition", a.Partition.String(), "error", err)
		}
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w", cfg.Stage, a.Partition, err)
	}
	return nil
}

// task is one run of a partition.
type task struct {
	cfg        Config
	assignment kafka.Assignment
	log        Log
	proc       Processor

	next      int64 // next offset to process
	unflushed int
	flushed   int             // unflushed at the last flush
	behind    bool            // more waits than a flush covers; counted in cfg.Pace
	level     bool            // nothing waits
	chased    bool            // no flush yet with which nothing waited, since the process caught up
	round     int64           // of flushes in which this task has flushed, or need not
	torn      bool            // a batch or a flush was interrupted: memory is no longer the state at t.next
	room      []stream.Record // of a batch that was joined
}

func (t *task) run(ctx context.Context) error {
	start := time.Now()
	next, err := t.proc.Restore(ctx)
	if err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	t.next = next
	t.cfg.Observer.Restored(time.Since(start))
	if t.assignment.Committed < 0 && next >= 0 {
		t.commit(next) // for the lag tools
	}
	t.round = t.cfg.Pace.join(t.rolls())
	if t.reached() {
		return nil
	}

	batches := make(chan kafka.Batch, 2)
	group, gctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		defer close(batches)
		return t.log.Read(gctx, t.assignment.Partition, next, t.cfg.Reader, func(ctx context.Context, b kafka.Batch) error {
			select {
			case batches <- b:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	})
	group.Go(func() error { return t.consume(gctx, batches) })
	err = group.Wait()
	if errors.Is(err, errDone) {
		return nil
	}
	if ctx.Err() != nil {
		// The generation ended: keep what is processed, if ClickHouse and Kafka answer in time. What is not kept is replayed.
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), t.cfg.FlushTimeout)
		defer cancel()
		if t.unflushed > 0 && !t.torn {
			return t.flush(last)
		}
		return err
	}
	return err
}

func (t *task) consume(ctx context.Context, batches <-chan kafka.Batch) error {
	var ahead *kafka.Batch // read, but not to be joined with the one before it
	for {
		batch, ok := take(ctx, ahead, batches)
		if !ok {
			return nil
		}
		batch, ahead = t.join(batch, batches)
		if err := t.process(ctx, batch); err != nil {
			return err
		}
		if t.unflushed >= t.cfg.FlushRecords || t.due() || t.arrived() || t.reached() {
			if err := t.flush(ctx); err != nil {
				return err
			}
		}
		if t.reached() {
			return errDone
		}
	}
}

// take returns the batch that is to be processed next. Not ok: there is none, or ctx has ended. What was read ahead then stays
// unprocessed together with everything behind it: to go on with a later batch would skip its records for good.
func take(ctx context.Context, ahead *kafka.Batch, batches <-chan kafka.Batch) (batch kafka.Batch, ok bool) {
	if ctx.Err() != nil {
		return kafka.Batch{}, false
	}
	if ahead != nil {
		return *ahead, true
	}
	select {
	case <-ctx.Done():
		return kafka.Batch{}, false
	case batch, ok = <-batches:
		return batch, ok
	}
}

// join appends to a batch those that wait behind it, up to Reader.MaxRecords: the fewer batches, the fewer and larger are the requests
// by which their results are produced. A batch that is not to be joined comes back as ahead: one without records is a tick, which
// tells the moment of its fetch, and a gap belongs to the records after it.
func (t *task) join(batch kafka.Batch, batches <-chan kafka.Batch) (joined kafka.Batch, ahead *kafka.Batch) {
	clear(t.room)
	t.room = t.room[:0]
	for len(batch.Records) > 0 {
		select {
		case b, ok := <-batches:
			if !ok {
				return batch, nil // consume sees it next
			}
			if len(b.Records) == 0 || b.Gap > 0 || len(batch.Records)+len(b.Records) > t.cfg.Reader.MaxRecords {
				return batch, &b
			}
			t.room = batch.Join(&b, t.room)
		default:
			return batch, nil
		}
	}
	return batch, nil
}

// due reports whether the next round of flushes has begun, or is to begin now.
func (t *task) due() bool { return t.cfg.Pace.due(time.Now(), t.rolls(), t.round, t.cfg.FlushInterval) }

func (t *task) rolls() bool { return t.cfg.Stage == stream.StageRoll }

// arrived reports whether the process has just caught up, and the task with it: nothing more will come soon to share the inserts with, and
// whoever waits for the end of the past (a stage behind this one, a person) need not wait for the clock. That is once per catching up.
func (t *task) arrived() bool {
	return t.chased && t.level && t.unflushed > 0 && !t.cfg.Pace.catchingUp()
}

func (t *task) reached() bool { return t.cfg.Bounded && t.next >= t.cfg.Until }

func (t *task) process(ctx context.Context, batch kafka.Batch) error {
	if batch.Gap > 0 {
		t.cfg.Logger.Error("records were removed by retention before they were read: raise the topic's retention or add processes",
			"stage", t.cfg.Stage, "partition", t.assignment.Partition.String(), "records", batch.Gap)
	}
	if t.cfg.Bounded {
		// What came after the start of a bounded run belongs to the next one.
		for len(batch.Records) > 0 && batch.Records[len(batch.Records)-1].Offset >= t.cfg.Until {
			batch.Records = batch.Records[:len(batch.Records)-1]
		}
		batch.Next = min(batch.Next, max(t.cfg.Until, t.next))
	}
	// Heartbeats go on while processing hangs: a batch that takes minutes ends the task, not only its group membership.
	pctx, cancel := context.WithTimeoutCause(ctx, t.cfg.StallTimeout, ErrStalled)
	err := t.proc.Process(pctx, batch)
	if errors.Is(context.Cause(pctx), ErrStalled) {
		if errors.Is(err, ErrStalled) { // it tells what it waited for
			err = fmt.Errorf("a batch of %d records took longer than %s: %w", len(batch.Records), t.cfg.StallTimeout, err)
		} else {
			err = fmt.Errorf("a batch of %d records took longer than %s: %w", len(batch.Records), t.cfg.StallTimeout, ErrStalled)
		}
	}
	cancel()
	if err != nil {
		t.torn = true
		return err
	}
	t.next = max(t.next, batch.Next)
	t.unflushed += len(batch.Records)
	if len(batch.Records) == 0 {
		t.unflushed++ // a tick may have moved a watermark: it counts as something to flush
	}
	lag := max(0, batch.End-t.next)
	t.level = lag == 0
	if lag > int64(max(t.unflushed, t.flushed)) {
		t.fallBehind()
	} else {
		t.keepUp()
	}
	t.cfg.Observer.Lag(lag)
	return nil
}

func (t *task) flush(ctx context.Context) error {
	start := time.Now()
	round, end := t.cfg.Pace.begin(t.rolls())
	position, err := t.proc.Flush(ctx)
	end(time.Now())
	t.cfg.Observer.Flushed(time.Since(start), err)
	if err != nil {
		t.torn = true
		return fmt.Errorf("flush: %w", err)
	}
	t.commit(max(position.Next(), 0))
	t.flushed, t.unflushed, t.chased = t.unflushed, 0, t.cfg.Pace.catchingUp() || t.chased && !t.level
	t.round = round
	return nil
}

// commit tells Kafka how far we are. The truth is in ClickHouse: a commit that fails (the generation has ended, the coordinator
// moves) costs nothing, the next one makes up for it.
func (t *task) commit(next int64) {
	if err := t.assignment.Commit(next); err != nil {
		t.cfg.Logger.Debug("commit", "stage", t.cfg.Stage, "partition", t.assignment.Partition.String(), "next", next, "error", err)
	}
}
