package brand

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"otklik/stream"
)

func newTestMatcher(t testing.TB, c *Catalogue) *Matcher {
	t.Helper()
	m, err := NewMatcher(c)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func post(text string) *stream.Item {
	return &stream.Item{Platform: stream.Twitter, Kind: stream.Post, ID: "1", Author: stream.Account{ID: "42", Name: "masha"}, Text: text}
}

// brandsOf formats hits as "mts:text+reply beeline:text".
func brandsOf(hits []Hit) string {
	var out []string
	for _, h := range hits {
		var via []string
		for i, name := range []string{"text", "account", "reply", "wall", "author", "repost"} {
			if h.Via&(1<<i) != 0 {
				via = append(via, name)
			}
		}
		out = append(out, h.Brand.Key+":"+strings.Join(via, "+"))
	}
	return strings.Join(out, " ")
}

func TestMatchText(t *testing.T) {
	m := newTestMatcher(t, Example())
	var s Scratch
	for _, tt := range []struct{ text, want string }{
		{"", ""},
		{"Обычный вторник, ничего не происходит", ""},
		{"МТС сегодня молодцы", "mts:text"},
		{"мтс", "mts:text"},
		{"эмтээс опять лёг", "mts:text"},
		{"Устал от эмтээса", "mts:text"},
		{"стою в мтсе, очередь", "mts:text"},
		{"мтсовский тариф", "mts:text"},
		{"#мтс #связь", "mts:text"},
		{"#МТС_Россия", "mts:text"},
		{"«МТС»", "mts:text"},
		{"mts,beeline;megafon", "mts:text beeline:text megafon:text"},
		{"MTSом доволен", "mts:text"},
		{"М.Т.С. не звонит", "mts:text"},
		{"@ru_mts почините", "mts:text+account"},
		{"@RU_MTS почините", "mts:text+account"},
		{".@ru_mts: почините", "mts:text+account"},
		{"@МТС почините", "mts:text"},
		{"@mts_fan привет", ""},
		{"пишите на info@mts.ru", ""},
		{"@ru_mts.", "mts:text+account"},
		{"у мегафона и с билайном", "beeline:text megafon:text"},
		{"Билайновской сетью доволен", "beeline:text"},
		{"мне нравмтся", ""},
		{"омтс", ""},
		{"smtsx mtsx xmts", ""},
		{"мтс1", ""},
		{"МТС-банк прислал карту", ""},
		{"карта мтс банка", ""},
		{"МТС Банк прислал карту, а потом через неделю у меня пропала связь от мтс", "mts:text"},
		{"зачем кричать в мегафон", ""},
		{"на площади взяли мегафон, громкоговоритель и барабаны", ""},
		{"громкоговоритель висит на столбе у дома, под которым сосед ругает мегафон", "megafon:text"},
		{"кричать в мегафон, пока мегафон не починит связь", "megafon:text"},
		{"he made a beeline for the door", ""},
		{"https://mts.ru/tariffs", "mts:text"},
		{"http://example.com/mts/beeline", ""},
		{"https://www.beeline.ru", "beeline:text"},
		{"би\u00adлайн", "beeline:text"},
		{"били\u0306н, билаи\u0306н, билаи\u0306ном", "beeline:text"},
		{"МобильныХ\nТелеСистем — пресс-релиз", "mts:text"},
		{"мобильные. — — телесистемы", ""},
		{"мтс🔥билайн", "mts:text beeline:text"},
		{"\xff\xfe мтс \xd0", "mts:text"},
	} {
		if got := brandsOf(m.Match(post(tt.text), &s)); got != tt.want {
			t.Errorf("Match(%q) = %q, want %q", tt.text, got, tt.want)
		}
	}
}

func TestMatchScripts(t *testing.T) {
	c := Example()
	c.Brands[0].Aliases = append(c.Brands[0].Aliases, "移动", "ΕΤΑΙΡΕΊΑ", "Ñandú", "Қазақтелеком", "ЁТА")
	m := newTestMatcher(t, c)
	var s Scratch
	for _, text := range []string{"(移动)", "εταιρεία", "nandu", "ÑANDÚ", "қазақтелеком", "ета", "ёта"} {
		if got := brandsOf(m.Match(post(text), &s)); got != "mts:text" {
			t.Errorf("Match(%q) = %q", text, got)
		}
	}
	for _, text := range []string{"移动动", "εταιρείαν", "каза\u049bтелеком"} {
		if got := brandsOf(m.Match(post(text), &s)); got != "" {
			t.Errorf("Match(%q) = %q", text, got)
		}
	}
}

func TestMatchAccounts(t *testing.T) {
	m := newTestMatcher(t, Example())
	var s Scratch
	official := stream.Account{ID: "2200000000"}
	for _, tt := range []struct {
		name, want string
		item       stream.Item
	}{
		{"by id alone", "mts:reply", stream.Item{ParentAuthor: official}},
		{"by handle alone", "mts:reply", stream.Item{ParentAuthor: stream.Account{Name: "Ru_MTS"}}},
		{"both", "mts:reply", stream.Item{ParentAuthor: stream.Account{ID: "2200000000", Name: "ru_mts"}}},
		{"a renamed account keeps its id", "mts:reply", stream.Item{ParentAuthor: stream.Account{ID: "2200000000", Name: "new_name"}}},
		{"somebody took the handle", "", stream.Item{ParentAuthor: stream.Account{ID: "7", Name: "ru_mts"}}},
		{"another platform's account", "", stream.Item{Platform: stream.VK, ParentAuthor: official}},
		{"wall", "mts:wall", stream.Item{Platform: stream.VK, Wall: stream.Account{ID: "-2200000011"}}},
		{"repost", "mts:repost", stream.Item{Kind: stream.Repost, RepostAuthor: official}},
		{"mark-up", "mts:account", stream.Item{Mentions: []stream.Account{{ID: "1"}, official}}},
		{"author", "mts:author", stream.Item{Author: official}},
		{"brands about each other", "mts:author", stream.Item{Author: official, Text: "Билайн, привет", ParentAuthor: stream.Account{Name: "beeline_rus"}}},
		{"own and named", "mts:text+author", stream.Item{Author: official, Text: "МТС и Билайн"}},
		{"handle without an id in the catalogue", "mts:author", stream.Item{Platform: stream.Reddit, Author: stream.Account{ID: "t2_x", Name: "MTS_Official"}}},
		{"handle of another platform names the brand", "mts:text", stream.Item{Platform: stream.VK, Text: "пишу @mts_support"}},
		{"reaction", "", stream.Item{Kind: stream.Reaction, Text: "мтс"}},
		{"private message", "", stream.Item{Kind: stream.Message, Text: "мтс"}},
		{"edit", "mts:text", stream.Item{Kind: stream.Edit, Text: "мтс"}},
	} {
		it := tt.item
		if it.Platform == "" {
			it.Platform = stream.Twitter
		}
		if it.Kind == "" {
			it.Kind = stream.Comment
		}
		if got := brandsOf(m.Match(&it, &s)); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
	if b, a := m.Official(stream.VK, stream.Account{ID: "-2200000032"}, &s); b == nil || b.Key != "megafon" || !a.Approved {
		t.Errorf("Official = %v, %v", b, a)
	}
	if b, a := m.Official(stream.Bluesky, stream.Account{ID: "nobody"}, &s); b != nil || a != nil {
		t.Errorf("Official of nobody = %v, %v", b, a)
	}
}

func TestMatchDetails(t *testing.T) {
	m := newTestMatcher(t, Example())
	var s Scratch
	customer := stream.Account{ID: "42"}
	official := stream.Account{ID: "2200000000"}
	type detail struct {
		Role     stream.Role
		Flags    stream.Flags
		Products string
		Severity uint8
		Customer string
		Thread   string
	}
	for _, tt := range []struct {
		name string
		item stream.Item
		want detail
	}{
		{
			"products and severity",
			stream.Item{Text: "МТС, мобильный интернет в роуминге не грузит, подам в суд!"},
			detail{Products: "mobile_internet,roaming", Severity: 3, Customer: "42", Thread: "t"},
		},
		{"outage", stream.Item{Text: "мтс, нет связи с утра"}, detail{Products: "calls", Severity: 2, Customer: "42", Thread: "t"}},
		{"question mark", stream.Item{Text: "мтс, что случилось?"}, detail{Flags: stream.Question, Customer: "42", Thread: "t"}},
		{"question word", stream.Item{Text: "почему мтс молчит"}, detail{Flags: stream.Question, Customer: "42", Thread: "t"}},
		{"question mark of a link", stream.Item{Text: "мтс http://example.com/?a=b"}, detail{Customer: "42", Thread: "t"}},
		{"spam", stream.Item{Text: "мтс: детализация звонков любого номера"}, detail{Role: stream.Spam, Products: "calls", Customer: "42", Thread: "t"}},
		{
			"advocacy by repost",
			stream.Item{Kind: stream.Repost, RepostAuthor: official, Text: "Новости МТС. Кто рад?"},
			detail{Flags: stream.Advocacy, Customer: "42", Thread: "t"},
		},
		{
			"advocacy by pointing",
			stream.Item{Text: "Напишите лучше в @ru_mts, они быстро отвечают"},
			detail{Flags: stream.Advocacy, Customer: "42", Thread: "t"},
		},
		{"advocacy after", stream.Item{Text: "@ru_mts помогут"}, detail{Flags: stream.Advocacy, Customer: "42", Thread: "t"}},
		{"speaking to the brand is no advocacy", stream.Item{Text: "@ru_mts напишите мне в личку"}, detail{Customer: "42", Thread: "t"}},
		{
			"own approved",
			stream.Item{Author: official, ParentAuthor: customer, Text: "Здравствуйте! Проверили, всё работает."},
			detail{Role: stream.Own, Flags: stream.Approved | stream.Answer, Customer: "42", Thread: "t"},
		},
		{
			"automatic text",
			stream.Item{Author: official, ParentAuthor: customer, Text: "Ваше обращение зарегистрировано."},
			detail{Role: stream.Own, Flags: stream.Approved | stream.Automatic | stream.Answer, Customer: "42", Thread: "t"},
		},
		{
			"automatic account",
			stream.Item{Author: stream.Account{Name: "MTS_robot"}, ParentAuthor: customer},
			detail{Role: stream.Own, Flags: stream.Automatic | stream.Answer, Customer: "42", Thread: "t"},
		},
		{
			"own to itself",
			stream.Item{Author: official, ParentAuthor: official, Text: "и ещё"},
			detail{Role: stream.Own, Flags: stream.Approved, Thread: "t"},
		},
		{"pair: customer", stream.Item{Paired: true, ParentAuthor: official}, detail{Customer: "42", Thread: "twitter:42×mts"}},
		{"pair: customer names the brand only", stream.Item{Paired: true, Text: "мтс"}, detail{Customer: "42", Thread: "twitter:42×mts"}},
		{
			"pair: answer",
			stream.Item{Paired: true, Author: official, ParentAuthor: customer},
			detail{Role: stream.Own, Flags: stream.Approved | stream.Answer, Customer: "42", Thread: "twitter:42×mts"},
		},
		{"pair: own post", stream.Item{Paired: true, Author: official}, detail{Role: stream.Own, Flags: stream.Approved, Thread: "twitter:9"}},
		{"no author id", stream.Item{Author: stream.Account{Name: "@Masha"}, Text: "мтс"}, detail{Customer: "masha", Thread: "t"}},
	} {
		it := tt.item
		it.Platform, it.ID, it.Thread = stream.Twitter, "9", "t"
		if it.Kind == "" {
			it.Kind = stream.Post
		}
		if it.Author == (stream.Account{}) {
			it.Author = customer
		}
		hits := m.Match(&it, &s)
		if len(hits) != 1 {
			t.Errorf("%s: %d hits", tt.name, len(hits))
			continue
		}
		h := hits[0]
		got := detail{h.Role, h.Flags, strings.Join(h.Products, ","), h.Severity, h.Customer, h.Thread}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

func TestSpans(t *testing.T) {
	m := newTestMatcher(t, Example())
	var s Scratch
	for _, tt := range []struct {
		text string
		want string // the brand's names in brackets, brand by brand
	}{
		{"Ёлки, МТС лучше Мегафона, а @ru_mts отвечает", "mts[МТС][@ru_mts] megafon[Мегафона]"},
		{"мобильные  ТЕЛЕсистемы и мтс.", "mts[мобильные  ТЕЛЕсистемы][мтс]"},
		{"би\u00adлаи\u0306н!", "beeline[би\u00adлаи\u0306н]"},
		{"https://mts.ru/a", "mts[mts]"},
		{"http://mts/beeline", "mts[mts]"},
		{"мтсовец", "mts[мтсовец]"},
	} {
		var got []string
		for _, h := range m.Match(post(tt.text), &s) {
			out := h.Brand.Key
			for _, span := range h.Spans {
				out += "[" + tt.text[span.Start:span.End] + "]"
			}
			got = append(got, out)
		}
		if joined := strings.Join(got, " "); joined != tt.want {
			t.Errorf("spans of %q: %q, want %q", tt.text, joined, tt.want)
		}
	}
}

func TestBrandProducts(t *testing.T) {
	c := Example()
	c.Brands[1].Products = []Product{{Key: "abc", Terms: []string{"тариф абв"}, Weight: 3}}
	m := newTestMatcher(t, c)
	var s Scratch
	hits := m.Match(post("тариф АБВ: мтс или билайн"), &s)
	if len(hits) != 2 {
		t.Fatalf("%d hits", len(hits))
	}
	if got := fmt.Sprint(hits[0].Products, hits[1].Products); got != "[account] [abc account]" {
		t.Errorf("products %s", got)
	}
	if w := c.Weight("beeline", "abc"); w != 3 {
		t.Errorf("weight of the brand's product %v", w)
	}
	if w := c.Weight("mts", "calls"); w != 1.5 {
		t.Errorf("weight of a common product %v", w)
	}
	if w := c.Weight("mts", "nothing"); w != 1 {
		t.Errorf("weight of an unlisted product %v", w)
	}
}

// TestHostileText: the cost of a text must grow with its length alone, and no input may panic.
func TestHostileText(t *testing.T) {
	m := newTestMatcher(t, Example())
	var s Scratch
	for _, unit := range []string{"мтс ", "кричать в мегафон ", "@ru_mts ", "http://", "@", "мобильные ", "\u0301", "м.т.с.", "напиши @ru_mts "} {
		text := strings.Repeat(unit, 2_000_000/len(unit))
		for _, h := range m.Match(post(text), &s) {
			for i := range h.Spans {
				if h.Spans[i].End > len(text) || h.Spans[i].Start >= h.Spans[i].End || i > 0 && h.Spans[i-1].End > h.Spans[i].Start {
					t.Fatalf("%q: span %d is %+v", unit, i, h.Spans[i])
				}
			}
		}
	}
}

func TestMatchAllocates(t *testing.T) {
	m := newTestMatcher(t, Example())
	var s Scratch
	for name, it := range map[string]*stream.Item{
		"nothing":   post("Обычный вторник, ничего не происходит, погода хорошая"),
		"two hits":  post("мтс и билайн: нет связи, интернет не работает? @ru_mts"),
		"no brands": {Platform: stream.Twitter, Kind: stream.Post, Author: stream.Account{Name: "SomeBody"}},
	} {
		m.Match(it, &s)
		if n := testing.AllocsPerRun(100, func() { m.Match(it, &s) }); n > 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}
