package brand

import (
	"encoding/binary"
	"math/bits"
)

// keptWords is a memory of words that were looked up lately, by their place: most words of a stream have been before, and the
// automaton, whose states are large, has to wait for its memory at every letter.
type keptWords [1 << keptBits]keptWord

const keptBits = 10

// keptWord is a word with the terms whose first word has it as a form.
type keptWord struct {
	word  packed
	terms []*entry
}

// packed is a word of a folded text, with zeros behind it; the folded alphabet has no zero.
type packed [longestPacked / 8]uint64

const longestPacked = 24

// place returns where the word is kept.
func (w *packed) place() uint64 {
	const odd = 0x9e3779b97f4a7c15
	hi, lo := bits.Mul64(w[0]^bits.RotateLeft64(w[1], 23)^bits.RotateLeft64(w[2], 47), odd)
	return (hi ^ lo) >> (64 - keptBits)
}

// rest packs what follows the first eight bytes of the word that b begins with, and returns the length of the word. A blank stands behind it.
func (w *packed) rest(b []byte) int {
	for at := 8; ; at += 8 {
		x := binary.LittleEndian.Uint64(b[at:])
		n := firstBlank(x)
		if at < longestPacked {
			w[at/8] = x & low(n)
		}
		if n < 8 {
			return at + n
		}
	}
}

// firstBlank returns which of the eight bytes of x is the first blank; 8 if there is none.
func firstBlank(x uint64) int {
	const ones = 0x0101010101010101
	y := x ^ blank*ones
	return bits.TrailingZeros64((y-ones)&^y&(0x80*ones)) >> 3
}

// low has the lowest n bytes set.
func low(n int) uint64 { return 1<<(8*n) - 1 }
