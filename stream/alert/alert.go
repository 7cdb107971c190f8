// Package alert is what happens to an episode that stream/spike has found: its row, the message about it with its reason, and who is told
// of it when. sinks/clickhouse stores and explains, sinks/webhook sends.
package alert

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"otklik/stream"
	"otklik/stream/spike"
)

// Row is a row of the table alerts: an episode of a brand as an absolute value.
type Row struct {
	Brand string
	spike.Episode
	Partition int32  // of otklik.panes
	Revision  uint64 // grows with every change; the highest is the truth
}

// ID returns the key of the episode in messages: the same for the same episode on every replay, so that a receiver that is told twice
// notices.
func (r *Row) ID() string {
	h := sha256.New()
	fmt.Fprintf(h, "%q %q %q %d", r.Brand, r.Platform, r.Rule, int64(r.OpenedAt))
	return hex.EncodeToString(h.Sum(nil)[:12])
}

// Count returns what the rule counts in the peak window: negatives, or mentions.
func (r *Row) Count() int64 {
	if r.Rule == spike.Volume {
		return r.Peak.Mentions
	}
	return r.Peak.Negative
}

// Factor returns how many times the usual the peak was. Less than one in an hour counts as one.
func (r *Row) Factor() float64 { return float64(r.Count()) / max(r.Baseline.Level, 1.0/12) }

// Revision returns the revision of rows that are written at a position and watermark: both only grow.
func Revision(position stream.Position, watermark stream.Time) uint64 {
	return uint64(position) + uint64(max(watermark, 0))
}

// History is what a watch is restored from.
type History struct {
	Windows []Figure // of spike.Length, by the end of the window
	Hours   []Figure // by the begin of the hour
	Rows    []Row
}

// Figure is the counts of a brand on a platform ("" for all) at a time.
type Figure struct {
	Brand    string
	Platform stream.Platform
	At       stream.Time
	spike.Counts
}
