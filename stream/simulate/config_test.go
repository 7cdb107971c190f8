package simulate

import (
	"strings"
	"testing"
	"time"

	"otklik/stream"
	"otklik/stream/brand"
)

func TestConfigRefuses(t *testing.T) {
	share := func(change func(*Proportions)) *Proportions {
		p := DefaultProportions()
		change(&p)
		return &p
	}
	for name, c := range map[string]struct {
		cfg  Config
		want string
	}{
		"no events":        {Config{}, "events is 0"},
		"short":            {Config{Events: 1, Duration: time.Second}, "duration is 1s"},
		"long":             {Config{Events: 1, Duration: 1000 * time.Hour}, "duration is 1000h"},
		"before ids":       {Config{Events: 1, Start: 1}, "start is"},
		"half a second":    {Config{Events: 1, Start: DefaultDay + 500}, "full second"},
		"negative share":   {Config{Events: 1, Proportions: share(func(p *Proportions) { p.Late = -0.1 })}, "late is -0.1"},
		"share over one":   {Config{Events: 1, Proportions: share(func(p *Proportions) { p.Unmatched = 1.1 })}, "unmatched is 1.1"},
		"empty catalogue":  {Config{Events: 1, Catalogue: &brand.Catalogue{}}, "no brand"},
		"nameless brand":   {Config{Events: 1, Catalogue: catalogue(t, `aliases: ["@acme", "acm*"]`, "[router]")}, "no alias that can stand in a text"},
		"greedy catalogue": {Config{Events: 1, Catalogue: catalogue(t, "aliases: [acme]", "[а*, б*, в*, г*, д*, е*, з*, и*, к*, л*, м*, н*, о*, п*, р*, с*, т*, у*, ч*, я*]")}, "more specific"},
	} {
		c.cfg.Label = hashLabel
		if _, err := New(c.cfg); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: the error is %v, which does not say %q", name, err, c.want)
		}
	}
}

// catalogue returns a catalogue of one brand.
func catalogue(t *testing.T, names, terms string) *brand.Catalogue {
	t.Helper()
	c, err := brand.Parse([]byte("brands:\n  - key: acme\n    name: Acme\n    own: true\n    " + names +
		"\nproducts:\n  - key: thing\n    name: Thing\n    terms: " + terms + "\n"))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestProportions measures what the configuration states.
func TestProportions(t *testing.T) {
	const events = 30_000
	share := Proportions{Duplicates: 0.1, Disorder: 0.3, Late: 0.03, Malformed: 0.05, Future: 0.02, Unmatched: 0.5, Other: 0.2}
	s, err := New(Config{Seed: 1, Events: events, Label: hashLabel, Proportions: &share})
	if err != nil {
		t.Fatal(err)
	}
	late, disordered := 0, 0
	for r, ok := s.Next(); ok; r, ok = s.Next() {
		switch delay := r.DeliveredAt - r.EventTime; {
		case delay > stream.Hour:
			late++
		case delay > 3*stream.Second:
			disordered++
		}
	}
	b := s.Truth().Verify
	about := func(what string, got int64, of int64, want, within float64) {
		t.Helper()
		if share := float64(got) / float64(of); share < want-within || share > want+within {
			t.Errorf("%s are %.4f, not about %.4f", what, share, want)
		}
	}
	about("duplicates", b.Duplicates, b.Mentions, 0.1, 0.03)
	about("dead letters", b.DeadLetters, b.Read, 0.05, 0.02)
	about("unmatched", b.Unmatched, b.Unmatched+b.Mentions, 0.5, 0.05)
	about("late", int64(late), events, 0.03, 0.01)
	about("out of order", int64(disordered), events, 0.3, 0.1)
}

// TestOtherCatalogue plays a catalogue with a single brand that has no accounts at all.
func TestOtherCatalogue(t *testing.T) {
	s, err := New(Config{Seed: 1, Events: 3000, Label: hashLabel, Catalogue: catalogue(t, "aliases: [acme, акме]", "[router, роутер]")})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, ok := s.Next(); ok; _, ok = s.Next() {
		n++
	}
	truth := s.Truth()
	if n != 3000 || truth.Verify.Mentions == 0 || truth.Brands[0].ShareOfVoice != 1 || truth.Brands[0].Answered != 0 {
		t.Errorf("%d records, %+v, %+v", n, truth.Verify, truth.Brands)
	}
}
