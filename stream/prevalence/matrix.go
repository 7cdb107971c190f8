// Package prevalence estimates the true shares of positive, neutral and negative mentions from the labels of a classifier that errs in a
// known way, with intervals that hold both the noise of the counts and what is not known of the errors.
package prevalence

import "math"

// classes is the number of labels; they stand in the order positive, neutral, negative everywhere in this package.
const classes = 3

// Counts are numbers of texts by label: positive, neutral, negative.
type Counts [classes]int64

// Total returns the number of texts.
func (c Counts) Total() int64 { return c[0] + c[1] + c[2] }

// Set is the confusion counts of a classifier on one set of labelled texts that it was not trained on.
type Set struct {
	Name   string          `json:"name"`   // which texts
	Counts [classes]Counts `json:"counts"` // by true label, then by the label given
}

// Table is what is known of the errors of a classifier: for each true label the numbers of texts by the label given. The numbers
// need not be whole: texts that say less than others count as less than one.
type Table [classes][classes]float64

// Pool makes one table of sets of different origin. A classifier errs differently on every kind of text (the recall of a class differs
// between sets by far more than chance), and the mentions of today are one more kind. So the row of a true label is taken as a draw
// from a distribution of rows: its mean is estimated from all sets, its spread between sets by the method of moments, and the
// row is given as many texts as a simple sample would need to be as uncertain about the *next* set:
//
//	w = n ÷ (1 + (n − 1)·ρ) for a set of n texts,   m = 1 ÷ (ρ + 1 ÷ Σw)
//
// with ρ the correlation of two texts of the same set (J. C. Kleinman, "Proportions with extraneous variance: single and
// independent samples", JASA 68 (1973), 46–54; for several classes J. E. Mosimann, "On the compound multinomial distribution",
// Biometrika 49 (1962), 65–82). Sets that agree add up to their sum; sets that disagree are worth few texts, however large they are.
func Pool(sets []Set) Table {
	var t Table
	for i := range t {
		t[i] = poolRow(sets, i)
	}
	return t
}

func poolRow(sets []Set, row int) [classes]float64 {
	var sum [classes]float64
	total, used := 0.0, 0
	for s := range sets {
		n := float64(sets[s].Counts[row].Total())
		if n <= 0 {
			continue
		}
		used++
		total += n
		for k, c := range sets[s].Counts[row] {
			sum[k] += float64(c)
		}
	}
	if used < 2 {
		return sum
	}
	// Pearson's statistic of the sets against their sum; its expectation grows with ρ.
	chi, spread := 0.0, 0.0
	columns := 0
	for k := range sum {
		if sum[k] > 0 {
			columns++
		}
	}
	for s := range sets {
		n := float64(sets[s].Counts[row].Total())
		if n <= 0 {
			continue
		}
		for k, c := range sets[s].Counts[row] {
			if sum[k] > 0 {
				expected := n * sum[k] / total
				chi += (float64(c) - expected) * (float64(c) - expected) / expected
			}
		}
		spread += (1 - n/total) * (n - 1)
	}
	rho := 0.0
	if columns > 1 && spread > 0 {
		rho = min(max(chi/float64(columns-1)-float64(used-1), 0)/spread, 1)
	}
	var mean [classes]float64
	weights := 0.0
	for s := range sets {
		n := float64(sets[s].Counts[row].Total())
		if n <= 0 {
			continue
		}
		w := n / (1 + (n-1)*rho)
		weights += w
		for k, c := range sets[s].Counts[row] {
			mean[k] += w * float64(c) / n
		}
	}
	worth := 1 / (rho + 1/weights)
	for k := range mean {
		mean[k] *= worth / weights
	}
	return mean
}

// Add returns the table with the texts of o added to those of t: of the two, the one with more texts counts more.
func (t Table) Add(o Table) Table {
	for i := range t {
		for k := range t[i] {
			t[i][k] += o[i][k]
		}
	}
	return t
}

// Matrix is a confusion matrix, ready to adjust counts. It is immutable.
type Matrix struct {
	name    string
	given   [classes][classes]float64 // share of label k given to texts whose true label is i
	smooth  [classes][classes]float64 // the same with half a text more in every cell: for variances only
	worth   [classes]float64          // number of texts behind a row; +Inf: known exactly
	inverse [classes][classes]float64 // of given: true shares = observed shares · inverse
	usable  bool
}

// minDeterminant is the least determinant of a usable matrix: at 0 the labels say nothing about at least one class, at 1 everything.
const minDeterminant = 0.05

// minTexts is the least number of texts behind a row of a usable matrix.
const minTexts = 5

// NewMatrix returns the matrix of the table under a name that tells whoever reads an adjusted share what it was adjusted by. A table
// that says nothing about some class gives a matrix that adjusts nothing: every estimate from it is WeakMatrix.
func NewMatrix(name string, t Table) *Matrix {
	m := &Matrix{name: name, usable: true}
	for i, row := range t {
		total := 0.0
		for _, n := range row {
			if n < 0 || math.IsNaN(n) || math.IsInf(n, 0) {
				return &Matrix{name: name}
			}
			total += n
		}
		if total < minTexts {
			return &Matrix{name: name}
		}
		m.worth[i] = total
		for k, n := range row {
			m.given[i][k] = n / total
			m.smooth[i][k] = (n + 0.5) / (total + 0.5*classes)
		}
	}
	m.usable = m.invert()
	return m
}

// Perfect returns the matrix of a classifier that never errs: it leaves shares as they are, with their Wilson intervals.
func Perfect(name string) *Matrix {
	m := &Matrix{name: name}
	for i := range classes {
		m.given[i][i] = 1
		m.worth[i] = math.Inf(1)
	}
	m.smooth = m.given
	m.usable = m.invert()
	return m
}

// Name returns the name given to NewMatrix.
func (m *Matrix) Name() string { return m.name }

// Usable reports whether counts can be adjusted by the matrix at all.
func (m *Matrix) Usable() bool { return m.usable }

// Given returns the share of texts with a true label that are given each label; all 0 where the table was not usable.
func (m *Matrix) Given() [classes][classes]float64 { return m.given }

// Worth returns the number of texts behind each row, as a simple sample would have to have them.
func (m *Matrix) Worth() [classes]float64 { return m.worth }

// invert computes the inverse by cofactors and reports whether the matrix tells the classes apart.
func (m *Matrix) invert() bool {
	g := &m.given
	cofactor := func(i, k int) float64 {
		a, b := (i+1)%classes, (i+2)%classes
		c, d := (k+1)%classes, (k+2)%classes
		return g[a][c]*g[b][d] - g[a][d]*g[b][c]
	}
	determinant := 0.0
	for k := range classes {
		determinant += g[0][k] * cofactor(0, k)
	}
	if !(determinant >= minDeterminant) {
		return false
	}
	for i := range classes {
		for k := range classes {
			m.inverse[k][i] = cofactor(i, k) / determinant
		}
	}
	return true
}
