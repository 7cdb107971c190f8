package enginetest_test

import (
	"context"
	"testing"
	"time"

	"otklik/cmd/otklik/internal/config"
	"otklik/cmd/otklik/internal/enginetest"
	"otklik/schemas"
	"otklik/stream"
)

// TestEverythingIdle: when nobody writes any more, the minutes before the last event become final all the same, and stay so over a
// restart; what comes late afterwards revises them.
func TestEverythingIdle(t *testing.T) {
	s := enginetest.New(t, func(cfg *config.Config) {
		cfg.Window = config.Window{MaxDisorder: 10 * time.Minute, IdleAfter: time.Second}
		cfg.Kafka.Topics.Partitions.Mentions = 1
	})
	s.Engine(t, t.Context(), false) // makes the topics
	db := s.ClickHouse.Database()
	const layout = "2006-01-02 15:04:05"
	day := time.Now().UTC().Add(-36 * time.Hour).Truncate(24 * time.Hour).Add(9 * time.Hour)
	text := "МТС опять не работает"
	await := func(what, query, want string) {
		t.Helper()
		deadline := time.Now().Add(40 * time.Second)
		for got := ""; got != want; pause(t, 100*time.Millisecond) {
			if got = scalar(t, s, query); got != want && time.Now().After(deadline) {
				t.Fatalf("%s: %s, want %s", what, got, want)
			}
		}
	}
	final := "SELECT arrayStringConcat(arraySort(groupArray(formatDateTime(start, '%H:%i'))), ' ') FROM " + db + ".panes WHERE grain = '1m' AND product = '' AND is_final"
	watermark := func(stage string) string {
		return "SELECT formatDateTime(max(watermark), '%H:%i:%S') FROM " + schemas.Store(db) + ".progress FINAL WHERE stage = '" + stage + "'"
	}
	rolling := func(at time.Time) string {
		return "SELECT toString(sum(positive + neutral + negative + unlabelled)) FROM " + db + ".rolling WHERE platform = '' AND window_seconds = 300 AND at = '" +
			at.Format(layout) + "' AND is_final"
	}
	running(t, s, func(context.Context) {
		send(t, s, stream.Generic, post("a", "u1", text, day), post("b", "u2", text, day.Add(time.Minute)), post("c", "u3", text, day.Add(3*time.Minute+30*time.Second)))
		await("minutes before the last event", final, "09:00 09:01")
		await("the watermark is the last event", watermark("track"), "09:03:30")
		await("windows before the last event", rolling(day.Add(3*time.Minute)), "2")
		await("the watermark of the windows", watermark("roll"), "09:03:30")
	})
	running(t, s, func(ctx context.Context) {
		send(t, s, stream.Generic, post("late", "u4", text, day.Add(20*time.Second)))
		await("windows with the late one", rolling(day.Add(3*time.Minute)), "3")
		await("minutes stay final", final, "09:00 09:01")
		await("late in the books", "SELECT toString(sum(late)) FROM "+db+".books WHERE stage = 'track'", "1")
		await("the watermark stays", watermark("track"), "09:03:30")
		send(t, s, stream.Generic, post("d", "u5", text, day.Add(20*time.Minute)))
		await("the next minute", final, "09:00 09:01 09:03")
		await("the watermark goes on", watermark("track"), "09:20:00")
		s.Settle(t, ctx)
	})
	report, err := s.ClickHouse.Verify(t.Context())
	if err != nil || !report.OK || report.Mentions != 5 || report.Late != 1 {
		t.Errorf("verify: %+v, %v", report, err)
	}
	enginetest.Recount(t, t.Context(), s.ClickHouse, s.Config)
}

// TestWindowsGoOnAfterARestart: the rolling windows of a brand of which nothing is said any more move on and become final after
// a restart, too.
func TestWindowsGoOnAfterARestart(t *testing.T) {
	s := enginetest.New(t, func(cfg *config.Config) {
		cfg.Window = config.Window{MaxDisorder: time.Minute, IdleAfter: time.Hour}
		cfg.Kafka.Topics.Partitions.Mentions = 1
	})
	s.Engine(t, t.Context(), false) // makes the topics
	day := time.Now().UTC().Add(-36 * time.Hour).Truncate(24 * time.Hour).Add(9 * time.Hour)
	const layout = "2006-01-02 15:04:05"
	rows := func(from, to time.Duration) string {
		return scalar(t, s, "SELECT toString(countIf(is_final)) || ' of ' || toString(count()) FROM "+s.ClickHouse.Database()+".rolling WHERE brand = 'mts' AND platform = '' AND "+
			"window_seconds = 3600 AND positive + neutral + negative + unlabelled = 1 AND at BETWEEN '"+day.Add(from).Format(layout)+"' AND '"+day.Add(to).Format(layout)+"'")
	}
	running(t, s, func(ctx context.Context) {
		send(t, s, stream.Generic, post("a", "u1", "МТС опять не работает", day), post("b", "u2", "Билайн опять не работает", day.Add(5*time.Minute)))
		s.Settle(t, ctx)
	})
	if got := rows(0, 4*time.Minute); got != "4 of 4" {
		t.Fatalf("final windows before the restart: %s", got)
	}
	running(t, s, func(ctx context.Context) {
		send(t, s, stream.Generic, post("c", "u3", "Билайн опять не работает", day.Add(20*time.Minute)))
		s.Settle(t, ctx)
	})
	if got := rows(0, 19*time.Minute); got != "19 of 19" {
		t.Errorf("final windows after the restart: %s", got)
	}
}
