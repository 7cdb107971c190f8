package ingest

import (
	"otklik/stream"
	"otklik/stream/brand"
	"otklik/stream/sentiment"
)

// mention makes the mention of an item for the brand of hits[n]. The classifier is asked only about customers: the brand's own
// voice and spam are kept out of the shares. The mention shares memory with the item and the hits.
func (p *Processor) mention(it *stream.Item, hits []brand.Hit, n int, src stream.Source, received stream.Time) stream.Mention {
	hit := &hits[n]
	m := stream.Mention{
		Item: *it, Brand: hit.Brand.Key, Role: hit.Role, Via: hit.Via, Flags: hit.Flags,
		Products: hit.Products, Severity: hit.Severity, Customer: hit.Customer, Source: src, ReceivedAt: received,
	}
	m.Item.Thread = hit.Thread
	if m.Role == stream.Customer {
		p.others = p.others[:0]
		for i := range hits {
			if i != n {
				p.others = append(p.others, hits[i].Spans...)
			}
		}
		target := sentiment.Target{Spans: hit.Spans, Others: p.others}
		m.Label, m.Scores = p.cfg.Classifier.Classify(it.Text, it.Lang, target, &p.labels)
		m.Model = p.model
		m.Flags |= customerFlags(&m)
	}
	return m
}

// customerFlags derives what a customer's mention asks of the brand. It needs an answer when it speaks to the brand, is
// negative or asks, unless it is content and asks nothing; a repost is somebody else's message.
func customerFlags(m *stream.Mention) stream.Flags {
	var f stream.Flags
	directed := m.Via&stream.Directed != 0
	if m.Label == stream.Negative && (m.Severity > 0 || len(m.Products) > 0 || directed) {
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
