package brand

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"otklik/stream"
)

// TestScratchRemembersNothingElse has two matchers use one scratch in turn, which keeps the words that it has seen, and compares with
// scratches that know nothing.
func TestScratchRemembersNothingElse(t *testing.T) {
	t.Parallel()
	matchers := []*Matcher{newTestMatcher(t, naiveCatalogue()), newTestMatcher(t, Example())}
	pieces := append([]string{
		"@ru_mts", "мегафонмегафонмегафон", "мегафоном", "домашнегодомашнегодомашнего", "mtsmtsmtsmtsmtsmtsmtsmts", "mtsmtsmtsmtsmtsmtsmtsmtss", "билайнбилайнбилайнбилайном",
	}, naivePieces...)
	r := rand.New(rand.NewPCG(7, 8))
	var used Scratch
	for range 3000 {
		var b strings.Builder
		for range r.IntN(12) {
			b.WriteString(pieces[r.IntN(len(pieces))])
			if r.IntN(40) == 0 {
				b.WriteString(pieces[r.IntN(len(pieces))])
			}
			b.WriteByte(' ')
		}
		it := post(b.String())
		it.Platform = stream.Platforms[r.IntN(len(stream.Platforms))]
		it.Author = stream.Account{ID: "7", Name: []string{"", "MTS", "ru_mts", "Маша"}[r.IntN(4)]}
		m := matchers[r.IntN(2)]
		var fresh Scratch
		if diff := cmp.Diff(m.Match(it, &fresh), m.Match(it, &used), cmpopts.IgnoreUnexported(Hit{})); diff != "" {
			t.Fatalf("%q:\n%s", it.Text, diff)
		}
	}
}

// TestPacked packs words of all lengths.
func TestPacked(t *testing.T) {
	t.Parallel()
	seen := map[packed]int{}
	for n := 1; n <= 40; n++ {
		text := append(bytes.Repeat([]byte{0xff}, n), " xxxxxxxxxxxxxxxx"...)
		x := binary.LittleEndian.Uint64(text)
		w := packed{x & low(firstBlank(x))}
		length := firstBlank(x)
		if length == 8 {
			length = w.rest(text)
		}
		if length != n {
			t.Errorf("a word of %d letters has %d", n, length)
		}
		if other, ok := seen[w]; ok && n <= longestPacked {
			t.Errorf("%d letters are packed like %d", n, other)
		}
		seen[w] = n
		var plain [longestPacked]byte
		copy(plain[:], text[:n])
		for i := range w {
			if w[i] != binary.LittleEndian.Uint64(plain[8*i:]) {
				t.Errorf("%d letters: %x is number %d", n, w[i], i)
			}
		}
	}
}
