package sentiment

import (
	"encoding/binary"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"otklik/stream/brand"
)

// tokenKind is what a token of a text is.
type tokenKind uint8

const (
	wordToken   tokenKind = iota
	brandToken            // a name of the brand in question
	otherToken            // a name of another brand
	userToken             // @handle
	linkToken             // http://…
	markToken             // ! ? … and runs of them
	smileToken            // an emoticon, kind of mood in mood
	emojiToken            // a symbol beyond ASCII
	numberToken           // digits
)

// token is one token of a text; its folded bytes are tokens.buf[from:to].
type token struct {
	kind     tokenKind
	mood     int8 // of smileToken and emojiToken: +1, −1; 0 where an emoji says neither
	caps     bool // a word of two or more capital letters
	long     bool // a word with a letter three times in a row (shortened to two, in Cyrillic to one)
	cyrillic bool
	hashtag  bool
	from, to int32
	hash     uint64 // of its bytes, or of its kind where it has none
}

// tokens is a tokenised text; it is reused from text to text.
type tokens struct {
	list []token
	buf  []byte // lower case, ё as е
	skip []mask
	open int  // brackets that were opened and not closed
	cut  bool // a name follows what token reads

	letters letters // of the words
}

// mask is a span of the text that stands for a brand.
type mask struct {
	start, end int
	kind       tokenKind
}

// masks orders the spans of a target; the brand's own win over others at the same place.
func (t *tokens) masks(target Target) {
	t.skip = t.skip[:0]
	add := func(spans []brand.Span, kind tokenKind) {
		for _, s := range spans {
			if s.Start < s.End {
				t.skip = append(t.skip, mask{s.Start, s.End, kind})
			}
		}
	}
	add(target.Spans, brandToken)
	add(target.Others, otherToken)
	slices.SortStableFunc(t.skip, func(a, b mask) int { return a.start - b.start })
}

// maxText bounds the bytes that are read of a text: what follows says little about its sentiment.
const maxText = 8 << 10

// read tokenises the text.
func (t *tokens) read(text string, target Target) {
	if len(text) > maxText {
		text = text[:maxText]
	}
	// A letter of two bytes can become one of three; with that room, words are written in place.
	if most := 2*len(text) + 8; cap(t.buf) < most {
		t.buf = make([]byte, 0, most)
	}
	t.list, t.buf, t.open, t.letters = t.list[:0], t.buf[:0], 0, letters{}
	t.masks(target)
	next := 0
	for i := 0; i < len(text); {
		for next < len(t.skip) && t.skip[next].end <= i {
			next++
		}
		if next < len(t.skip) && t.skip[next].start <= i {
			t.add(token{kind: t.skip[next].kind, from: int32(len(t.buf))})
			i = min(t.skip[next].end, len(text))
			continue
		}
		stop := len(text)
		if next < len(t.skip) {
			stop = min(stop, t.skip[next].start)
		}
		t.cut = stop < len(text)
		i += t.token(text[i:stop])
	}
}

// beginnings says what the first byte of a token alone tells of it.
var beginnings = func() (t [256]uint8) {
	for c := range t {
		if isLetter(byte(c)) {
			t[c] = beginsWord
		}
	}
	for _, c := range "hHxX" { // links and emoticons
		t[c] = 0
	}
	for _, c := range " \n\t\r," {
		t[c] = beginsNothing
	}
	t[0xd0], t[0xd1] = beginsCyrillic, beginsCyrillic
	return t
}()

const (
	beginsNothing  uint8 = iota + 1 // a separator
	beginsWord                      // of English letters
	beginsCyrillic                  // a word if a Russian letter stands there
)

// token reads one token, or a separator, off the start of text and returns its length.
func (t *tokens) token(text string) int {
	c := text[0]
	switch beginnings[c] {
	case beginsNothing:
		return 1
	case beginsWord:
		return t.word(text, false)
	case beginsCyrillic:
		if isCyrillic(text) {
			return t.word(text, false)
		}
	default:
	}
	switch {
	case c == '@' && len(text) > 1 && isHandle(text[1]):
		n := 1
		for n < len(text) && isHandle(text[n]) {
			n++
		}
		t.add(token{kind: userToken})
		return n
	case (c == 'h' || c == 'H') && isLink(text):
		n := strings.IndexFunc(text, unicode.IsSpace)
		if n < 0 {
			n = len(text)
		}
		t.add(token{kind: linkToken})
		return n
	case c == '!' || c == '?' || c == '.':
		return t.marks(text)
	}
	mood, n := emoticon(text, t.open > 0 || c == '(' && t.cut && len(text) == 1)
	switch {
	case n > 0:
		t.add(token{kind: smileToken, mood: mood})
		return n
	case c == '(':
		t.open++
		return 1
	case c == ')':
		t.open = max(t.open-1, 0)
		return 1
	}
	if c >= '0' && c <= '9' {
		n := 1
		for n < len(text) && (text[n] >= '0' && text[n] <= '9') {
			n++
		}
		t.add(token{kind: numberToken})
		return n
	}
	if c == '#' {
		if r, _ := utf8.DecodeRuneInString(text[1:]); unicode.IsLetter(r) {
			n := t.word(text[1:], true)
			return 1 + n
		}
		return 1
	}
	if c < utf8.RuneSelf {
		if isLetter(c) {
			return t.word(text, false)
		}
		return 1
	}
	r, n := utf8.DecodeRuneInString(text)
	switch {
	case r == utf8.RuneError: // not UTF-8, or was not once; U+FFFD would count as a symbol
	case unicode.IsLetter(r):
		return t.word(text, false)
	case r == '…':
		t.buf = append(t.buf, "..."...)
		t.add(token{kind: markToken, from: int32(len(t.buf) - 3)})
	case unicode.Is(unicode.So, r) || unicode.Is(unicode.Sk, r) && r > 0xffff || r >= 0x2600 && r <= 0x27bf:
		from := len(t.buf)
		t.buf = utf8.AppendRune(t.buf, r)
		t.add(token{kind: emojiToken, mood: emojiMood[r], from: int32(from)})
	}
	return n
}

// add appends a token whose bytes reach from k.from to the end of buf. A token of a kind that has no bytes of its own has none.
func (t *tokens) add(k token) {
	k.to = int32(len(t.buf))
	switch k.kind {
	case wordToken, markToken, emojiToken:
		k.hash = hashBytes(seedWord+uint64(k.kind), t.buf[k.from:]) | 1
	default:
		k.from = k.to
		k.hash = mix(seedKind, uint64(k.kind)<<8|uint64(uint8(k.mood))) | 1
	}
	t.list = append(t.list, k)
}

// marks reads a run of ! ? and dots, shortened to three of a kind; one dot alone is no token.
func (t *tokens) marks(text string) int {
	n := 0
	from := len(t.buf)
	for n < len(text) && (text[n] == '!' || text[n] == '?' || text[n] == '.') {
		if b := t.buf[from:]; len(b) < 3 {
			t.buf = append(t.buf, text[n])
		}
		n++
	}
	if n == 1 && text[0] == '.' {
		t.buf = t.buf[:from]
		return n
	}
	t.add(token{kind: markToken, from: int32(from)})
	return n
}

// form is what a word makes of a letter or digit of the Russian and English alphabets: most of all text.
type form struct {
	bytes  uint16 // its lower case, the first byte lowest; 0 of what has no form
	size   uint8  // of bytes
	counts uint64 // 1 in each of countCapital and others that it is
	set    uint32 // the letter as one of the set of Russian letters
}

// Places of counters in one word of 64 bits. No text has as many letters as would overflow one.
const (
	countCapital  = 0
	countCyrillic = 16
	countLatin    = 32
	countMask     = 1<<16 - 1
)

// The letters that tell Russian from other languages in Cyrillic letters, as sets.
const (
	russianOnlySet = 1<<('ы'-'а') | 1<<('э'-'а')
	hardSignSet    = 1 << ('ъ' - 'а')
)

// asciiForms are the forms by byte, cyrillicForms by the last bit of the first byte (0xd0 or 0xd1) and the second one.
var asciiForms, cyrillicForms = func() (ascii [256]form, cyrillic [2][256]form) {
	for c := '0'; c <= '9'; c++ {
		ascii[c] = form{bytes: uint16(c), size: 1}
	}
	for c := 'a'; c <= 'z'; c++ {
		ascii[c] = form{bytes: uint16(c), size: 1, counts: 1 << countLatin}
		ascii[c-'a'+'A'] = form{bytes: uint16(c), size: 1, counts: 1<<countLatin | 1<<countCapital}
	}
	put := func(r, lower rune, counts uint64) {
		s, l := string(r), string(lower)
		cyrillic[s[0]&1][s[1]] = form{bytes: uint16(l[0]) | uint16(l[1])<<8, size: 2, counts: 1<<countCyrillic | counts, set: 1 << (lower - 'а')}
	}
	for r := 'а'; r <= 'я'; r++ {
		put(r, r, 0)
		put(r-'а'+'А', r, 1<<countCapital)
	}
	put('ё', 'е', 0)
	put('Ё', 'е', 0)
	return ascii, cyrillic
}()

// word reads a word: letters, with digits and inner apostrophes.
func (t *tokens) word(text string, hashtag bool) int {
	const other = 1 << 24 // sets letters without a form apart from the bytes of those with one
	from := len(t.buf)
	k := token{kind: wordToken, from: int32(from), hashtag: hashtag}
	b, end := t.buf[:cap(t.buf)], from
	var counts uint64
	var set uint32
	var last uint32
	letters, run := 0, 0
	formless := false
	i := 0
	for i < len(text) {
		var f *form
		if c := text[i]; c&^1 == 0xd0 && i+1 < len(text) {
			f = &cyrillicForms[c&1][text[i+1]]
		} else {
			f = &asciiForms[c]
		}
		if f.size != 0 {
			i += int(f.size)
			letters++
			counts += f.counts
			set |= f.set
			if at := uint32(f.bytes); at == last {
				if run++; run >= 3 {
					if run == 3 && f.size == 2 {
						end -= 2 // a letter that is drawn out is seldom a double one in Russian
					}
					k.long = true
					continue
				}
			} else {
				last, run = at, 1
			}
			binary.LittleEndian.PutUint16(b[end:], f.bytes)
			end += int(f.size)
			continue
		}
		r, n := formlessLetter(text, i)
		if n == 0 {
			break
		}
		if r < 0 {
			i += n
			continue
		}
		formless = true
		letters++
		i += n
		at := uint32(r)
		if r >= utf8.RuneSelf {
			at |= other
		}
		if at == last {
			if run++; run >= 3 {
				k.long = true
				continue
			}
		} else {
			last, run = at, 1
		}
		end += utf8.EncodeRune(b[end:], r)
	}
	t.buf = b[:end]
	capitals := int(counts >> countCapital & countMask)
	k.cyrillic = counts>>countCyrillic&countMask != 0
	k.caps = capitals >= 2 && capitals == letters
	if from < end {
		t.add(k)
		t.letters.words++
		t.letters.kinds[common.of(t.list[len(t.list)-1].hash)]++
		if formless || k.long || set&hardSignSet != 0 {
			t.letters.count(t.buf[from:])
		} else {
			t.letters.cyrillic += int(counts >> countCyrillic & countMask)
			t.letters.latin += int(counts >> countLatin & countMask)
			t.letters.russianOnly = t.letters.russianOnly || set&russianOnlySet != 0
		}
	}
	return max(i, 1)
}

// formlessLetter reads the letter without a form that stands at i in a word: its lower case and its length, which is 0 if the word ends there.
// A letter below 0 says nothing: it is invisible, or an accent.
func formlessLetter(text string, i int) (rune, int) {
	r, n := utf8.DecodeRuneInString(text[i:])
	switch {
	case (r == '\'' || r == '’') && i > 0 && i+n < len(text) && isLetter(text[i+n]):
		return '\'', n
	case r == 0xad || r == 0x200b || r == 0x200c || r == 0x200d || r >= 0x300 && r <= 0x36f:
		return -1, n
	case r >= utf8.RuneSelf && unicode.IsLetter(r):
		return unicode.ToLower(r), n
	default:
		return 0, 0
	}
}

// isCyrillic says that the text begins with a letter from U+0400 to U+047F, which are all letters and have two bytes: it spares the
// tables of package unicode.
func isCyrillic(s string) bool {
	return len(s) > 1 && (s[0] == 0xd0 || s[0] == 0xd1) && s[1]&0xc0 == 0x80
}

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

func isHandle(c byte) bool { return isLetter(c) || c >= '0' && c <= '9' || c == '_' }

func isLink(s string) bool {
	return len(s) > 8 && (strings.EqualFold(s[:7], "http://") || strings.EqualFold(s[:8], "https://"))
}

// sadAlone says that a text begins with an opening bracket after which nothing is enclosed: a sad face.
func sadAlone(text string) bool {
	return len(text) == 1 || text[1] == ' ' && strings.IndexByte(text, ')') < 0
}

// emoticon reads an emoticon off the start of text: eyes, an optional nose, a mouth; or the Russian bare brackets, of which a single
// closing one is a smile unless it closes a bracket that is open.
func emoticon(text string, open bool) (mood int8, n int) {
	switch text[0] {
	case ':', ';', '=', 'x', 'X':
		i := 1
		if i < len(text) && (text[i] == '-' || text[i] == '\'' || text[i] == 'o' && text[0] == ':') {
			i++
		}
		if i == len(text) {
			return 0, 0
		}
		if isLetter(text[0]) && (i+1 < len(text) && isLetter(text[i+1]) || text[i] != 'D') {
			return 0, 0
		}
		switch text[i] {
		case ')', 'D', ']', '*', '}':
			mood = 1
		case 'p', 'P':
			if i+1 < len(text) && isLetter(text[i+1]) {
				return 0, 0
			}
			mood = 1
		case '(', '[', '{', '/', '|', '\\':
			if text[i] == '/' && i+1 < len(text) && text[i+1] == '/' {
				return 0, 0
			}
			mood = -1
		default:
			return 0, 0
		}
		i++
		for i < len(text) && text[i] == text[i-1] {
			i++
		}
		return mood, i
	case ')', '(':
		i := 1
		for i < len(text) && text[i] == text[0] {
			i++
		}
		if i < 2 && (open || text[0] == '(' && !sadAlone(text)) {
			return 0, 0
		}
		if text[0] == ')' {
			return 1, i
		}
		return -1, i
	case '<':
		if strings.HasPrefix(text, "<3") {
			return 1, 2
		}
	}
	return 0, 0
}

// emojiMood are the emoji whose mood is beyond doubt, in the order of Unicode's charts; tears of any kind, which may be of laughter, are
// not. Some say it of a service: a rocket of its speed, a snail of its slowness.
var emojiMood = func() map[rune]int8 {
	m := map[rune]int8{}
	for _, r := range "😀😃😄😁😆🙂😊😇🥰😍🤩😘😗☺😚😙😋😛😜😝🤗😎🥳😌😺😸😻😽💋💘💝💖💗💓💞💕💟❣❤🧡💛💚💙💜🤎🖤🤍♥💯👌✌🤟👍👏🙌🤝🙏💪🎉🎊🏆🏅🥇🌟⭐✨🔥🌈🌹🚀" {
		m[r] = 1
	}
	for _, r := range "😒🙄😑😬😔🤢🤮😵🤯😕😟🙁☹😦😧😨😰😥😢😱😖😣😞😓😩😫🥱😤😡😠🤬👿☠💩🤡🙀😿😾💔👎🖕🤦🐌🐢📵🚫🆘🪦⚰💸" {
		m[r] = -1
	}
	return m
}()
