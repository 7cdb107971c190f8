package bench

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"sort"
	"time"

	"golang.org/x/sync/errgroup"

	"otklik/cmd/otklik/internal/engine"
	"otklik/schemas"
	"otklik/stream"
)

// Latency is the time from the append of a raw record to the moment at which the row of its mention can be read.
type Latency struct {
	Rate    float64 `json:"events_per_second"`
	Samples int     `json:"samples"`
	P50     float64 `json:"p50_seconds"`
	P90     float64 `json:"p90_seconds"`
	P99     float64 `json:"p99_seconds"`
	Max     float64 `json:"max_seconds"`
}

const (
	// lookInterval is how often the table is asked which rows it shows: the error of a sample, always upwards. A look costs fifteen milliseconds of a
	// processor: ten a second were a sixth of what ClickHouse had to do, and delayed what they looked for.
	lookInterval = 200 * time.Millisecond
	// lookBack is how many seconds of what was written a look covers.
	lookBack = 3
	// paceInterval is how often the load is appended.
	paceInterval = 10 * time.Millisecond
	// wantedSamples bounds the rows that are looked at.
	wantedSamples = 50_000
)

// sight is what one look at the table showed: in each partition of otklik.mentions the newest position. Rows of a partition become
// readable in the order of their positions, so everything up to it was there.
type sight struct {
	at     time.Time
	newest map[int64]int64
}

// latency appends tweets at the rate for a while and watches their rows appear.
func (r *run) latency(ctx context.Context, e *engine.Engine, rate float64) error {
	table := schemas.Store(r.Config.ClickHouse.Database) + ".mentions"
	start := time.Now()
	since := fmt.Sprintf("received_at >= fromUnixTimestamp64Milli(%d)", start.UnixMilli())

	var sights []sight
	looking, stop := context.WithCancel(ctx)
	defer stop()
	group, gctx := errgroup.WithContext(looking)
	group.Go(func() error {
		// Only what was written a moment ago is looked at, or looking would take more of the processors the longer the load lasts. A row that
		// took longer to become readable is seen with the next ones of its partition.
		query := fmt.Sprintf("SELECT partition, max(position) FROM %s WHERE written_at >= greatest(now() - %d, toDateTime(%d)) GROUP BY partition",
			table, lookBack, start.Unix()-1)
		newest := map[int64]int64{}
		tick := time.NewTicker(lookInterval)
		defer tick.Stop()
		for {
			rows, err := r.stack.ClickHouse.Strings(gctx, query)
			if gctx.Err() != nil {
				return nil
			}
			if err != nil {
				return err
			}
			now := time.Now()
			for _, row := range rows {
				n, err := integers(row)
				if err != nil {
					return err
				}
				newest[n[0]] = max(newest[n[0]], n[1])
			}
			sights = append(sights, sight{at: now, newest: maps.Clone(newest)})
			select {
			case <-gctx.Done():
				return nil
			case <-tick.C:
			}
		}
	})
	group.Go(func() error {
		defer stop()
		sent, err := r.load(gctx, rate)
		if err != nil {
			return err
		}
		r.Events += sent
		defer func() { r.Events -= sent }()
		return r.drained(gctx, e)
	})
	if err := group.Wait(); err != nil {
		return err
	}
	step := int(rate*r.Latency.Seconds())/wantedSamples + 1
	rows, err := r.stack.ClickHouse.Strings(ctx, fmt.Sprintf(
		"SELECT partition, first_position, toUnixTimestamp64Milli(received_at) FROM %s WHERE %s AND source_offset %% %d = 0", table, since, step))
	if err != nil {
		return err
	}
	var took []float64
	for _, row := range rows {
		n, err := integers(row)
		if err != nil {
			return err
		}
		seen := sort.Search(len(sights), func(i int) bool { return sights[i].newest[n[0]] >= n[1] })
		if seen == len(sights) {
			continue // appeared after the last look, in the moment in which the load ended
		}
		took = append(took, sights[seen].at.Sub(time.UnixMilli(n[2])).Seconds())
	}
	r.result.Latency = summarise(rate, took)
	return nil
}

func summarise(rate float64, took []float64) *Latency {
	slices.Sort(took)
	l := &Latency{Rate: rate, Samples: len(took)}
	if len(took) > 0 {
		at := func(q float64) float64 { return took[min(int(q*float64(len(took))), len(took)-1)] }
		l.P50, l.P90, l.P99, l.Max = at(0.5), at(0.9), at(0.99), took[len(took)-1]
	}
	return l
}

// load appends tweets at the rate and returns how many.
func (r *run) load(ctx context.Context, rate float64) (sent int, err error) {
	out := r.stack.Kafka.Outbox(r.topic, partitions)
	tick := time.NewTicker(paceInterval)
	defer tick.Stop()
	for start := time.Now(); ; {
		elapsed := time.Since(start)
		for due := int(rate * min(elapsed, r.Latency).Seconds()); sent < due; sent++ {
			tweet, _ := r.tweets.Next()
			out.AddTo(int32(sent%partitions), nil, bytes.Clone(tweet))
		}
		if err := out.Send(ctx); err != nil {
			return sent, fmt.Errorf("load %s: %w", stream.Partition{Topic: r.topic}.Topic, err)
		}
		if elapsed >= r.Latency {
			return sent, nil
		}
		select {
		case <-ctx.Done():
			return sent, context.Cause(ctx)
		case <-tick.C:
		}
	}
}
