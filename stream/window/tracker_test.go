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
	tr.Tick(at(100))
	if !tr.Idle() {
		t.Error("all sources are silent, but the tracker is not idle")
	}
	check("all idle: it stays", minute(298))
	tr.Observe(sourceB, minute(160), at(101))
	check("a source comes back behind", minute(298))
	tr.Observe(sourceB, minute(400), at(102))
	check("the idle one does not hold it", minute(398))

	marks := tr.Marks()
	if diff := cmp.Diff([]Mark{{sourceA, minute(300)}, {sourceB, minute(400)}}, marks); diff != "" {
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
