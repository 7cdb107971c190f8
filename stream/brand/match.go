package brand

import (
	"encoding/binary"
	"slices"
	"strings"
	"unsafe"

	"otklik/stream"
)

// hit returns the hit of a brand, a new one if need be.
func (m *Matcher) hit(s *Scratch, brand int32) *Hit {
	for i := range s.hits {
		if s.hits[i].index == brand {
			return &s.hits[i]
		}
	}
	s.hits = append(s.hits, Hit{Brand: &m.catalogue.Brands[brand], index: brand})
	return &s.hits[len(s.hits)-1]
}

// name notes that the item names a brand. The items of official accounts name their own brand only.
func (m *Matcher) name(s *Scratch, brand int32, via stream.Via) {
	if len(s.own) > 0 && !slices.ContainsFunc(s.own, func(o official) bool { return o.brand == brand }) {
		return
	}
	m.hit(s, brand).Via |= via
}

// matchAccounts finds the brands whose official accounts wrote the item or are addressed by it.
func (m *Matcher) matchAccounts(it *stream.Item, s *Scratch) {
	x := m.index(it.Platform, s)
	s.own = append(s.own[:0], x.lookup(&it.Author, s)...)
	for _, o := range s.own {
		m.name(s, o.brand, stream.ViaAuthor)
	}
	for _, o := range x.lookup(&it.ParentAuthor, s) {
		m.name(s, o.brand, stream.ViaReply)
	}
	for _, o := range x.lookup(&it.Wall, s) {
		m.name(s, o.brand, stream.ViaWall)
	}
	for _, o := range x.lookup(&it.RepostAuthor, s) {
		m.name(s, o.brand, stream.ViaRepost)
	}
	for i := range it.Mentions {
		for _, o := range x.lookup(&it.Mentions[i], s) {
			m.name(s, o.brand, stream.ViaAccount)
		}
	}
}

// scan folds the text and fills s.found with every term in it, in the order of their first words. Every pattern is a blank and
// the beginning of a word, so only words that begin like a pattern (m.starts) are looked up, and only those that were not seen lately are
// given to the automaton.
func (m *Matcher) scan(text string, s *Scratch) {
	s.found = s.found[:0]
	s.text.fold(text)
	n := int32(len(s.text.b))
	b := s.text.b[:cap(s.text.b)] // what follows the last blank is never looked at
	var word int32                // its ordinal
	for start := int32(1); start < n; start++ {
		x := binary.LittleEndian.Uint64(b[start:])
		length := firstBlank(x)
		if length == 0 {
			continue
		}
		word++
		w := packed{x & low(length)}
		if length == 8 {
			length = w.rest(b[start:])
		}
		end := start + int32(length)
		if m.starts.has(x, length) {
			for _, e := range m.termsOf(s, &w, start, end) {
				stop := end
				if e.words > 1 {
					if stop = int32(e.term.rest(b[:n], int(end))); stop < 0 {
						continue
					}
				}
				s.found = append(s.found, found{entry: e, start: start, end: stop, first: word, last: word + e.words - 1})
			}
		}
		start = end
	}
}

// termsOf returns the terms whose first word has the word of the text at [start, end) as a form.
func (m *Matcher) termsOf(s *Scratch, w *packed, start, end int32) []*entry {
	if int(end-start) > longestPacked {
		s.long = m.lookup(s, start, end, s.long[:0])
		return s.long
	}
	kept := &s.words[w.place()]
	if kept.word != *w {
		kept.word, kept.terms = *w, m.lookup(s, start, end, kept.terms[:0])
	}
	return kept.terms
}

// lookup appends to list what termsOf returns.
func (m *Matcher) lookup(s *Scratch, start, end int32, list []*entry) []*entry {
	b := s.text.b
	m.trie.Walk(b[start-1:end], func(_, n, pattern int64) bool {
		rest := b[start+int32(n)-1 : end] // of the word, after the pattern, which is a blank and what the word begins with
		form := exact
		if len(rest) > 0 {
			form = prefix
			if ending(rest) {
				form = inflected
			}
		}
		terms := m.terms[pattern]
		for i := range terms {
			if e := &terms[i]; e.mode.allows(form) {
				list = append(list, e)
			}
		}
		return true
	})
	return list
}

// near calls visit for every occurrence that lies within reach words of s.found[k], until it returns false. Its cost
// does not depend on the length of the text.
func (m *Matcher) near(s *Scratch, k int, reach int32, visit func(o *found) bool) {
	f := &s.found[k]
	for i := k - 1; i >= 0 && f.first-s.found[i].first <= reach+m.longest; i-- {
		if f.first-s.found[i].last <= reach && !visit(&s.found[i]) {
			return
		}
	}
	for i := k + 1; i < len(s.found) && s.found[i].first-f.last <= reach; i++ {
		if !visit(&s.found[i]) {
			return
		}
	}
}

// cancelVetoed marks the aliases that a veto cancels.
func (m *Matcher) cancelVetoed(s *Scratch) {
	for k := range s.found {
		f := &s.found[k]
		if f.entry.class != veto {
			continue
		}
		contains := false
		m.near(s, k, VetoReach, func(o *found) bool {
			if o.entry.class == alias && o.entry.brand == f.entry.brand && o.start < f.end && f.start < o.end {
				contains, o.cancelled = true, true
			}
			return true
		})
		if contains {
			continue
		}
		m.near(s, k, VetoReach, func(o *found) bool {
			if o.entry.class == alias && o.entry.brand == f.entry.brand {
				o.cancelled = true
			}
			return true
		})
	}
}

// matchText finds the brands that the text names.
func (m *Matcher) matchText(it *stream.Item, s *Scratch) {
	m.cancelVetoed(s)
	for i := range s.found {
		f := &s.found[i]
		switch f.entry.class {
		case alias:
			if !f.cancelled {
				m.name(s, f.entry.brand, stream.ViaText)
			}
		case handle:
			if f.entry.platform == it.Platform {
				m.name(s, f.entry.brand, stream.ViaAccount)
			} else {
				m.name(s, f.entry.brand, stream.ViaText)
			}
		default: // says something about a brand, but names none
		}
	}
}

// complete fills in all that a hit says beside its brand and its ways.
func (m *Matcher) complete(it *stream.Item, s *Scratch) {
	asks := s.text.asks
	var severe uint8
	var isSpam, isAutomatic bool
	for i := range s.found {
		switch e := s.found[i].entry; e.class {
		case severity:
			severe = max(severe, e.level)
		case spam:
			isSpam = true
		case automatic:
			isAutomatic = true
		case question:
			asks = true
		default: // belongs to one brand
		}
	}
	for i := range s.hits {
		h := &s.hits[i]
		h.Severity = severe
		h.Products = m.productsOf(h, s)
		h.Spans = m.spansOf(h, s)
		if asks && it.Kind != stream.Repost { // a repost repeats a question, it does not ask it
			h.Flags |= stream.Question
		}
		switch {
		case h.Via&stream.ViaAuthor != 0:
			h.Role = stream.Own
			m.ownFlags(it, h, s, isAutomatic)
		case isSpam:
			h.Role = stream.Spam
		case h.Via&stream.ViaRepost != 0 || h.Via&stream.ViaAccount != 0 && m.points(h, s):
			h.Flags |= stream.Advocacy
		}
		m.conversation(it, h, s)
		if h.Role == stream.Own {
			m.judge(it, h, s)
		}
	}
}

// ownFlags sets the flags of an official account's item.
func (m *Matcher) ownFlags(it *stream.Item, h *Hit, s *Scratch, automatic bool) {
	automatic = automatic || it.Bot
	for _, o := range s.own {
		if o.brand != h.index {
			continue
		}
		if o.account.Approved {
			h.Flags |= stream.Approved
		}
		automatic = automatic || o.account.Automatic
	}
	if automatic {
		h.Flags |= stream.Automatic
	}
}

// points reports whether the text sends others to the brand's account.
func (m *Matcher) points(h *Hit, s *Scratch) bool {
	points := false
	for k := range s.found {
		f := &s.found[k]
		if c := f.entry.class; f.entry.brand != h.index || f.cancelled || c != alias && c != handle {
			continue
		}
		m.near(s, k, PointerReach, func(o *found) bool {
			points = o.entry.class == before && o.last < f.first || o.entry.class == after && o.first > f.last
			return !points
		})
		if points {
			return true
		}
	}
	return false
}

// productsOf returns the sorted keys of the products that the text names and the brand has.
func (m *Matcher) productsOf(h *Hit, s *Scratch) []string {
	s.refs = s.refs[:0]
	for i := range s.found {
		if e := s.found[i].entry; e.class == product && (e.brand < 0 || e.brand == h.index) && !slices.Contains(s.refs, e.ref) {
			s.refs = append(s.refs, e.ref)
		}
	}
	if len(s.refs) == 0 {
		return nil
	}
	slices.Sort(s.refs)
	from := len(s.products)
	for _, ref := range s.refs {
		s.products = append(s.products, m.products[ref])
	}
	return s.products[from:len(s.products):len(s.products)]
}

// spansOf returns where the text names the brand.
func (m *Matcher) spansOf(h *Hit, s *Scratch) []Span {
	from := len(s.spans)
	for i := range s.found {
		f := &s.found[i]
		if c := f.entry.class; f.entry.brand != h.index || f.cancelled || c != alias && c != handle {
			continue
		}
		span := Span{Start: int(s.text.at[f.start]), End: int(s.text.at[f.end])}
		if n := len(s.spans); n > from && span.Start < s.spans[n-1].End {
			s.spans[n-1].End = max(s.spans[n-1].End, span.End)
			continue
		}
		s.spans = append(s.spans, span)
	}
	if len(s.spans) == from {
		return nil
	}
	return s.spans[from:len(s.spans):len(s.spans)]
}

// conversation sets the customer and the thread of a hit.
func (m *Matcher) conversation(it *stream.Item, h *Hit, s *Scratch) {
	h.Thread = it.Thread
	if h.Role != stream.Own {
		h.Customer = identify(&it.Author)
	} else if !slices.ContainsFunc(m.index(it.Platform, s).lookup(&it.ParentAuthor, s), func(o official) bool { return o.brand == h.index }) {
		h.Customer = identify(&it.ParentAuthor)
	}
	if !it.Paired {
		return
	}
	if h.Customer == "" {
		h.Thread = s.thread(string(it.Platform), ":", it.Identity())
		return
	}
	h.Thread = s.thread(string(it.Platform), ":", h.Customer, "×", h.Brand.Key)
}

// thread joins the parts of a thread key in the memory of the scratch, which is not written to again before the next item.
func (s *Scratch) thread(parts ...string) string {
	from := len(s.threads)
	for _, p := range parts {
		s.threads = append(s.threads, p...) // keys made before keep their memory when it grows
	}
	return view(s.threads[from:])
}

// view returns b as a string without a copy; b is not written to while the string is used.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// identify returns the id of an account, or its handle in lower case.
func identify(a *stream.Account) string {
	if a.ID != "" {
		return a.ID
	}
	return strings.ToLower(strings.TrimPrefix(a.Name, "@"))
}
