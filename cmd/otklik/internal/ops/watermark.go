package ops

import (
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"otklik/stream"
)

type taskKey struct {
	stage     stream.Stage
	partition stream.Partition
}

type mark struct {
	time stream.Time
	idle bool
}

// watermarks shows the watermark of every task, and per stage the freshness: now − watermark of the slowest partition that is
// not idle. Freshness grows while nothing happens, so it is computed when it is read.
type watermarks struct {
	now       func() time.Time
	timestamp *prometheus.Desc
	freshness *prometheus.Desc

	mu    sync.Mutex
	marks map[taskKey]mark
}

func newWatermarks(now func() time.Time) *watermarks {
	return &watermarks{
		now: now,
		timestamp: prometheus.NewDesc("otklik_watermark_timestamp_seconds",
			"Event time up to which a task is complete, in seconds since the Unix epoch.", []string{"stage", "topic", "partition"}, nil),
		freshness: prometheus.NewDesc("otklik_freshness_seconds",
			"Now minus the watermark of the slowest partition that is not idle.", []string{"stage"}, nil),
		marks: make(map[taskKey]mark),
	}
}

func (w *watermarks) set(stage stream.Stage, p stream.Partition, at stream.Time, idle bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.marks[taskKey{stage, p}] = mark{at, idle}
}

func (w *watermarks) remove(stage stream.Stage, p stream.Partition) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.marks, taskKey{stage, p})
}

// Describe implements prometheus.Collector.
func (w *watermarks) Describe(ch chan<- *prometheus.Desc) {
	ch <- w.timestamp
	ch <- w.freshness
}

// Collect implements prometheus.Collector.
func (w *watermarks) Collect(ch chan<- prometheus.Metric) {
	w.mu.Lock()
	defer w.mu.Unlock()
	slowest := make(map[stream.Stage]stream.Time)
	for key, m := range w.marks {
		if m.time == 0 {
			continue
		}
		ch <- prometheus.MustNewConstMetric(w.timestamp, prometheus.GaugeValue, float64(m.time)/1000,
			string(key.stage), key.partition.Topic, strconv.Itoa(int(key.partition.Number)))
		if at, ok := slowest[key.stage]; !m.idle && (!ok || m.time < at) {
			slowest[key.stage] = m.time
		}
	}
	now := stream.TimeOf(w.now())
	for stage, at := range slowest {
		ch <- prometheus.MustNewConstMetric(w.freshness, prometheus.GaugeValue, float64(now-at)/1000, string(stage))
	}
}
