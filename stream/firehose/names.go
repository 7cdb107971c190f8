package firehose

import "strings"

// A platform's records are written by a program, so what follows a member name is nearly always the name that followed it the last
// time. The index compares the text with that one first, quotes and colon included, and scans a name only where it is another one. What
// is known of a name then is known of the member: whether a decoder wants it is never asked again.

const (
	// maxNames is how many names are remembered. A decoder that has met more, because somebody uses data as names, forgets all of them.
	maxNames = 1 << 10
	// maxNameText is how long a name may be that is remembered.
	maxNameText = 64
	// unnamed stands for a name that is not remembered, and for that of the whole document.
	unnamed uint16 = 0
)

// names are the member names that a decoder has met, by number.
type names struct {
	list   []known
	next   []uint16 // the name that stood last at each place (after, within)
	find   map[title]uint16
	fields map[string]uint8 // what the decoder wants: the number of a field by name
	full   bool
}

// known is a name within objects of one name. So what follows "id" in an author is another thing than what follows it in a post.
type known struct {
	text   string // as it stands in a record: from its quote to its colon
	number uint16
	alike  uint16 // the first one with the same text, whatever it stood in
	end    uint8  // the length up to its closing quote
	flags  uint8  // of the string
	field  uint8  // its number among those that the decoder wants; 0 if it does not
}

// title is the text of a name within objects whose name is alike; within 0 if no matter which.
type title struct {
	within uint16
	text   string
}

// met is a name that stands in a text.
type met struct {
	start, end   int // of the inside
	known        uint16
	flags, field uint8
}

// after is the place behind a member of that name, and within that of the first member of its value.
func after(name uint16) int   { return 2 * int(name) }
func within(name uint16) int  { return 2*int(name) + 1 }
func isWithin(place int) bool { return place&1 != 0 }

func newNames(fields map[string]uint8) *names {
	n := &names{fields: fields}
	n.reset()
	return n
}

// reset forgets all names.
func (n *names) reset() {
	n.list = append(n.list[:0], known{})
	n.next = append(n.next[:0], unnamed, unnamed)
	n.find = map[title]uint16{}
	n.full = false
}

// guess returns the name that stood last at a place.
func (n *names) guess(place int) *known { return &n.list[n.next[place]] }

// begins reports whether the name stands at i.
func (k *known) begins(s string, i int) bool {
	return k.number != unnamed && strings.HasPrefix(s[i:], k.text)
}

// scan reads the name at i, which could not be guessed and stands at a place in an object whose name is around, and returns the end of its
// colon; invalid if there is no name.
func (n *names) scan(s string, i, place int, around uint16, scratch *scratch) (int, met) {
	if !stands(s, i, '"') {
		return invalid, met{}
	}
	end, flags := stringEnd(s, i+1)
	if end < 0 {
		return invalid, met{}
	}
	colon := afterSpace(s, end)
	if !stands(s, colon, ':') {
		return invalid, met{}
	}
	m := met{start: i + 1, end: end - 1, flags: flags}
	m.known, m.field = n.meet(s[i:colon+1], end-i, flags, place, around, scratch)
	return colon + 1, m
}

// meet returns the number and the field of a name: text is it from its quote to its colon, its closing quote before end.
func (n *names) meet(text string, end int, flags uint8, place int, around uint16, scratch *scratch) (name uint16, field uint8) {
	at := title{within: n.list[around].alike + 1, text: text}
	name, ok := n.find[at]
	if ok {
		n.next[place] = name
		return name, n.list[name].field
	}
	field = n.fieldOf(text[1:end-1], flags, scratch)
	n.full = n.full || len(n.list) == maxNames
	if n.full || len(text) > maxNameText {
		return unnamed, field
	}
	at.text = strings.Clone(text)
	name = uint16(len(n.list))
	alike, ok := n.find[title{text: at.text}]
	if !ok {
		alike = name
		n.find[title{text: at.text}] = alike
	}
	n.list = append(n.list, known{text: at.text, number: name, alike: alike, end: uint8(end), flags: flags, field: field})
	n.next = append(n.next, unnamed, unnamed)
	n.find[at] = name
	n.next[place] = name
	return name, field
}

// fieldOf returns the field of a name; inside is what stands between its quotes.
func (n *names) fieldOf(inside string, flags uint8, s *scratch) uint8 {
	if len(n.fields) == 0 {
		return 0
	}
	if flags&escaped != 0 {
		inside = s.unescape(inside)
	}
	return n.fields[inside]
}
