package sentiment

import (
	"context"
	"math"
)

// minimise finds the minimum of a smooth convex function by L-BFGS, beginning at w with a backtracking line search (Nocedal and
// Wright, "Numerical Optimization", 2nd ed., algorithms 7.4 and 3.1). f returns the value at w and puts the gradient into
// its second argument.
func minimise(ctx context.Context, f func(w, grad []float64) float64, w []float64, set *OptimiserSettings, progress func(float64)) ([]float64, error) {
	n := len(w)
	grad := make([]float64, n)
	next, nextGrad := make([]float64, n), make([]float64, n)
	direction := make([]float64, n)
	type pair struct {
		s, y []float64
		rho  float64
	}
	var pairs []pair
	value := f(w, grad)
	first := math.Sqrt(dot(grad, grad))
	for iteration := range set.Iterations {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		progress(float64(iteration) / float64(set.Iterations))
		if math.Sqrt(dot(grad, grad)) <= set.Tolerance*first {
			break
		}
		copy(direction, grad)
		alpha := make([]float64, len(pairs))
		for i := len(pairs) - 1; i >= 0; i-- {
			alpha[i] = pairs[i].rho * dot(pairs[i].s, direction)
			addTo(direction, -alpha[i], pairs[i].y)
		}
		scale := 1 / max(first, 1) // the first step has no curvature to go by
		if len(pairs) > 0 {
			last := pairs[len(pairs)-1]
			scale = 1 / (last.rho * dot(last.y, last.y))
		}
		for i := range direction {
			direction[i] *= scale
		}
		for i := range pairs {
			beta := pairs[i].rho * dot(pairs[i].y, direction)
			addTo(direction, alpha[i]-beta, pairs[i].s)
		}
		slope := -dot(grad, direction)
		step, ok := 1.0, false
		var nextValue float64
		for range 30 {
			copy(next, w)
			addTo(next, -step, direction)
			nextValue = f(next, nextGrad)
			if nextValue <= value+1e-4*step*slope {
				ok = true
				break
			}
			step /= 2
		}
		if !ok {
			break // no progress in the precision of the numbers: this is the minimum
		}
		p := pair{s: make([]float64, n), y: make([]float64, n)}
		if len(pairs) == set.Memory {
			p.s, p.y = pairs[0].s, pairs[0].y
			pairs = append(pairs[:0], pairs[1:]...)
		}
		for i := range w {
			p.s[i] = next[i] - w[i]
			p.y[i] = nextGrad[i] - grad[i]
		}
		if sy := dot(p.s, p.y); sy > 0 {
			p.rho = 1 / sy
			pairs = append(pairs, p)
		}
		w, next = next, w
		grad, nextGrad = nextGrad, grad
		value = nextValue
	}
	progress(1)
	return w, nil
}

func dot(a, b []float64) (sum float64) {
	for i := range a {
		sum += a[i] * b[i]
	}
	return sum
}

// addTo adds k·b to a.
func addTo(a []float64, k float64, b []float64) {
	for i := range a {
		a[i] += k * b[i]
	}
}
