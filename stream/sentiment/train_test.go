package sentiment

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"otklik/stream"
)

// ownSettings train on files that ownFiles writes.
const ownSettings = `
optimiser: {penalty: 1, iterations: 40, tolerance: 2.0e-3, memory: 8, min_posts: 2}
vectors: {dimensions: 4, window: 5, min_posts: 3, rounds: 2, seed: 7}
languages:
  - {lang: ru, lexicons: [lexicon.tsv.gz]}
files:
  - {file: ru.tsv, lang: ru, name: Russian, boundary: 500, periods: [old, new], licence: own}
  - {file: ru_open.tsv, lang: ru, name: Russian without labels, licence: own}
  - {file: en.tsv.gz, lang: en, name: English, licence: own}
parts:
  - {name: Russian, lang: ru, balance: 1, smooth: 0.1, sources: {ru.tsv: 1}, pseudo: {ru_open.tsv: 0.5}}
  - {name: English, lang: en, company: true, balance: 0.5, softmax: true, evidence: 0.5, min_posts: 1, sources: {en.tsv.gz: 1}}
`

// ownRows makes texts of our own words: a mood word among filler.
func ownRows(lang string, n int, seed uint64) []Row {
	r := rand.New(rand.NewPCG(seed, 1))
	words := map[string]map[stream.Label][]string{
		"ru": {
			stream.Positive: {"отлично", "спасибо", "радует", "обожаю", "👍"},
			stream.Negative: {"ужасно", "ненавижу", "бесит", "позор", "👎"},
			stream.Neutral:  {"открыли", "сообщили", "тариф", "отчёт", "📰"},
		},
		"en": {
			stream.Positive: {"great", "thanks", "lovely", "awesome", "👍"},
			stream.Negative: {"awful", "hate", "broken", "shame", "👎"},
			stream.Neutral:  {"opened", "reported", "tariff", "agenda", "📰"},
		},
	}
	fill := map[string][]string{
		"ru": {"сегодня", "связь", "город", "вечером", "дома", "опять"},
		"en": {"today", "the", "signal", "town", "evening", "again"},
	}
	labels := []stream.Label{stream.Positive, stream.Neutral, stream.Negative}
	rows := make([]Row, 0, n)
	for i := range n {
		label := labels[r.IntN(3)]
		text := fmt.Sprintf("%s %s %s", fill[lang][r.IntN(6)], words[lang][label][r.IntN(5)], fill[lang][r.IntN(6)])
		rows = append(rows, Row{ID: fmt.Sprint("own-", i), Lang: lang, Text: text, Label: label})
	}
	return rows
}

// ownFiles writes a small corpus of our own into a folder.
func ownFiles(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	write := func(name, text string) {
		var b bytes.Buffer
		if strings.HasSuffix(name, ".gz") {
			z := gzip.NewWriter(&b)
			_, _ = z.Write([]byte(text))
			_ = z.Close()
		} else {
			b.WriteString(text)
		}
		if err := os.WriteFile(filepath.Join(dir, name), b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	table := func(rows []Row, labelled bool) string {
		var b strings.Builder
		b.WriteString("id\tlang\ttarget\tlabel\ttext\n")
		for _, r := range rows {
			label := ""
			if labelled {
				label = r.Label.String()
			}
			fmt.Fprintf(&b, "%s\t%s\t\t%s\t%s\n", r.ID, r.Lang, label, r.Text)
		}
		return b.String()
	}
	write("ru.tsv", table(ownRows("ru", 700, 1), true))
	write("ru_open.tsv", table(ownRows("ru", 300, 2), false))
	write("en.tsv.gz", table(ownRows("en", 900, 3), true))
	write("lexicon.tsv.gz", "term\tscore\nотличный\t3\nужасный\t-3.5\n:)\t4\n")
	return dir
}

func ownTraining(t *testing.T, dir string) *Training {
	t.Helper()
	set, err := ParseSettings([]byte(ownSettings))
	if err != nil {
		t.Fatal(err)
	}
	out, err := Train(t.Context(), dir, set, func(string, float64) {})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestTrainLearnsAndRepeats(t *testing.T) {
	dir := ownFiles(t)
	a, b := ownTraining(t, dir), ownTraining(t, dir)
	if !bytes.Equal(a.Model.Encode(), b.Model.Encode()) {
		t.Error("the same files gave two models")
	}
	for _, lang := range languageCodes {
		report, err := Evaluate(a.Model, ownRows(lang, 400, 9))
		if err != nil {
			t.Fatal(err)
		}
		if report.Accuracy < 0.95 {
			t.Errorf("%s: accuracy %.3f on words that were learnt", lang, report.Accuracy)
		}
		if i := report.Intervals.Accuracy; i.Low > report.Accuracy || i.High < report.Accuracy {
			t.Errorf("%s: the accuracy %.3f is not in its interval %v", lang, report.Accuracy, i)
		}
	}
	var names []string
	for _, h := range a.Held {
		names = append(names, h.Name)
	}
	if got := strings.Join(names, "; "); got != "Russian, old; Russian, new; English" {
		t.Errorf("held out: %s", got)
	}
	card, err := a.Card([]HardScore{{"irony", 1, 2}})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{a.Model.Name(), "`ru.tsv`", "| irony | 1 | 2 | 50.0 |", "Russian, new", "| English | negative |"} {
		if !strings.Contains(string(card), want) {
			t.Errorf("the card has no %q", want)
		}
	}
	set, err := ParseSettings([]byte(ownSettings))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Train(ctx, dir, set, func(string, float64) {}); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled training ended with %v", err)
	}
	if _, err := ValidateWith(t.Context(), t.TempDir(), set, func(string, float64) {}); err == nil || !strings.Contains(err.Error(), "ru.tsv") {
		t.Errorf("a folder without files: %v", err)
	}
}

// TestShippedModelIsReproduced trains the shipped model again. It takes minutes and the real training files.
func TestShippedModelIsReproduced(t *testing.T) {
	dir := os.Getenv("OTKLIK_SENTIMENT_DATA")
	if dir == "" {
		t.Skip("set OTKLIK_SENTIMENT_DATA to the folder of the training files to train the shipped model again")
	}
	set, err := DefaultSettings()
	if err != nil {
		t.Fatal(err)
	}
	training, err := Train(t.Context(), dir, set, func(step string, done float64) {
		if done == 1 {
			t.Log(step)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(training.Model.Encode(), shipped) {
		t.Errorf("the files give %s, shipped is another model: train it and commit it with the settings", training.Model.Name())
	}
}

func TestByLanguage(t *testing.T) {
	counts := func(n int) *Report {
		return &Report{Rows: 6 * n, Confusion: [classes][classes]int{{n, n, 0}, {0, 2 * n, 0}, {n, 0, n}}}
	}
	got := byLanguage([]Validation{{"a", "en", counts(1)}, {"b", "en", counts(10)}})
	if len(got) != 1 || got[0].Name != "English" || got[0].Report.Rows != 66 || got[0].Report.Confusion[neutral][neutral] != 22 {
		t.Fatalf("by language: %+v", got)
	}
	if k := got[0].Report.Classes[positive]; k.Precision != 0.5 || k.Recall != 0.5 {
		t.Errorf("positive: %+v, want precision and recall of one half", k)
	}
}

func TestSettingsFaults(t *testing.T) {
	for text, want := range map[string]string{
		"unknown: 1": "unknown",
		strings.Replace(ownSettings, "penalty: 1", "penalty: 0", 1):                    "penalty",
		strings.Replace(ownSettings, "periods: [old, new]", "periods: [old]", 1):       "two periods",
		strings.Replace(ownSettings, "sources: {ru.tsv: 1}", "sources: {x.tsv: 1}", 1): "x.tsv",
		strings.Replace(ownSettings, "smooth: 0.1", "smooth: 1", 1):                    "smoothing",
		strings.Replace(ownSettings, "{lang: ru, lex", "{lang: de, lex", 1):            `"de"`,
	} {
		if _, err := ParseSettings([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("settings with a fault: %v, want %s", err, want)
		}
	}
}

func TestWithout(t *testing.T) {
	set, err := DefaultSettings()
	if err != nil {
		t.Fatal(err)
	}
	if err := set.Without("en_airline_train.tsv"); err != nil {
		t.Error(err)
	}
	if err := set.check(); err != nil {
		t.Error(err)
	}
	for i := range set.Parts {
		if _, ok := set.Parts[i].Sources["en_airline_train.tsv"]; ok {
			t.Errorf("%s still learns from it", set.Parts[i].Name)
		}
	}
	for file, want := range map[string]string{"nothing.tsv": "ru_rusentitweet_train.tsv", "en_crowdflower_brands.tsv": "English, about a brand"} {
		if err := set.Without(file); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", file, err, want)
		}
	}
}

// ownCorpus reads the own files.
func ownCorpus(t *testing.T) *corpus {
	t.Helper()
	set, err := ParseSettings([]byte(ownSettings))
	if err != nil {
		t.Fatal(err)
	}
	c, err := readCorpus(t.Context(), ownFiles(t), set, func(string, float64) {})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestGradient compares the gradient with differences of the loss, word vectors included.
func TestGradient(t *testing.T) {
	for name, softmax := range map[string]bool{"each against the rest": false, "softmax": true} {
		t.Run(name, func(t *testing.T) { gradient(t, softmax) })
	}
}

func gradient(t *testing.T, softmax bool) {
	t.Helper()
	c := ownCorpus(t)
	posts := c.posts[:40]
	f := newFrequencies(posts, 1)
	cols := newColumns(f)
	p := &problem{samples: samplesOf(posts, f, cols), rows: cols.n, penalty: 1, softmax: softmax}
	p.vectors = c.vectors[langRussian]
	if len(p.vectors.list) == 0 {
		t.Fatal("no word vectors")
	}
	p.vector = vectorRows(p.vectors, posts, cols)
	for i := range p.samples {
		p.samples[i].label(posts[i].label, 0)
		p.samples[i].weight = 1 + float64(i%3)
		if i%4 == 0 {
			p.samples[i].target = [classes]float64{0.2, 0.5, 0.3}
		}
	}
	p.whole = make([]float64, classes*(p.rows+1))
	for i := range p.grads {
		p.grads[i] = make([]float64, len(p.whole))
	}
	r := rand.New(rand.NewPCG(5, 6))
	n := p.parameters()
	w, grad, scrap := make([]float64, n), make([]float64, n), make([]float64, n)
	for i := range w {
		w[i] = r.NormFloat64() / 10
	}
	p.loss(w, grad)
	checks := []int{len(p.whole) - 1, len(p.whole) - 3, n - 1, n - 5}
	for _, b := range p.samples[0].index[:10] {
		checks = append(checks, int(b)*classes, int(b)*classes+1)
	}
	for _, i := range checks {
		const h = 1e-5
		old := w[i]
		w[i] = old + h
		up := p.loss(w, scrap)
		w[i] = old - h
		down := p.loss(w, scrap)
		w[i] = old
		if d := (up - down) / (2 * h); math.Abs(d-grad[i]) > 1e-4*(1+math.Abs(d)) {
			t.Errorf("parameter %d: gradient %v, difference %v", i, grad[i], d)
		}
	}
}

// TestSamplesEqualLogits: what is trained is what is computed, but for the rounding of the weights.
func TestSamplesEqualLogits(t *testing.T) {
	c := ownCorpus(t)
	posts := c.posts[:200]
	f := newFrequencies(posts, 1)
	cols := newColumns(f)
	weights := make([]float64, len(posts))
	for i := range weights {
		weights[i] = 1
	}
	cols.weighEvidence(posts, weights, 0.5)
	samples := samplesOf(posts, f, cols)
	r := rand.New(rand.NewPCG(5, 6))
	w := make([]float64, classes*(cols.n+1))
	for i := range w {
		w[i] = r.Float64() - 0.5
	}
	p := quantise(w, f, cols)
	p.lexicon = c.lexicons[langRussian]
	var s Scratch
	for i, post := range posts {
		s.tokens.read(post.row.Text, Target{})
		want, got := samples[i].logits(w), p.logits(&s)
		for k := range classes {
			if math.Abs(want[k]-float64(got[k])) > 0.05 {
				t.Errorf("%q class %d: %v, from the sample %v", post.row.Text, k, got[k], want[k])
			}
		}
	}
}

func TestLexicon(t *testing.T) {
	l, err := readLexicons(ownFiles(t), []string{"lexicon.tsv.gz"})
	if err != nil {
		t.Fatal(err)
	}
	var s stemmer
	for word, want := range map[string]int8{"отличного": 90, "ужасные": -105, "связь": 0} {
		if got := l.score(s.stemOf(word))[0]; got != want {
			t.Errorf("the score of %s is %d, want %d", word, got, want)
		}
	}
	var tok tokens
	tok.read("да :)", Target{})
	if got := l.score(tok.list[1].hash)[0]; got != 120 {
		t.Errorf("the score of a smile is %d", got)
	}
}

// TestEigen: eigenvectors times eigenvalues are the matrix again.
func TestEigen(t *testing.T) {
	const k = 12
	r := rand.New(rand.NewPCG(3, 4))
	d := newDense(30, k)
	for i := range d.v {
		d.v[i] = r.NormFloat64()
	}
	want := d.gram()
	values, v := eigen(d.gram())
	for i := range k {
		for j := range k {
			var sum float64
			for x := range k {
				sum += v.v[i*k+x] * values[x] * v.v[j*k+x]
			}
			if math.Abs(sum-want.v[i*k+j]) > 1e-9 {
				t.Fatalf("element %d, %d is %v, want %v", i, j, sum, want.v[i*k+j])
			}
		}
	}
	d.orthonormalise()
	for i, x := range d.gram().v {
		want := 0.0
		if i%(k+1) == 0 {
			want = 1
		}
		if math.Abs(x-want) > 1e-12 {
			t.Fatalf("the product of columns %d and %d is %v", i/k, i%k, x)
		}
	}
}

// TestCalibrate: probabilities that say too much are brought down to how often they are right, and stay in order.
func TestCalibrate(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 9))
	points := make([]calibrationPoint, 20000)
	for i := range points {
		points[i].weight = 1
		for c := range classes {
			points[i].logits[c] = float32(6 * r.NormFloat64())
		}
		p := softmax(points[i].logits, 4) // the truth is four times less sure
		x := r.Float32()
		for points[i].label = 0; points[i].label < classes-1 && x > p[points[i].label]; points[i].label++ {
			x -= p[points[i].label]
		}
	}
	k := calibrate(points)
	if math.Abs(float64(k.temperature)-4) > 0.2 {
		t.Errorf("the temperature is %v, want 4", k.temperature)
	}
	rows := make([]judged, len(points))
	for i := range points {
		p := k.probabilities(points[i].logits)
		best := largest(p)
		if best != largest(points[i].logits) || math.Abs(float64(p[0]+p[1]+p[2])-1) > 1e-5 {
			t.Fatalf("the probabilities of %v are %v", points[i].logits, p)
		}
		rows[i] = judged{truth: uint8(points[i].label), given: uint8(best), labelled: true, confidence: p[best]}
	}
	if e := calibrationError(rows); e > 0.02 {
		t.Errorf("calibration error %.3f", e)
	}
}

func TestMinimise(t *testing.T) {
	// A narrow valley: f = Σ k (x_k − k)².
	f := func(w, grad []float64) float64 {
		var sum float64
		for i := range w {
			k := float64(i + 1)
			sum += k * (w[i] - k) * (w[i] - k)
			grad[i] = 2 * k * (w[i] - k)
		}
		return sum
	}
	start := f(make([]float64, 20), make([]float64, 20))
	w, err := minimise(context.Background(), f, make([]float64, 20), &OptimiserSettings{Iterations: 40, Tolerance: 2e-3, Memory: 8}, func(float64) {})
	if err != nil {
		t.Fatal(err)
	}
	if end := f(w, make([]float64, 20)); end > start*1e-4 {
		t.Errorf("the value went from %v to %v only", start, end)
	}
}

func TestReadRows(t *testing.T) {
	const header = "id\tlang\ttarget\tlabel\ttext\n"
	rows, err := ReadRows(strings.NewReader(header + "1\tru\tmts\tnegative\tплохо\tочень\n2\tru\t\t\tбез метки\n"))
	if err != nil || len(rows) != 1 || rows[0].Text != "плохо\tочень" || rows[0].Label != stream.Negative {
		t.Errorf("rows %+v, %v", rows, err)
	}
	if marked, err := ReadRows(strings.NewReader("\ufeff" + header + "1\ten\t\tpositive\tgood\r\n")); err != nil || len(marked) != 1 || marked[0].Text != "good" {
		t.Errorf("with a byte order mark: %+v, %v", marked, err)
	}
	for text, want := range map[string]string{
		"id text\n":                           "line 1",
		header + "1\tru\n":                    "line 2 has 2 columns",
		header + "1\t\t\tbad\t":               `line 2: the label "bad"`,
		header + strings.Repeat("x", maxLine): "line 2 is longer",
	} {
		if _, err := ReadRows(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ReadRows(%.80q): %v, want %s", text, err, want)
		}
	}
}

// fixed is a classifier that answers what the text says.
type fixed struct{}

func (fixed) Name() string { return "fixed" }

func (fixed) Classify(text, _ string, _ Target, _ *Scratch) (stream.Label, stream.Scores) {
	switch text[0] {
	case '+':
		return stream.Positive, stream.Scores{Positive: 1}
	case '-':
		return stream.Negative, stream.Scores{Negative: 1}
	case '0':
		return stream.Neutral, stream.Scores{Neutral: 1}
	}
	return stream.Unlabelled, stream.Scores{}
}

func TestEvaluate(t *testing.T) {
	var rows []Row
	add := func(n int, label stream.Label, text string) {
		for range n {
			rows = append(rows, Row{Label: label, Text: text})
		}
	}
	add(3, stream.Positive, "+")
	add(1, stream.Positive, "-")
	add(4, stream.Negative, "-")
	add(2, stream.Negative, "?") // unlabelled counts as neutral
	add(5, stream.Neutral, "0")
	add(1, stream.Neutral, "+")
	r, err := Evaluate(fixed{}, rows)
	if err != nil {
		t.Fatal(err)
	}
	// Positive: 3 of 4 given, 3 of 4 true. Negative: 4 of 5 given, 4 of 6 true. Neutral: 5 of 7 given, 5 of 6 true.
	for name, v := range map[string][2]float64{
		"macro_f1_pn":  {r.MacroF1PN, (0.75 + 8.0/11) / 2},
		"micro_f1_pn":  {r.MicroF1PN, 14.0 / 19},
		"macro_f1":     {r.MacroF1, (0.75 + 8.0/11 + 10.0/13) / 3},
		"macro_recall": {r.MacroRecall, (0.75 + 4.0/6 + 5.0/6) / 3},
		"accuracy":     {r.Accuracy, 12.0 / 16},
		"coverage":     {r.Coverage, 14.0 / 16},
		"ece":          {r.ECE, 2.0 / 14},
	} {
		if math.Abs(v[0]-v[1]) > 1e-9 {
			t.Errorf("%s = %v, want %v", name, v[0], v[1])
		}
	}
}
