package sentiment

import "strings"

// translit turns Russian in Latin letters into Cyrillic ones, as people write it on a phone without a Cyrillic keyboard; the
// longest first.
var translit = strings.NewReplacer(
	"shch", "щ", "sch", "щ", "zh", "ж", "kh", "х", "ch", "ч", "sh", "ш", "ts", "ц",
	"yu", "ю", "ju", "ю", "ya", "я", "ja", "я", "yo", "е", "jo", "е", "ye", "е", "iy", "ий", "yy", "ый", "ay", "ай", "ey", "ей", "oy", "ой", "uy", "уй",
	"a", "а", "b", "б", "c", "ц", "d", "д", "e", "е", "f", "ф", "g", "г", "h", "х", "i", "и", "j", "й", "k", "к", "l", "л", "m", "м", "n", "н", "o", "о",
	"p", "п", "q", "к", "r", "р", "s", "с", "t", "т", "u", "у", "v", "в", "w", "в", "x", "х", "y", "ы", "z", "з", "4", "ч", "'", "ь",
)

// transliterate turns the words in Latin letters into Cyrillic ones.
func (t *tokens) transliterate() {
	list := t.list
	t.list = t.list[:0]
	for i := range list {
		k := list[i]
		if k.kind == wordToken && !k.cyrillic {
			word := string(t.buf[k.from:k.to])
			k.from = int32(len(t.buf))
			t.buf = append(t.buf, translit.Replace(word)...)
			k.cyrillic = true
			t.add(k)
			continue
		}
		t.list = append(t.list, k)
	}
}
