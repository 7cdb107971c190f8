package sentiment

import (
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// slowWord reads a word rune by rune: what word does by tables.
func slowWord(text string) (k token, word []byte, length int) {
	capitals, letters, run := 0, 0, 0
	var last rune
	i := 0
loop:
	for i < len(text) {
		r, n := utf8.DecodeRuneInString(text[i:])
		switch {
		case r >= 'A' && r <= 'Z', r >= 'А' && r <= 'Я':
			r = unicode.ToLower(r)
			capitals++
		case r == 'ё' || r == 'Ё':
			r = 'е'
		case r >= '0' && r <= '9':
		case (r == '\'' || r == '’') && i > 0 && i+n < len(text) && isLetter(text[i+n]):
			r = '\''
		case r == 0xad || r == 0x200b || r == 0x200c || r == 0x200d || r >= 0x300 && r <= 0x36f:
			i += n
			continue
		case unicode.IsLetter(r):
			r = unicode.ToLower(r)
		default:
			break loop
		}
		k.cyrillic = k.cyrillic || r >= 'а' && r <= 'я'
		letters++
		i += n
		if r != last {
			last, run = r, 0
		}
		if run++; run < 3 {
			word = utf8.AppendRune(word, r)
			continue
		}
		if run == 3 && r >= 'а' && r <= 'я' {
			word = word[:len(word)-2]
		}
		k.long = true
	}
	k.caps = capitals >= 2 && capitals == letters
	return k, word, max(i, 1)
}

// FuzzWords compares word with slowWord, and what is counted of letters while a text is read with what its words hold.
func FuzzWords(f *testing.F) {
	for _, s := range []string{
		"Ёлка", "оооочень", "подъезд", "ъъъ", "ъа", "LOL", "LOLolo", "it's", "it’s", "'s", "ıİKk", "KKkKk", "їжак", "Été", "日本日本日本", "a\u0301b", "би\u00adлайн", "о\u200bоо", "ыыыэ", "\xd0", "д\xd1", "\xd0x", "ȺȺȺȺ",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if len(s) == 0 || len(s) > maxText {
			return
		}
		want, word, length := slowWord(s)
		var got tokens
		got.buf = make([]byte, 0, 2*len(s)+8)
		if n := got.word(s, false); n != length {
			t.Fatalf("%q: %d bytes are read, want %d", s, n, length)
		}
		switch {
		case len(got.list) == 0:
			if len(word) > 0 {
				t.Fatalf("%q: no word, want %q", s, word)
			}
		default:
			k := got.list[0]
			if string(got.buf) != string(word) || k.cyrillic != want.cyrillic || k.long != want.long || k.caps != want.caps || k.hash != hashBytes(seedWord, word)|1 {
				t.Fatalf("%q: %q %+v, want %q %+v", s, got.buf, k, word, want)
			}
		}
		got.read(s, Target{})
		var counted letters
		for i := range got.list {
			if k := &got.list[i]; k.kind == wordToken {
				counted.words++
				counted.kinds[common.of(k.hash)]++
				counted.count(got.buf[k.from:k.to])
			}
		}
		if diff := cmp.Diff(counted, got.letters, cmp.AllowUnexported(letters{})); diff != "" {
			t.Fatalf("%q:\n%s", s, diff)
		}
	})
}
