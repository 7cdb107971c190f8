package brand

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// The naive matcher: every term tried at every word, on ordinary strings, without folding, automaton or ordinals. It knows
// words and separators only (no handles, links or accounts).

type naiveWord struct {
	text       string
	start, end int
}

func naiveWords(text string) []naiveWord {
	var words []naiveWord
	start := -1
	for i, r := range text + " " {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			if start < 0 {
				start = i
			}
			continue
		}
		if start >= 0 {
			words = append(words, naiveWord{strings.ReplaceAll(strings.ToLower(text[start:i]), "ё", "е"), start, i})
			start = -1
		}
	}
	return words
}

var (
	naiveNominative = strings.Fields("ый ий ой ая яя ое ее ые ие ия а я о е у ю ы и ь й")
	naiveAdjective  = strings.Fields("ый ий ой ая яя ое ее ые ие ого его ому ему ым им ыми ими ых их ую юю ом ем ей")
	naiveNoun       = strings.Fields("а я о е у ю ы и ь й ой ей ою ею ом ем ам ям ами ями ах ях ов ев ью ья ье ия ии ию ие ием ией иям иями иях")
)

var naiveFormsOf = map[string][]string{}

// naiveForms lists all forms of a word of the catalogue.
func naiveForms(w string) (forms []string) {
	if known, ok := naiveFormsOf[w]; ok {
		return known
	}
	defer func() { naiveFormsOf[w] = forms }()
	forms = []string{w}
	n := utf8.RuneCountInString(w)
	if n < 3 || strings.ContainsFunc(w, unicode.IsDigit) {
		return forms
	}
	base := w
	for _, e := range naiveNominative {
		if strings.HasSuffix(w, e) && n-utf8.RuneCountInString(e) >= 3 {
			base = strings.TrimSuffix(w, e)
			break
		}
	}
	forms = append(forms, base)
	for _, e := range slices.Concat(naiveNoun, naiveAdjective) {
		forms = append(forms, base+e)
	}
	for _, e := range naiveAdjective {
		forms = append(forms, base+"овск"+e)
	}
	return forms
}

// naiveFind returns the places [from, to) in words where the term stands.
func naiveFind(text string, words []naiveWord, term string) (places [][2]int) {
	parts := naiveWords(strings.ReplaceAll(term, "*", ""))
	for i := range words {
		ok := i+len(parts) <= len(words)
		for j := 0; ok && j < len(parts); j++ {
			w := words[i+j]
			switch {
			case strings.HasSuffix(term, "*"):
				ok = strings.HasPrefix(w.text, parts[j].text)
			case strings.HasPrefix(term, "="):
				ok = w.text == parts[j].text
			default:
				ok = slices.Contains(naiveForms(parts[j].text), w.text)
			}
			if ok && j > 0 {
				ok = utf8.RuneCountInString(text[words[i+j-1].end:w.start]) <= 3
			}
		}
		if ok {
			places = append(places, [2]int{i, i + len(parts)})
		}
	}
	return places
}

func naiveMatch(c *Catalogue, text string) string {
	words := naiveWords(text)
	var out []string
	for i := range c.Brands {
		b := &c.Brands[i]
		type place struct {
			at        [2]int
			cancelled bool
		}
		var aliases []place
		for _, a := range b.Aliases {
			for _, at := range naiveFind(text, words, a) {
				aliases = append(aliases, place{at: at})
			}
		}
		for _, v := range b.Vetoes {
			for _, at := range naiveFind(text, words, v) {
				contains := false
				for k := range aliases {
					if aliases[k].at[0] < at[1] && at[0] < aliases[k].at[1] {
						aliases[k].cancelled, contains = true, true
					}
				}
				for k := range aliases {
					if !contains && aliases[k].at[0]-(at[1]-1) <= VetoReach && at[0]-(aliases[k].at[1]-1) <= VetoReach {
						aliases[k].cancelled = true
					}
				}
			}
		}
		if slices.ContainsFunc(aliases, func(p place) bool { return !p.cancelled }) {
			out = append(out, b.Key+":text")
		}
	}
	return strings.Join(out, " ")
}

// naiveCatalogue has overlapping names, phrases, prefixes, exact words and vetoes of both kinds.
func naiveCatalogue() *Catalogue {
	return &Catalogue{Brands: []Brand{
		{Key: "a", Name: "A", Own: true, Aliases: []string{"мтс", "mts", "мобильные телесистемы"}, Vetoes: []string{"мтс банк", "рупор"}},
		{Key: "b", Name: "B", Aliases: []string{"мтс банк", "ёлка", "билайн", "билайн дом"}, Vetoes: []string{"новогодняя ёлка"}},
		{Key: "c", Name: "C", Aliases: []string{"=Мега", "мегаф*", "теле 2", "ростелеком"}, Vetoes: []string{"кричать в мегафон", "=мтс"}},
	}}
}

var naivePieces = strings.Fields(`мтс МТС мтсе мтсом омтс мтсx mts MTS банк банка банком рупор рупоре мобильные мобильных телесистемы телесистемам
	ёлка Ёлки елкой елочка новогодняя новогодней билайн Билайна билайновский дом дома мега меге мегафон мегафону кричать в теле 2 теле2 ростелеком
	ростелекома ростелек и да слово ещё слово word 7`)

var naiveSeparators = []string{" ", " ", " ", "-", ", ", ". ", " — ", "    ", "\n", "«", "/", "🔥"}

func compareWithNaive(t *testing.T, m *Matcher, s *Scratch, text string) {
	t.Helper()
	if got, want := brandsOf(m.Match(post(text), s)), naiveMatch(m.Catalogue(), text); got != want {
		t.Fatalf("Match(%q) = %q, naively %q", text, got, want)
	}
}

func TestMatchEqualsNaive(t *testing.T) {
	m := newTestMatcher(t, naiveCatalogue())
	var s Scratch
	r := rand.New(rand.NewPCG(3, 4))
	named := 0
	for range 10_000 {
		var b strings.Builder
		for range r.IntN(14) {
			b.WriteString(naivePieces[r.IntN(len(naivePieces))])
			b.WriteString(naiveSeparators[r.IntN(len(naiveSeparators))])
		}
		compareWithNaive(t, m, &s, b.String())
		if len(s.hits) > 0 {
			named++
		}
	}
	if named < 2_500 {
		t.Errorf("only %d texts name a brand: the comparison says little", named)
	}
}

// FuzzMatch: on texts of plain words the matcher equals the naive one; on any text the hits are well-formed.
func FuzzMatch(f *testing.F) {
	for _, text := range []string{"мтс банк и мтс", "кричать в мегафон", "@mts http://mts.ru/мтс?", "би\u0306лайн", "новогодняя ёлка, ёлка", "ß İ ǅ Ⅷ"} {
		f.Add(text)
	}
	m := newTestMatcher(f, naiveCatalogue())
	var s Scratch // which remembers words
	f.Fuzz(func(t *testing.T, text string) {
		plain := !strings.ContainsFunc(text, func(r rune) bool {
			// What the naive matcher does not know: handles, accents, other alphabets, invisible characters.
			return r == '@' || r == utf8.RuneError || r >= 0x80 && r < 0x2010 && (r < 'А' || r > 'я') && r != 'ё' && r != 'Ё' || r > 0x2015
		}) && !strings.Contains(strings.ToLower(text), "http")
		if plain {
			compareWithNaive(t, m, &s, text)
		}
		for _, h := range m.Match(post(text), &s) {
			if h.Via == 0 || len(h.Spans) == 0 {
				t.Fatalf("Match(%q): hit %+v without a reason", text, h)
			}
			for _, span := range h.Spans {
				if span.Start < 0 || span.Start >= span.End || span.End > len(text) {
					t.Fatalf("Match(%q): span %+v", text, span)
				}
			}
		}
	})
}
