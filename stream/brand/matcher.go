package brand

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	ahocorasick "github.com/BobuSumisu/aho-corasick"

	"otklik/stream"
)

// Span is a half-open range of bytes of Item.Text.
type Span struct {
	Start, End int
}

// Hit is one brand that an item names: what the matcher knows of a mention.
type Hit struct {
	Brand *Brand
	Via   stream.Via
	Role  stream.Role
	Flags stream.Flags // Approved, Automatic, Advocacy, Question, Answer; the others need the label
	// Products are the keys, sorted, of the products that the text names. They count for every brand of the item.
	Products []string
	Severity uint8  // 0 none … 3, the highest class whose words the text has
	Spans    []Span // names of the brand in Item.Text, in order, not overlapping
	// Customer is whose conversation the mention belongs to: the author's id (the handle in lower case where the platform
	// gave no id), for an official account's item that of the account it answers; "" if it answers nobody or itself.
	Customer string
	// Thread, valid as long as the hit, is the thread key of the mention: Item.Thread, or where the item is Paired "platform:customer×brand"
	// ("platform:item id" for an official account's item that answers nobody).
	Thread string
	// Violations are the rules of communication that the brand's answer breaks, sorted; only with the flag stream.Answer. Excerpt
	// shows them with everything confidential masked. Both own their memory.
	Violations []string
	Excerpt    string

	index int32 // of Brand in the catalogue
}

// Matcher finds the brands of a catalogue in items. It is immutable and safe for concurrent use.
//
// Brands talking about each other are not public opinion: the item of an official account is a hit for that account's
// brand alone, whatever other brands it names.
type Matcher struct {
	catalogue *Catalogue
	trie      *ahocorasick.Trie
	starts    starts    // of the first words of all terms
	terms     [][]entry // by pattern number
	accounts  map[stream.Platform]*accountIndex
	products  []string   // keys, sorted; entry.ref of products is an index
	secrets   []*secrets // by brand
	longest   int32      // words of the longest term
}

// class says what a term stands for.
type class uint8

const (
	alias class = iota
	handle
	veto
	product
	severity
	spam
	automatic
	question
	before
	after
	secret
)

// entry is one term behind a pattern of the automaton. The pattern is a blank and what the term's first word begins with.
type entry struct {
	term     term
	words    int32 // of the term
	mode     mode  // of its first word; it and words are asked so often that they stand here, too
	class    class
	level    uint8           // of severity
	brand    int32           // of alias, handle, veto, product and secret (-1: of every brand)
	ref      int32           // of product
	platform stream.Platform // of handle
}

// found is an occurrence of an entry in the folded text.
type found struct {
	entry       *entry
	start, end  int32 // bytes of the folded text
	first, last int32 // ordinals of its words
	cancelled   bool
}

// Scratch is the memory of one goroutine's matching; the zero value is ready. Hits point into it.
type Scratch struct {
	text     folded
	found    []found
	name     []byte
	hits     []Hit
	own      []official
	spans    []Span
	products []string
	refs     []int32
	threads  []byte // the thread keys of the hits, one after the other

	matcher  *Matcher // the one that the rest is of
	words    *keptWords
	long     []*entry        // the terms of a word that is too long to be kept
	platform stream.Platform // of accounts
	accounts *accountIndex
}

// begin forgets what the scratch knows of another matcher.
func (s *Scratch) begin(m *Matcher) {
	if s.matcher != m {
		s.matcher, s.words, s.accounts = m, new(keptWords), nil
	}
}

// NewMatcher returns a matcher of a valid catalogue, which must not change afterwards. Its error is that of
// Catalogue.Validate.
func NewMatcher(c *Catalogue) (*Matcher, error) {
	if c == nil {
		return nil, errors.New("make a brand matcher: no catalogue")
	}
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("make a brand matcher: %w", err)
	}
	m := &Matcher{catalogue: c, accounts: indexAccounts(c)}
	b := &matcherBuilder{m: m, numbers: map[string]int{}}
	for _, p := range c.Products {
		m.products = append(m.products, p.Key)
	}
	for i := range c.Brands {
		for _, p := range c.Brands[i].Products {
			m.products = append(m.products, p.Key)
		}
	}
	slices.Sort(m.products)
	m.products = slices.Compact(m.products)
	if err := b.catalogue(c); err != nil {
		return nil, fmt.Errorf("make a brand matcher: %w", err)
	}
	m.trie = ahocorasick.NewTrieBuilder().AddPatterns(b.patterns).Build()
	return m, nil
}

// matcherBuilder gathers the patterns of a matcher.
type matcherBuilder struct {
	m        *Matcher
	numbers  map[string]int // pattern → its number
	patterns [][]byte
}

func (b *matcherBuilder) catalogue(c *Catalogue) error {
	var errs []error
	add := func(list []string, e entry) {
		for _, text := range list {
			t, err := parseTerm(text)
			if err != nil {
				errs = append(errs, err)
				continue
			}
			e.term = t
			b.add(e)
			if e.class == alias && len(t) == 1 && t[0].full[0] != '@' {
				// «@МТС» where handles cannot be Cyrillic, or nobody bears it: people mean the brand.
				e.term = term{{full: "@" + t[0].full, base: "@" + t[0].full, mode: exact}}
				b.add(e)
			}
		}
	}
	products := func(list []Product, brand int32) {
		for _, p := range list {
			at, _ := slices.BinarySearch(b.m.products, p.Key)
			add(p.Terms, entry{class: product, brand: brand, ref: int32(at)})
		}
	}
	products(c.Products, -1)
	for i := range c.Brands {
		brand := &c.Brands[i]
		add(brand.Aliases, entry{class: alias, brand: int32(i)})
		add(brand.Vetoes, entry{class: veto, brand: int32(i)})
		add(brand.Confidential.Terms, entry{class: secret, brand: int32(i)})
		b.m.secrets = append(b.m.secrets, newSecrets(&c.Confidential, &brand.Confidential))
		products(brand.Products, int32(i))
		for platform, accounts := range brand.Accounts {
			for _, a := range accounts {
				if name := foldHandle(a.Name); name != "" {
					add([]string{"@" + name}, entry{class: handle, brand: int32(i), platform: platform})
				}
			}
		}
	}
	for _, s := range c.Severity {
		add(s.Terms, entry{class: severity, level: s.Level})
	}
	add(c.Spam, entry{class: spam})
	add(c.AutomaticTexts, entry{class: automatic})
	add(c.Questions, entry{class: question})
	add(c.Confidential.Terms, entry{class: secret, brand: -1})
	add(c.Pointers.Before, entry{class: before})
	add(c.Pointers.After, entry{class: after})
	return errors.Join(errs...)
}

func (b *matcherBuilder) add(e entry) {
	b.m.longest = max(b.m.longest, int32(len(e.term)))
	b.m.starts.add(&e.term[0])
	e.words, e.mode = int32(len(e.term)), e.term[0].mode
	pattern := string(blank) + e.term[0].base
	n, ok := b.numbers[pattern]
	if !ok {
		n = len(b.patterns)
		b.numbers[pattern] = n
		b.patterns = append(b.patterns, []byte(pattern))
		b.m.terms = append(b.m.terms, nil)
	}
	b.m.terms[n] = append(b.m.terms[n], e)
}

// Catalogue returns the catalogue that the matcher was made from. It must not be changed.
func (m *Matcher) Catalogue() *Catalogue { return m.catalogue }

// Official returns the brand that an account speaks for and its entry in the catalogue (of several brands the first), or
// nil and nil.
func (m *Matcher) Official(p stream.Platform, a stream.Account, s *Scratch) (*Brand, *Account) {
	list := m.index(p, s).lookup(&a, s)
	if len(list) == 0 {
		return nil, nil
	}
	return &m.catalogue.Brands[list[0].brand], list[0].account
}

// Match returns one hit per brand that the item names, in the order of the catalogue; nil if there is none or the item
// is not a post, comment, repost or edit. The hits are valid until the next call with the same scratch.
func (m *Matcher) Match(it *stream.Item, s *Scratch) []Hit {
	switch it.Kind {
	case stream.Post, stream.Comment, stream.Repost, stream.Edit:
	default:
		return nil
	}
	s.hits, s.spans, s.products, s.threads = s.hits[:0], s.spans[:0], s.products[:0], s.threads[:0]
	s.begin(m)
	m.matchAccounts(it, s)
	m.scan(it.Text, s)
	m.matchText(it, s)
	if len(s.hits) == 0 {
		return nil
	}
	slices.SortFunc(s.hits, func(a, b Hit) int { return cmp.Compare(a.index, b.index) })
	m.complete(it, s)
	return s.hits
}
