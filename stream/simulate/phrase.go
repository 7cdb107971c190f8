package simulate

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"otklik/stream/brand"
)

// mood is what the simulator means a text to express. The truth never uses it as a label: that is the classifier's.
type mood uint8

const (
	praise mood = iota
	remark
	complaint
	ask
	moods
)

// script is the phrases of one language. In phrases, {B} is a name of the brand, {P} a term of a product, {O} a name of
// another brand.
type script struct {
	lang    string
	openers []string // stand before a phrase
	closers []string // stand after it
	plain   [moods][]string
	product [moods][]string // with {P}
	versus  []string        // with {B} and {O}
	chatter []string        // about no brand
	news    []string        // the brand's own posts
	answers []string        // the desk's answers
	further []string        // second parts of answers
	numbers []string        // what an answer must not add: a telephone number
	robots  []string        // automatic replies
	thanks  []string        // a customer after an answer
	nags    []string        // a customer who has not got one, or not a good one
	outage  []string        // the wave
	details []string        // what an editor adds
	spam    []string        // with {S}, a spam term
	severe  []string        // with {S}, a severe term
}

// stage is a script fitted to a catalogue: phrases that happen to hold a term of the catalogue are left out, so that what
// a text names is known from what was put into it.
type stage struct {
	script
	spamTerms   []string
	severeTerms []string
}

// words splits text into lower-case words without regard to ё.
func words(text string) []string {
	text = strings.ReplaceAll(strings.ToLower(text), "ё", "е")
	return strings.FieldsFunc(text, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}

// resembles reports whether the word of a text could be a form of the word of a term. It errs on the side of yes.
func resembles(w, t string, how byte) bool {
	switch how {
	case '*':
		return strings.HasPrefix(w, t)
	case '=':
		return w == t
	}
	wr, tr := []rune(w), []rune(t)
	stem := len(tr)
	switch {
	case stem > 5:
		stem -= 3
	case stem > 3:
		stem--
	}
	if len(wr) < stem || len(wr) > len(tr)+5 {
		return false
	}
	return slices.Equal(wr[:stem], tr[:stem])
}

// part is a word of a pattern.
type part struct {
	word string
	how  byte // '=' exactly, '*' whatever follows, 0 with other endings
}

// pattern is a term of the catalogue, taken apart.
type pattern []part

// patternsOf takes terms (of the syntax of brand.Term) apart.
func patternsOf(list ...brand.Term) []pattern {
	var out []pattern
	for _, term := range list {
		var p pattern
		for f := range strings.FieldsSeq(term) {
			ws := words(f)
			for i, w := range ws {
				part := part{word: w}
				switch {
				case strings.HasSuffix(f, "*") && i == len(ws)-1:
					part.how = '*'
				case strings.HasPrefix(f, "="):
					part.how = '='
				}
				p = append(p, part)
			}
		}
		if len(p) > 0 {
			out = append(out, p)
		}
	}
	return out
}

// in reports whether the text could hold the term.
func (p pattern) in(text []string) bool {
	for i := 0; i+len(p) <= len(text); i++ {
		all := true
		for j := range p {
			if all = resembles(text[i+j], p[j].word, p[j].how); !all {
				break
			}
		}
		if all {
			return true
		}
	}
	return false
}

// literal returns the term as it can stand in a text, or false if it is an open prefix or a handle.
func literal(term brand.Term) (string, bool) {
	if strings.ContainsAny(term, "*@#") {
		return "", false
	}
	t := strings.Join(strings.Fields(strings.ReplaceAll(term, "=", "")), " ")
	return t, t != ""
}

// terms are all terms of a catalogue by what they do.
type terms struct {
	aliases   [][]pattern // and vetoes, by brand
	products  map[string][]pattern
	severity  []pattern
	spam      []pattern
	automatic []pattern
	questions []pattern
}

func termsOf(c *brand.Catalogue) *terms {
	t := &terms{
		products: map[string][]pattern{}, spam: patternsOf(c.Spam...), automatic: patternsOf(c.AutomaticTexts...),
		questions: patternsOf(c.Questions...),
	}
	for i := range c.Brands {
		b := &c.Brands[i]
		t.aliases = append(t.aliases, append(patternsOf(b.Aliases...), patternsOf(b.Vetoes...)...))
		for _, p := range b.Products {
			t.products[p.Key] = append(t.products[p.Key], patternsOf(p.Terms...)...)
		}
	}
	for _, p := range c.Products {
		t.products[p.Key] = append(t.products[p.Key], patternsOf(p.Terms...)...)
	}
	for _, s := range c.Severity {
		t.severity = append(t.severity, patternsOf(s.Terms...)...)
	}
	return t
}

// holds reports whether the text could hold one of the terms.
func holds(text []string, lists ...[]pattern) bool {
	for _, l := range lists {
		for _, p := range l {
			if p.in(text) {
				return true
			}
		}
	}
	return false
}

// clean reports whether the text names nothing of the catalogue. product is the key of a product that it may name.
func (t *terms) clean(text, product string) bool {
	ws := words(text)
	if holds(ws, t.aliases...) || holds(ws, t.severity, t.spam, t.automatic) {
		return false
	}
	if !strings.Contains(text, "?") && holds(ws, t.questions) {
		return false
	}
	return t.freeOfProducts(ws, product)
}

// freeOfProducts reports whether the text names no product but the one with this key.
func (t *terms) freeOfProducts(text []string, but string) bool {
	for key, list := range t.products {
		if key != but && holds(text, list) {
			return false
		}
	}
	return true
}

// fit returns the script without the phrases that name something of the catalogue by accident, and an error if that
// leaves nothing to say.
func (sc *script) fit(c *brand.Catalogue, t *terms) (*stage, error) {
	out := &stage{script: script{lang: sc.lang}}
	keep := func(list []string) []string {
		var kept []string
		for _, p := range list {
			bare := strings.NewReplacer("{B}", " ", "{P}", " ", "{O}", " ", "{S}", " ").Replace(p)
			if t.clean(bare, "") {
				kept = append(kept, p)
			}
		}
		return kept
	}
	for m := range moods {
		out.plain[m], out.product[m] = keep(sc.plain[m]), keep(sc.product[m])
	}
	lists := []struct {
		name string
		from []string
		to   *[]string
	}{
		{"openers", sc.openers, &out.openers},
		{"closers", sc.closers, &out.closers},
		{"versus", sc.versus, &out.versus},
		{"chatter", sc.chatter, &out.chatter},
		{"news", sc.news, &out.news},
		{"answers", sc.answers, &out.answers},
		{"further", sc.further, &out.further},
		{"robots", sc.robots, &out.robots},
		{"thanks", sc.thanks, &out.thanks},
		{"nags", sc.nags, &out.nags},
		{"outage", sc.outage, &out.outage},
		{"details", sc.details, &out.details},
		{"spam", sc.spam, &out.spam},
		{"severe", sc.severe, &out.severe},
	}
	for _, l := range lists {
		if *l.to = keep(l.from); len(*l.to) == 0 {
			return nil, fmt.Errorf("no %s of the %s script is free of the catalogue's terms: make the terms more specific", l.name, sc.lang)
		}
	}
	out.numbers = keep(sc.numbers)
	for m, list := range out.plain {
		if len(list) == 0 || len(out.product[m]) == 0 {
			return nil, fmt.Errorf("no phrase of mood %d of the %s script is free of the catalogue's terms: make the terms more specific", m, sc.lang)
		}
	}
	for _, term := range c.Spam {
		if w, ok := literal(term); ok && sameScript(w, sc.lang) && t.bare(w, t.severity) {
			out.spamTerms = append(out.spamTerms, w)
		}
	}
	for i := range c.Severity {
		if c.Severity[i].Level < 2 {
			continue
		}
		for _, term := range c.Severity[i].Terms {
			if w, ok := literal(term); ok && sameScript(w, sc.lang) && t.bare(w, t.spam) {
				out.severeTerms = append(out.severeTerms, w)
			}
		}
	}
	return out, nil
}

// bare reports whether a spam term or a severe one says nothing else; not are the terms of the other kind.
func (t *terms) bare(term string, not []pattern) bool {
	ws := words(term)
	return !holds(ws, t.aliases...) && !holds(ws, not, t.questions) && t.freeOfProducts(ws, "")
}

// sameScript reports whether a term is written in the letters of the language.
func sameScript(term, lang string) bool {
	for _, r := range term {
		if unicode.IsLetter(r) {
			return unicode.Is(unicode.Cyrillic, r) == (lang == "ru")
		}
	}
	return false
}
