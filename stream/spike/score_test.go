package spike

import (
	"math"
	"math/rand/v2"
	"testing"
)

// twitterLike returns counts with a daily wave, overdispersion and a few events.
func twitterLike(rows int, seed uint64, events map[int]float64) []float64 {
	r := rand.New(rand.NewPCG(seed, 1))
	out := make([]float64, rows)
	boost := 0.0
	for i := range out {
		rate := 20 * (1.2 + math.Sin(2*math.Pi*float64(i)/288)) * math.Exp(0.3*r.NormFloat64())
		boost *= 0.85
		boost += events[i]
		out[i] = math.Floor(rate * (1 + boost))
	}
	return out
}

func scoresOf(values []float64) []float64 {
	s := NewScorer()
	out := make([]float64, len(values))
	for i, v := range values {
		out[i] = s.Add(v)
	}
	return out
}

// TestScoreIsCausal changes what comes after a row: the scores up to it stay the same to the last bit.
func TestScoreIsCausal(t *testing.T) {
	values := twitterLike(4000, 3, map[int]float64{1500: 12, 2500: 30})
	want := scoresOf(values)
	r := rand.New(rand.NewPCG(4, 4))
	for range 20 {
		cut := 1 + r.IntN(len(values)-1)
		other := append([]float64(nil), values...)
		for i := cut; i < len(other); i++ {
			other[i] = float64(r.IntN(5000))
		}
		got := scoresOf(other)
		for i := range cut {
			if got[i] != want[i] {
				t.Fatalf("score of row %d is %v, and %v when rows from %d on change", i, want[i], got[i], cut)
			}
		}
	}
}

func TestScoreFindsEvents(t *testing.T) {
	events := map[int]float64{1500: 30, 2600: 40, 3600: 60}
	for seed := range uint64(10) {
		scores := scoresOf(twitterLike(4000, seed, events))
		for row := range events {
			found := false
			for i := row; i < row+12; i++ {
				found = found || scores[i] >= 0.5
			}
			if !found {
				t.Errorf("seed %d: no row within an hour of the event at %d has a score of 0.5", seed, row)
			}
		}
		alarms := 0
		for i, x := range scores[750:] {
			if x < 0 || x >= 1 || math.IsNaN(x) {
				t.Fatalf("seed %d: score of row %d is %v, want [0, 1)", seed, 750+i, x)
			}
			if x >= 0.5 {
				alarms++
			}
		}
		if alarms > 5*len(events) {
			t.Errorf("seed %d: %d alarms for %d events: one event must not flood", seed, alarms, len(events))
		}
	}
}

func TestScoreOfCalm(t *testing.T) {
	for name, series := range map[string][]float64{
		"nothing":  make([]float64, 5000),
		"constant": twitterLikeConstant(5000, 40),
		"waves":    twitterLike(5000, 9, nil),
	} {
		for i, x := range scoresOf(series) {
			if x >= 0.53 { // once in ten days
				t.Errorf("%s: row %d has a score of %v", name, i, x)
			}
		}
	}
}

func twitterLikeConstant(rows int, value float64) []float64 {
	out := make([]float64, rows)
	for i := range out {
		out[i] = value
	}
	return out
}

// TestScoreSums compares the running sums of fractions with sums made anew.
func TestScoreSums(t *testing.T) {
	s := NewScorer()
	r := rand.New(rand.NewPCG(1, 2))
	var values []float64
	for range 1000 {
		values = append(values, r.Float64()*1e6)
		s.Add(values[len(values)-1])
		for i, width := range scales {
			sum := 0.0
			for _, v := range values[max(0, len(values)-width):] {
				sum += v
			}
			if math.Abs(s.levels[i].sum-sum) > 1e-6 {
				t.Fatalf("after %d rows the sum of %d is %v, want %v", len(values), width, s.levels[i].sum, sum)
			}
		}
	}
}

func BenchmarkScore(b *testing.B) {
	values := twitterLike(16384, 1, map[int]float64{5000: 20})
	s := NewScorer()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		s.Add(values[i%len(values)])
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}
