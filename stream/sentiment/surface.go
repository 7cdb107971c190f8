package sentiment

import (
	"math"
	"math/bits"
)

// surface counts what a text shows beside its words: the scores of the lexicons in order, capitals, marks, emoticons, length.
type surface struct {
	words, caps, longs                      int
	exclamations, questions, dots           int
	smiles, frowns                          int
	links, users, numbers, emoji            int
	cheer                                   int // emoji in a good mood less those in a bad one
	brand, other, retweet, byUser, anything bool
	negated                                 int // tokens that the last negation still turns
	lex                                     [lexicons]lexSum
	tone                                    toneCount
	mood                                    moodCount
	last                                    tokenKind
	lastMood                                int8
	lastMark                                byte
}

// lexSum sums up the scores of one lexicon over a text.
type lexSum struct {
	n, up, down          int
	sum, low, high, last float32
}

const (
	negationReach = 3   // tokens
	negationTurn  = 0.7 // a negated score is turned and weaker: «не плохо» is no praise
	lexUnit       = 60  // a stored score of 60 counts 1
)

// hint is what lists of words say of a term.
type hint struct {
	moods uint32 // a set of bits
	lex   [lexicons]int8
	tone  tone
	does  uint8 // a set of the bits below; in one byte, so that an entry of the cache has 48
}

const (
	negates uint8 = 1 << iota
	retweets
)

// hintOf looks the term up.
func hintOf(l language, lex lexicon, term uint64) hint {
	h := hint{lex: lex.score(term), tone: toneOf[l][term]}
	if l == langRussian {
		h.moods = moodOf[term]
	}
	if negators[l][term] {
		h.does |= negates
	}
	if term == retweetTerm {
		h.does |= retweets
	}
	return h
}

// add counts one token, with what is known of its term.
func (s *surface) add(k *token, b []byte, h *hint) {
	switch k.kind {
	case wordToken:
		s.words++
		if k.caps {
			s.caps++
		}
		if k.long {
			s.longs++
		}
		s.retweet = s.retweet || h.does&retweets != 0
	case markToken:
		s.lastMark = 0
		for i, c := range b {
			switch c {
			case '!':
				s.exclamations++
				s.lastMark = c
			case '?':
				s.questions++
				s.lastMark = c
			case '.':
				if i >= 2 && b[i-1] == '.' && b[i-2] == '.' {
					s.dots++
				}
			}
		}
	case smileToken:
		if k.mood > 0 {
			s.smiles++
		} else {
			s.frowns++
		}
	case linkToken:
		s.links++
	case userToken:
		s.byUser = s.byUser || !s.anything
		s.users++
	case numberToken:
		s.numbers++
	case emojiToken:
		s.emoji++
		s.cheer += int(k.mood)
		switch {
		case k.mood > 0:
			s.smiles++
		case k.mood < 0:
			s.frowns++
		}
	case brandToken:
		s.brand = true
	case otherToken:
		s.other = true
	}
	s.anything = true
	s.last, s.lastMood = k.kind, k.mood
	s.mood.add(h.moods, s.negated > 0)
	if h.tone != noTone {
		s.tone.add(h.tone, s.negated > 0)
	}
	for i, score := range h.lex {
		if score == 0 {
			continue
		}
		v := float32(score) / lexUnit
		if s.negated > 0 {
			v *= -negationTurn
		}
		l := &s.lex[i]
		if l.n == 0 {
			l.low, l.high = v, v
		}
		l.n++
		l.sum += v
		l.low, l.high, l.last = min(l.low, v), max(l.high, v), v
		if v > 0.5 {
			l.up++
		} else if v < -0.5 {
			l.down++
		}
	}
	if h.does&negates != 0 {
		s.negated = negationReach
	} else if s.negated > 0 {
		s.negated--
	}
}

// faceNames says what each surface feature is, in the order of face.
var faceNames = func() []string {
	names := []string{
		"sum of the words' tone (lexicon 1)", "most negative word (lexicon 1)", "most positive word (lexicon 1)", "tone of the last word (lexicon 1)", "positive words (lexicon 1)", "negative words (lexicon 1)",
		"sum of the words' tone (lexicon 2)", "most negative word (lexicon 2)", "most positive word (lexicon 2)", "tone of the last word (lexicon 2)", "positive words (lexicon 2)", "negative words (lexicon 2)",
		"words in capitals", "share of words in capitals", "stretched words", "exclamation marks", "question marks", "dots",
		"smiling emoticons and emoji", "sad emoticons and emoji", "links", "handles", "numbers", "emoji", "length", "the brand is named", "another brand is named",
		"ends in a link", "ends in a smile", "ends in a sad face", "ends in a question mark", "ends in an exclamation mark",
		"retweet", "begins with a handle",
		"words of praise", "words of news and advertisements", "words of complaint", "negated praise", "negated complaint", "praise and no complaint",
	}
	for _, name := range moodNames {
		names = append(names, name, "negated "+name)
	}
	return append(names, meetingNames[:]...)
}()

const faces = 40 + 2*int(moods) + len(meetingNames)

// faceScale weighs the surface features against the blocks of unit length.
const faceScale = 0.3

// moodUnit makes one word of a field count 2: the logarithms of their numbers are counted, to the base of 2.
const moodUnit = 2 / math.Ln2

// face returns the surface features.
func (s *surface) face() (f [faces]float32) {
	at := 0
	put := func(v float32) {
		f[at] = v * faceScale
		at++
	}
	flag := func(b bool) {
		if b {
			f[at] = faceScale
		}
		at++
	}
	capped := func(n, most int, unit float32) { put(float32(min(n, most)) * unit) }
	for i := range s.lex {
		l := &s.lex[i]
		put(l.sum * inverseRoot(l.n))
		put(l.low)
		put(l.high)
		put(l.last)
		put(float32(l.up) / 3)
		put(float32(l.down) / 3)
	}
	put(log1p(s.caps))
	put(float32(s.caps) / float32(max(s.words, 1)))
	capped(s.longs, 4, 1)
	capped(s.exclamations, 4, 0.5)
	capped(s.questions, 4, 0.5)
	capped(s.dots, 3, 1)
	capped(s.smiles, 3, 1)
	capped(s.frowns, 3, 1)
	capped(s.links, 2, 1)
	capped(s.users, 3, 0.5)
	capped(s.numbers, 4, 0.5)
	capped(s.emoji, 4, 0.5)
	put(log1p(max(s.words, 1)) / 2)
	flag(s.brand)
	flag(s.other)
	flag(s.anything && s.last == linkToken)
	flag(s.lastMood > 0)
	flag(s.lastMood < 0)
	flag(s.last == markToken && s.lastMark == '?')
	flag(s.last == markToken && s.lastMark == '!')
	flag(s.retweet)
	flag(s.byUser)
	capped(s.tone.plain[praise], 3, 1)
	capped(s.tone.plain[notice], 3, 1)
	capped(s.tone.plain[complaint], 3, 1)
	capped(s.tone.turned[praise], 3, 1)
	capped(s.tone.turned[complaint], 3, 1)
	flag(s.tone.plain[praise] > 0 && s.tone.plain[complaint] == 0)
	if s.mood.seen == 0 {
		return f
	}
	for rest := s.mood.seen; rest != 0; rest &= rest - 1 {
		m := bits.TrailingZeros32(rest)
		f[at+2*m] = moodUnit * log1p(int(s.mood.plain[m])) * faceScale
		f[at+2*m+1] = moodUnit * log1p(int(s.mood.turned[m])) * faceScale
	}
	at += 2 * int(moods)
	for _, v := range s.mood.meetings(s.words) {
		put(v)
	}
	return f
}

// Logarithms and roots of the small numbers that counts are.
var logs, roots = func() (l, r [128]float32) {
	for i := range l {
		l[i] = float32(math.Log1p(float64(i)))
		r[i] = float32(1 / math.Sqrt(float64(max(i, 1))))
	}
	return l, r
}()

func log1p(n int) float32 { return logs[min(n, len(logs)-1)] }

func inverseRoot(n int) float32 { return roots[min(n, len(roots)-1)] }
