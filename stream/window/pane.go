// Package window keeps event-time windows: the panes that track counts (one minute, one hour, one day), the
// watermarks that close them, and the rolling windows that roll derives from the panes. It is pure: no I/O, no clock.
package window

import "otklik/stream"

// Grain is the length of a pane.
type Grain uint8

// The grains of panes.
const (
	Minute Grain = iota
	Hour
	Day
)

// Grains lists all grains.
var Grains = []Grain{Minute, Hour, Day}

// Span returns the length of a pane of this grain.
func (g Grain) Span() stream.Time {
	switch g {
	case Hour:
		return stream.Hour
	case Day:
		return stream.Day
	default:
		return stream.Minute
	}
}

// String returns "1m", "1h" or "1d", the values of panes.grain.
func (g Grain) String() string {
	switch g {
	case Hour:
		return "1h"
	case Day:
		return "1d"
	default:
		return "1m"
	}
}

// Key names a pane: a half-open window [Start, Start+Span) aligned to the Unix epoch (days are UTC days), of one
// brand on one platform. Product "" counts every mention; a product's key counts the mentions of that product, so
// product rows are never summed into the whole.
type Key struct {
	Grain    Grain
	Start    stream.Time
	Brand    string
	Platform stream.Platform
	Product  string
}

// End returns the first moment after the pane.
func (k *Key) End() stream.Time { return k.Start + k.Grain.Span() }

// Counts is what a pane counts. Positive … Unlabelled are mentions by customers; own posts and spam are kept apart
// and counted in Own and Spam only. All other fields count customers' mentions only.
type Counts struct {
	Positive, Neutral, Negative, Unlabelled int64
	Own, Spam                               int64
	Reposts, Questions, Complaints          int64
	Severe                                  int64 // severity ≥ 2
	Advocacy                                int64
	NeedsAnswer                             int64
	Audience                                int64 // sum of the authors' followers over mentions: gross, an author counts each time
	Likes, Shares, Views                    int64 // as stated when the mention was delivered

	Requests, Answered int64 // customer turns that needed an answer, by the minute of the request; those answered
}

// Pane is one row of the table panes and one partial of the topic otklik.panes: the absolute counts that one
// partition of otklik.mentions contributes to a window.
type Pane struct {
	Key
	Partition int32 // of otklik.mentions
	Counts
	// Responses are the waiting times in seconds of the answered requests, in no order; panes of one minute with product ""
	// only (the rolling windows take their median and p90 from them).
	Responses []float64
	Final     bool // the watermark has passed the pane's end and grace
	Position  stream.Position
}
