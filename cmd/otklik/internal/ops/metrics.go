// Package ops is what the engineer on duty sees of a process: metrics, health, profiles and logs.
package ops

import (
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"otklik/stream"
)

// The outcomes of what was read, the values of the label outcome; they mirror the columns of the ledger.
const (
	OutcomeMention    = "mention"
	OutcomeUnmatched  = "unmatched"
	OutcomeDuplicate  = "duplicate"
	OutcomeDeadLetter = "dead_letter"
	OutcomeOther      = "other"
	OutcomeReplayed   = "replayed"
)

// maxReasons bounds the values of a label that comes from data; further ones count as "other".
const maxReasons = 64

// Metrics are the figures of one process under /metrics. Names and units follow the conventions of Prometheus. All methods are
// safe for concurrent use. What belongs to one partition is reported through its Task.
type Metrics struct {
	registry *prometheus.Registry

	records      *prometheus.CounterVec
	kafkaRecords *prometheus.CounterVec
	late         *prometheus.CounterVec
	gaps         *prometheus.CounterVec
	deadLetters  *prometheus.CounterVec
	lag          *prometheus.GaugeVec
	entries      *prometheus.GaugeVec
	flush        *prometheus.HistogramVec
	flushRows    *prometheus.CounterVec
	flushErrors  *prometheus.CounterVec
	restore      *prometheus.HistogramVec
	batch        *prometheus.HistogramVec
	retries      *prometheus.CounterVec
	claims       *prometheus.CounterVec
	statuses     *prometheus.CounterVec
	episodes     *prometheus.CounterVec
	deliveries   *prometheus.CounterVec
	refusals     *prometheus.CounterVec
	marks        *watermarks

	mu      sync.Mutex
	reasons map[string]struct{}
}

// NewMetrics returns metrics in a registry of their own, beside those of the Go runtime, the process and the build. now is the
// clock that freshness is measured against; nil means time.Now.
func NewMetrics(now func() time.Time) *Metrics {
	if now == nil {
		now = time.Now
	}
	partition := []string{"stage", "topic", "partition"}
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		records: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "otklik_records_total",
			Help: "What became of what was read, in the unit of the ledger: an item per brand that it names.",
		}, append(slices.Clone(partition), "outcome")),
		kafkaRecords: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "otklik_kafka_records_total",
			Help: "Kafka records read.",
		}, partition),
		late: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "otklik_late_mentions_total",
			Help: "Mentions that came after their minute had closed and revised it.",
		}, partition),
		gaps: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "otklik_gap_offsets_total",
			Help: "Offsets that the broker's retention had removed before they were read.",
		}, partition),
		deadLetters: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "otklik_dead_letters_total",
			Help: "Records written to the dead-letter topic, by the class of the reason.",
		}, []string{"stage", "reason"}),
		lag: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "otklik_consumer_lag_records",
			Help: "Records between the position of the task and the end of its partition.",
		}, partition),
		entries: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "otklik_state_entries",
			Help: "Entries of a task's state in memory, by kind (panes, threads, identities).",
		}, append(slices.Clone(partition), "kind")),
		flush: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "otklik_flush_duration_seconds",
			Help:    "Time from the start of a task's flush until everything of it was durable.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60},
		}, []string{"stage"}),
		flushRows: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "otklik_flush_rows_total",
			Help: "Rows made durable in ClickHouse, by table.",
		}, []string{"table"}),
		flushErrors: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "otklik_flush_failures_total",
			Help: "Flushes that ended without being durable; the task replays them.",
		}, []string{"stage"}),
		restore: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "otklik_restore_duration_seconds",
			Help:    "Time a task took to restore its state from ClickHouse after it was assigned.",
			Buckets: []float64{.05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120, 300},
		}, []string{"stage"}),
		batch: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "otklik_micro_batch_records",
			Help:    "Records in a micro-batch.",
			Buckets: []float64{1, 4, 16, 64, 256, 1024, 4096, 16384},
		}, []string{"stage"}),
		retries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "otklik_retries_total",
			Help: "Attempts repeated because the target was away or overloaded, by target (kafka, clickhouse, webhook, classifier).",
		}, []string{"target"}),
		claims: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "otklik_claims_opened_total",
			Help: "Negative mentions handed over to the care department; a replay counts again.",
		}, []string{"brand"}),
		statuses: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "otklik_claim_statuses_total",
			Help: "Statuses of claims from the care department that were applied; a replay counts again.",
		}, []string{"brand", "status"}),
		episodes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "otklik_alert_episodes_total",
			Help: "Alert episodes that began, and that rose to a higher severity, by rule and the severity they had then.",
		}, []string{"rule", "severity"}),
		deliveries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "otklik_alert_deliveries_total",
			Help: "Messages about alert episodes, by destination (kafka: the topic) and what became of them: sent, suppressed by the configuration, or failed and given up.",
		}, []string{"destination", "state"}),
		refusals: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "otklik_alert_delivery_failures_total",
			Help: "Attempts to deliver a message about an alert episode that its destination did not take; all but those given up are repeated.",
		}, []string{"destination"}),
		marks:   newWatermarks(now),
		reasons: make(map[string]struct{}),
	}
	m.registry.MustRegister(
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), collectors.NewBuildInfoCollector(),
		m.records, m.kafkaRecords, m.late, m.gaps, m.deadLetters, m.lag, m.entries, m.flush, m.flushRows, m.flushErrors, m.restore,
		m.batch, m.retries, m.claims, m.statuses, m.episodes, m.deliveries, m.refusals, m.marks,
	)
	return m
}

// Registry returns the registry, for collectors of libraries.
func (m *Metrics) Registry() *prometheus.Registry { return m.registry }

// DeadLetter counts n records written to the dead-letter topic for a reason: a short class such as malformed_json.
func (m *Metrics) DeadLetter(stage stream.Stage, reason string, n int) {
	m.mu.Lock()
	if _, known := m.reasons[reason]; !known {
		if len(m.reasons) < maxReasons {
			m.reasons[reason] = struct{}{}
		} else {
			reason = "other"
		}
	}
	m.mu.Unlock()
	m.deadLetters.WithLabelValues(string(stage), reason).Add(float64(n))
}

// FlushedRows counts n rows of a table that became durable.
func (m *Metrics) FlushedRows(table string, n int) {
	m.flushRows.WithLabelValues(table).Add(float64(n))
}

// Retry counts one repeated attempt against a target: "kafka", "clickhouse", "webhook" or "classifier".
func (m *Metrics) Retry(target string) { m.retries.WithLabelValues(target).Inc() }

// ClaimOpened counts a claim about a mention of a brand.
func (m *Metrics) ClaimOpened(brand string) { m.claims.WithLabelValues(brand).Inc() }

// ClaimStatus counts a status of a claim that was applied.
func (m *Metrics) ClaimStatus(brand string, state stream.ClaimState) {
	m.statuses.WithLabelValues(brand, state.String()).Inc()
}

// AlertEpisode counts an episode that began, or rose to a severity: "notice", "warning" or "critical".
func (m *Metrics) AlertEpisode(rule, severity string) {
	m.episodes.WithLabelValues(rule, severity).Inc()
}

// AlertSettled counts a message about an episode that was "sent", "suppressed" or "failed". The destinations are those of the
// configuration, so their number is bounded.
func (m *Metrics) AlertSettled(destination, state string) {
	m.deliveries.WithLabelValues(destination, state).Inc()
}

// AlertRefused counts an attempt that a destination did not take.
func (m *Metrics) AlertRefused(destination string) {
	m.refusals.WithLabelValues(destination).Inc()
	if destination == "kafka" {
		m.Retry("kafka")
		return
	}
	m.Retry("webhook")
}

// Task returns the figures of the task that processes partition p in a stage. Close them when the task ends.
func (m *Metrics) Task(stage stream.Stage, p stream.Partition) *Task {
	labels := []string{string(stage), p.Topic, strconv.Itoa(int(p.Number))}
	outcome := func(o string) prometheus.Counter {
		return m.records.WithLabelValues(append(slices.Clone(labels), o)...)
	}
	return &Task{
		metrics: m, stage: stage, partition: p, labels: labels,
		records:   m.kafkaRecords.WithLabelValues(labels...),
		mentions:  outcome(OutcomeMention),
		unmatched: outcome(OutcomeUnmatched), duplicates: outcome(OutcomeDuplicate), deadLetters: outcome(OutcomeDeadLetter),
		other: outcome(OutcomeOther), replayed: outcome(OutcomeReplayed),
		late: m.late.WithLabelValues(labels...), gaps: m.gaps.WithLabelValues(labels...),
		lag:   m.lag.WithLabelValues(labels...),
		batch: m.batch.WithLabelValues(string(stage)),
		flush: m.flush.WithLabelValues(string(stage)), flushErrors: m.flushErrors.WithLabelValues(string(stage)),
		restore: m.restore.WithLabelValues(string(stage)),
	}
}

// Task are the figures of one partition. Its methods cost a few atomic additions, so a task may call them per micro-batch.
type Task struct {
	metrics   *Metrics
	stage     stream.Stage
	partition stream.Partition
	labels    []string

	records, mentions, unmatched, duplicates, deadLetters, other, replayed, late, gaps prometheus.Counter

	lag                   prometheus.Gauge
	batch, flush, restore prometheus.Observer
	flushErrors           prometheus.Counter
}

// Batch adds what became of one micro-batch: the books of exactly these records.
func (t *Task) Batch(b *stream.Books) {
	t.batch.Observe(float64(b.Records))
	t.records.Add(float64(b.Records))
	t.mentions.Add(float64(b.Mentions))
	t.unmatched.Add(float64(b.Unmatched))
	t.duplicates.Add(float64(b.Duplicates))
	t.deadLetters.Add(float64(b.DeadLetters))
	t.other.Add(float64(b.Other))
	t.replayed.Add(float64(b.Replayed))
	t.late.Add(float64(b.Late))
	t.gaps.Add(float64(b.Gaps))
}

// Lag sets how many records lie between the task's position and the end of the partition.
func (t *Task) Lag(records int64) { t.lag.Set(float64(max(records, 0))) }

// Watermark sets the event time up to which the task is complete, and whether it is idle: an idle partition does not count in
// the freshness of its stage. An unknown watermark (0) is not shown.
func (t *Task) Watermark(mark stream.Time, idle bool) {
	t.metrics.marks.set(t.stage, t.partition, mark, idle)
}

// State sets how many entries of a kind ("panes", "threads", "identities") the task holds in memory.
func (t *Task) State(kind string, n int) {
	t.metrics.entries.WithLabelValues(append(slices.Clone(t.labels), kind)...).Set(float64(n))
}

// Flushed records that a flush took d; err says that it did not become durable.
func (t *Task) Flushed(d time.Duration, err error) {
	if err != nil {
		t.flushErrors.Inc()
		return
	}
	t.flush.Observe(d.Seconds())
}

// Restored records how long the restore took.
func (t *Task) Restored(d time.Duration) { t.restore.Observe(d.Seconds()) }

// Close removes the gauges of the partition, which another process owns from now on. Counters stay, so that their rates do.
func (t *Task) Close() {
	part := prometheus.Labels{"stage": t.labels[0], "topic": t.labels[1], "partition": t.labels[2]}
	t.metrics.lag.DeletePartialMatch(part)
	t.metrics.entries.DeletePartialMatch(part)
	t.metrics.marks.remove(t.stage, t.partition)
}
