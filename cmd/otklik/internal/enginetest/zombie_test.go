package enginetest_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"otklik/cmd/otklik/internal/config"
	"otklik/cmd/otklik/internal/enginetest"
	"otklik/cmd/otklik/internal/ops"
	"otklik/sinks/deadletter"
	"otklik/stream"
	"otklik/stream/care"
	"otklik/stream/claim"
	"otklik/stream/kafka"
	"otklik/stream/task"
	"otklik/stream/track"
	"otklik/stream/window"
)

// TestZombie: tasks of track whose group membership has ended go on reading, producing and flushing beside the members that
// own their partitions now.
func TestZombie(t *testing.T) {
	t.Parallel()
	s := enginetest.New(t, func(cfg *config.Config) { cfg.Limits.MicroBatchRecords = 150 })
	s.Engine(t, t.Context(), false) // makes the topics
	running(t, s, func(ctx context.Context) {
		zombies, stop := context.WithCancel(ctx)
		var group errgroup.Group
		for n := range s.Config.Kafka.Topics.Partitions.Mentions {
			group.Go(func() error { return undead(zombies, s, int32(n)) })
		}
		truth := s.Feed(t, s.Simulation(t, 71, 2000), func(int) { pause(t, 450*time.Millisecond) })
		s.Settle(t, ctx)
		stop()
		if err := group.Wait(); err != nil {
			t.Error(err)
		}
		s.Expect(t, ctx, truth)
		enginetest.Recount(t, ctx, s.ClickHouse, s.Config)
	})
}

// undead runs track on a partition that it does not own: its commits fail, and nothing else tells it so. Where it finds that the
// owner has overtaken it, it begins anew from what is stored, as a member of the group does in a new generation.
func undead(ctx context.Context, s *enginetest.Stack, number int32) error {
	for {
		err := haunt(ctx, s, number)
		if !errors.Is(err, kafka.ErrRejoin) {
			return err
		}
	}
}

func haunt(ctx context.Context, s *enginetest.Stack, number int32) error {
	topics := &s.Config.Kafka.Topics
	p := stream.Partition{Topic: topics.Mentions, Number: number}
	evaluator, err := care.NewEvaluator(s.Config.Care)
	if err != nil {
		return err
	}
	observer := ops.NewMetrics(nil).Task(stream.StageTrack, p)
	proc := track.New(track.Config{
		Window: window.Config(s.Config.Window), Care: evaluator, IdentityHorizon: s.Config.Limits.IdentityHorizon,
		QuietGap: s.Config.Care.QuietGap, ThreadHorizon: s.Config.Limits.ThreadHorizon, Store: s.ClickHouse, Sink: s.ClickHouse.Writer(),
		Claims: track.Claims{Policy: claim.NewPolicy(s.Config.Claims, s.Config.Brands), Out: s.Kafka.Outbox(topics.Claims, topics.Partitions.Claims)},
		Dead:   &deadletter.Topic{Producer: s.Kafka, Name: topics.DeadLetter, Partitions: topics.Partitions.DeadLetter},
	}, p, s.Kafka.Outbox(topics.Panes, topics.Partitions.Panes), observer)
	assignment := kafka.Assignment{Partition: p, Committed: 0, Generation: 1, Commit: func(int64) error {
		return errors.New("the generation has ended")
	}}
	return task.Run(ctx, assignment, s.Kafka, proc, task.Config{
		Stage: stream.StageTrack, FlushInterval: 170 * time.Millisecond, Observer: observer,
		Reader: kafka.ReaderConfig{MaxRecords: 90},
	})
}
