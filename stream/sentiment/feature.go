package sentiment

import (
	"encoding/binary"
	"math"
	"math/bits"
	"unsafe"

	"github.com/blevesearch/snowballstem"
	"github.com/blevesearch/snowballstem/english"
	"github.com/blevesearch/snowballstem/russian"
)

// Features are counted in blocks. Each feature is a bucket of a hash table; within a block its value is its count divided by
// the square root of the block's size, so that long texts do not shout.
const (
	stemBlock = iota // stems, one and two in a row
	charBlock        // 3 to 5 letters in a row within a word
	faceBlock        // what the surface shows: marks, emoticons, emoji, capitals, length
	blocks
)

// blockScale weighs the blocks against each other.
var blockScale = [blocks]float32{1, 0.8, 0.7}

const (
	bucketBits = 17
	buckets    = 1 << bucketBits
	classes    = 3 // positive, neutral, negative
)

// features are the buckets of a text by block; they may repeat.
type features [blocks][]uint32

// Scratch is the memory of one goroutine's classification; the zero value is ready.
type Scratch struct {
	tokens   tokens
	features features
	env      snowballstem.Env
	stems    []stemmed
}

// stemmed is an entry of the cache of stems, which has two entries per set. Stemming costs more than all other features together,
// and allocates where it replaces a suffix; nine of ten words of a stream have been seen lately.
type stemmed struct {
	word, stem uint64 // hashes; word 0 is empty
}

const (
	stemCacheBits = 13
	stemCache     = 1 << stemCacheBits
)

// Seeds keep the kinds of features apart.
const (
	seedWord uint64 = iota + 1
	seedStem
	seedPair
	seedChar
	seedMark
	seedEmoji
	seedFace
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
	for i, c := range b {
		tail |= uint64(c) << (8 * i)
	}
	return mix(h, tail^uint64(len(b))<<56)
}

func bucket(h uint64) uint32 { return uint32(h >> (64 - bucketBits)) }

// stem returns the hash of the stem of a word.
func (s *Scratch) stem(word []byte, cyrillic bool) uint64 {
	if s.stems == nil {
		s.stems = make([]stemmed, stemCache)
	}
	h := hashBytes(seedWord, word) | 1
	set := s.stems[h>>(64-stemCacheBits)&^1:][:2]
	if set[0].word == h {
		return set[0].stem
	}
	set[0], set[1] = set[1], set[0] // the one that was used last stays
	if set[0].word == h {
		return set[0].stem
	}
	// The stemmer reads the scratch's own bytes; what it returns is hashed before they change.
	s.env.SetCurrent(unsafe.String(unsafe.SliceData(word), len(word)))
	if cyrillic {
		russian.Stem(&s.env)
	} else {
		english.Stem(&s.env)
	}
	out := s.env.Current()
	set[0] = stemmed{word: h, stem: hashBytes(seedStem, unsafe.Slice(unsafe.StringData(out), len(out)))}
	s.env.SetCurrent("")
	return set[0].stem
}

// extract fills s.features from s.tokens.
func (s *Scratch) extract() {
	for b := range s.features {
		s.features[b] = s.features[b][:0]
	}
	previous := mix(seedPair, 1) // the start of the text
	words, capitals, longs, smiles, frowns, links, users, exclamations, questions, dots, numbers := 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0
	for i := range s.tokens.list {
		k := &s.tokens.list[i]
		b := s.tokens.buf[k.from:k.to]
		var h uint64
		switch k.kind {
		case wordToken:
			h = s.stem(b, k.cyrillic)
			s.grams(b, k.cyrillic)
			words++
			if k.caps {
				capitals++
			}
			if k.long {
				longs++
			}
		case markToken:
			h = hashBytes(seedMark, b)
			for _, c := range b {
				switch c {
				case '!':
					exclamations++
				case '?':
					questions++
				default:
					dots++
				}
			}
		case emojiToken:
			h = hashBytes(seedEmoji, b)
			s.face(h)
		case smileToken:
			h = mix(seedFace, uint64(10+k.mood))
			if k.mood > 0 {
				smiles++
			} else {
				frowns++
			}
		case linkToken:
			links++
			h = mix(seedFace, 20)
		case userToken:
			users++
			h = mix(seedFace, 21)
		case numberToken:
			numbers++
			h = mix(seedFace, 22)
		default:
			h = mix(seedFace, uint64(30+k.kind))
		}
		s.features[stemBlock] = append(s.features[stemBlock], bucket(h), bucket(mix(previous, h)))
		previous = mix(seedPair, h)
	}
	s.features[stemBlock] = append(s.features[stemBlock], bucket(mix(previous, 2)))
	for i, n := range [...]int{capitals, longs, smiles, frowns, links, users, exclamations, questions, dots, numbers} {
		if n > 0 {
			s.face(mix(seedFace, uint64(100+i*10+min(n, 3))))
		}
	}
	s.face(mix(seedFace, uint64(300+bits.Len(uint(words)))))
}

func (s *Scratch) face(h uint64) {
	s.features[faceBlock] = append(s.features[faceBlock], bucket(mix(h, seedFace)))
}

// grams adds the 3, 4 and 5 letters in a row of a word with its ends marked.
func (s *Scratch) grams(word []byte, cyrillic bool) {
	const longest = 40 // letters of a word that are read
	var letters [longest + 2]uint64
	n := 1
	letters[0] = ' '
	if cyrillic {
		for i := 0; i < len(word) && n <= longest; {
			c := uint64(word[i])
			i++
			if c >= 0x80 && i < len(word) {
				c = c<<8 | uint64(word[i])
				i++
			}
			letters[n] = c
			n++
		}
	} else {
		for i := 0; i < len(word) && n <= longest; i++ {
			letters[n] = uint64(word[i])
			n++
		}
	}
	letters[n] = ' '
	n++
	out := s.features[charBlock]
	for i := 0; i+3 <= n; i++ {
		h := mix(seedChar, letters[i]|letters[i+1]<<16|letters[i+2]<<32)
		out = append(out, bucket(h))
		if i+4 <= n {
			h = mix(h, letters[i+3])
			out = append(out, bucket(h))
			if i+5 <= n {
				out = append(out, bucket(mix(h, letters[i+4])))
			}
		}
	}
	s.features[charBlock] = out
}

// norm returns the value of one occurrence in a block of n.
func norm(block, n int) float32 {
	return blockScale[block] / float32(math.Sqrt(float64(n)))
}
