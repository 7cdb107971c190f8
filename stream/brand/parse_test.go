package brand

import (
	"strings"
	"testing"
)

func TestExample(t *testing.T) {
	c := Example()
	if len(c.Brands) != 3 || len(c.Products) != 7 {
		t.Fatalf("%d brands, %d products", len(c.Brands), len(c.Products))
	}
	if b := c.Brand("mts"); b == nil || !b.Own || b.Name != "МТС" {
		t.Errorf("mts is %+v", b)
	}
	if c.Brand("beeline") == nil || c.Brand("megafon") == nil || c.Brand("tele2") != nil {
		t.Error("the competitors are not beeline and megafon")
	}
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
}

func TestParseFaults(t *testing.T) {
	const head = "brands:\n  - key: mts\n    name: МТС\n    own: true\n    aliases: [мтс]\n"
	for _, tt := range []struct{ name, text, want string }{
		{"empty", "", "1:1: brands: no brand is tracked"},
		{"not YAML", "brands: [", "1:9:"},
		{"a list at the top", "- a\n", "1:1: expected keys with values, found a list"},
		{"no catalogue at all", strings.Repeat("x", 100) + "\n", "1:1: expected keys with values, found \"" + strings.Repeat("x", 40) + "\""},
		{"unknown key", head + "spamm: [x]\n", "6:1: spamm: the key \"spamm\" is not known (did you mean spam?)"},
		{"unknown nested key", head + "    alias: [x]\n", "6:5: brands[0].alias: the key \"alias\" is not known (did you mean aliases?)"},
		{"repeated key", head + "    name: x\n", "6:5: mapping key \"name\" already defined"},
		{"list expected", head + "spam: x\n", "6:7: spam: expected a list, found \"x\""},
		{"value expected", head + "spam: [[x]]\n", "6:8: spam[0]: expected one value, found a list"},
		{"bool expected", head + "    own2: 1\n  - {key: b, name: b, own: maybe, aliases: [bbb]}\n", "7:28: brands[1].own: expected true or false, found \"maybe\""},
		{"nobody's", "brands: [{key: b, name: b, aliases: [bbb]}]\n", "brands: no brand is ours"},
		{"bad key", "brands: [{key: МТС, own: true, name: b, aliases: [bbb]}]\n", "1:11: brands[0].key: the key \"МТС\" is not made of"},
		{"missing name", "brands: [{key: b, own: true, aliases: [bbb]}]\n", "brands[0].name: the display name is missing"},
		{"same key twice", head + "  - {key: mts, name: b, aliases: [bbb]}\n", "6:6: brands[1].key: the key \"mts\" is already that of brands[0]"},
		{"nothing to find", head + "  - {key: x, name: b}\n", "brands[1]: the brand has neither aliases nor accounts"},
		{"short alias", head + "  - {key: x, name: b, aliases: [я]}\n", "6:33: brands[1].aliases[0]: the alias \"я\" is too short"},
		{"short prefix", head + "  - {key: x, name: b, aliases: [ab*]}\n", "brands[1].aliases[0]: the alias \"ab*\" is too short"},
		{"empty term", head + "spam: [\"!!\"]\n", "6:8: spam[0]: the term has no letter or digit"},
		{"star inside", head + "spam: [a*b]\n", "spam[0]: the word \"a*b\" has a * that does not end it"},
		{"same term twice", head + "spam: [Ёлка, \"«елка»\"]\n", "6:14: spam[1]: the term \"«елка»\" says the same as [0]"},
		{"platform", head + "    accounts: {myspace: [{id: x}]}\n", "6:16: brands[0].accounts.myspace: the platform \"myspace\" is not known"},
		{"account", head + "    accounts: {vk: [{approved: true}]}\n", "brands[0].accounts.vk[0]: the account has neither id nor name"},
		{"account twice", head + "    accounts: {vk: [{name: \"@A\"}, {name: a}]}\n", "brands[0].accounts.vk[1]: the account with name a is already brands[0].accounts.vk[0]"},
		{"level", head + "severity: [{key: x, level: 4, terms: [a]}]\n", "6:21: severity[0].level: the level 4 is not 1, 2 or 3"},
		{"level is a word", head + "severity: [{key: x, level: high, terms: [a]}]\n", "severity[0].level: expected a small whole number, found \"high\""},
		{"weight", head + "products: [{key: x, weight: -1, terms: [a]}]\n", "products[0].weight: the weight -1 is not between 0 and 1000"},
		{"product twice", head + "    products: [{key: x, terms: [a]}]\nproducts: [{key: x, terms: [b]}]\n", "brands[0].products[0].key: the key \"x\" is already that of products[0]"},
		{"product without terms", head + "products: [{key: x}]\n", "products[0].terms: the product has no terms"},
		{"unknown anchor", head + "spam: *nothing\n", "nothing"},
		{"tag", head + "spam: !!seq [a]\n", "spam: tags are not supported"},
		{"second document", head + "---\na: b\n", "a second document"},
	} {
		_, err := Parse([]byte(tt.text))
		if err == nil {
			t.Errorf("%s: no error", tt.name)
			continue
		}
		if !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v\nwant %s", tt.name, err, tt.want)
		}
		faults := Faults(err)
		if len(faults) == 0 {
			t.Errorf("%s: %v holds no *Fault", tt.name, err)
		}
		for _, f := range faults {
			if f.Line < 1 || f.Column < 1 {
				t.Errorf("%s: no position in %v", tt.name, f)
			}
		}
	}
}

func TestParseReportsEverything(t *testing.T) {
	_, err := Parse([]byte("brands:\n  - key: A\n    own: да\n    colour: red\nspam: ['!']\nproducts:\n  - key: p\n    weight: heavy\n"))
	faults := Faults(err)
	var paths []string
	for _, f := range faults {
		paths = append(paths, f.Path)
	}
	want := "brands brands[0] brands[0].key brands[0].name brands[0].own brands[0].colour spam[0] products[0].terms products[0].weight"
	got := map[string]bool{}
	for _, p := range paths {
		got[p] = true
	}
	for p := range strings.FieldsSeq(want) {
		if !got[p] {
			t.Errorf("no fault for %s in %v", p, paths)
		}
	}
	for i := 1; i < len(faults); i++ {
		if faults[i-1].Line > faults[i].Line {
			t.Errorf("faults out of order: %v", paths)
		}
	}
}

func TestParseAnchors(t *testing.T) {
	c, err := Parse([]byte("brands:\n  - {key: a, name: A, own: true, aliases: &names [альфа, 22]}\n  - {key: b, name: B, aliases: *names}\n"))
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Brands[1].Aliases; len(got) != 2 || got[1] != "22" {
		t.Errorf("aliases %q", got)
	}
}

// FuzzParse: no text panics, and what parses makes a matcher.
func FuzzParse(f *testing.F) {
	f.Add([]byte("brands:\n  - {key: a, name: A, own: true, aliases: [альфа]}\n"))
	f.Add([]byte("brands: [{key: a, aliases: &a [*a]}]\nspam: *a\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Parse(data)
		if err != nil {
			if len(Faults(err)) == 0 {
				t.Fatalf("%v holds no *Fault", err)
			}
			return
		}
		if _, err := NewMatcher(c); err != nil {
			t.Fatal(err)
		}
	})
}
