// Package brand knows the tracked brands (the catalogue, written in YAML) and finds which of them an item names, in
// whose voice, and about what (the matcher).
//
// The matcher is one pass of an Aho–Corasick automaton over the folded text, whatever the number of brands; what the
// automaton finds is then checked word by word (see Term for the rules).
package brand

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"otklik/stream"
)

// Catalogue is what the engine knows about brands. It must not change once a matcher has been made from it.
// All terms follow the syntax of Term.
type Catalogue struct {
	Brands   []Brand    `yaml:"brands"`
	Products []Product  `yaml:"products"` // products that every brand has
	Severity []Severity `yaml:"severity"` // words that make a post severe
	Spam     []string   `yaml:"spam"`     // terms that make a customer's item spam
	// AutomaticTexts are phrases of automatic replies: an official account's item that has one is an automatic reply.
	AutomaticTexts []string `yaml:"automatic_texts"`
	// Questions are words that ask without a question mark. A "?" outside a link always asks.
	Questions []string `yaml:"questions"`
	Pointers  Pointers `yaml:"pointers"` // words by which customers send others to an official account
	// Confidential is what answers of all brands must not contain.
	Confidential Confidential `yaml:"confidential" json:"confidential,omitzero"`
}

// Brand is one tracked brand.
type Brand struct {
	Key     string   `yaml:"key"`     // stable key in every table: lower-case ASCII letters, digits, "-" and "_"
	Name    string   `yaml:"name"`    // display name
	Own     bool     `yaml:"own"`     // ours; the others are competitors
	Aliases []string `yaml:"aliases"` // names in texts
	// Vetoes are terms near which an alias does not count. A veto that contains an alias («кричать в мегафон»,
	// «мтс-банк») cancels that occurrence alone; any other veto cancels every alias within VetoReach words.
	Vetoes   []string                      `yaml:"vetoes"`
	Accounts map[stream.Platform][]Account `yaml:"accounts"` // official accounts by platform
	Products []Product                     `yaml:"products"` // products of this brand alone
	// Confidential is what answers of this brand must not contain beside what Catalogue.Confidential says.
	Confidential Confidential `yaml:"confidential" json:"confidential,omitzero"`
}

// Account is an official account of a brand. ID or Name may be empty, not both; both are compared without regard to case.
type Account struct {
	ID        string `yaml:"id"`        // the platform's own id (VK: negative for communities)
	Name      string `yaml:"name"`      // handle, with or without "@"
	Approved  bool   `yaml:"approved"`  // its answers count as answers of the care desk
	Automatic bool   `yaml:"automatic"` // a bot: its answers never end a wait
}

// Product is something that customers talk about.
type Product struct {
	Key    string   `yaml:"key"`
	Name   string   `yaml:"name"`
	Terms  []string `yaml:"terms"`
	Weight float64  `yaml:"weight"` // factor of the priority of negative mentions; 0 means 1
}

// Severity is a class of words that make a mention severe.
type Severity struct {
	Key   string   `yaml:"key"`
	Level uint8    `yaml:"level"` // 1 … 3 (most severe)
	Terms []string `yaml:"terms"`
}

// Pointers are words by which a customer sends others to an official account named in the same text.
type Pointers struct {
	Before []string `yaml:"before"` // stand within PointerReach words before the name: "write to @brand"
	After  []string `yaml:"after"`  // stand within PointerReach words after it: "@brand will help"
}

// Distances in words between an alias and what changes its meaning.
const (
	VetoReach    = 5 // see Brand.Vetoes
	PointerReach = 4 // see Pointers
)

// Brand returns the brand with this key, or nil.
func (c *Catalogue) Brand(key string) *Brand {
	for i := range c.Brands {
		if c.Brands[i].Key == key {
			return &c.Brands[i]
		}
	}
	return nil
}

// Weight returns the weight of a product, common or of one brand; 1 for products that state none or are not listed.
func (c *Catalogue) Weight(brand, product string) float64 {
	find := func(list []Product) (float64, bool) {
		for i := range list {
			if list[i].Key == product {
				if list[i].Weight == 0 {
					return 1, true
				}
				return list[i].Weight, true
			}
		}
		return 0, false
	}
	if b := c.Brand(brand); b != nil {
		if w, ok := find(b.Products); ok {
			return w
		}
	}
	if w, ok := find(c.Products); ok {
		return w
	}
	return 1
}

// Validate checks everything that the types cannot say. It returns every fault at once, joined: each is a *Fault
// with its path (line and column are known to Parse only).
func (c *Catalogue) Validate() error {
	v := &validator{}
	v.catalogue(c)
	return joinFaults(v.faults)
}

// validator collects the faults of a catalogue.
type validator struct {
	faults []*Fault
}

func (v *validator) fault(path, message, hint string) {
	v.faults = append(v.faults, &Fault{Path: path, Message: message, Hint: hint})
}

func (v *validator) catalogue(c *Catalogue) {
	if len(c.Brands) == 0 {
		v.fault("brands", "no brand is tracked", "list at least one brand with a key and an alias or an account")
	}
	own := false
	keys := map[string]int{}
	accounts := map[string]string{}
	common := map[string]string{}
	v.products("products", c.Products, common)
	rules := map[string]string{}
	v.confidential("confidential", &c.Confidential, rules)
	for i := range c.Brands {
		b := &c.Brands[i]
		path := fmt.Sprintf("brands[%d]", i)
		own = own || b.Own
		v.key(path, b.Key)
		if first, ok := keys[b.Key]; ok && b.Key != "" {
			v.fault(path+".key", fmt.Sprintf("the key %q is already that of brands[%d]", b.Key, first), "every brand needs a key of its own")
		} else {
			keys[b.Key] = i
		}
		if strings.TrimSpace(b.Name) == "" {
			v.fault(path+".name", "the display name is missing", "dashboards show it: name: МТС")
		}
		if len(b.Aliases) == 0 && len(b.Accounts) == 0 {
			v.fault(path, "the brand has neither aliases nor accounts, so nothing can name it", "add aliases: [...]")
		}
		v.terms(path+".aliases", b.Aliases, true)
		v.terms(path+".vetoes", b.Vetoes, false)
		v.accounts(path+".accounts", b, accounts)
		seen := make(map[string]string, len(common))
		maps.Copy(seen, common)
		v.products(path+".products", b.Products, seen)
		v.confidential(path+".confidential", &b.Confidential, maps.Clone(rules))
	}
	if len(c.Brands) > 0 && !own {
		v.fault("brands", "no brand is ours", "set own: true on the brand whose reputation this installation watches")
	}
	classes := map[string]string{}
	for i := range c.Severity {
		s := &c.Severity[i]
		path := fmt.Sprintf("severity[%d]", i)
		v.key(path, s.Key)
		v.unique(path+".key", s.Key, classes)
		if s.Level < 1 || s.Level > 3 {
			v.fault(path+".level", fmt.Sprintf("the level %d is not 1, 2 or 3", s.Level), "3 is the most severe")
		}
		v.terms(path+".terms", s.Terms, false)
	}
	v.terms("spam", c.Spam, false)
	v.terms("automatic_texts", c.AutomaticTexts, false)
	v.terms("questions", c.Questions, false)
	v.terms("pointers.before", c.Pointers.Before, false)
	v.terms("pointers.after", c.Pointers.After, false)
}

func (v *validator) key(path, key string) {
	ok := key != ""
	for _, r := range key {
		ok = ok && (r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' || r == '_')
	}
	if !ok {
		v.fault(path+".key", fmt.Sprintf("the key %q is not made of a–z, 0–9, - and _", key), "keys stand in every table and never change: key: mts")
	}
}

func (v *validator) unique(path, key string, seen map[string]string) {
	if key == "" {
		return
	}
	if first, ok := seen[key]; ok {
		v.fault(path, fmt.Sprintf("the key %q is already that of %s", key, first), "choose another key or merge the two")
		return
	}
	seen[key] = strings.TrimSuffix(path, ".key")
}

func (v *validator) products(path string, list []Product, seen map[string]string) {
	for i := range list {
		p := &list[i]
		at := fmt.Sprintf("%s[%d]", path, i)
		v.key(at, p.Key)
		v.unique(at+".key", p.Key, seen)
		if !(p.Weight >= 0 && p.Weight <= 1000) {
			v.fault(at+".weight", fmt.Sprintf("the weight %v is not between 0 and 1000", p.Weight), "1 is the usual weight")
		}
		if len(p.Terms) == 0 {
			v.fault(at+".terms", "the product has no terms, so nothing can name it", "add terms: [...]")
		}
		v.terms(at+".terms", p.Terms, false)
	}
}

// terms checks a list of terms; aliases must be specific enough not to name everything.
func (v *validator) terms(path string, list []string, alias bool) {
	seen := map[string]int{}
	for i, text := range list {
		at := fmt.Sprintf("%s[%d]", path, i)
		t, err := parseTerm(text)
		if err != nil {
			v.fault(at, err.Error(), `a term is words, each optionally "=exact" or "prefix*"`)
			continue
		}
		id := t.String()
		if first, ok := seen[id]; ok {
			v.fault(at, fmt.Sprintf("the term %q says the same as [%d]", text, first), "case, ё/е and punctuation do not matter; remove one")
			continue
		}
		seen[id] = i
		if alias && t.short() {
			v.fault(at, fmt.Sprintf("the alias %q is too short to tell a brand", text), "use at least two letters or digits, and three before a *")
		}
	}
}

func (v *validator) accounts(path string, b *Brand, seen map[string]string) {
	platforms := make([]stream.Platform, 0, len(b.Accounts))
	for p := range b.Accounts {
		platforms = append(platforms, p)
	}
	slices.SortFunc(platforms, cmp.Compare[stream.Platform])
	for _, p := range platforms {
		if !slices.Contains(stream.Platforms, p) {
			v.fault(path+"."+string(p), fmt.Sprintf("the platform %q is not known", p), "known are "+platformList())
			continue
		}
		for i, a := range b.Accounts[p] {
			at := fmt.Sprintf("%s.%s[%d]", path, p, i)
			name := foldHandle(a.Name)
			if a.ID == "" && name == "" {
				v.fault(at, "the account has neither id nor name", "give the platform's id, the handle, or both")
			}
			for _, id := range []string{"id " + strings.ToLower(a.ID), "name " + name} {
				if strings.HasSuffix(id, " ") {
					continue
				}
				// An account that speaks for two brands is legal; the same account twice for one brand is a slip.
				k := b.Key + " " + string(p) + " " + id
				if first, ok := seen[k]; ok {
					v.fault(at, fmt.Sprintf("the account with %s is already %s", id, first), "remove one of the two")
				} else {
					seen[k] = at
				}
			}
		}
	}
}

func platformList() string {
	names := make([]string, len(stream.Platforms))
	for i, p := range stream.Platforms {
		names[i] = string(p)
	}
	return strings.Join(names, ", ")
}
