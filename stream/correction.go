package stream

import (
	"fmt"
	"strings"
	"time"
)

// Correction is what an analyst says about the label of a mention.
type Correction struct {
	Label Label
	By    string // who
	At    Time   // when; of several corrections the newest counts
	Note  string // why; may be empty
}

// Same reports whether o is the same correction, delivered again.
func (c *Correction) Same(o *Correction) bool {
	return c.At == o.At && c.Label == o.Label && c.By == o.By
}

// String returns the correction without its note as the column mentions.corrections holds it:
// "2026-03-02T15:04:05.000Z negative anna".
func (c *Correction) String() string { return c.At.String() + " " + c.Label.String() + " " + c.By }

// ParseCorrection reads what String writes.
func ParseCorrection(s string) (Correction, error) {
	at, rest, _ := strings.Cut(s, " ")
	label, by, ok := strings.Cut(rest, " ")
	moment, err := time.Parse(timeLayout, at)
	l, known := ParseLabel(label)
	if err != nil || !ok || !known {
		return Correction{}, fmt.Errorf("%q is not a time, a label and a name", s)
	}
	return Correction{At: TimeOf(moment), Label: l, By: by}, nil
}

// Corrected returns the correction that makes the label of the row: the newest one that is not older than the text, of equally new
// ones the last delivered. False: the label is the model's.
func (r *MentionRow) Corrected() (Correction, bool) {
	best := -1
	for i := range r.Corrections {
		if c := &r.Corrections[i]; c.At >= r.TextSince && (best < 0 || c.At >= r.Corrections[best].At) {
			best = i
		}
	}
	if best < 0 {
		return Correction{}, false
	}
	return r.Corrections[best], true
}

// MentionName names a mention without its time: what people know of it.
type MentionName struct {
	Platform Platform
	ItemID   string // Item.Identity()
	Brand    string
}

// MentionPlace is where a mention is.
type MentionPlace struct {
	MentionName
	PublishedAt Time // of the first version
	Thread      string
	Role        Role
}
