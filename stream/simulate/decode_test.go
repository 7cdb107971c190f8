package simulate

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"otklik/stream"
	"otklik/stream/brand"
	"otklik/stream/firehose"
)

// hashLabel is a labeller that knows nothing of language: any function will do to check that labels end in the right cells.
func hashLabel(text, _, brand string) stream.Label {
	h := uint64(len(brand))
	for i := range len(text) {
		h = mix(h ^ uint64(text[i]))
	}
	return stream.Label(1 + h%3)
}

// TestRecordsDecodeToWhatTheyMean runs every record through the real decoders and the real matcher: what they find must be
// what the simulator put in.
func TestRecordsDecodeToWhatTheyMean(t *testing.T) {
	const events = 30_000
	s, err := New(Config{Seed: 7, Events: events, Label: hashLabel})
	if err != nil {
		t.Fatal(err)
	}
	c := brand.Example()
	m, err := brand.NewMatcher(c)
	if err != nil {
		t.Fatal(err)
	}
	var scratch brand.Scratch
	decoders := map[stream.Platform]*firehose.Decoder{}
	for _, p := range stream.Platforms {
		if decoders[p], err = firehose.New(p); err != nil {
			t.Fatal(err)
		}
	}
	var items []stream.Item
	faults := 0
	fail := func(r Record, format string, args ...any) {
		t.Helper()
		t.Errorf("%s\n%s: %s", r.Value, r.Platform, fmt.Sprintf(format, args...))
		if faults++; faults == 12 {
			t.FailNow()
		}
	}
	seen := map[stream.Platform]map[stream.Kind]int{}
	last := stream.Time(0)
	n := 0
	for r, ok := s.Next(); ok; r, ok = s.Next() {
		n++
		if r.DeliveredAt < last {
			fail(r, "delivered at %v, after %v", r.DeliveredAt, last)
		}
		last = r.DeliveredAt
		items, err = decoders[r.Platform].Decode(r.Value, r.DeliveredAt, items[:0])
		if len(s.shown) == 0 {
			var bad *firehose.Malformed
			if !errors.As(err, &bad) || len(items) != 0 {
				fail(r, "a broken record gives %d items and the error %v", len(items), err)
			}
			continue
		}
		if err != nil || len(items) != len(s.shown) {
			fail(r, "%d items instead of %d, error %v", len(items), len(s.shown), err)
			continue
		}
		for i := range items {
			it, p := &items[i], s.shown[i]
			if seen[r.Platform] == nil {
				seen[r.Platform] = map[stream.Kind]int{}
			}
			seen[r.Platform][it.Kind]++
			if isSignal(p.kind) {
				if !isSignal(it.Kind) || it.Kind == stream.Delete && (p.kind != stream.Delete || it.ID != p.original.id) || p.kind == stream.Delete && it.Kind != p.kind {
					fail(r, "decoded to %s %q, meant %s", it.Kind, it.ID, p.kind)
				}
				continue
			}
			if d := differences(it, p); d != "" {
				fail(r, "%s", d)
				continue
			}
			hits := m.Match(it, &scratch)
			if d := s.compareHits(hits, p); d != "" {
				fail(r, "text %q: %s", it.Text, d)
			}
		}
	}
	if n != events {
		t.Errorf("%d records instead of %d", n, events)
	}
	for _, p := range stream.Platforms {
		t.Logf("%s: %v", p, seen[p])
	}
}

// differences says how an item differs from what was meant.
func differences(it *stream.Item, p *post) string {
	var d []string
	check := func(what string, got, want any) {
		if got != want {
			d = append(d, fmt.Sprintf("%s is %v, meant %v", what, got, want))
		}
	}
	check("kind", it.Kind, p.kind)
	check("id", it.Identity(), p.id)
	check("published", it.PublishedAt, p.at)
	check("edited", it.EditedAt, p.editedAt)
	check("author", cmp.Or(it.Author.ID, it.Author.Name), p.author.id)
	check("text", it.Text, p.text)
	check("language", it.Lang, statedLang(p))
	if p.parent != nil && (p.platform != stream.VK || p.feed == feedFirst) {
		check("parent", it.ParentID, p.parent.id)
	}
	if p.author.brand != nobody && p.parent != nil && it.ParentAt != 0 {
		check("parent's time", it.ParentAt, p.parent.at)
	}
	return strings.Join(d, "; ")
}

// compareHits says how the brands that the matcher finds differ from those that were named.
func (s *Simulator) compareHits(hits []brand.Hit, p *post) string {
	var d []string
	if len(hits) != len(p.namings) {
		d = append(d, fmt.Sprintf("%d brands, meant %d", len(hits), len(p.namings)))
	}
	for i := range p.namings {
		n := &p.namings[i]
		k := slices.IndexFunc(hits, func(h brand.Hit) bool { return h.Brand.Key == s.brands[n.brand].key })
		if k < 0 {
			d = append(d, "does not name "+s.brands[n.brand].key)
			continue
		}
		h := &hits[k]
		if h.Role != n.role {
			d = append(d, fmt.Sprintf("role is %v, meant %v", h.Role, n.role))
		}
		if n.role == stream.Own {
			if got := h.Flags&stream.Automatic != 0; got != p.automatic() {
				d = append(d, fmt.Sprintf("automatic is %v, meant %v", got, p.automatic()))
			}
			if got := h.Flags&stream.Approved != 0; got != p.author.approved {
				d = append(d, fmt.Sprintf("approved is %v, meant %v", got, p.author.approved))
			}
			continue
		}
		if got := h.Via&stream.Directed != 0; got != n.directed && p.kind != stream.Repost {
			d = append(d, fmt.Sprintf("directed is %v, meant %v", got, n.directed))
		}
		if h.Customer != p.author.id {
			d = append(d, fmt.Sprintf("customer is %q, meant %q", h.Customer, p.author.id))
		}
		if n.role == stream.Spam {
			continue
		}
		if got := h.Severity >= 2; got != p.severe {
			d = append(d, fmt.Sprintf("severe is %v, meant %v", got, p.severe))
		}
		if got := h.Flags&stream.Question != 0; got != (p.question && p.kind != stream.Repost) {
			d = append(d, fmt.Sprintf("question is %v, meant %v", got, p.question))
		}
		var want []string
		for _, k := range n.products {
			want = append(want, s.products[k])
		}
		slices.Sort(want)
		if !slices.Equal(h.Products, want) {
			d = append(d, fmt.Sprintf("products are %v, meant %v", h.Products, want))
		}
	}
	return strings.Join(d, "; ")
}
