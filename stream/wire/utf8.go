package wire

import (
	"encoding/binary"
	"unicode/utf8"
	"unsafe"
)

// valid reports whether s is UTF-8, as utf8.ValidString does. It takes eight bytes at a time of texts in which ASCII alternates with letters
// that begin with 0xD0 to 0xDF (Cyrillic, Hebrew, Arabic): a third of the time.
func valid(s string) bool {
	const high = 0x8080808080808080 // the highest bit of each byte; the first byte is the lowest
	b := unsafe.Slice(unsafe.StringData(s), len(s))
	var open uint64 // the highest bit of the next byte, if the byte before it begins a letter
	i := 0
	for i+8 <= len(b) {
		w := binary.LittleEndian.Uint64(b[i:])
		begins := w & (w << 1) & high                // 11xxxxxx
		wrong := w&high&^begins ^ (begins<<8 | open) // 10xxxxxx not behind one of them, or something else there
		wrong |= begins&(w<<2) | begins&^(w<<3)      // begins as 111xxxxx or 1100xxxx
		if wrong == 0 {
			open, i = begins>>56, i+8
			continue
		}
		end := i + 8
		for i -= int(open >> 7); i < end; {
			r, n := utf8.DecodeRune(b[i:])
			if r == utf8.RuneError && n == 1 {
				return false
			}
			i += n
		}
		open = 0
	}
	return utf8.Valid(b[i-int(open>>7):])
}
