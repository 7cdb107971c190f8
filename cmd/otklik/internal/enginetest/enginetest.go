// Package enginetest runs the whole engine in tests: on the real ClickHouse engine, on a broker, fed by the simulator, and
// compared with its truth.
package enginetest

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"strconv"
	"testing"
	"time"

	"otklik/cmd/otklik/internal/config"
	"otklik/cmd/otklik/internal/engine"
	"otklik/cmd/otklik/internal/ops"
	"otklik/deploy/embedded"
	"otklik/deploy/embedded/embeddedtest"
	"otklik/schemas"
	"otklik/sinks/clickhouse"
	"otklik/stream/kafka"
	"otklik/stream/sentiment"
	"otklik/stream/simulate"
)

// Stack is a broker, a database of its own and a configuration that names both.
type Stack struct {
	Config     *config.Config
	Kafka      *kafka.Client
	ClickHouse *clickhouse.Client
	Classifier sentiment.Classifier
	Logger     *slog.Logger
}

// New returns a stack on the shared ClickHouse of the test binary and an in-process broker. tune may change the configuration
// before the first engine is made.
func New(t testing.TB, tune func(*config.Config)) *Stack {
	t.Helper()
	db := embeddedtest.ClickHouse(t)
	broker := embeddedtest.Kafka(t, embedded.KafkaConfig{})
	cfg := config.Default()
	cfg.ClickHouse.Addrs = []string{db.Native}
	cfg.ClickHouse.Database = db.Name
	cfg.ClickHouse.User = db.User
	cfg.ClickHouse.Password = config.NewSecret(db.Password)
	return NewOn(t, []string{broker.Addr()}, cfg, tune)
}

// NewOn returns a stack on brokers that run already and on the ClickHouse that cfg names, whose schema it applies.
func NewOn(t testing.TB, brokers []string, cfg *config.Config, tune func(*config.Config)) *Stack {
	t.Helper()
	cfg.Kafka.Brokers = brokers
	cfg.Kafka.Topics.Partitions = config.Partitions{Firehose: 2, Mentions: 3, Panes: 2, DeadLetter: 1, Labels: 1, Alerts: 1, Claims: 1, Statuses: 1}
	cfg.HTTP.Listen = ""
	cfg.Limits.FlushInterval = 100 * time.Millisecond
	brands, err := config.Load("", func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	cfg.Brands = brands.Brands
	if tune != nil {
		tune(cfg)
	}
	s := &Stack{Config: cfg, Logger: slog.New(slog.NewTextHandler(testWriter{t}, &slog.HandlerOptions{Level: slog.LevelWarn}))}
	if s.Classifier, err = sentiment.Default(); err != nil {
		t.Fatal(err)
	}
	metrics := ops.NewMetrics(nil)
	if s.Kafka, err = engine.ConnectKafka(cfg, metrics, s.Logger); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Kafka.Close)
	if s.ClickHouse, err = engine.ConnectClickHouse(t.Context(), cfg, metrics, s.Logger); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.ClickHouse.Close(); err != nil {
			t.Error(err)
		}
	})
	if _, err := schemas.Migrate(t.Context(), s.ClickHouse, schemas.Options{Database: cfg.ClickHouse.Database, Cluster: cfg.ClickHouse.Cluster}); err != nil {
		t.Fatal(err)
	}
	return s
}

// testWriter logs to the test.
type testWriter struct{ t testing.TB }

// Write logs the line.
func (w testWriter) Write(p []byte) (int, error) {
	w.t.Logf("%s", bytes.TrimSpace(p))
	return len(p), nil
}

// Engine returns an engine with connections of its own, as a process would have.
func (s *Stack) Engine(t testing.TB, ctx context.Context, once bool) *engine.Engine {
	t.Helper()
	e, err := engine.New(ctx, engine.Options{
		Config: s.Config, Kafka: s.Kafka, ClickHouse: s.ClickHouse, Classifier: s.Classifier,
		Metrics: ops.NewMetrics(nil), Logger: s.Logger, Once: once,
	})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// Drain runs all stages once over what the topics hold.
func (s *Stack) Drain(t testing.TB) {
	t.Helper()
	if err := s.Engine(t, t.Context(), true).Run(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// Feed produces the simulation from its first to its last record and returns its truth. each, if not nil, is called after every
// 500 records.
func (s *Stack) Feed(t testing.TB, sim *simulate.Simulator, each func(sent int)) *simulate.Truth {
	t.Helper()
	feed, err := s.Engine(t, t.Context(), true).NewFeed(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	sent := 0
	for {
		r, ok := sim.Next()
		if ok {
			feed.Add(r.Platform, bytes.Clone(r.Value))
			sent++
		}
		if feed.Queued() == 500 || !ok {
			if err := feed.Send(t.Context()); err != nil {
				t.Fatal(err)
			}
			if each != nil {
				each(sent)
			}
		}
		if !ok {
			return sim.Truth()
		}
	}
}

// Simulation returns a simulation of n events whose labels are those of the stack's classifier.
func (s *Stack) Simulation(t testing.TB, seed uint64, n int) *simulate.Simulator {
	t.Helper()
	label, err := simulate.NewLabeller(s.Classifier, s.Config.Brands)
	if err != nil {
		t.Fatal(err)
	}
	sim, err := simulate.New(simulate.Config{Seed: seed, Events: n, Catalogue: s.Config.Brands, Label: label, Minutes: true})
	if err != nil {
		t.Fatal(err)
	}
	return sim
}

// Await drains a running engine: it returns when everything in the raw topics has gone through, and fails the test after the
// time-out.
func Await(t testing.TB, ctx context.Context, e *engine.Engine, timeout time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		left, err := e.Drained(ctx)
		if err == nil && left == 0 {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("not drained after %s: %d records left, %v", timeout, left, err)
		case <-tick.C:
		}
	}
}

// Number returns a positive number of the environment, or otherwise when it is not set: how often a soak test tears, kills, repeats.
func Number(t testing.TB, name string, otherwise int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("%s=%q: a positive number is needed", name, text)
	}
	return n
}
