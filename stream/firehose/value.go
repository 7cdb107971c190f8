package firehose

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf16"
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

// value is the JSON text of one value, gjson's Raw: a view on the record, of which nothing is decoded before it is asked for.
// gjson reads the structure; strings are read here, because gjson leaves NUL and invalid UTF-8 in them, and so are
// numbers, because gjson's are floats and ids are not. The empty value stands for an absent one. Every method tolerates a value of another type, because platforms
// change types (numbers as strings, "" for an object).
type value string

// members calls yield for every member of an object, in order; of anything else there are none.
func (v value) members(yield func(key string, member value) bool) {
	if v.object() {
		gjson.Parse(string(v)).ForEach(func(key, member gjson.Result) bool { return yield(key.Str, value(member.Raw)) })
	}
}

// elements calls yield for every element of an array, in order; of anything else there are none.
func (v value) elements(yield func(element value) bool) {
	if v.array() {
		gjson.Parse(string(v)).ForEach(func(_, element gjson.Result) bool { return yield(value(element.Raw)) })
	}
}

// get returns the member of that name (the first one), or the empty value. For one or two members of a small object.
func (v value) get(name string) value {
	for key, member := range v.members {
		if key == name {
			return member
		}
	}
	return ""
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
	return ""
}

func (v value) object() bool { return v != "" && v[0] == '{' }
func (v value) array() bool  { return v != "" && v[0] == '[' }
func (v value) quoted() bool { return v != "" && v[0] == '"' }
func (v value) number() bool { return v != "" && (v[0] == '-' || '0' <= v[0] && v[0] <= '9') }

// stated reports whether the value is there and not null.
func (v value) stated() bool { return v != "" && v[0] != 'n' }

// filled reports whether the value is there and neither null, false, "", {} nor [].
func (v value) filled() bool {
	switch {
	case v == "", v[0] == 'n', v[0] == 'f', v == `""`:
		return false
	case v[0] == '{' || v[0] == '[':
		return strings.Trim(string(v[1:len(v)-1]), whitespace) != ""
	}
	return true
}

// yes reports whether the value is true, a number other than 0, or one of them as a string.
func (v value) yes() bool {
	switch {
	case v == "true", v == `"true"`, v == `"1"`:
		return true
	case v.number():
		n, ok := v.integer()
		return ok && n != 0
	}
	return false
}

// inner returns what stands between the quotes of a string, still escaped; of a number, its text.
func (v value) inner() string {
	switch {
	case v.quoted():
		return string(v[1 : len(v)-1])
	case v.number():
		return string(v)
	}
	return ""
}

// is reports whether the value is that string, written without escapes.
func (v value) is(s string) bool {
	return v.quoted() && string(v[1:len(v)-1]) == s
}

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
	if s == "" || len(s) > 6*maxID {
		return ""
	}
	if v.number() {
		if whole, ok := strings.CutSuffix(s, ".0"); ok && len(whole) <= 15 {
			s = whole // a small integer that somebody's spreadsheet wrote as a float
		}
		if strings.ContainsAny(s, ".eE") {
			return ""
		}
		return strings.Clone(s)
	}
	if strings.IndexByte(s, '\\') < 0 && utf8.ValidString(s) {
		s = strings.Clone(strings.TrimSpace(s))
	} else {
		s = strings.TrimSpace(string(appendText(nil, s, 6*maxID)))
	}
	if len(s) > maxID {
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
		if v.stated() && v != `""` {
			return v
		}
	}
	return ""
}

// text reads a string of at most limit bytes: escapes resolved, invalid UTF-8 and lone surrogates replaced by U+FFFD,
// NUL removed, cut at a rune boundary. The result does not alias the record.
func (d *Decoder) text(v value, limit int) string {
	s := v.inner()
	if s == "" {
		return ""
	}
	if len(s) <= limit && strings.IndexByte(s, '\\') < 0 && utf8.ValidString(s) {
		return strings.Clone(s)
	}
	d.buf = appendText(d.buf[:0], s, limit)
	return string(d.buf)
}

// name reads a handle, a display name or a note.
func (d *Decoder) name(v value) string { return d.text(v, maxName) }

// handle reads a user name without its "@".
func (d *Decoder) handle(v value) string { return strings.TrimPrefix(d.name(v), "@") }

// appendText appends the string whose escaped form is s to dst, at most limit bytes of it.
func appendText(dst []byte, s string, limit int) []byte {
	start := len(dst)
	for len(s) > 0 && len(dst)-start <= limit {
		if s[0] != '\\' {
			run := strings.IndexByte(s, '\\')
			if run < 0 {
				run = len(s)
			}
			room := min(run, limit+utf8.UTFMax-(len(dst)-start))
			dst = appendValid(dst, s[:room])
			s = s[run:]
			continue
		}
		c := s[1]
		s = s[2:]
		switch c {
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'n':
			dst = append(dst, '\n')
		case 'r':
			dst = append(dst, '\r')
		case 't':
			dst = append(dst, '\t')
		case 'u':
			r, _ := hex4(s)
			s = s[4:]
			if utf16.IsSurrogate(r) {
				r, s = surrogate(r, s)
			}
			if r != 0 { // ClickHouse and C strings would end at a NUL
				dst = utf8.AppendRune(dst, r)
			}
		default: // " \ /
			dst = append(dst, c)
		}
	}
	if len(dst)-start > limit {
		end := start + limit
		for end > start && !utf8.RuneStart(dst[end]) {
			end--
		}
		dst = dst[:end]
	}
	return dst
}

// hexDigit gives the value of a hexadecimal digit, and 0xff for any other byte.
var hexDigit = func() (t [256]uint8) {
	for c := range t {
		t[c] = 0xff
	}
	for i := range 10 {
		t['0'+i] = uint8(i)
	}
	for i := range 6 {
		t['a'+i], t['A'+i] = uint8(10+i), uint8(10+i)
	}
	return t
}()

// hex4 reads the four hexadecimal digits at the beginning of s.
func hex4(s string) (rune, bool) {
	if len(s) < 4 {
		return 0, false
	}
	a, b, c, d := hexDigit[s[0]], hexDigit[s[1]], hexDigit[s[2]], hexDigit[s[3]]
	return rune(a)<<12 | rune(b)<<8 | rune(c)<<4 | rune(d), a|b|c|d < 16
}

// surrogate completes the surrogate r with the escape that s begins with; without a partner it becomes U+FFFD and s
// stays as it is.
func surrogate(r rune, s string) (rune, string) {
	if len(s) >= 6 && s[0] == '\\' && s[1] == 'u' {
		if low, ok := hex4(s[2:]); ok {
			if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
				return pair, s[6:]
			}
		}
	}
	return utf8.RuneError, s
}

// appendValid appends s with every invalid byte replaced by U+FFFD and every NUL removed.
func appendValid(dst []byte, s string) []byte {
	if utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 {
		return append(dst, s...)
	}
	for _, r := range s {
		if r != 0 {
			dst = utf8.AppendRune(dst, r)
		}
	}
	return dst
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
