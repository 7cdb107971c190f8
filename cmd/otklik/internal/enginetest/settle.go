package enginetest

import (
	"context"
	"testing"
	"time"

	"otklik/cmd/otklik/internal/config"
	"otklik/stream/simulate"
)

// settleTimeout is for engines to go through what a test has fed them, on a busy machine.
const settleTimeout = 3 * time.Minute

// Settle waits until the running engines of the stack have gone through everything in the raw topics, and carries out the
// deletes: after it the tables show the truth.
func (s *Stack) Settle(t testing.TB, ctx context.Context) {
	t.Helper()
	Await(t, ctx, s.Engine(t, ctx, false), settleTimeout)
	if _, err := s.ClickHouse.Eraser().Erase(ctx); err != nil {
		t.Fatal(err)
	}
}

// Expect settles the stack and fails the test unless the tables show the truth.
func (s *Stack) Expect(t testing.TB, ctx context.Context, truth *simulate.Truth) {
	t.Helper()
	s.Settle(t, ctx)
	Compare(t, ctx, s.ClickHouse, truth)
}

// Another returns a stack on the same brokers and the same database with connections of its own, as another process has.
func (s *Stack) Another(t testing.TB) *Stack {
	t.Helper()
	cfg := *s.Config
	return NewOn(t, cfg.Kafka.Brokers, &cfg, func(own *config.Config) { *own = *s.Config })
}
