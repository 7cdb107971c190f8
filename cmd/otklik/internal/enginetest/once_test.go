package enginetest_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"otklik/cmd/otklik/internal/enginetest"
)

// TestOnceTogether: several processes that drain at once share the work, one of them gives up in the middle, and each of the others ends
// by itself, not before everything is drained, whoever did it.
func TestOnceTogether(t *testing.T) {
	s := enginetest.New(t, nil)
	truth := s.Feed(t, s.Simulation(t, 17, 2500), nil)
	quits, quit := context.WithCancelCause(t.Context())
	tired := errors.New("tired")
	var group errgroup.Group
	for n := range 4 {
		e := s.Another(t).Engine(t, t.Context(), true)
		group.Go(func() error {
			if n == 3 {
				if err := e.Run(quits); err != nil && quits.Err() == nil {
					return fmt.Errorf("the one that gives up: %w", err)
				}
				return nil
			}
			if err := e.Run(t.Context()); err != nil {
				return fmt.Errorf("process %d: %w", n, err)
			}
			if left, err := e.Drained(t.Context()); err != nil || left > 0 {
				return fmt.Errorf("process %d has ended while %d records are left, %w", n, left, err)
			}
			return nil
		})
	}
	deadline := time.Now().Add(time.Minute)
	for scalar(t, s, "SELECT toString(count() > 0) FROM "+s.ClickHouse.Database()+".mentions") == "0" && time.Now().Before(deadline) {
		pause(t, 20*time.Millisecond)
	}
	quit(tired)
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	enginetest.Compare(t, t.Context(), s.ClickHouse, truth)
	report, err := s.ClickHouse.Verify(t.Context())
	if err != nil || !report.OK {
		t.Errorf("verify: %+v, %v", report, err)
	}
}
