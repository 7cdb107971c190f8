package firehose

import (
	"strings"

	"github.com/tidwall/gjson"
)

// Mend calls yield for every JSON object or array that can be made out in a broken text, each as valid JSON; text is valid until yield
// returns.
func Mend(raw []byte, yield func(text []byte)) {
	mend(borrow(raw), func(text string) { yield([]byte(text)) })
}

// mend calls yield for every JSON object or array that can be made out in a broken text, in order: what was cut off is closed, values
// run together come one after the other, control characters and senseless escapes in strings are left out, and so is what stands where no
// value belongs, a value or name that the end of the text cuts, and whatever is nested deeper than maxDepth. Each is valid JSON; it is
// valid until yield returns.
func mend(s string, yield func(text string)) {
	m := mender{s: s, yield: yield}
	for m.i < len(s) {
		m.step()
	}
	m.name = ""
	m.close(0)
}

// mender is the state of mend.
type mender struct {
	s     string
	i     int
	out   []byte // the value that is being mended
	open  []byte // the brackets that it is in
	name  string // of the member whose value comes, with its quotes; "" is none
	over  int    // brackets that are open beyond maxDepth
	yield func(string)
}

// step takes the token at i, or skips what is none.
func (m *mender) step() {
	c := m.s[m.i]
	if len(m.open) == 0 && c != '{' && c != '[' {
		for m.i++; m.i < len(m.s) && m.s[m.i] != '{' && m.s[m.i] != '['; {
			m.i++
		}
		return
	}
	switch c {
	case '{', '[':
		m.i++
		switch {
		case len(m.open) == maxDepth:
			m.over++
		case m.begin():
			m.open = append(m.open, c)
			m.out = append(m.out, c)
		default: // a member without a name
			m.name = `""`
			m.begin()
			m.open = append(m.open, c)
			m.out = append(m.out, c)
		}
	case '}', ']':
		m.i++
		if m.over > 0 {
			m.over--
			return
		}
		m.name = ""
		if at := strings.LastIndexByte(borrow(m.open), c-2); at >= 0 { // '[' + 2 is ']', '{' + 2 is '}'
			m.close(at)
		}
	case '"':
		m.text()
	case ',':
		m.i++
		m.name = ""
	default:
		m.word()
	}
}

// begin writes what stands before a value, and reports whether one may stand here.
func (m *mender) begin() bool {
	if len(m.open) == 0 {
		return true
	}
	inObject := m.open[len(m.open)-1] == '{'
	if inObject && m.name == "" {
		return false
	}
	if last := m.out[len(m.out)-1]; last != '{' && last != '[' {
		m.out = append(m.out, ',')
	}
	if inObject {
		m.out = append(append(m.out, m.name...), ':')
		m.name = ""
	}
	return true
}

// put writes a value without brackets, if one may stand here.
func (m *mender) put(text string) {
	if m.over == 0 && m.begin() {
		m.out = append(m.out, text...)
	}
}

// close closes all brackets from that one on.
func (m *mender) close(from int) {
	for i := len(m.open) - 1; i >= from; i-- {
		m.out = append(m.out, m.open[i]+2)
	}
	m.open = m.open[:from]
	if from == 0 && len(m.out) > 0 {
		m.yield(borrow(m.out))
		m.out, m.over = m.out[:0], 0
	}
}

// text takes the string at i: a name if a colon follows.
func (m *mender) text() {
	s, i, plain := m.s, m.i+1, true
	for ; i < len(s) && s[i] != '"'; i++ {
		if s[i] == '\\' {
			i++
			plain = false
		} else if s[i] < ' ' {
			plain = false
		}
	}
	if i >= len(s) { // cut off
		m.i = len(s)
		return
	}
	text := s[m.i : i+1]
	if !plain && !gjson.Valid(text) {
		text = sound(text)
	}
	m.i = i + 1
	for i++; i < len(s) && isSpace[s[i]]; {
		i++
	}
	switch {
	case i < len(s) && s[i] == ':':
		m.i = i + 1
		m.name = text
		if m.over > 0 || m.open[len(m.open)-1] != '{' {
			m.name = ""
		}
	default:
		m.put(text)
	}
}

// sound returns a string, with its quotes, without what JSON does not allow in one.
func sound(text string) string {
	b := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c < ' ':
			b = append(b, ' ')
		case c != '\\':
			b = append(b, c)
		default:
			width := 2
			if strings.HasPrefix(text[i:], `\u`) {
				width = 6
			}
			if end := i + width; end < len(text) && gjson.Valid(`"`+text[i:end]+`"`) {
				b = append(b, text[i:end]...)
				i = end - 1
			}
		}
	}
	return borrow(b)
}

// word takes the number or word at i, unless the text ends with it, or skips what stands there.
func (m *mender) word() {
	end := strings.IndexAny(m.s[m.i:], whitespace+",:]}[{\"")
	switch {
	case end < 0: // cut off
		m.i = len(m.s)
	case end == 0:
		m.i++
	default:
		if text := m.s[m.i : m.i+end]; gjson.Valid(text) {
			m.put(text)
		}
		m.i += end
	}
}
