package sentiment

import (
	_ "embed"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"sync"

	"otklik/stream"
)

// Model is the built-in classifier. It is immutable and safe for concurrent use.
type Model struct {
	name     string
	lexicons [languages]lexicon
	parts    []*part
	byKind   [languages][2]*part // the part of a language for texts about anything, and about a brand

	confusion *Confusion // of the file beside the model file; nil without
}

// The order of the classes in rows and scores.
const (
	positive = iota
	neutral
	negative
)

var labelOf = [classes]stream.Label{stream.Positive, stream.Neutral, stream.Negative}

//go:embed model.bin
var shipped []byte

var loadShipped = sync.OnceValues(func() (*Model, error) { return Decode(shipped) })

// Default returns the shipped model. It is read once; later calls return the same one.
func Default() (*Model, error) {
	m, err := loadShipped()
	if err != nil {
		return nil, fmt.Errorf("load the built-in sentiment model: %w", err)
	}
	return m, nil
}

// Name implements Classifier: "otklik-linear-3-" and a checksum of the weights.
func (m *Model) Name() string { return m.name }

// Classify implements Classifier. It allocates only while the scratch grows and
// for some of the words that the scratch has not seen lately.
func (m *Model) Classify(text, lang string, target Target, s *Scratch) (stream.Label, stream.Scores) {
	p := m.partFor(text, lang, target, s)
	if p == nil {
		return stream.Unlabelled, stream.Scores{}
	}
	return decide(p.probabilities(p.logits(s)))
}

// partFor reads the text into the scratch and returns the part that knows its language, or nil.
func (m *Model) partFor(text, lang string, target Target, s *Scratch) *part {
	s.tokens.read(text, target)
	l := s.tokens.language(text, lang)
	if l == unknownLanguage {
		return nil
	}
	if target.Company || len(target.Spans) > 0 {
		return m.byKind[l][1]
	}
	return m.byKind[l][0]
}

// assemble finds the parts' lexicons and the part for each kind of text. A language without a part for one kind uses the other.
func (m *Model) assemble() error {
	for _, p := range m.parts {
		p.lexicon = m.lexicons[p.lang]
		kind := 0
		if p.company {
			kind = 1
		}
		m.byKind[p.lang][kind] = p
	}
	for l := range m.byKind {
		k := &m.byKind[l]
		if k[0] == nil {
			k[0] = k[1]
		}
		if k[1] == nil {
			k[1] = k[0]
		}
		if k[0] == nil {
			return fmt.Errorf("the sentiment model has no part for the language %q; train one with sources of it", languageCodes[l])
		}
	}
	return nil
}

// The model file: the magic; per language a byte that says whether a lexicon follows, and its slots; the number of parts; each
// part; and the CRC-32C of all before. Integers and floats are little-endian.
const magic = "OTKLIKSENT3\n"

var errModelFile = errors.New("not a sentiment model of this version; make one with otklik sentiment train")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Encode returns the model file of m.
func (m *Model) Encode() []byte {
	b := []byte(magic)
	for _, l := range m.lexicons {
		if len(l) == 0 {
			b = append(b, 0)
			continue
		}
		b = append(b, 1)
		for i := range l {
			b = binary.LittleEndian.AppendUint16(b, l[i].tag)
			b = append(b, byte(l[i].score[0]), byte(l[i].score[1]))
		}
	}
	b = append(b, byte(len(m.parts)))
	for _, p := range m.parts {
		b = p.encode(b)
	}
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

func (p *part) encode(b []byte) []byte {
	b = append(b, byte(len(p.name)))
	b = append(b, p.name...)
	company := byte(0)
	if p.company {
		company = 1
	}
	b = append(b, byte(p.lang), company)
	p.floats(func(f *float32) { b = binary.LittleEndian.AppendUint32(b, math.Float32bits(*f)) })
	for i := range p.terms {
		for _, w := range p.terms[i] {
			b = binary.LittleEndian.AppendUint16(b, uint16(w))
		}
	}
	for _, table := range [][][4]int8{p.pairs, p.letter} {
		for i := range table {
			for _, w := range table[i] {
				b = append(b, byte(w))
			}
		}
	}
	return b
}

// floats visits the numbers of a part that are not in its tables, in the order of the file.
func (p *part) floats(visit func(*float32)) {
	visit(&p.temperature)
	for c := range classes {
		visit(&p.offset[c])
		visit(&p.slope[c])
		visit(&p.bias[c])
		for t := range tables {
			visit(&p.scale[t][c])
		}
		for i := range p.faces {
			visit(&p.faces[i][c])
		}
	}
}

// Decode reads a model file. Its error says what is wrong with the file.
func Decode(b []byte) (*Model, error) {
	if len(b) < len(magic)+4 || string(b[:len(magic)]) != magic {
		return nil, errModelFile
	}
	sum := crc32.Checksum(b[:len(b)-4], castagnoli)
	if sum != binary.LittleEndian.Uint32(b[len(b)-4:]) {
		return nil, errors.New("the checksum of the sentiment model does not match: the file is damaged; make it anew with otklik sentiment train")
	}
	m := &Model{name: fmt.Sprintf("otklik-linear-3-%08x", sum)}
	r := modelReader{rest: b[len(magic) : len(b)-4]}
	for l := range m.lexicons {
		if r.byte() != 0 {
			m.lexicons[l] = r.lexicon()
		}
	}
	for range int(r.byte()) {
		m.parts = append(m.parts, r.part())
	}
	if r.short || len(r.rest) > 0 {
		return nil, errModelFile
	}
	for _, p := range m.parts {
		if p.lang >= languages || !(p.temperature > 0) {
			return nil, errModelFile
		}
	}
	if err := m.assemble(); err != nil {
		return nil, err
	}
	return m, nil
}

// modelReader takes a model file apart; it is short when the file ends too early.
type modelReader struct {
	rest  []byte
	short bool
}

func (r *modelReader) take(n int) []byte {
	if n > len(r.rest) {
		r.short = true
		return make([]byte, n)
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

func (r *modelReader) byte() byte { return r.take(1)[0] }

func (r *modelReader) lexicon() lexicon {
	b := r.take(4 << lexBits)
	l := make(lexicon, 1<<lexBits)
	for i := range l {
		s := b[4*i : 4*i+4]
		l[i] = lexSlot{tag: binary.LittleEndian.Uint16(s), score: [lexicons]int8{int8(s[2]), int8(s[3])}}
	}
	return l
}

func (r *modelReader) part() *part {
	p := &part{name: string(r.take(int(r.byte())))}
	p.lang = language(r.byte())
	p.company = r.byte() != 0
	p.floats(func(f *float32) { *f = math.Float32frombits(binary.LittleEndian.Uint32(r.take(4))) })
	p.terms = make([][4]int16, 1<<tableBits[termTable])
	b := r.take(8 * len(p.terms))
	for i := range p.terms {
		w := b[8*i : 8*i+8]
		for c := range p.terms[i] {
			p.terms[i][c] = int16(binary.LittleEndian.Uint16(w[2*c:]))
		}
	}
	p.pairs = r.rows(pairTable)
	p.letter = r.rows(gramTable)
	return p
}

func (r *modelReader) rows(table int) [][4]int8 {
	rows := make([][4]int8, 1<<tableBits[table])
	b := r.take(4 * len(rows))
	for i := range rows {
		w := b[4*i : 4*i+4]
		rows[i] = [4]int8{int8(w[0]), int8(w[1]), int8(w[2]), int8(w[3])}
	}
	return rows
}
