package enginetest_test

import (
	"context"
	"os"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"otklik/cmd/otklik/internal/config"
	"otklik/cmd/otklik/internal/enginetest"
)

// awayEnv prolongs the outage of TestClickHouseAway, for example to 1m.
const awayEnv = "OTKLIK_TEST_AWAY"

// running runs f beside an engine of the stack, ends the engine, and fails the test if the engine ended by itself or
// with an error.
func running(t *testing.T, s *enginetest.Stack, f func(ctx context.Context)) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	e := s.Engine(t, ctx, false)
	var group errgroup.Group
	ended := make(chan struct{})
	group.Go(func() error {
		defer close(ended)
		return e.Run(ctx)
	})
	f(ctx)
	select {
	case <-ended:
		if ctx.Err() == nil {
			t.Error("the engine has ended by itself")
		}
	default:
	}
	cancel()
	if err := group.Wait(); err != nil {
		t.Errorf("engine: %v", err)
	}
}

// pause waits for a span that is part of the scenario.
func pause(t *testing.T, span time.Duration) {
	t.Helper()
	select {
	case <-time.After(span):
	case <-t.Context().Done():
		t.Fatal(t.Context().Err())
	}
}

// TestClickHouseAway: ClickHouse goes away in the middle of the day, comes back, goes again, and is slow. The engine waits and
// goes on; nothing is lost or doubled.
func TestClickHouseAway(t *testing.T) {
	t.Parallel()
	away := time.Second
	if text := os.Getenv(awayEnv); text != "" {
		var err error
		if away, err = time.ParseDuration(text); err != nil {
			t.Fatal(err)
		}
	}
	var proxy *enginetest.Proxy
	s := enginetest.New(t, func(cfg *config.Config) {
		proxy = enginetest.NewProxy(t, cfg.ClickHouse.Addrs[0], nil)
		cfg.ClickHouse.Addrs = []string{proxy.Addr()}
	})
	running(t, s, func(ctx context.Context) {
		truth := s.Feed(t, s.Simulation(t, 2, 4500), func(sent int) {
			switch sent {
			case 1000, 2500:
				if err := proxy.Away(); err != nil {
					t.Fatal(err)
				}
				pause(t, away)
				if err := proxy.Back(ctx); err != nil {
					t.Fatal(err)
				}
			case 3000:
				proxy.Slow(30 * time.Millisecond)
			case 4500:
				proxy.Slow(0)
			}
		})
		s.Expect(t, ctx, truth)
	})
}
