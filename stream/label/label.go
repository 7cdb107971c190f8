// Package label reads and writes the corrections of labels: the values of the topic otklik.labels (schemas/label.schema.json), and
// the tables in which people write them down.
package label

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"otklik/stream"
)

// Message is one correction and the mention that it is about.
type Message struct {
	stream.MentionName
	stream.Correction
}

// Bounds of the texts of a message, in bytes.
const (
	maxItemID = 2048
	maxBy     = 256
	maxNote   = 4096
)

// Error says why a record is no correction. It is permanent: the record belongs into the dead letters.
type Error struct {
	Reason string // the class: malformed_json or bad_label
	Detail string // what exactly, for a person
}

// Error returns "reason: detail".
func (e *Error) Error() string { return e.Reason + ": " + e.Detail }

// document is the JSON form.
type document struct {
	Platform string `json:"platform"`
	ItemID   string `json:"item_id"`
	Brand    string `json:"brand"`
	Label    string `json:"label"`
	By       string `json:"by"`
	At       string `json:"at"`
	Note     string `json:"note,omitempty"`
}

// Parse reads a value of the topic. Its errors are *Error; whether the mention exists is not its business. With the reason bad_label the message has
// the name as far as it is there.
func Parse(data []byte) (Message, error) {
	var d document
	if err := json.Unmarshal(data, &d); err != nil {
		if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
			return Message{}, &Error{"bad_label", fmt.Sprintf("%s is of the type %s; write an object whose members are strings", or(wrong.Field, "the value"), wrong.Value)}
		}
		return Message{}, &Error{"malformed_json", err.Error()}
	}
	m := Message{
		MentionName: stream.MentionName{Platform: stream.Platform(d.Platform), ItemID: d.ItemID, Brand: d.Brand},
		Correction:  stream.Correction{By: strings.TrimSpace(d.By), Note: strings.TrimSpace(d.Note)},
	}
	var faults []string
	var ok bool
	if m.Label, ok = stream.ParseLabel(d.Label); !ok {
		faults = append(faults, fmt.Sprintf("label is %q: write positive, neutral, negative or unlabelled", d.Label))
	}
	at, err := time.Parse(time.RFC3339, d.At)
	switch {
	case err != nil:
		faults = append(faults, fmt.Sprintf("at is %q: write when it was said, as 2026-03-02T15:04:05Z", d.At))
	case at.Year() < 2000 || at.Year() > 2200:
		faults = append(faults, fmt.Sprintf("at is %q: nobody has labelled mentions then", d.At))
	}
	m.At = stream.TimeOf(at)
	if faults = append(faults, m.faults()...); len(faults) > 0 {
		return Message{MentionName: m.MentionName}, &Error{"bad_label", strings.Join(faults, "; ")}
	}
	return m, nil
}

func or(name, otherwise string) string {
	if name == "" {
		return otherwise
	}
	return name
}

// faults returns what is wrong with the texts of the message.
func (m *Message) faults() []string {
	var out []string
	if !slices.Contains(stream.Platforms, m.Platform) {
		out = append(out, fmt.Sprintf("platform is %q: use one of %v", m.Platform, stream.Platforms))
	}
	for _, text := range []struct {
		name, value string
		most        int
		optional    bool
	}{
		{"item_id", m.ItemID, maxItemID, false},
		{"brand", m.Brand, maxBy, false},
		{"by", m.By, maxBy, false},
		{"note", m.Note, maxNote, true},
	} {
		switch {
		case text.value == "" && !text.optional:
			out = append(out, text.name+" is missing")
		case len(text.value) > text.most:
			out = append(out, fmt.Sprintf("%s has %d bytes, more than %d", text.name, len(text.value), text.most))
		case !utf8.ValidString(text.value):
			out = append(out, text.name+" is not UTF-8")
		}
	}
	return out
}

// Append appends the message as a value of the topic to dst.
func Append(dst []byte, m *Message) ([]byte, error) {
	b, err := json.Marshal(&document{
		Platform: string(m.Platform), ItemID: m.ItemID, Brand: m.Brand, Label: m.Label.String(), By: m.By, At: m.At.String(), Note: m.Note,
	})
	if err != nil {
		return dst, fmt.Errorf("encode the label of %s %s: %w", m.Platform, m.ItemID, err)
	}
	return append(dst, b...), nil
}
