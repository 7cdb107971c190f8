package sentiment

import (
	"math"
	"slices"
	"strings"
	"testing"
)

// TestMoodWords: each entry is one token, and no stem stands in a field twice.
func TestMoodWords(t *testing.T) {
	var text tokens
	var stems stemmer
	for m, words := range moodWords {
		seen := map[uint64]string{}
		for w := range strings.FieldsSeq(words) {
			text.read(w, Target{})
			if len(text.list) != 1 {
				t.Errorf("%s: %q is %d tokens", moodNames[m], w, len(text.list))
				continue
			}
			k := &text.list[0]
			h := stems.term(k, text.buf[k.from:k.to])
			if seen[h] != "" {
				t.Errorf("%s: %q and %q have one stem", moodNames[m], seen[h], w)
			}
			seen[h] = w
		}
		if len(seen) == 0 || moodNames[m] == "" {
			t.Errorf("field %d is empty or has no name", m)
		}
	}
}

// faceOf returns the surface features of a Russian text by name.
func faceOf(text string) map[string]float32 {
	var s Scratch
	s.tokens.read(text, Target{})
	var p post
	p.extract(&s, nil)
	out := map[string]float32{}
	for i, v := range p.face {
		out[faceNames[i]] = v / faceScale
	}
	return out
}

// TestMoodFaces: words and emoji count by their fields, negated ones apart, and so does how the good and the bad ones meet.
func TestMoodFaces(t *testing.T) {
	names := append(slices.Clone(meetingNames[:]), moodNames[:]...)
	for _, name := range moodNames {
		names = append(names, "negated "+name)
	}
	const yes = 4.0 / 3
	for text, want := range map[string]map[string]float32{
		"щенок 😍": {
			"words of love": 2, "loving emoji": 2, "good words and no bad ones": yes, "the last such word is good": yes,
			"good words less bad ones": 4,
		},
		"мурашки и щеночек, но кринж": {
			"words of joy": 2, "words of love": 2, "words for what is bad": 2, "good and bad words": yes, "the last such word is bad": yes,
			"good words less bad ones": 2 / float32(math.Sqrt(5)),
		},
		"не шедеврально": {
			"negated words of approval": 2, "bad words and no good ones": yes, "the last such word is bad": yes,
			"good words less bad ones": -2 / float32(math.Sqrt(2)),
		},
		"не кринж":      {"negated words for what is bad": 2},
		"стол со стула": {},
	} {
		got := faceOf(text)
		for _, name := range names {
			if math.Abs(float64(got[name]-want[name])) > 1e-3 {
				t.Errorf("%q: %s is %v, want %v", text, name, got[name], want[name])
			}
		}
	}
	if got := faceOf(strings.Repeat("кринж ", 1000))["words for what is bad"]; got < 12 || got > 14 {
		t.Errorf("a word a thousand times is %v", got)
	}
}
