package simulate

import (
	"fmt"

	"otklik/stream"
	"otklik/stream/brand"
	"otklik/stream/sentiment"
)

// Labeller gives the sentiment of a text towards a brand (its key in the catalogue). lang is the language as the record
// states it ("" if it does not). It must be a function of its arguments.
type Labeller func(text, lang, brand string) stream.Label

// NewLabeller returns the labeller that asks a classifier the way the engine does: with the places of the brand names in
// the text, which the matcher finds. (What the text names stays the simulator's own knowledge.)
func NewLabeller(c sentiment.Classifier, catalogue *brand.Catalogue) (Labeller, error) {
	m, err := brand.NewMatcher(catalogue)
	if err != nil {
		return nil, fmt.Errorf("prepare the labeller: %w", err)
	}
	var matching brand.Scratch
	var classifying sentiment.Scratch
	var others []brand.Span
	return func(text, lang, key string) stream.Label {
		var target sentiment.Target
		others = others[:0]
		hits := m.Match(&stream.Item{Kind: stream.Post, Text: text}, &matching)
		for i := range hits {
			if hits[i].Brand.Key == key {
				target.Spans = hits[i].Spans
			} else {
				others = append(others, hits[i].Spans...)
			}
		}
		target.Others = others
		label, _ := c.Classify(text, lang, target, &classifying)
		return label
	}, nil
}

// shippedLabeller returns the labeller of the built-in model.
func shippedLabeller(c *brand.Catalogue) (Labeller, error) {
	m, err := sentiment.Default()
	if err != nil {
		return nil, err
	}
	return NewLabeller(m, c)
}

// maxLabels bounds the memory of labels already asked for.
const maxLabels = 1 << 18

type labelKey struct {
	text, lang string
	brand      int
}

// label asks the labeller, once for every text.
func (s *Simulator) label(p *post, brand int) stream.Label {
	k := labelKey{p.text, statedLang(p), brand}
	if l, ok := s.labels[k]; ok {
		return l
	}
	l := s.cfg.Label(k.text, k.lang, s.brands[brand].key)
	if len(s.labels) >= maxLabels {
		clear(s.labels)
	}
	s.labels[k] = l
	return l
}

// statedLang returns the language of the post if its record says which it is.
func statedLang(p *post) string {
	switch p.platform {
	case stream.Twitter, stream.Bluesky, stream.Mastodon, stream.Generic:
		return p.lang
	default:
		return ""
	}
}
