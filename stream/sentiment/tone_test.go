package sentiment

import (
	"strings"
	"testing"
)

// TestTones: no stem stands in two lists, which would make the last one win unseen.
func TestTones(t *testing.T) {
	var stems stemmer
	for l := range toneWords {
		first := map[uint64]string{}
		tone := map[uint64]int{}
		for k, words := range toneWords[l] {
			for w := range strings.FieldsSeq(words) {
				h := stems.stemOf(w)
				if old, ok := tone[h]; ok && old != k {
					t.Errorf("%s and %s have one stem and two tones", first[h], w)
				}
				first[h], tone[h] = w, k
			}
		}
	}
}

// TestToneFaces: words count by their tone, negated ones apart, and each has a place among the surface features.
func TestToneFaces(t *testing.T) {
	if len(faceNames) != faces {
		t.Fatalf("%d names for %d surface features", len(faceNames), faces)
	}
	at := map[string]int{}
	for i, name := range faceNames {
		at[name] = i
	}
	for text, want := range map[string]map[string]float32{
		"спасибо, отлично":              {"words of praise": 2, "praise and no complaint": 1},
		"спасибо, опять глючит":         {"words of praise": 1, "words of complaint": 1},
		"не нравится, и никто не врёт":  {"negated praise": 1},
		"разыгрываем призы за репост":   {"words of news and advertisements": 3},
		"сегодня был в городе с братом": {},
	} {
		var s Scratch
		s.tokens.read(text, Target{})
		var p post
		p.extract(&s, nil)
		for _, name := range faceNames[34:40] {
			if got := p.face[at[name]] / faceScale; got < want[name]-1e-3 || got > want[name]+1e-3 {
				t.Errorf("%q: %s is %v, want %v", text, name, got, want[name])
			}
		}
	}
}
