package task

import (
	"sync"
	"time"
)

// Pace is what the tasks of a process know of each other: they flush in common rounds, so that the sink can send their rows in common inserts (an
// insert costs ClickHouse milliseconds however few rows it has), and seldom while one of them catches up with what waits for it: the
// figures are old anyway, and fewer inserts let it be done sooner. The zero value is ready; safe for concurrent use.
type Pace struct {
	mu     sync.Mutex
	behind int // tasks that are
	// The stages before roll, and roll, which flushes half an interval later: the partials that the others have just produced need not
	// wait for a whole one.
	first, roll rounds
}

// rounds are the flushes of some tasks. In each round each of them flushes once at most.
type rounds struct {
	number  int64     // of the round under way or just over
	began   time.Time // when
	running int       // flushes under way
	ended   time.Time // when the last of them was over
}

// catchUpIntervals is how many multiples of the flush interval the tasks let pass while one of them catches up: with none ClickHouse has more to
// merge, with two the rows that wait take so much memory that the garbage collector costs more than the inserts saved.
const catchUpIntervals = 1

func (p *Pace) rounds(roll bool) *rounds {
	if roll {
		return &p.roll
	}
	return &p.first
}

// join returns the number of the round under way, in which a task that begins has no part.
func (p *Pace) join(roll bool) int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.rounds(roll).number
}

// due reports whether a task that flushed last in the given round is to flush. A round begins when the wall clock has passed a multiple of the
// interval since the last one began. The flushes of that one are over by then, for half an interval: what came meanwhile has been processed, or the
// next flush would be for little; and where a flush takes little more than an interval, rows do not wait for two. One that hangs is not
// waited for longer than an interval. What has passed is measured on the monotonic clock, so a wall clock that is set back delays nothing.
func (p *Pace) due(now time.Time, roll bool, last int64, interval time.Duration) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := p.rounds(roll)
	if last < r.number {
		return true
	}
	if r.began.IsZero() {
		r.began = now
	}
	began := time.Duration(r.began.UnixNano())
	if roll {
		began += interval / 2
	}
	left := interval - began%interval
	if p.behind > 0 {
		left += catchUpIntervals * interval
	}
	passed := now.Sub(r.began)
	if passed < left || passed < left+interval && (r.running > 0 || now.Sub(r.ended) < interval/2) {
		return false
	}
	r.number++
	r.began = now
	return true
}

// begin says that a task flushes; it returns the round that this is a part of, and end is to be called with the moment in which it is over.
func (p *Pace) begin(roll bool) (round int64, end func(now time.Time)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := p.rounds(roll)
	r.running++
	return r.number, func(now time.Time) {
		p.mu.Lock()
		defer p.mu.Unlock()
		r.running--
		r.ended = now
	}
}

// catchingUp reports whether a task of the process is behind.
func (p *Pace) catchingUp() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.behind > 0
}

// change adds to the number of tasks that are behind.
func (p *Pace) change(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.behind += n
}

func (t *task) fallBehind() {
	if !t.behind {
		t.behind = true
		t.cfg.Pace.change(1)
	}
}

func (t *task) keepUp() {
	if t.behind {
		t.behind = false
		t.cfg.Pace.change(-1)
	}
}
