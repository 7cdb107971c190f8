package ingest

import (
	"context"
	"slices"
	"strings"

	"otklik/stream"
	"otklik/stream/brand"
	"otklik/stream/sentiment"
)

// waiting are the mentions of a micro-batch that have no label yet, because the classifier is asked about all of them together.
// All mentions wait, labelled or not, so that they are produced in the order of their records.
type waiting struct {
	mentions []stream.Mention
	asked    []int // the mention that each request is about
	requests []sentiment.Request
}

func (w *waiting) reset() {
	clear(w.mentions) // texts of the last batch
	clear(w.requests)
	w.mentions, w.asked, w.requests = w.mentions[:0], w.asked[:0], w.requests[:0]
}

// wait keeps the mention for hits[n] until labelWaiting. What it shares with the memory of decoding and matching is copied.
func (p *Processor) wait(m *stream.Mention, hits []brand.Hit, n int) {
	w := &p.waiting
	m.Item.Mentions = slices.Clone(m.Item.Mentions)
	m.Products = slices.Clone(m.Products)
	m.Item.Thread = strings.Clone(m.Item.Thread)
	w.mentions = append(w.mentions, *m)
	if m.Role != stream.Customer {
		return
	}
	target := p.target(hits, n)
	target.Spans, target.Others = slices.Clone(target.Spans), slices.Clone(target.Others)
	w.asked = append(w.asked, len(w.mentions)-1)
	w.requests = append(w.requests, sentiment.Request{Text: m.Item.Text, Lang: m.Item.Lang, Brand: m.Brand, Target: target})
}

// labelWaiting labels and produces the mentions that wait. It fails only when ctx ends.
func (p *Processor) labelWaiting(ctx context.Context) error {
	w := &p.waiting
	if len(w.requests) > 0 {
		results, err := p.batch.ClassifyBatch(ctx, w.requests)
		if err != nil {
			return err
		}
		for i := range results {
			r := &results[i]
			setLabel(&w.mentions[w.asked[i]], r.Label, r.Scores, r.Model)
		}
	}
	for i := range w.mentions {
		p.produce(&w.mentions[i])
	}
	return nil
}
