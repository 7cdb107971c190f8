package firehose

import (
	"encoding/binary"
	"fmt"
	"strings"
	"unsafe"
)

// maxDepth is how deep objects and arrays may be nested. Real payloads reach 14 levels (Facebook templates)
// and a few dozen (Reddit's reply trees); anything deeper is built to exhaust a recursive reader.
const maxDepth = 256

// Classes of bytes inside a value that is being skipped or scanned.
const (
	plain   = iota
	quote   // "
	escape  // \
	control // below U+0020: not allowed inside a string
	opening // { [
	closing // } ]
)

var class = func() (t [256]uint8) {
	for c := range 0x20 {
		t[c] = control
	}
	t['"'], t['\\'] = quote, escape
	t['{'], t['['], t['}'], t[']'] = opening, opening, closing, closing
	return t
}()

// scan checks that s holds exactly one JSON value (RFC 8259) from position i on, with nothing but white space after
// it, and returns the value. It neither recurses nor allocates, so no input can exhaust the stack. UTF-8 is not
// checked here: strings are repaired when they are read.
func scan(s string, i int) (value, *Malformed) {
	i = space(s, i)
	start := i
	var objects [maxDepth/64 + 1]uint64 // bit n: level n is an object, else an array
	depth := 0
	for {
		// A value is expected at i.
		if i >= len(s) {
			return "", broken(i, "the record ends where a value is expected")
		}
		var ok bool
		switch c := s[i]; c {
		case '{', '[':
			if depth == maxDepth {
				return "", &Malformed{Reason: "too_deep", Detail: fmt.Sprintf("nested deeper than %d levels at byte %d", maxDepth, i)}
			}
			depth++
			word, bit := depth/64, uint64(1)<<(depth%64)
			i = space(s, i+1)
			if c == '{' {
				objects[word] |= bit
				if i < len(s) && s[i] == '}' {
					goto closeLevel
				}
				if i, ok = scanKey(s, i); !ok {
					return "", broken(i, "no member name")
				}
			} else {
				objects[word] &^= bit
				if i < len(s) && s[i] == ']' {
					goto closeLevel
				}
			}
			continue
		case '"':
			if i, ok = scanString(s, i+1); !ok {
				return "", broken(i, "unterminated or invalid string")
			}
		case 't', 'f', 'n':
			if i, ok = scanWord(s, i); !ok {
				return "", broken(i, "invalid literal")
			}
		default:
			if i, ok = scanNumber(s, i); !ok {
				return "", broken(i, "invalid value")
			}
		}
		// A value has ended at i: what follows closes levels or goes on to the next value.
	after:
		if depth == 0 {
			end := i
			if i = space(s, i); i < len(s) {
				return "", trailing(s, i)
			}
			return value(s[start:end]), nil
		}
		i = space(s, i)
		if i >= len(s) {
			return "", broken(i, "the record ends inside an object or array")
		}
		{
			object := objects[depth/64]&(1<<(depth%64)) != 0
			switch c := s[i]; {
			case c == ',':
				i = space(s, i+1)
				if object {
					if i, ok = scanKey(s, i); !ok {
						return "", broken(i, "no member name after a comma")
					}
				}
				continue
			case c == '}' && object, c == ']' && !object:
			default:
				return "", broken(i, "no comma or end after a value")
			}
		}
	closeLevel:
		i++
		depth--
		goto after
	}
}

// broken reports invalid JSON at byte i.
func broken(i int, what string) *Malformed {
	return &Malformed{Reason: "malformed_json", Detail: fmt.Sprintf("%s (byte %d)", what, i)}
}

// trailing reports what follows a complete value: often a second object run together with the first.
func trailing(s string, i int) *Malformed {
	return &Malformed{Reason: "trailing_data", Detail: fmt.Sprintf("%d bytes follow the complete value, from byte %d on; write one value a line", len(s)-i, i)}
}

// space returns the position of the first byte at or after i that is no white space.
func space(s string, i int) int {
	for i < len(s) {
		if c := s[i]; c > ' ' || c != ' ' && c != '\n' && c != '\r' && c != '\t' {
			break
		}
		i++
	}
	return i
}

// scanKey reads a member name, its colon and the space around, and returns where the value begins.
func scanKey(s string, i int) (int, bool) {
	if i >= len(s) || s[i] != '"' {
		return i, false
	}
	i, ok := scanString(s, i+1)
	if !ok {
		return i, false
	}
	i = space(s, i)
	if i >= len(s) || s[i] != ':' {
		return i, false
	}
	return space(s, i+1), true
}

// scanString checks a string whose opening quote lies before i and returns the position after its closing quote.
func scanString(s string, i int) (int, bool) {
	for i < len(s) {
		switch class[s[i]] {
		case quote:
			return i + 1, true
		case control:
			return i, false
		case escape:
			if i+1 >= len(s) {
				return i, false
			}
			switch s[i+1] {
			case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
				i += 2
			case 'u':
				if _, ok := hex4(s[i+2:]); !ok {
					return i, false
				}
				i += 6
			default:
				return i, false
			}
		default:
			i++
			// Eight bytes at a time while none of them is special.
			for i+8 <= len(s) && !special(binary.LittleEndian.Uint64(unsafe.Slice(unsafe.StringData(s[i:]), 8))) {
				i += 8
			}
		}
	}
	return i, false
}

// special reports whether one of the eight bytes of w ends a run of ordinary bytes of a string: a quote, a backslash or
// a control character. Each term sets the highest bit of the bytes it looks for (and perhaps of bytes above such a
// one, which does not matter to whether there is any): https://graphics.stanford.edu/~seander/bithacks.html#ZeroInWord
func special(w uint64) bool {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	quotes, escapes := w^(ones*'"'), w^(ones*'\\')
	return ((w-ones*0x20)&^w|(quotes-ones)&^quotes|(escapes-ones)&^escapes)&highs != 0
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

// scanWord checks true, false or null at i.
func scanWord(s string, i int) (int, bool) {
	for _, w := range [...]string{"true", "false", "null"} {
		if strings.HasPrefix(s[i:], w) {
			return i + len(w), true
		}
	}
	return i, false
}

// scanNumber checks a number at i.
func scanNumber(s string, i int) (int, bool) {
	start := i
	if i < len(s) && s[i] == '-' {
		i++
	}
	first := i
	i = digits(s, i)
	if i == first || i-first > 1 && s[first] == '0' {
		return start, false
	}
	if i < len(s) && s[i] == '.' {
		fraction := i + 1
		if i = digits(s, fraction); i == fraction {
			return i, false
		}
	}
	if i < len(s) && (s[i] == 'e' || s[i] == 'E') {
		i++
		if i < len(s) && (s[i] == '+' || s[i] == '-') {
			i++
		}
		exponent := i
		if i = digits(s, exponent); i == exponent {
			return i, false
		}
	}
	return i, true
}

func digits(s string, i int) int {
	for i < len(s) && '0' <= s[i] && s[i] <= '9' {
		i++
	}
	return i
}

// skip returns the end of the value that begins at i. The text has been scanned, so it is known to be valid.
func skip(s string, i int) int {
	switch s[i] {
	case '"':
		return skipString(s, i+1)
	case '{', '[':
		depth := 0
		for {
			switch class[s[i]] {
			case quote:
				i = skipString(s, i+1)
				continue
			case opening:
				depth++
			case closing:
				if depth--; depth == 0 {
					return i + 1
				}
			}
			i++
		}
	default:
		for i < len(s) {
			if c := s[i]; c <= ' ' || c == ',' || c == ']' || c == '}' {
				break
			}
			i++
		}
		return i
	}
}

// skipString returns the position after the closing quote of a valid string whose opening quote lies before i.
func skipString(s string, i int) int {
	// Most strings are short: names of members, ids, empty ones. A search costs more than looking at a few bytes.
	for end := min(i+24, len(s)); i < end; {
		switch s[i] {
		case '"':
			return i + 1
		case '\\':
			i += 2
		default:
			i++
		}
	}
	for {
		j := i + strings.IndexByte(s[i:], '"')
		// The quote closes the string unless an odd number of backslashes stands before it.
		k := j
		for k > i && s[k-1] == '\\' {
			k--
		}
		if (j-k)&1 == 0 {
			return j + 1
		}
		i = j + 1
	}
}
