package main

import (
	"math/rand/v2"
	"testing"
	"time"

	"otklik/cmd/otklik/internal/enginetest"
	"otklik/stream"
	"otklik/stream/label"
)

// TestKillAmongCorrections kills the engine, -9, while it takes in corrections: each counts once, and the panes follow.
func TestKillAmongCorrections(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	t.Parallel()
	const kills = 6
	k := newKilled(t)
	rng := rand.New(rand.NewPCG(uint64(enginetest.Number(t, seedEnv, 1)), 9))
	truth := k.Feed(t, k.Simulation(t, 9, 700), nil)
	k.wait(t, k.run(t, "--once"))
	rows, err := k.ClickHouse.Strings(t.Context(), "SELECT platform, item_id, brand FROM "+k.ClickHouse.Database()+".mentions WHERE role = 'customer' ORDER BY platform, item_id, brand")
	if err != nil {
		t.Fatal(err)
	}
	out := k.Kafka.Outbox(k.Config.Kafka.Topics.Labels, k.Config.Kafka.Topics.Partitions.Labels)
	sent := 0
	cmd := k.run(t)
	for i, row := range rows {
		m := label.Message{
			MentionName: stream.MentionName{Platform: stream.Platform(row[0]), ItemID: row[1], Brand: row[2]},
			Correction:  stream.Correction{Label: stream.Neutral, By: "anna", At: stream.TimeOf(time.Now())},
		}
		value, err := label.Append(nil, &m)
		if err != nil {
			t.Fatal(err)
		}
		out.Add([]byte(m.ItemID), value)
		sent++
		if i%5 == 0 || i == len(rows)-1 {
			if err := out.Send(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if i%(len(rows)/kills) == len(rows)/kills-1 {
			await(t, time.Second/2+time.Duration(rng.Int64N(int64(2*time.Second))))
			k.kill(t, cmd)
			cmd = k.run(t)
		}
	}
	k.drained(t)
	k.end(t, cmd)
	enginetest.Recount(t, t.Context(), k.ClickHouse, k.Config)
	report, err := k.ClickHouse.Verify(t.Context())
	if err != nil || !report.OK {
		t.Fatalf("verify: %v %v %v", report.Faults, report.Differences, err)
	}
	b := truth.Verify
	if int64(report.Read) != b.Read+int64(sent) || int64(report.Other) != b.Other+int64(sent) || int64(report.Duplicates) != b.Duplicates || int64(report.DeadLetters) != b.DeadLetters {
		t.Errorf("books %+v, want %+v and %d corrections", report, b, sent)
	}
	got, err := k.ClickHouse.Strings(t.Context(), "SELECT toString(countIf(label = 'neutral' AND corrected_by = 'anna' AND length(corrections) = 1) - count()) FROM "+
		k.ClickHouse.Database()+".mentions WHERE role = 'customer'")
	if err != nil || got[0][0] != "0" {
		t.Errorf("mentions without their correction: %v, %v", got, err)
	}
	t.Logf("%d corrections, %d repeated by our own producers", sent, report.Replayed)
}
