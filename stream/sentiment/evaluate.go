package sentiment

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
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
	// Intervals hold the figures with 95 % confidence.
	Intervals Intervals `json:"intervals_95"`

	judged []judged
	spent  time.Duration
}

// ClassReport is the figures of one label. All are 0 where nothing was given or nothing is true.
type ClassReport struct {
	Label     string  `json:"label"`
	Precision float64 `json:"precision"`
	Recall    float64 `json:"recall"`
	F1        float64 `json:"f1"`
}

// Interval is where a figure lies with 95 % confidence: the percentiles of bootstrap samples of the rows.
type Interval struct {
	Low  float64 `json:"low"`
	High float64 `json:"high"`
}

// Intervals are those of the figures of the same names in Report.
type Intervals struct {
	MacroF1PN   Interval `json:"macro_f1_pn"`
	MicroF1PN   Interval `json:"micro_f1_pn"`
	MacroF1     Interval `json:"macro_f1"`
	MacroRecall Interval `json:"macro_recall"`
	Accuracy    Interval `json:"accuracy"`
	ECE         Interval `json:"ece"`
}

// judged is a labelled row: its class, the class that it was given and the probability of that one.
type judged struct {
	id           string
	truth, given uint8
	labelled     bool
	confidence   float32
}

// Evaluate labels the rows with c, each for its target, and compares.
func Evaluate(c Classifier, rows []Row) (*Report, error) {
	t, err := newTargeter()
	if err != nil {
		return nil, fmt.Errorf("evaluate %s: %w", c.Name(), err)
	}
	r := &Report{judged: make([]judged, len(rows))}
	var s Scratch
	for i := range rows {
		target := t.target(&rows[i])
		started := time.Now()
		label, scores := c.Classify(rows[i].Text, rows[i].Lang, target, &s)
		r.spent += time.Since(started)
		j := judged{id: rows[i].ID, truth: uint8(classOf[rows[i].Label]), given: neutral}
		if label != stream.Unlabelled {
			j.labelled = true
			j.given = uint8(classOf[label])
			j.confidence = [classes]float32{scores.Positive, scores.Neutral, scores.Negative}[j.given]
		}
		r.judged[i] = j
	}
	r.finish()
	return r, nil
}

// join returns the report on the rows of both.
func (r *Report) join(o *Report) *Report {
	out := &Report{judged: slices.Concat(r.judged, o.judged), spent: r.spent + o.spent}
	out.finish()
	return out
}

// finish derives the figures from the judged rows.
func (r *Report) finish() {
	r.Rows = len(r.judged)
	labelled := 0
	for i := range r.judged {
		j := &r.judged[i]
		r.Confusion[j.truth][j.given]++
		if j.labelled {
			labelled++
		}
	}
	r.Coverage = ratio(float64(labelled), float64(r.Rows))
	if r.spent > 0 {
		r.TextsPerSecond = float64(r.Rows) / r.spent.Seconds()
	}
	r.ECE = calibrationError(r.judged)
	r.summarise()
	r.bootstrap()
}

// calibrationError is the mean distance between how sure the labels are and how often they are right, over 15 equal bins.
func calibrationError(rows []judged) (sum float64) {
	const bins = 15
	var miss [bins]float64
	labelled := 0
	for i := range rows {
		j := &rows[i]
		if !j.labelled {
			continue
		}
		labelled++
		b := min(int(j.confidence*bins), bins-1)
		miss[b] += float64(j.confidence)
		if j.given == j.truth {
			miss[b]--
		}
	}
	for _, m := range miss {
		sum += math.Abs(m) / float64(max(labelled, 1))
	}
	return sum
}

const (
	bootstraps    = 1000
	bootstrapSeed = 20261122
)

// bootstrap fills the intervals (Efron's percentile bootstrap, with a fixed seed). Rows of one post, which stand together, are
// drawn together.
func (r *Report) bootstrap() {
	var posts [][2]int
	for i := range r.judged {
		if i > 0 && r.judged[i].id != "" && r.judged[i].id == r.judged[i-1].id {
			posts[len(posts)-1][1] = i + 1
		} else {
			posts = append(posts, [2]int{i, i + 1})
		}
	}
	if len(posts) == 0 {
		return
	}
	rng := rand.New(rand.NewPCG(bootstrapSeed, uint64(len(posts)))) //nolint:gosec // a fixed seed: the intervals must come out the same
	var figures [6][]float64
	drawn := make([]judged, 0, len(r.judged)+8)
	for range bootstraps {
		drawn = drawn[:0]
		for range posts {
			p := posts[rng.IntN(len(posts))]
			drawn = append(drawn, r.judged[p[0]:p[1]]...)
		}
		x := Report{Rows: len(drawn)}
		for i := range drawn {
			x.Confusion[drawn[i].truth][drawn[i].given]++
		}
		x.summarise()
		for i, v := range [...]float64{x.MacroF1PN, x.MicroF1PN, x.MacroF1, x.MacroRecall, x.Accuracy, calibrationError(drawn)} {
			figures[i] = append(figures[i], v)
		}
	}
	for i, to := range [...]*Interval{
		&r.Intervals.MacroF1PN, &r.Intervals.MicroF1PN, &r.Intervals.MacroF1, &r.Intervals.MacroRecall,
		&r.Intervals.Accuracy, &r.Intervals.ECE,
	} {
		slices.Sort(figures[i])
		*to = Interval{figures[i][bootstraps*25/1000], figures[i][bootstraps*975/1000-1]}
	}
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
