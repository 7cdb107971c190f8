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
