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
	name  string
	parts [languages]part
}

// part is the model of one language: quantised weights, one row per bucket. A row is padded to eight bytes, so that it never
// straddles two cache lines.
type part struct {
	weights     [][4]int16
	scale       [classes]float32 // weight = row[class] * scale[class]
	bias        [classes]float32
	temperature float32 // logits are divided by it before the softmax
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

// Name implements Classifier: "otklik-linear-1-" and a checksum of the weights.
func (m *Model) Name() string { return m.name }

// Classify implements Classifier. It allocates only while the scratch grows and
// for some of the words that the scratch has not seen lately.
func (m *Model) Classify(text, lang string, target Target, s *Scratch) (stream.Label, stream.Scores) {
	s.tokens.read(text, target)
	l := s.tokens.language(text, lang)
	if l == unknownLanguage {
		return stream.Unlabelled, stream.Scores{}
	}
	s.extract()
	logits := m.parts[l].logits(&s.features)
	return decide(softmax(logits, m.parts[l].temperature))
}

// logits sums the weights of the features.
func (p *part) logits(f *features) [classes]float32 {
	out := p.bias
	for block, list := range f {
		if len(list) == 0 {
			continue
		}
		var sum [classes]int32
		for _, b := range list {
			w := &p.weights[b&(buckets-1)]
			sum[0] += int32(w[0])
			sum[1] += int32(w[1])
			sum[2] += int32(w[2])
		}
		v := norm(block, len(list))
		for c := range out {
			out[c] += float32(sum[c]) * p.scale[c] * v
		}
	}
	return out
}

func softmax(logits [classes]float32, temperature float32) (p [classes]float32) {
	top := max(logits[0], logits[1], logits[2])
	var sum float32
	for c := range p {
		p[c] = float32(math.Exp(float64((logits[c] - top) / temperature)))
		sum += p[c]
	}
	for c := range p {
		p[c] /= sum
	}
	return p
}

func decide(p [classes]float32) (stream.Label, stream.Scores) {
	best := neutral
	for c := range p {
		if p[c] > p[best] {
			best = c
		}
	}
	return labelOf[best], stream.Scores{Positive: p[positive], Neutral: p[neutral], Negative: p[negative]}
}

// The model file: the magic, per language its two-letter code, temperature, biases, scales (float32) and weights (int16, bucket
// by bucket), and the CRC-32C of all before; integers are little-endian.
const magic = "OTKLIKSENT1\n"

var errModelFile = errors.New("not a sentiment model of this version; make one with otklik sentiment train")

const partSize = 2 + 4 + 2*4*classes + 2*classes*buckets

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Encode returns the model file of m.
func (m *Model) Encode() []byte {
	b := make([]byte, 0, len(magic)+int(languages)*partSize+4)
	b = append(b, magic...)
	float := func(f float32) { b = binary.LittleEndian.AppendUint32(b, math.Float32bits(f)) }
	for l := range m.parts {
		p := &m.parts[l]
		b = append(b, languageCodes[l]...)
		float(p.temperature)
		for c := range classes {
			float(p.bias[c])
		}
		for c := range classes {
			float(p.scale[c])
		}
		for i := range p.weights {
			for c := range classes {
				b = binary.LittleEndian.AppendUint16(b, uint16(p.weights[i][c]))
			}
		}
	}
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

// Decode reads a model file. Its error says what is wrong with the file.
func Decode(b []byte) (*Model, error) {
	if len(b) != len(magic)+int(languages)*partSize+4 || string(b[:len(magic)]) != magic {
		return nil, errModelFile
	}
	sum := crc32.Checksum(b[:len(b)-4], castagnoli)
	if sum != binary.LittleEndian.Uint32(b[len(b)-4:]) {
		return nil, errors.New("the checksum of the sentiment model does not match: the file is damaged")
	}
	m := &Model{name: fmt.Sprintf("otklik-linear-1-%08x", sum)}
	at := len(magic)
	float := func() float32 {
		at += 4
		return math.Float32frombits(binary.LittleEndian.Uint32(b[at-4:]))
	}
	for l := range m.parts {
		p := &m.parts[l]
		if string(b[at:at+2]) != languageCodes[l] {
			return nil, fmt.Errorf("the sentiment model has the language %q where %q belongs", b[at:at+2], languageCodes[l])
		}
		at += 2
		p.temperature = float()
		for c := range classes {
			p.bias[c] = float()
		}
		for c := range classes {
			p.scale[c] = float()
		}
		if !(p.temperature > 0) {
			return nil, fmt.Errorf("the temperature %v of the sentiment model is not positive", p.temperature)
		}
		p.weights = make([][4]int16, buckets)
		for i := range p.weights {
			for c := range classes {
				p.weights[i][c] = int16(binary.LittleEndian.Uint16(b[at:]))
				at += 2
			}
		}
	}
	return m, nil
}
