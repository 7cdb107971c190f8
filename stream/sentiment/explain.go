package sentiment

import (
	"cmp"
	"math"
	"slices"

	"otklik/stream"
)

// Explanation says why a text has its label.
type Explanation struct {
	Label  stream.Label
	Scores stream.Scores
	Part   string // the part of the model that was asked; "" where the language is unknown
	// Reasons are what speaks for the label and against it, the strongest first.
	Reasons []Reason
}

// Reason is something in a text that speaks for its label or against it.
type Reason struct {
	What string // "word", "two in a row", "tone" or the surface feature's name
	Text string // the place in the text, "" where it is the text as a whole
	// Weight is the label's logit that it adds, less the mean of what it adds to the other classes'. Negative: it speaks against
	// the label.
	Weight float64
}

// Explain labels the text as Classify does and says what weighed in it.
func (m *Model) Explain(text, lang string, target Target) Explanation {
	var s Scratch
	p := m.partFor(text, lang, target, &s)
	if p == nil {
		return Explanation{Label: stream.Unlabelled}
	}
	logits := p.logits(&s)
	out := Explanation{Part: p.name}
	out.Label, out.Scores = decide(p.probabilities(logits))
	label := largest(logits)
	net := func(w [classes]float32) float64 {
		var others float32
		for c := range w {
			if c != label {
				others += w[c]
			}
		}
		return float64(w[label] - others/(classes-1))
	}

	// First the norms, which every feature is divided by.
	entries := make([]entry, len(s.tokens.list))
	var x sums
	for i := range entries {
		k := &s.tokens.list[i]
		b := s.tokens.buf[k.from:k.to]
		entries[i] = p.entry(&s.stems, k, b)
		x.add(&entries[i], k, b)
	}
	x.pair(p, s.terms)
	terms, letters := normOf(x.termNorm), normOf(x.gramNorm)

	pairWeight := func(a, b uint64) float64 {
		r := p.pairs[bucket(pairTable, pair(a, b))]
		var w [classes]float32
		for c := range w {
			w[c] = float32(r[c]) * p.scale[pairTable][c] * terms
		}
		return net(w)
	}
	add := func(what, where string, weight float64) {
		if math.Abs(weight) >= 0.005 {
			out.Reasons = append(out.Reasons, Reason{What: what, Text: where, Weight: weight})
		}
	}
	last := ""
	previous := uint64(startOfText)
	for i := range entries {
		e, where := &entries[i], s.tokens.show(i)
		var w [classes]float32
		for c := range w {
			w[c] = float32(e.row[c])*p.scale[termTable][c]*terms + float32(e.letters[c])*p.scale[gramTable][c]*letters
		}
		add("word", where, net(w))
		if i == 0 {
			add("begins with", where, pairWeight(previous, e.term))
		} else {
			add("two in a row", last+" "+where, pairWeight(previous, e.term))
		}
		previous, last = e.term, where
	}
	if len(entries) > 0 {
		add("ends with", last, pairWeight(previous, endOfText))
	}
	for i, v := range x.surface.face() {
		var w [classes]float32
		for c := range w {
			w[c] = v * p.faces[i][c]
		}
		add(faceNames[i], "", net(w))
	}
	if c := x.surface.emojiAlone(); c != neutral {
		var w [classes]float32
		w[c] = emojiAlone
		add("emoji without a word", "", net(w))
	}
	out.Reasons = merge(out.Reasons)
	return out
}

// merge adds up the reasons of the same kind and place, and sorts by strength.
func merge(list []Reason) []Reason {
	type key struct{ what, text string }
	at := map[key]int{}
	var out []Reason
	for _, r := range list {
		k := key{r.What, r.Text}
		if i, ok := at[k]; ok {
			out[i].Weight += r.Weight
			continue
		}
		at[k] = len(out)
		out = append(out, r)
	}
	slices.SortStableFunc(out, func(a, b Reason) int { return cmp.Compare(math.Abs(b.Weight), math.Abs(a.Weight)) })
	return out
}

// show returns a token for a reader's eyes.
func (t *tokens) show(i int) string {
	k := &t.list[i]
	switch k.kind {
	case brandToken:
		return "‹the brand›"
	case otherToken:
		return "‹another brand›"
	case userToken:
		return "‹a handle›"
	case linkToken:
		return "‹a link›"
	case numberToken:
		return "‹a number›"
	case smileToken:
		if k.mood > 0 {
			return ":)"
		}
		return ":("
	default:
		return string(t.buf[k.from:k.to])
	}
}
