package claim

import (
	"cmp"
	"encoding/hex"
	"reflect"
	"slices"
	"strings"

	"github.com/zeebo/xxh3"

	"otklik/stream"
)

// Row is a row of the table claims: a negative mention that was handed over, and what became of it.
type Row struct {
	stream.MentionName
	stream.Factors

	ID        string
	Partition int32 // of otklik.mentions
	Thread    string

	PublishedAt stream.Time // the first version of the mention
	VersionAt   stream.Time // the version that made it a claim: as PublishedAt, or when it was edited
	ReceivedAt  stream.Time // when the platform delivered that version: record timestamp
	OpenedAt    stream.Time // record timestamp of what made it a claim: that version, or a correction

	Product    string // the heaviest that is named
	Products   []string
	Severity   uint8
	Department string
	Blogger    bool
	Author     stream.Account
	AuthorName string
	Followers  stream.Count
	Text       string
	Lang       string
	URL        string

	ReopenWithin stream.Time // Config.ReopenWithin when it was opened

	Withdrawn bool                 // the mention has no priority any more
	Erased    bool                 // the platform has deleted the mention: its text, author and notes are gone for good
	Statuses  []stream.ClaimStatus // in the order of At
	Revision  uint32               // 1 when it was opened; grows with every change
	Position  stream.Position
}

// IDOf returns the id of the claim about a mention: 16 hexadecimal digits, the same however often it is computed. Among a million claims, two
// have the same id with a probability below 10⁻⁷.
func IDOf(n *stream.MentionName) string {
	sum := xxh3.HashString128(string(n.Platform) + "\x00" + n.ItemID + "\x00" + n.Brand).Bytes()
	return hex.EncodeToString(sum[:8])
}

// Open makes the claim about a mention that has the priority for it. received is the record timestamp of what gave it that: the
// mention, a version of it, or a correction.
func (p *Policy) Open(m *stream.MentionRow, received stream.Time) Row {
	r := Row{
		MentionName: stream.MentionName{Platform: m.Item.Platform, ItemID: m.Item.Identity(), Brand: m.Brand},
		PublishedAt: m.Item.PublishedAt, VersionAt: max(m.Item.PublishedAt, m.Item.EditedAt), ReceivedAt: m.ReceivedAt, OpenedAt: received,
		ReopenWithin: stream.Time(p.cfg.ReopenWithin.Milliseconds()), Revision: 1,
	}
	r.ID = IDOf(&r.MentionName)
	p.take(&r, m)
	return r
}

// take takes over what a mention says.
func (p *Policy) take(r *Row, m *stream.MentionRow) {
	i := &m.Item
	r.Factors, r.Partition, r.Thread, r.Position = m.Factors, m.Partition, i.Thread, m.Position
	r.Product, _ = p.product(&m.Mention)
	r.Products, r.Severity, r.Department = m.Products, m.Severity, p.department(r.Product)
	r.Blogger, r.Author, r.AuthorName, r.Followers = p.Blogger(i.Followers), i.Author, i.AuthorName, i.Followers
	r.Text, r.Lang, r.URL = i.Text, i.Lang, i.URL
}

// Follow returns the claim as a further version of its mention, or a correction of its label, makes it, and whether that is another
// claim than before. A mention without the priority withdraws it; what it was handed over with stays then.
func (p *Policy) Follow(r *Row, m *stream.MentionRow) (Row, bool) {
	next := *r
	next.Withdrawn = !m.Factors.Claims()
	if !next.Withdrawn {
		p.take(&next, m)
	}
	if r.Erased {
		next.Erase()
	}
	next.Position = r.Position
	if same(&next, r) {
		return *r, false
	}
	next.Position = m.Position
	next.Revision++
	return next, true
}

// Erase takes out what people wrote and who they are. Ids of claim and item stay, and so do factors, times and states.
func (r *Row) Erase() {
	r.Erased = true
	r.Text, r.Author, r.AuthorName, r.URL = "", stream.Account{}, "", ""
	r.Statuses = slices.Clone(r.Statuses)
	for i := range r.Statuses {
		r.Statuses[i].Note = ""
	}
}

// same compares two claims. An empty list is one that is not there.
func same(a, b *Row) bool {
	x, y := *a, *b
	if slices.Equal(x.Products, y.Products) {
		x.Products, y.Products = nil, nil
	}
	x.Statuses, y.Statuses = nil, nil
	return reflect.DeepEqual(x, y)
}

// maxStatuses bounds the statuses of a claim: a system that says more about one is caught in a loop.
const maxStatuses = 1000

// Full reports whether the claim takes no further status.
func (r *Row) Full() bool { return len(r.Statuses) >= maxStatuses }

// Apply returns the claim with a status of the care department, and false if it had it before. The order in which statuses are applied
// does not matter. The note on an erased claim is left out: it may say again what was erased.
func (r *Row) Apply(s *stream.ClaimStatus, position stream.Position) (Row, bool) {
	if slices.ContainsFunc(r.Statuses, func(o stream.ClaimStatus) bool { return o.Same(s) }) {
		return *r, false
	}
	next := *r
	next.Statuses = append(slices.Clone(r.Statuses), *s)
	if r.Erased {
		next.Statuses[len(r.Statuses)].Note = ""
	}
	slices.SortFunc(next.Statuses, func(a, b stream.ClaimStatus) int {
		return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(a.State, b.State), strings.Compare(a.By, b.By))
	})
	next.Revision++
	next.Position = position
	return next, true
}

// State returns where the claim stands: withdrawn, or as its newest status says.
func (r *Row) State() stream.ClaimState {
	switch n := len(r.Statuses); {
	case r.Withdrawn:
		return stream.ClaimWithdrawn
	case n > 0:
		return r.Statuses[n-1].State
	}
	return stream.ClaimOpen
}

// First returns when the care department first gave a state; 0: never.
func (r *Row) First(state stream.ClaimState) stream.Time {
	for i := range r.Statuses {
		if r.Statuses[i].State == state {
			return r.Statuses[i].At
		}
	}
	return 0
}

// Cycles returns when the claim was resolved, once for each cycle, and when the department first reopened it after each; 0: never. A second
// "resolved" without anything in between is the same resolution, and only the last cycle may be without another status behind it.
func (r *Row) Cycles() (resolved, reopened []stream.Time) {
	open := true
	for i := range r.Statuses {
		s := &r.Statuses[i]
		switch {
		case s.State == stream.ClaimResolved && open:
			resolved, reopened = append(resolved, s.At), append(reopened, 0)
		case s.State == stream.ClaimReopened && len(reopened) > 0 && reopened[len(reopened)-1] == 0:
			reopened[len(reopened)-1] = s.At
		}
		open = s.State != stream.ClaimResolved
	}
	return resolved, reopened
}

// LastResolved returns the last "resolved"; 0: there is none.
func (r *Row) LastResolved() stream.Time {
	for _, s := range slices.Backward(r.Statuses) {
		if s.State == stream.ClaimResolved {
			return s.At
		}
	}
	return 0
}
