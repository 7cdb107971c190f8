package sentiment

import (
	"bytes"
	"fmt"
	"math"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"

	"otklik/stream"
	"otklik/stream/brand"
)

func defaultModel(t testing.TB) *Model {
	t.Helper()
	m, err := Default()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// spanOf marks the first occurrence of name in text.
func spanOf(text, name string) []brand.Span {
	i := strings.Index(text, name)
	if name == "" || i < 0 {
		return nil
	}
	return []brand.Span{{Start: i, End: i + len(name)}}
}

// sentences are our own; the label is what any reader would say.
var sentences = []struct {
	text, brand string
	want        stream.Label
}{
	{"МТС, у меня опять не работает интернет, сколько можно!", "МТС", stream.Negative},
	{"Ненавижу Билайн, третий день нет связи", "Билайн", stream.Negative},
	{"Мегафон отвратительный, деньги списывают ни за что", "Мегафон", stream.Negative},
	{"@ru_mts почему списали деньги без моего ведома? верните!", "@ru_mts", stream.Negative},
	{"мтс достал уже со своими рассылками", "мтс", stream.Negative},
	{"Мегафон ужасно тормозит, сил моих нет :(", "Мегафон", stream.Negative},
	{"Спасибо МТС, быстро помогли, очень довольна!", "МТС", stream.Positive},
	{"Обожаю Билайн, отличный интернет :)", "Билайн", stream.Positive},
	{"Мегафон молодцы, скорость супер", "Мегафон", stream.Positive},
	{"Билайн лучший, всем советую ))", "Билайн", stream.Positive},
	{"МТС открыл новый офис на улице Ленина", "МТС", stream.Neutral},
	{"Билайн и Мегафон подписали соглашение о совместном строительстве вышек", "Билайн", stream.Neutral},
	{"Мегафон запустил сеть 4G в Твери", "Мегафон", stream.Neutral},
	{"@united lost my bag again, worst airline ever", "@united", stream.Negative},
	{"@united my flight was cancelled and nobody answers the phone", "@united", stream.Negative},
	{"I hate this company, terrible service", "", stream.Negative},
	{"@united thank you so much, the crew was amazing!", "@united", stream.Positive},
	{"I love this phone, it is awesome :)", "", stream.Positive},
	{"Great day with friends, so happy!", "", stream.Positive},
	{"The company will present its report on Tuesday in Boston", "", stream.Neutral},
	{"The conference opens on Monday at the city hall", "", stream.Neutral},
}

func TestOwnSentences(t *testing.T) {
	m := defaultModel(t)
	var s Scratch
	right := 0
	for _, tt := range sentences {
		label, p := m.Classify(tt.text, "", Target{Spans: spanOf(tt.text, tt.brand)}, &s)
		if label == tt.want {
			right++
		} else {
			t.Logf("%s (%.2f %.2f %.2f), want %s: %s", label, p.Positive, p.Neutral, p.Negative, tt.want, tt.text)
		}
		if sum := p.Positive + p.Neutral + p.Negative; math.Abs(float64(sum)-1) > 1e-5 {
			t.Errorf("probabilities of %q sum to %v", tt.text, sum)
		}
	}
	if floor := len(sentences) * 3 / 4; right < floor {
		t.Errorf("%d of %d right, the floor is %d", right, len(sentences), floor)
	}
}

func TestLanguage(t *testing.T) {
	for _, tt := range []struct {
		text, hint string
		want       language
	}{
		{"Связь сегодня пропала", "", langRussian},
		{"Связь сегодня пропала", "en", langRussian},
		{"купил iPhone Pro Max, нет связи", "", langRussian},
		{"The signal is gone", "", langEnglish},
		{"The signal is gone", "ru", langEnglish},
		{"lovely weather", "", langEnglish},
		{"lovely weather", "en-GB", langEnglish},
		{"Сьогодні зв'язок зник, що відбувається з мережею", "uk", unknownLanguage},
		{"Қазір байланыс жоқ, интернет істемейді", "", unknownLanguage},
		{"Днес няма връзка", "bg", unknownLanguage},
		{"hoy no hay señal en todo el barrio, gracias", "", unknownLanguage},
		{"heute ist der Empfang weg und ich bin nicht glücklich", "", unknownLanguage},
		{"pochemu ne rabotaet internet", "", langRussian},
		{"uzhasno tormozit segodnya", "", langRussian},
		{"plokhaya set vezde", "ru", langRussian},
		{"дуже погано працюють", "", unknownLanguage},
		{"лош оператор, връзката прекъсва", "", unknownLanguage},
		{"подъезд, объявление и съезд", "", langRussian},
		{"operatorul meu vorbeste despre probleme tehnice", "", unknownLanguage},
		{"buongiorno ragazzi", "it", unknownLanguage},
		{"今日は電波が悪い", "", unknownLanguage},
		{"لا توجد إشارة اليوم", "", unknownLanguage},
		{"", "ru", unknownLanguage},
		{"👍👍", "en", langEnglish},
		{"👍👍", "", langRussian},
		{"@somebody http://example.com/", "", langEnglish},
	} {
		var s Scratch
		s.tokens.read(tt.text, Target{})
		if got := s.tokens.language(tt.text, tt.hint); got != tt.want {
			t.Errorf("language of %q (hint %q) = %d, want %d", tt.text, tt.hint, got, tt.want)
		}
	}
	label, scores := defaultModel(t).Classify("heute ist der Empfang weg und ich bin nicht froh", "de", Target{}, &Scratch{})
	if label != stream.Unlabelled || scores != (stream.Scores{}) {
		t.Errorf("a German text is %v %v", label, scores)
	}
}

func TestTokens(t *testing.T) {
	names := map[tokenKind]string{brandToken: "BRAND", otherToken: "OTHER", userToken: "USER", linkToken: "LINK", numberToken: "NUM"}
	for _, tt := range []struct{ text, want string }{
		{"Ёлка не РАБОТАЕТ!!!", "елка не работает !!!"},
		{"МТС лучше Билайна", "BRAND лучше OTHER"},
		{"@somebody привет https://example.com/a?b. ок", "USER привет LINK ок"},
		{"оооочень круууто, sooo", "очень круто soo"},
		{"it's 100% fine :-)", "it's NUM fine +"},
		{"ну(( да)) :( xD", "ну - да + - +"},
		{"#хорошо #1 a.b", "хорошо NUM a b"},
		{"круто🔥…", "круто 🔥 ..."},
		{"спасибо) (ладно)", "спасибо + ладно"},
		{"опять нет связи(", "опять нет связи -"},
		{"жаль( пойду (домой)", "жаль пойду домой"}, // what is enclosed is not known before its end
		{"жаль( пойду домой", "жаль - пойду домой"},
		{"звонил им (МТС)", "звонил им BRAND"},
		{"жаль( МТС", "жаль - BRAND"},
		{"би\u00adлайн", "билайн"},
		{"\xff\xfe ok \xd0", "ok"},
	} {
		var tok tokens
		tok.read(tt.text, Target{Spans: spanOf(tt.text, "МТС"), Others: spanOf(tt.text, "Билайна")})
		var got []string
		for _, k := range tok.list {
			switch {
			case k.kind == smileToken:
				got = append(got, map[int8]string{1: "+", -1: "-"}[k.mood])
			case names[k.kind] != "":
				got = append(got, names[k.kind])
			default:
				got = append(got, string(tok.buf[k.from:k.to]))
			}
		}
		if strings.Join(got, " ") != tt.want {
			t.Errorf("tokens of %q: %q, want %q", tt.text, got, tt.want)
		}
	}
}

func TestTransliterate(t *testing.T) {
	var tok tokens
	tok.read("Pochemu shchas ne rabotaet chto-to, мтс?", Target{})
	tok.transliterate()
	var got []string
	for _, k := range tok.list {
		got = append(got, string(tok.buf[k.from:k.to]))
	}
	if want := "почему щас не работает что то мтс ?"; strings.Join(got, " ") != want {
		t.Errorf("transliterated: %q, want %q", got, want)
	}
	var plain tokens
	plain.read("почему", Target{})
	if plain.list[0].hash != tok.list[0].hash {
		t.Error("a transliterated word is another than the word")
	}
}

// TestMask: the names of brands carry no sentiment; which brand is asked about does.
func TestMask(t *testing.T) {
	m := defaultModel(t)
	var s Scratch
	_, a := m.Classify("МТС сегодня порадовал", "", Target{Spans: spanOf("МТС сегодня порадовал", "МТС")}, &s)
	_, b := m.Classify("Мегафон сегодня порадовал", "", Target{Spans: spanOf("Мегафон сегодня порадовал", "Мегафон")}, &s)
	if a != b {
		t.Errorf("two brands in one sentence: %v and %v", a, b)
	}
	text := "МТС лучше, чем Билайн"
	_, c := m.Classify(text, "", Target{Spans: spanOf(text, "МТС"), Others: spanOf(text, "Билайн")}, &s)
	_, d := m.Classify(text, "", Target{Spans: spanOf(text, "Билайн"), Others: spanOf(text, "МТС")}, &s)
	if c == d {
		t.Error("the brand asked about makes no difference")
	}
}

func TestModelFile(t *testing.T) {
	m := defaultModel(t)
	file := m.Encode()
	if !bytes.Equal(file, shipped) {
		t.Error("the shipped model does not encode to itself")
	}
	if len(file) > 12_000_000 {
		t.Errorf("the model file has %d bytes", len(file))
	}
	for name, damaged := range map[string][]byte{
		"empty":     nil,
		"truncated": file[:len(file)-1],
		"magic":     append([]byte("X"), file[1:]...),
		"bit":       append(append(bytes.Clone(file[:5000]), file[5000]^1), file[5001:]...),
	} {
		if _, err := Decode(damaged); err == nil {
			t.Errorf("%s: a damaged model was read", name)
		}
	}
}

func TestConcurrentUse(t *testing.T) {
	m := defaultModel(t)
	want := make([]stream.Scores, len(sentences))
	var s Scratch
	for i, tt := range sentences {
		_, want[i] = m.Classify(tt.text, "", Target{}, &s)
	}
	var g errgroup.Group
	for range 4 {
		g.Go(func() error {
			var s Scratch
			for range 50 {
				for i, tt := range sentences {
					if _, got := m.Classify(tt.text, "", Target{}, &s); got != want[i] {
						t.Errorf("%q: %v, then %v", tt.text, want[i], got)
					}
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
}

func TestClassifyAllocates(t *testing.T) {
	m := defaultModel(t)
	var s Scratch
	all := func() {
		for i := range sentences {
			m.Classify(sentences[i].text, "ru", Target{}, &s)
		}
	}
	all()
	if n := testing.AllocsPerRun(20, all); n > 0 {
		t.Errorf("%v allocations for %d texts", n, len(sentences))
	}
}

func FuzzClassify(f *testing.F) {
	for _, tt := range sentences {
		f.Add(tt.text, 0, len(tt.brand))
	}
	f.Add(":", 0, 0)
	f.Add("x-", 3, 1)
	m := defaultModel(f)
	f.Fuzz(func(t *testing.T, text string, from, to int) {
		var s Scratch
		label, p := m.Classify(text, "", Target{Spans: []brand.Span{{Start: max(from, 0), End: to}}}, &s)
		sum := float64(p.Positive + p.Neutral + p.Negative)
		if label == stream.Unlabelled && sum != 0 || label != stream.Unlabelled && math.Abs(sum-1) > 1e-4 {
			t.Fatalf("%q is %s with probabilities %v", text, label, p)
		}
	})
}

func BenchmarkClassify(b *testing.B) {
	m := defaultModel(b)
	var s Scratch
	n := 0
	for i := range sentences {
		n += len(sentences[i].text)
	}
	b.SetBytes(int64(n / len(sentences)))
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		tt := &sentences[i%len(sentences)]
		m.Classify(tt.text, "", Target{}, &s)
		i++
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "texts/s")
}

// TestCompany: a text about a brand is judged by the part for such texts, whether or not a name stands in it.
func TestCompany(t *testing.T) {
	m := defaultModel(t)
	var s Scratch
	text := "опять не отвечают"
	if a, b := m.partFor(text, "ru", Target{}, &s), m.partFor(text, "ru", Target{Company: true}, &s); a == b || a.company || !b.company {
		t.Errorf("parts %q and %q", a.name, b.name)
	}
}

func TestExplain(t *testing.T) {
	m := defaultModel(t)
	text := "Ненавижу МТС, опять нет связи"
	target := Target{Spans: spanOf(text, "МТС")}
	e := m.Explain(text, "ru", target)
	var s Scratch
	label, scores := m.Classify(text, "ru", target, &s)
	if e.Label != label || e.Scores != scores || label != stream.Negative {
		t.Errorf("explained as %s %v, classified as %s %v", e.Label, e.Scores, label, scores)
	}
	found := false
	for i, r := range e.Reasons {
		found = found || i < 5 && r.Text == "ненавижу" && r.Weight > 0
		if i > 0 && math.Abs(r.Weight) > math.Abs(e.Reasons[i-1].Weight) {
			t.Error("the reasons are not sorted")
		}
	}
	if !found {
		t.Errorf("the word is not among the first reasons: %v", e.Reasons)
	}
	if e := m.Explain("heute ist der Empfang weg und ich bin nicht froh", "", Target{}); e.Label != stream.Unlabelled || e.Reasons != nil {
		t.Errorf("a German text is explained: %v", e)
	}
}

func BenchmarkDecode(b *testing.B) {
	for b.Loop() {
		if _, err := Decode(shipped); err != nil {
			b.Fatal(err)
		}
	}
}

// TestEmojiAlone: emoji beside names only say all that there is to say, in the list's mood; with words, the words count too.
func TestEmojiAlone(t *testing.T) {
	m := defaultModel(t)
	var s Scratch
	for _, tt := range []struct {
		text string
		want stream.Label
	}{
		{"Билайн 😃😃", stream.Positive},
		{"😖 Билайн", stream.Negative},
		{"Билайн 🏢", stream.Neutral},
	} {
		target := Target{Spans: spanOf(tt.text, "Билайн")}
		label, scores := m.Classify(tt.text, "ru", target, &s)
		e := m.Explain(tt.text, "ru", target)
		if label != tt.want || e.Label != label || e.Scores != scores {
			t.Errorf("%s is %s %v, explained as %s; want %s", tt.text, label, scores, e.Label, tt.want)
		}
		if found := strings.Contains(fmt.Sprint(e.Reasons), "emoji without a word"); found != (tt.want != stream.Neutral) {
			t.Errorf("%s: reasons %v", tt.text, e.Reasons)
		}
	}
}
