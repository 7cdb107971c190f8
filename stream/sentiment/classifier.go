// Package sentiment labels a text for one brand: positive, neutral or negative, with probabilities. The built-in model is a
// set of logistic regressions on hashed features, one per language and kind of text (about a brand, or about anything), trained by Train
// on the files that MODEL.md names and shipped as an embedded file of quantised weights.
package sentiment

import (
	"otklik/stream"
	"otklik/stream/brand"
)

// Target says for which brand a text is labelled.
type Target struct {
	Spans  []brand.Span // names of the brand in the text, in order (brand.Hit.Spans)
	Others []brand.Span // names of the other brands in the text, in any order
	// Company says that the text is about a brand even if none of its names stands in it: an answer to the brand, a comment
	// under its post. With Spans it is understood.
	Company bool
}

// Classifier labels texts. Implementations are safe for concurrent use, each goroutine with its own scratch.
type Classifier interface {
	// Name is the name and version of the classifier, the value of mentions.model.
	Name() string
	// Classify labels the text for the target. lang is the platform's word for the language (BCP 47; "" unknown), a hint
	// only. A text in a language that the classifier does not know is stream.Unlabelled with zero scores.
	Classify(text, lang string, target Target, s *Scratch) (stream.Label, stream.Scores)
}
