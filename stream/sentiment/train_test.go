package sentiment

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"otklik/stream"
)

// ownRows makes texts of our own words: a mood word among filler, in both languages.
func ownRows(n int) []trainingRow {
	r := rand.New(rand.NewPCG(1, 1))
	words := map[language]map[stream.Label][]string{
		langRussian: {
			stream.Positive: {"отлично", "спасибо", "радует", "обожаю"},
			stream.Negative: {"ужасно", "ненавижу", "бесит", "позор"},
			stream.Neutral:  {"открыли", "сообщили", "тариф", "отчёт"},
		},
		langEnglish: {
			stream.Positive: {"great", "thanks", "lovely", "awesome"},
			stream.Negative: {"awful", "hate", "broken", "shame"},
			stream.Neutral:  {"opened", "reported", "tariff", "agenda"},
		},
	}
	fill := map[language][]string{
		langRussian: {"сегодня", "связь", "город", "вечером", "дома", "опять"},
		langEnglish: {"today", "the", "signal", "town", "evening", "again"},
	}
	labels := []stream.Label{stream.Positive, stream.Neutral, stream.Negative}
	var rows []trainingRow
	for i := range n {
		src := &sources[(i%2)*3]
		label := labels[r.IntN(3)]
		text := fmt.Sprintf("%s %s %s", fill[src.lang][r.IntN(6)], words[src.lang][label][r.IntN(4)], fill[src.lang][r.IntN(6)])
		rows = append(rows, trainingRow{Row{ID: fmt.Sprint(i), Lang: languageCodes[src.lang], Text: text, Label: label}, src})
	}
	return rows
}

func TestTrainLearnsAndRepeats(t *testing.T) {
	rows := ownRows(3000)
	silent := func(string, float64) {}
	a, err := train(context.Background(), rows, silent)
	if err != nil {
		t.Fatal(err)
	}
	b, err := train(context.Background(), rows, silent)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(a.Encode(), b.Encode()) {
		t.Error("the same rows gave two models")
	}
	var test []Row
	for _, r := range ownRows(400) {
		test = append(test, r.Row)
	}
	report, err := Evaluate(a, test)
	if err != nil {
		t.Fatal(err)
	}
	if report.Accuracy < 0.95 {
		t.Errorf("accuracy %.3f on words that were learnt", report.Accuracy)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := train(ctx, rows, silent); err == nil {
		t.Error("a cancelled training went on")
	}
}

// TestGradient compares the gradient with differences of the loss.
func TestGradient(t *testing.T) {
	tg, err := newTargeter()
	if err != nil {
		t.Fatal(err)
	}
	var rows []trainingRow
	for _, r := range ownRows(40) {
		if r.source.lang == langRussian {
			rows = append(rows, r)
		}
	}
	p := &problem{samples: samplesOf(rows, tg)}
	for i := range p.grads {
		p.grads[i] = make([]float64, parameters)
	}
	r := rand.New(rand.NewPCG(5, 6))
	w, grad, scrap := make([]float64, parameters), make([]float64, parameters), make([]float64, parameters)
	for i := range w {
		w[i] = r.NormFloat64() / 10
	}
	p.loss(w, grad)
	checks := []int{classes * buckets, classes*buckets + 2}
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

// TestSampleEqualsLogits: what is trained is what is computed.
func TestSampleEqualsLogits(t *testing.T) {
	m := defaultModel(t)
	var s Scratch
	for _, tt := range sentences {
		s.tokens.read(tt.text, Target{})
		s.extract()
		for l := range m.parts {
			p := &m.parts[l]
			got := p.logits(&s.features)
			sample := sampleOf(&s.features)
			for c := range classes {
				want := float64(p.bias[c])
				for j, b := range sample.index {
					want += float64(sample.value[j]) * float64(p.weights[b][c]) * float64(p.scale[c])
				}
				if math.Abs(want-float64(got[c])) > 1e-3 {
					t.Errorf("%q class %d: %v, from the sample %v", tt.text, c, got[c], want)
				}
			}
		}
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
	w, err := minimise(context.Background(), f, make([]float64, 20), func(float64) {})
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
	for text, want := range map[string]string{
		"id text\n":             "line 1",
		header + "1\tru\n":      "line 2 has 2 columns",
		header + "1\t\t\tbad\t": `line 2: the label "bad"`,
	} {
		if _, err := ReadRows(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ReadRows(%q): %v, want %s", text, err, want)
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
