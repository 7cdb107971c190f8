package enginetest_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"otklik/cmd/otklik/internal/config"
	"otklik/cmd/otklik/internal/enginetest"
	"otklik/schemas"
	"otklik/stream"
	"otklik/stream/ingest"
)

// scalar returns the one value of a query.
func scalar(t *testing.T, s *enginetest.Stack, query string) string {
	t.Helper()
	rows, err := s.ClickHouse.Strings(t.Context(), query)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	if len(rows) != 1 || len(rows[0]) != 1 {
		t.Fatalf("%s: %d rows", query, len(rows))
	}
	return rows[0][0]
}

// send appends raw records of one platform to the first partition of its topic.
func send(t *testing.T, s *enginetest.Stack, platform stream.Platform, records ...string) {
	t.Helper()
	out := s.Kafka.Outbox(s.Config.Kafka.Topics.Firehose[platform], s.Config.Kafka.Topics.Partitions.Firehose)
	for _, r := range records {
		out.AddTo(0, nil, []byte(r))
	}
	if err := out.Send(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// post is a record of the generic format.
func post(id, author, text string, at time.Time) string {
	return fmt.Sprintf(`{"id":%q,"kind":"post","published_at":%q,"author":{"id":%q,"handle":%q,"name":%q},"text":%q}`,
		id, at.UTC().Format(time.RFC3339Nano), author, author+"-handle", "Name of "+author, text)
}

// TestDeleteErases: a delete notice of the platform blanks text and author within a minute in a running engine, whether it
// comes after its mention or before it; the counts stay.
func TestDeleteErases(t *testing.T) {
	t.Parallel()
	s := enginetest.New(t, nil)
	s.Engine(t, t.Context(), false) // makes the topics
	now := time.Now()
	running(t, s, func(context.Context) {
		send(t, s, stream.Generic,
			post("kept", "anna", "МТС опять не работает, почему?", now.Add(-3*time.Minute)),
			post("gone", "boris", "МТС опять не работает, почему?", now.Add(-2*time.Minute)),
			`{"id":"gone","kind":"delete","published_at":"`+now.UTC().Format(time.RFC3339)+`"}`,
			`{"id":"early","kind":"delete","published_at":"`+now.UTC().Format(time.RFC3339)+`"}`,
			post("early", "boris", "МТС опять не работает, почему?", now.Add(-time.Minute)))
		db := s.ClickHouse.Database()
		deadline := time.Now().Add(time.Minute)
		for scalar(t, s, "SELECT toString(countIf(erased)) FROM "+db+".mentions") != "2" ||
			scalar(t, s, "SELECT toString(countIf(customer_id = 'boris')) FROM "+db+".responses") != "0" {
			if time.Now().After(deadline) {
				t.Fatal("not erased within a minute")
			}
			pause(t, 500*time.Millisecond)
		}
		if n := scalar(t, s, "SELECT toString(count()) FROM "+db+".mentions WHERE erased AND (text != '' OR author_id != '' OR author_name != '' OR author_handle != '' OR url != '' OR customer_id != '')"); n != "0" {
			t.Errorf("%s erased mentions still hold text or author", n)
		}
		if n := scalar(t, s, "SELECT toString(countIf(customer_id = 'boris')) FROM "+db+".responses"); n != "0" {
			t.Errorf("%s responses still name the customer", n)
		}
		if n := scalar(t, s, "SELECT toString(count()) FROM "+db+".mentions WHERE item_id = 'kept' AND author_id = 'anna' AND text != ''"); n != "1" {
			t.Error("another mention was erased too")
		}
		if n := scalar(t, s, "SELECT toString(sum(positive + neutral + negative + unlabelled)) FROM "+db+".panes WHERE grain = '1d' AND product = ''"); n != "3" {
			t.Errorf("panes count %s mentions, want all 3", n)
		}
		report, err := s.ClickHouse.Verify(t.Context())
		if err != nil || !report.OK {
			t.Errorf("verify after the erasure: %+v, %v", report, err)
		}
	})
}

// TestPseudonyms: with an author key no table names a customer, every figure is that of the truth, and one author stays one.
func TestPseudonyms(t *testing.T) {
	t.Parallel()
	const key = "0123456789abcdef0123456789abcdef"
	s := enginetest.New(t, func(cfg *config.Config) { cfg.Privacy.AuthorKey = config.NewSecret(key) })
	truth := s.Feed(t, s.Simulation(t, 51, 2500), nil)
	s.Drain(t)
	pseudonyms := ingest.NewPseudonyms([]byte(key))
	names := map[string]bool{}
	for i := range truth.Responses {
		r := &truth.Responses[i]
		if r.Customer != "" {
			names[r.Customer] = true
		}
		r.Customer = pseudonyms.Of(r.Platform, r.Customer)
	}
	if len(names) < 100 {
		t.Fatalf("only %d customers: the simulation shows nothing", len(names))
	}
	enginetest.Compare(t, t.Context(), s.ClickHouse, truth)
	store := schemas.Store(s.ClickHouse.Database())
	for _, column := range []string{
		"mentions.author_id", "mentions.customer_id", "mentions.parent_author_id", "mentions.repost_author_id", "mentions.thread",
		"responses.customer_id", "responses.thread", "cases.customer_id", "cases.thread", "turns.author_id", "turns.customer_id", "turns.thread",
		"claims.customer_id", "claims.thread",
	} {
		table, name, _ := strings.Cut(column, ".")
		rows, err := s.ClickHouse.Strings(t.Context(), "SELECT DISTINCT "+name+" FROM "+store+"."+table)
		if err != nil {
			t.Fatal(err)
		}
		seen := 0
		for _, row := range rows {
			for _, part := range strings.FieldsFunc(row[0], func(r rune) bool { return r == ':' || r == '×' }) {
				if names[part] {
					seen++
				}
			}
		}
		if seen > 0 {
			t.Errorf("%s holds %d customers by their ids", column, seen)
		}
	}
	for _, column := range []string{"author_name", "author_handle", "url"} {
		if n := scalar(t, s, "SELECT toString(count()) FROM "+store+".mentions WHERE role != 'own' AND "+column+" != ''"); n != "0" {
			t.Errorf("%s mentions of customers have a %s", n, column)
		}
		if n := scalar(t, s, "SELECT toString(count()) FROM "+store+".claims WHERE "+column+" != ''"); n != "0" {
			t.Errorf("%s claims have a %s", n, column)
		}
	}
}
