package brand

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"otklik/stream"
)

// Confidential says what an answer of a brand must not contain. It stands in the catalogue for all brands and at a brand for that one;
// both count. Only answers in the own voice are searched, so that the cost does not grow with the firehose.
type Confidential struct {
	Terms    []string  `yaml:"terms"`    // in the syntax of Term: rule confidential_term
	Shipped  []string  `yaml:"shipped"`  // what Otklik knows by itself: phone_number, contract_number
	Patterns []Pattern `yaml:"patterns"` // further ones
	// Hosts are the internal hosts, with all that lies below them. Addresses there (e-mail, link, bare host) break the rule
	// internal_address.
	Hosts []string `yaml:"hosts"`
	// Allow are the exceptions, such as hot-line numbers: digits count whatever stands between them, and the country code and a
	// leading 8 do not; other texts whatever their case.
	Allow []string `yaml:"allow"`
}

// Pattern is a rule of its own.
type Pattern struct {
	Key    string `yaml:"key"`    // name of the rule in figures: lower-case ASCII letters, digits, "-" and "_"
	Regexp string `yaml:"regexp"` // in the syntax of RE2; of a pattern with a group, the first group is what is confidential
}

// The rules that have no pattern in the catalogue.
const (
	RuleUnapproved = "unapproved_account" // an answer by an account that is neither approved nor declared automatic
	RuleTerm       = "confidential_term"
	RulePhone      = "phone_number"
	RuleContract   = "contract_number"
	RuleAddress    = "internal_address"
)

// Bounds of the patterns of one list.
const (
	maxPatterns     = 50
	maxPatternBytes = 1000
	maxFindings     = 100 // of one pattern in one text: what lies beyond is masked by nothing, but the rule is broken already
)

// shipped are the detectors that Confidential.Shipped names.
var shipped = map[string]*detector{
	RulePhone: {rule: RulePhone, expressions: phones, accept: isPhone, digits: phoneDigits},
	RuleContract: {
		rule: RuleContract, expressions: []*regexp.Regexp{contract}, accept: isContract, digits: contractDigits, before: 100, literals: contractWords,
	},
}

// detector finds the violations of one rule. Expressions are slow, so what must be in every finding is looked for first.
type detector struct {
	rule        string
	expressions []*regexp.Regexp
	accept      func(text string, at Span) bool // nil: everything that an expression finds

	digits   int      // not 0: only runs with as many digits are searched,
	before   int      // with so many bytes before them
	literals []string // not nil: one of them, in lower case, is in every finding
}

func (d *detector) find(t *answerText, visit func(Span)) {
	switch {
	case d.literals != nil && !slices.ContainsFunc(d.literals, func(l string) bool { return strings.Contains(t.lower, l) }):
	case d.digits > 0:
		for _, r := range t.runs {
			if r.digits >= d.digits {
				d.search(t.text, max(r.Start-d.before, 0), r.End, visit)
			}
		}
	default:
		d.search(t.text, 0, len(t.text), visit)
	}
}

// search visits what the expressions find in a part of the text.
func (d *detector) search(text string, from, to int, visit func(Span)) {
	for _, e := range d.expressions {
		for _, at := range e.FindAllStringSubmatchIndex(text[from:to], maxFindings) {
			span := Span{Start: from + at[0], End: from + at[1]}
			if len(at) > 2 && at[2] >= 0 {
				span = Span{Start: from + at[2], End: from + at[3]}
			}
			if d.accept == nil || d.accept(text, span) {
				visit(span)
			}
		}
	}
}

// answerText is a text that is searched for violations.
type answerText struct {
	text, lower string
	runs        []digitRun
}

// digitRun is a part of a text of digits and what stands between them in numbers: from the first digit, or the plus or bracket before it, to
// the last digit.
type digitRun struct {
	Span
	digits int
}

// runsOf returns the runs of at least six digits.
func runsOf(text string) []digitRun {
	var runs []digitRun
	r := digitRun{Span: Span{Start: -1}}
	end := func() {
		if r.digits >= min(phoneDigits, contractDigits) {
			runs = append(runs, r)
		}
		r = digitRun{Span: Span{Start: -1}}
	}
	for i, c := range text {
		switch {
		case c >= '0' && c <= '9':
			if r.Start < 0 {
				r.Start = i
			}
			r.End = i + 1
			r.digits++
		case c == '+' || c == '(':
			if r.Start < 0 {
				r.Start = i
			}
		case c == ' ' || c == '\u00a0' || c == '-' || c == '–' || c == '—' || c == ')' || c == '.' || c == '/':
		default:
			end()
		}
	}
	end()
	return runs
}

// The digits of a phone number, with what people put between them.
var phones = []*regexp.Regexp{
	// Russia and Kazakhstan: 11 digits that begin with +7, 7 or 8.
	regexp.MustCompile(`(?:\+7|[78])[ \x{a0}\-–—(]{0,2}[3-9](?:[ \x{a0}\-–—()]{0,2}\d){9}`),
	// Any country, with its code.
	regexp.MustCompile(`\+[1-9](?:[ \x{a0}.\-–—()]{0,2}\d){9,14}`),
	// The area code in brackets: (495) 123-45-67.
	regexp.MustCompile(`\(\d{3,5}\)[ \x{a0}]?\d{1,3}[ \x{a0}-]\d{2}[ \x{a0}-]\d{2}`),
	// North America without its code: (555) 123-4567, 555-123-4567.
	regexp.MustCompile(`(?:\(\d{3}\)[ \x{a0}]?|\d{3}[-.])\d{3}[-.]\d{4}`),
}

var (
	// ordinal stands before numbers that are of something else.
	ordinal = regexp.MustCompile(`(?i)(?:№|#|[$€₽£]|заказ\p{L}*|заявк\p{L}*|обращени\p{L}*|инн|огрн|снилс|трек\p{L}*|артикул\p{L}*|чек\p{L}*|` +
		`order|ticket|request|case|tracking|invoice|ref)[\s:.]*(?:№|#|n|no|номер\p{L}*|number)?[\s:.№#]*$`)
	// amount stands behind numbers that are sums and quantities.
	amount = regexp.MustCompile(`(?i)^[ \x{a0}]*(?:₽|€|\$|£|%|руб|р\.|коп|тыс|млн|млрд|евро|долл|usd|eur|rub|dollars|шт)`)
	// thousands is a number with blanks between its thousands.
	thousands = regexp.MustCompile(`^\+?\d{1,3}(?:[ \x{a0}]\d{3})+$`)
	// date is a day, not a number of a contract.
	date = regexp.MustCompile(`^(?:\d{1,2}[./-]\d{1,2}[./-](?:\d{4}|\d{2})|\d{4}[./-]\d{1,2}[./-]\d{1,2})$`)

	contractWords = []string{"договор", "контракт", "лицев", "л/с", "contract", "agreement", "account"}
	contract      = regexp.MustCompile(`(?i)(?:договор\p{L}*|контракт\p{L}*|лицев\p{L}+[ \x{a0}]+сч[её]т\p{L}*|л/с|contract|agreement|account)` +
		`(?:[ \x{a0}]+(?:номер\p{L}*|number|no|num|is|под))*[ \x{a0}:.]*(?:№|#|n[o°]?\.?)?[ \x{a0}:.]*(\p{L}{0,4}[-/ ]?\d[\d\-/ ]*\d)`)
)

// How many digits numbers have at least. Those of contracts have more than years and prices.
const (
	phoneDigits    = 10
	contractDigits = 6
)

func isPhone(text string, at Span) bool {
	before, after := text[:at.Start], text[at.End:]
	return len(digits(text[at.Start:at.End])) >= phoneDigits && standsAlone(before, after, "/_@.,=&?%") && !ordinal.MatchString(lastRunes(before, 40)) && !amount.MatchString(firstRunes(after, 12)) &&
		!thousands.MatchString(text[at.Start:at.End])
}

func isContract(text string, at Span) bool {
	after := text[at.End:]
	number := text[at.Start:at.End]
	return standsAlone("", after, "") && len(digits(number)) >= contractDigits && !date.MatchString(strings.TrimSpace(number)) &&
		!amount.MatchString(firstRunes(after, 12))
}

// standsAlone reports whether a number is not part of a longer word or number. Joined are the characters before it that make it one
// of an address or of another number.
func standsAlone(before, after, joined string) bool {
	last, size := utf8.DecodeLastRuneInString(before)
	if size > 0 {
		if unicode.IsDigit(last) || unicode.IsLetter(last) || last == '+' {
			return false
		}
		if strings.ContainsRune(joined, last) {
			former, _ := utf8.DecodeLastRuneInString(before[:len(before)-size])
			abbreviation := last == '.' && unicode.IsLetter(former) // «тел.8916…»
			list := last == ',' && !unicode.IsDigit(former)
			if !abbreviation && !list {
				return false
			}
		}
	}
	next, size := utf8.DecodeRuneInString(after)
	if size == 0 {
		return true
	}
	if unicode.IsDigit(next) || unicode.IsLetter(next) {
		return false
	}
	if next == '-' || next == '.' || next == ',' || next == '/' {
		further, _ := utf8.DecodeRuneInString(after[size:])
		return !unicode.IsDigit(further)
	}
	return true
}

func lastRunes(s string, n int) string {
	i := len(s)
	for ; n > 0 && i > 0; n-- {
		_, size := utf8.DecodeLastRuneInString(s[:i])
		i -= size
	}
	return s[i:]
}

func firstRunes(s string, n int) string {
	i := 0
	for ; n > 0 && i < len(s); n-- {
		_, size := utf8.DecodeRuneInString(s[i:])
		i += size
	}
	return s[:i]
}

// digits returns the decimal digits of s.
func digits(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, s)
}

// addresses returns the detector of addresses on internal hosts; nil without hosts.
func addresses(hosts []string) *detector {
	if len(hosts) == 0 {
		return nil
	}
	quoted, folded := make([]string, len(hosts)), make([]string, len(hosts))
	for i, h := range hosts {
		folded[i] = foldHost(h)
		quoted[i] = regexp.QuoteMeta(folded[i])
	}
	// The longest first: Go's regexp takes the first alternative that matches.
	slices.SortFunc(quoted, func(a, b string) int { return cmp.Or(len(b)-len(a), cmp.Compare(a, b)) })
	e := regexp.MustCompile(`(?i)(?:[a-z][a-z0-9+.-]*://)?(?:[\p{L}\p{N}._%+-]+@)?(?:[\p{L}\p{N}_-]+\.)*(?:` + strings.Join(quoted, "|") + `)(?::\d+)?(?:/[^\s<>"']*)?`)
	return &detector{rule: RuleAddress, expressions: []*regexp.Regexp{e}, accept: isAddress, literals: folded}
}

func isAddress(text string, at Span) bool {
	last, size := utf8.DecodeLastRuneInString(text[:at.Start])
	if size > 0 && (unicode.IsLetter(last) || unicode.IsDigit(last) || last == '-' || last == '_' || last == '.') {
		return false // the end of another name
	}
	next, size := utf8.DecodeRuneInString(text[at.End:])
	if size == 0 {
		return true
	}
	if next == '.' {
		further, _ := utf8.DecodeRuneInString(text[at.End+size:])
		return !unicode.IsLetter(further) && !unicode.IsDigit(further) // corp.example.net is another host
	}
	return !unicode.IsLetter(next) && !unicode.IsDigit(next) && next != '-' && next != '_'
}

// foldHost writes a configured host as it is compared: "*.Corp.Example", ".corp.example" and "corp.example" say the same.
func foldHost(h string) string {
	return strings.ToLower(strings.TrimLeft(strings.TrimSpace(h), "*."))
}

// secrets are the confidential things of one brand as they are searched for. It is immutable.
type secrets struct {
	detectors []*detector
	allowed   map[string]bool
}

// newSecrets merges what the catalogue and a brand of it say. Both must be valid.
func newSecrets(lists ...*Confidential) *secrets {
	s := &secrets{allowed: map[string]bool{}}
	var hosts []string
	var named []string
	for _, c := range lists {
		for _, name := range c.Shipped {
			if !slices.Contains(named, name) {
				named = append(named, name)
				s.detectors = append(s.detectors, shipped[name])
			}
		}
		for _, p := range c.Patterns {
			s.detectors = append(s.detectors, &detector{rule: p.Key, expressions: []*regexp.Regexp{regexp.MustCompile(p.Regexp)}})
		}
		for _, a := range c.Allow {
			s.allowed[foldAllowed(a)] = true
		}
		hosts = append(hosts, c.Hosts...)
	}
	if d := addresses(hosts); d != nil {
		s.detectors = append(s.detectors, d)
	}
	return s
}

// foldAllowed writes an exception, or what is compared with one, such that the spellings of a number are one.
func foldAllowed(s string) string {
	if strings.ContainsFunc(s, unicode.IsLetter) {
		return strings.ToLower(strings.TrimSpace(s))
	}
	d := digits(s)
	if len(d) == 11 && (d[0] == '7' || d[0] == '8') {
		d = d[1:]
	}
	return d
}

func (s *secrets) allows(found string) bool {
	if len(s.allowed) == 0 {
		return false
	}
	if s.allowed[foldAllowed(found)] {
		return true
	}
	host := strings.ToLower(found)
	if _, rest, ok := strings.Cut(host, "://"); ok {
		host = rest
	}
	host, _, _ = strings.Cut(host, "/")
	host, _, _ = strings.Cut(host, ":")
	if s.allowed[host] {
		return true
	}
	_, host, _ = strings.Cut(host, "@")
	return host != "" && s.allowed[host]
}

// find appends to spans what is confidential in the text, and to rules the rules that it breaks.
func (s *secrets) find(text string, rules []string, spans []Span) ([]string, []Span) {
	if len(s.detectors) == 0 {
		return rules, spans
	}
	t := answerText{text: text, lower: strings.ToLower(text), runs: runsOf(text)}
	for _, d := range s.detectors {
		d.find(&t, func(at Span) {
			if s.allows(text[at.Start:at.End]) {
				return
			}
			rules = append(rules, d.rule)
			spans = append(spans, at)
		})
	}
	return rules, spans
}

// judge sets the flag Answer, the broken rules and the excerpt of an official account's item.
func (m *Matcher) judge(it *stream.Item, h *Hit, s *Scratch) {
	if !answers(it, h) {
		return
	}
	h.Flags |= stream.Answer
	var rules []string
	var spans []Span
	if h.Flags&stream.Approved == 0 && !m.declaredAutomatic(it, h, s) {
		rules = append(rules, RuleUnapproved)
	}
	for i := range s.found {
		f := &s.found[i]
		if f.entry.class == secret && (f.entry.brand < 0 || f.entry.brand == h.index) {
			rules = append(rules, RuleTerm)
			spans = append(spans, Span{Start: int(s.text.at[f.start]), End: int(s.text.at[f.end])})
		}
	}
	rules, spans = m.secrets[h.index].find(it.Text, rules, spans)
	if len(rules) == 0 {
		return
	}
	slices.Sort(rules)
	h.Violations = slices.Compact(rules)
	h.Excerpt = excerpt(it.Text, spans)
}

// answers reports whether an official account's item speaks to a customer: to one that is known, or to somebody whom the platform does
// not name. A repost says nothing of its own.
func answers(it *stream.Item, h *Hit) bool {
	if it.Kind == stream.Repost {
		return false
	}
	return h.Customer != "" || it.ParentID != "" && identify(&it.ParentAuthor) == ""
}

// declaredAutomatic reports whether the catalogue or the platform says that the author is a bot. An automatic phrase in the text is
// not enough: everybody can write it.
func (m *Matcher) declaredAutomatic(it *stream.Item, h *Hit, s *Scratch) bool {
	return it.Bot || slices.ContainsFunc(s.own, func(o official) bool { return o.brand == h.index && o.account.Automatic })
}

// Bounds of an excerpt in characters.
const (
	excerptBefore = 60
	excerptLength = 160
)

// mask stands in an excerpt for what must not be shown.
const mask = "▇▇▇"

// personal is what no excerpt shows even where no rule names it: handles, e-mail addresses, links and long numbers.
var personal = regexp.MustCompile(`(?i)[\p{L}\p{N}._%+-]*@[\p{L}\p{N}._-]+|[a-z][a-z0-9+.-]*://\S+|\d(?:[ \x{a0}\-–—()/.]{0,2}\d){4,}`)

// excerpt returns what an officer may see of an answer: the surroundings of the first violation with everything masked that is
// confidential or personal.
func excerpt(text string, spans []Span) string {
	for _, at := range personal.FindAllStringIndex(text, -1) {
		spans = append(spans, Span{Start: at[0], End: at[1]})
	}
	slices.SortFunc(spans, func(a, b Span) int { return cmp.Or(a.Start-b.Start, b.End-a.End) })
	var b strings.Builder
	end := 0
	for _, at := range spans {
		if at.Start >= end {
			b.WriteString(text[end:at.Start])
			b.WriteString(mask)
		}
		end = max(end, at.End)
	}
	b.WriteString(text[end:])
	out := strings.Join(strings.Fields(b.String()), " ")
	if first := strings.Index(out, mask); first > 0 {
		if from := first - len(lastRunes(out[:first], excerptBefore)); from > 0 {
			out = "…" + out[from:]
		}
	}
	if short := firstRunes(out, excerptLength); len(short) < len(out) {
		out = short + "…"
	}
	return out
}

// confidential checks what must not be told.
func (v *validator) confidential(path string, c *Confidential, rules map[string]string) {
	v.terms(path+".terms", c.Terms, false)
	for i, name := range c.Shipped {
		if shipped[name] == nil {
			v.fault(fmt.Sprintf("%s.shipped[%d]", path, i), fmt.Sprintf("there is no shipped rule %q", name), "shipped are "+RulePhone+" and "+RuleContract)
		}
	}
	if len(c.Patterns) > maxPatterns {
		v.fault(path+".patterns", fmt.Sprintf("%d patterns are too many", len(c.Patterns)), fmt.Sprintf("every answer is searched for each: keep at most %d, and join some with |", maxPatterns))
	}
	for i := range c.Patterns {
		v.pattern(fmt.Sprintf("%s.patterns[%d]", path, i), &c.Patterns[i], rules)
	}
	for i, h := range c.Hosts {
		folded := foldHost(h)
		if folded == "" || strings.ContainsAny(folded, "/@: \t") || !strings.Contains(folded, ".") {
			v.fault(fmt.Sprintf("%s.hosts[%d]", path, i), fmt.Sprintf("%q is not the end of a host name", h), "write corp.example, without https:// and without @")
		}
	}
	for i, a := range c.Allow {
		if strings.TrimSpace(a) == "" || foldAllowed(a) == "" {
			v.fault(fmt.Sprintf("%s.allow[%d]", path, i), "the exception is empty", `write the number or address that may be told: "8 800 100-20-30"`)
		}
	}
}

func (v *validator) pattern(path string, p *Pattern, rules map[string]string) {
	v.key(path, p.Key)
	for _, taken := range []string{RuleUnapproved, RuleTerm, RulePhone, RuleContract, RuleAddress} {
		if p.Key == taken {
			v.fault(path+".key", fmt.Sprintf("the key %q is that of a built-in rule", p.Key), "choose another")
		}
	}
	v.unique(path+".key", p.Key, rules)
	if len(p.Regexp) > maxPatternBytes {
		v.fault(path+".regexp", fmt.Sprintf("the pattern has %d bytes", len(p.Regexp)), fmt.Sprintf("at most %d: make two of it", maxPatternBytes))
		return
	}
	e, err := regexp.Compile(p.Regexp)
	switch {
	case p.Regexp == "":
		v.fault(path+".regexp", "the pattern is missing", `write what must not be told: regexp: 'INC-[0-9]{6}'`)
	case err != nil:
		v.fault(path+".regexp", "the pattern does not compile: "+err.Error(), "the syntax is that of RE2: no look-ahead and no back-references; write it in single quotes")
	case e.MatchString(""):
		v.fault(path+".regexp", "the pattern finds something in every text, because it matches nothing at all", "ask for at least one character: + instead of *")
	}
}
