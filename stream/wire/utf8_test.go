package wire

import (
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"
)

// TestValid compares with the standard library on mixtures of everything, whole and cut.
func TestValid(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	parts := []string{
		"a", " ", "word", "eight by", "Б", "ёж", "связь", "\u00e9", "\u07ff", "\u0800", "漢字", "\ufffd", "😀", "\x00", "\u0080",
		"\xc0\x80", "\xc1\xbf", "\xd0", "\xd0\xd0", "\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xff", "\xe6\xbc", "\xd0\x00", "\xdf\xff",
	}
	broken := 0
	for range 200_000 {
		var b strings.Builder
		pool := parts
		if rng.IntN(2) == 0 {
			pool = parts[:15] // whole characters
		}
		for range rng.IntN(12) {
			b.WriteString(pool[rng.IntN(len(pool))])
		}
		s := b.String()
		s = s[rng.IntN(len(s)+1)/4:]
		if got, want := valid(s), utf8.ValidString(s); got != want {
			t.Fatalf("%q: %t", s, got)
		} else if !want {
			broken++
		}
	}
	if broken < 10_000 || broken > 190_000 {
		t.Errorf("%d of 200,000 are broken: too few or too many to tell", broken)
	}
}

func FuzzValid(f *testing.F) {
	f.Add("приём, eight by eight 😀")
	f.Add("\xd0\xd0\xd0\xd0\xd0\xd0\xd0\xd0")
	f.Fuzz(func(t *testing.T, s string) {
		if valid(s) != utf8.ValidString(s) {
			t.Errorf("%q: %t", s, valid(s))
		}
	})
}

func BenchmarkValid(b *testing.B) {
	text := strings.Repeat("Второй день нет связи, wtf is going on? ", 8)
	b.Run("ours", func(b *testing.B) {
		b.SetBytes(int64(len(text)))
		for b.Loop() {
			valid(text)
		}
	})
	b.Run("library", func(b *testing.B) {
		b.SetBytes(int64(len(text)))
		for b.Loop() {
			utf8.ValidString(text)
		}
	})
}
