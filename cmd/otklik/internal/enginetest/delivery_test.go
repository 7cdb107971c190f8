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

// TestBadDelivery: what comes late by days, from the future, twice, broken, or from one of two partitions only, shows in the
// tables and the books as promised.
func TestBadDelivery(t *testing.T) {
	s := enginetest.New(t, func(cfg *config.Config) {
		cfg.Window = config.Window{MaxDisorder: time.Minute, Grace: time.Minute, IdleAfter: 700 * time.Millisecond}
		cfg.Kafka.Topics.Partitions.Mentions = 1
	})
	s.Engine(t, t.Context(), false) // makes the topics
	db := s.ClickHouse.Database()
	day := time.Now().UTC().Add(-36 * time.Hour).Truncate(24 * time.Hour).Add(9 * time.Hour) // nine in the morning
	text := "МТС опять не работает"
	is := func(what, query, want string) {
		t.Helper()
		if got := scalar(t, s, query); got != want {
			t.Errorf("%s: %s, want %s", what, got, want)
		}
	}
	await := func(what, query, want string) {
		t.Helper()
		deadline := time.Now().Add(40 * time.Second)
		for got := ""; got != want; pause(t, 100*time.Millisecond) {
			if got = scalar(t, s, query); got != want && time.Now().After(deadline) {
				t.Fatalf("%s: %s, want %s", what, got, want)
			}
		}
	}
	pane := func(grain, start string) string {
		return "SELECT toString(sum(positive + neutral + negative + unlabelled)) FROM " + db + ".panes WHERE grain = '" + grain + "' AND product = '' AND start = '" + start + "'"
	}
	const layout = "2006-01-02 15:04:05"
	running(t, s, func(ctx context.Context) {
		// Partition 1 says one thing and falls silent: it must not hold the watermark back for long.
		out := s.Kafka.Outbox(s.Config.Kafka.Topics.Firehose[stream.Generic], 2)
		out.AddTo(1, nil, []byte(post("quiet", "u0", text, day.Add(-time.Hour))))
		if err := out.Send(ctx); err != nil {
			t.Fatal(err)
		}
		await("the first mention", "SELECT toString(count()) FROM "+db+".mentions", "1")
		send(t, s, stream.Generic, post("a", "u1", text, day), post("b", "u2", text, day.Add(10*time.Second)))
		await("mentions", "SELECT toString(count()) FROM "+db+".mentions", "3")
		pause(t, 1500*time.Millisecond) // both partitions become idle
		send(t, s, stream.Generic, post("clock", "u3", text, day.Add(5*time.Minute)))
		minute := day.Format(layout)
		await("the minute is final although partitions are idle", "SELECT toString(countIf(is_final)) FROM "+db+".panes WHERE grain = '1m' AND product = '' AND start = '"+minute+"'", "1")
		is("mentions in the minute", pane("1m", minute), "2")
		await("rolling rows of the minute are final", "SELECT toString(count()) FROM "+db+".rolling WHERE platform = '' AND window_seconds = 300 AND at = '"+
			day.Add(time.Minute).Format(layout)+"' AND is_final AND positive + neutral + negative + unlabelled = 2", "1")

		// Late by five minutes and by days: the closed panes are revised, and both are counted as late.
		old := day.Add(-5 * 24 * time.Hour)
		send(t, s, stream.Generic, post("late", "u4", text, day.Add(20*time.Second)), post("old", "u5", text, old))
		await("the revised minute", pane("1m", minute), "3")
		await("the minute five days ago", pane("1m", old.Format(layout)), "1")
		is("the day", pane("1d", day.Truncate(24*time.Hour).Format(layout)), "5")
		await("late in the books", "SELECT toString(sum(late)) FROM "+db+".books WHERE stage = 'track'", "2")
		await("the rolling row is revised, and final", "SELECT toString(count()) FROM "+db+".rolling WHERE platform = '' AND window_seconds = 300 AND at = '"+
			day.Add(time.Minute).Format(layout)+"' AND is_final AND positive + neutral + negative + unlabelled = 3", "1")

		// Delivered again; from the future; broken; about nobody.
		send(t, s, stream.Generic,
			post("a", "u1", text, day), post("old", "u5", text, old),
			post("future", "u6", text, time.Now().Add(48*time.Hour)),
			`{"id":"broken","kind":`, `{}`, "\x00\xff",
			post("nobody", "u7", "погода сегодня хорошая", day))
		s.Settle(t, ctx)
		is("duplicates", "SELECT toString(sum(duplicates)) FROM "+db+".books", "2")
		is("unmatched", "SELECT toString(sum(unmatched)) FROM "+db+".books", "1")
		is("dead letters", "SELECT toString(count()) FROM "+db+".deadletters", "4")
		is("the future is a dead letter", "SELECT toString(countIf(reason = 'future')) FROM "+db+".deadletters", "1")
		is("the future has not moved the watermark", "SELECT toString(max(watermark) <= '"+day.Add(5*time.Minute).Format(layout)+"') FROM "+schemas.Store(db)+".progress WHERE stage = 'track'", "1")
		is("mentions", "SELECT toString(count()) FROM "+db+".mentions", "6")
		report, err := s.ClickHouse.Verify(ctx)
		if err != nil || !report.OK || report.Read != 13 || report.Records != 13 || report.Late != 2 {
			t.Errorf("verify: %+v, %v", report, err)
		}
		enginetest.Recount(t, ctx, s.ClickHouse, s.Config)
	})
}

// TestRejectedRows: ClickHouse refuses the texts of some mentions; the stream goes on, and the books and panes balance.
func TestRejectedRows(t *testing.T) {
	t.Parallel()
	s := enginetest.New(t, nil)
	err := s.ClickHouse.Exec(t.Context(), "ALTER TABLE "+schemas.Store(s.ClickHouse.Database())+".mentions ADD CONSTRAINT refused CHECK text = '' OR cityHash64(item_id) % 40 != 0")
	if err != nil {
		t.Fatal(err)
	}
	truth := s.Feed(t, s.Simulation(t, 61, 1200), nil)
	s.Drain(t)
	report, err := s.ClickHouse.Verify(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !report.OK || int64(report.Mentions) != truth.Verify.Mentions || int64(report.StoredMentions) != truth.Verify.Mentions {
		t.Errorf("verify: %+v", report)
	}
	db := s.ClickHouse.Database()
	refused := scalar(t, s, "SELECT toString(count()) FROM "+db+".deadletters WHERE reason = 'rejected_row'")
	bare := scalar(t, s, "SELECT toString(count()) FROM "+db+".mentions WHERE cityHash64(item_id) % 40 = 0 AND text = '' AND NOT erased")
	if refused == "0" || bare == "0" {
		t.Errorf("%s rows were refused, %s are stored without their text: the test shows nothing", refused, bare)
	}
	if n := scalar(t, s, "SELECT toString(count()) FROM "+db+".mentions WHERE cityHash64(item_id) % 40 = 0 AND text != ''"); n != "0" {
		t.Errorf("%s refused texts are stored", n)
	}
}
