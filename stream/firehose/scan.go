package firehose

import (
	"encoding/binary"
	"math/bits"
	"slices"
	"unicode/utf16"
	"unicode/utf8"
)

// The scanner finds where the tokens of JSON end, and checks them by the grammar of RFC 8259 on the way. Strings, which are most
// of every payload, are read eight bytes at a time.

// What a string holds beside plain ASCII.
const (
	escaped uint8 = 1 << iota // a backslash
	wide                      // perhaps a byte beyond ASCII: it, or what follows it
)

// invalid is the end of a token that breaks the grammar.
const invalid = -1

const (
	ones  = 0x0101010101010101
	highs = 0x80 * ones
)

// load8 returns the first eight bytes of s, the first one lowest.
func load8(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 | uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

// marks returns a word of which the lowest set bit lies in the first byte of x that is a quote, a backslash or a control
// character; 0 if there is none. (Of what lies above it nothing is known: the subtractions borrow. See "Determine if a word
// has a byte less than n" in https://graphics.stanford.edu/~seander/bithacks.html.)
func marks(x uint64) uint64 {
	const low = 0x02 * ones // makes the quote a space and leaves control characters what they are
	y, slash := x^low, x^'\\'*ones
	return ((y-0x21*ones)&^y | (slash-ones)&^slash) & highs
}

// stringEnd returns the end of the string whose opening quote stands before i, and what it holds; or invalid. Two words at a time,
// and without a branch between them, because strings end anywhere and a branch that is mispredicted costs more than a word.
func stringEnd(s string, i int) (end int, flags uint8) {
	var seen uint64 // all bytes, one upon the other
	for i+16 <= len(s) {
		block := s[i : i+16]
		x, y := load8(block), load8(block[8:])
		seen |= x | y
		first, second := marks(x), marks(y)
		if first|second == 0 {
			i += 16
			continue
		}
		at := bits.TrailingZeros64(first)
		at += bits.TrailingZeros64(second) & -(at >> 6) // of 0 the function says 64
		i += at >> 3
		switch s[i] {
		case '"':
			if seen&highs != 0 {
				flags |= wide
			}
			return i + 1, flags
		case '\\':
			flags |= escaped
			if i = escapesEnd(s, i); i < 0 {
				return invalid, 0
			}
		default:
			return invalid, 0
		}
	}
	if seen&highs != 0 {
		flags |= wide
	}
	return lastStringEnd(s, i, flags)
}

// lastStringEnd is stringEnd within the last bytes of the text, where a string has that so far.
func lastStringEnd(s string, i int, flags uint8) (int, uint8) {
	for i < len(s) {
		switch c := s[i]; {
		case c == '"':
			return i + 1, flags
		case c == '\\':
			flags |= escaped
			if i = escapesEnd(s, i); i < 0 {
				return invalid, 0
			}
		case c < ' ':
			return invalid, 0
		case c >= utf8.RuneSelf:
			flags |= wide
			i++
		default:
			i++
		}
	}
	return invalid, 0
}

// escapesEnd returns the end of the run of escapes that begins at i: texts that are not English come as one "\u" after another.
func escapesEnd(s string, i int) int {
	for i < len(s) && s[i] == '\\' {
		switch {
		case i+6 <= len(s) && s[i+1] == 'u':
			if (hexDigits[s[i+2]]|hexDigits[s[i+3]]|hexDigits[s[i+4]]|hexDigits[s[i+5]])&noDigit != 0 {
				return invalid
			}
			i += 6
		case i+2 <= len(s) && plainEscapes[s[i+1]] != 0:
			i += 2
		default:
			return invalid
		}
	}
	return i
}

// noDigit is the bit of hexDigits that says that a byte is no hexadecimal digit.
const noDigit = 0x80

var hexDigits = func() (t [256]uint8) {
	for c := range t {
		switch {
		case c >= '0' && c <= '9':
			t[c] = uint8(c - '0')
		case c >= 'a' && c <= 'f':
			t[c] = uint8(c - 'a' + 10)
		case c >= 'A' && c <= 'F':
			t[c] = uint8(c - 'A' + 10)
		default:
			t[c] = noDigit
		}
	}
	return t
}()

// plainEscapes holds what the letter after a backslash stands for; 0 if it stands for nothing.
var plainEscapes = [256]uint8{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// unescape appends what the inside of a valid string says to dst. A surrogate without its partner becomes U+FFFD; NUL and invalid
// UTF-8 stay. It never appends more bytes than s has.
func unescape(dst []byte, s string) []byte {
	dst = slices.Grow(dst, len(s))
	n := len(dst)
	dst = dst[:n+len(s)]
	for i := 0; i < len(s); {
		if s[i] != '\\' {
			if i+8 > len(s) {
				dst[n] = s[i]
				i++
				n++
				continue
			}
			// Eight bytes at once; those from an escape on are written over.
			x := load8(s[i:])
			binary.LittleEndian.PutUint64(dst[n:], x)
			y := x ^ '\\'*ones
			plain := bits.TrailingZeros64((y-ones)&^y&highs) >> 3
			i += plain
			n += plain
			continue
		}
		if s[i+1] != 'u' {
			dst[n] = plainEscapes[s[i+1]]
			i += 2
			n++
			continue
		}
		r := escapedRune(s[i:])
		i += 6
		switch {
		case r >= utf8.RuneSelf && r < 0x800: // most letters that are not English
			dst[n], dst[n+1] = 0xc0|byte(r>>6), 0x80|byte(r)&0xbf
			n += 2
			continue
		case r >= 0xd800 && r < 0xdc00 && i+6 <= len(s) && s[i] == '\\' && s[i+1] == 'u':
			if low := escapedRune(s[i:]); low >= 0xdc00 && low < 0xe000 {
				r = utf16.DecodeRune(r, low)
				i += 6
			}
		}
		n += utf8.EncodeRune(dst[n:], r)
	}
	return dst[:n]
}

// escapedRune reads the four digits of the "\u" that s begins with.
func escapedRune(s string) rune {
	s = s[:6]
	return rune(hexDigits[s[2]])<<12 | rune(hexDigits[s[3]])<<8 | rune(hexDigits[s[4]])<<4 | rune(hexDigits[s[5]])
}

// isSpace is true of what RFC 8259 allows between tokens.
var isSpace = [256]bool{' ': true, '\t': true, '\r': true, '\n': true}

// afterSpace returns where the next token begins.
func afterSpace(s string, i int) int {
	if i < len(s) && s[i] <= ' ' {
		return spaceEnd(s, i)
	}
	return i
}

func spaceEnd(s string, i int) int {
	for i < len(s) && isSpace[s[i]] {
		i++
	}
	return i
}

// numberEnd returns the end of the number that begins at i, or invalid.
func numberEnd(s string, i int) int {
	if i < len(s) && s[i] == '-' {
		i++
	}
	whole := i
	i = digitsEnd(s, i)
	if i == whole || i > whole+1 && s[whole] == '0' {
		return invalid
	}
	if i < len(s) && s[i] == '.' {
		from := i + 1
		if i = digits(s, from); i == from {
			return invalid
		}
	}
	if i < len(s) && s[i]|0x20 == 'e' {
		i++
		if i < len(s) && (s[i] == '+' || s[i] == '-') {
			i++
		}
		from := i
		if i = digits(s, from); i == from {
			return invalid
		}
	}
	return i
}

// digitsEnd is digits for numbers that are long as ids are.
func digitsEnd(s string, i int) int {
	for i+8 <= len(s) {
		x := load8(s[i:]) ^ '0'*ones // digits are 0 to 9 now
		others := (x + 0x76*ones | x) & highs
		if others != 0 {
			return i + bits.TrailingZeros64(others)>>3
		}
		i += 8
	}
	return digits(s, i)
}

// wordEnd returns the end of the word at i, or invalid.
func wordEnd(s string, i int, word string) int {
	if end := i + len(word); end <= len(s) && s[i:end] == word {
		return end
	}
	return invalid
}
