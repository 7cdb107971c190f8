package ops

import (
	"runtime/debug"
	"testing"
)

func TestPaced(t *testing.T) {
	const limit = 1 << 30
	for _, c := range []struct{ live, want int64 }{
		{0, limit},
		{100 << 20, limit},
		{limit * 2 / 3, limit},
		{limit * 3 / 4, limit + limit/8},
		{limit, limit + limit/2},
		{4 * limit, 6 * limit},
	} {
		if got := paced(limit, c.live); got != c.want {
			t.Errorf("%d MiB live: limit %d MiB, want %d", c.live>>20, got>>20, c.want>>20)
		}
	}
}

func TestPaceCollector(t *testing.T) {
	t.Setenv("GOGC", "")
	t.Setenv("GOMEMLIMIT", "")
	percent := debug.SetGCPercent(100)
	defer debug.SetGCPercent(percent)
	stop := PaceCollector(1 << 40)
	if got := debug.SetGCPercent(collectorPercent); got != collectorPercent {
		t.Errorf("GC percent %d, want %d", got, collectorPercent)
	}
	stop()
	if got := debug.SetGCPercent(100); got != 100 {
		t.Errorf("GC percent %d after the end, want 100", got)
	}
}

func TestPaceCollectorObeysTheEnvironment(t *testing.T) {
	percent, limit := debug.SetGCPercent(100), debug.SetMemoryLimit(1<<50)
	defer func() {
		debug.SetGCPercent(percent)
		debug.SetMemoryLimit(limit)
	}()
	for _, c := range []struct {
		gogc, memory string
		percent      int
		limit        int64
	}{
		{"", "", collectorPercent, 1 << 40},
		{"100", "", 100, 1 << 40},
		{"", "1PiB", collectorPercent, 1 << 50},
		{"100", "1PiB", 100, 1 << 50},
	} {
		t.Setenv("GOGC", c.gogc)
		t.Setenv("GOMEMLIMIT", c.memory)
		stop := PaceCollector(1 << 40)
		got := debug.SetGCPercent(c.percent)
		if memory := debug.SetMemoryLimit(-1); got != c.percent || memory != c.limit {
			t.Errorf("GOGC=%q GOMEMLIMIT=%q: percent %d, limit %d; want %d, %d", c.gogc, c.memory, got, memory, c.percent, c.limit)
		}
		stop()
	}
	if got := debug.SetGCPercent(100); got != 100 {
		t.Errorf("GC percent %d after the end, want 100", got)
	}
}
