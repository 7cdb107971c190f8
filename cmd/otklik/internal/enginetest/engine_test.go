package enginetest_test

import (
	"testing"

	"otklik/cmd/otklik/internal/enginetest"
	"otklik/deploy/embedded/embeddedtest"
)

func TestMain(m *testing.M) { embeddedtest.Main(m) }

// TestEngineShowsTheTruth plays a simulated day through all stages and compares every table with the simulator's own books.
func TestEngineShowsTheTruth(t *testing.T) {
	t.Parallel()
	s := enginetest.New(t, nil)
	truth := s.Feed(t, s.Simulation(t, 1, 6000), nil)
	s.Drain(t)
	enginetest.Compare(t, t.Context(), s.ClickHouse, truth)
	enginetest.Recount(t, t.Context(), s.ClickHouse, s.Config)
}
