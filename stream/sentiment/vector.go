package sentiment

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
)

// vectors are the word vectors of a language: a row of dims numbers, of unit length, per term.
type vectors struct {
	dims int
	row  map[uint64]int // by term
	list []float64      // row by row
}

// VectorSettings say how word vectors are made: positive pointwise mutual information of terms that stand near each other, and the
// first singular vectors of it (Levy and Goldberg, "Neural Word Embedding as Implicit Matrix Factorization", 2014), found by
// randomised subspace iteration (Halko, Martinsson and Tropp, "Finding Structure with Randomness", 2011, algorithm 4.4).
type VectorSettings struct {
	Dimensions int    `yaml:"dimensions"`
	Window     int    `yaml:"window"`    // terms to either side that count as near
	MinPosts   int    `yaml:"min_posts"` // rarer terms get no vector
	Rounds     int    `yaml:"rounds"`    // of the iteration
	Seed       uint64 `yaml:"seed"`
}

const (
	oversampling  = 10   // columns of the random start beyond the dimensions
	contextSmooth = 0.75 // power of the context's frequency (Levy, Goldberg and Dagan, 2015)
)

// wordVectors makes the vectors of the terms of the texts; a text that is repeated counts once. Too few words give no vectors.
func wordVectors(ctx context.Context, texts [][]uint64, set *VectorSettings, progress func(done float64)) (*vectors, error) {
	v := &vectors{dims: set.Dimensions, row: map[uint64]int{}}
	posts := map[uint64]int{}
	var order []uint64
	seen := map[uint64]bool{}
	var kept [][]uint64
	for _, text := range texts {
		h := uint64(1)
		for _, t := range text {
			h = mix(h, t)
		}
		if seen[h] {
			continue
		}
		seen[h] = true
		kept = append(kept, text)
		once := map[uint64]bool{}
		for _, t := range text {
			if !once[t] {
				once[t] = true
				if posts[t] == 0 {
					order = append(order, t)
				}
				posts[t]++
			}
		}
	}
	for _, t := range order {
		if posts[t] >= set.MinPosts {
			v.row[t] = len(v.row)
		}
	}
	n := len(v.row)
	k := set.Dimensions + oversampling
	if n <= k {
		return &vectors{}, nil // too few words for vectors: the tables alone must do
	}
	m := nearness(kept, v.row, set.Window)
	r := rand.New(rand.NewPCG(set.Seed, uint64(n))) //nolint:gosec // a fixed seed: the model must come out the same
	q := newDense(n, k)
	for i := range q.v {
		q.v[i] = r.NormFloat64()
	}
	y := newDense(n, k)
	for round := range set.Rounds + 1 {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		m.times(q, y, false)
		y.orthonormalise()
		q, y = y, q
		m.times(q, y, true) // y = mᵀ·q
		if round < set.Rounds {
			y.orthonormalise()
			q, y = y, q
		}
		progress(float64(round+1) / float64(set.Rounds+1))
	}
	// q has the subspace, y = mᵀ·q: the eigenvectors of yᵀ·y turn q into the left singular vectors.
	values, turn := eigen(y.gram())
	v.list = make([]float64, n*v.dims)
	for i := range n {
		row := v.list[i*v.dims : (i+1)*v.dims]
		for d := range row {
			var sum float64
			for j := range k {
				sum += q.v[i*k+j] * turn.v[j*k+d]
			}
			row[d] = sum * math.Sqrt(math.Sqrt(max(values[d], 0)))
		}
		if norm := math.Sqrt(dot(row, row)); norm > 0 {
			for d := range row {
				row[d] /= norm
			}
		}
	}
	return v, nil
}

// sparse is a square matrix by rows.
type sparse struct {
	start  []int32
	column []int32
	value  []float64
}

// nearness returns the positive pointwise mutual information of the terms.
func nearness(texts [][]uint64, rows map[uint64]int, window int) *sparse {
	var pairs []uint64
	ids := []int{}
	for _, text := range texts {
		ids = ids[:0]
		for _, t := range text {
			if id, ok := rows[t]; ok {
				ids = append(ids, id)
			} else {
				ids = append(ids, -1)
			}
		}
		for i, a := range ids {
			for j := i + 1; j <= i+window && j < len(ids); j++ {
				if b := ids[j]; a >= 0 && b >= 0 {
					pairs = append(pairs, uint64(a)<<32|uint64(b), uint64(b)<<32|uint64(a))
				}
			}
		}
	}
	slices.Sort(pairs)
	n := len(rows)
	m := &sparse{start: make([]int32, n+1)}
	var counts []float64
	sum := make([]float64, n)
	var at []uint64
	for i := 0; i < len(pairs); {
		j := i
		for j < len(pairs) && pairs[j] == pairs[i] {
			j++
		}
		at = append(at, pairs[i])
		counts = append(counts, float64(j-i))
		sum[pairs[i]>>32] += float64(j - i)
		i = j
	}
	var total float64
	share := make([]float64, n)
	for i, s := range sum {
		share[i] = math.Pow(s, contextSmooth)
		total += share[i]
	}
	for i, p := range at {
		a, b := p>>32, p&math.MaxUint32
		if pmi := math.Log(counts[i] * total / (sum[a] * share[b])); pmi > 0 {
			m.column = append(m.column, int32(b))
			m.value = append(m.value, pmi)
			m.start[a+1]++
		}
	}
	for i := range n {
		m.start[i+1] += m.start[i]
	}
	return m
}

// dense is a matrix of k columns by rows.
type dense struct {
	n, k int
	v    []float64
}

func newDense(n, k int) *dense { return &dense{n: n, k: k, v: make([]float64, n*k)} }

// times sets y = m·q, or mᵀ·q.
func (m *sparse) times(q, y *dense, transposed bool) {
	clear(y.v)
	k := q.k
	for i := range q.n {
		for at := m.start[i]; at < m.start[i+1]; at++ {
			from, to := int(m.column[at]), i
			if transposed {
				from, to = to, from
			}
			addTo(y.v[to*k:(to+1)*k], m.value[at], q.v[from*k:(from+1)*k])
		}
	}
}

// gram returns dᵀ·d.
func (d *dense) gram() *dense {
	g := newDense(d.k, d.k)
	for i := range d.n {
		row := d.v[i*d.k : (i+1)*d.k]
		for a, x := range row {
			addTo(g.v[a*d.k:(a+1)*d.k], x, row)
		}
	}
	return g
}

// dependent is the share of a column's square beyond which it is more than rounding.
const dependent = 1e-12

// orthonormalise makes the columns orthonormal by the Cholesky factor of dᵀ·d, twice, because once is not exact enough (Yamamoto et
// al., "Roundoff error analysis of the CholeskyQR2 algorithm", 2015). A column that depends on those before it becomes zero.
func (d *dense) orthonormalise() {
	for range 2 {
		g := d.gram()
		k := d.k
		for i := range k {
			for j := range i + 1 {
				sum := g.v[i*k+j] - dot(g.v[i*k:i*k+j], g.v[j*k:j*k+j])
				switch {
				case i != j && g.v[j*k+j] > 0:
					g.v[i*k+j] = sum / g.v[j*k+j]
				case i == j && sum > dependent*g.v[i*k+i]:
					g.v[i*k+i] = math.Sqrt(sum)
				default:
					g.v[i*k+j] = 0
				}
			}
		}
		for r := range d.n { // row = row · L⁻ᵀ
			row := d.v[r*k : (r+1)*k]
			for i := range k {
				if g.v[i*k+i] == 0 {
					row[i] = 0
					continue
				}
				row[i] = (row[i] - dot(row[:i], g.v[i*k:i*k+i])) / g.v[i*k+i]
			}
		}
	}
}

// eigen returns the eigenvalues of a symmetric matrix, greatest first, and its eigenvectors as columns, by Jacobi's cyclic rotations
// (Golub and Van Loan, "Matrix Computations", 4th ed., section 8.5).
func eigen(a *dense) ([]float64, *dense) {
	k := a.k
	v := newDense(k, k)
	for i := range k {
		v.v[i*k+i] = 1
	}
	for range 30 {
		var off, on float64
		for i := range k {
			for j := range k {
				if i == j {
					on += a.v[i*k+j] * a.v[i*k+j]
				} else {
					off += a.v[i*k+j] * a.v[i*k+j]
				}
			}
		}
		if off <= 1e-24*on {
			break
		}
		for p := range k {
			for q := p + 1; q < k; q++ {
				if apq := a.v[p*k+q]; apq != 0 {
					rotate(a, v, p, q)
				}
			}
		}
	}
	order := make([]int, k)
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(x, y int) int {
		switch dx, dy := a.v[x*k+x], a.v[y*k+y]; {
		case dx > dy:
			return -1
		case dx < dy:
			return 1
		default:
			return 0
		}
	})
	values, sorted := make([]float64, k), newDense(k, k)
	for to, from := range order {
		values[to] = a.v[from*k+from]
		for i := range k {
			sorted.v[i*k+to] = v.v[i*k+from]
		}
	}
	return values, sorted
}

// rotate makes a[p][q] zero.
func rotate(a, v *dense, p, q int) {
	k := a.k
	tau := (a.v[q*k+q] - a.v[p*k+p]) / (2 * a.v[p*k+q])
	t := 1 / (math.Abs(tau) + math.Sqrt(1+tau*tau))
	if tau < 0 {
		t = -t
	}
	c := 1 / math.Sqrt(1+t*t)
	s := t * c
	for i := range k {
		x, y := a.v[i*k+p], a.v[i*k+q]
		a.v[i*k+p], a.v[i*k+q] = c*x-s*y, s*x+c*y
	}
	for i := range k {
		x, y := a.v[p*k+i], a.v[q*k+i]
		a.v[p*k+i], a.v[q*k+i] = c*x-s*y, s*x+c*y
	}
	for i := range k {
		x, y := v.v[i*k+p], v.v[i*k+q]
		v.v[i*k+p], v.v[i*k+q] = c*x-s*y, s*x+c*y
	}
}
