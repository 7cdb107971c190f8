// Package nab scores anomaly detectors the way the Numenta Anomaly Benchmark does, with its standard profile: Lavin and Ahmad,
// "Evaluating Real-time Anomaly Detection Algorithms" (2015), and the code of github.com/numenta/NAB.
package nab

import (
	"math"
	"slices"
	"sort"
	"time"
)

// The weights of the standard profile; a true positive weighs 1.
const (
	missWeight  = 1.0
	falseWeight = 0.11
)

// Probation returns the number of rows at the begin of a series of n rows at which nothing counts: 15 %, at most 750.
func Probation(n int) int { return min(n*15/100, 750) }

// Series is what a detector made of one labelled series.
type Series struct {
	Name    string
	Scores  []float64 // one for each row
	Windows [][2]int  // first and last row of each labelled window, ascending and apart
}

// Rows returns the windows as rows: the first row at or after the begin and the last at or before the end of each.
func Rows(at []time.Time, windows [][2]time.Time) [][2]int {
	out := make([][2]int, 0, len(windows))
	for _, w := range windows {
		first := sort.Search(len(at), func(i int) bool { return !at[i].Before(w[0]) })
		last := sort.Search(len(at), func(i int) bool { return at[i].After(w[1]) }) - 1
		out = append(out, [2]int{first, last})
	}
	return out
}

// Outcome is what a threshold yields on a set of series.
type Outcome struct {
	Score   float64 // 100 is perfect, 0 is a detector that never alarms
	Found   int     // windows with an alarm
	Windows int
	False   int // alarms outside of the windows and after the probation
	raw     float64
}

// add counts o in.
func (o *Outcome) add(x Outcome) {
	o.Found += x.Found
	o.Windows += x.Windows
	o.False += x.False
	o.raw += x.raw
}

// Evaluate scores the alarms (rows with a score at or above the threshold) of all series together.
func Evaluate(series []Series, threshold float64) Outcome {
	var o Outcome
	for i := range series {
		o.add(series[i].evaluate(threshold))
	}
	if o.Windows > 0 {
		n := float64(o.Windows)
		o.Score = 100 * (o.raw + missWeight*n) / (n + missWeight*n)
	}
	return o
}

// scaled is the sigmoid of the benchmark: 1 far inside a window, 0 at its right edge, −1 far behind it.
func scaled(position float64) float64 { return 2/(1+math.Exp(5*position)) - 1 }

func (s *Series) evaluate(threshold float64) Outcome {
	o := Outcome{Windows: len(s.Windows)}
	best := make([]float64, len(s.Windows)) // 0: none, for every true positive is worth more
	next := 0                               // the window that the row is in or before
	for row := Probation(len(s.Scores)); row < len(s.Scores); row++ {
		for next < len(s.Windows) && row > s.Windows[next][1] {
			next++
		}
		if s.Scores[row] < threshold {
			continue
		}
		if next < len(s.Windows) && row >= s.Windows[next][0] {
			w := s.Windows[next]
			position := -float64(w[1]-row+1) / float64(w[1]-w[0]+1)
			best[next] = math.Max(best[next], scaled(position)/scaled(-1))
			continue
		}
		o.False++
		penalty := -1.0
		if next > 0 {
			w := s.Windows[next-1]
			if behind := float64(row-w[1]) / float64(w[1]-w[0]); behind <= 3 {
				penalty = scaled(behind)
			}
		}
		o.raw += falseWeight * penalty
	}
	for _, b := range best {
		if b == 0 {
			o.raw -= missWeight
			continue
		}
		o.raw += b
		o.Found++
	}
	return o
}

// Best returns the threshold with the highest score of all series together, and what it yields. Of equal ones it is the
// highest; +Inf never alarms.
func Best(series []Series) (float64, Outcome) {
	var candidates []float64
	for i := range series {
		scores := series[i].Scores
		for _, x := range scores[Probation(len(scores)):] {
			if x > 0 {
				candidates = append(candidates, x)
			}
		}
	}
	slices.Sort(candidates)
	candidates = slices.Compact(candidates)
	threshold := math.Inf(1)
	best := Evaluate(series, threshold)
	for _, c := range slices.Backward(candidates) {
		if o := Evaluate(series, c); o.Score > best.Score {
			threshold, best = c, o
		}
	}
	return threshold, best
}
