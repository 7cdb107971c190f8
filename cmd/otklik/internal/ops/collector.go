package ops

import (
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// collectorPercent is how much the heap may grow between two garbage collections while memory is far from its limit: a record
// leaves little behind that outlives it, so rare collections cost least.
const collectorPercent = 400

// collectorInterval is how often the live heap is compared with the limit.
const collectorInterval = time.Second

// PaceCollector paces the garbage collector until stop is called: it lets the heap grow fivefold between two collections, but not
// beyond limit bytes in all. State that is too large for that raises the limit (see paced) instead of having the collector take
// the processor for itself. Who sets GOGC or GOMEMLIMIT is obeyed: that one stays as it is.
func PaceCollector(limit int64) (stop func()) {
	percent, former := debug.SetGCPercent(-1), debug.SetMemoryLimit(-1)
	restore := func() {
		debug.SetGCPercent(percent)
		debug.SetMemoryLimit(former)
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(collectorPercent)
	} else {
		debug.SetGCPercent(percent)
	}
	if os.Getenv("GOMEMLIMIT") != "" || limit <= 0 {
		return restore
	}
	debug.SetMemoryLimit(limit)
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(collectorInterval)
		defer tick.Stop()
		now := limit
		live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
		for {
			select {
			case <-end:
				return
			case <-tick.C:
			}
			metrics.Read(live)
			if want := paced(limit, int64(live[0].Value.Uint64())); want != now {
				debug.SetMemoryLimit(want)
				now = want
			}
		}
	}()
	return func() {
		close(end)
		<-ended
		restore()
	}
}

// paced returns the limit for a heap of which live bytes are in use: the configured one, or as much as leaves the collector half
// of the live heap to work with. It moves in steps of a sixteenth of the limit, because every change stops the world.
func paced(limit, live int64) int64 {
	step := max(limit/16, 1)
	need := (live + live/2 + step - 1) / step * step
	return max(limit, need)
}
