package window

import (
	"math"
	"testing"
)

// The first four are the examples of R. G. Newcombe, "Two-sided confidence intervals for the single proportion",
// Statistics in Medicine 17 (1998) 857–872, table I, method 3 (score without continuity correction). For k = n the
// lower bound is n ÷ (n + z²), for k = 0 the upper one z² ÷ (n + z²).
func TestWilson(t *testing.T) {
	for _, c := range []struct {
		successes, n     int64
		value, low, high float64
	}{
		{81, 263, 81.0 / 263, 0.2553, 0.3662},
		{15, 148, 15.0 / 148, 0.0624, 0.1605},
		{0, 20, 0, 0, 0.1611},
		{1, 29, 1.0 / 29, 0.0061, 0.1718},
		{29, 29, 1, 0.8830, 1},
		{1, 1, 1, 0.2065, 1},
		{0, 1, 0, 0, 0.7935},
	} {
		s := Wilson(c.successes, c.n)
		if math.Abs(s.Value-c.value) > 1e-12 || math.Abs(s.Low-c.low) > 5e-5 || math.Abs(s.High-c.high) > 5e-5 {
			t.Errorf("Wilson(%d, %d) = %.6f [%.6f, %.6f], want %.4f [%.4f, %.4f]", c.successes, c.n, s.Value, s.Low, s.High, c.value, c.low, c.high)
		}
	}
	if s := Wilson(0, 0); !math.IsNaN(s.Value) || !math.IsNaN(s.Low) || !math.IsNaN(s.High) {
		t.Errorf("Wilson(0, 0) = %v, want NaN", s)
	}
}

// The bounds are the proportions π at which |p − π| is z standard errors of π: the definition, solved.
func TestWilsonSolvesItsEquation(t *testing.T) {
	for n := int64(1); n < 400; n = n*3/2 + 1 {
		for k := int64(0); k <= n; k += 1 + n/7 {
			s := Wilson(k, n)
			if !(0 <= s.Low && s.Low <= s.Value && s.Value <= s.High && s.High <= 1) {
				t.Fatalf("Wilson(%d, %d) = %v is not in order", k, n, s)
			}
			mirror := Wilson(n-k, n)
			if math.Abs(mirror.Low-(1-s.High)) > 1e-12 {
				t.Fatalf("Wilson(%d, %d) is not the mirror of its complement", k, n)
			}
			for _, bound := range []float64{s.Low, s.High} {
				if bound == 0 || bound == 1 {
					continue
				}
				z := math.Abs(s.Value-bound) / math.Sqrt(bound*(1-bound)/float64(n))
				if math.Abs(z-1.959964) > 1e-9 {
					t.Fatalf("Wilson(%d, %d): bound %v is %v standard errors away", k, n, bound, z)
				}
			}
		}
	}
}

func TestJudge(t *testing.T) {
	r := RollingRow{Counts: Counts{Positive: 3, Neutral: 5, Negative: 2, Unlabelled: 7, Own: 4, Spam: 1}}
	r.judge(nil)
	if r.NetSentiment != 0.1 || math.Abs(r.NetPolar-0.2) > 1e-15 || r.LoyalShare.Value != 0.8 || r.NegativeShare.Value != 0.2 {
		t.Errorf("net %v polar %v loyal %v negative %v", r.NetSentiment, r.NetPolar, r.LoyalShare.Value, r.NegativeShare.Value)
	}
	r = RollingRow{Counts: Counts{Neutral: 5}}
	r.judge(nil)
	if r.NetSentiment != 0 || !math.IsNaN(r.NetPolar) {
		t.Errorf("neutral only: net %v polar %v, want 0 and NaN", r.NetSentiment, r.NetPolar)
	}
	r = RollingRow{Counts: Counts{Unlabelled: 5}}
	r.judge(nil)
	if !math.IsNaN(r.NetSentiment) || !math.IsNaN(r.PositiveShare.Low) {
		t.Errorf("unlabelled only: net %v, want NaN", r.NetSentiment)
	}
}
