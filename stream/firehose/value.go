package firehose

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tidwall/gjson"

	"otklik/stream"
)

// Limits of what an item keeps, in bytes of UTF-8.
const (
	// MaxText is where the text of an item is cut, at a rune boundary.
	MaxText = 64 << 10
	// maxHTML is where mark-up is cut before it is turned into text; it leaves room for the tags.
	maxHTML = 1 << 20
	// maxName is where display names, handles and notes are cut.
	maxName = 1 << 10
	// maxID is the longest id that is accepted. A longer one is not cut, because two different ids must not meet.
	maxID = 2 << 10
	// maxMentions is how many accounts an item keeps that its text names.
	maxMentions = 256
)

// value is one JSON value of a document. Its strings are views on the record, or on the decoder's scratch space where there is
// something to unescape: they live until the next record. The zero value stands for an absent one. Every method tolerates a value
// of another type, because platforms change types (numbers as strings, "" for an object). Numbers are read from their text,
// because a float cannot hold an id; and texts are cleaned when they are read (text), because a record may hold NUL and
// invalid UTF-8.
type value struct {
	doc  *document
	node uint32 // its place in the index, or unindexed
	kind byte
}

// raw returns the JSON text.
func (v value) raw() string {
	switch {
	case v.doc == nil:
		return ""
	case v.node == unindexed:
		return v.doc.text
	}
	n := &v.doc.nodes[v.node]
	return v.doc.text[n.start:n.end]
}

// members calls yield for every member of an object, in order; of anything else there are none.
func (v value) members(yield func(key string, member value) bool) {
	if v.kind != kindObject {
		return
	}
	doc := v.doc
	if v.node == unindexed {
		gjson.Parse(doc.text).ForEach(func(key, member gjson.Result) bool { return yield(key.Str, doc.view(key.Str, member.Raw)) })
		return
	}
	for at, end := v.node+1, doc.nodes[v.node].next; at < end; {
		n := &doc.nodes[at]
		key := doc.text[n.name:n.nameEnd]
		if n.nameFlags&escaped != 0 {
			key = doc.scratch.unescape(key)
		}
		next := n.next
		if !yield(key, value{doc: doc, node: at, kind: n.kind}) {
			return
		}
		at = next
	}
}

// fields calls yield for every member of an object, in order, with its number among those that the decoder wants (names.fields; 0 if it
// does not).
func (v value) fields(yield func(field uint8, member value) bool) {
	if v.node == unindexed {
		v.members(func(key string, member value) bool { return yield(v.doc.names.fields[key], member) })
		return
	}
	if v.kind != kindObject {
		return
	}
	doc := v.doc
	for at, end := v.node+1, doc.nodes[v.node].next; at < end; {
		n := &doc.nodes[at]
		next := n.next
		if !yield(n.field, value{doc: doc, node: at, kind: n.kind}) {
			return
		}
		at = next
	}
}

// spread writes the members of an object into list, by field; of several that are one field the last one.
func (v value) spread(list []value) {
	if v.node == unindexed || v.kind != kindObject {
		for field, m := range v.fields {
			list[field] = m
		}
		return
	}
	doc := v.doc
	for at, end := v.node+1, doc.nodes[v.node].next; at < end; {
		n := &doc.nodes[at]
		list[n.field] = value{doc: doc, node: at, kind: n.kind}
		at = n.next
	}
}

// name returns the name of a member, or "".
func (v value) name() string {
	switch {
	case v.doc == nil:
		return ""
	case v.node == unindexed:
		return v.doc.name
	}
	n := &v.doc.nodes[v.node]
	name := v.doc.text[n.name:n.nameEnd]
	if n.nameFlags&escaped != 0 {
		return v.doc.scratch.unescape(name)
	}
	return name
}

// elements calls yield for every element of an array, in order; of anything else there are none.
func (v value) elements(yield func(element value) bool) {
	if v.kind != kindArray {
		return
	}
	doc := v.doc
	if v.node == unindexed {
		gjson.Parse(doc.text).ForEach(func(_, element gjson.Result) bool { return yield(doc.view("", element.Raw)) })
		return
	}
	for at, end := v.node+1, doc.nodes[v.node].next; at < end; {
		next := doc.nodes[at].next
		if !yield(doc.value(at)) {
			return
		}
		at = next
	}
}

// get returns the member of that name (the first one), or the empty value. For one or two members of a small object.
func (v value) get(name string) value {
	for key, member := range v.members {
		if key == name {
			return member
		}
	}
	return value{}
}

// at follows a path of names.
func (v value) at(names ...string) value {
	for _, name := range names {
		v = v.get(name)
	}
	return v
}

// first returns the first element of an array, or the empty value.
func (v value) first() value {
	for element := range v.elements {
		return element
	}
	return value{}
}

func (v value) object() bool { return v.kind == kindObject }
func (v value) array() bool  { return v.kind == kindArray }
func (v value) quoted() bool { return v.kind == kindString }
func (v value) number() bool { return v.kind == kindNumber }

// there reports whether the value is there, be it null.
func (v value) there() bool { return v.kind != 0 }

// stated reports whether the value is there and not null.
func (v value) stated() bool { return v.kind != 0 && v.kind != kindNull }

// filled reports whether the value is there and neither null, false, "", {} nor [].
func (v value) filled() bool {
	switch v.kind {
	case 0, kindNull, kindFalse:
		return false
	case kindString:
		return v.raw() != `""`
	case kindObject, kindArray:
		raw := v.raw()
		return strings.Trim(raw[1:len(raw)-1], whitespace) != ""
	}
	return true
}

// yes reports whether the value is true, a number other than 0, or one of them as a string.
func (v value) yes() bool {
	switch v.kind {
	case kindTrue:
		return true
	case kindString:
		return v.raw() == `"true"` || v.raw() == `"1"`
	case kindNumber:
		n, ok := v.integer()
		return ok && n != 0
	}
	return false
}

// quotation returns the inside of a string as it is written, and what it may hold.
func (v value) quotation() (inside string, flags uint8) {
	if v.node == unindexed {
		inside = v.doc.text[1 : len(v.doc.text)-1]
		if strings.IndexByte(inside, '\\') >= 0 {
			return inside, escaped | wide
		}
		return inside, wide
	}
	n := &v.doc.nodes[v.node]
	return v.doc.text[n.start+1 : n.end-1], n.flags
}

// inner returns what a string says, not cleaned, or the text of a number.
func (v value) inner() string {
	switch v.kind {
	case kindString:
		s, flags := v.quotation()
		if flags&escaped != 0 {
			return v.doc.scratch.unescape(s)
		}
		return s
	case kindNumber:
		return v.raw()
	}
	return ""
}

// words returns what a string says, or the text of a number, and whether that is known to be valid UTF-8 without a NUL.
func (v value) words() (s string, clean bool) {
	switch v.kind {
	case kindString:
		inside, flags := v.quotation()
		if flags == 0 {
			return inside, true
		}
		if flags&escaped != 0 {
			inside = v.doc.scratch.unescape(inside)
		}
		if flags&wide != 0 {
			return inside, !unclean(inside)
		}
		return inside, strings.IndexByte(inside, 0) < 0 // an escape says a rune, and be it U+FFFD
	case kindNumber:
		return v.raw(), true
	}
	return "", true
}

// is reports whether the value is that string.
func (v value) is(s string) bool {
	if v.kind != kindString {
		return false
	}
	inside, flags := v.quotation()
	if flags&escaped == 0 {
		return inside == s
	}
	const longest = len(`\u0000`) // that one byte can become
	return len(inside) <= longest*len(s) && v.doc.scratch.unescape(inside) == s
}

// integer reads an integer, also from a string and from a float with a whole value.
func (v value) integer() (int64, bool) {
	s := v.inner()
	if s == "" {
		return 0, false
	}
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return n, true
	}
	if f, err := strconv.ParseFloat(s, 64); err == nil && f == math.Trunc(f) && math.Abs(f) < 1<<53 {
		return int64(f), true
	}
	return 0, false
}

// count reads a stated number; what is absent, negative or no number is not stated.
func (v value) count() stream.Count {
	n, ok := v.integer()
	if !ok || n < 0 || n == math.MaxInt64 {
		return 0
	}
	return stream.CountOf(n)
}

// id reads an id: a string, or an integer as it is written. A number with an exponent or a fraction has been through a
// float and no longer names anything. An integer above 2^53 may have been rounded by somebody else without a trace, so
// the decoders prefer the string form ("id_str") wherever a platform gives both. An id that is too long, or that holds
// nothing but spaces, is none.
func (v value) id() string {
	s, ok := v.words()
	switch {
	case v.kind == kindNumber:
		if whole, ok := strings.CutSuffix(s, ".0"); ok && len(whole) <= 15 {
			s = whole // a small integer that somebody's spreadsheet wrote as a float
		}
		if strings.ContainsAny(s, ".eE") {
			return ""
		}
		return s
	case !ok:
		s = clean(s)
	}
	if s = strings.TrimSpace(s); len(s) > maxID {
		return ""
	}
	return s
}

// id returns the first of several values that holds an id.
func id(candidates ...value) string {
	for _, v := range candidates {
		if v.stated() {
			if s := v.id(); s != "" {
				return s
			}
		}
	}
	return ""
}

// oneOf returns the first value that is stated and not an empty string, or the empty value.
func oneOf(candidates ...value) value {
	for _, v := range candidates {
		if v.stated() && v.raw() != `""` {
			return v
		}
	}
	return value{}
}

// text reads a string, or the text of a number, of at most limit bytes: invalid UTF-8 and lone surrogates replaced by U+FFFD,
// NUL removed, cut at a rune boundary.
func (d *Decoder) text(v value, limit int) string {
	s, clean := v.words()
	if !clean {
		return d.scratch.clean(s, limit)
	}
	return cut(s, limit)
}

// name reads a handle, a display name or a note.
func (d *Decoder) name(v value) string { return d.text(v, maxName) }

// handle reads a user name without its "@".
func (d *Decoder) handle(v value) string { return strings.TrimPrefix(d.name(v), "@") }

// unclean reports whether s holds what no text of an item may: invalid UTF-8, or a NUL, where ClickHouse and C strings would end.
func unclean(s string) bool { return !utf8.ValidString(s) || strings.IndexByte(s, 0) >= 0 }

// clean returns s with every invalid byte replaced by U+FFFD and every NUL removed.
func clean(s string) string {
	if !unclean(s) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if r != 0 {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// cut shortens s to at most limit bytes at a rune boundary.
func cut(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit]
}
