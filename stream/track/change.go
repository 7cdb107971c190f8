package track

import (
	"otklik/stream"
	"otklik/stream/window"
)

// changes are what the records of a batch do to the panes, in their order. They are collected first, so that the closed panes that they
// reopen can be fetched with one query.
type changes struct {
	list          []change
	contributions []window.Contribution
	requests      []window.Request
}

// change is what a record does to the panes.
type change struct {
	position stream.Position
	kind     changeKind
	at       int // place in requests; of counted and replaced in contributions, the former version before the new one
}

type changeKind uint8

const (
	counted   changeKind = iota // a new mention
	replaced                    // a new version of a mention
	requested                   // a request, answered or not, appears in the panes of its time
	withdrawn                   // a request as it was counted before disappears
)

// count adds a new mention.
func (c *changes) count(pos stream.Position, m *stream.Mention) {
	c.list = append(c.list, change{position: pos, kind: counted, at: len(c.contributions)})
	c.contributions = append(c.contributions, window.ContributionOf(m))
}

// replace adds a new version of a mention.
func (c *changes) replace(pos stream.Position, former, m *stream.Mention) {
	c.list = append(c.list, change{position: pos, kind: replaced, at: len(c.contributions)})
	c.contributions = append(c.contributions, window.ContributionOf(former), window.ContributionOf(m))
}

// request adds a request of that kind.
func (c *changes) request(pos stream.Position, kind changeKind, r window.Request) {
	c.list = append(c.list, change{position: pos, kind: kind, at: len(c.requests)})
	c.requests = append(c.requests, r)
}

// missing returns the keys of the panes that must be fetched first, some of them several times.
func (c *changes) missing(panes *window.Store) []window.Key {
	var keys []window.Key
	for i := range c.contributions {
		keys = panes.Missing(&c.contributions[i], keys)
	}
	for i := range c.requests {
		r := &c.requests[i]
		keys = panes.Missing(&window.Contribution{PublishedAt: r.At, Brand: r.Brand, Platform: r.Platform}, keys)
	}
	return keys
}

// apply makes the changes.
func (c *changes) apply(panes *window.Store) error {
	for i := range c.list {
		var err error
		switch ch := &c.list[i]; ch.kind {
		case requested:
			err = panes.Respond(&c.requests[ch.at], +1, ch.position)
		case withdrawn:
			err = panes.Respond(&c.requests[ch.at], -1, ch.position)
		case replaced:
			panes.Replace(&c.contributions[ch.at], &c.contributions[ch.at+1], ch.position)
		default:
			panes.Apply(&c.contributions[ch.at], ch.position)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// reset forgets all changes.
func (c *changes) reset() {
	clear(c.contributions) // products share memory with their mentions
	c.list, c.contributions, c.requests = c.list[:0], c.contributions[:0], c.requests[:0]
}
