package simulate

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"

	"otklik/stream"
	"otklik/stream/window"
)

// TruthVersion is the version of the structure of truth.json. It grows when a field changes its meaning.
const TruthVersion = 1

// Books are the figures that verify must show after everything has been processed once; see stream.Books for the unit (an
// item per brand it names). Mentions holds every distinct mention, those by the brands themselves and spam included.
type Books struct {
	Records     int64 `json:"records"`
	Read        int64 `json:"read"`
	Mentions    int64 `json:"mentions"`
	Unmatched   int64 `json:"unmatched"`
	Duplicates  int64 `json:"duplicates"`
	DeadLetters int64 `json:"dead_letters"`
	Other       int64 `json:"other"`
}

func (b *Books) add(o *Books) {
	b.Records += o.Records
	b.Read += o.Read
	b.Mentions += o.Mentions
	b.Unmatched += o.Unmatched
	b.Duplicates += o.Duplicates
	b.DeadLetters += o.DeadLetters
	b.Other += o.Other
}

// PlatformBooks are the books of the records of one platform.
type PlatformBooks struct {
	Platform stream.Platform `json:"platform"`
	Books
}

// Counts are the counts of a pane that the simulator knows by construction; the names and meanings are those of
// window.Counts: labels and all that follows Spam count customers' mentions only.
type Counts struct {
	Positive   int64 `json:"positive"`
	Neutral    int64 `json:"neutral"`
	Negative   int64 `json:"negative"`
	Unlabelled int64 `json:"unlabelled"`
	Own        int64 `json:"own"`
	Spam       int64 `json:"spam"`
	Reposts    int64 `json:"reposts"`
	Questions  int64 `json:"questions"`
	Severe     int64 `json:"severe"`
	Requests   int64 `json:"needs_answer"`
}

func (c *Counts) add(o *Counts, sign int64) {
	c.Positive += sign * o.Positive
	c.Neutral += sign * o.Neutral
	c.Negative += sign * o.Negative
	c.Unlabelled += sign * o.Unlabelled
	c.Own += sign * o.Own
	c.Spam += sign * o.Spam
	c.Reposts += sign * o.Reposts
	c.Questions += sign * o.Questions
	c.Severe += sign * o.Severe
	c.Requests += sign * o.Requests
}

// Labelled is the number of labelled customers' mentions.
func (c *Counts) Labelled() int64 { return c.Positive + c.Neutral + c.Negative }

// Cell is what one pane must hold, summed over the source partitions: a half-open window [Start, Start + grain) aligned
// to the Unix epoch in UTC. Product "" counts every mention. Cells without any mention are absent.
type Cell struct {
	Grain    string          `json:"grain"` // 1m, 1h or 1d
	Start    stream.Time     `json:"start"`
	Brand    string          `json:"brand"`
	Platform stream.Platform `json:"platform"`
	Product  string          `json:"product"`
	Counts
}

// BrandTotal is the sum of a brand over all platforms and the whole time.
type BrandTotal struct {
	Brand    string `json:"brand"`
	Mentions int64  `json:"mentions"` // by customers: what shares and the share of voice are taken of
	Counts
	ShareOfVoice float64 `json:"share_of_voice"`
	Requested    int64   `json:"requests"` // waits: customer turns (several in a row count once) that needed an answer
	Answered     int64   `json:"answered"` // of them, by an approved account and not automatically
	Conduct
}

// Conduct is how official accounts kept the rules of communication.
type Conduct struct {
	Answers      int64 `json:"answers"`              // to customers, by official accounts
	Unapproved   int64 `json:"unapproved_answers"`   // of them, by accounts that are neither approved nor declared automatic
	Confidential int64 `json:"confidential_answers"` // of them, with a telephone number that must not be told
	Compliant    int64 `json:"compliant_answers"`    // of them, neither
}

// Response is a row that the table responses must show: a wait with the answer that ended it, a wait without an answer
// (no ResponseID), or an answer that ended no wait (no WaitingID: automatic, by an account that is not approved, or a
// further part of an answer). Spans are milliseconds of the calendar clock; null is "not known".
type Response struct {
	Brand        string          `json:"brand"`
	Platform     stream.Platform `json:"platform"`
	Customer     string          `json:"customer"`
	RequestID    string          `json:"request_id"`
	RequestAt    stream.Time     `json:"request_at"`
	ResponseID   string          `json:"response_id"`
	ResponseAt   stream.Time     `json:"response_at"`
	DirectMS     *int64          `json:"direct_ms"`
	WaitingID    string          `json:"waiting_id"`
	WaitingSince stream.Time     `json:"waiting_since"`
	WaitingMS    *int64          `json:"waiting_ms"`
	Responder    string          `json:"responder"`
	Approved     bool            `json:"approved"`
	Automatic    bool            `json:"automatic"`
}

// Reason is how many dead letters a reason must have.
type Reason struct {
	Reason string `json:"reason"`
	Count  int64  `json:"count"`
}

// Truth is what the engine must make of a simulation: the content of truth.json. It does not depend on the order or
// the partitions in which the records are read. All lists are sorted.
type Truth struct {
	SchemaVersion int             `json:"schema_version"`
	Seed          uint64          `json:"seed"`
	Events        int             `json:"events"`
	Start         stream.Time     `json:"start"`
	End           stream.Time     `json:"end"` // of the story; a late record may come after it, none happens after it
	Verify        Books           `json:"verify"`
	Platforms     []PlatformBooks `json:"platforms"`
	DeadLetters   []Reason        `json:"dead_letters"`
	Brands        []BrandTotal    `json:"brands"`
	Panes         []Cell          `json:"panes"`
	Responses     []Response      `json:"responses"`
}

// WriteJSON writes the truth as one JSON object, a pane or a response a line.
func (t *Truth) WriteJSON(w io.Writer) error {
	bw := bufio.NewWriterSize(w, 1<<16)
	head := *t
	head.Panes, head.Responses = nil, nil
	b, err := json.Marshal(&struct {
		*Truth
		Panes     *int `json:"panes,omitempty"`
		Responses *int `json:"responses,omitempty"`
	}{Truth: &head})
	if err != nil {
		return fmt.Errorf("encode truth: %w", err)
	}
	if _, err := bw.Write(b[:len(b)-1]); err != nil {
		return fmt.Errorf("write truth: %w", err)
	}
	if err := writeLines(bw, "panes", t.Panes); err != nil {
		return err
	}
	if err := writeLines(bw, "responses", t.Responses); err != nil {
		return err
	}
	if _, err := bw.WriteString("\n}\n"); err != nil {
		return fmt.Errorf("write truth: %w", err)
	}
	if err := bw.Flush(); err != nil {
		return fmt.Errorf("write truth: %w", err)
	}
	return nil
}

func writeLines[T any](w *bufio.Writer, name string, rows []T) error {
	if _, err := fmt.Fprintf(w, ",\n%q:[", name); err != nil {
		return fmt.Errorf("write %s of the truth: %w", name, err)
	}
	for i := range rows {
		b, err := json.Marshal(&rows[i])
		if err != nil {
			return fmt.Errorf("encode %s of the truth: %w", name, err)
		}
		separator := ",\n"
		if i == 0 {
			separator = "\n"
		}
		if _, err := w.WriteString(separator); err != nil {
			return fmt.Errorf("write %s of the truth: %w", name, err)
		}
		if _, err := w.Write(b); err != nil {
			return fmt.Errorf("write %s of the truth: %w", name, err)
		}
	}
	if err := w.WriteByte(']'); err != nil {
		return fmt.Errorf("write %s of the truth: %w", name, err)
	}
	return nil
}

// cellKey names a cell while the truth grows.
type cellKey struct {
	grain    window.Grain
	start    stream.Time
	brand    int
	platform stream.Platform
	product  int // index into Simulator.products, or allProducts
}

const allProducts = -1

// ledger is the truth while it grows.
type ledger struct {
	cells    map[cellKey]*Counts
	totals   []Counts
	books    map[stream.Platform]*Books
	reasons  map[string]int64
	waits    map[waitKey]wait
	rows     []Response
	requests []int64
	answered []int64
	conduct  []Conduct
}

func newLedger(brands int) *ledger {
	return &ledger{
		cells: map[cellKey]*Counts{}, totals: make([]Counts, brands), books: map[stream.Platform]*Books{}, reasons: map[string]int64{},
		waits: map[waitKey]wait{}, requests: make([]int64, brands), answered: make([]int64, brands), conduct: make([]Conduct, brands),
	}
}

func (l *ledger) page(p stream.Platform) *Books {
	b := l.books[p]
	if b == nil {
		b = &Books{}
		l.books[p] = b
	}
	return b
}

// countsOf is what a post adds to the cells of one of the brands it names.
func countsOf(p *post, n *naming) Counts {
	var c Counts
	switch n.role {
	case stream.Own:
		c.Own = 1
		return c
	case stream.Spam:
		c.Spam = 1
		return c
	case stream.Customer:
	}
	switch n.label {
	case stream.Positive:
		c.Positive = 1
	case stream.Neutral:
		c.Neutral = 1
	case stream.Negative:
		c.Negative = 1
	default:
		c.Unlabelled = 1
	}
	if p.kind == stream.Repost {
		c.Reposts = 1
	}
	if p.question && p.kind != stream.Repost { // a repost repeats a question
		c.Questions = 1
	}
	if p.severe {
		c.Severe = 1
	}
	if needsAnswer(p, n) {
		c.Requests = 1
	}
	return c
}

// judge counts a post of an official account that answers a customer.
func (s *Simulator) judge(p *post) {
	if p.author.brand == nobody || p.parent == nil || p.kind == stream.Repost {
		return
	}
	c := &s.truth.conduct[p.author.brand]
	c.Answers++
	unapproved := !p.author.approved && !p.author.automatic
	if unapproved {
		c.Unapproved++
	}
	if p.leaks {
		c.Confidential++
	}
	if !unapproved && !p.leaks {
		c.Compliant++
	}
}

// count adds what the post means to the cells, or takes it away (an edit replaces the version before).
func (s *Simulator) count(p *post, sign int64) {
	for i := range p.namings {
		n := &p.namings[i]
		c := countsOf(p, n)
		s.truth.totals[n.brand].add(&c, sign)
		grains := []window.Grain{window.Hour, window.Day}
		if s.cfg.Minutes {
			grains = window.Grains
		}
		for _, g := range grains {
			k := cellKey{grain: g, start: p.at.Truncate(g.Span()), brand: n.brand, platform: p.platform, product: allProducts}
			s.truth.cell(k).add(&c, sign)
			for _, k.product = range n.products {
				s.truth.cell(k).add(&c, sign)
			}
		}
	}
}

func (l *ledger) cell(k cellKey) *Counts {
	c := l.cells[k]
	if c == nil {
		c = &Counts{}
		l.cells[k] = c
	}
	return c
}

// Truth returns the ground truth of all records. Call it after Next has returned false: before that, items that were told
// but not yet delivered are in the panes and not in the books.
func (s *Simulator) Truth() *Truth {
	t := &Truth{SchemaVersion: TruthVersion, Seed: s.cfg.Seed, Events: s.cfg.Events, Start: s.cfg.Start, End: s.end}
	l := s.truth
	for _, p := range stream.Platforms {
		if b := l.books[p]; b != nil {
			t.Verify.add(b)
			t.Platforms = append(t.Platforms, PlatformBooks{p, *b})
		}
	}
	for r, n := range l.reasons {
		t.DeadLetters = append(t.DeadLetters, Reason{r, n})
	}
	slices.SortFunc(t.DeadLetters, func(a, b Reason) int { return cmp.Compare(a.Reason, b.Reason) })
	for k, c := range l.cells {
		if *c == (Counts{}) {
			continue
		}
		cell := Cell{Grain: k.grain.String(), Start: k.start, Brand: s.brands[k.brand].key, Platform: k.platform, Counts: *c}
		if k.product != allProducts {
			cell.Product = s.products[k.product]
		}
		t.Panes = append(t.Panes, cell)
	}
	slices.SortFunc(t.Panes, func(a, b Cell) int {
		return cmp.Or(cmp.Compare(a.Grain, b.Grain), cmp.Compare(a.Start, b.Start), cmp.Compare(a.Brand, b.Brand),
			cmp.Compare(a.Platform, b.Platform), cmp.Compare(a.Product, b.Product))
	})
	t.Responses = slices.Clone(l.rows)
	for k, w := range l.waits {
		if w.id != "" {
			t.Responses = append(t.Responses, Response{
				Brand: s.brands[k.brand].key, Platform: k.platform, Customer: k.customer, WaitingID: w.id, WaitingSince: w.since,
			})
		}
	}
	sortResponses(t.Responses)
	var voice int64
	for i := range s.brands {
		c := &l.totals[i]
		b := BrandTotal{
			Brand: s.brands[i].key, Mentions: c.Labelled() + c.Unlabelled, Counts: *c, Requested: l.requests[i], Answered: l.answered[i],
			Conduct: l.conduct[i],
		}
		voice += b.Mentions
		t.Brands = append(t.Brands, b)
	}
	for i := range t.Brands {
		if voice > 0 {
			t.Brands[i].ShareOfVoice = float64(t.Brands[i].Mentions) / float64(voice)
		}
	}
	return t
}

func sortResponses(rows []Response) {
	slices.SortFunc(rows, func(a, b Response) int {
		return cmp.Or(cmp.Compare(a.Brand, b.Brand), cmp.Compare(a.Platform, b.Platform), cmp.Compare(a.WaitingSince, b.WaitingSince),
			cmp.Compare(a.ResponseAt, b.ResponseAt), cmp.Compare(a.WaitingID, b.WaitingID), cmp.Compare(a.ResponseID, b.ResponseID))
	})
}
