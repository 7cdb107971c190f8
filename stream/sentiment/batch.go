package sentiment

import (
	"context"

	"otklik/stream"
)

// Request is one text that a BatchClassifier is asked about.
type Request struct {
	Text   string
	Lang   string // the platform's word for the language, as in Classifier.Classify
	Brand  string // key of the brand in the catalogue
	Target Target
}

// Result is the label of one request.
type Result struct {
	Label  stream.Label
	Scores stream.Scores
	Model  string // name and version of the classifier that gave this label
}

// BatchClassifier is a Classifier that is better asked about many texts at once, because every question costs a wait.
// Ingest collects the texts of a micro-batch for it.
type BatchClassifier interface {
	Classifier
	// ClassifyBatch returns one result per request, in the same order. Whatever hinders it, it answers within a bounded time and
	// says in each result who gave the label. It fails only when ctx ends.
	ClassifyBatch(ctx context.Context, requests []Request) ([]Result, error)
}
