package remote_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"otklik/stream"
	"otklik/stream/brand"
	"otklik/stream/sentiment"
	"otklik/stream/sentiment/remote"
)

const builtInName = "built-in"

// builtIn calls every text neutral.
type builtIn struct{}

func (builtIn) Name() string { return builtInName }

func (builtIn) Classify(string, string, sentiment.Target, *sentiment.Scratch) (stream.Label, stream.Scores) {
	return stream.Neutral, stream.Scores{Neutral: 1}
}

// tally is an observer that counts.
type tally struct {
	mu       sync.Mutex
	requests int
	labelled int
	fell     map[remote.Reason]int
	alone    []bool
	retries  int
}

func (t *tally) Request(time.Duration, error) { t.add(func() { t.requests++ }) }
func (t *tally) Labelled(n int)               { t.add(func() { t.labelled += n }) }
func (t *tally) FellBack(n int, r remote.Reason) {
	t.add(func() {
		if t.fell == nil {
			t.fell = map[remote.Reason]int{}
		}
		t.fell[r] += n
	})
}

func (t *tally) LeftAlone(err error, _ time.Duration) {
	t.add(func() { t.alone = append(t.alone, err != nil) })
}
func (t *tally) Retrying(error, time.Duration) { t.add(func() { t.retries++ }) }

func (t *tally) add(f func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f()
}

// asked is a request as a server reads it.
type asked struct {
	Texts []struct {
		Text, Lang, Brand string
		Target, Others    [][2]int
	}
}

type scores map[string]float64

type result struct {
	Label  string `json:"label"`
	Scores any    `json:"scores,omitempty"`
}

type response struct {
	Model   string   `json:"model,omitempty"`
	Results []result `json:"results"`
}

var labels = []string{"positive", "neutral", "negative"}

// labelOf is what the test server thinks of a text: its length decides.
func labelOf(text string) string { return labels[len(text)%3] }

// answer answers a request as agreed.
func answer(w http.ResponseWriter, r *http.Request) {
	var q asked
	if err := json.NewDecoder(r.Body).Decode(&q); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	out := response{Model: "v7"}
	for _, text := range q.Texts {
		s := scores{"positive": 0.1, "neutral": 0.1, "negative": 0.1}
		s[labelOf(text.Text)] = 0.8
		out.Results = append(out.Results, result{labelOf(text.Text), s})
	}
	_ = json.NewEncoder(w).Encode(out)
}

// start returns a classifier that asks a server with the handler, and its tally.
func start(t *testing.T, handler http.HandlerFunc, tune func(*remote.Config)) (*remote.Classifier, *tally) {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return classifier(t, server.URL, tune)
}

func classifier(t *testing.T, url string, tune func(*remote.Config)) (*remote.Classifier, *tally) {
	t.Helper()
	seen := &tally{}
	cfg := remote.Config{URL: url, Name: "far", BuiltIn: builtIn{}, Observer: seen, BatchTexts: 10}
	if tune != nil {
		tune(&cfg)
	}
	c, err := remote.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c, seen
}

// texts returns n requests of different texts.
func texts(n int) []sentiment.Request {
	out := make([]sentiment.Request, n)
	for i := range out {
		out[i] = sentiment.Request{Text: fmt.Sprint("МТС ", strings.Repeat("а", i%7), i), Lang: "ru", Brand: "mts", Target: sentiment.Target{Spans: []brand.Span{{Start: 0, End: 6}}}}
	}
	return out
}

func ask(t *testing.T, c *remote.Classifier, requests []sentiment.Request) []sentiment.Result {
	t.Helper()
	results, err := c.ClassifyBatch(t.Context(), requests)
	if err != nil {
		t.Fatal(err)
	}
	if len(results) != len(requests) {
		t.Fatalf("%d results for %d requests", len(results), len(requests))
	}
	for i, r := range results {
		if sum := r.Scores.Positive + r.Scores.Neutral + r.Scores.Negative; r.Label != stream.Unlabelled && math.Abs(float64(sum)-1) > 1e-5 {
			t.Fatalf("result %d: scores sum to %v", i, sum)
		}
		switch r.Model {
		case builtInName:
			if r.Label != stream.Neutral {
				t.Fatalf("result %d is %s, not of the built-in model", i, r.Label)
			}
		case "far:v7":
			if want := labelOf(requests[i].Text); r.Label.String() != want {
				t.Fatalf("result %d is %s, want %s", i, r.Label, want)
			}
		default:
			t.Fatalf("result %d is by %q", i, r.Model)
		}
	}
	return results
}

// by counts the results of a model.
func by(results []sentiment.Result, model string) (n int) {
	for _, r := range results {
		if r.Model == model {
			n++
		}
	}
	return n
}

func TestEveryTextGetsItsOwnAnswer(t *testing.T) {
	var most, now, requests atomic.Int32
	c, seen := start(t, func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		most.Store(max(most.Load(), now.Add(1)))
		defer now.Add(-1)
		answer(w, r)
	}, func(cfg *remote.Config) { cfg.Concurrency = 3 })
	if got := by(ask(t, c, texts(95)), "far:v7"); got != 95 {
		t.Errorf("%d of 95 texts answered", got)
	}
	if requests.Load() != 10 || most.Load() > 3 || seen.labelled != 95 || seen.fell != nil {
		t.Errorf("%d requests, %d at once, %d labelled, fallen back %v", requests.Load(), most.Load(), seen.labelled, seen.fell)
	}
	if got := ask(t, c, nil); len(got) != 0 {
		t.Errorf("%d answers to no question", len(got))
	}
	label, p := c.Classify("МТС", "ru", sentiment.Target{}, nil)
	if label.String() != labelOf("МТС") || p == (stream.Scores{}) || c.Name() != "far" {
		t.Errorf("%s %v by %s", label, p, c.Name())
	}
}

// TestRequest looks at what goes over the wire.
func TestRequest(t *testing.T) {
	var header http.Header
	var method string
	var got asked
	c, _ := start(t, func(w http.ResponseWriter, r *http.Request) {
		header, method = r.Header, r.Method
		if err := json.NewDecoder(r.Body).Decode(&got); err != nil {
			t.Error(err)
		}
		_ = json.NewEncoder(w).Encode(response{Results: []result{{Label: "unlabelled"}}})
	}, func(cfg *remote.Config) { cfg.Token = "s3cret" })
	text := "ой, МТС лежит 😭, Билайн 🔥 \xff"
	span := func(name string) []brand.Span {
		i := strings.Index(text, name)
		return []brand.Span{{Start: i, End: i + len(name)}}
	}
	results, err := c.ClassifyBatch(t.Context(), []sentiment.Request{
		{Text: text, Lang: "ru", Brand: "mts", Target: sentiment.Target{Spans: span("МТС"), Others: span("Билайн")}},
	})
	if err != nil || results[0] != (sentiment.Result{Model: "far"}) {
		t.Errorf("%v %v, want an unlabelled text of far", results, err)
	}
	if method != http.MethodPost || header.Get("Authorization") != "Bearer s3cret" || header.Get("Content-Type") != "application/json" {
		t.Errorf("%s %v", method, header)
	}
	runes := []rune(got.Texts[0].Text)
	cut := func(ranges [][2]int) string { return string(runes[ranges[0][0]:ranges[0][1]]) }
	if g := got.Texts[0]; g.Brand != "mts" || g.Lang != "ru" || cut(g.Target) != "МТС" || cut(g.Others) != "Билайн" {
		t.Errorf("asked %+v", g)
	}
}

// TestBadResponses lists what a server must not answer; each falls back whole, without another attempt.
func TestBadResponses(t *testing.T) {
	one := func(label string, s any) string {
		b, err := json.Marshal(response{Results: []result{{label, s}}})
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	good := scores{"positive": 0.2, "neutral": 0.3, "negative": 0.5}
	for name, tt := range map[string]struct {
		status int
		body   string
		reason remote.Reason
	}{
		"no JSON":         {200, "<html>welcome</html>", remote.Invalid},
		"nothing":         {200, "", remote.Invalid},
		"null":            {200, "null", remote.Invalid},
		"a list":          {200, "[]", remote.Invalid},
		"half of it":      {200, one("negative", good)[:20], remote.Invalid},
		"more behind it":  {200, one("negative", good) + "{}", remote.Invalid},
		"none":            {200, `{"results": []}`, remote.Invalid},
		"two":             {200, `{"results": [{"label": "unlabelled"}, {"label": "unlabelled"}]}`, remote.Invalid},
		"unknown label":   {200, one("furious", good), remote.Invalid},
		"capitals":        {200, one("Negative", good), remote.Invalid},
		"no label":        {200, one("", good), remote.Invalid},
		"no scores":       {200, one("negative", nil), remote.Invalid},
		"a score missing": {200, one("negative", scores{"positive": 0.5, "negative": 0.5}), remote.Invalid},
		"sum":             {200, one("negative", scores{"positive": 0.5, "neutral": 0.5, "negative": 0.5}), remote.Invalid},
		"zeros":           {200, one("negative", scores{"positive": 0, "neutral": 0, "negative": 0}), remote.Invalid},
		"below 0":         {200, one("negative", scores{"positive": -0.5, "neutral": 0.5, "negative": 1}), remote.Invalid},
		"NaN":             {200, `{"results": [{"label": "negative", "scores": {"positive": NaN, "neutral": 0.5, "negative": 0.5}}]}`, remote.Invalid},
		"infinite":        {200, `{"results": [{"label": "negative", "scores": {"positive": 1e999, "neutral": 0.5, "negative": 0.5}}]}`, remote.Invalid},
		"a string":        {200, `{"results": [{"label": "negative", "scores": {"positive": "0", "neutral": 0.5, "negative": 0.5}}]}`, remote.Invalid},
		"a bad model":     {200, `{"model": "two words", "results": [{"label": "unlabelled"}]}`, remote.Invalid},
		"too long":        {200, `{"results": [{"label": "unlabelled"}]}` + strings.Repeat(" ", 1<<20), remote.Invalid},
		"no content":      {204, "", remote.Refused},
		"unauthorised":    {401, "", remote.Refused},
		"too large":       {413, "", remote.Refused},
		"moved":           {301, "", remote.Refused},
	} {
		t.Run(name, func(t *testing.T) {
			var requests atomic.Int32
			c, seen := start(t, func(w http.ResponseWriter, r *http.Request) {
				requests.Add(1)
				w.Header().Set("Location", "http://"+r.Host+"/elsewhere")
				w.WriteHeader(tt.status)
				_, _ = w.Write([]byte(tt.body))
			}, func(cfg *remote.Config) { cfg.Retries = 3 })
			if got := by(ask(t, c, texts(1)), builtInName); got != 1 || requests.Load() != 1 {
				t.Errorf("%d of 1 fell back after %d requests", got, requests.Load())
			}
			if diff := cmp.Diff(map[remote.Reason]int{tt.reason: 1}, seen.fell); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestAnInvalidPartSpoilsTheWhole makes sure that nothing of a response is used when one of its results is wrong.
func TestAnInvalidPartSpoilsTheWhole(t *testing.T) {
	c, _ := start(t, func(w http.ResponseWriter, _ *http.Request) {
		good := scores{"positive": 1, "neutral": 0, "negative": 0}
		_ = json.NewEncoder(w).Encode(response{Results: []result{{"positive", good}, {"positive", good}, {"positive", nil}}})
	}, nil)
	if got := by(ask(t, c, texts(3)), builtInName); got != 3 {
		t.Errorf("%d of 3 fell back", got)
	}
}

func TestScoresAreScaled(t *testing.T) {
	c, _ := start(t, func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(response{Results: []result{{"negative", scores{"positive": 0.33, "neutral": 0.33, "negative": 0.35}}}})
	}, nil)
	results, err := c.ClassifyBatch(t.Context(), texts(1))
	if err != nil {
		t.Fatal(err)
	}
	if p := results[0].Scores; results[0].Model != "far" || math.Abs(float64(p.Positive+p.Neutral+p.Negative)-1) > 1e-6 {
		t.Errorf("%+v", results[0])
	}
}

func TestPassingFailuresAreRepeated(t *testing.T) {
	for name, fail := range map[string]func(w http.ResponseWriter){
		"500":     func(w http.ResponseWriter) { w.WriteHeader(http.StatusInternalServerError) },
		"429":     func(w http.ResponseWriter) { w.WriteHeader(http.StatusTooManyRequests) },
		"hung up": func(http.ResponseWriter) { panic(http.ErrAbortHandler) },
		"died midway": func(w http.ResponseWriter) {
			w.Header().Set("Content-Length", "500")
			_, _ = w.Write([]byte(`{"results"`))
		},
	} {
		t.Run(name, func(t *testing.T) {
			var n atomic.Int32
			c, seen := start(t, func(w http.ResponseWriter, r *http.Request) {
				if n.Add(1) <= 2 {
					fail(w)
					return
				}
				answer(w, r)
			}, func(cfg *remote.Config) { cfg.Retries = 2 })
			if got := by(ask(t, c, texts(5)), "far:v7"); got != 5 {
				t.Errorf("%d of 5 answered, fallen back %v", got, seen.fell)
			}
			if n.Load() != 3 || seen.retries != 2 || seen.requests != 3 {
				t.Errorf("%d requests, %d repeated", n.Load(), seen.retries)
			}
		})
	}
}

func TestTheServerSaysWhenToRepeat(t *testing.T) {
	var first, second time.Time
	c, _ := start(t, func(w http.ResponseWriter, r *http.Request) {
		if first.IsZero() {
			first = time.Now()
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		second = time.Now()
		answer(w, r)
	}, func(cfg *remote.Config) { cfg.Retries = 1 })
	if got := by(ask(t, c, texts(1)), "far:v7"); got != 1 || second.Sub(first) < time.Second {
		t.Errorf("%d answered, repeated after %s", got, second.Sub(first))
	}
	c, seen := start(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "3600")
		w.WriteHeader(http.StatusServiceUnavailable)
	}, func(cfg *remote.Config) { cfg.Retries = 1 })
	began := time.Now()
	if got := by(ask(t, c, texts(1)), builtInName); got != 1 || time.Since(began) > 5*time.Second || seen.retries != 0 {
		t.Errorf("%d fell back after %s", got, time.Since(began))
	}
}

// TestAServerThatIsAway falls back at once and is left alone; when it comes up again, it is found.
func TestAServerThatIsAway(t *testing.T) {
	var down atomic.Bool
	var requests atomic.Int32
	down.Store(true)
	c, seen := start(t, func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		if down.Load() {
			panic(http.ErrAbortHandler)
		}
		answer(w, r)
	}, func(cfg *remote.Config) { cfg.Failures, cfg.CoolDown = 5, time.Second })
	if got := by(ask(t, c, texts(1000)), builtInName); got != 1000 {
		t.Errorf("%d of 1000 fell back", got)
	}
	if n := requests.Load(); n > 9 { // the fifth failure opens; four may be on their way
		t.Errorf("%d requests to a server that is away", n)
	}
	if seen.fell[remote.Open] < 900 || len(seen.alone) != 1 || !seen.alone[0] {
		t.Errorf("fell back %v, left alone %v", seen.fell, seen.alone)
	}
	down.Store(false)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(20 * time.Second); by(ask(t, c, texts(10)), "far:v7") == 0; <-tick.C {
		if time.Now().After(deadline) {
			t.Fatal("the server is up and not asked")
		}
	}
	if got := by(ask(t, c, texts(100)), "far:v7"); got != 100 {
		t.Errorf("%d of 100 answered", got)
	}
	if len(seen.alone) != 2 || seen.alone[1] {
		t.Errorf("left alone %v, want closed again", seen.alone)
	}
}

// TestTheReasonIsTheFirst: a request that failed and is not sent again, because the breaker has opened or the wait is over meanwhile,
// fell back for what it failed with.
func TestTheReasonIsTheFirst(t *testing.T) {
	fail := func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }
	c, seen := start(t, fail, func(cfg *remote.Config) { cfg.Failures, cfg.Retries = 1, 3 })
	ask(t, c, texts(10))
	if diff := cmp.Diff(map[remote.Reason]int{remote.Unavailable: 10}, seen.fell); diff != "" {
		t.Error(diff)
	}
	c, seen = start(t, fail, func(cfg *remote.Config) { cfg.Failures, cfg.Retries, cfg.MaxWait = 1000, 1000, 3*time.Second })
	ask(t, c, texts(10))
	if diff := cmp.Diff(map[remote.Reason]int{remote.Unavailable: 10}, seen.fell); diff != "" {
		t.Error(diff)
	}
}

// TestNobodyListens asks a port where nothing listens.
func TestNobodyListens(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	url := server.URL
	server.Close()
	c, seen := classifier(t, url, nil)
	if got := by(ask(t, c, texts(200)), builtInName); got != 200 || seen.fell[remote.Unavailable] == 0 {
		t.Errorf("%d of 200 fell back: %v", got, seen.fell)
	}
}

// TestASlowServer: the batch waits for MaxWait and no longer; what was answered by then counts.
func TestASlowServer(t *testing.T) {
	var n atomic.Int32
	hold := make(chan struct{})
	c, seen := start(t, func(w http.ResponseWriter, r *http.Request) {
		if n.Add(1) > 4 {
			select {
			case <-hold:
			case <-r.Context().Done():
			}
			return
		}
		answer(w, r)
	}, func(cfg *remote.Config) { cfg.Timeout, cfg.MaxWait = time.Minute, 2*time.Second })
	t.Cleanup(func() { close(hold) })
	began := time.Now()
	results := ask(t, c, texts(1000))
	if took := time.Since(began); took < time.Second || took > 20*time.Second {
		t.Errorf("waited for %s", took)
	}
	if answered := by(results, "far:v7"); answered != 40 || seen.fell[remote.Waited] != 960 {
		t.Errorf("%d answered, fallen back %v", answered, seen.fell)
	}
	if len(seen.alone) != 0 {
		t.Error("a wait that we cut short counts as a failure")
	}
}

func TestARequestRunsIntoItsTimeOut(t *testing.T) {
	hold := make(chan struct{})
	c, seen := start(t, func(http.ResponseWriter, *http.Request) { <-hold }, func(cfg *remote.Config) { cfg.Timeout = 50 * time.Millisecond })
	t.Cleanup(func() { close(hold) })
	if got := by(ask(t, c, texts(10)), builtInName); got != 10 || seen.fell[remote.TimedOut] != 10 {
		t.Errorf("%d fell back: %v", got, seen.fell)
	}
}

// TestTheEndOfTheContext: an interrupted batch has no results, and the interruption is no failure of the server.
func TestTheEndOfTheContext(t *testing.T) {
	arrived := make(chan struct{}, 100)
	hold := make(chan struct{})
	c, seen := start(t, func(http.ResponseWriter, *http.Request) { arrived <- struct{}{}; <-hold }, func(cfg *remote.Config) { cfg.Failures = 1 })
	t.Cleanup(func() { close(hold) })
	ctx, cancel := context.WithCancelCause(t.Context())
	revoked := errors.New("revoked")
	go func() {
		<-arrived
		cancel(revoked)
	}()
	if results, err := c.ClassifyBatch(ctx, texts(500)); !errors.Is(err, revoked) || results != nil {
		t.Errorf("%d results, %v", len(results), err)
	}
	if len(seen.alone) != 0 || seen.fell != nil {
		t.Errorf("left alone %v, fell back %v", seen.alone, seen.fell)
	}
}

// TestCallersShareTheSlots: partitions are classified by goroutines of their own.
func TestCallersShareTheSlots(t *testing.T) {
	var now, most atomic.Int32
	c, _ := start(t, func(w http.ResponseWriter, r *http.Request) {
		n := now.Add(1)
		defer now.Add(-1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		answer(w, r)
	}, func(cfg *remote.Config) { cfg.Concurrency = 2 })
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if got := by(ask(t, c, texts(100)), "far:v7"); got != 100 {
				t.Errorf("%d of 100 answered", got)
			}
		})
	}
	wg.Wait()
	if most.Load() > 2 {
		t.Errorf("%d requests at once", most.Load())
	}
}

func TestCertificatesAreVerified(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(answer))
	t.Cleanup(server.Close)
	server.Config.ErrorLog = nil
	c, seen := classifier(t, server.URL, nil)
	if got := by(ask(t, c, texts(1)), builtInName); got != 1 || seen.fell[remote.Unavailable] != 1 {
		t.Errorf("asked a server with a certificate of nobody's: %v", seen.fell)
	}
	trusting := server.Client().Transport.(*http.Transport).TLSClientConfig
	c, _ = classifier(t, server.URL, func(cfg *remote.Config) { cfg.TLS = trusting })
	if got := by(ask(t, c, texts(10)), "far:v7"); got != 10 {
		t.Errorf("%d of 10 answered over TLS", got)
	}
}

func TestFaultyConfigurations(t *testing.T) {
	good := remote.Config{URL: "https://classifier.example/v1", Name: "far", BuiltIn: builtIn{}, Token: "s3cret"}
	if _, err := remote.New(good); err != nil {
		t.Error(err)
	}
	for _, spoil := range []func(*remote.Config){
		func(c *remote.Config) { c.URL = "" },
		func(c *remote.Config) { c.URL = "ftp://host/" },
		func(c *remote.Config) { c.URL = "https://user:s3cret@host/" },
		func(c *remote.Config) { c.Name = "" },
		func(c *remote.Config) { c.Name = "two words" },
		func(c *remote.Config) { c.BuiltIn = nil },
	} {
		cfg := good
		spoil(&cfg)
		if _, err := remote.New(cfg); err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%q: %v", cfg.URL, err)
		}
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		if shown := fmt.Sprintf(verb, good); strings.Contains(shown, "s3cret") || strings.Contains(shown, "733363726574") {
			t.Errorf("the token is shown: %s", shown)
		}
	}
}

// FuzzResponse: whatever a server answers, every text has a label with probabilities that sum to 1, or none at all.
func FuzzResponse(f *testing.F) {
	f.Add([]byte(`{"model": "v7", "results": [{"label": "negative", "scores": {"positive": 0.1, "neutral": 0.1, "negative": 0.8}}]}`))
	f.Add([]byte(`{"results": [{"label": "unlabelled"}]}`))
	f.Add([]byte(`{"results": [{"label": "positive", "scores": {"positive": 1e-300, "neutral": 1, "negative": -0}}]}`))
	var body atomic.Pointer[[]byte]
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(*body.Load()) }))
	f.Cleanup(server.Close)
	c, err := remote.New(remote.Config{URL: server.URL, Name: "far", BuiltIn: builtIn{}, Failures: math.MaxInt})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		body.Store(&b)
		results, err := c.ClassifyBatch(t.Context(), texts(1))
		if err != nil {
			t.Fatal(err)
		}
		r := results[0]
		sum := float64(r.Scores.Positive + r.Scores.Neutral + r.Scores.Negative)
		if r.Model == "" || r.Label == stream.Unlabelled && sum != 0 || r.Label != stream.Unlabelled && math.Abs(sum-1) > 1e-5 {
			t.Errorf("%+v", r)
		}
	})
}
