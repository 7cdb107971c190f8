package prevalence

import (
	"errors"
	"fmt"
)

// Reasons why reviewed mentions do not make a table.
var (
	// ErrOnlyErrors: most reviewed labels were wrong, so people have looked for errors instead of at a sample.
	ErrOnlyErrors = errors.New("fewer than half of the reviewed labels were confirmed: whoever corrects what is wrong must also confirm what is right, on a random sample")
	// ErrUnreviewed: nobody has looked at a label that mentions have.
	ErrUnreviewed = errors.New("a label was not reviewed")
)

var names = [classes]string{"positive", "neutral", "negative"}

// Review makes a table of mentions that people have labelled too: reviewed by their label, then by that of the classifier. given is
// how often the classifier gives each label to all mentions, reviewed or not.
//
// People look at some labels more than at others (at negative ones first), which would make these labels look more frequent than
// they are. A mention of a label that was reviewed half as often as others therefore counts twice, and each row is given the number of
// texts that a simple sample would need to say as much: (Σw)² ÷ Σw² (L. Kish, Survey Sampling, 1965). What must be random is which of the
// mentions *with the same label* are reviewed.
//
// Without reviewed mentions the table is empty. Errors wrap ErrOnlyErrors or ErrUnreviewed.
func Review(reviewed [classes]Counts, given Counts) (Table, error) {
	var t Table
	var seen Counts // by the label of the classifier
	var confirmed int64
	for i, row := range reviewed {
		confirmed += row[i]
		for k, n := range row {
			seen[k] += n
		}
	}
	total := seen.Total()
	if total == 0 {
		return t, nil
	}
	if 2*confirmed < total {
		return t, fmt.Errorf("%d of %d: %w", confirmed, total, ErrOnlyErrors)
	}
	all := given.Total()
	var weight [classes]float64
	for k := range weight {
		switch {
		case seen[k] > 0 && all > 0:
			weight[k] = float64(given[k]) / float64(all) * float64(total) / float64(seen[k])
		case given[k] > 0:
			return t, fmt.Errorf("%s: %w: review a random sample of the mentions that have it", names[k], ErrUnreviewed)
		}
	}
	for i, row := range reviewed {
		sum, squares := 0.0, 0.0
		for k, n := range row {
			t[i][k] = weight[k] * float64(n)
			sum += t[i][k]
			squares += weight[k] * t[i][k]
		}
		if squares > 0 {
			for k := range t[i] {
				t[i][k] *= sum / squares
			}
		}
	}
	return t, nil
}
