package sentiment

import (
	"math"

	"otklik/stream"
)

// part is the model of one language and one kind of text: quantised weights of the tables' buckets and plain weights of the surface.
type part struct {
	name    string
	lang    language
	company bool // of texts about a brand; the other parts are of texts about anything

	terms  [][4]int16 // by bucket: the weights of the classes, and the inverse document frequency
	pairs  [][4]int8
	letter [][4]int8
	scale  [tables][classes]float32 // weight = row[class] * scale[class]
	faces  [faces][classes]float32
	bias   [classes]float32

	calibration
	lexicon lexicon // of the language; nil without
}

// idfUnit is the inverse document frequency that a stored 10 means.
const idfUnit = 10

// calibration turns logits into probabilities.
type calibration struct {
	temperature float32 // logits are divided by it before the softmax
	// The probability of the likeliest class is sigmoid(offset + slope · its logit under the softmax), by class; the others share
	// the rest as the softmax has it.
	offset, slope [classes]float32
}

// Scratch is the memory of one goroutine's classification; the zero value is ready.
type Scratch struct {
	tokens tokens
	stems  stemmer
	caches map[*part]*cache
	terms  []uint64 // of the tokens, and the start and the end of the text
}

// cache keeps what the model knows of the terms that were seen lately; nine of ten words of a stream have been. It has two entries
// per set. Stemming a word and summing up its letters costs more than all the rest.
type cache [1 << cacheBits]entry

const cacheBits = 13

// entry is what a part knows of a token.
type entry struct {
	key     uint64 // token.hash; 0 is empty
	term    uint64
	row     [4]int16 // of the term
	letters [classes]int32
	norm    int32 // sum of the squared inverse document frequencies of the letters
	hint
}

// cacheOf returns the scratch's cache for the part.
func (s *Scratch) cacheOf(p *part) *cache {
	c := s.caches[p]
	if c == nil {
		if s.caches == nil || len(s.caches) >= maxCaches {
			s.caches = map[*part]*cache{}
		}
		c = new(cache)
		s.caches[p] = c
	}
	return c
}

const maxCaches = 8 // a scratch that serves one model after another forgets the former ones

// lookup returns the entry of a token whose bytes are b.
func (p *part) lookup(c *cache, s *Scratch, k *token, b []byte) *entry {
	at := k.hash >> (64 - cacheBits) &^ 1
	first := &c[at]
	if first.key == k.hash {
		return first
	}
	second := &c[at+1]
	*first, *second = *second, *first // the one that was used last stays
	if first.key == k.hash {
		return first
	}
	*first = p.entry(&s.stems, k, b)
	return first
}

// entry works out the entry of a token whose bytes are b.
func (p *part) entry(stems *stemmer, k *token, b []byte) entry {
	e := entry{key: k.hash, term: stems.term(k, b)}
	e.row = p.terms[bucket(termTable, e.term)]
	e.hint = hintOf(p.lang, p.lexicon, e.term)
	if k.kind == wordToken {
		grams(b, k.cyrillic, func(h uint64) {
			r := &p.letter[bucket(gramTable, h)]
			for c := range classes {
				e.letters[c] += int32(r[c])
			}
			e.norm += int32(r[3]) * int32(r[3])
		})
	}
	return e
}

// sums are the features of a text as a part weighs them.
type sums struct {
	terms, pairs, letters [classes]int32
	termNorm, gramNorm    int32
	surface               surface
}

// add counts a token.
func (x *sums) add(e *entry, k *token, b []byte) {
	for c := range classes {
		x.terms[c] += int32(e.row[c])
		x.letters[c] += e.letters[c]
	}
	x.termNorm += int32(e.row[3]) * int32(e.row[3])
	x.gramNorm += e.norm
	x.surface.add(k, b, &e.hint)
}

// pair counts the terms two in a row. It has a loop of its own, because nearly every pair waits for memory, and so they wait together.
func (x *sums) pair(p *part, terms []uint64) {
	for i := 1; i < len(terms); i++ {
		r := &p.pairs[bucket(pairTable, pair(terms[i-1], terms[i]))]
		for c := range classes {
			x.pairs[c] += int32(r[c])
		}
		x.termNorm += int32(r[3]) * int32(r[3])
	}
}

// logits returns the scores of the classes for the tokens of the scratch.
func (p *part) logits(s *Scratch) [classes]float32 {
	var x sums
	c := s.cacheOf(p)
	s.terms = append(s.terms[:0], startOfText)
	for i := range s.tokens.list {
		k := &s.tokens.list[i]
		b := s.tokens.buf[k.from:k.to]
		e := p.lookup(c, s, k, b)
		x.add(e, k, b)
		s.terms = append(s.terms, e.term)
	}
	s.terms = append(s.terms, endOfText)
	x.pair(p, s.terms)
	return x.logits(p)
}

func (x *sums) logits(p *part) [classes]float32 {
	out := p.bias
	terms, letters := normOf(x.termNorm), normOf(x.gramNorm)
	for c := range out {
		out[c] += (float32(x.terms[c])*p.scale[termTable][c] + float32(x.pairs[c])*p.scale[pairTable][c]) * terms
		out[c] += float32(x.letters[c]) * p.scale[gramTable][c] * letters
	}
	f := x.surface.face()
	for i, v := range &f {
		if v != 0 {
			for c := range out {
				out[c] += v * p.faces[i][c]
			}
		}
	}
	if c := x.surface.emojiAlone(); c != neutral {
		out[c] += emojiAlone
	}
	return out
}

// emojiAlone is the logit of the mood of emoji that stand alone or beside names only. The training files hold hardly any such post, so
// it is set, not learnt.
const emojiAlone = 5

// emojiAlone returns the class that the emoji of a text without words speak for; neutral if there are words, or they speak for none.
func (s *surface) emojiAlone() int {
	switch {
	case s.words > 0 || s.cheer == 0:
		return neutral
	case s.cheer > 0:
		return positive
	default:
		return negative
	}
}

// normOf returns what the weights of a block are multiplied with: the inverse document frequencies are folded into them, so it is
// one over the norm.
func normOf(squares int32) float32 {
	if squares == 0 {
		return 0
	}
	return idfUnit / float32(math.Sqrt(float64(squares)))
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

// largest returns the class of the greatest value; neutral wins a draw.
func largest(p [classes]float32) int {
	best := neutral
	for c := range p {
		if p[c] > p[best] {
			best = c
		}
	}
	return best
}

// probabilities turns logits into probabilities that sum to one; their order is that of the logits.
func (k *calibration) probabilities(logits [classes]float32) [classes]float32 {
	p := softmax(logits, k.temperature)
	best := largest(p)
	rest := float32(0)
	second := float32(0)
	for c := range p {
		if c != best {
			rest += p[c]
			second = max(second, p[c])
		}
	}
	if rest < 1e-6 {
		return p
	}
	top := float32(1 / (1 + math.Exp(-float64(k.offset[best]+k.slope[best]*logit(p[best])))))
	top = max(top, second/(rest+second)*1.0001)
	for c := range p {
		p[c] *= (1 - top) / rest
	}
	p[best] = top
	return p
}

func logit(p float32) float32 { return float32(math.Log(float64(p) / math.Max(1-float64(p), 1e-7))) }

func decide(p [classes]float32) (stream.Label, stream.Scores) {
	return labelOf[largest(p)], stream.Scores{Positive: p[positive], Neutral: p[neutral], Negative: p[negative]}
}
