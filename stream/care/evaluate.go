package care

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"otklik/stream"
)

// Evaluator derives responses and cases from turns. It never changes and may be used by several goroutines.
//
// The rules, where the data dictionary leaves a choice:
//
//   - Turns are ordered by time, then item id; an own turn never comes before the turn that it answers.
//   - An own turn addresses the customer of the turn it answers (if that is an own turn, the customer that one
//     addressed); else the customer it states; else the only customer who has spoken before it; else the one of them
//     who waits longest for an answer to a turn flagged NeedsAnswer; else nobody. A brand's post that addresses nobody and answers nothing makes no row.
//   - A customer waits from the first turn that needs an answer to the next approved, not automatic own turn to them. A
//     turn that such an answer names as its request needed one, whatever its flags say. Waits know nothing of
//     cycles: who is answered after two weeks has waited for two weeks.
//   - A span that would be negative (clocks differ, an edited date) is 0: the platform says that one answers the other.
//   - Customer turns part cycles, answers do not: an answer after the quiet gap still belongs to the case it answers, and
//     is the first response of every cycle that waits for one.
//   - Customers whom the platform gave no id are one customer with the name "".
type Evaluator struct {
	quiet stream.Time
	clock *Clock
}

// NewEvaluator returns an evaluator for the configuration, with defaults for what is not set. The error joins every
// fault of the configuration.
func NewEvaluator(cfg Config) (*Evaluator, error) {
	cfg = cfg.WithDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("configure care: %w", err)
	}
	clock, err := cfg.Calendar.Compile()
	if err != nil {
		return nil, fmt.Errorf("configure care: %w", err)
	}
	return &Evaluator{quiet: stream.Time(cfg.QuietGap.Milliseconds()), clock: clock}, nil
}

// Evaluate derives all rows of one thread from the set of its turns: the same for any order of them. Of several turns
// with one item id the one with the lowest position counts. Every row has the highest position among the turns.
// Responses are sorted by the time of the waiting turn (else of the answer), cases by opening; then by id.
func (e *Evaluator) Evaluate(key Key, turns []Turn) ([]Response, []Case) {
	g := newGraph(e.quiet)
	position := e.load(g, turns)
	responses := make([]Response, 0, len(g.added))
	for _, r := range g.added {
		responses = append(responses, e.response(g, key, r, position))
	}
	cases := make([]Case, 0, len(g.newCases))
	for _, c := range g.newCases {
		cases = append(cases, e.cycle(g, key, c, position))
	}
	slices.SortFunc(responses, func(a, b Response) int {
		return cmp.Or(cmp.Compare(a.at(), b.at()), strings.Compare(a.ID, b.ID))
	})
	slices.SortFunc(cases, func(a, b Case) int {
		return cmp.Or(cmp.Compare(a.OpenedAt, b.OpenedAt), strings.Compare(a.ID, b.ID))
	})
	return responses, cases
}

// at returns the time to which the row is attributed: that of the request, or of the answer without one.
func (r *Response) at() stream.Time {
	if r.WaitingID != "" {
		return r.WaitingSince
	}
	return r.ResponseAt
}

// load fills an empty graph with the turns and returns their highest position.
func (e *Evaluator) load(g *graph, turns []Turn) stream.Position {
	// In their order, because that is the cheapest one to insert; the same item side by side, its first delivery first.
	sorted := slices.Clone(turns)
	slices.SortFunc(sorted, func(a, b Turn) int {
		return cmp.Or(cmp.Compare(a.At, b.At), strings.Compare(a.ItemID, b.ItemID), delivery(&a, &b))
	})
	first := make(map[string]int, len(sorted))
	for i := range sorted {
		t := &sorted[i]
		if other, ok := first[t.ItemID]; !ok || delivery(t, &sorted[other]) < 0 {
			first[t.ItemID] = i
		}
	}
	var position stream.Position
	for i := range sorted {
		position = max(position, sorted[i].Position)
		if first[sorted[i].ItemID] == i {
			g.insert(&sorted[i])
		}
	}
	g.finish()
	return position
}

// delivery orders the deliveries of one item: by position, then (which no log can cause) by content.
func delivery(a, b *Turn) int {
	own := func(t *Turn) int {
		if t.Own {
			return 1
		}
		return 0
	}
	return cmp.Or(
		cmp.Compare(a.Position, b.Position),
		cmp.Compare(a.At, b.At),
		cmp.Compare(own(a), own(b)),
		cmp.Compare(a.Flags, b.Flags),
		strings.Compare(a.Author, b.Author),
		strings.Compare(a.Customer, b.Customer),
		strings.Compare(a.ParentID, b.ParentID),
		cmp.Compare(a.ParentAt, b.ParentAt),
	)
}

// row is a Response as its graph knows it. Two rows are equal if and only if the responses are.
type row struct {
	who       int32
	wait      int32 // the turn that waits, or none
	answer    int32 // the own turn, or none
	first     bool  // the turn that waits opens a cycle
	request   bool  // the answer names a request
	requestAt stream.Time
}

// cycle is a Case as its graph knows it. Two cycles are equal if and only if the cases are.
type cycle struct {
	who               int32
	number            uint32
	opened            int32       // the turn that opened it
	first             int32       // the answer to that, or none
	since             int32       // the turn that waits, or none
	lastCustomer      stream.Time // times of turns
	lastAnswer        stream.Time
	last              stream.Time // of any turn
	messages, answers uint32
}

// replay derives the rows and cycles of one person from their turns, into g.rows and g.cycles.
func (g *graph) replay(who int32) {
	g.rows, g.cycles = g.rows[:0], g.cycles[:0]
	open := -1           // index of the row that waits
	waiting := 0         // index of the first cycle that waits; they are the last ones
	apart := true        // the customer has come back after a quiet gap and needed nothing yet
	var last stream.Time // activity of the conversation

	for k, i := range g.people[who].turns {
		n := &g.nodes[i]
		switch {
		case !n.own:
			if k > 0 && elapsed(last, n.at) >= g.quiet {
				apart = true
			}
			opens := apart && n.wants()
			if opens {
				apart = false
				g.cycles = append(g.cycles, cycle{who: who, number: uint32(len(g.cycles)) + 1, opened: i, first: none, since: none, last: n.at})
			}
			if !apart {
				c := &g.cycles[len(g.cycles)-1]
				c.messages++
				c.lastCustomer = n.at
				c.last = max(c.last, n.at)
				if c.since == none && n.wants() {
					c.since = i
				}
			}
			if open < 0 && n.wants() {
				open = len(g.rows)
				waiting = len(g.cycles) - 1
				g.rows = append(g.rows, row{who: who, wait: i, answer: none, first: opens})
			}

		default:
			request, requestAt := g.request(n)
			if n.ends() && open >= 0 {
				r := &g.rows[open]
				r.answer, r.request, r.requestAt = i, request, requestAt
				open = -1
				for c := range g.cycles[waiting:] {
					c := &g.cycles[waiting+c]
					c.since = none
					c.answers++
					c.lastAnswer = max(c.lastAnswer, n.at)
					if c.first == none {
						c.first = i
					}
				}
			} else if who != nobody || request {
				g.rows = append(g.rows, row{who: who, wait: none, answer: i, request: request, requestAt: requestAt})
			}
			if !apart {
				c := &g.cycles[len(g.cycles)-1]
				c.last = max(c.last, n.at)
				if n.ends() {
					c.lastAnswer = max(c.lastAnswer, n.at)
				}
			}
		}
		if k == 0 || n.at > last {
			last = n.at
		}
	}
}

// request returns whether an own turn names a message that it answers and that is not the brand's own, and when that was.
func (g *graph) request(n *node) (bool, stream.Time) {
	switch {
	case n.parentID == "" || n.parentID == n.id:
		return false, 0
	case n.parent == none:
		return true, n.parentAt
	default:
		p := &g.nodes[n.parent]
		return !p.own, p.at
	}
}

// response writes out a row.
func (e *Evaluator) response(g *graph, key Key, r row, position stream.Position) Response {
	out := Response{Key: key, Customer: g.people[r.who].name, First: r.first, Position: position}
	if r.wait != none {
		n := &g.nodes[r.wait]
		out.ID, out.WaitingID, out.WaitingSince = n.id, n.id, n.at
	}
	if r.answer == none {
		return out
	}
	n := &g.nodes[r.answer]
	if r.wait == none {
		out.ID = n.id
	} else {
		out.Waiting = stream.CountOf(int64(elapsed(out.WaitingSince, n.at)))
		out.Business = stream.CountOf(int64(e.clock.Between(out.WaitingSince, n.at)))
	}
	out.ResponseID, out.ResponseAt, out.Responder = n.id, n.at, n.author
	out.Approved = n.flags&stream.Approved != 0
	out.Automatic = n.flags&stream.Automatic != 0
	if r.request {
		out.RequestID, out.RequestAt = n.parentID, r.requestAt
		if r.requestAt != 0 {
			out.Direct = stream.CountOf(int64(elapsed(r.requestAt, n.at)))
		}
	}
	return out
}

// cycle writes out a case.
func (e *Evaluator) cycle(g *graph, key Key, c cycle, position stream.Position) Case {
	opened := &g.nodes[c.opened]
	out := Case{
		Key:            key,
		ID:             opened.id,
		Customer:       g.people[c.who].name,
		Cycle:          c.number,
		OpenedAt:       opened.at,
		LastCustomerAt: c.lastCustomer,
		LastAnswerAt:   c.lastAnswer,
		QuietAt:        c.last + e.quiet,
		Messages:       c.messages,
		Answers:        c.answers,
		Position:       position,
	}
	if c.first != none {
		n := &g.nodes[c.first]
		out.FirstResponseAt, out.Responder = n.at, n.author
		out.FirstResponse = stream.CountOf(int64(elapsed(opened.at, n.at)))
		out.FirstBusiness = stream.CountOf(int64(e.clock.Between(opened.at, n.at)))
	}
	if c.since != none {
		out.UnansweredSince = g.nodes[c.since].at
	}
	return out
}
