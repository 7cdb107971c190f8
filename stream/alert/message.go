package alert

import (
	"fmt"
	"strings"

	"otklik/stream"
	"otklik/stream/spike"
)

// Part is one of those that contribute most to an excess.
type Part struct {
	Name   string  `json:"name"`             // product, word, thread or author; in a stored reason empty for the last two
	Number uint64  `json:"-"`                // of a thread or author in the view voices
	Count  int64   `json:"count"`            // mentions in the time that is explained
	Excess float64 `json:"excess"`           // above what was usual
	Handle string  `json:"handle,omitempty"` // of an author
}

// Sample is a telling mention.
type Sample struct {
	Platform    stream.Platform `json:"platform"`
	ItemID      string          `json:"item_id"`
	PublishedAt stream.Time     `json:"published_at"`
	Author      string          `json:"author,omitempty"` // handle, else id
	Followers   int64           `json:"followers"`
	Severity    uint8           `json:"severity"`
	Text        string          `json:"text,omitempty"`
	URL         string          `json:"url,omitempty"`
}

// Reason is why an episode is: a row of the table alert_reasons, which keeps neither names nor texts.
type Reason struct {
	ID       string
	Brand    string
	Platform stream.Platform
	Rule     spike.Rule
	Since    stream.Time
	Until    stream.Time
	Mentions int64 // of what the rule counts
	Authors  int64 // distinct
	Audience int64 // sum of their followers
	Products []Part
	Words    []Part
	Voices   []Part // authors
	Threads  []Part
	Samples  []Sample
	Revision uint64
}

// Event is what a message tells.
type Event string

// The events. A raise is told once for each severity.
const (
	Opened         Event = "opened"
	RaisedWarning  Event = "raised_warning"
	RaisedCritical Event = "raised_critical"
	Cleared        Event = "cleared"
	Withdrawn      Event = "withdrawn"
)

// State of a delivery. The numbers are those of the column alert_deliveries.state.
type State int8

// The states of a delivery that is settled.
const (
	Sent       State = 1
	Suppressed State = 2
	Failed     State = 3
)

// String returns "sent", "suppressed" or "failed".
func (s State) String() string {
	switch s {
	case Sent:
		return "sent"
	case Suppressed:
		return "suppressed"
	case Failed:
		return "failed"
	}
	return fmt.Sprintf("state(%d)", int8(s))
}

// Delivery is a row of the table alert_deliveries: what became of a message to one destination.
type Delivery struct {
	ID          string
	Event       Event
	Destination string
	Brand       string
	Rule        spike.Rule
	State       State
	Note        string
	Attempts    uint32
	At          stream.Time
}

// Message is the JSON that is told: the value of the topic otklik.alerts and the body of a webhook. ID and Event together tell whether
// a message is one that came before.
type Message struct {
	ID        string          `json:"id"`
	Event     Event           `json:"event"`
	Severity  string          `json:"severity"`
	Rule      spike.Rule      `json:"rule"`
	Brand     string          `json:"brand"`
	Platform  stream.Platform `json:"platform,omitempty"` // left out: all platforms together
	Summary   string          `json:"summary"`
	OpenedAt  stream.Time     `json:"opened_at"`
	PeakAt    stream.Time     `json:"peak_at"`
	ClearedAt stream.Time     `json:"cleared_at"` // null while it lasts

	Negatives     int64   `json:"negatives"` // in the peak window of five minutes, as all counts and shares here
	Labelled      int64   `json:"labelled"`
	Mentions      int64   `json:"mentions"`
	NegativeShare float64 `json:"negative_share"`
	Usual         float64 `json:"usual"`           // of what the rule counts, in the same hours of the past
	UsualSpread   float64 `json:"usual_deviation"` // scaled deviation of usual
	UsualShare    float64 `json:"usual_negative_share"`
	Threshold     float64 `json:"threshold"`
	Factor        float64 `json:"factor"` // how many times the usual

	Why *Why `json:"why,omitempty"` // left out when the episode is withdrawn
}

// Why is the reason in a message.
type Why struct {
	Since    stream.Time `json:"since"`
	Until    stream.Time `json:"until"`
	Mentions int64       `json:"mentions"`
	Authors  int64       `json:"authors"`
	Audience int64       `json:"audience"`
	Products []Part      `json:"products"`
	Words    []Part      `json:"words"`
	Threads  []Part      `json:"threads"`
	People   []Part      `json:"people"`
	Samples  []Sample    `json:"samples"`
}

// NewMessage puts a message together; reason may be nil.
func NewMessage(r *Row, event Event, reason *Reason) *Message {
	m := &Message{
		ID: r.ID(), Event: event, Severity: r.Severity.String(), Rule: r.Rule, Brand: r.Brand, Platform: r.Platform,
		OpenedAt: r.OpenedAt, PeakAt: r.PeakAt, ClearedAt: r.ClearedAt,
		Negatives: r.Peak.Negative, Labelled: r.Peak.Labelled, Mentions: r.Peak.Mentions,
		Usual: r.Baseline.Level, UsualSpread: r.Baseline.Deviation, UsualShare: r.Baseline.Share, Threshold: r.Baseline.Threshold, Factor: r.Factor(),
	}
	if r.Peak.Labelled > 0 {
		m.NegativeShare = float64(r.Peak.Negative) / float64(r.Peak.Labelled)
	}
	if reason != nil {
		m.Why = &Why{
			Since: reason.Since, Until: reason.Until, Mentions: reason.Mentions, Authors: reason.Authors, Audience: reason.Audience,
			Products: list(reason.Products), Words: list(reason.Words), Threads: list(reason.Threads), People: list(reason.Voices),
			Samples: list(reason.Samples),
		}
	}
	m.Summary = m.summary()
	return m
}

// list returns a list that is never null in JSON.
func list[T any](some []T) []T {
	if some == nil {
		return []T{}
	}
	return some
}

// summary is one line for people.
func (m *Message) summary() string {
	var b strings.Builder
	where := m.Brand
	if m.Platform != "" {
		where += " on " + string(m.Platform)
	}
	switch m.Event {
	case Withdrawn:
		fmt.Fprintf(&b, "%s: withdrawn, late records show that there was no %s at %s", where, what(m.Rule), m.OpenedAt)
		return b.String()
	case Cleared:
		fmt.Fprintf(&b, "%s: %s, over after %d minutes; ", where, what(m.Rule), (m.ClearedAt-m.OpenedAt)/stream.Minute)
	case Opened, RaisedWarning, RaisedCritical:
		fmt.Fprintf(&b, "%s: %s (%s) since %s; ", where, what(m.Rule), m.Severity, m.OpenedAt)
	}
	if m.Rule == spike.Volume {
		fmt.Fprintf(&b, "up to %d mentions in 5 minutes, %.1f times the usual %.1f", m.Mentions, m.Factor, m.Usual)
	} else {
		fmt.Fprintf(&b, "up to %d of %d negative (%.0f %%, usual %.0f %%) in 5 minutes, %.1f times the usual %.1f",
			m.Negatives, m.Labelled, 100*m.NegativeShare, 100*m.UsualShare, m.Factor, m.Usual)
	}
	if m.Why != nil {
		if names := first(m.Why.Products, 2); names != "" {
			fmt.Fprintf(&b, "; about %s", names)
		}
		if names := first(m.Why.Words, 4); names != "" {
			fmt.Fprintf(&b, "; words: %s", names)
		}
		fmt.Fprintf(&b, "; %d people with %d followers", m.Why.Authors, m.Why.Audience)
	}
	return b.String()
}

func what(r spike.Rule) string {
	if r == spike.Volume {
		return "unusually many mentions"
	}
	return "a wave of negative mentions"
}

func first(parts []Part, n int) string {
	names := make([]string, 0, min(n, len(parts)))
	for i := range parts[:min(n, len(parts))] {
		names = append(names, parts[i].Name)
	}
	return strings.Join(names, ", ")
}
