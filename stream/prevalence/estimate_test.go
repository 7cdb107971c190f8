package prevalence

import (
	"math"
	"math/rand/v2"
	"testing"
)

// multinomial draws n texts; beyond a thousand by the normal approximation of the binomial.
func multinomial(r *rand.Rand, n int, p [classes]float64) (c Counts) {
	if n > 1000 {
		first := binomial(r, n, p[0])
		second := binomial(r, n-first, p[1]/(p[1]+p[2]))
		return Counts{int64(first), int64(second), int64(n - first - second)}
	}
	for range n {
		x := r.Float64()
		switch {
		case x < p[0]:
			c[0]++
		case x < p[0]+p[1]:
			c[1]++
		default:
			c[2]++
		}
	}
	return c
}

func binomial(r *rand.Rand, n int, p float64) int {
	k := math.Round(float64(n)*p + r.NormFloat64()*math.Sqrt(float64(n)*p*(1-p)))
	return min(max(int(k), 0), n)
}

// labels returns the shares of labels that a classifier gives when the true shares are p.
func labels(given [classes][classes]float64, p [classes]float64) (q [classes]float64) {
	for i := range p {
		for k := range q {
			q[k] += p[i] * given[i][k]
		}
	}
	return q
}

func table(r *rand.Rand, given [classes][classes]float64, texts [classes]int) (t Table) {
	for i := range t {
		for k, c := range multinomial(r, texts[i], given[i]) {
			t[i][k] = float64(c)
		}
	}
	return t
}

func simplex(r *rand.Rand) (p [classes]float64) {
	a, b, c := r.ExpFloat64(), r.ExpFloat64(), r.ExpFloat64()
	return [classes]float64{a / (a + b + c), b / (a + b + c), c / (a + b + c)}
}

// Classifiers as they are found: good, middling, and one that is better at what is negative.
var classifiers = [][classes][classes]float64{
	{{0.85, 0.10, 0.05}, {0.07, 0.85, 0.08}, {0.04, 0.08, 0.88}},
	{{0.60, 0.30, 0.10}, {0.12, 0.70, 0.18}, {0.08, 0.25, 0.67}},
	{{0.55, 0.35, 0.10}, {0.15, 0.73, 0.12}, {0.04, 0.16, 0.80}},
}

// The interval is what it says: it holds the truth in 95 of 100 repetitions of everything, labelling of the texts behind the matrix included.
func TestCoverage(t *testing.T) {
	const runs = 3000
	for ci, given := range classifiers {
		for _, c := range []struct {
			p     [classes]float64
			n     int
			texts [classes]int
		}{
			{[classes]float64{0.25, 0.45, 0.30}, 400, [classes]int{200, 400, 300}},
			{[classes]float64{0.10, 0.55, 0.35}, 5000, [classes]int{100, 200, 150}},
			{[classes]float64{0.10, 0.80, 0.10}, 2000, [classes]int{2000, 4000, 3000}},
			{[classes]float64{0.40, 0.20, 0.40}, 150, [classes]int{500, 500, 500}},
			{[classes]float64{0.15, 0.25, 0.60}, 20000, [classes]int{80, 160, 120}},
		} {
			r := rand.New(rand.NewPCG(uint64(ci), uint64(c.n)))
			var hit [4]int
			for range runs {
				m := NewMatrix("", table(r, given, c.texts))
				e := m.adjust(multinomial(r, c.n, labels(given, c.p)), 2, 2)
				if e.State != OK {
					continue
				}
				for i, s := range []Share{e.Positive, e.Neutral, e.Negative, e.Net} {
					truth := c.p[0] - c.p[2]
					if i < classes {
						truth = c.p[i]
					}
					if s.Low <= truth && truth <= s.High {
						hit[i]++
					}
				}
			}
			for i, name := range []string{"positive", "neutral", "negative", "net"} {
				coverage := float64(hit[i]) / runs
				t.Logf("classifier %d, %d labels of %v: %s %.3f", ci, c.n, c.p, name, coverage)
				if coverage < 0.92 || coverage > 0.98 {
					t.Errorf("classifier %d, %d labels of %v: the interval of %s holds the truth %.3f of the time, want 0.95", ci, c.n, c.p, name, coverage)
				}
			}
		}
	}
}

// wilson is the score interval of a proportion, as the raw shares have it.
func wilson(k, total int64) Share {
	n, z := float64(total), 1.959964
	p := float64(k) / n
	half := z * math.Sqrt(p*(1-p)/n+z*z/(4*n*n))
	return Share{Value: p, Low: (p + z*z/(2*n) - half) / (1 + z*z/n), High: (p + z*z/(2*n) + half) / (1 + z*z/n)}
}

// A classifier that never errs changes nothing.
func TestPerfect(t *testing.T) {
	m := Perfect("none")
	r := rand.New(rand.NewPCG(1, 1))
	for range 2000 {
		c := multinomial(r, 1+r.IntN(300), simplex(r))
		e := m.adjust(c, 2, 2)
		if e.State != OK {
			t.Fatalf("%v: %s", c, e.State)
		}
		for i, s := range []Share{e.Positive, e.Neutral, e.Negative} {
			w := wilson(c[i], c.Total())
			if math.Abs(s.Value-w.Value) > 1e-12 || math.Abs(s.Low-w.Low) > 1e-9 || math.Abs(s.High-w.High) > 1e-9 {
				t.Fatalf("%v, class %d: %v, Wilson %v", c, i, s, w)
			}
		}
	}
}

// Whatever comes in, what goes out is a share or not known.
func TestNoNonsense(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	states := map[State]int{}
	for range 100_000 {
		var tab Table
		for i := range tab {
			p, n := simplex(r), r.IntN(60)
			if r.IntN(2) == 0 {
				n *= 50
			}
			if r.IntN(2) == 0 {
				p[i] += 3
				for k := range p {
					p[k] /= 4
				}
			}
			for k, c := range multinomial(r, n, p) {
				tab[i][k] = float64(c)
			}
		}
		m := NewMatrix("m", tab)
		c := multinomial(r, r.IntN(1+r.IntN(2000)), simplex(r))
		e := m.Adjust(c)
		states[e.State]++
		shares := []Share{e.Positive, e.Neutral, e.Negative, e.Loyal(), e.Net}
		if e.State != OK {
			for _, s := range shares {
				if !math.IsNaN(s.Value) || !math.IsNaN(s.Low) || !math.IsNaN(s.High) {
					t.Fatalf("%v by %v: %s, but %v", c, tab, e.State, shares)
				}
			}
			continue
		}
		if sum := e.Positive.Value + e.Neutral.Value + e.Negative.Value; math.Abs(sum-1) > 1e-12 {
			t.Fatalf("%v by %v: the shares add up to %v", c, tab, sum)
		}
		for i, s := range shares {
			least := 0.0
			if i == 4 {
				least = -1
			}
			if !(least <= s.Low && s.Low <= s.Value && s.Value <= s.High && s.High <= 1) {
				t.Fatalf("%v by %v: share %d is %v", c, tab, i, s)
			}
		}
		if e != m.Adjust(c) {
			t.Fatalf("%v by %v: not the same twice", c, tab)
		}
	}
	for _, s := range []State{OK, TooFew, WeakMatrix, Misfit} {
		if states[s] < 500 {
			t.Errorf("%d estimates of 100,000 are %s", states[s], s)
		}
	}
}

func TestUseless(t *testing.T) {
	counts := Counts{300, 500, 200}
	same := [classes]float64{30, 50, 20}
	for name, tab := range map[string]Table{
		"labels say nothing":       {same, same, same},
		"two classes are the same": {{80, 10, 10}, same, same},
		"a class was never seen":   {{80, 10, 10}, {}, {10, 10, 80}},
		"labels are exchanged":     {{10, 80, 10}, {80, 10, 10}, {10, 10, 80}},
		"no number":                {{math.NaN(), 1, 1}, same, same},
		"less than nothing":        {{-5, 100, 1}, same, same},
		"a handful of texts":       {{5, 1, 0}, {1, 5, 1}, {0, 1, 5}},
	} {
		if e := NewMatrix("m", tab).Adjust(counts); e.State != WeakMatrix || !math.IsNaN(e.Negative.Value) {
			t.Errorf("%s: %s, %v", name, e.State, e.Negative)
		}
	}
	var none *Matrix
	if e := none.Adjust(counts); e.State != NoMatrix || !math.IsNaN(e.Positive.Value) {
		t.Errorf("without a matrix: %s", e.State)
	}
	good := NewMatrix("good", Table{{850, 100, 50}, {70, 850, 80}, {40, 80, 880}})
	for c, want := range map[Counts]State{{}: TooFew, {1, 1, 1}: TooFew, {-1, 5, 5}: TooFew, {100, 200, 100}: OK, {0, 10_000, 0}: Misfit} {
		if e := good.Adjust(c); e.State != want {
			t.Errorf("%v: %s, want %s", c, e.State, want)
		}
	}
}

// Near the border, where estimators inside the simplex differ, the likelihood is as good as cutting off and as the nearest point. It is the one that does
// not depend on how distance is measured.
func TestLikelihoodIsAsGoodAsOthers(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	given := classifiers[1]
	m := NewMatrix("", Table{{600, 300, 100}, {120, 700, 180}, {80, 250, 670}})
	var likelihood, clipped, projected float64
	for range 20_000 {
		p := [classes]float64{0.03, 0.90, 0.07}
		c := multinomial(r, 100, labels(given, p))
		e := m.adjust(c, 2, 2)
		if e.State != OK {
			continue
		}
		var raw [classes]float64
		for j := range raw {
			for k := range c {
				raw[j] += float64(c[k]) / 100 * m.inverse[k][j]
			}
		}
		distance := func(q [classes]float64) (d float64) {
			for j := range q {
				d += (q[j] - p[j]) * (q[j] - p[j])
			}
			return d
		}
		likelihood += distance([classes]float64{e.Positive.Value, e.Neutral.Value, e.Negative.Value})
		clipped += distance(clip(raw))
		projected += distance(project(raw))
	}
	t.Logf("mean squared errors: likelihood %.5f, clipped %.5f, projected %.5f", likelihood/20_000, clipped/20_000, projected/20_000)
	if likelihood > 1.03*min(clipped, projected) {
		t.Error("the likelihood is worse than others")
	}
}

// clip cuts negative shares off.
func clip(p [classes]float64) [classes]float64 {
	sum := 0.0
	for j := range p {
		p[j] = max(p[j], 0)
		sum += p[j]
	}
	for j := range p {
		p[j] /= sum
	}
	return p
}

// project returns the nearest point of the simplex.
func project(p [classes]float64) [classes]float64 {
	low, high := -2.0, 2.0
	for range 60 {
		cut := (low + high) / 2
		if max(p[0]-cut, 0)+max(p[1]-cut, 0)+max(p[2]-cut, 0) > 1 {
			low = cut
		} else {
			high = cut
		}
	}
	for j := range p {
		p[j] = max(p[j]-low, 0)
	}
	return p
}

// The maximum of the likelihood is the fixed point of Saerens' iteration.
func TestOnBorderIsTheFixedPointOfEM(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	m := NewMatrix("", Table{{600, 300, 100}, {120, 700, 180}, {80, 250, 670}})
	for range 200 {
		c := multinomial(r, 1+r.IntN(80), simplex(r))
		e := m.adjust(c, 2, 2)
		if e.State != OK {
			continue
		}
		p := [classes]float64{1. / 3, 1. / 3, 1. / 3}
		for range 20_000 {
			q := labels(m.given, p)
			var next [classes]float64
			for i := range p {
				for k := range c {
					next[i] += float64(c[k]) / float64(c.Total()) * p[i] * m.given[i][k] / q[k]
				}
			}
			p = next
		}
		for i, s := range []Share{e.Positive, e.Neutral, e.Negative} {
			if math.Abs(s.Value-p[i]) > 2e-3 {
				t.Fatalf("%v: class %d is %v, by EM %v", c, i, s.Value, p[i])
			}
		}
	}
}

func TestPool(t *testing.T) {
	row := func(a, b, c int64) [classes]Counts { return [classes]Counts{{a, b, c}, {a, b, c}, {a, b, c}} }
	one := Pool([]Set{{Counts: row(60, 30, 10)}})
	if one[1] != [classes]float64{60, 30, 10} {
		t.Errorf("one set is %v, not itself", one[1])
	}
	two := Pool([]Set{{Counts: row(60, 30, 10)}, {Counts: row(120, 60, 20)}, {}})
	for k, want := range []float64{180, 90, 30} {
		if math.Abs(two[0][k]-want) > 1e-9 {
			t.Errorf("two sets that agree are %v, not their sum", two[0])
		}
	}
	apart := Pool([]Set{{Counts: row(800, 100, 100)}, {Counts: row(5000, 4000, 1000)}})
	texts := apart[0][0] + apart[0][1] + apart[0][2]
	if texts > 20 || math.Abs(apart[0][0]/texts-0.65) > 0.01 {
		t.Errorf("two sets that differ by 30 points are worth %.0f texts %v; want few and the mean of both", texts, apart[0])
	}
}

// The interval of a pooled matrix holds the truth of one more kind of texts.
func TestCoverageOfAnotherKindOfTexts(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	const runs = 4000
	// A kind of texts has its own matrix: rows are Dirichlet about the classifier's, with as much spread as 60 texts.
	draw := func(given [classes][classes]float64) (out [classes][classes]float64) {
		for i := range out {
			sum := 0.0
			for k := range out[i] {
				out[i][k] = gamma(r, 60*given[i][k])
				sum += out[i][k]
			}
			for k := range out[i] {
				out[i][k] /= sum
			}
		}
		return out
	}
	p := [classes]float64{0.2, 0.5, 0.3}
	hit, wide := 0, 0.0
	for range runs {
		var sets []Set
		for range 6 {
			given := draw(classifiers[0])
			var s Set
			for i := range s.Counts {
				s.Counts[i] = multinomial(r, 300, given[i])
			}
			sets = append(sets, s)
		}
		m := NewMatrix("", Pool(sets))
		e := m.adjust(multinomial(r, 1000, labels(draw(classifiers[0]), p)), 2, 2)
		if e.State == OK && e.Negative.Low <= p[2] && p[2] <= e.Negative.High {
			hit++
		}
		wide += (e.Negative.High - e.Negative.Low) / runs
	}
	coverage := float64(hit) / runs
	t.Logf("coverage %.3f, mean width %.3f", coverage, wide)
	if coverage < 0.92 || coverage > 0.98 {
		t.Errorf("the interval holds the truth of another kind of texts %.3f of the time, want 0.95", coverage)
	}
}

// gamma draws from the gamma distribution of the shape (Marsaglia and Tsang 2000).
func gamma(r *rand.Rand, shape float64) float64 {
	if shape < 1 {
		return gamma(r, shape+1) * math.Pow(r.Float64(), 1/shape)
	}
	d := shape - 1./3
	for {
		x := r.NormFloat64()
		v := math.Pow(1+x/math.Sqrt(9*d), 3)
		if v > 0 && math.Log(r.Float64()) < x*x/2+d-d*v+d*math.Log(v) {
			return d * v
		}
	}
}

func BenchmarkAdjust(b *testing.B) {
	m := NewMatrix("", Table{{600, 300, 100}, {120, 700, 180}, {80, 250, 670}})
	for name, c := range map[string]Counts{"inside": {300, 500, 200}, "border": {40, 340, 20}, "too few": {1, 5, 2}} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				m.Adjust(c)
			}
		})
	}
}

// On a kind of text that errs in its own way, the values of Adjust are nearer to the truth than both what it begins with and the raw shares.
func TestTemperedValuesAreNearer(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 9))
	const runs, kinds, texts = 2000, 6, 3000
	kind := func(base [classes][classes]float64) (given [classes][classes]float64) {
		for i := range given {
			sum := 0.0
			for k := range given[i] {
				given[i][k] = base[i][k] * math.Exp(0.5*r.NormFloat64())
				sum += given[i][k]
			}
			for k := range given[i] {
				given[i][k] /= sum
			}
		}
		return given
	}
	var plain, tempered, raw float64
	for range runs {
		sets := make([]Set, kinds)
		for s := range sets {
			given := kind(classifiers[1])
			for i := range given {
				sets[s].Counts[i] = multinomial(r, texts, given[i])
			}
		}
		m := NewMatrix("", Pool(sets))
		p := simplex(r)
		c := multinomial(r, 5000, labels(kind(classifiers[1]), p))
		before, after := m.adjust(c, 2, 2), m.Adjust(c)
		if before.State != OK || after.State != OK {
			continue
		}
		sum := 0.0
		for j, s := range []Share{after.Positive, after.Neutral, after.Negative} {
			b := []Share{before.Positive, before.Neutral, before.Negative}[j]
			if s.Value < s.Low || s.Value > s.High || s.Low > b.Low || s.High < b.High {
				t.Fatalf("%v: %+v became %+v", c, b, s)
			}
			sum += s.Value
			plain += (b.Value - p[j]) * (b.Value - p[j])
			tempered += (s.Value - p[j]) * (s.Value - p[j])
			q := float64(c[j])/5000 - p[j]
			raw += q * q
		}
		if math.Abs(sum-1) > 1e-9 || math.Abs(after.Net.Value-after.Positive.Value+after.Negative.Value) > 1e-9 {
			t.Fatalf("%v: the shares sum to %v, net is %v", c, sum, after.Net.Value)
		}
	}
	t.Logf("sums of squared errors: tempered %.2f, as inverted %.2f, raw %.2f", tempered, plain, raw)
	if tempered > min(plain, raw) {
		t.Error("drawing the values towards the raw shares does not help")
	}
	known := Table{{6e9, 3e9, 1e9}, {1.2e9, 7e9, 1.8e9}, {0.8e9, 2.5e9, 6.7e9}}
	a, b := NewMatrix("", known).Adjust(Counts{300, 400, 300}), NewMatrix("", known).adjust(Counts{300, 400, 300}, 2, 2)
	if math.Abs(a.Negative.Value-b.Negative.Value) > 1e-6 {
		t.Errorf("a matrix known well gives %v, not %v", a.Negative.Value, b.Negative.Value)
	}
}
