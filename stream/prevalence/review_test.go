package prevalence

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"
)

// Mentions with one label are reviewed five times as often as others: shares adjusted by what was found are still right.
func TestReviewOfSomeLabelsMoreThanOthers(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 6))
	const runs = 3000
	truth := [classes]float64{0.15, 0.5, 0.35}
	often := [classes]float64{0.02, 0.02, 0.10}
	hit, off := 0, 0.0
	for range runs {
		var reviewed [classes]Counts
		var given Counts
		for i, n := range multinomial(r, 6000, truth) {
			for k, m := range multinomial(r, int(n), classifiers[1][i]) {
				given[k] += m
				reviewed[i][k] = int64(binomial(r, int(m), often[k]))
			}
		}
		table, err := Review(reviewed, given)
		if err != nil {
			t.Fatal(err)
		}
		e := NewMatrix("", table).adjust(given, 2, 2)
		if e.State != OK {
			continue
		}
		if e.Negative.Low <= truth[2] && truth[2] <= e.Negative.High {
			hit++
		}
		off += (e.Negative.Value - truth[2]) / runs
	}
	t.Logf("coverage %.3f, mean error %.4f", float64(hit)/runs, off)
	if coverage := float64(hit) / runs; coverage < 0.92 || math.Abs(off) > 0.01 {
		t.Errorf("the interval holds the truth %.3f of the time and is off by %.4f", coverage, off)
	}
}

func TestReview(t *testing.T) {
	even := [classes]Counts{{60, 30, 10}, {12, 70, 18}, {8, 25, 67}}
	got, err := Review(even, Counts{800, 1250, 950})
	if err != nil {
		t.Fatal(err)
	}
	for i, row := range got {
		for k, n := range row {
			if math.Abs(n-float64(even[i][k])) > 1e-9 {
				t.Errorf("a simple sample becomes %v, not itself", got)
			}
		}
	}
	if got, err := Review([classes]Counts{}, Counts{5, 5, 5}); err != nil || got != (Table{}) {
		t.Errorf("nothing reviewed: %v, %v", got, err)
	}
	for name, c := range map[string]struct {
		reviewed [classes]Counts
		want     error
	}{
		"only what was wrong": {[classes]Counts{{0, 30, 10}, {12, 2, 18}, {8, 25, 0}}, ErrOnlyErrors},
		"negatives only":      {[classes]Counts{{0, 0, 10}, {0, 0, 18}, {0, 0, 60}}, ErrUnreviewed},
	} {
		if _, err := Review(c.reviewed, Counts{800, 1250, 950}); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}
