package claim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"otklik/stream"
)

// Message is a claim as the care department's system reads it: the value of the topic otklik.claims (schemas/claim.schema.json), keyed by ID.
// It is the whole claim as it stands. Of several messages with one ID the highest Revision counts, and the same revision may come again; of
// messages with the same revision one that is Erased counts.
type Message struct {
	ID              string          `json:"id"`
	Revision        uint32          `json:"revision"`
	State           string          `json:"state"`
	Brand           string          `json:"brand"`
	Platform        stream.Platform `json:"platform"`
	ItemID          string          `json:"item_id"`
	PublishedAt     stream.Time     `json:"published_at"`
	DetectedAt      stream.Time     `json:"detected_at"`
	OpenedAt        stream.Time     `json:"opened_at"`
	Department      string          `json:"department"`
	Blogger         bool            `json:"blogger"`
	Priority        float64         `json:"priority"`
	AudienceFactor  float64         `json:"audience_factor"`
	SeverityFactor  float64         `json:"severity_factor"`
	ProductFactor   float64         `json:"product_factor"`
	Severity        uint8           `json:"severity"`
	Product         string          `json:"product,omitempty"`
	Products        []string        `json:"products"`
	Followers       *int64          `json:"followers,omitempty"`
	AuthorID        string          `json:"author_id,omitempty"`
	AuthorHandle    string          `json:"author_handle,omitempty"`
	AuthorName      string          `json:"author_name,omitempty"`
	Text            string          `json:"text,omitempty"`
	Lang            string          `json:"lang,omitempty"`
	URL             string          `json:"url,omitempty"`
	Statuses        []MessageStatus `json:"statuses"`
	EarlierStatuses int             `json:"earlier_statuses,omitempty"`
	ConversationKey string          `json:"conversation"`
	Erased          bool            `json:"erased,omitempty"`
}

// MessageStatus is one status of the care department in a Message.
type MessageStatus struct {
	Status string      `json:"status"`
	At     stream.Time `json:"at"`
	By     string      `json:"by"`
	Note   string      `json:"note,omitempty"`
}

// Message returns the claim as its message.
func (r *Row) Message() *Message {
	m := &Message{
		ID: r.ID, Revision: r.Revision, State: r.State().String(), Brand: r.Brand, Platform: r.Platform, ItemID: r.ItemID,
		PublishedAt: r.PublishedAt, DetectedAt: r.ReceivedAt, OpenedAt: r.OpenedAt, Department: r.Department, Blogger: r.Blogger,
		Priority: r.Priority(), AudienceFactor: r.Audience, SeverityFactor: r.Factors.Severity, ProductFactor: r.Factors.Product,
		Severity: r.Severity, Product: r.Product, Products: append([]string{}, r.Products...),
		AuthorID: r.Author.ID, AuthorHandle: r.Author.Name, AuthorName: r.AuthorName, Text: r.Text, Lang: r.Lang, URL: r.URL,
		ConversationKey: r.Thread, Erased: r.Erased,
	}
	if r.Erased {
		m.ConversationKey = "" // of some platforms it holds the author's id
	}
	if r.Followers.Known() {
		n := r.Followers.Value()
		m.Followers = &n
	}
	m.EarlierStatuses = r.earlier()
	told := r.Statuses[m.EarlierStatuses:]
	m.Statuses = make([]MessageStatus, len(told))
	for i := range told {
		s := &told[i]
		m.Statuses[i] = MessageStatus{Status: s.State.String(), At: s.At, By: s.By, Note: s.Note}
	}
	return m
}

// Outbox takes messages for a topic.
type Outbox interface {
	Add(key, value []byte)
	Send(ctx context.Context) error
}

// Tell makes the messages about claims durable. After an error any of them may have been sent, or be sent with the next ones.
func Tell(ctx context.Context, out Outbox, rows []Row) error {
	for i := range rows {
		r := &rows[i]
		value, err := json.Marshal(r.Message())
		if err != nil {
			return fmt.Errorf("encode claim %s: %w", r.ID, err)
		}
		out.Add([]byte(r.ID), value)
	}
	return out.Send(ctx)
}

// maxStatusBytes bounds the statuses of a message. Together with a text of firehose.MaxText bytes, each written as an escape, it leaves the
// message below the megabyte that brokers take.
const maxStatusBytes = 256 << 10

// earlier returns how many of the oldest statuses a message leaves out.
func (r *Row) earlier() int {
	size := 0
	for i := range slices.Backward(r.Statuses) {
		s := &r.Statuses[i]
		size += len(`{"status":"needs_details","at":"2026-03-02T15:04:05.000Z","by":"","note":""},`) + jsonSize(s.By) + jsonSize(s.Note)
		if size > maxStatusBytes {
			return i + 1
		}
	}
	return 0
}

// jsonSize returns how many bytes a text takes at most in JSON.
func jsonSize(text string) int {
	n := 0
	for _, r := range text {
		switch {
		case r < ' ', r == '"', r == '\\', r == '<', r == '>', r == '&', r == 0x7f, r == '\u2028', r == '\u2029', r == utf8.RuneError:
			n += len(`\u0000`)
		default:
			n += utf8.RuneLen(r)
		}
	}
	return n
}

// Answer is what a care department says about a claim: a value of the topic otklik.claim_status (schemas/claim_status.schema.json).
type Answer struct {
	Claim string // id
	stream.ClaimStatus
}

// Bounds of the texts of an answer, in bytes.
const (
	maxBy   = 256
	maxNote = 4096
)

var idPattern = regexp.MustCompile(`^[0-9a-f]{16}$`)

// Error says why a record is no answer. It is permanent: the record belongs into the dead letters.
type Error struct {
	Reason string // the class: malformed_json or bad_status
	Detail string // what exactly, for a person
}

// Error returns "reason: detail".
func (e *Error) Error() string { return e.Reason + ": " + e.Detail }

// answerDocument is the JSON form of an Answer.
type answerDocument struct {
	ClaimID string `json:"claim_id"`
	Status  string `json:"status"`
	At      string `json:"at"`
	By      string `json:"by"`
	Note    string `json:"note,omitempty"`
}

// ParseAnswer reads a value of the topic. Its errors are *Error; whether the claim exists is not its business. With the reason bad_status the answer
// has the Claim as far as it is there.
func ParseAnswer(data []byte) (Answer, error) {
	var d answerDocument
	if err := json.Unmarshal(data, &d); err != nil {
		if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
			return Answer{}, &Error{"bad_status", fmt.Sprintf("%q is of the type %s; write an object whose members are strings", wrong.Field, wrong.Value)}
		}
		return Answer{}, &Error{"malformed_json", err.Error()}
	}
	a := Answer{Claim: d.ClaimID, ClaimStatus: stream.ClaimStatus{By: strings.TrimSpace(d.By), Note: strings.TrimSpace(d.Note)}}
	var faults []string
	fault := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	if !idPattern.MatchString(d.ClaimID) {
		fault("claim_id is %.40q: write the id of the claim, 16 hexadecimal digits", d.ClaimID)
	}
	state, known := stream.ParseClaimState(d.Status)
	if a.State = state; !known || !slices.Contains(stream.ClaimAnswers, state) {
		fault("status is %.40q: write one of %v", d.Status, stream.ClaimAnswers)
	}
	at, err := time.Parse(time.RFC3339, d.At)
	switch {
	case err != nil:
		fault("at is %.40q: write when it was, as 2026-03-02T15:04:05Z", d.At)
	case at.Year() < 2000 || at.Year() > 2200:
		fault("at is %q: nobody has answered claims then", d.At)
	}
	a.At = stream.TimeOf(at)
	for _, text := range []struct {
		name, value string
		most        int
	}{{"by", a.By, maxBy}, {"note", a.Note, maxNote}} {
		switch {
		case len(text.value) > text.most:
			fault("%s has %d bytes, more than %d", text.name, len(text.value), text.most)
		case !utf8.ValidString(text.value):
			fault("%s is not UTF-8", text.name)
		}
	}
	if a.By == "" {
		fault("by is missing: say who")
	}
	if len(faults) > 0 {
		return Answer{Claim: d.ClaimID}, &Error{"bad_status", strings.Join(faults, "; ")}
	}
	return a, nil
}

// Append appends the answer as a value of the topic to dst.
func (a *Answer) Append(dst []byte) ([]byte, error) {
	b, err := json.Marshal(&answerDocument{ClaimID: a.Claim, Status: a.State.String(), At: a.At.String(), By: a.By, Note: a.Note})
	if err != nil {
		return dst, fmt.Errorf("encode the status of claim %s: %w", a.Claim, err)
	}
	return append(dst, b...), nil
}
