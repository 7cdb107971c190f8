package enginetest_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"otklik/cmd/otklik/internal/config"
	"otklik/cmd/otklik/internal/enginetest"
	"otklik/cmd/otklik/internal/redrive"
	"otklik/deploy/embedded"
	"otklik/deploy/embedded/embeddedtest"
	"otklik/schemas"
	"otklik/stream"
	"otklik/stream/claim"
)

// TestLettersAreErased: deletes reach the dead letters of every kind, whichever comes first; what names nobody who deleted anything stays, and is
// put back.
func TestLettersAreErased(t *testing.T) {
	t.Parallel()
	t.Run("names", func(t *testing.T) {
		t.Parallel()
		erasesLetters(t, enginetest.New(t, nil))
	})
	t.Run("pseudonyms", func(t *testing.T) {
		t.Parallel()
		erasesLetters(t, enginetest.New(t, func(cfg *config.Config) { cfg.Privacy.AuthorKey = config.NewSecret("0123456789abcdef0123456789abcdef") }))
	})
	t.Run("shards", func(t *testing.T) {
		t.Parallel()
		shards := enginetest.NewShards(t, 2)
		cfg := config.Default()
		shards.Use(cfg)
		erasesLetters(t, enginetest.NewOn(t, []string{embeddedtest.Kafka(t, embedded.KafkaConfig{}).Addr()}, cfg, nil))
	})
}

// erasesLetters is TestLettersAreErased on one stack.
func erasesLetters(t *testing.T, s *enginetest.Stack) {
	t.Helper()
	s.Engine(t, t.Context(), false) // makes the topics
	table, cluster := schemas.Store(s.ClickHouse.Database())+".mentions", ""
	if s.Config.ClickHouse.Cluster != "" {
		table, cluster = table+"_local", " ON CLUSTER `"+s.Config.ClickHouse.Cluster+"`"
	}
	if err := s.ClickHouse.Exec(t.Context(), "ALTER TABLE "+table+cluster+" ADD CONSTRAINT refused CHECK text = '' OR NOT startsWith(item_id, 'refused')"); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	say := func(id string, at time.Time) string {
		return post(id, "boris", "МТС опять не работает, почему? "+id, at)
	}
	timeless := func(id string) string { return strings.Replace(say(id, now), "published_at", "posted_at", 1) }
	cut := func(id string) string { return strings.TrimSuffix(say(id, now), `"}`) }
	wall := func(number string) string {
		return `{"type":"wall_post_new","object":{"id":` + number + `,"owner_id":-7,"from_id":42,"date":` + fmt.Sprint(now.Unix()) + `,"text":"МТС опять не работает, почему? wall-` + number
	}
	name := stream.MentionName{Platform: stream.Generic, ItemID: "claimed-2", Brand: "mts"}
	// The records; those with 1 are deleted before they come, those with 2 later, those with 3 never.
	for n := 1; n <= 3; n++ {
		id := func(kind string) string { return fmt.Sprint(kind, "-", n) }
		if n == 1 {
			deletes(t, s, n, now)
		}
		send(t, s, stream.Generic,
			say(id("good"), now), post(id("claimed"), "vera", grave, now),
			say(id("refused"), now.Add(-time.Minute)), // by ClickHouse
			say(id("future"), now.Add(time.Hour)),
			timeless(id("timeless")),
			"["+say(id("sibling"), now)+","+timeless("beside-"+id("sibling"))+"]",
			cut(id("cut")),
			say(id("first"), now)+timeless(id("second")),
			`{"envelope":`+say(id("wrapped"), now)+`}`,
		)
		send(t, s, stream.VK, wall(fmt.Sprint(n)))
		for topic, record := range map[string]string{
			s.Config.Kafka.Topics.Labels:   `{"platform":"generic","item_id":"` + id("corrected") + `","brand":"nobody","label":"negative","by":"anna","at":"2026-03-02T15:04:05Z","note":"` + id("corrected") + `"}`,
			s.Config.Kafka.Topics.Statuses: `{"claim_id":"` + claim.IDOf(&name) + `","status":"accepted","at":"2126-03-02T15:04:05Z","by":"desk","note":"` + id("status") + `"}`,
		} {
			if topic == s.Config.Kafka.Topics.Statuses && n != 2 {
				continue // the others are about the same claim
			}
			out := s.Kafka.Outbox(topic, 1)
			out.AddTo(0, nil, []byte(record))
			if err := out.Send(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	send(t, s, stream.Generic, `{"text":"МТС опять не работает, nameless-3`)
	s.Drain(t)
	letters := scalar(t, s, "SELECT toString(count()) FROM "+s.ClickHouse.Database()+".deadletters")
	kinds := []string{"refused", "future", "timeless", "sibling", "cut", "first", "wrapped", "wall", "corrected", "status"}
	check := func(gone int) {
		t.Helper()
		db := s.ClickHouse.Database()
		for n := 1; n <= 3; n++ {
			for _, kind := range kinds {
				if kind == "status" && n != 2 {
					continue
				}
				want := "1"
				if n <= gone {
					want = "0"
				}
				id := fmt.Sprint(kind, "-", n)
				if got := scalar(t, s, "SELECT toString(count()) FROM "+db+".deadletters WHERE position(payload, '"+id+"') > 0 OR position(detail, '"+id+"') > 0"); got != want {
					t.Errorf("with the deletes of %d, %s dead letters tell of %s, want %s", gone, got, id, want)
				}
			}
		}
		if got := scalar(t, s, "SELECT toString(countIf(NOT erased)) FROM "+db+".deadletters WHERE payload = ''"); got != "0" {
			t.Errorf("%s dead letters are empty and not erased", got)
		}
		if got := scalar(t, s, "SELECT toString(countIf(position(payload, 'nameless-3') > 0)) FROM "+db+".deadletters"); got != "1" {
			t.Errorf("the nameless one is there %s times", got)
		}
		if got := scalar(t, s, "SELECT toString(count()) FROM "+db+".deadletters"); got != letters {
			t.Errorf("%s dead letters, want %s as before", got, letters)
		}
		if report, err := s.ClickHouse.Verify(t.Context()); err != nil || !report.OK {
			t.Errorf("verify: %+v, %v", report, err)
		}
	}
	check(1)
	deletes(t, s, 2, now)
	s.Drain(t)
	check(2)

	// What was erased is not put back, the rest is.
	erased := scalar(t, s, "SELECT toString(countIf(erased AND reason != 'rejected_row')) FROM "+s.ClickHouse.Database()+".deadletters")
	done, err := redrive.Run(t.Context(), s.ClickHouse, s.Kafka, redrive.Options{Topics: map[string]int{
		s.Config.Kafka.Topics.Firehose[stream.Generic]: 2, s.Config.Kafka.Topics.Firehose[stream.VK]: 2, s.Config.Kafka.Topics.Labels: 1, s.Config.Kafka.Topics.Statuses: 1,
	}})
	if err != nil || fmt.Sprint(done.Erased) != erased || done.Emptied != 0 || done.Records == 0 {
		t.Errorf("put back %+v, %v; %s are erased", done, err, erased)
	}
	s.Drain(t)
	if report, err := s.ClickHouse.Verify(t.Context()); err != nil || !report.OK {
		t.Errorf("verify: %+v, %v", report, err)
	}
	for _, kind := range kinds {
		for n := 1; n <= 2; n++ {
			if got := scalar(t, s, fmt.Sprintf("SELECT toString(count()) FROM %s.deadletters WHERE position(payload, '%s-%d') > 0", s.ClickHouse.Database(), kind, n)); got != "0" {
				t.Errorf("%s dead letters tell of %s-%d again", got, kind, n)
			}
		}
	}
}

// deletes tells of the deletes of all items with a number.
func deletes(t *testing.T, s *enginetest.Stack, n int, at time.Time) {
	t.Helper()
	for _, kind := range []string{"claimed", "refused", "future", "timeless", "sibling", "cut", "second", "wrapped", "corrected"} {
		send(t, s, stream.Generic, fmt.Sprintf(`{"id":"%s-%d","kind":"delete","published_at":%q}`, kind, n, at.UTC().Format(time.RFC3339)))
	}
	send(t, s, stream.VK, fmt.Sprintf(`{"code":100,"event":{"event_type":"post","event_id":{"post_owner_id":-7,"post_id":%d},"action":"delete","action_time":%d}}`, n, at.Unix()))
}
