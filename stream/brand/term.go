package brand

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
)

// Term is how the catalogue writes what to look for: one or more words. A term is found where its words follow
// one another in a text, whole words only, whatever the case, «ё» or «е», and whatever stands between the words (blanks, a
// hyphen, quotes, but at most three characters).
//
//   - A word of three letters or more is also found with the endings of Russian declension after its stem: «мегафон» in
//     «мегафоном», «мтс» in «мтсе», «симка» in «симку», «домашний» in «домашнего», "mts" in «mtsом». The stem is the word
//     without its own nominative ending; brand names stand in no dictionary, so a stemmer made for dictionary words
//     would cut «ростелеком» to «ростелек».
//   - "=word" is found in exactly this form.
//   - "word*" is found whatever follows («мошенни*»).
//   - "@name" is a handle, found in exactly this form. Handles and e-mail addresses are one word with their
//     punctuation, so «мтс» is not found in «@mts_fan» or «info@mts.ru»; of a link only the host is read.
type Term = string

// mode says how a word of a term compares with a word of a text.
type mode uint8

const (
	exact mode = iota
	inflected
	prefix
)

// word is one word of a term, folded.
type word struct {
	full string // the word itself
	base string // what the text's word must begin with
	mode mode
}

// term is a parsed Term.
type term []word

// maxGap is how many characters may stand between two words of a term.
const maxGap = 3

var errEmptyTerm = errors.New("the term has no letter or digit")

// parseTerm reads the syntax of Term.
func parseTerm(s Term) (term, error) {
	var t term
	var f folded
	for field := range strings.FieldsSeq(s) {
		m := inflected
		text := field
		switch {
		case strings.HasPrefix(text, "="):
			m, text = exact, text[1:]
		case strings.HasSuffix(text, "*"):
			m, text = prefix, strings.TrimSuffix(text, "*")
		case strings.HasPrefix(text, "@"):
			m = exact
		}
		if strings.Contains(text, "*") {
			return nil, fmt.Errorf("the word %q has a * that does not end it", field)
		}
		f.fold(text)
		parts := f.words()
		for i, p := range parts {
			w := word{full: string(p), base: string(p), mode: m}
			switch {
			case m == prefix && i < len(parts)-1:
				w.mode = exact // «мтс-бан*»: the * belongs to the last part
			case m == inflected:
				if w.base = stem(w.full); w.base == "" {
					w.base, w.mode = w.full, exact
				}
			}
			t = append(t, w)
		}
	}
	if len(t) == 0 {
		return nil, errEmptyTerm
	}
	return t, nil
}

// String returns the canonical form of the term: two terms with the same form find the same.
func (t term) String() string {
	var b strings.Builder
	for _, w := range t {
		fmt.Fprintf(&b, "%d%q ", w.mode, w.full)
	}
	return b.String()
}

// short reports whether the term would name half of all texts.
func (t term) short() bool {
	if len(t) > 1 {
		return false
	}
	return len(t[0].full) < 2 || t[0].mode == prefix && len(t[0].full) < 3
}

// allows reports whether a word of this mode is found in the given form: exact is the word itself, inflected the word with an
// ending of declension, prefix the word with anything else after it.
func (m mode) allows(form mode) bool {
	switch m {
	case prefix:
		return true
	case inflected:
		return form != prefix
	default:
		return form == exact
	}
}

// matches reports whether the word of a text is a form of w.
func (w *word) matches(b []byte) bool {
	if len(b) < len(w.base) || string(b[:len(w.base)]) != w.base {
		return false
	}
	rest := b[len(w.base):]
	return len(rest) == 0 || w.mode == prefix || w.mode == inflected && ending(rest)
}

// rest reports where the term ends in the folded text b, given that its first word is found and ends at end; -1 if its other
// words do not follow.
func (t term) rest(b []byte, end int) int {
	for i := 1; i < len(t); i++ {
		next := end
		for next < len(b) && b[next] == blank {
			next++
		}
		if next == len(b) || next-end > maxGap || b[next] != t[i].base[0] {
			return -1
		}
		end = wordEnd(b, next)
		if !t[i].matches(b[next:end]) {
			return -1
		}
	}
	return end
}

func wordEnd(b []byte, start int) int {
	if i := bytes.IndexByte(b[start:], blank); i >= 0 {
		return start + i
	}
	return len(b)
}

// endings are the endings of Russian nouns and adjectives, and the adjectives that «-овский» makes of names
// («мтсовский», «билайновская»), folded.
var endings = func() map[string]struct{} {
	nouns := `а я о е у ю ы и ь й ой ей ою ею ом ем ам ям ами ями ах ях ов ев ью ья ье ия ии ию ие ием ией иям иями иях`
	adjectives := `ый ий ой ая яя ое ее ые ие ого его ому ему ым им ыми ими ых их ую юю ом ем ой ей`
	m := map[string]struct{}{}
	for e := range strings.FieldsSeq(nouns + " " + adjectives) {
		m[foldWord(e)] = struct{}{}
	}
	for e := range strings.FieldsSeq(adjectives) {
		m[foldWord("овск"+e)] = struct{}{}
	}
	return m
}()

// longestEnding is that of endings, in bytes.
var longestEnding = func() (n int) {
	for e := range endings {
		n = max(n, len(e))
	}
	return n
}()

// ending reports whether rest, which is not empty, is an ending of declension.
func ending(rest []byte) bool {
	if len(rest) > longestEnding {
		return false
	}
	_, ok := endings[string(rest)]
	return ok
}

// nominative are the endings that a word of the catalogue may have itself, longest first.
var nominative = func() []string {
	var list []string
	for e := range strings.FieldsSeq(`ый ий ой ая яя ое ее ые ие ия а я о е у ю ы и ь й`) {
		list = append(list, foldWord(e))
	}
	return list
}()

// stem returns what stays the same in all forms of a folded word, or "" if the word has one form only: it is short,
// holds digits or letters of another alphabet.
func stem(w string) string {
	const least = 3 // letters
	if len(w) < least {
		return ""
	}
	for i := range len(w) {
		if c := w[i]; (c < 'a' || c > 'z') && (c < cyrA || c >= cyrA+32) {
			return ""
		}
	}
	for _, e := range nominative {
		if len(w)-len(e) >= least && strings.HasSuffix(w, e) {
			return w[:len(w)-len(e)]
		}
	}
	return w
}

func foldWord(s string) string {
	var f folded
	f.fold(s)
	return string(bytes.Trim(f.b, string(blank)))
}
