package brand

import "encoding/binary"

// starts is a set of beginnings of words: of three bytes, and of four. It tells most words that no term begins with, and may hold
// what nobody put in, never the reverse. Of a word that is shorter blanks count as its other bytes.
type starts struct {
	three, four hashes
}

// hashes is a set of hashes.
type hashes [1 << 16 / 64]uint64

// bit returns the place of a beginning, by Fibonacci hashing (Knuth, The Art of Computer Programming, volume 3, section 6.4).
func bit(beginning uint32) (word, mask uint64) {
	h := uint64(beginning * 0x9e3779b1 >> 16)
	return h / 64, 1 << (h % 64)
}

func (s *hashes) add(beginning uint32) {
	word, mask := bit(beginning)
	s[word] |= mask
}

func (s *hashes) has(beginning uint32) bool {
	word, mask := bit(beginning)
	return s[word]&mask != 0
}

// beginnings packs the first three and the first four bytes of a word; x begins with them and end is the length of the word, or more than
// three.
func beginnings(x uint64, end int) (three, four uint32) {
	const blanks = blank | blank<<8 | blank<<16 | blank<<24
	four = uint32(x)
	if end < 4 {
		behind := ^uint32(0) << (8 * end)
		four = four&^behind | blanks&behind
	}
	return four &^ (0xff << 24), four
}

// add notes the words of texts that w can be. Its first byte is no blank.
func (s *starts) add(w *word) {
	base := w.base
	var first [8]byte
	copy(first[:], base)
	three, four := beginnings(binary.LittleEndian.Uint64(first[:]), len(base))
	switch {
	case w.mode == exact || len(base) >= 4:
		s.four.add(four)
	case len(base) == 3:
		s.three.add(three)
	case len(base) == 2:
		for c := range uint32(256) {
			s.three.add(three&0xffff | c<<16)
		}
	default:
		for c := range uint32(1 << 16) {
			s.three.add(three&0xff | c<<8)
		}
	}
}

// has reports whether a term may begin with the word of that length that x begins with.
func (s *starts) has(x uint64, end int) bool {
	three, four := beginnings(x, end)
	return s.four.has(four) || s.three.has(three)
}
