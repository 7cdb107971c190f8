package care

import (
	"cmp"
	"slices"

	"otklik/stream"
)

// naive derives the rows of a thread by the rules of Evaluator as they are written, with no thought of speed and no
// code in common with graph.go and evaluate.go. Item ids are distinct.
func naive(cfg Config, clock *Clock, key Key, turns []Turn) ([]Response, []Case) {
	byID := map[string]*Turn{}
	var position stream.Position
	for i := range turns {
		byID[turns[i].ItemID] = &turns[i]
		position = max(position, turns[i].Position)
	}
	name := func(t *Turn) string { return cmp.Or(t.Customer, t.Author) }
	parent := func(t *Turn) *Turn { // what an own turn answers; nil when it leads back to itself
		p := byID[t.ParentID]
		seen := map[string]bool{}
		for q := p; q != nil && q.Own && !seen[q.ItemID]; q = byID[q.ParentID] {
			if q == t {
				return nil
			}
			seen[q.ItemID] = true
		}
		return p
	}
	// The order: a turn stands at the latest place on its way up.
	type place struct {
		at    stream.Time
		id    string
		depth int
	}
	var placeOf func(t *Turn) place
	placeOf = func(t *Turn) place {
		self := place{t.At, t.ItemID, 0}
		if !t.Own {
			return self
		}
		if p := parent(t); p != nil {
			if up := placeOf(p); cmp.Or(cmp.Compare(self.at, up.at), cmp.Compare(self.id, up.id)) < 0 {
				return place{up.at, up.id, up.depth + 1}
			}
		}
		return self
	}
	order := make([]*Turn, 0, len(turns))
	for i := range turns {
		order = append(order, &turns[i])
	}
	slices.SortFunc(order, func(a, b *Turn) int {
		x, y := placeOf(a), placeOf(b)
		return cmp.Or(cmp.Compare(x.at, y.at), cmp.Compare(x.id, y.id), cmp.Compare(x.depth, y.depth),
			cmp.Compare(a.At, b.At), cmp.Compare(a.ItemID, b.ItemID))
	})

	ends := func(t *Turn) bool {
		return t.Own && t.Flags&stream.Approved != 0 && t.Flags&stream.Automatic == 0
	}
	replied := map[*Turn]bool{}
	for _, t := range order {
		if p := byID[t.ParentID]; ends(t) && p != nil && !p.Own {
			replied[p] = true
		}
	}
	wants := func(t *Turn) bool { return !t.Own && (t.Flags&stream.NeedsAnswer != 0 || replied[t]) }

	// Whom each own turn addresses; found is false for nobody.
	type addressee struct {
		name  string
		found bool
	}
	var said func(t *Turn) addressee
	said = func(t *Turn) addressee {
		if p := parent(t); p != nil {
			if !p.Own {
				return addressee{name(p), true}
			}
			if a := said(p); a.found {
				return a
			}
		}
		return addressee{t.Customer, t.Customer != ""}
	}
	whose := map[*Turn]addressee{}
	wait := map[string]*Turn{}
	place0 := map[*Turn]int{}
	var spoken []string
	for i, t := range order {
		place0[t] = i
		if !t.Own {
			whose[t] = addressee{name(t), true}
			if !slices.Contains(spoken, name(t)) {
				spoken = append(spoken, name(t))
			}
			if wait[name(t)] == nil && t.Flags&stream.NeedsAnswer != 0 {
				wait[name(t)] = t
			}
			continue
		}
		a := said(t)
		if p := parent(t); !a.found && p != nil {
			a = whose[p]
		}
		if !a.found && len(spoken) == 1 {
			a = addressee{spoken[0], true}
		}
		if !a.found {
			var longest *Turn
			for _, w := range wait {
				if longest == nil || place0[w] < place0[longest] {
					longest = w
				}
			}
			if longest != nil {
				a = addressee{name(longest), true}
			}
		}
		whose[t] = a
		if a.found && ends(t) {
			delete(wait, a.name)
		}
	}

	span := func(from, to stream.Time) stream.Count { return stream.CountOf(int64(max(0, to-from))) }
	var responses []Response
	var cases []Case
	answer := func(r *Response, t *Turn) {
		r.ResponseID, r.ResponseAt, r.Responder = t.ItemID, t.At, t.Author
		r.Approved = t.Flags&stream.Approved != 0
		r.Automatic = t.Flags&stream.Automatic != 0
		p := byID[t.ParentID]
		if t.ParentID == "" || p != nil && p.Own {
			return
		}
		r.RequestID, r.RequestAt = t.ParentID, t.ParentAt
		if p != nil {
			r.RequestAt = p.At
		}
		if r.RequestAt != 0 {
			r.Direct = span(r.RequestAt, t.At)
		}
	}
	for _, t := range order { // own turns that answer nobody in particular
		if t.Own && !whose[t].found {
			r := Response{Key: key, ID: t.ItemID, Position: position}
			answer(&r, t)
			if r.RequestID != "" {
				responses = append(responses, r)
			}
		}
	}
	everybody := map[string]bool{}
	for _, a := range whose {
		if a.found {
			everybody[a.name] = true
		}
	}
	for who := range everybody {
		var conversation []*Turn
		for _, t := range order {
			if whose[t] == (addressee{who, true}) {
				conversation = append(conversation, t)
			}
		}
		// Waits.
		openers := map[*Turn]bool{}
		var mine []Case
		var open *Turn
		var active stream.Time
		gone := true
		for i, t := range conversation {
			if !t.Own && i > 0 && t.At-active >= stream.Time(cfg.QuietGap.Milliseconds()) {
				gone = true
			}
			if i == 0 || t.At > active {
				active = t.At
			}
			if gone && wants(t) {
				gone = false
				openers[t] = true
				mine = append(mine, Case{Key: key, ID: t.ItemID, Customer: who, Cycle: uint32(len(mine) + 1), OpenedAt: t.At, Position: position})
			}
			if len(mine) > 0 && !gone {
				c := &mine[len(mine)-1]
				c.QuietAt = max(c.QuietAt, t.At+stream.Time(cfg.QuietGap.Milliseconds()))
				switch {
				case !t.Own:
					c.Messages++
					c.LastCustomerAt = t.At
					if wants(t) && c.UnansweredSince == 0 {
						c.UnansweredSince = t.At
					}
				case ends(t):
					c.LastAnswerAt = max(c.LastAnswerAt, t.At)
				}
			}
			switch {
			case wants(t) && open == nil:
				open = t
			case ends(t) && open != nil:
				r := Response{
					Key: key, ID: open.ItemID, Customer: who, WaitingID: open.ItemID, WaitingSince: open.At,
					Waiting: span(open.At, t.At), Business: stream.CountOf(int64(clock.Between(open.At, t.At))), First: openers[open], Position: position,
				}
				answer(&r, t)
				responses = append(responses, r)
				open = nil
				for k := range mine {
					c := &mine[k]
					if c.UnansweredSince == 0 {
						continue
					}
					c.UnansweredSince = 0
					c.Answers++
					c.LastAnswerAt = max(c.LastAnswerAt, t.At)
					if !c.FirstResponse.Known() {
						c.FirstResponseAt, c.Responder = t.At, t.Author
						c.FirstResponse = span(c.OpenedAt, t.At)
						c.FirstBusiness = stream.CountOf(int64(clock.Between(c.OpenedAt, t.At)))
					}
				}
			case t.Own:
				r := Response{Key: key, ID: t.ItemID, Customer: who, Position: position}
				answer(&r, t)
				responses = append(responses, r)
			}
		}
		if open != nil {
			responses = append(responses, Response{Key: key, ID: open.ItemID, Customer: who, WaitingID: open.ItemID, WaitingSince: open.At, First: openers[open], Position: position})
		}
		cases = append(cases, mine...)
	}
	slices.SortFunc(responses, func(a, b Response) int {
		at := func(r *Response) stream.Time {
			if r.WaitingID != "" {
				return r.WaitingSince
			}
			return r.ResponseAt
		}
		return cmp.Or(cmp.Compare(at(&a), at(&b)), cmp.Compare(a.ID, b.ID))
	})
	slices.SortFunc(cases, func(a, b Case) int {
		return cmp.Or(cmp.Compare(a.OpenedAt, b.OpenedAt), cmp.Compare(a.ID, b.ID))
	})
	return responses, cases
}
