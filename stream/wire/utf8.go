package wire

import "unicode/utf8"

// valid reports whether s is UTF-8, as utf8.ValidString does. It takes eight bytes at a time of texts in which ASCII alternates with letters
// that begin with 0xD0 to 0xDF (Cyrillic, Hebrew, Arabic): a quarter of the time.
func valid(s string) bool {
	const high = 0x8080808080808080 // the highest bit of each byte; the first byte is the lowest
	var open uint64                 // the highest bit of the next byte, if the byte before it begins a letter
	i := 0
	for i+8 <= len(s) {
		w := eight(s[i:])
		begins := w & (w << 1) & high                // 11xxxxxx
		wrong := w&high&^begins ^ (begins<<8 | open) // 10xxxxxx not behind one of them, or something else there
		wrong |= begins&(w<<2) | begins&^(w<<3)      // begins as 111xxxxx or 1100xxxx
		if wrong == 0 {
			open, i = begins>>56, i+8
			continue
		}
		end := i + 8
		for i -= int(open >> 7); i < end; {
			r, n := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && n == 1 {
				return false
			}
			i += n
		}
		open = 0
	}
	return utf8.ValidString(s[i-int(open>>7):])
}

// eight returns the first eight bytes of s as a number, the first one lowest: one load.
func eight(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}
