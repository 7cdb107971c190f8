package window

import (
	"math"

	"otklik/stream/prevalence"
)

// z95 is the 97.5 % quantile of the standard normal distribution: the half width of a 95 % interval.
const z95 = 1.959964

// Wilson returns successes ÷ n with its 95 % score interval (E. B. Wilson, "Probable Inference, the Law of Succession,
// and Statistical Inference", JASA 22 (1927), 209–212), without continuity correction. Unlike the normal
// approximation it stays within [0, 1] and is honest for small n. All three are NaN when n is 0. successes must lie in [0, n].
func Wilson(successes, n int64) Share {
	if n <= 0 {
		return Share{Value: math.NaN(), Low: math.NaN(), High: math.NaN()}
	}
	trials := float64(n)
	p := float64(successes) / trials
	const z2 = z95 * z95
	scale := 1 / (1 + z2/trials)
	centre := scale * (p + z2/(2*trials))
	half := scale * z95 * math.Sqrt(p*(1-p)/trials+z2/(4*trials*trials))
	s := Share{Value: p, Low: centre - half, High: centre + half}
	// At the ends the formula gives exactly 0 and 1; rounding does not.
	if successes == 0 {
		s.Low = 0
	}
	if successes == n {
		s.High = 1
	}
	return s
}

// ratio returns a ÷ b, NaN when b is 0.
func ratio(a, b int64) float64 {
	if b == 0 {
		return math.NaN()
	}
	return float64(a) / float64(b)
}

// judge fills in what follows from the counts of the row and the errors of the classifier; nil: they are not known.
func (r *RollingRow) judge(errors *prevalence.Matrix) {
	n := r.Labelled()
	r.PositiveShare = Wilson(r.Positive, n)
	r.NeutralShare = Wilson(r.Neutral, n)
	r.NegativeShare = Wilson(r.Negative, n)
	r.LoyalShare = Wilson(r.Positive+r.Neutral, n)
	r.NetSentiment = ratio(r.Positive-r.Negative, n)
	r.NetPolar = ratio(r.Positive-r.Negative, r.Positive+r.Negative)
	r.Adjusted = errors.Adjust(prevalence.Counts{r.Positive, r.Neutral, r.Negative})
	if errors != nil {
		r.AdjustedBy = errors.Name()
	}
}
