package window

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"otklik/stream"
)

var (
	sourceA = stream.Partition{Topic: "firehose.twitter", Number: 0}
	sourceB = stream.Partition{Topic: "firehose.vk", Number: 1}
)

func TestTracker(t *testing.T) {
	cfg := Config{MaxDisorder: 2 * time.Minute, IdleAfter: 30 * time.Second}
	clock := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	at := func(seconds int) time.Time { return clock.Add(time.Duration(seconds) * time.Second) }
	tr := NewTracker(cfg)
	check := func(when string, want stream.Time) {
		t.Helper()
		if got := tr.Watermark(); got != want {
			t.Fatalf("%s: watermark %d, want %d", when, got/stream.Minute, want/stream.Minute)
		}
	}
	minute := func(n int) stream.Time { return stream.Time(n) * stream.Minute }

	check("nothing seen", 0)
	tr.Observe(sourceA, minute(100), at(0))
	check("one source", minute(98))
	tr.Observe(sourceA, minute(90), at(1))
	check("an older event", minute(98))
	tr.Observe(sourceB, minute(50), at(1))
	check("a source far behind does not turn it back", minute(98))
	tr.Observe(sourceA, minute(200), at(2))
	check("the slowest source holds it", minute(98))
	tr.Observe(sourceB, minute(150), at(3))
	check("the slowest source leads", minute(148))
	tr.Observe(sourceA, minute(300), at(32))
	tr.Tick(at(32))
	check("29 s silent is not idle", minute(148))
	tr.Tick(at(33))
	check("30 s silent is idle", minute(298))
	tr.Tick(at(61))
	check("29 s later not all are idle", minute(298))
	tr.Tick(at(62))
	if !tr.Idle() {
		t.Error("all sources are silent, but the tracker is not idle")
	}
	check("all idle: nothing is expected before the last event", minute(300))
	tr.Tick(at(1000))
	check("and never anything later", minute(300))
	tr.Observe(sourceB, minute(160), at(101))
	check("a source comes back behind", minute(300))
	tr.Observe(sourceB, minute(400), at(102))
	check("the idle one does not hold it", minute(398))

	marks := tr.Marks()
	if diff := cmp.Diff([]Mark{{Source: sourceA, EventTime: minute(300)}, {Source: sourceB, EventTime: minute(400)}}, marks); diff != "" {
		t.Errorf("marks (-want +got):\n%s", diff)
	}
	next := NewTracker(cfg)
	next.Restore(tr.Watermark(), marks, at(200))
	tr = next
	check("restored", minute(398))
	tr.Observe(sourceB, minute(500), at(201))
	check("restored sources are waited for", minute(398))
	tr.Tick(at(230))
	check("until they are idle", minute(498))
	tr.Forget(sourceB)
	tr.Observe(sourceA, minute(510), at(231))
	check("a forgotten source does not count", minute(508))
	tr.Expect(sourceB, at(231))
	tr.Observe(sourceA, minute(600), at(232))
	check("an expected source is waited for", minute(508))
	tr.Tick(at(261))
	check("an expected source that stays silent is left out", minute(598))
}

func TestTrackerTakesWatermarks(t *testing.T) {
	tr := NewTracker(Config{}.WithDefaults())
	now := time.Unix(1000, 0)
	tr.ObserveWatermark(sourceA, 10*stream.Minute, false, now)
	tr.ObserveWatermark(sourceB, 5*stream.Minute, false, now)
	if got := tr.Watermark(); got != 5*stream.Minute {
		t.Errorf("watermark %d, want that of the slowest source", got)
	}
	tr.ObserveWatermark(sourceB, 6*stream.Minute, true, now)
	if got := tr.Watermark(); got != 10*stream.Minute {
		t.Errorf("watermark %d, want that of the source that is not idle", got)
	}
}

// TestTrackerGrace: windows that wait for a grace wait for it when everything is silent, too.
func TestTrackerGrace(t *testing.T) {
	tr := NewTracker(Config{MaxDisorder: 2 * time.Minute, IdleAfter: 30 * time.Second, Grace: time.Minute})
	now := time.Unix(1000, 0)
	tr.Observe(sourceA, 10*stream.Minute, now)
	tr.Watermark()
	for _, after := range []time.Duration{31 * time.Second, 89 * time.Second} {
		tr.Tick(now.Add(after))
		if got := tr.Watermark(); got != 8*stream.Minute {
			t.Errorf("after %s: watermark %d", after, got)
		}
	}
	tr.Tick(now.Add(90 * time.Second))
	if got := tr.Watermark(); got != 10*stream.Minute {
		t.Errorf("after 90 s: watermark %d, want that of the last event", got)
	}
	next := NewTracker(Config{MaxDisorder: 2 * time.Minute, IdleAfter: 30 * time.Second, Grace: time.Minute})
	next.Restore(tr.Watermark(), tr.Marks(), now.Add(time.Hour))
	if got := next.Watermark(); got != 10*stream.Minute {
		t.Errorf("restored: watermark %d, want it where it was", got)
	}
	next.Observe(sourceA, 11*stream.Minute, now.Add(time.Hour))
	if got := next.Watermark(); got != 10*stream.Minute {
		t.Errorf("a new event within the disorder: watermark %d", got)
	}
	next.Observe(sourceA, 13*stream.Minute, now.Add(time.Hour))
	if got := next.Watermark(); got != 11*stream.Minute {
		t.Errorf("a new event: watermark %d, want that of its source", got)
	}
}

// TestMerger: the watermark of what was merged goes to the highest one when all have said that nothing comes, and not when they
// are only silent: they may have stopped.
func TestMerger(t *testing.T) {
	cfg := Config{}.WithDefaults()
	tr := NewMerger(cfg)
	now := time.Unix(1000, 0)
	check := func(when string, tr *Tracker, want stream.Time) {
		t.Helper()
		if got := tr.Watermark(); got != want {
			t.Errorf("%s: watermark %d, want %d", when, got, want)
		}
	}
	tr.ObserveWatermark(sourceA, 10*stream.Minute, false, now)
	tr.ObserveWatermark(sourceB, 5*stream.Minute, false, now)
	tr.Tick(now)
	check("the slowest source leads", tr, 5*stream.Minute)
	tr.Tick(now.Add(time.Hour))
	check("both have stopped", tr, 5*stream.Minute)
	tr.ObserveWatermark(sourceA, 12*stream.Minute, true, now.Add(time.Hour))
	tr.Tick(now.Add(time.Hour))
	check("one has said that it is idle", tr, 5*stream.Minute)

	again := NewMerger(cfg)
	again.Restore(tr.Watermark(), tr.Marks(), now.Add(2*time.Hour))
	for _, tr := range []*Tracker{tr, again} {
		tr.ObserveWatermark(sourceB, 6*stream.Minute, true, now.Add(2*time.Hour))
		tr.Tick(now.Add(2 * time.Hour))
		check("both have said that they are idle", tr, 12*stream.Minute)
		tr.ObserveWatermark(sourceB, 11*stream.Minute, false, now.Add(3*time.Hour))
		check("one comes back behind", tr, 12*stream.Minute)
		tr.ObserveWatermark(sourceB, 13*stream.Minute, false, now.Add(3*time.Hour))
		check("and leads", tr, 13*stream.Minute)
	}
}

func TestConfigValidate(t *testing.T) {
	if err := (Config{}).WithDefaults().Validate(); err != nil {
		t.Errorf("the defaults: %v", err)
	}
	err := Config{MaxDisorder: -1, Grace: 8 * 24 * time.Hour}.Validate()
	for _, want := range []string{"max disorder is -1ns", "grace is 192h", "idle after is 0s"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not say %q", err, want)
		}
	}
}
