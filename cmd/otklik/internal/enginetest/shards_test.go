package enginetest_test

import (
	"testing"

	"otklik/cmd/otklik/internal/config"
	"otklik/cmd/otklik/internal/enginetest"
	"otklik/deploy/embedded"
	"otklik/deploy/embedded/embeddedtest"
)

// TestShards: on a ClickHouse cluster of two shards, with the Distributed tables of the cluster variant, the engine shows the same truth as on one
// server, after a restart in the middle too, and the rows are on both shards.
func TestShards(t *testing.T) {
	t.Parallel()
	shards := enginetest.NewShards(t, 2)
	broker := embeddedtest.Kafka(t, embedded.KafkaConfig{})
	cfg := config.Default()
	shards.Use(cfg)
	s := enginetest.NewOn(t, []string{broker.Addr()}, cfg, nil)
	truth := s.Feed(t, s.Simulation(t, 3, 6000), func(sent int) {
		if sent == 3000 {
			s.Drain(t)
		}
	})
	s.Drain(t)
	enginetest.Compare(t, t.Context(), s.ClickHouse, truth)
	enginetest.Recount(t, t.Context(), s.ClickHouse, s.Config)
	if n := scalar(t, s, "SELECT toString(countIf(erased)) FROM otklik.mentions"); n == "0" {
		t.Error("nothing was erased")
	}
	views, err := s.ClickHouse.Strings(t.Context(), "SELECT name FROM system.tables WHERE database = 'otklik' AND NOT match(as_select, '\\{\\w+:')")
	if err != nil || len(views) < 20 {
		t.Fatalf("%d views, %v", len(views), err)
	}
	for _, view := range views {
		if _, err := s.ClickHouse.Strings(t.Context(), "SELECT toString(count()) FROM (SELECT * FROM otklik."+view[0]+" LIMIT 10)"); err != nil {
			t.Errorf("view %s: %.400v", view[0], err)
		}
	}
	for shard := range 2 {
		n, err := shards.Ask(t.Context(), shard, "SELECT count() FROM otklik_store.mentions_local")
		if err != nil || n == "0" {
			t.Errorf("shard %d has %s mentions, %v", shard, n, err)
		}
	}
}
