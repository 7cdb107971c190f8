package sentiment

import (
	"strings"
	"unicode/utf8"

	"github.com/abadojack/whatlanggo"
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

// wordKind says what a common word tells of the language.
type wordKind uint8

const (
	plainWord    wordKind = iota
	englishWord           // of English
	latinWord             // of another language in Latin letters
	translitWord          // of Russian in Latin letters
	cyrillicWord          // of another language in Cyrillic letters
)

// commonWords finds the kind of a word by its hash: an open-addressing table.
type commonWords [1 << commonBits]struct {
	hash uint64
	kind wordKind
}

const commonBits = 11

func (t *commonWords) of(hash uint64) wordKind {
	for i := hash >> (64 - commonBits); ; i++ {
		slot := &t[i&(1<<commonBits-1)]
		if slot.hash == hash {
			return slot.kind
		}
		if slot.hash == 0 {
			return plainWord
		}
	}
}

// common are the commonest words of each kind; the first list that has a word decides.
var common = func() *commonWords {
	t := &commonWords{}
	for _, list := range []struct {
		kind  wordKind
		words string
	}{
		{plainWord, "no on me as a i den die in an was so pro do ok"}, // they mean something in several languages
		{englishWord, `the and you that for are with this have not but they your what can all just out get will would there
			been how who when why does did has had it's i'm don't can't is of to my be it at if we our us their from about more time now
			today good love thanks thank great day too very really or by then than her his she been some any after back never still
			again thing people lol wtf please doesn't isn't won't i've i'll you're that's what's service worst best`},
		{translitWord, `chto eto kak pochemu menya ochen vse vsyo tebya mne uzhe esli tolko rabotaet rabotayut opyat spasibo skolko mozhno segodnya
			svyazi svyaz vy dlya uzhasno bystro medlenno snova kogda gde pozhaluysta pozhalusta pomogite podskazhite luchshe luchshiy ploho horosho
			otlichno mozhet kto nibud sovsem voobsche voobshe nichego dazhe svoimi vash vas vam dengi deneg bylo budet kupil davno dovolna
			dovolen prosto takoy net da ya ona oni nas nam tak tozhe potom seychas sejchas zavtra vchera zachem dostal dostali
			nadoelo blin zhe bez nado nelzya nevozmozhno dozvonitsya tormozit inet simku tarif privet pochinili
			krasavcy molodcy hochu poka kazhdyy vremya`},
		{latinWord, `el los las que por una para con como pero esta este muy mas todo porque cuando gracias hoy y del mi tu
			der das und ist nicht ein eine ich mit auf für von zu dem sich auch wie wir aber oder wenn nach schon
			le les des est une pour dans pas qui sur avec vous je mais nous sont cette il du au et
			che di sono questo gli della anche ma io buongiorno ciao grazie
			não uma com os da em eu você mas isso muito meu
			ve bir bu için çok ama ben daha gibi var yok neden
			het een van niet ik voor zijn maar wat
			yang dan ini itu dengan untuk tidak ada saya aku kamu bisa ke dari
			nie się jest na że jak ale tak ne
			bilan uchun emas bugun yo'q juda
			och att det som inte jag är`},
		{cyrillicWord, `що це дуже чому зараз вже мережа погано знову дякую щось немає
			няма днес това защо съм сме къде ще добре връзка
			што гэта вельмі чаму зноў
			није нема ово зашто хвала
			және бұл үшін жоқ рахмет емес`},
	} {
		for w := range strings.FieldsSeq(list.words) {
			h := hashBytes(seedWord, []byte(w)) | 1
			i := h >> (64 - commonBits)
			for t[i&(1<<commonBits-1)].hash != 0 && t[i&(1<<commonBits-1)].hash != h {
				i++
			}
			if slot := &t[i&(1<<commonBits-1)]; slot.hash == 0 {
				slot.hash, slot.kind = h, list.kind
			}
		}
	}
	return t
}()

// letters counts what the words of a text are written in.
type letters struct {
	cyrillic, foreign, latin, accented, other int
	words                                     int
	kinds                                     [cyrillicWord + 1]int
	russianOnly, bulgarian                    bool
}

// count adds the letters of a word in lower case.
func (n *letters) count(b []byte) {
	hard := false // the letter before is «ъ»
	for j := 0; j < len(b); {
		c := b[j]
		if c < utf8.RuneSelf {
			if isLetter(c) {
				n.latin++
			}
			j++
			continue
		}
		r, size := utf8.DecodeRune(b[j:])
		j += size
		switch {
		case r >= 'а' && r <= 'я':
			n.cyrillic++
			n.russianOnly = n.russianOnly || r == 'ы' || r == 'э'
			if hard && r != 'е' && r != 'ю' && r != 'я' && r != 'и' {
				n.bulgarian = true // Russian has «ъ» before е, ю and я only
			}
		case r >= 0x400 && r < 0x530:
			n.foreign++ // Ukrainian, Belarusian, Serbian, Kazakh, …
		case r < 0x250:
			n.accented++
		default:
			n.other++
		}
		hard = r == 'ъ'
	}
}

// language decides in which language the tokens are. The script decides first, then common words; hint is the platform's word
// for it. Russian in Latin letters is Russian, and its words are turned into Cyrillic ones.
func (t *tokens) language(text, hint string) language {
	n := &t.letters
	native := n.kinds[englishWord] + n.kinds[translitWord]
	switch {
	case n.cyrillic+n.foreign+n.latin+n.accented+n.other == 0:
		return wordless(text, hint)
	case n.other > n.cyrillic+n.foreign+n.latin+n.accented:
		return unknownLanguage
	case (n.cyrillic+n.foreign)*3 >= n.latin+n.accented: // Russian posts are full of Latin names, English ones hold no Cyrillic
		if n.foreign*25 > n.cyrillic || n.kinds[cyrillicWord] > 0 && !n.russianOnly || n.bulgarian {
			return unknownLanguage
		}
		// Bulgarian and Macedonian need have no letter that Russian lacks; but they lack «ы» and «э».
		if southSlavic := hint == "bg" || hint == "mk" || hint == "sr"; southSlavic && !n.russianOnly {
			return unknownLanguage
		}
		return langRussian
	case n.kinds[latinWord] > native || n.accented*15 > n.latin:
		return unknownLanguage
	case n.kinds[translitWord] > n.kinds[englishWord] && n.accented == 0 && (n.kinds[translitWord] > n.kinds[latinWord] || hint == "ru"):
		t.transliterate()
		return langRussian
	case native == 0 && hint == "ru" && n.words > 1:
		t.transliterate()
		return langRussian
	case native == 0 && hint != "" && !strings.HasPrefix(hint, "en") && !strings.HasPrefix(hint, "ru"):
		return unknownLanguage
	case native == 0 && n.words >= wordsToAsk && hint == "" && !libraryAllowsEnglish(text):
		return unknownLanguage
	default:
		return langEnglish
	}
}

// wordsToAsk is how many words a text in Latin letters without a common one must have for the library to be asked. It knows 84
// languages by their trigrams, which on fewer words say nothing; and it takes a tenth of a millisecond.
const wordsToAsk = 4

// libraryAllowsEnglish says that the text may be English: the library either says so or is not sure.
func libraryAllowsEnglish(text string) bool {
	info := whatlanggo.Detect(text)
	return info.Lang == whatlanggo.Eng || !info.IsReliable()
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
