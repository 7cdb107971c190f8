package clickhouse

import (
	"encoding/binary"
	"math"
	"slices"
	"sync"

	"github.com/ClickHouse/ch-go/proto"
)

// dictionary collects the strings of a LowCardinality column: each different one once, and a place in that list for every row.
type dictionary struct {
	words  []string // the first is the empty string, which ClickHouse takes for the default
	places []uint32
	index  map[string]uint32 // once there are more words than near
	last   uint32
}

// near is how many words are compared one by one, which is faster than a map.
const near = 16

// dictionaries are kept from one block to the next, empty.
var dictionaries = sync.Pool{New: func() any { return &dictionary{words: []string{""}, index: map[string]uint32{}} }}

func (d *dictionary) add(s string) {
	if d.words[d.last] != s {
		d.last = d.find(s)
	}
	d.places = append(d.places, d.last)
}

func (d *dictionary) find(s string) uint32 {
	if at := slices.Index(d.words[:min(len(d.words), near)], s); at >= 0 {
		return uint32(at)
	}
	if len(d.words) >= near {
		if at, ok := d.index[s]; ok {
			return at
		}
		d.index[s] = uint32(len(d.words))
	}
	d.words = append(d.words, s)
	return uint32(len(d.words) - 1)
}

// How a block of a LowCardinality column begins, see SerializationLowCardinality.cpp of ClickHouse.
const (
	dictionaryState = 1               // the version of the format, before the column
	dictionaryFlags = 1<<9 | 1<<10    // the dictionary is in the block and replaces the one before
	bytePlaces      = dictionaryFlags // the places have one byte …
	shortPlaces     = dictionaryFlags | 1
	wordPlaces      = dictionaryFlags | 2
)

// put appends the column to the buffer. Of no rows nothing is written.
func (d *dictionary) put(to *proto.Buffer) {
	if n := len(d.places); n > 0 {
		flags, width := uint64(wordPlaces), 4
		switch {
		case len(d.words) <= math.MaxUint8:
			flags, width = bytePlaces, 1
		case len(d.words) <= math.MaxUint16:
			flags, width = shortPlaces, 2
		}
		to.PutUInt64(flags)
		to.PutUInt64(uint64(len(d.words)))
		for _, w := range d.words {
			to.Buf = appendText(to.Buf, w)
		}
		to.PutUInt64(uint64(n))
		out := room(&to.Buf, n*width)
		for i, p := range d.places {
			switch width {
			case 1:
				out[i] = byte(p)
			case 2:
				binary.LittleEndian.PutUint16(out[2*i:], uint16(p))
			default:
				binary.LittleEndian.PutUint32(out[4*i:], p)
			}
		}
	}
}

// reset empties the dictionary.
func (d *dictionary) reset() {
	clear(d.words)
	d.words, d.places, d.last = d.words[:1], d.places[:0], 0
	clear(d.index)
}
