package sentiment

import (
	"math/bits"
	"strings"
)

// mood is a field of words and emoji: what people write who are glad, angry, afraid, who tell or ask. The fields are finer than tone and mean
// texts about anything; a stem may stand in several.
type mood uint8

const (
	joy mood = iota
	love
	approval
	thanks
	laughter
	sadness
	anger
	insult
	badness
	worry
	oath
	misfortune
	telling
	asking
	hedging
	stress
	lovingEmoji
	gladEmoji
	laughingEmoji
	cryingEmoji
	sadEmoji
	angryEmoji
	awkwardEmoji
	moods
)

// moodNames say what each field counts.
var moodNames = [moods]string{
	joy: "words of joy", love: "words of love", approval: "words of approval", thanks: "thanks and wishes", laughter: "laughter",
	sadness: "words of sadness", anger: "words of anger", insult: "insults", badness: "words for what is bad", worry: "words of worry",
	oath: "oaths", misfortune: "words of misfortune", telling: "words of telling", asking: "words of asking", hedging: "words that hedge",
	stress: "words that stress", lovingEmoji: "loving emoji", gladEmoji: "glad emoji", laughingEmoji: "laughing emoji",
	cryingEmoji: "crying emoji", sadEmoji: "sad emoji", angryEmoji: "angry emoji", awkwardEmoji: "awkward emoji",
}

// Fields that speak for a text's being positive, or negative; as sets of bits.
const (
	goodMoods  = 1<<joy | 1<<love | 1<<approval | 1<<thanks | 1<<lovingEmoji | 1<<gladEmoji
	badMoods   = 1<<sadness | 1<<anger | 1<<insult | 1<<badness | 1<<worry | 1<<misfortune | 1<<sadEmoji | 1<<angryEmoji
	laughMoods = 1<<laughter | 1<<laughingEmoji
)

// moodOf returns the fields of a Russian term as a set of bits.
var moodOf = func() map[uint64]uint32 {
	out := make(map[uint64]uint32, 4<<10)
	var t tokens
	var stems stemmer
	for m, words := range moodWords {
		for w := range strings.FieldsSeq(words) {
			t.read(w, Target{})
			for i := range t.list { // one
				k := &t.list[i]
				out[stems.term(k, t.buf[k.from:k.to])] |= 1 << m
			}
		}
	}
	return out
}()

// moodCount counts the words and emoji of a text by field, and how the good and the bad ones meet.
type moodCount struct {
	seen                  uint32       // the fields, as a set of bits
	plain, turned         [moods]uint8 // turned: after a negation
	good, bad             uint8
	laughs, oaths         bool
	afterStress           bool // the token before stresses this one
	goodStress, badStress bool
	last                  int8 // of the last good or bad one: 1 or −1
}

const maxMoods = 100 // of a field that are counted

// add counts a token of the fields m, a set of bits.
func (c *moodCount) add(m uint32, negated bool) {
	stressed := c.afterStress
	c.afterStress = m&(1<<stress) != 0
	if m == 0 {
		return
	}
	c.seen |= m
	n := &c.plain
	if negated {
		n = &c.turned
	}
	for rest := m; rest != 0; rest &= rest - 1 {
		if at := bits.TrailingZeros32(rest); n[at] < maxMoods {
			n[at]++
		}
	}
	c.laughs = c.laughs || m&laughMoods != 0
	c.oaths = c.oaths || m&(1<<oath) != 0
	good, bad := m&goodMoods != 0, m&badMoods != 0
	switch {
	case good == bad: // neither, or it depends
		return
	case negated && bad: // «не плохо» is no praise
		return
	case good && !negated:
		c.good = min(c.good+1, maxMoods)
		c.last = 1
		c.goodStress = c.goodStress || stressed
	default:
		c.bad = min(c.bad+1, maxMoods)
		c.last = -1
		c.badStress = c.badStress || stressed
	}
}

// meetingNames say what each feature of meetings is.
var meetingNames = [...]string{
	"good words and no bad ones", "bad words and no good ones", "good and bad words", "oaths and good words", "oaths and bad words", "oaths alone",
	"laughter and bad words", "the last such word is good", "the last such word is bad", "stressed good words", "stressed bad words", "good words less bad ones",
}

// meetings are the features of how good and bad words meet in a text of so many words.
func (c *moodCount) meetings(words int) (f [len(meetingNames)]float32) {
	const unit = 4.0 / 3
	for i, b := range [...]bool{
		c.good > 0 && c.bad == 0, c.bad > 0 && c.good == 0, c.good > 0 && c.bad > 0,
		c.oaths && c.good > 0, c.oaths && c.bad > 0, c.oaths && c.good == 0 && c.bad == 0,
		c.laughs && c.bad > 0, c.last > 0, c.last < 0, c.goodStress, c.badStress,
	} {
		if b {
			f[i] = unit
		}
	}
	f[len(f)-1] = 2 * float32(int(c.good)-int(c.bad)) * inverseRoot(words)
	return f
}
