package remote

import (
	"sync"
	"time"
)

// breaker keeps requests away from a classifier that fails: after limit failures in a row it opens for coolDown, then lets one
// request through, whose outcome closes it or opens it again.
type breaker struct {
	limit    int
	coolDown time.Duration
	turned   func(err error) // told the last failure when it opens after being closed, and nil when it closes

	mu       sync.Mutex
	failures int // in a row
	open     bool
	until    time.Time // when it is open: no request before
	trying   bool      // the one request is on its way
}

// allow reports whether a request may be sent now. After true, done must be called.
func (b *breaker) allow(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.open {
		return true
	}
	if b.trying || now.Before(b.until) {
		return false
	}
	b.trying = true
	return true
}

// verdict is how a request ended.
type verdict uint8

const (
	succeeded verdict = iota
	failed
	abandoned // by us, before it was decided
)

// done notes how a request that was allowed ended; err is its failure.
func (b *breaker) done(now time.Time, v verdict, err error) {
	b.mu.Lock()
	was := b.open
	switch v {
	case succeeded:
		// A late success of a request that was sent before the breaker opened is a success, too.
		b.failures, b.open, b.trying = 0, false, false
	case failed:
		b.failures++
		if b.open || b.failures >= b.limit {
			b.open, b.trying, b.until = true, false, now.Add(b.coolDown)
		}
	case abandoned:
		b.trying = false
	}
	is := b.open
	b.mu.Unlock()
	switch {
	case !was && is:
		b.turned(err)
	case was && !is:
		b.turned(nil)
	}
}
