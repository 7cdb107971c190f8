package sentiment

import (
	"encoding/binary"
	"math/bits"
	"unsafe"

	"github.com/blevesearch/snowballstem"
	"github.com/blevesearch/snowballstem/english"
	"github.com/blevesearch/snowballstem/russian"
)

// The hashed features of a text come from three tables of buckets: its terms (the stem of a word, or a mark, an emoji, a kind of token),
// terms two in a row, and the letters of its words, 3 to 5 in a row. Terms and pairs make one block and letters another; the
// values of a block are inverse document frequencies divided by their Euclidean norm, so that long texts do not shout.
const (
	termTable = iota
	pairTable
	gramTable
	tables
)

// tableBits are the sizes of the tables, as powers of two.
var tableBits = [tables]uint{17, 17, 17}

const (
	termBlock = iota // of termTable and pairTable
	gramBlock
	blocks
)

var blockOf = [tables]int{termTable: termBlock, pairTable: termBlock, gramTable: gramBlock}

const classes = 3 // positive, neutral, negative

// Seeds keep the kinds of features apart. Those of tokens follow seedWord by kind.
const (
	seedWord uint64 = iota + 1
	_
	_
	_
	_
	_
	_
	_
	_
	seedStem
	seedPair
	seedGram
	seedKind
)

const (
	startOfText = 1 // the terms before the first and after the last
	endOfText   = 2
)

// mix is one step of the hash: a 128-bit product folded (the idea of wyhash).
func mix(h, x uint64) uint64 {
	hi, lo := bits.Mul64(h^0xa0761d6478bd642f, x^0xe7037ed1a0b428db)
	return hi ^ lo
}

func hashBytes(seed uint64, b []byte) uint64 {
	h := seed
	for len(b) >= 8 {
		h = mix(h, binary.LittleEndian.Uint64(b))
		b = b[8:]
	}
	var tail uint64
	if cap(b) >= 8 { // what lies behind it is masked
		tail = binary.LittleEndian.Uint64(b[:8]) & (1<<(8*len(b)) - 1)
	} else {
		for i, c := range b {
			tail |= uint64(c) << (8 * i)
		}
	}
	return mix(h, tail^uint64(len(b))<<56)
}

// bucket returns the bucket of a hash in a table.
func bucket(table int, h uint64) uint32 { return uint32(h >> (64 - tableBits[table])) }

// pair returns the hash of two terms in a row.
func pair(a, b uint64) uint64 { return mix(a^seedPair, b) }

// stemmer finds stems. It is not safe for concurrent use.
type stemmer struct{ env snowballstem.Env }

// term returns the hash that stands for a token: that of the stem if it is a word (a Snowball stem, of the Russian algorithm for
// Cyrillic and of the English one for Latin letters), its own otherwise.
func (s *stemmer) term(k *token, b []byte) uint64 {
	if k.kind != wordToken || len(b) == 0 {
		return k.hash
	}
	// The stemmer reads the caller's bytes; what it returns is hashed before they change.
	s.env.SetCurrent(unsafe.String(unsafe.SliceData(b), len(b)))
	if k.cyrillic {
		russian.Stem(&s.env)
	} else {
		english.Stem(&s.env)
	}
	out := s.env.Current()
	h := hashBytes(seedStem, unsafe.Slice(unsafe.StringData(out), len(out)))
	s.env.SetCurrent("")
	return h
}

// stemOf returns the term of a word given as a string in lower case.
func (s *stemmer) stemOf(word string) uint64 {
	k := token{kind: wordToken, cyrillic: word != "" && word[0] >= 0x80}
	return s.term(&k, []byte(word))
}

// grams calls f with the hash of each 3, 4 and 5 letters in a row of a word with its ends marked.
func grams(word []byte, cyrillic bool, f func(h uint64)) {
	const longest = 40 // letters of a word that are read
	var letters [longest + 2]uint64
	n := 1
	letters[0] = ' '
	for i := 0; i < len(word) && n <= longest; n++ {
		c := uint64(word[i])
		i++
		if cyrillic && c >= 0x80 && i < len(word) {
			c = c<<8 | uint64(word[i])
			i++
		}
		letters[n] = c
	}
	letters[n] = ' '
	n++
	for i := 0; i+3 <= n; i++ {
		h := mix(seedGram, letters[i]|letters[i+1]<<16|letters[i+2]<<32)
		f(h)
		if i+4 <= n {
			h = mix(h, letters[i+3])
			f(h)
			if i+5 <= n {
				f(mix(h, letters[i+4]))
			}
		}
	}
}
