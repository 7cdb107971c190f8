package sentiment

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"otklik/stream"
	"otklik/stream/prevalence"
)

// Example is a mention that a model is adapted to.
type Example struct {
	ID     string // of the mention; orders examples that are alike in all else
	Text   string
	Lang   string // the platform's word for the language; "" unknown
	Target Target
	Label  stream.Label // that of an analyst; stream.Unlabelled where there is none
}

// AdaptOptions say what Adapt learns from.
type AdaptOptions struct {
	Base     string    // folder of the files of Settings
	Settings *Settings // of the training; they are not changed
	Old      *Model    // the model in use, which the new one has to beat
	// Corrections carry the labels of analysts. The order does not matter.
	Corrections []Example
	// Recent are mentions without a label of an analyst that the model in use is sure of; the training labels them anew, after it has
	// learnt from the corrections.
	Recent []Example
	// HoldBack is the share of the corrections that no training sees, above 0 and below 1: the two models are compared on them.
	HoldBack float64
	// MinCorrections is how many corrections there must be in the languages that the model knows.
	MinCorrections int
}

// The weights of the posts of an installation in the training: a correction counts as four posts of the training files of full weight, because
// there are few and they are what the model is used on. A recent mention weighs as much as a post without label of those files.
const (
	correctionWeight = 4
	recentWeight     = 0.5 // where the settings of a part have no posts without labels
)

// worstLoss is how much of the mean F1 of positive and negative, over the kinds of text of the training files, a model may lose:
// corrections of one kind must not make it forget the others.
const worstLoss = 0.02

// minHeldBack is how many corrections a comparison needs; with fewer every interval holds zero or is luck.
const minHeldBack = 10

// Adaptation is the result of Adapt.
type Adaptation struct {
	Model *Model
	// Learnt, HeldBack and Recent count what was used: corrections that were trained on and that were held back, and recent mentions.
	Learnt, HeldBack, Recent int
	// Skipped counts corrections and recent mentions in languages that the model does not know.
	Skipped int
	// Old and New are the figures of the two models on the corrections that were held back.
	Old, New *Report
	// Gain is how much the mean F1 of positive and negative has grown there, with its 95 % interval by a paired bootstrap: both models
	// are measured on the same draws of texts.
	Gain         float64
	GainInterval Interval
	// Loss is how much the mean F1 of positive and negative over the training files has fallen from the old model to the new, both measured on what
	// they had not seen; NaN if that is not known of the old model.
	Loss float64
	// Accepted says that the new model is better by more than noise: the interval of the gain is above zero, and the loss is at most 0.02.
	Accepted bool
	// Reason says why or why not, in a sentence.
	Reason string
	// Held are the figures of the training, see Training.
	Held []Validation
}

// ErrTooFewCorrections is why Adapt does not begin.
var ErrTooFewCorrections = errors.New("too few corrections to adapt the sentiment model")

// Adapt trains a model on the files of the settings, the corrections and the recent mentions, and compares it with the old one on corrections that
// were held back. The result depends on the options alone (on one processor architecture). Copies of a text are held back together,
// and what is held back depends on the text alone, so that one more correction moves no other. No text is in the model,
// nor anything that can be read as one. A model that is not better is returned too, with Accepted false. progress is that of Train.
func Adapt(ctx context.Context, o AdaptOptions, progress func(step string, done float64)) (*Adaptation, error) {
	out, err := adapt(ctx, &o, progress)
	if err != nil {
		return nil, fmt.Errorf("adapt the sentiment model: %w", err)
	}
	return out, nil
}

func adapt(ctx context.Context, o *AdaptOptions, progress func(string, float64)) (*Adaptation, error) {
	if !(o.HoldBack > 0 && o.HoldBack < 1) {
		return nil, fmt.Errorf("the share %v to hold back is not between 0 and 1", o.HoldBack)
	}
	a := &Adaptation{}
	corrections := a.known(o.Corrections)
	if n := len(corrections); n < o.MinCorrections {
		return nil, fmt.Errorf("%w: %d, at least %d are wanted; label more mentions with otklik sentiment label", ErrTooFewCorrections, n, o.MinCorrections)
	}
	var learn, held []*known
	for _, k := range corrections {
		if heldBack(k.text, o.HoldBack) {
			held = append(held, k)
		} else {
			learn = append(learn, k)
		}
	}
	a.Learnt, a.HeldBack = len(learn), len(held)
	if a.Learnt == 0 || a.HeldBack < minHeldBack {
		return nil, fmt.Errorf("%w: %d to learn from and %d to compare on, of which at least %d are wanted; label more mentions with otklik sentiment label",
			ErrTooFewCorrections, a.Learnt, a.HeldBack, minHeldBack)
	}
	hidden := map[string]bool{} // a copy of a text that is held back is no recent mention
	for _, k := range held {
		hidden[k.text] = true
	}
	recent := slices.DeleteFunc(a.known(o.Recent), func(k *known) bool { return hidden[k.text] })
	a.Recent = len(recent)
	c, err := o.corpus(learn, recent, progress)
	if err != nil {
		return nil, err
	}
	if err := c.prepare(ctx, progress); err != nil {
		return nil, err
	}
	t, err := c.train(ctx, progress)
	if err != nil {
		return nil, err
	}
	a.Model, a.Held = t.Model, t.Held
	a.Old, a.New = judge(o.Old, held), judge(a.Model, held)
	a.compare()
	a.Loss = lossOf(o.Old, ConfusionOf(a.Model.Name(), a.Held))
	confusion := a.Confusion()
	a.Model.confusion = &confusion
	a.decide()
	return a, nil
}

// known is an example in a language that the model knows.
type known struct {
	Example
	lang language
	text string // folded: what copies have in common
}

// known returns the examples whose language is known, in an order of their own, and counts the others.
func (a *Adaptation) known(list []Example) []*known {
	var s Scratch
	out := make([]*known, 0, len(list))
	for i := range list {
		e := &list[i]
		s.tokens.read(e.Text, e.Target)
		lang := s.tokens.language(e.Text, e.Lang)
		if lang == unknownLanguage {
			a.Skipped++
			continue
		}
		out = append(out, &known{Example: *e, lang: lang, text: strings.Join(strings.Fields(strings.ToLower(e.Text)), " ")})
	}
	slices.SortFunc(out, func(x, y *known) int { return cmp.Or(cmp.Compare(x.text, y.text), cmp.Compare(x.ID, y.ID)) })
	return out
}

// heldBack says whether a text is among the share that is held back: by the hash of it alone.
func heldBack(text string, share float64) bool {
	h := fnv.New64a()
	_, _ = h.Write([]byte(text)) // a hash does not fail
	return float64(mix(seedWord, h.Sum64())>>11)/(1<<53) < share
}

// corpus is that of the training files with the examples as two more files per language.
func (o *AdaptOptions) corpus(learn, recent []*known, progress func(string, float64)) (*corpus, error) {
	set := *o.Settings
	set.Files, set.Parts = slices.Clone(set.Files), slices.Clone(set.Parts)
	type kind struct {
		list []*known
		name string
	}
	kinds := [...]kind{{learn, "corrections"}, {recent, "recent mentions"}}
	var at [len(kinds)][languages]int
	for k := range kinds {
		for l := range languages {
			at[k][l] = len(set.Files)
			set.Files = append(set.Files, FileSettings{
				File: kinds[k].name + " (" + languageCodes[l] + ")", Lang: languageCodes[l], Name: kinds[k].name, Licence: "own", given: true,
			})
		}
	}
	for l := range languages {
		p := partOf(set.Parts, l)
		if p == nil {
			return nil, fmt.Errorf("the settings have no part for the language %q; add one", languageCodes[l])
		}
		weight := float64(recentWeight)
		for _, file := range slices.Sorted(maps.Keys(p.Pseudo)) {
			weight = max(weight, p.Pseudo[file])
		}
		p.Sources, p.Pseudo = maps.Clone(p.Sources), maps.Clone(p.Pseudo)
		if p.Pseudo == nil {
			p.Pseudo = map[string]float64{}
		}
		p.Sources[set.Files[at[0][l]].File] = correctionWeight
		p.Pseudo[set.Files[at[1][l]].File] = weight
	}
	c, err := readPosts(o.Base, &set, progress)
	if err != nil {
		return nil, err
	}
	for k := range kinds {
		for _, e := range kinds[k].list {
			p := &post{row: Row{ID: e.ID, Lang: e.Lang, Text: e.Text, Label: stream.Unlabelled}, target: &e.Target, lang: e.lang, label: -1, fold: -1}
			p.file = &set.Files[at[k][e.lang]]
			if k == 0 {
				p.row.Label, p.label = e.Label, classOf[e.Label]
			}
			c.posts = append(c.posts, p)
		}
	}
	return c, nil
}

// partOf returns the part for texts of a language about a brand, as Model.assemble chooses it.
func partOf(parts []PartSettings, l language) (out *PartSettings) {
	for i := range parts {
		if p := &parts[i]; languageOf(p.Lang) == l && (out == nil || p.Company) {
			out = p
		}
	}
	return out
}

// judge labels the examples, which have copies of a text side by side: they are drawn together.
func judge(m *Model, list []*known) *Report {
	r := &Report{judged: make([]judged, len(list))}
	var s Scratch
	for i, e := range list {
		j := judged{id: e.text, truth: uint8(classOf[e.Label]), given: neutral}
		if label, scores := m.Classify(e.Text, e.Lang, e.Target, &s); label != stream.Unlabelled {
			j.labelled = true
			j.given = uint8(classOf[label])
			j.confidence = [classes]float32{scores.Positive, scores.Neutral, scores.Negative}[j.given]
		}
		r.judged[i] = j
	}
	r.finish()
	return r
}

// compare fills the gain and its interval.
func (a *Adaptation) compare() {
	a.Gain = a.New.MacroF1PN - a.Old.MacroF1PN
	var texts [][2]int
	for i := range a.Old.judged {
		if i > 0 && a.Old.judged[i].id == a.Old.judged[i-1].id {
			texts[len(texts)-1][1] = i + 1
		} else {
			texts = append(texts, [2]int{i, i + 1})
		}
	}
	rng := rand.New(rand.NewPCG(bootstrapSeed, uint64(len(texts)))) //nolint:gosec // a fixed seed: the interval must come out the same
	gains := make([]float64, bootstraps)
	for n := range gains {
		var old, fresh Report
		for range texts {
			t := texts[rng.IntN(len(texts))]
			for i := t[0]; i < t[1]; i++ {
				o, f := &a.Old.judged[i], &a.New.judged[i]
				old.Confusion[o.truth][o.given]++
				fresh.Confusion[f.truth][f.given]++
			}
		}
		old.summarise()
		fresh.summarise()
		gains[n] = fresh.MacroF1PN - old.MacroF1PN
	}
	slices.Sort(gains)
	a.GainInterval = Interval{gains[bootstraps*25/1000], gains[bootstraps*975/1000-1]}
}

// lossOf returns how much lower the mean F1 of positive and negative is over the sets that both models were measured on.
func lossOf(old *Model, fresh Confusion) float64 {
	before := old.confusion
	if before == nil {
		if c, err := loadConfusion(); err == nil && c.Model == old.name {
			before = &c
		}
	}
	if before == nil {
		return math.NaN()
	}
	sum, n := 0.0, 0
	for _, o := range before.Sets {
		for _, f := range fresh.Sets {
			if f.Name == o.Name {
				sum += macroOf(o) - macroOf(f)
				n++
			}
		}
	}
	if n == 0 {
		return math.NaN()
	}
	return sum / float64(n)
}

func macroOf(s prevalence.Set) float64 {
	var r Report
	for i := range s.Counts {
		for k, n := range s.Counts[i] {
			r.Confusion[i][k] = int(n)
		}
	}
	r.summarise()
	return r.MacroF1PN
}

func (a *Adaptation) decide() {
	switch {
	case a.GainInterval.Low <= 0:
		a.Reason = "the interval of the difference on the corrections held back is not above zero: this may be noise"
	case a.Loss > worstLoss:
		a.Reason = fmt.Sprintf("on the training files it loses %.1f points, more than %.1f: it forgets more than it learns", 100*a.Loss, 100*worstLoss)
	default:
		a.Accepted = true
		a.Reason = "the interval of the difference on the corrections held back is above zero"
	}
}

// Confusion returns the counts of the errors of the new model on the training files, as ConfusionOf has them. Corrections are not among them:
// they are no random sample where people look for errors (prevalence.Review judges that when shares are read).
func (a *Adaptation) Confusion() Confusion { return ConfusionOf(a.Model.Name(), a.Held) }

// Card returns what the new model is and how it was measured, in Markdown, without any text. old is the name of the model that it was compared with.
func (a *Adaptation) Card(old string) []byte {
	var b strings.Builder
	percent := func(v float64, i Interval) string {
		return fmt.Sprintf("%.1f (%.1f–%.1f)", 100*v, 100*i.Low, 100*i.High)
	}
	fmt.Fprintf(&b, "# The adapted sentiment model %s\n\n", a.Model.Name())
	fmt.Fprintf(&b, "Made by `otklik sentiment adapt` from the training files, %d corrections of this installation (weight %d each) and %d recent mentions of its own\n"+
		"stream that it labelled itself. The file holds hashed weights: no text and no readable list of words. Figures in per cent, with 95 %% bootstrap intervals.\n\n",
		a.Learnt, correctionWeight, a.Recent)
	fmt.Fprintf(&b, "## On %d corrections held back\n\n| model | macro F1 (pos., neg.) | macro F1 (3) | accuracy |\n|---|---|---|---|\n", a.HeldBack)
	for _, r := range []struct {
		name string
		*Report
	}{{old, a.Old}, {a.Model.Name(), a.New}} {
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", r.name, percent(r.MacroF1PN, r.Intervals.MacroF1PN),
			percent(r.MacroF1, r.Intervals.MacroF1), percent(r.Accuracy, r.Intervals.Accuracy))
	}
	fmt.Fprintf(&b, "\nPaired difference of the macro F1 of positive and negative: %s. Corrections are not a random sample of the stream if people look for\n"+
		"errors only: the difference is then that on such texts.\n\n## On the training files\n\nEach row was labelled by a model that had not seen it.\n\n"+
		"| held out | rows | macro F1 (pos., neg.) | accuracy |\n|---|---|---|---|\n", percent(a.Gain, a.GainInterval))
	for _, v := range a.Held {
		fmt.Fprintf(&b, "| %s | %d | %s | %s |\n", v.Name, v.Report.Rows, percent(v.Report.MacroF1PN, v.Report.Intervals.MacroF1PN),
			percent(v.Report.Accuracy, v.Report.Intervals.Accuracy))
	}
	return []byte(b.String())
}
