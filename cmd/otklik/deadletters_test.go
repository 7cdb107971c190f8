package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"otklik/cmd/otklik/internal/config"
	"otklik/cmd/otklik/internal/enginetest"
	"otklik/stream"
	"otklik/stream/simulate"
)

// All tweets of a simulated day go to a wrong decoder first: every one becomes a dead letter. After the configuration is put right
// and they are put back, the tables are those of the whole day.
func TestDeadLettersAfterAFix(t *testing.T) {
	t.Parallel()
	right := map[stream.Platform]string{}
	s := enginetest.New(t, func(cfg *config.Config) {
		right = cfg.Kafka.Topics.Firehose
		wrong := maps.Clone(right)
		delete(wrong, stream.Twitter)
		wrong[stream.LiveJournal] = right[stream.Twitter]
		cfg.Kafka.Topics.Firehose = wrong
	})
	file := filepath.Join(t.TempDir(), "otklik.yaml")
	text := fmt.Sprintf("kafka:\n  brokers: %q\nclickhouse:\n  addrs: %q\n  database: %s\n  user: %s\n  password_env: OTKLIK_TEST_PASSWORD\n",
		s.Config.Kafka.Brokers, s.Config.ClickHouse.Addrs, s.Config.ClickHouse.Database, s.Config.ClickHouse.User)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"OTKLIK_TEST_PASSWORD": s.Config.ClickHouse.Password.Reveal()}
	command := func(args ...string) string {
		t.Helper()
		out, _, err := otklik(t, env, slices.Concat([]string{"deadletters"}, args, []string{"-c", file})...)
		if err != nil {
			t.Fatalf("deadletters %s: %v", args, err)
		}
		return out
	}

	// The feed needs the right topics, the first drain the wrong ones.
	wrong := s.Config.Kafka.Topics.Firehose
	s.Config.Kafka.Topics.Firehose = right
	truth := s.Feed(t, s.Simulation(t, 5, 2000), nil)
	s.Config.Kafka.Topics.Firehose = map[stream.Platform]string{stream.LiveJournal: wrong[stream.LiveJournal]}
	s.Drain(t)
	books := platformBooks(t, truth, stream.Twitter)

	var groups []struct {
		Topic, Reason string
		Count         int64
		Example       struct{ Detail, Payload string }
	}
	if err := json.Unmarshal([]byte(command("list", "--json")), &groups); err != nil {
		t.Fatal(err)
	}
	var letters int64
	for _, g := range groups {
		if g.Topic != right[stream.Twitter] || g.Example.Detail == "" {
			t.Errorf("unexpected group %+v", g)
		}
		letters += g.Count
		// What a record counts twice for: as a dead letter first, and as what it is then.
		i := slices.IndexFunc(truth.DeadLetters, func(r simulate.Reason) bool { return r.Reason == g.Reason })
		if i < 0 {
			truth.DeadLetters = append(truth.DeadLetters, simulate.Reason{Reason: g.Reason, Count: g.Count})
		} else {
			truth.DeadLetters[i].Count += g.Count
		}
	}
	if letters != books.Records {
		t.Fatalf("%d dead letters of %d records: the wrong decoder took some", letters, books.Records)
	}
	truth.Verify.Records += letters
	truth.Verify.Read += letters
	truth.Verify.DeadLetters += letters

	if list := command("list", "--platform", "twitter", "--since", "1h"); !strings.Contains(list, groups[0].Reason+": ") {
		t.Errorf("list prints\n%s", list)
	}
	if none := command("list", "--platform", "vk"); !strings.Contains(none, "no dead letters") {
		t.Errorf("list of vk prints\n%s", none)
	}
	plan := command("redrive", "--dry-run")
	if want := fmt.Sprintf("to put back: %d records", letters); !strings.Contains(plan, want) {
		t.Errorf("--dry-run prints %q, want %q", plan, want)
	}
	// Without an answer nothing happens.
	if _, _, err := otklik(t, env, "deadletters", "redrive", "-c", file); err == nil || !strings.Contains(err.Error(), "nothing was put back") {
		t.Errorf("without an answer: %v", err)
	}
	// A part first, then the rest: nothing is put back twice.
	command("redrive", "--yes", "--limit", "100")
	if done, want := command("redrive", "--yes"), fmt.Sprintf("put back: %d records", letters-100); !strings.Contains(done, want) {
		t.Errorf("redrive prints %q, want %q", done, want)
	}
	if list := command("list"); !strings.Contains(list, "no dead letters") {
		t.Errorf("after redrive list prints\n%s", list)
	}

	// The raw topic belongs to Twitter now; what LiveJournal had read of it is behind the engine's restart point.
	s.Config.Kafka.Topics.Firehose = right
	s.Drain(t)
	enginetest.Compare(t, t.Context(), s.ClickHouse, truth)

	// Put back, they name the tweets in them, so that the deletes of Twitter have reached them.
	counts, err := s.ClickHouse.Strings(t.Context(), "SELECT countIf(erased), countIf(NOT erased AND platform = 'twitter' AND hasAny(items, gone)), countIf(platform = 'twitter' AND notEmpty(items)) FROM (SELECT * FROM "+
		s.ClickHouse.Database()+".deadletters WHERE redriven_at IS NOT NULL) AS l CROSS JOIN (SELECT groupArray(item_id) AS gone FROM "+s.ClickHouse.Database()+".erasures WHERE platform = 'twitter') AS e")
	if err != nil || len(counts) != 1 || counts[0][0] == "0" || counts[0][1] != "0" || counts[0][2] == "0" {
		t.Fatalf("erased, to be erased, with tweets: %v, %v", counts, err)
	}
	var after []struct{ Count, Erased int64 }
	if err := json.Unmarshal([]byte(command("list", "--all", "--platform", "twitter", "--json")), &after); err != nil {
		t.Fatal(err)
	}
	erased := int64(0)
	for _, g := range after {
		erased += g.Erased
	}
	if fmt.Sprint(erased) != counts[0][0] {
		t.Errorf("list counts %d erased dead letters, want %s", erased, counts[0][0])
	}
	if list := command("list", "--all", "--platform", "twitter"); !strings.Contains(list, " erased, ") {
		t.Errorf("list prints\n%s", list)
	}
	if again := command("redrive", "--again", "--dry-run", "--platform", "twitter"); !strings.Contains(again, counts[0][0]+" dead letters stay: erased") {
		t.Errorf("--again --dry-run prints %q, want %s erased", again, counts[0][0])
	}
}

func platformBooks(t *testing.T, truth *simulate.Truth, p stream.Platform) simulate.Books {
	t.Helper()
	i := slices.IndexFunc(truth.Platforms, func(b simulate.PlatformBooks) bool { return b.Platform == p })
	if i < 0 {
		t.Fatalf("the simulation has no records of %s", p)
	}
	return truth.Platforms[i].Books
}

func TestParseMoment(t *testing.T) {
	now := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"2026-03-01":                time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC),
		"2026-03-01T15:04:05+03:00": time.Date(2026, 3, 1, 12, 4, 5, 0, time.UTC),
		"24h":                       time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC),
	} {
		if got, ok := parseMoment(text, now); !ok || !got.Equal(want) {
			t.Errorf("%s: %s, %v", text, got, ok)
		}
	}
	for _, text := range []string{"yesterday", "-1h", "2026"} {
		if got, ok := parseMoment(text, now); ok {
			t.Errorf("%s: %s", text, got)
		}
	}
}

func TestOneLine(t *testing.T) {
	if got := oneLine("a\n\tb\x1b[31m\x00" + strings.Repeat("я", 200)); !strings.HasPrefix(got, "a  b [31m я") || len([]rune(got)) != exampleWidth+1 {
		t.Errorf("got %q", got)
	}
}
