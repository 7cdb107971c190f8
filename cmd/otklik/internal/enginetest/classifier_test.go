package enginetest_test

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"otklik/cmd/otklik/internal/config"
	"otklik/cmd/otklik/internal/enginetest"
	"otklik/cmd/otklik/internal/ops"
	"otklik/stream"
	"otklik/stream/brand"
	"otklik/stream/sentiment"
	"otklik/stream/wire"
)

// farModel answers requests as stream/sentiment/remote documents them, with the labels of the built-in model: so the truth does not
// depend on who answered.
type farModel struct{ model *sentiment.Model }

func (f *farModel) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var q struct {
		Texts []struct {
			Text, Lang, Brand string
			Target, Others    [][2]int
		}
	}
	if err := json.NewDecoder(r.Body).Decode(&q); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	var s sentiment.Scratch
	results := make([]map[string]any, len(q.Texts))
	for i, text := range q.Texts {
		runes := []rune(text.Text)
		spans := func(ranges [][2]int) []brand.Span {
			out := make([]brand.Span, len(ranges))
			for i, r := range ranges {
				out[i] = brand.Span{Start: len(string(runes[:r[0]])), End: len(string(runes[:r[1]]))}
			}
			return out
		}
		label, p := f.model.Classify(text.Text, text.Lang, sentiment.Target{Spans: spans(text.Target), Others: spans(text.Others)}, &s)
		results[i] = map[string]any{"label": label.String()}
		if label != stream.Unlabelled {
			results[i]["scores"] = map[string]float32{"positive": p.Positive, "neutral": p.Neutral, "negative": p.Negative}
		}
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"model": "v1", "results": results}) // a client that is gone reads nothing
}

// TestExternalClassifier: the external classifier answers, fails in every way, dies, comes back. The stream goes on, nothing is lost
// or doubled, the rows say who labelled them, and the metrics count the fallbacks.
func TestExternalClassifier(t *testing.T) {
	model, err := sentiment.Default()
	if err != nil {
		t.Fatal(err)
	}
	healthy := &farModel{model}
	var behaviour atomic.Pointer[http.HandlerFunc]
	behave := func(f http.HandlerFunc) { behaviour.Store(&f) }
	behave(healthy.ServeHTTP)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { (*behaviour.Load())(w, r) }))
	t.Cleanup(server.Close)
	hold := make(chan struct{})
	t.Cleanup(func() { close(hold) })
	s := enginetest.New(t, func(cfg *config.Config) {
		r := &cfg.Sentiment.Remote
		r.URL, r.Name = server.URL, "far"
		r.BatchTexts, r.Timeout, r.Retries, r.MaxWait, r.Failures, r.CoolDown = 16, 500*time.Millisecond, 1, time.Second, 4, 200*time.Millisecond
	})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	e := s.Engine(t, ctx, false)
	var group errgroup.Group
	group.Go(func() error { return e.Run(ctx) })
	truth := s.Feed(t, s.Simulation(t, 77, 4500), func(sent int) {
		// What was fed is read while the server is in this mood.
		enginetest.Await(t, ctx, e, time.Minute)
		switch sent {
		case 1000:
			behave(func(http.ResponseWriter, *http.Request) { <-hold })
		case 1500:
			behave(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
		case 2000:
			behave(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>welcome</html>")) })
		case 2500:
			behave(func(w http.ResponseWriter, _ *http.Request) {
				_, _ = w.Write([]byte(`{"results": []}`))
			})
		case 3000:
			behave(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
		case 3500:
			behave(healthy.ServeHTTP)
		}
		if sent%500 == 0 && sent > 1000 {
			pause(t, 300*time.Millisecond) // the classifier is left alone for a part of it, and is tried again in its new mood
		}
	})
	s.Expect(t, ctx, truth)
	cancel()
	if err := group.Wait(); err != nil {
		t.Errorf("engine: %v", err)
	}

	db := s.ClickHouse.Database()
	for _, name := range []string{"far:v1", model.Name()} {
		if n := scalar(t, s, "SELECT toString(count()) FROM "+db+".mentions WHERE model = '"+name+"'"); n == "0" {
			t.Errorf("no mention was labelled by %s", name)
		}
	}
	if n := scalar(t, s, "SELECT toString(count()) FROM "+db+".mentions WHERE model NOT IN ('', 'far:v1', '"+model.Name()+"')"); n != "0" {
		t.Errorf("%s mentions were labelled by others", n)
	}
	counted := counters(t, e.Metrics)
	if counted["otklik_classifier_texts_total"] == 0 {
		t.Error("no text is counted as labelled by the external classifier")
	}
	for _, reason := range []string{"timed_out", "unavailable", "invalid", "open"} {
		if counted["otklik_classifier_fallbacks_total "+reason] == 0 {
			t.Errorf("no fallback is counted as %s: %v", reason, counted)
		}
	}
}

// counters returns the counters of the classifier by name and label.
func counters(t *testing.T, m *ops.Metrics) map[string]float64 {
	t.Helper()
	families, err := m.Registry().Gather()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]float64{}
	for _, f := range families {
		if !strings.HasPrefix(f.GetName(), "otklik_classifier_") {
			continue
		}
		for _, metric := range f.GetMetric() {
			key := f.GetName()
			for _, l := range metric.GetLabel() {
				key += " " + l.GetValue()
			}
			out[key] = metric.GetCounter().GetValue()
		}
	}
	return out
}

// capricious gives another label every time that it is asked, as another one of two classifiers.
type capricious struct {
	mu  sync.Mutex
	rng *rand.Rand
}

func (c *capricious) Name() string { return "capricious" }

func (c *capricious) Classify(string, string, sentiment.Target, *sentiment.Scratch) (stream.Label, stream.Scores) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch c.rng.IntN(3) {
	case 0:
		return stream.Positive, stream.Scores{Positive: 1}
	case 1:
		return stream.Negative, stream.Scores{Negative: 1}
	default:
		return stream.Neutral, stream.Scores{Neutral: 1}
	}
}

func (c *capricious) ClassifyBatch(_ context.Context, requests []sentiment.Request) ([]sentiment.Result, error) {
	out := make([]sentiment.Result, len(requests))
	for i := range out {
		label, scores := c.Classify("", "", sentiment.Target{}, nil)
		out[i] = sentiment.Result{Label: label, Scores: scores, Model: c.Name() + [...]string{":1", ":2"}[i%2]}
	}
	return out, nil
}

// TestAReplayIsAnsweredOtherwise tears flushes of a pipeline whose classifier never gives the same answer twice. The labels are those of
// the first messages; figures follow from them, and the books balance.
func TestAReplayIsAnsweredOtherwise(t *testing.T) {
	t.Parallel()
	s := enginetest.New(t, nil)
	sim := restless(t, s, 7, 900)
	s.Classifier = &capricious{rng: rand.New(rand.NewPCG(7, 7))}
	f := newFaults(t, s, 7)
	truth := f.feed(sim)
	for range 300 {
		f.step()
	}
	f.drain()
	t.Logf("%d torn flushes, %d zombies, %d began anew", f.crashes, f.revived, f.stale)
	report, err := s.ClickHouse.Verify(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !report.OK {
		t.Errorf("verify does not hold: %v", report.Faults)
		for i := range report.Differences {
			t.Errorf("  %s", report.Differences[i].String())
		}
	}
	if int64(report.Mentions) != truth.Verify.Mentions || int64(report.Duplicates) != truth.Verify.Duplicates || int64(report.Read) != truth.Verify.Read {
		t.Errorf("books %+v, want %+v", report, truth.Verify)
	}
	enginetest.Recount(t, t.Context(), s.ClickHouse, s.Config)

	// The label of every row is that of the first message about its version.
	if wrong := f.firstLabels(t); wrong > 0 {
		t.Errorf("%d mentions do not have the label of their first message", wrong)
	}
}

// firstLabels counts the mentions without edits whose label or model in ClickHouse is not that of the first message in the log.
func (f *faults) firstLabels(t *testing.T) (wrong int) {
	t.Helper()
	first := map[string]string{}
	edited := map[string]bool{}
	again := 0
	for n := range f.Config.Kafka.Topics.Partitions.Mentions {
		for _, rec := range f.log.partitions[stream.Partition{Topic: f.Config.Kafka.Topics.Mentions, Number: int32(n)}] {
			var m stream.Mention
			if err := wire.ParseMention(rec.Value, &m); err != nil {
				t.Fatal(err)
			}
			key := strings.Join([]string{string(m.Item.Platform), m.Item.Identity(), m.Brand}, "|")
			edited[key] = edited[key] || m.Item.EditedAt != 0
			got := m.Label.String() + "|" + m.Model
			if before, known := first[key]; !known {
				first[key] = got
			} else if before != got {
				again++
			}
		}
	}
	if again == 0 {
		t.Error("no message was repeated with another label: the test shows nothing")
	}
	rows, err := f.ClickHouse.Strings(t.Context(), `SELECT platform, item_id, brand, toString(label), model FROM `+f.ClickHouse.Database()+`.mentions`)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		key := strings.Join(row[:3], "|")
		if want, ok := first[key]; ok && !edited[key] && want != row[3]+"|"+row[4] {
			wrong++
			t.Logf("%s: %s by %s, want %s", key, row[3], row[4], want)
		}
	}
	return wrong
}
