package enginetest_test

import (
	"context"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"otklik/cmd/otklik/internal/config"
	"otklik/cmd/otklik/internal/engine"
	"otklik/cmd/otklik/internal/enginetest"
	"otklik/cmd/otklik/internal/ops"
)

// TestRebalanceStorm: engines join and leave the groups every few hundred milliseconds while records come in.
func TestRebalanceStorm(t *testing.T) {
	t.Parallel()
	s := enginetest.New(t, func(cfg *config.Config) { cfg.Limits.MicroBatchRecords = 100 })
	s.Engine(t, t.Context(), false) // makes the topics
	running(t, s, func(ctx context.Context) {
		var storm errgroup.Group
		var lives atomic.Int64
		fed := make(chan struct{})
		for member := range 2 {
			other := s.Another(t)
			rng := rand.New(rand.NewPCG(uint64(member), 1))
			storm.Go(func() error {
				for {
					select {
					case <-fed:
						return nil
					case <-time.After(time.Duration(100+rng.IntN(700)) * time.Millisecond):
					}
					e, err := engine.New(ctx, engine.Options{
						Config: other.Config, Kafka: other.Kafka, ClickHouse: other.ClickHouse, Classifier: other.Classifier,
						Metrics: ops.NewMetrics(nil), Logger: other.Logger,
					})
					if err != nil {
						return err
					}
					life, leave := context.WithTimeout(ctx, time.Duration(300+rng.IntN(2000))*time.Millisecond)
					err = e.Run(life)
					leave()
					if err != nil {
						return err
					}
					lives.Add(1)
				}
			})
		}
		truth := s.Feed(t, s.Simulation(t, 31, 2000), func(int) { pause(t, 1750*time.Millisecond) })
		close(fed)
		if err := storm.Wait(); err != nil {
			t.Error(err)
		}
		t.Logf("%d engines came and went", lives.Load())
		s.Expect(t, ctx, truth)
	})
}
