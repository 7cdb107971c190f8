package sentiment

import (
	"cmp"
	"context"
	"math"
	"slices"

	"golang.org/x/sync/errgroup"
)

// shards is fixed: sums of floats depend on their order, and the model must not depend on the machine's cores.
const shards = 4

// frequencies are the inverse document frequencies of the buckets, in units of 1/idfUnit; 0 for those that fewer than minPosts posts use.
type frequencies [tables][]int8

func newFrequencies(posts []*post, minPosts int) *frequencies {
	var f frequencies
	for t := range tables {
		count := make([]int, 1<<tableBits[t])
		lastPost := make([]int, len(count))
		for i, p := range posts {
			for _, b := range p.buckets[t] {
				if lastPost[b] != i+1 {
					lastPost[b] = i + 1
					count[b]++
				}
			}
		}
		f[t] = make([]int8, len(count))
		for b, n := range count {
			if n >= minPosts {
				f[t][b] = int8(min(math.Round(idfUnit*(1+math.Log(float64(len(posts)+1)/float64(n+1)))), math.MaxInt8))
			}
		}
	}
	return &f
}

// columns maps the features that are in use to the parameters of the training: first the buckets of the tables, then the surface.
type columns struct {
	of    [tables][]int32 // −1: not in use
	n     int             // rows of buckets and surface
	scale []float32       // by row: what values are multiplied with in the training, and weights after it
}

func newColumns(f *frequencies) *columns {
	c := &columns{}
	for t := range tables {
		c.of[t] = make([]int32, len(f[t]))
		for b, idf := range f[t] {
			if idf == 0 {
				c.of[t][b] = -1
				continue
			}
			c.of[t][b] = int32(c.n)
			c.n++
		}
	}
	c.n += faces
	c.scale = make([]float32, c.n)
	for i := range c.scale {
		c.scale[i] = 1
	}
	return c
}

// weighEvidence lets the penalty bear less on buckets that tell the classes apart: values are multiplied with
//
//	1 − share + share · max over the classes of |log odds of the class with the bucket − log odds without knowing|
//
// (S. Wang and C. Manning, "Baselines and Bigrams: Simple, Good Sentiment and Topic Classification", ACL 2012, for more than two classes).
func (c *columns) weighEvidence(posts []*post, weights []float64, share float64) {
	const prior = 2 // posts without the evidence that are added to those of a bucket
	var total [classes]float64
	count := make([][classes]float64, c.n)
	seen := make([]int, c.n)
	for i, p := range posts {
		total[p.label] += weights[i]
		for t := range tables {
			for _, b := range p.buckets[t] {
				if row := c.of[t][b]; row >= 0 && seen[row] != i+1 {
					seen[row] = i + 1
					count[row][p.label] += weights[i]
				}
			}
		}
	}
	all := total[0] + total[1] + total[2]
	for row := range c.n - faces {
		n := &count[row]
		sum := n[0] + n[1] + n[2]
		top := 0.0
		for k := range classes {
			expected := total[k] / all
			if expected > 0 && expected < 1 {
				q := (n[k] + prior*expected) / (sum + prior)
				top = max(top, math.Abs(math.Log(q/(1-q))-math.Log(expected/(1-expected))))
			}
		}
		c.scale[row] = float32(1 - share + share*top)
	}
}

// sample is a post as the optimiser sees it: sorted parameter rows with their values, which must equal what sums weighs.
type sample struct {
	index  []int32
	value  []float32
	target [classes]float64 // probability of each class: 1 for the label
	weight float64
}

// label makes the sample one of the class, with the share smooth of the certainty spread over all classes.
func (s *sample) label(class int, smooth float64) {
	for c := range s.target {
		s.target[c] = smooth / classes
	}
	s.target[class] += 1 - smooth
}

// samplesOf makes the samples of the posts; targets and weights are the caller's.
func samplesOf(posts []*post, f *frequencies, c *columns) []sample {
	type cell struct {
		row   int32
		value float32
	}
	out := make([]sample, len(posts))
	var cells []cell
	for i, p := range posts {
		cells = cells[:0]
		var squares [blocks]int32
		for t := range tables {
			for _, b := range p.buckets[t] {
				idf := int32(f[t][b])
				squares[blockOf[t]] += idf * idf
			}
		}
		for t := range tables {
			norm := normOf(squares[blockOf[t]])
			for _, b := range p.buckets[t] {
				if row := c.of[t][b]; row >= 0 {
					cells = append(cells, cell{row, float32(f[t][b]) / idfUnit * norm * c.scale[row]})
				}
			}
		}
		slices.SortStableFunc(cells, func(a, b cell) int { return cmp.Compare(a.row, b.row) })
		s := &out[i]
		s.index = make([]int32, 0, len(cells)+8)
		s.value = make([]float32, 0, len(cells)+8)
		for _, k := range cells {
			if n := len(s.index); n > 0 && s.index[n-1] == k.row {
				s.value[n-1] += k.value
				continue
			}
			s.index = append(s.index, k.row)
			s.value = append(s.value, k.value)
		}
		for j, v := range p.face {
			if v != 0 {
				s.index = append(s.index, int32(c.n-faces+j))
				s.value = append(s.value, v)
			}
		}
	}
	return out
}

// problem is the training of one part: a weighted logistic regression of the classes, with an L2 penalty. The
// weight of a term is a parameter of its own plus the product of its word vector with the vector parameters.
type problem struct {
	softmax bool // one regression of all classes; else one of each class against the rest
	samples []sample
	rows    int     // of columns
	penalty float64 // on half the sum of the squared parameters, the biases excepted
	vectors *vectors
	vector  []int32 // by row: its word vector, or −1; nil without vectors

	whole []float64 // weights with the vectors folded in
	grads [shards][]float64
}

// parameters: a row of classes per column, the biases, and a row of classes per dimension of the vectors.
func (p *problem) parameters() int {
	n := classes * (p.rows + 1)
	if p.vector != nil {
		n += classes * p.vectors.dims
	}
	return n
}

// fold returns the weights of the rows and the biases with the vectors folded in; it is valid until the next call.
func (p *problem) fold(w []float64) []float64 {
	n := classes * (p.rows + 1)
	if p.vector == nil {
		return w[:n]
	}
	copy(p.whole, w[:n])
	v := w[n:]
	for row, at := range p.vector {
		if at < 0 {
			continue
		}
		var sum [classes]float64
		for d, x := range p.vectors.list[int(at)*p.vectors.dims : (int(at)+1)*p.vectors.dims] {
			sum[0] += x * v[classes*d]
			sum[1] += x * v[classes*d+1]
			sum[2] += x * v[classes*d+2]
		}
		for c := range classes {
			p.whole[classes*row+c] += sum[c]
		}
	}
	return p.whole
}

// solve finds the parameters, beginning at start (nil: at zero).
func (p *problem) solve(ctx context.Context, start []float64, set *OptimiserSettings, progress func(float64)) ([]float64, error) {
	n := classes * (p.rows + 1)
	p.whole = make([]float64, n)
	for i := range p.grads {
		p.grads[i] = make([]float64, n)
	}
	if start == nil {
		start = make([]float64, p.parameters())
	}
	return minimise(ctx, p.loss, start, set, progress)
}

// loss returns the penalised loss of the parameters w and puts its gradient into grad.
func (p *problem) loss(w, grad []float64) float64 {
	var losses [shards]float64
	whole := p.fold(w)
	var group errgroup.Group
	for k := range shards {
		group.Go(func() error {
			g := p.grads[k]
			clear(g)
			from, to := len(p.samples)*k/shards, len(p.samples)*(k+1)/shards
			for i := from; i < to; i++ {
				losses[k] += p.samples[i].loss(whole, g, p.softmax)
			}
			return nil
		})
	}
	_ = group.Wait() // the shards return no error
	var sum float64
	for k := range shards {
		sum += losses[k]
	}
	n := classes * (p.rows + 1)
	for i := range n {
		grad[i] = p.grads[0][i] + p.grads[1][i] + p.grads[2][i] + p.grads[3][i]
	}
	clear(grad[n:])
	for row, at := range p.vector {
		if at < 0 {
			continue
		}
		g := grad[classes*row : classes*row+classes]
		for d, x := range p.vectors.list[int(at)*p.vectors.dims : (int(at)+1)*p.vectors.dims] {
			grad[n+classes*d] += x * g[0]
			grad[n+classes*d+1] += x * g[1]
			grad[n+classes*d+2] += x * g[2]
		}
	}
	for i, x := range w {
		if i >= n-classes && i < n {
			continue // the biases go free
		}
		grad[i] += p.penalty * x
		sum += p.penalty / 2 * x * x
	}
	return sum
}

// loss adds the gradient of one sample to g and returns its loss, the cross entropy of its target and the probabilities.
func (s *sample) loss(w, g []float64, softmax bool) float64 {
	z := s.logits(w)
	var d [classes]float64
	var loss float64
	if softmax {
		top, sum := max(z[0], z[1], z[2]), 0.0
		for c := range d {
			d[c] = math.Exp(z[c] - top)
			sum += d[c]
		}
		loss = top + math.Log(sum)
		for c := range d {
			loss -= s.target[c] * z[c]
			d[c] = s.weight * (d[c]/sum - s.target[c])
		}
	} else {
		for c := range d {
			e := math.Exp(-math.Abs(z[c]))
			loss += math.Log1p(e) + max(z[c], 0) - s.target[c]*z[c]
			q := 1 / (1 + e) // sigmoid
			if z[c] < 0 {
				q = e / (1 + e)
			}
			d[c] = s.weight * (q - s.target[c])
		}
	}
	for j, b := range s.index {
		v, at := float64(s.value[j]), int(b)*classes
		row := g[at : at+classes : at+classes]
		row[0] += v * d[0]
		row[1] += v * d[1]
		row[2] += v * d[2]
	}
	bias := len(w) - classes
	for c := range d {
		g[bias+c] += d[c]
	}
	return s.weight * loss
}

// probabilities are what scores say of the classes before they are calibrated.
func probabilities(z [classes]float64, softmax bool) (q [classes]float64) {
	top, sum := max(z[0], z[1], z[2]), 0.0
	for c := range q {
		if softmax {
			q[c] = math.Exp(z[c] - top)
			sum += q[c]
		} else {
			q[c] = 1 / (1 + math.Exp(-z[c]))
		}
	}
	for c := range q {
		if softmax {
			q[c] /= sum
		}
	}
	return q
}

// logits returns the scores of a sample under the folded weights.
func (s *sample) logits(w []float64) (z [classes]float64) {
	bias := len(w) - classes
	copy(z[:], w[bias:])
	for j, b := range s.index {
		v, at := float64(s.value[j]), int(b)*classes
		row := w[at : at+classes : at+classes]
		z[0] += v * row[0]
		z[1] += v * row[1]
		z[2] += v * row[2]
	}
	return z
}

// quantise turns folded weights into a part, the inverse document frequencies folded in.
func quantise(w []float64, f *frequencies, c *columns) *part {
	p := &part{calibration: calibration{temperature: 1, slope: [classes]float32{1, 1, 1}}}
	p.terms = make([][4]int16, len(f[termTable]))
	p.pairs = make([][4]int8, len(f[pairTable]))
	p.letter = make([][4]int8, len(f[gramTable]))
	for t := range tables {
		limit := float64(math.MaxInt8)
		if t == termTable {
			limit = math.MaxInt16
		}
		for k := range classes {
			weight := func(b int) float64 {
				if row := c.of[t][b]; row >= 0 {
					return w[int(row)*classes+k] * float64(f[t][b]) / idfUnit * float64(c.scale[row])
				}
				return 0
			}
			var top float64
			for b := range f[t] {
				top = max(top, math.Abs(weight(b)))
			}
			unit := max(top, 1e-9) / limit
			p.scale[t][k] = float32(unit)
			for b := range f[t] {
				q := math.Round(weight(b) / unit)
				switch t {
				case termTable:
					p.terms[b][k] = int16(q)
				case pairTable:
					p.pairs[b][k] = int8(q)
				default:
					p.letter[b][k] = int8(q)
				}
			}
		}
	}
	for b, idf := range f[termTable] {
		p.terms[b][3] = int16(idf)
	}
	for b, idf := range f[pairTable] {
		p.pairs[b][3] = idf
	}
	for b, idf := range f[gramTable] {
		p.letter[b][3] = idf
	}
	for j := range faces {
		for k := range classes {
			p.faces[j][k] = float32(w[(c.n-faces+j)*classes+k])
		}
	}
	for k := range classes {
		p.bias[k] = float32(w[c.n*classes+k])
	}
	return p
}
