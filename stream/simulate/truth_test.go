package simulate

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"otklik/stream"
	"otklik/stream/brand"
	"otklik/stream/care"
	"otklik/stream/firehose"
	"otklik/stream/sentiment"
	"otklik/stream/window"
)

// recount derives the truth from the raw records with the real decoders, matcher and conversations: the way that the
// engine goes, without its partitions, its state and its tables.
type recount struct {
	t        *testing.T
	decoders map[stream.Platform]*firehose.Decoder
	matcher  *brand.Matcher
	scratch  brand.Scratch
	label    func(it *stream.Item, hits []brand.Hit, j int) stream.Label

	books    map[stream.Platform]*Books
	reasons  map[string]int64
	mentions map[stream.IdentityKey]*mentioned
	cells    map[Cell]Counts // key: a cell without counts
	threads  map[care.Key][]care.Turn
}

type mentioned struct {
	version  stream.Time
	counts   Counts
	kind     stream.Kind
	products []string
}

func newRecount(t *testing.T, label func(*stream.Item, []brand.Hit, int) stream.Label) *recount {
	t.Helper()
	m, err := brand.NewMatcher(brand.Example())
	if err != nil {
		t.Fatal(err)
	}
	r := &recount{
		t: t, decoders: map[stream.Platform]*firehose.Decoder{}, matcher: m, label: label, books: map[stream.Platform]*Books{},
		reasons: map[string]int64{}, mentions: map[stream.IdentityKey]*mentioned{}, cells: map[Cell]Counts{}, threads: map[care.Key][]care.Turn{},
	}
	for _, p := range stream.Platforms {
		if r.decoders[p], err = firehose.New(p); err != nil {
			t.Fatal(err)
		}
		r.books[p] = &Books{}
	}
	return r
}

func (r *recount) read(rec Record) {
	b := r.books[rec.Platform]
	b.Records++
	items, err := r.decoders[rec.Platform].Decode(rec.Value, rec.DeliveredAt, nil)
	dead := func(reason string) {
		b.Read++
		b.DeadLetters++
		r.reasons[reason]++
	}
	for _, f := range firehose.Faults(err) {
		dead(f.Reason)
	}
	for i := range items {
		it := &items[i]
		switch {
		case isSignal(it.Kind):
			b.Read++
			b.Other++
			continue
		case it.PublishedAt > rec.DeliveredAt+5*stream.Minute:
			dead("future")
			continue
		}
		hits := r.matcher.Match(it, &r.scratch)
		if len(hits) == 0 {
			b.Read++
			b.Unmatched++
		}
		for j := range hits {
			b.Read++
			r.mention(b, it, hits, j)
		}
	}
}

func (r *recount) mention(b *Books, it *stream.Item, hits []brand.Hit, j int) {
	h := &hits[j]
	key := stream.IdentityKey{Platform: it.Platform, ItemID: it.Identity(), Brand: h.Brand.Key, PublishedAt: it.PublishedAt}
	known := r.mentions[key]
	now := &mentioned{version: it.EditedAt, kind: it.Kind, products: slices.Clone(h.Products)}
	if known != nil {
		if it.EditedAt <= known.version {
			b.Duplicates++
			return
		}
		b.Other++
		now.kind = known.kind
		r.add(key, known, -1)
	} else {
		b.Mentions++
	}
	r.mentions[key] = now
	asks := strings.Contains(it.Text, "?") && now.kind != stream.Repost
	needs := false
	switch h.Role {
	case stream.Own:
		now.counts.Own = 1
	case stream.Spam:
		now.counts.Spam = 1
	default:
		label := r.label(it, hits, j)
		needs = now.kind != stream.Repost && (h.Via&stream.Directed != 0 || asks || label == stream.Negative) && (asks || label != stream.Positive)
		now.counts = Counts{
			Positive: one(label == stream.Positive), Neutral: one(label == stream.Neutral), Negative: one(label == stream.Negative),
			Unlabelled: one(label == stream.Unlabelled), Reposts: one(now.kind == stream.Repost), Questions: one(asks),
			Severe: one(h.Severity >= 2), Requests: one(needs),
		}
	}
	r.add(key, now, +1)
	if known != nil || h.Role == stream.Spam || it.Kind == stream.Repost {
		return
	}
	flags := h.Flags & (stream.Approved | stream.Automatic)
	if needs {
		flags |= stream.NeedsAnswer
	}
	thread := care.Key{Platform: it.Platform, Brand: h.Brand.Key, Thread: strings.Clone(h.Thread)} // a hit is valid until the next match
	r.threads[thread] = append(r.threads[thread], care.Turn{
		ItemID: it.Identity(), At: it.PublishedAt, Author: cmp.Or(it.Author.ID, it.Author.Name), Customer: h.Customer, ParentID: it.ParentID,
		ParentAt: it.ParentAt, Own: h.Role == stream.Own, Flags: flags, Position: 1,
	})
}

func one(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

func (r *recount) add(key stream.IdentityKey, m *mentioned, sign int64) {
	for _, g := range window.Grains {
		for _, product := range append([]string{""}, m.products...) {
			k := Cell{Grain: g.String(), Start: key.PublishedAt.Truncate(g.Span()), Brand: key.Brand, Platform: key.Platform, Product: product}
			c := r.cells[k]
			c.add(&m.counts, sign)
			r.cells[k] = c
		}
	}
}

func (r *recount) panes() []Cell {
	var list []Cell
	for k, c := range r.cells {
		if c != (Counts{}) {
			k.Counts = c
			list = append(list, k)
		}
	}
	slices.SortFunc(list, func(a, b Cell) int {
		return cmp.Or(cmp.Compare(a.Grain, b.Grain), cmp.Compare(a.Start, b.Start), cmp.Compare(a.Brand, b.Brand),
			cmp.Compare(a.Platform, b.Platform), cmp.Compare(a.Product, b.Product))
	})
	return list
}

func (r *recount) responses() []Response {
	e, err := care.NewEvaluator(care.Config{})
	if err != nil {
		r.t.Fatal(err)
	}
	millis := func(c stream.Count) *int64 {
		if !c.Known() {
			return nil
		}
		n := c.Value()
		return &n
	}
	var list []Response
	for key, turns := range r.threads {
		rows, _ := e.Evaluate(key, turns)
		for _, row := range rows {
			list = append(list, Response{
				Brand: key.Brand, Platform: key.Platform, Customer: row.Customer, RequestID: row.RequestID, RequestAt: row.RequestAt,
				ResponseID: row.ResponseID, ResponseAt: row.ResponseAt, DirectMS: millis(row.Direct), WaitingID: row.WaitingID,
				WaitingSince: row.WaitingSince, WaitingMS: millis(row.Waiting), Responder: row.Responder, Approved: row.Approved, Automatic: row.Automatic,
			})
		}
	}
	sortResponses(list)
	return list
}

// TestTruthIsWhatTheRecordsSay compares the truth, which never looked at a record, with a recount of the records.
func TestTruthIsWhatTheRecordsSay(t *testing.T) {
	const events = 20_000
	model, err := sentiment.Default()
	if err != nil {
		t.Fatal(err)
	}
	var scratch sentiment.Scratch
	byModel := func(it *stream.Item, hits []brand.Hit, j int) stream.Label {
		target := sentiment.Target{Spans: hits[j].Spans}
		for k := range hits {
			if k != j {
				target.Others = append(target.Others, hits[k].Spans...)
			}
		}
		label, _ := model.Classify(it.Text, it.Lang, target, &scratch)
		return label
	}
	byHash := func(it *stream.Item, hits []brand.Hit, j int) stream.Label {
		return hashLabel(it.Text, it.Lang, hits[j].Brand.Key)
	}
	for _, seed := range []uint64{1, 2} {
		cfg, label := Config{Seed: seed, Events: events, Label: hashLabel, Minutes: true}, byHash
		if seed == 2 {
			cfg.Label, label = nil, byModel // the shipped one
		}
		s, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		r := newRecount(t, label)
		for rec, ok := s.Next(); ok; rec, ok = s.Next() {
			r.read(rec)
		}
		truth := s.Truth()
		for _, p := range truth.Platforms {
			if *r.books[p.Platform] != p.Books {
				t.Errorf("seed %d: the books of %s are %+v, counted %+v", seed, p.Platform, p.Books, *r.books[p.Platform])
			}
		}
		for _, d := range truth.DeadLetters {
			if r.reasons[d.Reason] != d.Count {
				t.Errorf("seed %d: %d dead letters for %s, counted %d", seed, d.Count, d.Reason, r.reasons[d.Reason])
			}
		}
		if d := firstDifference(truth.Panes, r.panes()); d != "" {
			t.Errorf("seed %d: panes (-truth +counted):\n%s", seed, d)
		}
		if d := differentResponses(truth.Responses, r.responses()); d != "" {
			t.Errorf("seed %d: responses (-truth +counted):\n%s", seed, d)
		}
		b := truth.Verify
		if b.Records != events || b.Read != b.Mentions+b.Unmatched+b.Duplicates+b.DeadLetters+b.Other {
			t.Errorf("seed %d: the books do not balance: %+v", seed, b)
		}
		answered := 0
		for i := range truth.Responses {
			if truth.Responses[i].WaitingMS != nil {
				answered++
			}
		}
		t.Logf("seed %d: %+v, %d cells, %d responses, %d answered", seed, b, len(truth.Panes), len(truth.Responses), answered)
		for _, b := range truth.Brands {
			t.Logf("%+v", b)
		}
	}
}

// differentResponses compares two lists of rows by answer, or by waiting turn where there is none.
func differentResponses(want, got []Response) string {
	index := map[[3]string]*Response{}
	key := func(r *Response) [3]string {
		if r.ResponseID != "" {
			return [3]string{r.Brand, "answer", r.ResponseID}
		}
		return [3]string{r.Brand, "wait", r.WaitingID}
	}
	for i := range got {
		index[key(&got[i])] = &got[i]
	}
	var d strings.Builder
	for i := range want {
		k := key(&want[i])
		if diff := gocmp.Diff(&want[i], index[k]); diff != "" && d.Len() < 6000 {
			d.WriteString(diff)
		}
		delete(index, k)
	}
	for k := range index {
		d.WriteString(gocmp.Diff((*Response)(nil), index[k]))
		break
	}
	if len(want) != len(got) {
		fmt.Fprintf(&d, "%d rows, counted %d", len(want), len(got))
	}
	return d.String()
}

// firstDifference compares two sorted lists up to the first rows that differ.
func firstDifference[T any](want, got []T) string {
	for i := range min(len(want), len(got)) {
		if d := gocmp.Diff(want[i], got[i]); d != "" {
			return d
		}
	}
	return gocmp.Diff(len(want), len(got))
}

// TestSameSeedSameBytes runs the same configuration twice, and once with another classifier: the records must be the same.
func TestSameSeedSameBytes(t *testing.T) {
	run := func(seed uint64, label Labeller) (raw, truth []byte) {
		s, err := New(Config{Seed: seed, Events: 8_000, Label: label})
		if err != nil {
			t.Fatal(err)
		}
		for rec, ok := s.Next(); ok; rec, ok = s.Next() {
			raw = append(append(raw, rec.Value...), '\n')
		}
		var b bytes.Buffer
		if err := s.Truth().WriteJSON(&b); err != nil {
			t.Fatal(err)
		}
		return raw, b.Bytes()
	}
	raw, truth := run(5, hashLabel)
	again, truthAgain := run(5, hashLabel)
	if !bytes.Equal(raw, again) || !bytes.Equal(truth, truthAgain) {
		t.Error("the same seed gives other bytes")
	}
	other, _ := run(5, func(string, string, string) stream.Label { return stream.Negative })
	if !bytes.Equal(raw, other) {
		t.Error("the records depend on the classifier")
	}
	if other, _ = run(6, hashLabel); bytes.Equal(raw, other) {
		t.Error("another seed gives the same bytes")
	}
}

// TestCalm leaves the outage out: in its hours the own brand hears no more complaints than before.
func TestCalm(t *testing.T) {
	const outage = 12*stream.Hour + 20*stream.Minute // UTC
	share := func(calm bool) (before, during float64) {
		s, err := New(Config{Seed: 3, Events: 20_000, Calm: calm})
		if err != nil {
			t.Fatal(err)
		}
		for _, ok := s.Next(); ok; _, ok = s.Next() {
		}
		var hours [2]Counts
		for _, c := range s.Truth().Panes {
			if c.Grain != "1h" || c.Brand != s.brands[0].key || c.Product != "" {
				continue
			}
			switch c.Start % stream.Day / stream.Hour {
			case outage/stream.Hour - 3, outage/stream.Hour - 2:
				hours[0].add(&c.Counts, 1)
			case outage/stream.Hour + 1, outage/stream.Hour + 2:
				hours[1].add(&c.Counts, 1)
			}
		}
		of := func(c *Counts) float64 { return float64(c.Negative) / float64(c.Labelled()) }
		return of(&hours[0]), of(&hours[1])
	}
	if before, during := share(true); during > before+0.1 {
		t.Errorf("calm: the negative share goes from %.2f to %.2f", before, during)
	}
	if before, during := share(false); during < before+0.2 {
		t.Errorf("outage: the negative share goes from %.2f to %.2f only", before, during)
	}
}
