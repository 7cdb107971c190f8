package brand

import (
	"bytes"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// The folded alphabet. A folded text is what the automaton reads: one byte per letter or digit of the usual alphabets
// (so that a Russian text takes half the steps), a blank for everything that separates words, blanks at both ends.
const (
	blank  = ' '  // anything that is not part of a word
	escape = 0x1f // a letter of another alphabet: escape and three bytes of its code point, each ≥ 0x80
	cyrA   = 0x80 // а … я are cyrA … cyrA+31; ё is folded to е
)

// latin maps U+0000 … U+024F to the folded byte: ASCII letters to lower case, digits to themselves, accented letters
// to their base letter, 0 to "see elsewhere", blank to separators.
var latin = func() (t [0x250]byte) {
	for r := range rune(0x250) {
		switch {
		case r >= 'A' && r <= 'Z':
			t[r] = byte(r) + 'a' - 'A'
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			t[r] = byte(r)
		case !unicode.IsLetter(r) && !unicode.IsDigit(r):
			t[r] = blank
		default:
			if base, _ := utf8.DecodeRuneInString(norm.NFD.String(string(r))); base < utf8.RuneSelf {
				t[r] = t[base]
			}
		}
	}
	t[0xad] = 0 // soft hyphen: invisible, joins
	return t
}()

// cyrillic maps the two bytes of the Russian letters to the folded byte, by the last bit of the first byte (0xd0 or 0xd1) and the
// second one; 0 to "see elsewhere".
var cyrillic = func() (t [2][256]byte) {
	set := func(r rune, folded byte) {
		s := string(r)
		t[s[0]&1][s[1]] = folded
	}
	for r := 'а'; r <= 'я'; r++ {
		set(r, byte(r-'а')+cyrA)
		set(unicode.ToUpper(r), byte(r-'а')+cyrA)
	}
	set('ё', cyrA+5)
	set('Ё', cyrA+5)
	return t
}()

// russian returns the folded byte of the Russian letter at i; 0 if none stands there.
func russian(text string, i int) byte {
	if i+1 < len(text) {
		if c := text[i]; c&^1 == 0xd0 {
			return cyrillic[c&1][text[i+1]]
		}
	}
	return 0
}

// simple is latin for the ASCII characters that mean the same wherever they stand, 0 for the others: what can stand in a handle
// or ask, and the letter that a link begins with.
var simple = func() (t [utf8.RuneSelf]byte) {
	copy(t[:], latin[:])
	for _, c := range "@_.-?hH" {
		t[c] = 0
	}
	return t
}()

// folded is a text in the folded alphabet. It is reused from text to text.
type folded struct {
	b      []byte
	at     []int32 // at[i] is the byte offset in the text of what b[i] stands for
	asks   bool    // has a question mark outside links
	handle bool    // while folding: within a handle
}

func (f *folded) put(c byte, at int) {
	f.b = append(f.b, c)
	f.at = append(f.at, int32(at))
}

// fold folds text into f. Letters are lower-cased, accents and invisible characters dropped, «й» and «ё» recognised when
// they are decomposed; the path of a link and its scheme become blanks (its host stays); an @handle stays one word with its
// punctuation, so that no alias is found inside it.
func (f *folded) fold(text string) {
	// A letter of two bytes can become four; with that room, what follows writes in place.
	if most := 2*len(text) + 2 + beyond; cap(f.b) < most {
		f.b, f.at = make([]byte, 0, most), make([]int32, 0, most)
	}
	f.b, f.at, f.asks, f.handle = f.b[:0], f.at[:0], false, false
	f.put(blank, 0)
	b, at := f.b[:cap(f.b)], f.at[:cap(f.b)]
	n := 1
	for i := 0; i < len(text); {
		c := text[i]
		var l byte
		if c < utf8.RuneSelf {
			l = simple[c]
		} else if l = russian(text, i); l != 0 { // and the rest of the word with it
			for ; l != 0; l = russian(text, i) {
				b[n], at[n] = l, int32(i)
				n++
				i += 2
			}
			continue
		}
		switch {
		case l != 0:
		case c|0x20 == 'h' && b[n-1] != blank: // begins no link
			l = 'h'
		case (c == '.' || c == '-') && !f.handle:
			l = blank
		default:
			f.b, f.at = b[:n], at[:n]
			i += f.other(text, i)
			n = len(f.b)
			continue
		}
		if l == blank {
			f.handle = false
		}
		b[n], at[n] = l, int32(i)
		n++
		i++
	}
	f.b, f.at = b[:n], at[:n]
	f.put(blank, len(text))
}

// beyond is how many bytes there are at least behind the folded text.
const beyond = 16

// other folds what stands at i if the tables do not say it, and returns how long it is in the text.
func (f *folded) other(text string, i int) int {
	c := text[i]
	if c >= utf8.RuneSelf {
		r, n := utf8.DecodeRuneInString(text[i:])
		if f.wide(r, i) {
			f.handle = false
			if r == '？' {
				f.asks = true
			}
		}
		return n
	}
	if l := latin[c]; l != blank {
		if l == 'h' && !f.handle && f.b[len(f.b)-1] == blank {
			if n := schemeLen(text[i:]); n > 0 {
				return f.link(text[i:], i, n)
			}
		}
		f.put(l, i)
		return 1
	}
	switch c {
	case '@':
		if wordFollows(text[i+1:]) {
			f.handle = true
			f.put('@', i)
			return 1
		}
	case '_':
		if f.handle {
			f.put('_', i)
			return 1
		}
	case '.', '-':
		if f.handle && wordFollows(text[i+1:]) {
			f.put(c, i)
			return 1
		}
	case '?':
		f.asks = true
	}
	f.handle = false
	f.put(blank, i)
	return 1
}

// wide folds a rune beyond ASCII and reports whether it separates words.
func (f *folded) wide(r rune, at int) bool {
	switch {
	case r >= 'а' && r <= 'я':
		f.put(byte(r-'а')+cyrA, at)
	case r >= 'А' && r <= 'Я':
		f.put(byte(r-'А')+cyrA, at)
	case r == 'ё' || r == 'Ё':
		f.put(cyrA+5, at)
	case r >= 0x300 && r <= 0x36f: // combining marks
		if r == 0x306 && f.b[len(f.b)-1] == cyrA+8 { // и + breve
			f.b[len(f.b)-1] = cyrA + 9
		}
	case r == 0xad || r >= 0x200b && r <= 0x200f || r == 0x2060 || r == 0xfeff || r >= 0xfe00 && r <= 0xfe0f:
		// soft hyphen, zero-width characters, variation selectors: invisible, they do not end a word
	case r < 0x250 && latin[r] != 0:
		f.put(latin[r], at)
		return latin[r] == blank
	case unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r):
		r = unicode.ToLower(r)
		f.put(escape, at)
		f.put(0x80|byte(r>>14), at)
		f.put(0x80|byte(r>>7), at)
		f.put(0x80|byte(r), at)
	default:
		f.put(blank, at)
		return true
	}
	return false
}

// link folds the link that text begins with, whose scheme is n bytes long, and returns its length.
func (f *folded) link(text string, at, n int) int {
	end, hostEnd := len(text), 0
	for i := n; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		if r <= ' ' || r == '»' || r == '"' || r == '<' || r == '>' || r >= utf8.RuneSelf && unicode.IsSpace(r) {
			end = i
			break
		}
		if hostEnd == 0 && (r == '/' || r == '?' || r == '#' || r == ':') {
			hostEnd = i
		}
		switch {
		case hostEnd > 0:
		case r < utf8.RuneSelf:
			f.put(latin[r], at+i)
		default:
			f.wide(r, at+i)
		}
		i += size
	}
	if hostEnd == 0 {
		hostEnd = end
	}
	f.put(blank, at+hostEnd)
	return end
}

func schemeLen(s string) int {
	for _, p := range []string{"https://", "http://"} {
		if len(s) > len(p) && strings.EqualFold(s[:len(p)], p) {
			return len(p)
		}
	}
	return 0
}

func wordFollows(s string) bool {
	if s == "" {
		return false
	}
	if s[0] < utf8.RuneSelf {
		return latin[s[0]] != blank || s[0] == '_'
	}
	r, _ := utf8.DecodeRuneInString(s)
	return unicode.IsLetter(r) || unicode.IsDigit(r)
}

// foldHandle lower-cases a handle and drops its "@".
func foldHandle(name string) string {
	return strings.ToLower(strings.TrimPrefix(strings.TrimSpace(name), "@"))
}

// words returns the words of the folded text. (bytes.Fields would take folded letters for UTF-8.)
func (f *folded) words() [][]byte {
	var list [][]byte
	for w := range bytes.SplitSeq(f.b, []byte{blank}) {
		if len(w) > 0 {
			list = append(list, w)
		}
	}
	return list
}
