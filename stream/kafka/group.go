package kafka

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	kafkago "github.com/segmentio/kafka-go"
	"golang.org/x/sync/errgroup"

	"otklik/stream"
)

// GroupConfig describes a consumer group of Otklik.
type GroupConfig struct {
	ID     string
	Topics []string
	// WatchPartitions starts a new generation when a topic gets more partitions; only raw topics may grow.
	WatchPartitions  bool
	SessionTimeout   time.Duration // default 10 s
	Heartbeat        time.Duration // default 2 s
	RebalanceTimeout time.Duration // default 30 s
	// Drained lets the group end: a member whose partitions are finished, or that has none, asks it until it says that those of all
	// members are, and takes over what another one leaves behind meanwhile. Nil: a member without partitions stands by for ever.
	Drained func(context.Context) (bool, error)
	Logger  *slog.Logger
}

// Assignment is one partition that a generation gives to this process.
type Assignment struct {
	Partition  stream.Partition
	Committed  int64 // next offset to read as last committed; -1 when there is none
	Generation int32
	// Commit stores the next offset to read. It fails when the generation has ended.
	Commit func(next int64) error
}

// RunGroup joins the group and calls run once for each partition that a generation assigns, each in a goroutine of its own.
// The context of run ends when the generation does (a rebalance, or ctx ending); run must then put its state in order and return
// quickly, because the next generation waits for it. A nil return of run means "nothing more to do here": RunGroup
// returns nil when all partitions of a generation have said so, and with GroupConfig.Drained not before that does, too. An error of run
// ends the group and is returned.
func (c *Client) RunGroup(ctx context.Context, cfg GroupConfig, run func(context.Context, Assignment) error) error {
	if cfg.SessionTimeout <= 0 {
		cfg.SessionTimeout = 10 * time.Second
	}
	if cfg.Heartbeat <= 0 {
		cfg.Heartbeat = 2 * time.Second
	}
	if cfg.RebalanceTimeout <= 0 {
		cfg.RebalanceTimeout = 30 * time.Second
	}
	group, err := kafkago.NewConsumerGroup(kafkago.ConsumerGroupConfig{
		ID: cfg.ID, Brokers: c.cfg.Brokers, Dialer: c.dialer, Topics: cfg.Topics,
		GroupBalancers:        []kafkago.GroupBalancer{balancer{}},
		WatchPartitionChanges: cfg.WatchPartitions, PartitionWatchInterval: 5 * time.Second,
		SessionTimeout: cfg.SessionTimeout, HeartbeatInterval: cfg.Heartbeat, RebalanceTimeout: cfg.RebalanceTimeout,
		JoinGroupBackoff: time.Second, StartOffset: kafkago.FirstOffset, Timeout: 10 * time.Second,
	})
	if err != nil {
		return fmt.Errorf("join group %s: %w", cfg.ID, err)
	}
	g := &groupRun{client: c, cfg: cfg, run: run}
	err = g.loop(ctx, group)
	if closeErr := group.Close(); closeErr != nil && err == nil {
		err = fmt.Errorf("leave group %s: %w", cfg.ID, closeErr)
	}
	// The functions of the last generation have returned by now: their verdict counts.
	if failed := g.failure(); failed != nil {
		return failed
	}
	return err
}

// ErrRejoin ends the generation without ending the group when a function of RunGroup returns it (wrapped).
var ErrRejoin = errors.New("the partition is given back")

type groupRun struct {
	client *Client
	cfg    GroupConfig
	run    func(context.Context, Assignment) error

	mu   sync.Mutex
	fail error
}

func (g *groupRun) failure() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.fail
}

func (g *groupRun) loop(ctx context.Context, group *kafkago.ConsumerGroup) error {
	for {
		gen, err := group.Next(ctx)
		if failed := g.failure(); failed != nil {
			return failed
		}
		switch {
		case ctx.Err() != nil:
			return nil //nolint:nilerr // to be cancelled is how a group ends
		case errors.Is(err, kafkago.ErrGroupClosed):
			return nil
		case err != nil:
			if final := g.client.final(err); final != nil {
				return fmt.Errorf("join group %s: %w", g.cfg.ID, final)
			}
			g.client.cfg.OnRetry("join group "+g.cfg.ID, err)
			continue
		}
		if g.cfg.Logger != nil {
			g.cfg.Logger.Info("generation began", "group", g.cfg.ID, "generation", gen.ID, "partitions", partitionCount(gen))
		}
		done := make(chan struct{})
		gen.Start(func(gctx context.Context) {
			finished := g.generation(ctx, gctx, gen)
			if finished {
				close(done)
				// Stay in the generation until the group is closed: returning would make it rejoin at once.
				<-gctx.Done()
			}
		})
		select {
		case <-done:
			return nil
		case <-ctx.Done():
			return nil
		case <-generationEnd(gen):
			if failed := g.failure(); failed != nil {
				return failed
			}
		}
	}
}

// generationEnd returns a channel that is closed when the generation ends.
func generationEnd(gen *kafkago.Generation) <-chan struct{} {
	ended := make(chan struct{})
	gen.Start(func(ctx context.Context) {
		<-ctx.Done()
		close(ended)
	})
	return ended
}

// generation runs all assigned partitions and reports whether all of them finished by themselves.
func (g *groupRun) generation(ctx, gctx context.Context, gen *kafkago.Generation) bool {
	// The generation's context carries neither values nor a cause: ours does, and ends with either.
	runCtx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stop := context.AfterFunc(gctx, func() { cancel(kafkago.ErrGenerationEnded) })
	defer stop()
	tasks, tctx := errgroup.WithContext(runCtx)
	n := 0
	for topic, assigned := range gen.Assignments {
		for _, a := range assigned {
			n++
			assignment := Assignment{
				Partition: stream.Partition{Topic: topic, Number: int32(a.ID)}, Committed: a.Offset, Generation: gen.ID,
				Commit: func(next int64) error {
					return gen.CommitOffsets(map[string]map[int]int64{topic: {a.ID: next}})
				},
			}
			if assignment.Committed < 0 { // FirstOffset: nothing committed yet
				assignment.Committed = -1
			}
			tasks.Go(func() error { return g.run(tctx, assignment) })
		}
	}
	err := tasks.Wait()
	drained := false
	if err == nil && runCtx.Err() == nil && g.cfg.Drained != nil {
		drained, err = g.awaitDrained(runCtx)
	}
	if errors.Is(err, ErrRejoin) {
		if g.cfg.Logger != nil {
			g.cfg.Logger.Error("generation given up", "group", g.cfg.ID, "generation", gen.ID, "error", err)
		}
		return false
	}
	if err != nil {
		g.mu.Lock()
		if g.fail == nil {
			g.fail = err
		}
		g.mu.Unlock()
		return false
	}
	if runCtx.Err() != nil {
		return false
	}
	if n == 0 && !drained {
		// More members than partitions: stand by in this generation, a later one may bring work.
		<-runCtx.Done()
		return false
	}
	return true
}

// drainedInterval is how often a member that is finished asks whether the others are.
const drainedInterval = 200 * time.Millisecond

// awaitDrained returns true when the partitions of all members are finished, and false when ctx ends before.
func (g *groupRun) awaitDrained(ctx context.Context) (bool, error) {
	for {
		drained, err := g.cfg.Drained(ctx)
		switch {
		case ctx.Err() != nil:
			return false, nil //nolint:nilerr // the generation has ended: the next one asks again
		case err != nil:
			return false, err
		case drained:
			return true, nil
		}
		again := time.NewTimer(drainedInterval)
		select {
		case <-again.C:
		case <-ctx.Done():
			again.Stop()
		}
	}
}

func partitionCount(gen *kafkago.Generation) int {
	n := 0
	for _, a := range gen.Assignments {
		n += len(a)
	}
	return n
}
