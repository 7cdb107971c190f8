package sentiment

import (
	"cmp"
	"context"
	"fmt"
	"math"

	"otklik/stream"
)

var classOf = map[stream.Label]int{stream.Positive: positive, stream.Neutral: neutral, stream.Negative: negative}

// Training is the result of Train: the model, and what was measured on the way.
type Training struct {
	Model *Model
	// Held are the figures of models that had not seen the posts' period or part of the file. The shipped model
	// has seen them all, and more than each of those models.
	Held []Validation
	// Files are the sizes of the training files.
	Files []FileSize

	settings *Settings
}

// FileSize counts the rows of a training file by label.
type FileSize struct {
	File, Licence               string
	Rows                        int
	Positive, Neutral, Negative int
}

// Train reads the training files of dir and returns the model. The result depends on the files and the settings alone (on one
// processor architecture, byte for byte). progress is called now and then with what is being done and how much of it (0 … 1).
func Train(ctx context.Context, dir string, set *Settings, progress func(step string, done float64)) (*Training, error) {
	c, err := readCorpus(ctx, dir, set, progress)
	if err != nil {
		return nil, fmt.Errorf("train the sentiment model: %w", err)
	}
	t, err := c.train(ctx, progress)
	if err != nil {
		return nil, fmt.Errorf("train the sentiment model: %w", err)
	}
	return t, nil
}

// Validate is ValidateWith the settings of the shipped model.
func Validate(ctx context.Context, dir string, progress func(step string, done float64)) ([]Validation, error) {
	set, err := DefaultSettings()
	if err != nil {
		return nil, err
	}
	return ValidateWith(ctx, dir, set, progress)
}

// ValidateWith measures the training on posts of other times than it has seen, or of other parts of the files, without making a
// model of all of them. For progress see Train.
func ValidateWith(ctx context.Context, dir string, set *Settings, progress func(step string, done float64)) ([]Validation, error) {
	c, err := readCorpus(ctx, dir, set, progress)
	if err != nil {
		return nil, fmt.Errorf("validate the sentiment model: %w", err)
	}
	held, _, err := c.crossValidate(ctx, progress)
	if err != nil {
		return nil, fmt.Errorf("validate the sentiment model: %w", err)
	}
	return held, nil
}

// train makes the model of all posts; its probabilities are calibrated on what the models of crossValidate say of posts that they
// have not seen.
func (c *corpus) train(ctx context.Context, progress func(string, float64)) (*Training, error) {
	held, calibrations, err := c.crossValidate(ctx, progress)
	if err != nil {
		return nil, err
	}
	m, err := c.fit(ctx, -1, progress)
	if err != nil {
		return nil, err
	}
	for i, p := range m.parts {
		p.calibration = calibrations[i]
	}
	t := &Training{Held: held, Files: c.sizes(), settings: c.set}
	t.Model, err = Decode(m.Encode()) // what is measured is what is shipped
	return t, err
}

// fit makes a model, uncalibrated, of the posts that are not held out in the turn; −1 holds none out.
func (c *corpus) fit(ctx context.Context, turn int, progress func(string, float64)) (*Model, error) {
	m := &Model{lexicons: c.lexicons}
	for i := range c.set.Parts {
		set := &c.set.Parts[i]
		step := set.Name
		if turn >= 0 {
			step = fmt.Sprintf("%s, turn %d of 2", set.Name, turn+1)
		}
		p, err := c.fitPart(ctx, set, turn, func(done float64) { progress(step, done) })
		if err != nil {
			return nil, err
		}
		m.parts = append(m.parts, p)
	}
	return m, m.assemble()
}

// fitPart makes one part of a model.
func (c *corpus) fitPart(ctx context.Context, set *PartSettings, turn int, progress func(float64)) (*part, error) {
	var posts []*post
	var weights []float64
	for _, p := range c.posts { // labelled ones first
		if w := set.Sources[p.file.File]; w > 0 && p.label >= 0 && (turn < 0 || p.fold != turn) {
			posts, weights = append(posts, p), append(weights, w)
		}
	}
	labelled := len(posts)
	if labelled == 0 {
		return nil, fmt.Errorf("no labelled posts for the part %q; the files of its sources must be in the folder", set.Name)
	}
	for _, p := range c.posts {
		if w := set.Pseudo[p.file.File]; w > 0 {
			posts, weights = append(posts, p), append(weights, w)
		}
	}
	f := newFrequencies(posts, cmp.Or(set.MinPosts, c.set.Optimiser.MinPosts))
	cols := newColumns(f)
	if set.Evidence > 0 {
		cols.weighEvidence(posts[:labelled], weights, set.Evidence)
	}
	samples := samplesOf(posts, f, cols)
	for i, p := range posts[:labelled] {
		samples[i].label(p.label, set.Smooth)
	}
	problem := &problem{rows: cols.n, penalty: c.set.Optimiser.Penalty, softmax: set.Softmax}
	if v := c.vectors[languageOf(set.Lang)]; v != nil && len(v.list) > 0 {
		problem.vectors, problem.vector = v, vectorRows(v, posts, cols)
	}
	share := 1.0
	if len(posts) > labelled {
		share = 0.5
	}
	problem.samples = samples[:labelled]
	balance(problem.samples, posts, weights, set.Balance)
	w, err := problem.solve(ctx, nil, &c.set.Optimiser, func(done float64) { progress(done * share) })
	if err != nil {
		return nil, err
	}
	if len(posts) > labelled {
		whole := problem.fold(w)
		for i := labelled; i < len(samples); i++ {
			samples[i].target, samples[i].weight = probabilities(samples[i].logits(whole), set.Softmax), weights[i]
		}
		problem.samples = samples
		if w, err = problem.solve(ctx, w, &c.set.Optimiser, func(done float64) { progress(share + done*share) }); err != nil {
			return nil, err
		}
	}
	p := quantise(problem.fold(w), f, cols)
	p.name, p.lang, p.company = set.Name, languageOf(set.Lang), set.Company
	return p, nil
}

// balance weighs the samples of labelled posts: each by its weight and the inverse frequency of its class in its file, because files differ in what is
// rare, to a power: 1 makes the classes of a file weigh alike.
func balance(samples []sample, posts []*post, weights []float64, power float64) {
	type group struct {
		file  *FileSettings
		label int
	}
	count := map[group]float64{}
	total := map[*FileSettings]float64{}
	for i := range samples {
		count[group{posts[i].file, posts[i].label}] += weights[i]
		total[posts[i].file] += weights[i]
	}
	whole := map[*FileSettings]float64{} // after the balancing, which must not change what a file weighs
	for i := range samples {
		f := posts[i].file
		samples[i].weight = weights[i] * math.Pow(total[f]/(classes*count[group{f, posts[i].label}]), power)
		whole[f] += samples[i].weight
	}
	for i := range samples {
		f := posts[i].file
		samples[i].weight *= total[f] / whole[f]
	}
}

// vectorRows returns the word vector of each parameter row. A bucket of several terms has that of the term that comes first.
func vectorRows(v *vectors, posts []*post, c *columns) []int32 {
	out := make([]int32, c.n)
	for i := range out {
		out[i] = -1
	}
	for _, p := range posts {
		for i, term := range p.terms {
			at, ok := v.row[term]
			row := c.of[termTable][p.buckets[termTable][i]]
			if ok && row >= 0 && out[row] < 0 {
				out[row] = int32(at)
			}
		}
	}
	return out
}

// sizes counts the rows of the files.
func (c *corpus) sizes() []FileSize {
	out := make([]FileSize, 0, len(c.set.Files))
	for i := range c.set.Files {
		f := &c.set.Files[i]
		size := FileSize{File: f.File, Licence: f.Licence}
		for _, p := range c.posts {
			if p.file != f {
				continue
			}
			size.Rows++
			switch p.label {
			case positive:
				size.Positive++
			case neutral:
				size.Neutral++
			case negative:
				size.Negative++
			}
		}
		out = append(out, size)
	}
	return out
}
