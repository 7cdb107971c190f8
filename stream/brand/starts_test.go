package brand

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// TestStarts: every word that a word of a term can find is in the set, and few others are.
func TestStarts(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	letters := []byte("abcxyz019@_\x80\x85\x9f\x1f\xff")
	random := func(n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = letters[r.IntN(len(letters))]
		}
		return string(b)
	}
	has := func(s *starts, text string) bool {
		var first [8]byte
		copy(first[:], text)
		return s.has(binary.LittleEndian.Uint64(first[:]), strings.IndexByte(text, blank))
	}
	for length := 1; length <= 6; length++ {
		for _, m := range []mode{exact, inflected, prefix} {
			var s starts
			base := random(length)
			s.add(&word{full: base, base: base, mode: m})
			for range 200 {
				w := base
				if m != exact {
					w += random(r.IntN(4))
				}
				if text := fmt.Sprintf("%s %s ", w, random(r.IntN(4))); !has(&s, text) {
					t.Fatalf("%q of mode %d does not begin %q", base, m, text)
				}
			}
			others := 0
			for range 1000 {
				if w := random(1 + r.IntN(8)); w[0] != base[0] && has(&s, w+" ") {
					others++
				}
			}
			if others > 100 && (length > 1 || m == exact) {
				t.Errorf("%q of mode %d begins %d of 1000 other words", base, m, others)
			}
		}
	}
}
