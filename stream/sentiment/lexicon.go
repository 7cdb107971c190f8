package sentiment

import (
	"bufio"
	"compress/gzip"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

const lexicons = 2

// lexicon holds the scores of terms: an open-addressing table of slots that keep 16 bits of the term's hash, so that one unknown
// term in some ten thousand is given the scores of another.
type lexicon []lexSlot

type lexSlot struct {
	tag   uint16 // 0: empty
	score [lexicons]int8
}

const (
	lexBits  = 18
	lexScale = 30.0 // a stored score is PMI × 30, bounded to ±4
	lexBound = 4.0
)

func lexTag(term uint64) uint16 { return uint16(term) | 1 }

// score returns the scores of a term, 0 where a lexicon does not know it.
func (l lexicon) score(term uint64) [lexicons]int8 {
	if len(l) == 0 {
		return [lexicons]int8{}
	}
	tag := lexTag(term)
	for i := term >> 20; ; i++ {
		slot := &l[i&(1<<lexBits-1)]
		if slot.tag == tag {
			return slot.score
		}
		if slot.tag == 0 {
			return [lexicons]int8{}
		}
	}
}

// readLexicons reads the files "term score" (gzipped, with a header), folds their words to stems, whose score is the mean of
// the words', and returns the table.
func readLexicons(dir string, files []string) (lexicon, error) {
	if len(files) == 0 {
		return nil, nil
	}
	if len(files) > lexicons {
		return nil, fmt.Errorf("%d lexicons are set, at most %d have a place in the model", len(files), lexicons)
	}
	type sum struct {
		score [lexicons]float64
		n     [lexicons]int
	}
	sums := map[uint64]*sum{}
	var terms []uint64
	var stems stemmer
	for i, name := range files {
		err := readLexicon(filepath.Join(dir, name), func(word string, score float64) {
			var h uint64
			if r, _ := utf8.DecodeRuneInString(word); unicode.IsLetter(r) {
				h = stems.stemOf(word)
			} else {
				var t tokens
				t.read(word, Target{})
				if len(t.list) != 1 {
					return
				}
				h = t.list[0].hash
			}
			s := sums[h]
			if s == nil {
				s = &sum{}
				sums[h] = s
				terms = append(terms, h)
			}
			s.score[i] += score
			s.n[i]++
		})
		if err != nil {
			return nil, err
		}
	}
	if len(terms) > 1<<lexBits*3/4 {
		return nil, fmt.Errorf("the lexicons have %d stems, the table has room for %d", len(terms), 1<<lexBits*3/4)
	}
	slices.Sort(terms)
	l := make(lexicon, 1<<lexBits)
	for _, term := range terms {
		var slot lexSlot
		for i, s := 0, sums[term]; i < lexicons; i++ {
			if s.n[i] > 0 {
				mean := s.score[i] / float64(s.n[i])
				slot.score[i] = int8(math.Round(max(-lexBound, min(lexBound, mean)) * lexScale))
			}
		}
		if slot.score == [lexicons]int8{} {
			continue
		}
		slot.tag = lexTag(term)
		i := term >> 20
		for l[i&(1<<lexBits-1)].tag != 0 {
			i++
		}
		l[i&(1<<lexBits-1)] = slot
	}
	return l, nil
}

func readLexicon(path string, each func(word string, score float64)) error {
	f, err := os.Open(path) //nolint:gosec // the settings name the file
	if err != nil {
		return fmt.Errorf("read a lexicon: %w", err)
	}
	defer f.Close() // only read
	z, err := gzip.NewReader(f)
	if err != nil {
		return fmt.Errorf("read the lexicon %s: %w", path, err)
	}
	in := bufio.NewScanner(z)
	for line := 1; in.Scan(); line++ {
		if line == 1 {
			continue
		}
		word, text, ok := strings.Cut(in.Text(), "\t")
		score, err := strconv.ParseFloat(text, 64)
		if !ok || err != nil || math.IsNaN(score) {
			return fmt.Errorf("read the lexicon %s: line %d is not a term and a score", path, line)
		}
		word = strings.ReplaceAll(strings.ToLower(word), "ё", "е")
		if word != "" && !strings.Contains(word, " ") {
			each(word, score)
		}
	}
	if err := in.Err(); err != nil {
		return fmt.Errorf("read the lexicon %s: %w", path, err)
	}
	return nil
}

// Words that turn what follows, by language.
var negators = func() [languages]map[uint64]bool {
	var out [languages]map[uint64]bool
	var stems stemmer
	for l, words := range [languages]string{
		langRussian: "не нет без ни нельзя никак ничего",
		langEnglish: "not no never without cannot can't don't doesn't didn't isn't wasn't won't wouldn't ain't aren't couldn't shouldn't nothing hardly",
	} {
		out[l] = map[uint64]bool{}
		for w := range strings.FieldsSeq(words) {
			out[l][stems.stemOf(w)] = true
		}
	}
	return out
}()

// retweetTerm is the term of "rt".
var retweetTerm = new(stemmer).stemOf("rt")
