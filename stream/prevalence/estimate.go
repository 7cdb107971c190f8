package prevalence

import "math"

// z95 is the 97.5 % quantile of the standard normal distribution: the half width of a 95 % interval.
const z95 = 1.959964

// zMisfit is how many standard errors an unconstrained share may lie outside of [0, 1] before the matrix is said not to fit: chance does
// that once in a thousand.
const zMisfit = 3.290527

// MaxNoise is the width beyond which an interval says that there are too few mentions: if the matrix were known exactly, the interval of
// some share would still be wider than ±20 points. A perfect classifier needs 21 mentions for an even split, a middling one about 100.
const MaxNoise = 0.4

// MaxWeakness is the same for the matrix: if there were endless mentions, the interval of some share would still cover more than two
// thirds of the scale.
const MaxWeakness = 2.0 / 3

// State says whether counts could be adjusted. Its values are those of the column adjusted_state.
type State uint8

// States of an estimate.
const (
	NoMatrix   State = iota // no matrix is known for the classifier
	OK                      // the shares stand
	TooFew                  // too few mentions: see MaxNoise
	WeakMatrix              // too little is known of the errors: see MaxWeakness; or the labels do not tell the classes apart
	Misfit                  // labels like these do not come from this matrix, whatever the true shares are
)

// String returns the name of the state as the column adjusted_state has it.
func (s State) String() string {
	switch s {
	case OK:
		return "ok"
	case TooFew:
		return "too_few"
	case WeakMatrix:
		return "weak_matrix"
	case Misfit:
		return "misfit"
	default:
		return "no_matrix"
	}
}

// Share is an estimate with its 95 % interval.
type Share struct {
	Value, Low, High float64
}

func (s Share) width() float64 { return s.High - s.Low }

var unknown = Share{Value: math.NaN(), Low: math.NaN(), High: math.NaN()}

// Estimate is the true shares behind the counts of labels. All shares are NaN unless State is OK.
type Estimate struct {
	State                       State
	Positive, Neutral, Negative Share // sum of the values is 1
	Net                         Share // positive − negative, in [−1, 1]
}

// Loyal returns the share of positive and neutral: what is not negative.
func (e *Estimate) Loyal() Share {
	return Share{Value: 1 - e.Negative.Value, Low: 1 - e.Negative.High, High: 1 - e.Negative.Low}
}

// Adjust estimates the true shares of the classes behind the counts of labels given.
//
// If q are the observed shares of labels and M the matrix, q = p·M on average, whatever the true shares p are; so p = q·M⁻¹: the
// "adjusted count" of G. Forman, "Quantifying counts and costs via classification", Data Mining and Knowledge Discovery 17
// (2008), 164–206, for two classes W. J. Rogan and B. Gladen, "Estimating prevalence from the results of a screening test",
// American Journal of Epidemiology 107 (1978), 71–76. Where that leaves [0, 1], p is the maximum of the likelihood within it,
// the fixed point of the EM of M. Saerens, P. Latinne and C. Decaestecker, Neural Computation 14 (2002), 21–41, for hard labels.
//
// The interval of a share is a score interval: all x for which the estimate lies within 1.96 standard errors *of x*. The variance
// has two parts, noise of the counts and of the matrix (delta method, as in Rogan and Gladen):
//
//	V(x) = (Σᵢ πᵢ·sᵢ − x²) ÷ n + Σᵢ πᵢ²·vᵢ ÷ mᵢ
//
// with π the true shares if that of the class is x and the others keep their proportion, n the number of labels, mᵢ the number of
// texts behind row i, and sᵢ, vᵢ the second moment and the variance, over the labels given to class i, of the weight that a label has
// in the share. It is a quadratic in x, so the bounds are the roots of one equation; for a perfect classifier they are those of Wilson.
// The interval of Net combines those of positive and negative (G. Y. Zou and A. Donner, "Construction of confidence limits about
// effect measures: a general approach", Statistics in Medicine 27 (2008), 1693–1702).
//
// The values, not the intervals, are then drawn towards the raw shares as far as the matrix is unsure: see temper.
//
// A nil matrix is one that is not known. Adjust allocates nothing; the same arguments give the same result to the last digit.
func (m *Matrix) Adjust(counts Counts) Estimate {
	e := m.adjust(counts, MaxNoise, MaxWeakness)
	if e.State == OK {
		m.temper(&e, counts)
	}
	return e
}

// temper goes only a part of the way from the raw shares to the estimate, because inverting a matrix that is not well known moves a
// share by more than it is off. The part is that of James and Stein (positive part; B. Efron and C. Morris, "Stein's estimation rule and its
// competitors", JASA 68 (1973), 117–130):
//
//	max(0, 1 − V ÷ D²)
//
// with D the distance of the two and V the variance that the errors of the matrix bring into the estimate, summed over the classes.
// A matrix that is known exactly leaves the estimate as it is; one that says no more than the raw shares do gives those.
func (m *Matrix) temper(e *Estimate, counts Counts) {
	n := float64(counts.Total())
	shares := [classes]*Share{&e.Positive, &e.Neutral, &e.Negative}
	p := [classes]float64{e.Positive.Value, e.Neutral.Value, e.Negative.Value}
	unsure, way := 0.0, 0.0
	for j := range shares {
		_, errors := m.variance(j, &p, n)
		unsure += errors.at(p[j])
		d := p[j] - float64(counts[j])/n
		way += d * d
	}
	if unsure == 0 || way == 0 {
		return
	}
	part := max(1-unsure/way, 0)
	for j, s := range shares {
		raw := float64(counts[j]) / n
		s.hold(raw + part*(p[j]-raw))
	}
	e.Net.hold(e.Positive.Value - e.Negative.Value)
}

// hold sets the value and widens the interval where it lies outside.
func (s *Share) hold(value float64) {
	s.Value, s.Low, s.High = value, min(s.Low, value), max(s.High, value)
}

func (m *Matrix) adjust(counts Counts, maxNoise, maxWeakness float64) Estimate {
	e := Estimate{Positive: unknown, Neutral: unknown, Negative: unknown, Net: unknown}
	n := float64(counts.Total())
	switch {
	case m == nil:
		return e
	case !m.usable:
		e.State = WeakMatrix
		return e
	case n <= 0 || counts[0] < 0 || counts[1] < 0 || counts[2] < 0:
		e.State = TooFew
		return e
	}
	var raw, p [classes]float64
	inside := true
	for j := range classes {
		for k := range classes {
			raw[j] += float64(counts[k]) / n * m.inverse[k][j]
		}
		inside = inside && raw[j] >= 0
	}
	if inside {
		sum := raw[0] + raw[1] + raw[2]
		for j := range p {
			p[j] = raw[j] / sum // 1 but for rounding
		}
	} else {
		p = m.onBorder(counts)
	}
	var shares [classes]Share
	few, weak := false, false
	for j := range classes {
		noise, errors := m.variance(j, &p, n)
		both := quadratic{a: noise.a + errors.a, b: noise.b + errors.b, c: noise.c + errors.c}
		if raw[j] < 0 && raw[j]*raw[j] > zMisfit*zMisfit*both.at(0) ||
			raw[j] > 1 && (raw[j]-1)*(raw[j]-1) > zMisfit*zMisfit*both.at(1) {
			e.State = Misfit
			return e
		}
		s := both.interval(min(max(raw[j], 0), 1))
		s.Value = p[j]
		s.Low, s.High = min(s.Low, p[j]), max(s.High, p[j])
		shares[j] = s
		if s.width() > min(maxNoise, maxWeakness) {
			few = few || noise.interval(p[j]).width() > maxNoise
			weak = weak || errors.interval(p[j]).width() > maxWeakness
		}
	}
	switch {
	case weak:
		e.State = WeakMatrix
		return e
	case few:
		e.State = TooFew
		return e
	}
	e.State = OK
	e.Positive, e.Neutral, e.Negative = shares[0], shares[1], shares[2]
	e.Net = net(shares[0], shares[2], m.correlation(&p, n))
	return e
}

// quadratic is the variance of a share as a function of its true value: a + b·x + c·x².
type quadratic struct{ a, b, c float64 }

func (q *quadratic) at(x float64) float64 { return max(q.a+x*(q.b+x*q.c), 0) }

// interval returns all x in [0, 1] with (centre − x)² ≤ z²·V(x).
func (q *quadratic) interval(centre float64) Share {
	const z2 = z95 * z95
	a := 1 - z2*q.c
	if a <= 0 { // the variance grows as fast as the distance: nothing is excluded
		return Share{Value: centre, Low: 0, High: 1}
	}
	half := centre + z2*q.b/2
	root := math.Sqrt(max(half*half-a*(centre*centre-z2*q.a), 0))
	return Share{Value: centre, Low: min(max((half-root)/a, 0), 1), High: min(max((half+root)/a, 0), 1)}
}

// variance returns that of the share of class j, the others in the proportion that they have in p: the noise of n counts, and what
// the errors of the matrix add.
func (m *Matrix) variance(j int, p *[classes]float64, n float64) (noise, errors quadratic) {
	var second, spread [classes]float64 // s and v ÷ m of Adjust
	for i := range classes {
		var mean, square float64
		for k := range classes {
			b := m.inverse[k][j]
			second[i] += m.given[i][k] * b * b
			square += m.smooth[i][k] * b * b
			mean += m.smooth[i][k] * b
		}
		spread[i] = max(square-mean*mean, 0) / m.worth[i]
	}
	x, y := (j+1)%classes, (j+2)%classes
	wx, wy := 0.5, 0.5
	if rest := p[x] + p[y]; rest > 0 {
		wx, wy = p[x]/rest, p[y]/rest
	}
	others := wx*second[x] + wy*second[y]
	rows := wx*wx*spread[x] + wy*wy*spread[y]
	noise = quadratic{a: others / n, b: (second[j] - others) / n, c: -1 / n}
	errors = quadratic{a: rows, b: -2 * rows, c: rows + spread[j]}
	return noise, errors
}

// correlation returns that of the estimates of positive and negative.
func (m *Matrix) correlation(p *[classes]float64, n float64) float64 {
	const a, b = 0, 2
	var va, vb, ab float64
	for i := range classes {
		var g, s struct{ aa, bb, ab, a, b float64 }
		for k := range classes {
			x, y := m.inverse[k][a], m.inverse[k][b]
			g.aa += m.given[i][k] * x * x
			g.bb += m.given[i][k] * y * y
			g.ab += m.given[i][k] * x * y
			s.aa += m.smooth[i][k] * x * x
			s.bb += m.smooth[i][k] * y * y
			s.ab += m.smooth[i][k] * x * y
			s.a += m.smooth[i][k] * x
			s.b += m.smooth[i][k] * y
		}
		row := p[i] * p[i] / m.worth[i]
		va += p[i]*g.aa/n + row*(s.aa-s.a*s.a)
		vb += p[i]*g.bb/n + row*(s.bb-s.b*s.b)
		ab += p[i]*g.ab/n + row*(s.ab-s.a*s.b)
	}
	va -= p[a] * p[a] / n
	vb -= p[b] * p[b] / n
	ab -= p[a] * p[b] / n
	if !(va > 0 && vb > 0) {
		return 0
	}
	return min(max(ab/math.Sqrt(va*vb), -1), 1)
}

// net returns positive − negative with its interval from theirs and the correlation of the two.
func net(positive, negative Share, correlation float64) Share {
	distance := func(x, y float64) float64 { return math.Sqrt(max(x*x+y*y-2*correlation*x*y, 0)) }
	d := positive.Value - negative.Value
	return Share{
		Value: d,
		Low:   max(d-distance(positive.Value-positive.Low, negative.High-negative.Value), -1),
		High:  min(d+distance(positive.High-positive.Value, negative.Value-negative.Low), 1),
	}
}

// onBorder returns the shares of the greatest likelihood among those with a class that does not occur. The logarithm of the likelihood,
// Σ countₖ·log(Σ pᵢ·givenᵢₖ), is concave, so on an edge it is the zero of its derivative or an end.
func (m *Matrix) onBorder(counts Counts) [classes]float64 {
	var best [classes]float64
	greatest := math.Inf(-1)
	for absent := range classes {
		x, y := (absent+1)%classes, (absent+2)%classes
		from, to := &m.given[y], &m.given[x]
		slope := func(t float64) float64 {
			sum := 0.0
			for k, c := range counts {
				if c > 0 {
					sum += float64(c) * (to[k] - from[k]) / (from[k] + t*(to[k]-from[k]))
				}
			}
			return sum
		}
		low, high := 0.0, 1.0
		for range 60 { // 2⁻⁶⁰ is below the last digit
			middle := (low + high) / 2
			if slope(middle) > 0 {
				low = middle
			} else {
				high = middle
			}
		}
		t := (low + high) / 2
		if t < 1e-15 {
			t = 0
		} else if t > 1-1e-15 {
			t = 1
		}
		likelihood := 0.0
		for k, c := range counts {
			if c > 0 {
				likelihood += float64(c) * math.Log(from[k]+t*(to[k]-from[k]))
			}
		}
		if likelihood > greatest {
			greatest = likelihood
			best = [classes]float64{}
			best[x], best[y] = t, 1-t
		}
	}
	return best
}
