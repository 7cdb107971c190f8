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

// value is one JSON value as gjson reads it. Its strings are views on the record where gjson had nothing to unescape. The zero
// value stands for an absent one. Every method tolerates a value of another type, because platforms change types (numbers
// as strings, "" for an object). Numbers are read from their text, because gjson's are floats and ids are not; and texts are
// cleaned when they are read (text), because gjson leaves NUL and invalid UTF-8 in them.
type value struct {
	raw string // the JSON text
	str string // of a string, what it says
}

// view returns the value of a result.
func view(r gjson.Result) value { return value{raw: r.Raw, str: r.Str} }

// members calls yield for every member of an object, in order; of anything else there are none.
func (v value) members(yield func(key string, member value) bool) {
	if v.object() {
		gjson.Parse(v.raw).ForEach(func(key, member gjson.Result) bool { return yield(key.Str, view(member)) })
	}
}

// elements calls yield for every element of an array, in order; of anything else there are none.
func (v value) elements(yield func(element value) bool) {
	if v.array() {
		gjson.Parse(v.raw).ForEach(func(_, element gjson.Result) bool { return yield(view(element)) })
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

func (v value) object() bool { return v.raw != "" && v.raw[0] == '{' }
func (v value) array() bool  { return v.raw != "" && v.raw[0] == '[' }
func (v value) quoted() bool { return v.raw != "" && v.raw[0] == '"' }
func (v value) number() bool {
	return v.raw != "" && (v.raw[0] == '-' || '0' <= v.raw[0] && v.raw[0] <= '9')
}

// there reports whether the value is there, be it null.
func (v value) there() bool { return v.raw != "" }

// stated reports whether the value is there and not null.
func (v value) stated() bool { return v.raw != "" && v.raw[0] != 'n' }

// filled reports whether the value is there and neither null, false, "", {} nor [].
func (v value) filled() bool {
	switch {
	case v.raw == "", v.raw[0] == 'n', v.raw[0] == 'f', v.raw == `""`:
		return false
	case v.raw[0] == '{' || v.raw[0] == '[':
		return strings.Trim(v.raw[1:len(v.raw)-1], whitespace) != ""
	}
	return true
}

// yes reports whether the value is true, a number other than 0, or one of them as a string.
func (v value) yes() bool {
	switch {
	case v.raw == "true", v.raw == `"true"`, v.raw == `"1"`:
		return true
	case v.number():
		n, ok := v.integer()
		return ok && n != 0
	}
	return false
}

// inner returns what a string says, not cleaned, or the text of a number.
func (v value) inner() string {
	if v.number() {
		return v.raw
	}
	return v.str
}

// is reports whether the value is that string.
func (v value) is(s string) bool { return v.quoted() && v.str == s }

// integer reads an integer, also from a string and from a float with a whole value.
func (v value) integer() (int64, bool) {
	s := v.inner()
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
	s := v.inner()
	if v.number() {
		if whole, ok := strings.CutSuffix(s, ".0"); ok && len(whole) <= 15 {
			s = whole // a small integer that somebody's spreadsheet wrote as a float
		}
		if strings.ContainsAny(s, ".eE") {
			return ""
		}
		return strings.Clone(s)
	}
	if s = strings.TrimSpace(clean(s)); len(s) > maxID {
		return ""
	}
	return strings.Clone(s)
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
		if v.stated() && v.raw != `""` {
			return v
		}
	}
	return value{}
}

// text reads a string, or the text of a number, of at most limit bytes: invalid UTF-8 and lone surrogates replaced by U+FFFD,
// NUL removed, cut at a rune boundary. The result does not alias the record.
func (d *Decoder) text(v value, limit int) string {
	s := v.inner()
	switch {
	case len(s) > limit || unclean(s):
		d.buf = d.buf[:0]
		for _, r := range s {
			if len(d.buf)+utf8.RuneLen(r) > limit {
				break
			}
			if r != 0 {
				d.buf = utf8.AppendRune(d.buf, r)
			}
		}
		return string(d.buf)
	case len(s)+len(`""`) < len(v.raw):
		return s // gjson has unescaped it into memory of its own
	}
	return strings.Clone(s)
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
	return strings.Clone(s[:limit])
}
