package window

import (
	"fmt"
	"math"
	"slices"

	"otklik/stream"
)

// Store holds the open panes of one partition of otklik.mentions, and those closed ones that late records have called
// back. It is not safe for concurrent use.
//
// A task uses it so:
//
//	s.Restore(rows of the table panes whose end + grace is after the watermark)
//	s.Advance(watermark and position of the restart point)
//	for each micro-batch:
//		keys := s.Missing(each contribution); s.Restore(rows found); s.Absent(keys not found)
//		for each record: s.Apply, s.Replace, s.Respond; s.Advance
//	for each flush: rows := s.Flush(); …; when they are durable: s.Clean(); s.Evict()
//
// Every pane follows the log by itself. A record whose position the row from which a pane was restored already covers
// changes nothing in that pane; so a torn flush, of which some panes became durable and others did not, is healed by
// the replay. Position, which Apply moves, decides nothing: one record may make several changes in a pane.
type Store struct {
	partition int32
	grace     stream.Time

	series map[seriesKey]*series
	last   *series // the series of the last lookup: a record asks for one several times

	watermark stream.Time
	begun     bool // something has been applied
	// horizon is the bound before which panes may exist in the table without being in memory: the watermark of the restart
	// point, then that of the last eviction. A pane that closes after it and is not in memory does not exist.
	horizon stream.Time

	closing map[stream.Time][]*pane // open panes by the moment at which they close
	moments []stream.Time           // the keys of closing, ascending; there are few
	closed  []*pane                 // closed panes in memory
	dirty   []*pane                 // to be flushed, each once
	flushed []*pane                 // handed out by Flush and not known to be durable
	panes   int
}

type seriesKey struct {
	brand    string
	platform stream.Platform
	product  string
}

// series is the panes of one brand, platform and product.
type series struct {
	key    seriesKey
	grains [3]map[stream.Time]*pane
	recent [3]*pane // the last one used of each grain
	count  int
}

type pane struct {
	Pane
	series   *series
	restored stream.Position // records up to it are in the row that the pane was restored from
	dirty    bool
	inFlight bool // handed out by Flush and not known to be durable
	closed   bool
}

// NewStore returns an empty store for a partition of otklik.mentions. The configuration must be valid.
func NewStore(partition int32, cfg Config) *Store {
	return &Store{
		partition: partition,
		grace:     span(cfg.Grace),
		series:    make(map[seriesKey]*series),
		closing:   make(map[stream.Time][]*pane),
	}
}

// Len returns the number of panes in memory.
func (s *Store) Len() int { return s.panes }

// Watermark returns the time that Advance has reached.
func (s *Store) Watermark() stream.Time { return s.watermark }

// Restore takes rows of the table panes into memory. A pane that is in memory already is left alone unless the row has
// followed the log further.
func (s *Store) Restore(panes []Pane) {
	for i := range panes {
		row := &panes[i]
		p := s.pane(s.find(row.Brand, row.Platform, row.Product), row.Grain, row.Start)
		if p.Position >= row.Position && p.Position > 0 {
			continue
		}
		p.Counts, p.Final = row.Counts, row.Final
		p.Responses = slices.Clone(row.Responses)
		p.Position, p.restored = row.Position, row.Position
	}
}

// Restored returns up to which position the row of the table held the log when the pane was taken into memory; false for a pane
// that is not there.
func (s *Store) Restored(k *Key) (stream.Position, bool) {
	ser := s.series[seriesKey{k.Brand, k.Platform, k.Product}]
	if ser == nil || ser.grains[k.Grain][k.Start] == nil {
		return 0, false
	}
	return ser.grains[k.Grain][k.Start].restored, true
}

// Missing appends to dst the keys of the panes that the contribution changes, that may exist in the table panes and are
// not in memory. The caller must read them, by one query for a whole batch, and hand what it found to Restore and
// the rest to Absent before it applies the contribution, with no Evict in between. For Respond ask with a
// contribution of the request's brand, platform and time.
func (s *Store) Missing(c *Contribution, dst []Key) []Key {
	if c.PublishedAt.Truncate(stream.Minute)+stream.Minute+s.grace > s.horizon {
		return dst // the minute closes first
	}
	dst = s.missing(c, "", dst)
	for _, product := range c.Products {
		dst = s.missing(c, product, dst)
	}
	return dst
}

func (s *Store) missing(c *Contribution, product string, dst []Key) []Key {
	ser := s.series[seriesKey{c.Brand, c.Platform, product}]
	for _, g := range Grains {
		k := Key{Grain: g, Start: c.PublishedAt.Truncate(g.Span()), Brand: c.Brand, Platform: c.Platform, Product: product}
		if k.End()+s.grace > s.horizon || ser != nil && ser.grains[g][k.Start] != nil {
			continue
		}
		dst = append(dst, k)
	}
	return dst
}

// Absent says that the table panes has no rows for keys that Missing asked for.
func (s *Store) Absent(keys ...Key) {
	for i := range keys {
		k := &keys[i]
		s.pane(s.find(k.Brand, k.Platform, k.Product), k.Grain, k.Start)
	}
}

// Apply adds a contribution to the panes of all grains, for product "" and for each of its products. It reports whether
// the contribution is late: whether the pane of its minute had closed.
func (s *Store) Apply(c *Contribution, pos stream.Position) (late bool) {
	s.add(c, 1, pos)
	return s.Late(c.PublishedAt)
}

// Late reports whether the minute of an event has closed.
func (s *Store) Late(event stream.Time) bool {
	return event.Truncate(stream.Minute)+stream.Minute+s.grace <= s.watermark
}

// Replace takes away what the former version of a mention had added and adds what the new one does.
func (s *Store) Replace(before, after *Contribution, pos stream.Position) {
	s.add(before, -1, pos)
	s.add(after, 1, pos)
}

func (s *Store) add(c *Contribution, sign int64, pos stream.Position) {
	s.begun = true
	s.addTo(s.find(c.Brand, c.Platform, ""), c, sign, pos)
	for _, product := range c.Products {
		s.addTo(s.find(c.Brand, c.Platform, product), c, sign, pos)
	}
}

func (s *Store) addTo(ser *series, c *Contribution, sign int64, pos stream.Position) {
	for _, g := range Grains {
		if p := s.touch(ser, g, c.PublishedAt.Truncate(g.Span()), pos); p != nil {
			p.Counts.Add(&c.Counts, sign)
		}
	}
}

// Request is a customer turn that needed an answer, as the panes count it.
type Request struct {
	Brand    string
	Platform stream.Platform
	At       stream.Time // of the request: its minute, hour and day count it, whenever the answer came
	Answered bool
	Seconds  float64 // waiting time of an answered one: finite, not negative
}

// Respond counts a request in the panes of its time (sign 1) or takes one away that was counted before (sign −1), as
// when its answer comes: the waiting one goes and the answered one appears. It returns an error, and changes nothing, for
// a waiting time that cannot be, and for one to be taken away that the pane does not hold.
func (s *Store) Respond(r *Request, sign int64, pos stream.Position) error {
	if r.Answered && (!(r.Seconds >= 0) || math.IsInf(r.Seconds, 1)) {
		return fmt.Errorf("count the request of %s on %s at %s: it waited %v seconds", r.Brand, r.Platform, r.At, r.Seconds)
	}
	s.begun = true
	ser := s.find(r.Brand, r.Platform, "")
	minute := s.pane(ser, Minute, r.At.Truncate(stream.Minute))
	if r.Answered && pos > minute.restored {
		if sign > 0 {
			minute.Responses = append(minute.Responses, r.Seconds)
		} else {
			i := slices.Index(minute.Responses, r.Seconds)
			if i < 0 {
				return fmt.Errorf("take back the request of %s on %s at %s: its minute holds no wait of %v seconds", r.Brand, r.Platform, r.At, r.Seconds)
			}
			last := len(minute.Responses) - 1
			minute.Responses[i] = minute.Responses[last]
			minute.Responses = minute.Responses[:last]
		}
	}
	c := Contribution{PublishedAt: r.At, Counts: Counts{Requests: 1, Answered: one(r.Answered)}}
	s.addTo(ser, &c, sign, pos)
	return nil
}

// touch returns the pane to change for the record at pos, marked as changed, or nil if the pane has it already.
func (s *Store) touch(ser *series, g Grain, start stream.Time, pos stream.Position) *pane {
	p := s.pane(ser, g, start)
	if p.restored.Covers(pos) {
		return nil
	}
	p.Position = max(p.Position, pos)
	p.Final = p.closed
	s.mark(p)
	return p
}

func (s *Store) mark(p *pane) {
	if !p.dirty {
		p.dirty = true
		s.dirty = append(s.dirty, p)
	}
}

func (s *Store) find(brand string, platform stream.Platform, product string) *series {
	k := seriesKey{brand, platform, product}
	if s.last != nil && s.last.key == k {
		return s.last
	}
	ser := s.series[k]
	if ser == nil {
		ser = &series{key: k}
		for g := range ser.grains {
			ser.grains[g] = make(map[stream.Time]*pane)
		}
		s.series[k] = ser
	}
	s.last = ser
	return ser
}

// pane returns the pane of a series, which it creates if it is not in memory.
func (s *Store) pane(ser *series, g Grain, start stream.Time) *pane {
	if p := ser.recent[g]; p != nil && p.Start == start {
		return p
	}
	p := ser.grains[g][start]
	if p == nil {
		p = &pane{series: ser, Pane: Pane{Partition: s.partition, Key: Key{
			Grain: g, Start: start, Brand: ser.key.brand, Platform: ser.key.platform, Product: ser.key.product,
		}}}
		ser.grains[g][start] = p
		ser.count++
		s.panes++
		if at := p.End() + s.grace; at <= s.watermark {
			p.closed = true
			s.closed = append(s.closed, p)
		} else {
			if _, ok := s.closing[at]; !ok {
				i, _ := slices.BinarySearch(s.moments, at)
				s.moments = slices.Insert(s.moments, i, at)
			}
			s.closing[at] = append(s.closing[at], p)
		}
	}
	ser.recent[g] = p
	return p
}

// Advance moves the watermark after the record at pos; it never goes back. Panes whose end and grace it passes become
// final, and are flushed once more. Before anything is applied, Advance says where a restart begins: panes that closed
// before are not in memory and may be in the table.
func (s *Store) Advance(watermark stream.Time, pos stream.Position) {
	if watermark <= s.watermark {
		return
	}
	s.watermark = watermark
	if !s.begun {
		s.horizon = watermark
	}
	passed := 0
	for ; passed < len(s.moments) && s.moments[passed] <= watermark; passed++ {
		at := s.moments[passed]
		for _, p := range s.closing[at] {
			p.closed = true
			s.closed = append(s.closed, p)
			if !p.Final && p.Position > 0 {
				p.Final = true
				p.Position = max(p.Position, pos)
				s.mark(p)
			}
		}
		delete(s.closing, at)
	}
	s.moments = slices.Delete(s.moments, 0, passed)
}

// Flush returns the panes that have changed since the last flush, each once and with absolute counts, in the order in
// which they first changed. The caller owns the result. Once it is durable, the caller must say so by Clean.
func (s *Store) Flush() []Pane {
	rows := make([]Pane, 0, len(s.dirty))
	for _, p := range s.dirty {
		row := p.Pane
		row.Responses = slices.Sorted(slices.Values(p.Responses)) // the same row whatever the order of arrival
		rows = append(rows, row)
		p.dirty = false
		p.inFlight = true
	}
	s.flushed = append(s.flushed, s.dirty...)
	clear(s.dirty)
	s.dirty = s.dirty[:0]
	return rows
}

// Clean says that everything that Flush has handed out so far is durable.
func (s *Store) Clean() {
	for _, p := range s.flushed {
		p.inFlight = false
	}
	clear(s.flushed)
	s.flushed = s.flushed[:0]
}

// Evict drops the closed panes that are durable as they are and returns their number. A later record that falls into one
// makes Missing ask for it.
func (s *Store) Evict() int {
	kept := s.closed[:0]
	for _, p := range s.closed {
		if p.dirty || p.inFlight {
			kept = append(kept, p)
			continue
		}
		ser := p.series
		delete(ser.grains[p.Grain], p.Start)
		if ser.recent[p.Grain] == p {
			ser.recent[p.Grain] = nil
		}
		if ser.count--; ser.count == 0 {
			delete(s.series, ser.key)
			if s.last == ser {
				s.last = nil
			}
		}
	}
	n := len(s.closed) - len(kept)
	clear(s.closed[len(kept):])
	s.closed = kept
	s.panes -= n
	s.horizon = max(s.horizon, s.watermark)
	return n
}
