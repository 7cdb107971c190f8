package sentiment

import (
	"context"
	"fmt"
	"math"
)

// Validation is a figure of the training: which posts a model was trained without, and how it labelled them.
type Validation struct {
	Name   string
	Lang   string // of the posts: a language code
	Report *Report
}

// crossValidate trains twice, each time without one period or part of the files, and labels what was held out. It returns the
// figures, and a calibration for each part from those posts. The confidence of a post is measured under the calibration by
// the posts of the other turn, so that no post judges itself.
func (c *corpus) crossValidate(ctx context.Context, progress func(string, float64)) ([]Validation, []calibration, error) {
	models := [2]*Model{}
	points := [2][][]calibrationPoint{}
	t, err := newTargeter()
	if err != nil {
		return nil, nil, err
	}
	for turn := range models {
		m, err := c.fit(ctx, turn, progress)
		if err != nil {
			return nil, nil, err
		}
		models[turn] = m
		points[turn] = c.pointsOf(m, turn, t)
	}
	out := make([]calibration, len(c.set.Parts))
	for i := range out {
		for turn, m := range models {
			m.parts[i].calibration = calibrate(points[1-turn][i])
		}
		out[i] = calibrate(append(append([]calibrationPoint{}, points[0][i]...), points[1][i]...))
	}
	held, err := c.measure(models)
	return held, out, err
}

// pointsOf returns the logits that the parts of m give to the posts that were held out, of the files that the part is trained on.
func (c *corpus) pointsOf(m *Model, turn int, t *targeter) [][]calibrationPoint {
	out := make([][]calibrationPoint, len(m.parts))
	var s Scratch
	for i := range c.set.Parts {
		set := &c.set.Parts[i]
		for _, p := range c.posts {
			if w := set.Sources[p.file.File]; w >= calibrationWeight && p.fold == turn {
				s.tokens.read(p.row.Text, p.targetOf(t))
				out[i] = append(out[i], calibrationPoint{logits: m.parts[i].logits(&s), label: p.label, weight: w})
			}
		}
	}
	return out
}

// calibrationWeight is the weight from which on a file is one that its part is meant for.
const calibrationWeight = 0.25

// measure evaluates what each turn held out, file by file.
func (c *corpus) measure(models [2]*Model) ([]Validation, error) {
	var out []Validation
	for i := range c.set.Files {
		f := &c.set.Files[i]
		if !c.used(f.File) {
			continue
		}
		var rows [2][]Row
		for _, p := range c.posts {
			if p.file == f && p.fold >= 0 {
				rows[p.fold] = append(rows[p.fold], p.row)
			}
		}
		if f.Boundary == 0 {
			a, err := Evaluate(models[0], rows[0])
			if err != nil {
				return nil, err
			}
			b, err := Evaluate(models[1], rows[1])
			if err != nil {
				return nil, err
			}
			if len(rows[0])+len(rows[1]) > 0 {
				out = append(out, Validation{f.Name, f.Lang, a.join(b)})
			}
			continue
		}
		for k, period := range f.Periods {
			r, err := Evaluate(models[k], rows[k])
			if err != nil {
				return nil, err
			}
			if len(rows[k]) > 0 {
				out = append(out, Validation{fmt.Sprintf("%s, %s", f.Name, period), f.Lang, r})
			}
		}
	}
	return out, nil
}

// used says whether a file is a source of a part with the weight of one that the part is meant for.
func (c *corpus) used(file string) bool {
	for i := range c.set.Parts {
		if c.set.Parts[i].Sources[file] >= calibrationWeight {
			return true
		}
	}
	return false
}

// calibrationPoint is a labelled post with the logits of a model that has not seen it.
type calibrationPoint struct {
	logits [classes]float32
	label  int
	weight float64
}

// calibrate finds the temperature under which the labels are likeliest (Guo et al., "On Calibration of Modern Neural Networks", 2017)
// by golden section, and then, for each class, how often a post that is given it has it (Platt scaling of the top label;
// Gupta and Ramdas, "Top-label calibration", 2022).
func calibrate(points []calibrationPoint) calibration {
	k := calibration{temperature: 1, slope: [classes]float32{1, 1, 1}}
	if len(points) == 0 {
		return k
	}
	loss := func(logT float64) float64 {
		var sum float64
		for i := range points {
			q := softmax(points[i].logits, float32(math.Exp(logT)))
			sum -= points[i].weight * math.Log(max(float64(q[points[i].label]), 1e-9))
		}
		return sum
	}
	const golden = 0.6180339887498949
	lo, hi := math.Log(0.1), math.Log(5)
	for hi-lo > 1e-3 {
		a, b := hi-golden*(hi-lo), lo+golden*(hi-lo)
		if loss(a) < loss(b) {
			hi = b
		} else {
			lo = a
		}
	}
	k.temperature = float32(math.Exp((lo + hi) / 2))
	for c := range classes {
		k.offset[c], k.slope[c] = topLabel(points, c, k.temperature)
	}
	return k
}

// topLabel fits P(right | the label is c) = sigmoid(offset + slope·logit) to the posts that are labelled c by Newton's method, with a
// penalty that keeps few posts from deciding much.
func topLabel(points []calibrationPoint, c int, temperature float32) (offset, slope float32) {
	const prior = 5 // weight of the belief that the softmax is right
	a, b := 0.0, 1.0
	for range 100 {
		ga, gb := -prior*a, -prior*(b-1)
		haa, hab, hbb := float64(prior), 0.0, float64(prior)
		for i := range points {
			p := softmax(points[i].logits, temperature)
			if largest(p) != c {
				continue
			}
			x := float64(logit(p[c]))
			q := 1 / (1 + math.Exp(-(a + b*x)))
			right := 0.0
			if points[i].label == c {
				right = 1
			}
			w := points[i].weight
			ga += w * (right - q)
			gb += w * (right - q) * x
			h := w * q * (1 - q)
			haa += h
			hab += h * x
			hbb += h * x * x
		}
		det := haa*hbb - hab*hab // positive: the prior alone makes it so
		da, db := (hbb*ga-hab*gb)/det, (haa*gb-hab*ga)/det
		short := 1 / max(1, math.Abs(da), math.Abs(db)) // far from the optimum a whole step may lead away
		a, b = a+short*da, b+short*db
	}
	return float32(a), float32(max(b, 0.05))
}
