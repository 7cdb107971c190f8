package simulate

import "otklik/stream"

// Labeller gives the sentiment of a text towards a brand (its key in the catalogue). lang is the language as the record
// states it. It must be a function of its arguments.
type Labeller func(text, lang, brand string) stream.Label

// maxLabels bounds the memory of labels already asked for.
const maxLabels = 1 << 19

type labelKey struct {
	text, lang string
	brand      int
}

// label asks the labeller, once for every text.
func (s *Simulator) label(text, lang string, brand int) stream.Label {
	k := labelKey{text, lang, brand}
	if l, ok := s.labels[k]; ok {
		return l
	}
	l := s.cfg.Label(text, lang, s.brands[brand].key)
	if len(s.labels) >= maxLabels {
		clear(s.labels)
	}
	s.labels[k] = l
	return l
}
