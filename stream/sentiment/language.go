package sentiment

import (
	"strings"
	"unicode/utf8"
)

// language is a language that the model knows.
type language uint8

const (
	langRussian language = iota
	langEnglish
	languages
)

const unknownLanguage = languages

var languageCodes = [languages]string{"ru", "en"}

// functionWords are the commonest words of English (true) and of other languages in Latin letters, Russian in
// transliteration among them (false). Words that are common in both are in neither.
var functionWords = func() map[string]bool {
	m := map[string]bool{}
	for w := range strings.FieldsSeq(`the and you that for are with this have not was but they your what can all just out get will would there
		been how who when why does did has had it's i'm don't can't is of to my be it at if we our us their from about more time now
		today good love thanks thank great day so too very really an or by then than her his she been some any after back`) {
		m[w] = true
	}
	for w := range strings.FieldsSeq(`el los las que por una para con como pero esta este muy mas todo porque cuando gracias hoy y del mi tu
		der die das und ist nicht ein eine ich mit auf für von zu den dem sich auch wie wir aber oder wenn nach schon
		le les des est une pour dans pas qui sur avec vous je mais nous sont cette il du au et
		il che di non per sono una con questo gli della anche ma io
		não uma com os da em eu você mas isso muito meu
		ve bir bu için çok ama ben daha gibi var yok
		het een van niet dat ik voor zijn maar met wat
		yang dan di ini itu dengan untuk tidak ada saya aku kamu bisa ke dari
		nie się jest na że jak ale tak
		ne chto eto kak pochemu menya ochen vse tebya mne uzhe esli tolko rabotaet`) {
		if _, both := m[w]; !both {
			m[w] = false
		}
	}
	return m
}()

// language decides in which language the tokens are. The script decides first; hint is the platform's word for it.
func (t *tokens) language(text, hint string) language {
	cyrillic, foreign, latin, accented, other, english, stranger := 0, 0, 0, 0, 0, 0, 0
	russianOnly := false
	for i := range t.list {
		k := &t.list[i]
		if k.kind != wordToken {
			continue
		}
		b := t.buf[k.from:k.to]
		for j := 0; j < len(b); {
			c := b[j]
			if c < utf8.RuneSelf {
				if isLetter(c) {
					latin++
				}
				j++
				continue
			}
			r, n := utf8.DecodeRune(b[j:])
			j += n
			switch {
			case r >= 'а' && r <= 'я':
				cyrillic++
				russianOnly = russianOnly || r == 'ы' || r == 'э'
			case r >= 0x400 && r < 0x530:
				foreign++ // Ukrainian, Belarusian, Serbian, Kazakh, …
			case r < 0x250:
				accented++
			default:
				other++
			}
		}
		if !k.cyrillic {
			if en, ok := functionWords[string(b)]; ok && en {
				english++
			} else if ok {
				stranger++
			}
		}
	}
	switch {
	case cyrillic+foreign+latin+accented+other == 0:
		return wordless(text, hint)
	case other > cyrillic+foreign+latin+accented:
		return unknownLanguage
	case (cyrillic+foreign)*3 >= latin+accented: // Russian posts are full of Latin names, English ones hold no Cyrillic
		if foreign*25 > cyrillic {
			return unknownLanguage
		}
		// Bulgarian and Macedonian have no letter that Russian lacks; but they lack «ы» and «э».
		if southSlavic := hint == "bg" || hint == "mk" || hint == "sr"; southSlavic && !russianOnly {
			return unknownLanguage
		}
		return langRussian
	case stranger > english || accented*15 > latin:
		return unknownLanguage
	case english == 0 && hint != "" && !strings.HasPrefix(hint, "en") && !strings.HasPrefix(hint, "ru"):
		return unknownLanguage
	default:
		return langEnglish
	}
}

// wordless decides about a text whose only words, if any, are names of brands: emoji and marks mean the same everywhere, so
// the nearest model will do. A text without anything to read is in no language.
func wordless(text, hint string) language {
	switch {
	case strings.TrimSpace(text) == "":
		return unknownLanguage
	case strings.HasPrefix(hint, "en"):
		return langEnglish
	case strings.HasPrefix(hint, "ru") || strings.ContainsFunc(text, func(r rune) bool { return r >= 'А' && r <= 'я' }):
		return langRussian
	case strings.ContainsFunc(text, func(r rune) bool { return r < utf8.RuneSelf && isLetter(byte(r)) }):
		return langEnglish
	default:
		return langRussian
	}
}
