package sentiment

import (
	"fmt"
	"math"
	"time"

	"otklik/stream"
)

// Report is how well a classifier does on labelled texts. Shares are between 0 and 1. A text that it leaves unlabelled counts as
// neutral, so that silence is no way to a better figure; Coverage is the share that it labelled.
type Report struct {
	Rows           int     `json:"rows"`
	MacroF1PN      float64 `json:"macro_f1_pn"` // mean of F1 of positive and negative (SentiRuEval, SemEval)
	MicroF1PN      float64 `json:"micro_f1_pn"` // F1 of positive and negative counted together (SentiRuEval)
	MacroF1        float64 `json:"macro_f1"`    // mean of F1 of the three classes
	MacroRecall    float64 `json:"macro_recall"`
	Accuracy       float64 `json:"accuracy"`
	ECE            float64 `json:"ece"` // expected calibration error, 15 equal bins of the label's probability
	Coverage       float64 `json:"coverage"`
	TextsPerSecond float64 `json:"texts_per_second"` // of Classify alone, on one core

	// Classes are the figures of positive, neutral and negative.
	Classes [classes]ClassReport `json:"classes"`
	// Confusion counts rows by true label (first index) and given label.
	Confusion [classes][classes]int `json:"confusion"`
}

// ClassReport is the figures of one label. All are 0 where nothing was given or nothing is true.
type ClassReport struct {
	Label     string  `json:"label"`
	Precision float64 `json:"precision"`
	Recall    float64 `json:"recall"`
	F1        float64 `json:"f1"`
}

// Evaluate labels the rows with c, each for its target, and compares.
func Evaluate(c Classifier, rows []Row) (*Report, error) {
	t, err := newTargeter()
	if err != nil {
		return nil, fmt.Errorf("evaluate %s: %w", c.Name(), err)
	}
	r := &Report{Rows: len(rows)}
	const bins = 15
	var hits, confidence [bins]float64
	var count [bins]int
	var s Scratch
	var spent time.Duration
	labelled := 0
	for i := range rows {
		target := t.target(&rows[i])
		started := time.Now()
		label, scores := c.Classify(rows[i].Text, rows[i].Lang, target, &s)
		spent += time.Since(started)
		truth := classOf[rows[i].Label]
		given := neutral
		if label != stream.Unlabelled {
			labelled++
			given = classOf[label]
			p := [classes]float32{scores.Positive, scores.Neutral, scores.Negative}[given]
			bin := min(int(p*bins), bins-1)
			count[bin]++
			confidence[bin] += float64(p)
			if given == truth {
				hits[bin]++
			}
		}
		r.Confusion[truth][given]++
	}
	for b := range bins {
		r.ECE += math.Abs(hits[b]-confidence[b]) / max(float64(labelled), 1)
	}
	r.Coverage = ratio(float64(labelled), float64(len(rows)))
	if spent > 0 {
		r.TextsPerSecond = float64(len(rows)) / spent.Seconds()
	}
	r.summarise()
	return r, nil
}

// summarise derives the figures from the confusion counts.
func (r *Report) summarise() {
	var right, truePN, givenPN, rightPN float64
	for c := range classes {
		var truth, given float64
		for o := range classes {
			truth += float64(r.Confusion[c][o])
			given += float64(r.Confusion[o][c])
		}
		hit := float64(r.Confusion[c][c])
		k := ClassReport{Label: labelOf[c].String(), Precision: ratio(hit, given), Recall: ratio(hit, truth)}
		k.F1 = ratio(2*hit, truth+given)
		r.Classes[c] = k
		right += hit
		r.MacroF1 += k.F1 / classes
		r.MacroRecall += k.Recall / classes
		if c != neutral {
			r.MacroF1PN += k.F1 / 2
			truePN, givenPN, rightPN = truePN+truth, givenPN+given, rightPN+hit
		}
	}
	r.MicroF1PN = ratio(2*rightPN, truePN+givenPN)
	r.Accuracy = ratio(right, float64(r.Rows))
}

func ratio(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}
