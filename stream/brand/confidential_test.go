package brand

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"otklik/stream"
)

const confidentialCatalogue = `
brands:
  - key: north
    name: North
    own: true
    aliases: [northnet]
    accounts:
      twitter:
        - {id: "1", name: north_care, approved: true}
        - {id: "2", name: north_friend}
        - {id: "3", name: north_bot, automatic: true}
    confidential:
      hosts: [corp.north.example, "*.intra.north.example"]
      allow: ["8 800 100-20-30", help.corp.north.example]
      patterns:
        - {key: ticket, regexp: 'INC-?[0-9]{6}'}
        - {key: internal_name, regexp: '(?i)сотрудник\p{L}* (\p{Lu}\p{L}+)'}
  - key: south
    name: South
    aliases: [southnet]
    accounts:
      twitter: [{id: "4", name: south_care, approved: true}]
confidential:
  shipped: [phone_number, contract_number]
  terms: [внутренний регламент, internal use only]
`

func confidentialMatcher(t testing.TB) *Matcher {
	t.Helper()
	c, err := Parse([]byte(confidentialCatalogue))
	if err != nil {
		t.Fatal(err)
	}
	return newTestMatcher(t, c)
}

func answer(author, text string) *stream.Item {
	return &stream.Item{
		Platform: stream.Twitter, Kind: stream.Comment, ID: "9", Author: stream.Account{ID: author}, ParentID: "8",
		ParentAuthor: stream.Account{ID: "77", Name: "ivan"}, Text: text,
	}
}

func TestConfidentialRules(t *testing.T) {
	m := confidentialMatcher(t)
	var s Scratch
	for _, tt := range []struct{ text, want string }{
		{"Здравствуйте! Уже проверяем, напишите нам в личные сообщения.", ""},
		{"Thank you for writing, we are on it.", ""},
		// Phone numbers.
		{"Позвоните мне: 8 916 123-45-67", RulePhone},
		{"+7 (916) 123 45 67 — это мой рабочий", RulePhone},
		{"тел.89161234567", RulePhone},
		{"тел: 79161234567.", RulePhone},
		{"Звоните 8(495)1234567, спросите Анну", RulePhone},
		{"наш отдел (495) 123-45-67", RulePhone},
		{"Казахстан: +7 701 234 56 78", RulePhone},
		{"call me at +44 20 7946 0958", RulePhone},
		{"call (555) 123-4567 or 555-123-4567", RulePhone},
		{"+49 (30) 1234 5678", RulePhone},
		{"Наша линия 8 800 100-20-30, круглосуточно", ""},
		{"Our line: +7 (800) 100 20 30", ""},
		{"Наша линия 8 800 100-20-30 или мой 8 916 123-45-67", RulePhone},
		// False friends of phone numbers.
		{"Тариф стоит 89 990 рублей в год", ""},
		{"Скидка: 8 999 000 000 руб.", ""},
		{"Уже +10 000 000 000 просмотров", ""},
		{"Сегодня 22.11.2026 с 10:00 до 18:30", ""},
		{"с 2026-11-22 по 2026-12-01", ""},
		{"Ваш заказ № 89161234567 в пути", ""},
		{"заказ 89161234567 собран", ""},
		{"Order 555-123-4567 has left", ""},
		{"ticket #89161234567", ""},
		{"Смотрите https://north.example/news/89161234567", ""},
		{"ИНН 7707083893, ОГРН 1027700149124", ""},
		{"4276 3801 2345 6789 — это не телефон", ""},
		{"Версия 8.9.16.1234567", ""},
		{"Короткий номер 0890, код 112", ""},
		{"перевели 79161234567 рублей", ""},
		// Contract numbers.
		{"По договору № 277-123456/9 долга нет", RuleContract},
		{"Ваш лицевой счёт 277123456789 пополнен", RuleContract},
		{"л/с 1234567890", RuleContract},
		{"договор AB-1234567 закрыт", RuleContract},
		{"your account number is 44120098", RuleContract},
		{"Contract no. 12-345-678 is closed", RuleContract},
		// False friends of contract numbers.
		{"Договор 2026 года", ""},
		{"договор от 12.05.2026", ""},
		{"договор 12.05.2026 подписан", ""},
		{"Пополните счёт на 150000 рублей", ""},
		{"лицевой счёт 150 000 рублей", ""},
		{"Your account has been closed", ""},
		{"in the contract 24 months are stated", ""},
		{"on account of 5 reasons", ""},
		// Addresses.
		{"Смотрите http://wiki.corp.north.example/runbook?id=4", RuleAddress},
		{"пишите на a.petrov@corp.north.example", RuleAddress},
		{"это на jira.intra.north.example:8080", RuleAddress},
		{"на CORP.NORTH.EXAMPLE.", RuleAddress},
		{"https://help.corp.north.example/tickets", ""},
		{"пишите на care@help.corp.north.example", ""},
		{"https://north.example/help", ""},
		{"https://corp.north.example.org/", ""},
		{"notcorp.north.example", ""},
		// Terms and patterns of the catalogue.
		{"По внутреннему регламенту мы так не делаем", RuleTerm},
		{"It says INTERNAL USE ONLY here", RuleTerm},
		{"Это INC-123456, следим", "ticket"},
		{"Этим занят сотрудник Петров", "internal_name"},
		{"INC-123456: перезвоним на 8 916 123-45-67 по внутреннему регламенту", RuleTerm + " " + RulePhone + " ticket"},
	} {
		hits := m.Match(answer("1", tt.text), &s)
		if len(hits) != 1 {
			t.Fatalf("%q: %d hits", tt.text, len(hits))
		}
		h := &hits[0]
		if got := strings.Join(h.Violations, " "); got != tt.want {
			t.Errorf("%q breaks %q, want %q", tt.text, got, tt.want)
		}
		if h.Flags&stream.Answer == 0 {
			t.Errorf("%q is no answer", tt.text)
		}
		if (h.Excerpt != "") != (tt.want != "") {
			t.Errorf("%q: excerpt %q", tt.text, h.Excerpt)
		}
	}
}

func TestExcerptHidesWhatIsConfidential(t *testing.T) {
	m := confidentialMatcher(t)
	var s Scratch
	long := strings.Repeat("слово ", 40)
	for _, tt := range []struct{ text, want string }{
		{"@ivan, звоните 8 916 123-45-67, спросите  Анну", mask + ", звоните " + mask + ", спросите Анну"},
		{"@ivan наша линия 8 800 100-20-30 и INC-123456", mask + " наша линия " + mask + " и " + mask},
		{"договор № 277123456: пишите на me@mail.example или https://mail.example/x", "договор № " + mask + ": пишите на " + mask + " или " + mask},
		{"INC-123456 INC-123457", mask + " " + mask},
		{long + "INC-123456 " + long, "…" + lastRunes(strings.Join(strings.Fields(long), " ")+" ", excerptBefore) + mask + " "},
	} {
		hits := m.Match(answer("1", tt.text), &s)
		got := hits[0].Excerpt
		if tt.text[:3] == long[:3] {
			if !strings.HasPrefix(got, tt.want) || !strings.HasSuffix(got, "…") || len([]rune(got)) != excerptLength+1 {
				t.Errorf("long text: %q (%d)", got, len([]rune(got)))
			}
			continue
		}
		if got != tt.want {
			t.Errorf("%q: excerpt %q, want %q", tt.text, got, tt.want)
		}
	}
	// Of an answer that breaks another rule alone nothing personal is shown either.
	hits := m.Match(answer("2", "@ivan мой 8 916 123-45-67"), &s)
	if diff := cmp.Diff([]string{RulePhone, RuleUnapproved}, hits[0].Violations); diff != "" {
		t.Error(diff)
	}
	if strings.ContainsAny(hits[0].Excerpt, "0123456789@") {
		t.Errorf("excerpt %q", hits[0].Excerpt)
	}
}

func TestWhoMayAnswer(t *testing.T) {
	m := confidentialMatcher(t)
	var s Scratch
	to := func(author string, change func(*stream.Item)) *stream.Item {
		it := answer(author, "Добрый день, разбираемся")
		if change != nil {
			change(it)
		}
		return it
	}
	for _, tt := range []struct {
		name   string
		item   *stream.Item
		answer bool
		want   []string
	}{
		{"approved", to("1", nil), true, nil},
		{"not approved", to("2", nil), true, []string{RuleUnapproved}},
		{"declared automatic", to("3", nil), true, nil},
		{"bot of the platform", to("2", func(it *stream.Item) { it.Bot = true }), true, nil},
		{"an automatic phrase does not help", to("2", func(it *stream.Item) { it.Text = "это автоматический ответ" }), true, []string{RuleUnapproved}},
		{"to somebody unnamed", to("2", func(it *stream.Item) { it.ParentAuthor = stream.Account{} }), true, []string{RuleUnapproved}},
		{"to itself", to("2", func(it *stream.Item) { it.ParentAuthor = stream.Account{ID: "1"} }), false, nil},
		{"a post", to("2", func(it *stream.Item) { it.ParentID, it.ParentAuthor, it.Kind = "", stream.Account{}, stream.Post }), false, nil},
		{"a repost", to("2", func(it *stream.Item) { it.Kind = stream.Repost }), false, nil},
		{"a customer", func() *stream.Item {
			it := to("99", nil)
			it.Text = "northnet, мой номер 8 916 123-45-67"
			return it
		}(), false, nil},
	} {
		hits := m.Match(tt.item, &s)
		if len(hits) != 1 {
			t.Fatalf("%s: %d hits", tt.name, len(hits))
		}
		if got := hits[0].Flags&stream.Answer != 0; got != tt.answer || !slices.Equal(hits[0].Violations, tt.want) {
			t.Errorf("%s: answer %v, violations %v", tt.name, got, hits[0].Violations)
		}
	}
	// What one brand keeps to itself another may say.
	hits := m.Match(answer("4", "INC-123456 на corp.north.example"), &s)
	if len(hits[0].Violations) > 0 {
		t.Errorf("south breaks %v", hits[0].Violations)
	}
}

func TestConfidentialFaults(t *testing.T) {
	const head = "brands:\n  - {key: a, name: A, own: true, aliases: [альфа]}\nconfidential:\n"
	for _, tt := range []struct{ name, text, want string }{
		{"shipped", "  shipped: [phones]\n", `4:13: confidential.shipped[0]: there is no shipped rule "phones" (shipped are phone_number and contract_number)`},
		{"does not compile", "  patterns:\n    - {key: x, regexp: 'a(b'}\n", "5:16: confidential.patterns[0].regexp: the pattern does not compile: error parsing regexp: missing closing ): `a(b`"},
		{"look-ahead", "  patterns:\n    - {key: x, regexp: 'a(?=b)'}\n", "no look-ahead and no back-references"},
		{"empty", "  patterns:\n    - {key: x}\n", "confidential.patterns[0].regexp: the pattern is missing"},
		{"matches nothing", "  patterns:\n    - {key: x, regexp: '[0-9]*'}\n", "finds something in every text"},
		{"built-in", "  patterns:\n    - {key: phone_number, regexp: 'a'}\n", `the key "phone_number" is that of a built-in rule`},
		{"twice", "  patterns:\n    - {key: x, regexp: 'a'}\n    - {key: x, regexp: 'b'}\n", `the key "x" is already that of confidential.patterns[0]`},
		{"long", "  patterns:\n    - {key: x, regexp: '" + strings.Repeat("a", 1001) + "'}\n", "the pattern has 1001 bytes"},
		{"many", "  patterns:\n" + strings.Repeat("    - {key: x, regexp: 'a'}\n", 51), "51 patterns are too many"},
		{"host", "  hosts: ['https://corp.example']\n", `confidential.hosts[0]: "https://corp.example" is not the end of a host name`},
		{"one word", "  hosts: [intranet]\n", `"intranet" is not the end of a host name`},
		{"allow", "  allow: ['--']\n", "confidential.allow[0]: the exception is empty"},
		{"term", "  terms: ['!']\n", "confidential.terms[0]: the term has no letter or digit"},
	} {
		_, err := Parse([]byte(head + tt.text))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v\nwant %s", tt.name, err, tt.want)
		}
	}
}

// BenchmarkAnswers measures what the rules cost on a long answer that breaks none.
func BenchmarkAnswers(b *testing.B) {
	m := newTestMatcher(b, Example())
	var s Scratch
	it := answer("2200000000", strings.Repeat("Здравствуйте! Проверили, авария устранена 22.11.2026 в 10:30, спасибо за терпение. ", 5))
	b.SetBytes(int64(len(it.Text)))
	for b.Loop() {
		if hits := m.Match(it, &s); len(hits) != 1 || len(hits[0].Violations) != 0 {
			b.Fatal(hits)
		}
	}
}

// TestRulesTouchAnswersOnly: the texts of customers are never searched for patterns.
func TestRulesTouchAnswersOnly(t *testing.T) {
	m := confidentialMatcher(t)
	var s Scratch
	customer := post("northnet, мой телефон 8 916 123-45-67, договор 277123456789")
	m.Match(customer, &s)
	if n := testing.AllocsPerRun(100, func() { m.Match(customer, &s) }); n > 0 {
		t.Errorf("%v allocations for a customer's text", n)
	}
}
