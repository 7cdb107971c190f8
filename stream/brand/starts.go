package brand

// starts is a set of the first three bytes of words, which tells most words that no pattern begins like. It may hold what nobody
// put in, never the reverse.
type starts [1 << 16 / 64]uint64

// newStarts returns the set of the words that one of the patterns can begin: a pattern is a blank and at least one byte.
func newStarts(patterns [][]byte) *starts {
	s := new(starts)
	for _, p := range patterns {
		switch w := p[1:]; len(w) {
		case 1:
			for second := range 256 {
				for third := range 256 {
					s.add(w[0], byte(second), byte(third))
				}
			}
		case 2:
			for third := range 256 {
				s.add(w[0], w[1], byte(third))
			}
		default:
			s.add(w[0], w[1], w[2])
		}
	}
	return s
}

// place returns which bit stands for the three bytes. The letters of an alphabet differ in five bits, so three of them share
// their bit with few others.
func place(first, second, third byte) uint {
	return (uint(first)<<10 ^ uint(second)<<5 ^ uint(third)) & (1<<16 - 1)
}

func (s *starts) add(first, second, third byte) {
	p := place(first, second, third)
	s[p/64] |= 1 << (p % 64)
}

// has reports whether a pattern can begin the word at start. The folded text ends with a blank.
func (s *starts) has(b []byte, start int) bool {
	if start+2 >= len(b) {
		return true // a single letter at the end of the text
	}
	p := place(b[start], b[start+1], b[start+2])
	return s[p/64]>>(p%64)&1 != 0
}
