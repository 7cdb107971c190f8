package sentiment_test

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"

	"otklik/stream"
	"otklik/stream/brand"
	"otklik/stream/sentiment"
)

// hardPost is a row of testdata/hard.tsv: a post of our own that is hard to label, with what a careful reader says.
type hardPost struct {
	id, lang, category, brand string
	label                     stream.Label
	text, reason              string
}

// hardCategories are what the file must hold.
var hardCategories = []string{
	"advert_quote", "competitor_praise", "contest", "elongation", "emoji", "hashtag", "irony", "negation", "news", "obscenity",
	"other_language", "own_post", "price", "question", "trade", "transliteration", "two_brands",
}

func readHardPosts(t *testing.T) []hardPost {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "hard.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
	if want := "id\tlang\tcategory\tbrand\tlabel\ttext\treason"; lines[0] != want {
		t.Fatalf("the header is %q, want %q", lines[0], want)
	}
	posts := make([]hardPost, 0, len(lines))
	for n, line := range lines[1:] {
		f := strings.Split(line, "\t")
		if len(f) != 7 {
			t.Fatalf("line %d has %d columns, want 7", n+2, len(f))
		}
		label, ok := stream.ParseLabel(f[4])
		if !ok {
			t.Fatalf("line %d: no label %q", n+2, f[4])
		}
		posts = append(posts, hardPost{f[0], f[1], f[2], f[3], label, f[5], f[6]})
	}
	return posts
}

// TestHardPostsAreConsistent checks the file itself.
func TestHardPostsAreConsistent(t *testing.T) {
	posts := readHardPosts(t)
	if len(posts) < 400 {
		t.Errorf("%d posts, want at least 400", len(posts))
	}
	ids, categories, languages, texts := map[string]bool{}, map[string]int{}, map[string]int{}, map[string][]hardPost{}
	for _, p := range posts {
		if ids[p.id] {
			t.Errorf("%s stands twice", p.id)
		}
		ids[p.id] = true
		categories[p.category]++
		languages[p.lang]++
		texts[p.text] = append(texts[p.text], p)
		if p.text == "" || p.text != strings.TrimSpace(p.text) || strings.ContainsFunc(p.text, func(r rune) bool { return unicode.IsControl(r) || r == unicode.ReplacementChar }) {
			t.Errorf("%s: the text is empty, padded or damaged", p.id)
		}
		if len(p.reason) < 4 {
			t.Errorf("%s: no reason why it is hard", p.id)
		}
		if known := p.lang == "ru" || p.lang == "en"; known == (p.label == stream.Unlabelled) {
			t.Errorf("%s: %s in the language %q", p.id, p.label, p.lang)
		}
	}
	if got := slices.Sorted(maps.Keys(categories)); !slices.Equal(got, hardCategories) {
		t.Errorf("categories %v, want %v", got, hardCategories)
	}
	for category, n := range categories {
		if n < 12 {
			t.Errorf("%s: %d posts, want at least 12", category, n)
		}
	}
	if ru, en := languages["ru"], languages["en"]; ru < 200 || en < 150 {
		t.Errorf("%d posts in Russian and %d in English, want at least 200 and 150", ru, en)
	}
	for text, same := range texts {
		switch {
		case len(same) == 1 && same[0].category != "two_brands":
		case len(same) != 2 || same[0].category != "two_brands" || same[1].category != "two_brands":
			t.Errorf("%s: %d posts with this text, want 1, or 2 in two_brands", same[0].id, len(same))
		case same[0].brand == same[1].brand || same[0].label+same[1].label != stream.Positive+stream.Negative || same[0].label == same[1].label:
			t.Errorf("%s and %s do not judge two brands oppositely: %q", same[0].id, same[1].id, text)
		}
	}
}

// hardFloor are the lowest accuracies that a model may have, by language ("" all): below what was measured when they were set
// (0.56, 0.56, 0.54), because the posts are few and a model that is better on real ones may lose some of them.
var hardFloor = map[string]float64{"": 0.52, "ru": 0.52, "en": 0.49}

// TestHardPosts labels the posts with the shipped model, each for its brand as the engine would, and prints the accuracy by category.
func TestHardPosts(t *testing.T) {
	model, err := sentiment.Default()
	if err != nil {
		t.Fatal(err)
	}
	matcher, err := brand.NewMatcher(brand.Example())
	if err != nil {
		t.Fatal(err)
	}
	var (
		matching brand.Scratch
		labels   sentiment.Scratch
		scores   = map[string]*score{}
	)
	count := func(key string, right bool) {
		s := scores[key]
		if s == nil {
			s = &score{}
			scores[key] = s
		}
		s.posts++
		if right {
			s.right++
		}
	}
	for _, p := range readHardPosts(t) {
		var target sentiment.Target
		for _, hit := range matcher.Match(&stream.Item{Platform: stream.Twitter, Kind: stream.Post, Text: p.text}, &matching) {
			if hit.Brand.Key == p.brand {
				target.Spans = hit.Spans
			} else {
				target.Others = append(target.Others, hit.Spans...)
			}
		}
		if len(target.Spans) == 0 {
			t.Errorf("%s: the example catalogue does not find %s in %q", p.id, p.brand, p.text)
			continue
		}
		label, _ := model.Classify(p.text, "", target, &labels)
		right := label == p.label
		count("", right)
		count(p.lang, right)
		count("category "+p.category, right)
		if p.lang == "ru" || p.lang == "en" {
			count("category "+p.category+" "+p.lang, right)
		}
		if !right && testing.Verbose() {
			t.Logf("%-24s %-10s is labelled %-10s %s", p.id, p.label, label, p.text)
		}
	}
	t.Logf("%s", table(scores))
	for key, floor := range hardFloor {
		if s := scores[key]; s.accuracy() < floor {
			t.Errorf("language %q: %s, the floor is %.2f", key, s, floor)
		}
	}
}

// score counts posts.
type score struct{ posts, right int }

// accuracy returns the share that is right, 0 for a nil score.
func (s *score) accuracy() float64 {
	if s == nil {
		return 0
	}
	return float64(s.right) / float64(s.posts)
}

// String returns "12/27 0.44", or "-" for a nil score.
func (s *score) String() string {
	if s == nil {
		return "-"
	}
	return fmt.Sprintf("%3d/%-3d %.2f", s.right, s.posts, s.accuracy())
}

// table shows the scores, the worst category first.
func table(scores map[string]*score) string {
	var b strings.Builder
	fmt.Fprintf(&b, "accuracy %-18s %-12s  %-12s  %s\n", "", "both", "ru", "en")
	fmt.Fprintf(&b, "%-27s %s  %s  %s\n", "all", scores[""], scores["ru"], scores["en"])
	ordered := slices.SortedFunc(slices.Values(hardCategories), func(x, y string) int {
		return cmp.Or(cmp.Compare(scores["category "+x].accuracy(), scores["category "+y].accuracy()), strings.Compare(x, y))
	})
	for _, c := range ordered {
		fmt.Fprintf(&b, "%-27s %s  %-12s  %s\n", c, scores["category "+c], scores["category "+c+" ru"], scores["category "+c+" en"])
	}
	return b.String()
}
