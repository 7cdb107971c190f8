package bench

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"otklik/cmd/otklik/internal/engine"
	"otklik/schemas"
	"otklik/stream"
	"otklik/stream/sentiment"
)

// How often the tables are asked how far the engine is: rarely at first, because the answer costs ClickHouse time that is measured,
// and more often towards the end.
const (
	minPoll = 100 * time.Millisecond
	maxPoll = 2 * time.Second
)

// pipeline runs the engine over the topic until everything is in ClickHouse, and then under half of the rate it showed.
func (r *run) pipeline(ctx context.Context, e *engine.Engine) error {
	settle()
	clock := &startClock{Classifier: r.classifier}
	e.Classifier = clock
	profile, err := r.startProfile()
	if err != nil {
		return err
	}
	watch := watchMemory(ctx, r.server)
	running, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	began := time.Now()
	before, err := r.usage()
	if err != nil {
		return err
	}
	group, gctx := errgroup.WithContext(running)
	group.Go(func() error { return e.Run(gctx) })
	group.Go(func() error {
		if err := r.drained(gctx, e); err != nil {
			return err
		}
		after, err := r.usage()
		if err != nil {
			return err
		}
		if before.at = clock.first(); before.at.IsZero() {
			before.at = began // no tweet named a brand
		}
		r.result.StartSeconds = before.at.Sub(began).Seconds()
		r.result.Mentions = r.mentions
		r.result.Steps = append(r.result.Steps, r.step(StepPipeline, before, after))
		if err := profile(); err != nil {
			return err
		}
		if r.Latency > 0 {
			r.Progress("waiting for the merges that (d) has left")
			if err := r.settled(gctx); err != nil {
				return err
			}
			rate := r.result.Steps[len(r.result.Steps)-1].EventsRate / 2
			r.Progress(fmt.Sprintf("latency at %.0f events/s", rate))
			if err := r.latency(gctx, e, rate); err != nil {
				return err
			}
		}
		stop(errDone)
		return nil
	})
	err = group.Wait()
	peak, watchErr := watch()
	r.result.Peak = peak
	switch {
	case err != nil && !errors.Is(err, errDone):
		return errors.Join(err, watchErr)
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	return watchErr
}

// errDone ends the engine after the measurement.
var errDone = errors.New("measured")

const (
	// settleFor is how long ClickHouse has to be without a merge; settleAtMost bounds the wait for it.
	settleFor    = 2 * time.Second
	settleAtMost = time.Minute
)

// settled has ClickHouse merge what it was given, and returns when that is done: a load that begins earlier shares the processors with the merges of
// the one before, which a catch-up leaves for later.
func (r *run) settled(ctx context.Context) error {
	store := schemas.Store(r.Config.ClickHouse.Database)
	for _, table := range []string{"mentions", "turns", "cases", "responses", "panes"} {
		if err := r.stack.ClickHouse.Exec(ctx, "OPTIMIZE TABLE "+store+"."+table+" FINAL"); err != nil {
			return fmt.Errorf("bench: %w", err)
		}
	}
	began := time.Now()
	quiet := began
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for time.Since(quiet) < settleFor && time.Since(began) < settleAtMost {
		merges, err := r.counts(ctx, "SELECT count() FROM system.merges")
		if err != nil {
			return err
		}
		if merges[0] > 0 {
			quiet = time.Now()
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
	if time.Since(quiet) < settleFor {
		r.Progress(fmt.Sprintf("after %s ClickHouse still merges: the latency is that beside merges", settleAtMost))
	}
	return nil
}

// drained returns when everything in the raw topic has gone through all stages. One cheap query is asked until ingest and track
// have read what there is; only then every partition is compared with its end.
func (r *run) drained(ctx context.Context, e *engine.Engine) error {
	query := `SELECT sumIf(records, stage = 'ingest'), sumIf(mentions, stage = 'ingest'), sumIf(records, stage = 'track')
		FROM ` + schemas.Store(r.Config.ClickHouse.Database) + `.ledger FINAL`
	began := time.Now()
	for {
		counts, err := r.counts(ctx, query)
		if err != nil {
			return err
		}
		if counts[0] >= int64(r.Events) && counts[2] >= counts[1] {
			left, err := e.Drained(ctx)
			if err != nil {
				return err
			}
			if left == 0 {
				r.mentions = counts[1]
				return nil
			}
		}
		done := min(float64(counts[0])/float64(r.Events), float64(counts[2])/float64(max(counts[1], 1)))
		timer := time.NewTimer(nextPoll(time.Since(began), done))
		select {
		case <-ctx.Done():
			timer.Stop()
			return context.Cause(ctx)
		case <-timer.C:
		}
	}
}

// nextPoll is how long to wait before asking again when the given share is done after so long: a quarter of what is left.
func nextPoll(after time.Duration, done float64) time.Duration {
	if done <= 0 {
		return minPoll * 5
	}
	left := time.Duration(float64(after) * max(1-done, 0) / done)
	return min(max(left/4, minPoll), maxPoll)
}

// counts returns the one row of a query of whole numbers.
func (r *run) counts(ctx context.Context, query string) ([]int64, error) {
	rows, err := r.stack.ClickHouse.Strings(ctx, query)
	if err != nil {
		return nil, err
	}
	if len(rows) != 1 {
		return nil, fmt.Errorf("bench: %d rows in the answer of a query with one", len(rows))
	}
	return integers(rows[0])
}

func integers(texts []string) ([]int64, error) {
	out := make([]int64, len(texts))
	for i, text := range texts {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("bench: %w", err)
		}
		out[i] = n
	}
	return out, nil
}

// startClock notes when the engine labels its first text: joining the consumer groups before that takes seconds that
// say nothing about speed.
type startClock struct {
	sentiment.Classifier
	once sync.Once
	mu   sync.Mutex
	at   time.Time
}

// Classify implements sentiment.Classifier.
func (c *startClock) Classify(text, lang string, target sentiment.Target, s *sentiment.Scratch) (stream.Label, stream.Scores) {
	c.once.Do(func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.at = time.Now()
	})
	return c.Classifier.Classify(text, lang, target, s)
}

func (c *startClock) first() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}
