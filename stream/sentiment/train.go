package sentiment

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"

	"golang.org/x/sync/errgroup"

	"otklik/stream"
)

// source is a training file with the weight of its rows.
type source struct {
	file   string
	lang   language
	weight float32
	// group names rows that are balanced together: their classes weigh alike within the group.
	group string
}

// sources are the files of the shipped model. Each weight was chosen by training on one period of the telecom file and
// validating on the other (see Validate).
var sources = []source{
	{"ru_sentirueval2016_telecom_train.tsv", langRussian, 1, "company"},
	{"ru_sentirueval2016_banks_train.tsv", langRussian, 0.3, "company"},
	{"ru_rusentitweet_train.tsv", langRussian, 0.5, "general"},
	{"en_semeval2013_2016_train.tsv.gz", langEnglish, 1, "general"},
	{"en_airline_train.tsv", langEnglish, 1, "company"},
	{"en_crowdflower_brands.tsv", langEnglish, 0.3, "company"},
}

// Settings of the optimiser.
const (
	penalty    = 1.0 // L2, on the sum of the row losses
	iterations = 40
	tolerance  = 2e-3 // of the gradient's norm, relative to the first
	memory     = 8    // of L-BFGS
	shards     = 4    // fixed: sums of floats depend on their order, and the model must not depend on the machine's cores
	minRows    = 2    // a bucket that fewer rows use gets no weight
)

// sample is a row as the optimiser sees it.
type sample struct {
	index  []int32
	value  []float32
	label  int
	weight float64
}

// Train reads the training files of dir and returns the model. The result depends on the files alone (on one processor
// architecture, byte for byte). progress is called now and then with what is being done and how much of it (0 … 1).
func Train(ctx context.Context, dir string, progress func(step string, done float64)) (*Model, error) {
	rows, err := readSources(dir)
	if err != nil {
		return nil, fmt.Errorf("train the sentiment model: %w", err)
	}
	m, err := train(ctx, rows, progress)
	if err != nil {
		return nil, fmt.Errorf("train the sentiment model: %w", err)
	}
	return m, nil
}

// trainingRow is a row with its source.
type trainingRow struct {
	Row
	source *source
}

func readSources(dir string) ([]trainingRow, error) {
	var all []trainingRow
	for i := range sources {
		rows, err := ReadFile(filepath.Join(dir, sources[i].file))
		if err != nil {
			return nil, err
		}
		for _, r := range rows {
			all = append(all, trainingRow{r, &sources[i]})
		}
	}
	return all, nil
}

// train makes a model of the rows: per language the weights from all rows, and the temperature from rows that were held out of a
// first training (every fifth of each source, in the order of the file, which is that of time).
func train(ctx context.Context, rows []trainingRow, progress func(string, float64)) (*Model, error) {
	t, err := newTargeter()
	if err != nil {
		return nil, err
	}
	m := &Model{}
	for l := range languages {
		var fit, held, all []trainingRow
		for i, r := range rows {
			if r.source.lang != l {
				continue
			}
			all = append(all, r)
			if i/200%5 == 4 { // blocks, because neighbours in the file repeat each other
				held = append(held, r)
			} else {
				fit = append(fit, r)
			}
		}
		if len(all) == 0 {
			m.parts[l] = part{weights: make([][4]int16, buckets), temperature: 1}
			continue
		}
		if len(held) == 0 {
			return nil, errors.New("too few rows to hold some out for calibration")
		}
		first, err := fitPart(ctx, samplesOf(fit, t), nil, func(done float64) { progress(languageCodes[l]+": calibration", done) })
		if err != nil {
			return nil, err
		}
		m.parts[l], err = fitPart(ctx, samplesOf(all, t), &first, func(done float64) { progress(languageCodes[l]+": weights", done) })
		if err != nil {
			return nil, err
		}
		m.parts[l].temperature = temperature(&first, held, t)
	}
	return Decode(m.Encode()) // what is measured is what is shipped
}

var classOf = map[stream.Label]int{stream.Positive: positive, stream.Neutral: neutral, stream.Negative: negative}

// samplesOf extracts the features of rows; the classes of a group are balanced by inverse frequency, so that the rare ones are
// not drowned.
func samplesOf(rows []trainingRow, t *targeter) []sample {
	type key struct {
		group string
		label int
	}
	count, total := map[key]float64{}, map[string]float64{}
	for i := range rows {
		w := float64(rows[i].source.weight)
		count[key{rows[i].source.group, classOf[rows[i].Label]}] += w
		total[rows[i].source.group] += w
	}
	samples := make([]sample, len(rows))
	var s Scratch
	for i := range rows {
		r := &rows[i]
		s.tokens.read(r.Text, t.target(&r.Row))
		s.extract()
		k := key{r.source.group, classOf[r.Label]}
		samples[i] = sampleOf(&s.features)
		samples[i].label = k.label
		samples[i].weight = float64(r.source.weight) * total[k.group] / (classes * count[k])
	}
	return samples
}

// sampleOf gathers the features of one text: sorted buckets with their values, which must equal what part.logits sums.
func sampleOf(f *features) sample {
	type cell struct {
		bucket int32
		value  float32
	}
	var cells []cell
	for block, list := range f {
		v := norm(block, max(len(list), 1))
		for _, b := range list {
			cells = append(cells, cell{int32(b), v})
		}
	}
	slices.SortStableFunc(cells, func(a, b cell) int { return cmp.Compare(a.bucket, b.bucket) })
	var out sample
	for _, c := range cells {
		if n := len(out.index); n > 0 && out.index[n-1] == c.bucket {
			out.value[n-1] += c.value
			continue
		}
		out.index = append(out.index, c.bucket)
		out.value = append(out.value, c.value)
	}
	return out
}

// problem is the training of one part: a weighted multinomial logistic regression.
type problem struct {
	samples []sample
	scale   []float32 // by bucket: inverse document frequency, 0 for rare buckets
	grads   [shards][]float64
}

// size of the parameter vector: a row of classes per bucket, and the biases.
const parameters = classes * (buckets + 1)

// fitPart trains one part, from another one if given, which saves time. progress gets the share of the iterations done.
func fitPart(ctx context.Context, samples []sample, from *part, progress func(float64)) (part, error) {
	p := &problem{samples: samples, scale: make([]float32, buckets)}
	rows := make([]int, buckets)
	for i := range samples {
		for _, b := range samples[i].index {
			rows[b]++
		}
	}
	for b, n := range rows {
		if n >= minRows {
			p.scale[b] = float32(math.Log(float64(len(samples)+1)/float64(n+1))+1) / 4
		}
	}
	for i := range samples {
		for j, b := range samples[i].index {
			samples[i].value[j] *= p.scale[b]
		}
	}
	for i := range p.grads {
		p.grads[i] = make([]float64, parameters)
	}
	start := make([]float64, parameters)
	if from != nil {
		for b := range buckets {
			for c := range classes {
				if p.scale[b] > 0 {
					start[b*classes+c] = float64(from.weights[b][c]) * float64(from.scale[c]) / float64(p.scale[b])
				}
			}
		}
		for c := range classes {
			start[classes*buckets+c] = float64(from.bias[c])
		}
	}
	w, err := minimise(ctx, p.loss, start, progress)
	if err != nil {
		return part{}, err
	}
	return quantise(w, p.scale), nil
}

// loss returns the penalised loss of the parameters w and puts its gradient into grad.
func (p *problem) loss(w, grad []float64) float64 {
	var losses [shards]float64
	var group errgroup.Group
	for k := range shards {
		group.Go(func() error {
			g := p.grads[k]
			clear(g)
			from, to := len(p.samples)*k/shards, len(p.samples)*(k+1)/shards
			for i := from; i < to; i++ {
				losses[k] += p.samples[i].loss(w, g)
			}
			return nil
		})
	}
	_ = group.Wait() // the shards return no error
	var sum float64
	for k := range shards {
		sum += losses[k]
	}
	for i := range grad {
		var g float64
		for k := range shards {
			g += p.grads[k][i]
		}
		if i < classes*buckets { // the biases go free
			g += penalty * w[i]
			sum += penalty / 2 * w[i] * w[i]
		}
		grad[i] = g
	}
	return sum
}

// loss adds the gradient of one sample to g and returns its loss.
func (s *sample) loss(w, g []float64) float64 {
	const bias = classes * buckets
	z := [classes]float64{w[bias], w[bias+1], w[bias+2]}
	for j, b := range s.index {
		v, at := float64(s.value[j]), int(b)*classes
		row := w[at : at+classes : at+classes]
		z[0] += v * row[0]
		z[1] += v * row[1]
		z[2] += v * row[2]
	}
	top := max(z[0], z[1], z[2])
	var d [classes]float64
	var sum float64
	for c := range d {
		d[c] = math.Exp(z[c] - top)
		sum += d[c]
	}
	loss := s.weight * (math.Log(sum) + top - z[s.label])
	for c := range d {
		d[c] *= s.weight / sum
	}
	d[s.label] -= s.weight
	for j, b := range s.index {
		v, at := float64(s.value[j]), int(b)*classes
		row := g[at : at+classes : at+classes]
		row[0] += v * d[0]
		row[1] += v * d[1]
		row[2] += v * d[2]
	}
	for c := range d {
		g[bias+c] += d[c]
	}
	return loss
}

// quantise turns the parameters into rows of int16, the document frequencies folded in.
func quantise(w []float64, scale []float32) part {
	p := part{weights: make([][4]int16, buckets), temperature: 1}
	for c := range classes {
		var top float64
		for b := range buckets {
			top = max(top, math.Abs(w[b*classes+c]*float64(scale[b])))
		}
		unit := max(top, 1e-9) / math.MaxInt16
		for b := range buckets {
			p.weights[b][c] = int16(math.Round(w[b*classes+c] * float64(scale[b]) / unit))
		}
		p.scale[c] = float32(unit)
		p.bias[c] = float32(w[classes*buckets+c])
	}
	return p
}

// temperature returns the divisor of the logits under which the held-out rows are likeliest (Guo et al., "On Calibration of
// Modern Neural Networks", 2017), found by golden section.
func temperature(p *part, rows []trainingRow, t *targeter) float32 {
	var s Scratch
	logits := make([][classes]float32, len(rows))
	for i := range rows {
		s.tokens.read(rows[i].Text, t.target(&rows[i].Row))
		s.extract()
		logits[i] = p.logits(&s.features)
	}
	loss := func(logT float64) float64 {
		var sum float64
		for i := range rows {
			q := softmax(logits[i], float32(math.Exp(logT)))
			sum -= float64(rows[i].source.weight) * math.Log(max(float64(q[classOf[rows[i].Label]]), 1e-9))
		}
		return sum
	}
	const golden = 0.6180339887498949
	lo, hi := math.Log(0.2), math.Log(5)
	for hi-lo > 1e-3 {
		a, b := hi-golden*(hi-lo), lo+golden*(hi-lo)
		if loss(a) < loss(b) {
			hi = b
		} else {
			lo = a
		}
	}
	return float32(math.Exp((lo + hi) / 2))
}
