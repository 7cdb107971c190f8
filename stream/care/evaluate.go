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

// replayState is what a replay knows between two turns. Its indexes are into g.rows and g.cycles.
type replayState struct {
	open    int         // the row that waits, or −1
	waiting int         // if one waits, the first cycle that does; they are the last ones
	apart   bool        // no cycle yet, or the customer has come back after a quiet gap and needed nothing yet
	last    stream.Time // activity of the conversation
}

// resume is a place in a long conversation from which a replay can go on, so that a turn near its end costs no more
// than in a short one. The rows and cycles before it that no later turn can change are those of the person.
type resume struct {
	turns       int // replayed before it
	state       replayState
	firstRow    int   // of the person's rows, the first that may still change
	rows        []row // the rows from there, as they were at this place
	firstCycle  int   // likewise
	firstCycles []cycle
}

const (
	resumeBehind = 48 // turns after a resume, for disorder to stay behind it
	resumeEvery  = 64 // turns until it moves on
	resumeTail   = 64 // rows or cycles that may still change, at most
)

// replay derives the rows and cycles of one person from their turns. It leaves in g.rows and g.cycles those from the
// returned indexes on; what the person has before them stays as it is.
func (g *graph) replay(who int32) (firstRow, firstCycle int) {
	p := &g.people[who]
	s := replayState{open: -1, apart: true}
	g.rows, g.cycles = g.rows[:0], g.cycles[:0]
	start := 0
	if r := p.resume; r != nil {
		if p.changed >= r.turns {
			start, s, firstRow, firstCycle = r.turns, r.state, r.firstRow, r.firstCycle
			g.rows = append(g.rows, r.rows...)
			g.cycles = append(g.cycles, r.firstCycles...)
		} else {
			p.resume = nil
		}
	}
	next := len(p.turns) - resumeBehind
	if next < start+resumeEvery {
		next = -1
	}
	for k := start; k < len(p.turns); k++ {
		if k == next {
			p.resume = g.remember(s, k, firstRow, firstCycle)
		}
		i := p.turns[k]
		n := &g.nodes[i]
		if n.own {
			g.replayAnswer(&s, who, i)
		} else {
			if k > 0 && elapsed(s.last, n.at) >= g.quiet {
				s.apart = true
			}
			g.replayMessage(&s, who, i, firstCycle)
		}
		if k == 0 || n.at > s.last {
			s.last = n.at
		}
	}
	return firstRow, firstCycle
}

// remember makes a resume before the k-th turn; nil if too much may still change.
func (g *graph) remember(s replayState, k, firstRow, firstCycle int) *resume {
	row, cycle := len(g.rows), max(0, len(g.cycles)-1)
	if s.open >= 0 {
		row, cycle = s.open, s.waiting
	}
	if len(g.rows)-row > resumeTail || len(g.cycles)-cycle > resumeTail {
		return nil
	}
	r := &resume{
		turns:       k,
		state:       s,
		firstRow:    firstRow + row,
		rows:        slices.Clone(g.rows[row:]),
		firstCycle:  firstCycle + cycle,
		firstCycles: slices.Clone(g.cycles[cycle:]),
	}
	if s.open >= 0 {
		r.state.open, r.state.waiting = 0, 0
	}
	return r
}

func (g *graph) replayMessage(s *replayState, who, i int32, firstCycle int) {
	n := &g.nodes[i]
	opens := s.apart && n.wants()
	if opens {
		s.apart = false
		number := uint32(firstCycle + len(g.cycles) + 1)
		g.cycles = append(g.cycles, cycle{who: who, number: number, opened: i, first: none, since: none, last: n.at})
	}
	if !s.apart {
		c := &g.cycles[len(g.cycles)-1]
		c.messages++
		c.lastCustomer = n.at
		c.last = max(c.last, n.at)
		if c.since == none && n.wants() {
			c.since = i
		}
	}
	if s.open < 0 && n.wants() {
		s.open, s.waiting = len(g.rows), len(g.cycles)-1
		g.rows = append(g.rows, row{who: who, wait: i, answer: none, first: opens})
	}
}

func (g *graph) replayAnswer(s *replayState, who, i int32) {
	n := &g.nodes[i]
	request, requestAt := g.request(n)
	if n.ends() && s.open >= 0 {
		r := &g.rows[s.open]
		r.answer, r.request, r.requestAt = i, request, requestAt
		s.open = -1
		for c := s.waiting; c < len(g.cycles); c++ {
			c := &g.cycles[c]
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
	if !s.apart {
		c := &g.cycles[len(g.cycles)-1]
		c.last = max(c.last, n.at)
		if n.ends() {
			c.lastAnswer = max(c.lastAnswer, n.at)
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
