package ops_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"otklik/cmd/otklik/internal/ops"
	"otklik/stream"
)

var (
	now   = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	clock = func() time.Time { return now }
	track = stream.Partition{Topic: "otklik.mentions", Number: 3}
)

// filled returns metrics in which every series exists.
func filled(t *testing.T) (*ops.Metrics, *ops.Task) {
	t.Helper()
	m := ops.NewMetrics(clock)
	task := m.Task(stream.StageTrack, track)
	task.Batch(&stream.Books{Records: 10, Read: 21, Mentions: 8, Unmatched: 5, Duplicates: 3, DeadLetters: 1, Other: 4, Replayed: 2, Late: 1, Gaps: 7})
	task.Lag(42)
	task.Watermark(stream.TimeOf(now.Add(-90*time.Second)), false)
	task.State("panes", 12)
	task.Flushed(120*time.Millisecond, nil)
	task.Flushed(time.Second, errors.New("away"))
	task.Restored(2 * time.Second)
	m.DeadLetter(stream.StageIngest, "malformed_json", 1)
	m.FlushedRows("panes", 100)
	m.Retry("clickhouse")
	return m, task
}

func TestMetricNamesFollowThePrometheusConventions(t *testing.T) {
	m, _ := filled(t)
	problems, err := testutil.GatherAndLint(m.Registry())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if strings.HasPrefix(p.Metric, "otklik_") {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
}

func TestMetricsOfATask(t *testing.T) {
	m, task := filled(t)
	const want = `
# HELP otklik_consumer_lag_records Records between the position of the task and the end of its partition.
# TYPE otklik_consumer_lag_records gauge
otklik_consumer_lag_records{partition="3",stage="track",topic="otklik.mentions"} 42
# HELP otklik_freshness_seconds Now minus the watermark of the slowest partition that is not idle.
# TYPE otklik_freshness_seconds gauge
otklik_freshness_seconds{stage="track"} 90
# HELP otklik_records_total What became of what was read, in the unit of the ledger: an item per brand that it names.
# TYPE otklik_records_total counter
otklik_records_total{outcome="dead_letter",partition="3",stage="track",topic="otklik.mentions"} 1
otklik_records_total{outcome="duplicate",partition="3",stage="track",topic="otklik.mentions"} 3
otklik_records_total{outcome="mention",partition="3",stage="track",topic="otklik.mentions"} 8
otklik_records_total{outcome="other",partition="3",stage="track",topic="otklik.mentions"} 4
otklik_records_total{outcome="replayed",partition="3",stage="track",topic="otklik.mentions"} 2
otklik_records_total{outcome="unmatched",partition="3",stage="track",topic="otklik.mentions"} 5
# HELP otklik_watermark_timestamp_seconds Event time up to which a task is complete, in seconds since the Unix epoch.
# TYPE otklik_watermark_timestamp_seconds gauge
otklik_watermark_timestamp_seconds{partition="3",stage="track",topic="otklik.mentions"} 1.77245271e+09
`
	names := []string{"otklik_consumer_lag_records", "otklik_freshness_seconds", "otklik_records_total", "otklik_watermark_timestamp_seconds"}
	if err := testutil.GatherAndCompare(m.Registry(), strings.NewReader(want), names...); err != nil {
		t.Error(err)
	}

	// A revoked partition must not go on reporting a lag that nobody works off.
	task.Close()
	for _, gone := range []string{"otklik_consumer_lag_records", "otklik_freshness_seconds", "otklik_watermark_timestamp_seconds", "otklik_state_entries"} {
		n, err := testutil.GatherAndCount(m.Registry(), gone)
		if err != nil || n != 0 {
			t.Errorf("after Close %s has %d series (%v), want none", gone, n, err)
		}
	}
	if n, err := testutil.GatherAndCount(m.Registry(), "otklik_records_total"); err != nil || n != 6 {
		t.Errorf("after Close the counters have %d series (%v), want all 6", n, err)
	}
}

func TestFreshnessIsThatOfTheSlowestPartitionThatIsNotIdle(t *testing.T) {
	m := ops.NewMetrics(clock)
	for number, seconds := range []int{10, 300, 20} {
		p := stream.Partition{Topic: "otklik.mentions", Number: int32(number)}
		m.Task(stream.StageTrack, p).Watermark(stream.TimeOf(now.Add(-time.Duration(seconds)*time.Second)), number == 1)
	}
	m.Task(stream.StageTrack, stream.Partition{Topic: "otklik.mentions", Number: 9}).Watermark(0, false)
	const want = `
# HELP otklik_freshness_seconds Now minus the watermark of the slowest partition that is not idle.
# TYPE otklik_freshness_seconds gauge
otklik_freshness_seconds{stage="track"} 20
`
	if err := testutil.GatherAndCompare(m.Registry(), strings.NewReader(want), "otklik_freshness_seconds"); err != nil {
		t.Error(err)
	}
}

func TestMetricsOfAlerts(t *testing.T) {
	m := ops.NewMetrics(clock)
	m.AlertEpisode("negativity_spike", "notice")
	m.AlertEpisode("negativity_spike", "critical")
	for range 2 {
		m.AlertSettled("kafka", "sent")
	}
	m.AlertSettled("desk", "suppressed")
	m.AlertRefused("desk")
	m.AlertRefused("kafka")
	const want = `
# HELP otklik_alert_deliveries_total Messages about alert episodes, by destination (kafka: the topic) and what became of them: sent, suppressed by the configuration, or failed and given up.
# TYPE otklik_alert_deliveries_total counter
otklik_alert_deliveries_total{destination="desk",state="suppressed"} 1
otklik_alert_deliveries_total{destination="kafka",state="sent"} 2
# HELP otklik_alert_delivery_failures_total Attempts to deliver a message about an alert episode that its destination did not take; all but those given up are repeated.
# TYPE otklik_alert_delivery_failures_total counter
otklik_alert_delivery_failures_total{destination="desk"} 1
otklik_alert_delivery_failures_total{destination="kafka"} 1
# HELP otklik_alert_episodes_total Alert episodes that began, and that rose to a higher severity, by rule and the severity they had then.
# TYPE otklik_alert_episodes_total counter
otklik_alert_episodes_total{rule="negativity_spike",severity="critical"} 1
otklik_alert_episodes_total{rule="negativity_spike",severity="notice"} 1
# HELP otklik_retries_total Attempts repeated because the target was away or overloaded, by target (kafka, clickhouse, webhook, classifier).
# TYPE otklik_retries_total counter
otklik_retries_total{target="kafka"} 1
otklik_retries_total{target="webhook"} 1
`
	names := []string{"otklik_alert_episodes_total", "otklik_alert_deliveries_total", "otklik_alert_delivery_failures_total", "otklik_retries_total"}
	if err := testutil.GatherAndCompare(m.Registry(), strings.NewReader(want), names...); err != nil {
		t.Error(err)
	}
}

func TestReasonsOfDeadLettersAreBounded(t *testing.T) {
	m := ops.NewMetrics(clock)
	for i := range 500 {
		m.DeadLetter(stream.StageIngest, "reason_"+strconv.Itoa(i), 1)
	}
	n, err := testutil.GatherAndCount(m.Registry(), "otklik_dead_letters_total")
	if err != nil || n != 65 {
		t.Errorf("%d series (%v), want 64 and other", n, err)
	}
}

// serve runs a server on a free loopback port until the test ends, and checks that it ends without an error.
func serve(t *testing.T, health *ops.Health) string {
	t.Helper()
	m, _ := filled(t)
	s := &ops.Server{Addr: "127.0.0.1:0", Metrics: m, Health: health, Log: slog.New(slog.DiscardHandler)}
	ctx, cancel := context.WithCancel(context.Background())
	if err := s.Listen(ctx); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return "http://" + s.Bound()
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

func TestServerRoutes(t *testing.T) {
	var health ops.Health
	base := serve(t, &health)

	if status, body := get(t, base+"/readyz"); status != http.StatusServiceUnavailable || body != "starting\n" {
		t.Errorf("/readyz before any report: %d %q", status, body)
	}
	health.Expect("kafka")
	health.Report("clickhouse", errors.New("connection refused"))
	if status, body := get(t, base+"/readyz"); status != http.StatusServiceUnavailable || body != "clickhouse: connection refused\nkafka: starting\n" {
		t.Errorf("/readyz with faults: %d %q", status, body)
	}
	health.Report("kafka", nil)
	health.Report("clickhouse", nil)
	if status, body := get(t, base+"/readyz"); status != http.StatusOK || body != "ready\n" {
		t.Errorf("/readyz: %d %q", status, body)
	}
	if status, body := get(t, base+"/healthz"); status != http.StatusOK || body != "ok\n" {
		t.Errorf("/healthz: %d %q", status, body)
	}
	status, body := get(t, base+"/metrics")
	for _, want := range []string{"otklik_flush_duration_seconds_bucket", "otklik_flush_failures_total{stage=\"track\"} 1", "go_goroutines", "process_start_time_seconds"} {
		if status != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("/metrics: %d, without %s", status, want)
		}
	}
	if status, body := get(t, base+"/debug/pprof/goroutine?debug=1"); status != http.StatusOK || !strings.Contains(body, "goroutine profile") {
		t.Errorf("pprof on loopback: %d %.60q", status, body)
	}
}

func TestProfilesAreRefusedFromElsewhere(t *testing.T) {
	handler := (&ops.Server{Metrics: ops.NewMetrics(clock), Health: &ops.Health{}, Log: slog.New(slog.DiscardHandler)}).Handler()
	for name, change := range map[string]func(*http.Request) *http.Request{
		"another client": func(r *http.Request) *http.Request { r.RemoteAddr = "192.0.2.7:40000"; return r },
		"a rebound name": func(r *http.Request) *http.Request { r.Host = "attacker.example:9464"; return r },
		"an outer address": func(r *http.Request) *http.Request {
			return r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, addr("192.0.2.1:9464")))
		},
		"no address": func(r *http.Request) *http.Request {
			return r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, nil))
		},
	} {
		for _, path := range []string{"/debug/pprof/", "/debug/pprof/heap", "/debug/pprof/cmdline", "/debug/pprof/profile", "/debug/pprof/symbol", "/debug/pprof/trace"} {
			r := httptest.NewRequestWithContext(context.WithValue(t.Context(), http.LocalAddrContextKey, addr("127.0.0.1:9464")), http.MethodGet, path, http.NoBody)
			r.RemoteAddr, r.Host = "127.0.0.1:40000", "127.0.0.1:9464"
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, change(r))
			if w.Code != http.StatusForbidden {
				t.Errorf("%s from %s: %d, want 403", path, name, w.Code)
			}
		}
	}
}

type addr string

func (addr) Network() string  { return "tcp" }
func (a addr) String() string { return string(a) }

func TestAPortInUseIsAnErrorThatSaysWhatToDo(t *testing.T) {
	var health ops.Health
	base := serve(t, &health)
	second := &ops.Server{Addr: strings.TrimPrefix(base, "http://"), Metrics: ops.NewMetrics(clock), Health: &health, Log: slog.New(slog.DiscardHandler)}
	err := second.Run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "http.listen") {
		t.Errorf("Run on a port in use: %v, want an error that names http.listen", err)
	}
}

func TestLogger(t *testing.T) {
	var b bytes.Buffer
	log, err := ops.NewLogger(&b, "warn", "json")
	if err != nil {
		t.Fatal(err)
	}
	log.Info("hidden")
	log.Warn("retrying", "target", "clickhouse")
	var line map[string]any
	if err := json.Unmarshal(b.Bytes(), &line); err != nil {
		t.Fatalf("%v in %q", err, b.String())
	}
	if line["msg"] != "retrying" || line["target"] != "clickhouse" || !strings.HasSuffix(line["time"].(string), "Z") {
		t.Errorf("logged %v", line)
	}
	if _, err := ops.NewLogger(&b, "loud", "text"); err == nil {
		t.Error("an unknown level is accepted")
	}
	if _, err := ops.NewLogger(&b, "info", "xml"); err == nil {
		t.Error("an unknown format is accepted")
	}
}
