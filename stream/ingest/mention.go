package ingest

import (
	"otklik/stream"
	"otklik/stream/brand"
	"otklik/stream/sentiment"
)

// mention makes the mention of an item for the brand of hits[n], without its label. It shares memory with the item and the
// hits.
func (p *Processor) mention(it *stream.Item, hits []brand.Hit, n int, src stream.Source, received stream.Time) stream.Mention {
	hit := &hits[n]
	m := stream.Mention{
		Item: *it, Brand: hit.Brand.Key, Role: hit.Role, Via: hit.Via, Flags: hit.Flags,
		Products: hit.Products, Severity: hit.Severity, Customer: hit.Customer, Source: src, ReceivedAt: received,
		Violations: hit.Violations, Excerpt: hit.Excerpt,
	}
	m.Item.Thread = hit.Thread
	return m
}

// target says what the classifier is asked about for hits[n]; it is valid until the next call and the next match.
func (p *Processor) target(hits []brand.Hit, n int) sentiment.Target {
	p.others = p.others[:0]
	for i := range hits {
		if i != n {
			p.others = append(p.others, hits[i].Spans...)
		}
	}
	return sentiment.Target{Spans: hits[n].Spans, Others: p.others, Company: true}
}

// label labels the mention for hits[n] with the classifier in this process. Only customers are labelled: the brand's own voice
// and spam are kept out of the shares.
func (p *Processor) label(m *stream.Mention, hits []brand.Hit, n int) {
	if m.Role == stream.Customer {
		label, scores := p.cfg.Classifier.Classify(m.Item.Text, m.Item.Lang, p.target(hits, n), &p.labels)
		setLabel(m, label, scores, p.model)
	}
}

func setLabel(m *stream.Mention, label stream.Label, scores stream.Scores, model string) {
	m.Label, m.Scores, m.Model = label, scores, model
	m.Flags |= customerFlags(m)
}

// customerFlags derives what a customer's mention asks of the brand. It needs an answer when it speaks to the brand, is
// negative or asks, unless it is content and asks nothing; a repost is somebody else's message.
func customerFlags(m *stream.Mention) stream.Flags {
	var f stream.Flags
	directed := m.Via&stream.Directed != 0
	if m.Complains() {
		f |= stream.Complaint
	}
	if m.Item.Kind == stream.Repost {
		return f
	}
	asks := m.Has(stream.Question)
	if (directed || asks || m.Label == stream.Negative) && (asks || m.Label != stream.Positive) {
		f |= stream.NeedsAnswer
	}
	return f
}
