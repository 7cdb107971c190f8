package brand

// starts is a set of beginnings of words: of three bytes, and of four. It tells most words that no term begins with, and may hold
// what nobody put in, never the reverse. Of a word that is shorter blanks count as its other bytes.
type starts struct {
	three, four bits
}

// bits is a set of hashes.
type bits [1 << 16 / 64]uint64

// bit returns the place of a beginning, by Fibonacci hashing (Knuth, The Art of Computer Programming, volume 3, section 6.4).
func bit(beginning uint32) (word, mask uint64) {
	h := uint64(beginning * 0x9e3779b1 >> 16)
	return h / 64, 1 << (h % 64)
}

func (s *bits) add(beginning uint32) {
	word, mask := bit(beginning)
	s[word] |= mask
}

func (s *bits) has(beginning uint32) bool {
	word, mask := bit(beginning)
	return s[word]&mask != 0
}

// beginnings packs the first three and the first four bytes of the word that b begins with.
func beginnings(b []byte) (three, four uint32) {
	const blanks = blank | blank<<8 | blank<<16 | blank<<24
	if len(b) >= 4 && b[1] != blank && b[2] != blank {
		four = uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24
		return four &^ (0xff << 24), four
	}
	four = blanks
	for i := 0; i < min(len(b), 4) && b[i] != blank; i++ {
		four ^= uint32(b[i]^blank) << (8 * i)
	}
	return four &^ (0xff << 24), four
}

// add notes the words of texts that w can be. Its first byte is no blank.
func (s *starts) add(w *word) {
	base := w.base
	three, four := beginnings([]byte(base))
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

// has reports whether a term may begin with the word that b begins with.
func (s *starts) has(b []byte) bool {
	three, four := beginnings(b)
	return s.four.has(four) || s.three.has(three)
}
