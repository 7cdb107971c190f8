package simulate

import (
	"encoding/base64"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"otklik/stream"
)

const hexDigits = "0123456789abcdef"

// appendString appends s as a JSON string in UTF-8, escaping only what must be escaped.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	start := 0
	for i := range len(s) {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		b = append(b, s[start:i]...)
		b = appendEscape(b, c)
		start = i + 1
	}
	b = append(b, s[start:]...)
	return append(b, '"')
}

// appendASCII appends s as a JSON string the way Twitter's streaming API and PHP write it: everything beyond ASCII as \u
// escapes (surrogate pairs beyond the BMP) and slashes escaped.
func appendASCII(b []byte, s string) []byte {
	b = append(b, '"')
	b = appendASCIIInner(b, s)
	return append(b, '"')
}

func appendASCIIInner(b []byte, s string) []byte {
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			switch {
			case c == '/':
				b = append(b, '\\', '/')
			case c < ' ' || c == '"' || c == '\\':
				b = appendEscape(b, c)
			default:
				b = append(b, c)
			}
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		if r >= 0x10000 {
			hi, lo := utf16.EncodeRune(r)
			b = appendUnicode(appendUnicode(b, hi), lo)
		} else {
			b = appendUnicode(b, r)
		}
		i += n
	}
	return b
}

func appendUnicode(b []byte, r rune) []byte {
	return append(b, '\\', 'u', hexDigits[r>>12&15], hexDigits[r>>8&15], hexDigits[r>>4&15], hexDigits[r&15])
}

func appendEscape(b []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(b, '\\', c)
	case '\n':
		return append(b, '\\', 'n')
	case '\r':
		return append(b, '\\', 'r')
	case '\t':
		return append(b, '\\', 't')
	default:
		return append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
	}
}

// appendHTML appends s with the entities that the platforms' HTML texts carry; line breaks become <br>.
func appendHTML(b []byte, s string) []byte {
	for i := range len(s) {
		switch c := s[i]; c {
		case '&':
			b = append(b, "&amp;"...)
		case '<':
			b = append(b, "&lt;"...)
		case '>':
			b = append(b, "&gt;"...)
		case '"':
			b = append(b, "&quot;"...)
		case '\'':
			b = append(b, "&#39;"...)
		case '\n':
			b = append(b, "<br>"...)
		default:
			b = append(b, c)
		}
	}
	return b
}

// appendEntities appends s with the three entities of Twitter's and Reddit's texts.
func appendEntities(b []byte, s string) []byte {
	for i := range len(s) {
		switch c := s[i]; c {
		case '&':
			b = append(b, "&amp;"...)
		case '<':
			b = append(b, "&lt;"...)
		case '>':
			b = append(b, "&gt;"...)
		default:
			b = append(b, c)
		}
	}
	return b
}

func appendInt(b []byte, n int64) []byte { return strconv.AppendInt(b, n, 10) }

// appendSeconds appends t as Unix seconds.
func appendSeconds(b []byte, t stream.Time) []byte { return appendInt(b, int64(t/stream.Second)) }

// appendTime appends t, formatted by a layout of package time, without quotes.
func appendTime(b []byte, t stream.Time, layout string) []byte { return t.Go().AppendFormat(b, layout) }

// Layouts of the platforms' times, all used with UTC.
const (
	layoutTwitter = "Mon Jan 02 15:04:05 +0000 2006"
	layoutMillis  = "2006-01-02T15:04:05.000Z"
	layoutSeconds = "2006-01-02T15:04:05Z"
	layoutRSS     = "Mon, 02 Jan 2006 15:04:05 GMT"
)

// mix scatters the bits of x one to one (the finaliser of SplitMix64, Steele, Lea and Flood 2014), so that ids made
// from consecutive numbers look drawn at random and never collide.
func mix(x uint64) uint64 {
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	return x ^ x>>31
}

const (
	base32Digits = "234567abcdefghijklmnopqrstuvwxyz" // of AT Protocol's sortable base32
	base36Digits = "0123456789abcdefghijklmnopqrstuvwxyz"
)

// appendBase32 appends the low 5·n bits of x as n digits.
func appendBase32(b []byte, x uint64, n int) []byte {
	for i := n - 1; i >= 0; i-- {
		b = append(b, base32Digits[x>>(5*uint(i))&31])
	}
	return b
}

func appendBase36(b []byte, x uint64) []byte { return strconv.AppendUint(b, x, 36) }

// appendToken appends n characters of URL-safe base64 that are a function of x.
func appendToken(b []byte, x uint64, n int) []byte {
	var raw [24]byte
	for i := 0; i < len(raw); i += 8 {
		x = mix(x + 0x9e3779b97f4a7c15)
		for j := range 8 {
			raw[i+j] = byte(x >> (8 * uint(j)))
		}
	}
	var text [32]byte
	base64.RawURLEncoding.Encode(text[:], raw[:])
	return append(b, text[:n]...)
}
