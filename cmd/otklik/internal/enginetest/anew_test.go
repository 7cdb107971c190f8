package enginetest_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"otklik/cmd/otklik/internal/config"
	"otklik/cmd/otklik/internal/enginetest"
	"otklik/deploy/embedded/embeddedtest"
	"otklik/stream"
)

// TestCorrectionsComputedAnew: a service that computes everything anew into an empty database reads the mentions before what
// analysts have said of them.
func TestCorrectionsComputedAnew(t *testing.T) {
	s := enginetest.New(t, nil)
	s.Engine(t, t.Context(), false) // makes the topics
	at := time.Now().Add(-time.Hour)
	posts := make([]string, 3000)
	for i := range posts {
		posts[i] = post(fmt.Sprintf("p%d", i), fmt.Sprintf("u%d", i), "МТС опять не работает", at.Add(time.Duration(i)*time.Second))
	}
	send(t, s, stream.Generic, posts...)
	out := s.Kafka.Outbox(s.Config.Kafka.Topics.Labels, 1)
	for i := range 20 {
		out.AddTo(0, nil, fmt.Appendf(nil, `{"platform":"generic","item_id":"p%d","brand":"mts","label":"positive","by":"anna","at":%q}`,
			len(posts)-1-i, time.Now().UTC().Format(time.RFC3339)))
	}
	if err := out.Send(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"", "_anew"} {
		if name != "" {
			db := embeddedtest.ClickHouse(t)
			cfg := *s.Config
			cfg.ClickHouse.Addrs, cfg.ClickHouse.Database, cfg.ClickHouse.User = []string{db.Native}, db.Name, db.User
			cfg.ClickHouse.Password = config.NewSecret(db.Password)
			s = enginetest.NewOn(t, cfg.Kafka.Brokers, &cfg, func(cfg *config.Config) {
				cfg.Kafka.GroupPrefix += name
				cfg.Kafka.Topics.Mentions += name
				cfg.Kafka.Topics.Panes += name
			})
		}
		running(t, s, func(ctx context.Context) { s.Settle(t, ctx) })
		if got := scalar(t, s, "SELECT toString(countIf(label = 'positive')) || ' of ' || toString(count()) FROM "+s.ClickHouse.Database()+".mentions"); got != "20 of 3000" {
			t.Errorf("corrected%s: %s", name, got)
		}
		if got := scalar(t, s, "SELECT toString(count()) FROM "+s.ClickHouse.Database()+".deadletters"); got != "0" {
			t.Errorf("dead letters%s: %s", name, got)
		}
		if report, err := s.ClickHouse.Verify(t.Context()); err != nil || !report.OK {
			t.Errorf("verify%s: %+v, %v", name, report, err)
		}
	}
}
