package enginetest_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"sync"
	"testing"
	"time"

	"otklik/cmd/otklik/internal/config"
	"otklik/cmd/otklik/internal/enginetest"
	"otklik/deploy/kafka/kafkatest"
	"otklik/schemas/schematest"
	"otklik/sinks/webhook"
	"otklik/stream"
	"otklik/stream/alert"
	"otklik/stream/kafka"
	"otklik/stream/simulate"
	"otklik/stream/spike"
)

// pager is a webhook receiver that refuses the first messages.
type pager struct {
	mu      sync.Mutex
	refuse  int
	refused int
	got     []alert.Message
	schema  *schematest.Schema
	faults  []error // of bodies that do not keep the schema
}

func (d *pager) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var m alert.Message
	body, err := io.ReadAll(r.Body)
	if err == nil {
		err = json.Unmarshal(body, &m)
	}
	if fault := d.schema.Check(body); fault != nil {
		d.faults = append(d.faults, fault)
	}
	if err != nil || r.Header.Get(webhook.HeaderSignature) == "" {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	if d.refused < d.refuse {
		d.refused++
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	d.got = append(d.got, m)
}

// episodes returns the episodes in the tables, without what depends on when they were written.
func episodes(t *testing.T, s *enginetest.Stack) []alert.Row {
	t.Helper()
	rows, err := s.ClickHouse.Episodes(t.Context(), "NOT withdrawn")
	if err != nil {
		t.Fatal(err)
	}
	for i := range rows {
		rows[i].Revision = 0
	}
	return rows
}

// TestAlertsOfAnOutage plays a day with an outage twice: through engines that come and go, with a receiver that fails, and in one go
// on a real Kafka. Both find the same episodes, one of all platforms together, and it is delivered with its reason.
func TestAlertsOfAnOutage(t *testing.T) {
	t.Parallel()
	const events, seed = 6_000, 3
	const moscow = 3 * stream.Hour
	start := (stream.TimeOf(time.Now()) + moscow).Truncate(stream.Day) - stream.Day - moscow
	simulation := func(s *enginetest.Stack) *simulate.Simulator {
		label, err := simulate.NewLabeller(s.Classifier, s.Config.Brands)
		if err != nil {
			t.Fatal(err)
		}
		sim, err := simulate.New(simulate.Config{Seed: seed, Events: events, Start: start, Catalogue: s.Config.Brands, Label: label})
		if err != nil {
			t.Fatal(err)
		}
		return sim
	}
	cluster := kafkatest.Start(t, kafkatest.Config{Brokers: 1})
	receiver := &pager{refuse: 3, schema: schematest.Load(t, "../../../../schemas/alert.schema.json")}
	server := httptest.NewServer(receiver)
	t.Cleanup(server.Close)
	s := enginetest.New(t, func(cfg *config.Config) {
		cfg.Alerts.MaxAge = 7 * 24 * time.Hour
		cfg.Alerts.Destinations = []config.AlertDestination{{Name: "desk", Kind: webhook.JSON, URL: server.URL, Secret: config.NewSecret("key")}}
	})
	fed := 0
	s.Feed(t, simulation(s), func(sent int) {
		if sent/2000 > fed/2000 { // an engine comes for a while, and leaves
			life, leave := context.WithTimeout(t.Context(), 3*time.Second)
			err := s.Engine(t, t.Context(), false).Run(life)
			leave()
			if err != nil {
				t.Error(err)
			}
		}
		fed = sent
	})
	s.Drain(t)
	got := episodes(t, s)

	whole := onCluster(t, cluster)
	whole.Feed(t, simulation(whole), nil)
	whole.Drain(t)
	if want := episodes(t, whole); !reflect.DeepEqual(got, want) {
		t.Errorf("episodes of engines that come and go:\n%+v\nin one go:\n%+v", got, want)
	}
	var outage *alert.Row
	for i := range got {
		if got[i].Platform == "" && got[i].Rule == spike.Negativity {
			if outage != nil {
				t.Errorf("more than one episode of all platforms: %+v", got)
			}
			outage = &got[i]
		}
	}
	if outage == nil || outage.Brand != s.Config.Brands.Brands[0].Key || outage.ClearedAt == 0 {
		t.Fatalf("the outage is not found: %+v", got)
	}

	deadline := time.Now().Add(time.Minute)
	for len(delivered(receiver, outage.ID())) < 2 && time.Now().Before(deadline) {
		s.Drain(t) // what a run could not deliver, the next one does
	}
	messages := delivered(receiver, outage.ID())
	if len(messages) < 2 || messages[0].Event != alert.Opened || messages[len(messages)-1].Event != alert.Cleared || receiver.refused != receiver.refuse {
		t.Fatalf("delivered %+v, after %d refusals", messages, receiver.refused)
	}
	if err := errors.Join(receiver.faults...); err != nil {
		t.Errorf("what was sent does not keep the schema: %v", err)
	}
	why := messages[len(messages)-1].Why
	if why == nil || len(why.Samples) != 3 || why.Audience == 0 || len(why.Words) == 0 || len(why.Products) == 0 || len(why.People) == 0 || len(why.Threads) == 0 {
		t.Errorf("the reason is %+v", why)
	}
	ranges, err := s.Kafka.Ranges(t.Context(), s.Config.Kafka.Topics.Alerts)
	if err != nil {
		t.Fatal(err)
	}
	records := int64(0)
	for p, r := range ranges {
		records += r.End - r.First
		told(t, s, stream.Partition{Topic: s.Config.Kafka.Topics.Alerts, Number: p}, r.End, receiver.schema)
	}
	if records < 2*int64(len(got)) {
		t.Errorf("%d messages in the topic about %d episodes, want begin and end of each", records, len(got))
	}
	left, err := s.ClickHouse.Strings(t.Context(), "SELECT count() FROM "+s.Config.ClickHouse.Database+".alert_reasons")
	if err != nil || left[0][0] == "0" {
		t.Errorf("stored reasons: %v, %v", left, err)
	}
}

// told reads a partition of the topic of alerts up to its end and checks that what stands there keeps the schema.
func told(t *testing.T, s *enginetest.Stack, p stream.Partition, end int64, schema *schematest.Schema) {
	t.Helper()
	if end == 0 {
		return
	}
	done := errors.New("read to the end")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	err := s.Kafka.Read(ctx, p, 0, kafka.ReaderConfig{}, func(_ context.Context, b kafka.Batch) error {
		for i := range b.Records {
			if err := schema.Check(b.Records[i].Value); err != nil {
				t.Errorf("%s@%d: %v", p, b.Records[i].Offset, err)
			}
		}
		if b.Next >= end {
			return done
		}
		return nil
	})
	if !errors.Is(err, done) {
		t.Errorf("read %s: %v", p, err)
	}
}

func delivered(d *pager, id string) []alert.Message {
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []alert.Message
	for _, m := range d.got {
		if m.ID == id {
			out = append(out, m)
		}
	}
	return out
}
