package sentiment

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"otklik/stream"
)

// trade are words of a trade that the training files do not know, by what they mean to those who correct.
var trade = map[stream.Label][]string{
	stream.Positive: {"zippy", "gigafast", "uncapped"},
	stream.Negative: {"laggy", "throttled", "jittery"},
	stream.Neutral:  {"mast", "router", "firmware"},
}

// tradeExamples are n mentions in which a word of the trade decides; with noise nothing does.
func tradeExamples(n int, seed uint64, noise bool) []Example {
	r := rand.New(rand.NewPCG(seed, 2))
	fill := []string{"today", "the signal", "in town", "this evening", "at home", "again", "on monday", "by the river", "with friends"}
	labels := []stream.Label{stream.Positive, stream.Neutral, stream.Negative}
	out := make([]Example, n)
	for i := range out {
		label := labels[r.IntN(3)]
		text := fmt.Sprintf("%s the connection was %s %s, %d of us saw it %s", fill[r.IntN(9)], trade[label][r.IntN(3)], fill[r.IntN(9)], i, fill[r.IntN(9)])
		if noise {
			label = labels[r.IntN(3)]
		}
		out[i] = Example{ID: fmt.Sprint("mention-", i), Text: text, Lang: "en", Label: label, Target: Target{Company: true}}
	}
	return out
}

func adaptOptions(t *testing.T, dir string, old *Model) AdaptOptions {
	t.Helper()
	set, err := ParseSettings([]byte(ownSettings))
	if err != nil {
		t.Fatal(err)
	}
	recent := tradeExamples(80, 6, false)
	for i := range recent {
		recent[i].ID, recent[i].Label = fmt.Sprint("recent-", i), stream.Unlabelled
		recent[i].Text += " or so"
	}
	return AdaptOptions{
		Base: dir, Settings: set, Old: old, Corrections: tradeExamples(160, 5, false), Recent: recent, HoldBack: 0.3, MinCorrections: 50,
	}
}

func quiet(string, float64) {}

func TestAdaptLearnsCorrections(t *testing.T) {
	dir := ownFiles(t)
	old := ownTraining(t, dir)
	counts := ConfusionOf(old.Model.Name(), old.Held)
	old.Model.confusion = &counts
	o := adaptOptions(t, dir, old.Model)
	o.Corrections = append(o.Corrections, Example{ID: "other language", Text: "heute ist der Empfang weg und ich bin nicht froh", Label: stream.Negative})
	a, err := Adapt(t.Context(), o, quiet)
	if err != nil {
		t.Fatal(err)
	}
	if !a.Accepted || a.Gain < 0.2 || a.GainInterval.Low <= 0 || a.GainInterval.High < a.Gain {
		t.Errorf("systematic corrections: gain %.3f %v: %s", a.Gain, a.GainInterval, a.Reason)
	}
	if a.Learnt+a.HeldBack != 160 || a.HeldBack < 30 || a.HeldBack > 66 || a.Recent != 80 || a.Skipped != 1 {
		t.Errorf("learnt %d, held back %d, recent %d, skipped %d", a.Learnt, a.HeldBack, a.Recent, a.Skipped)
	}
	if a.Model.Name() == old.Model.Name() || math.IsNaN(a.Loss) || a.Loss > worstLoss {
		t.Errorf("%s after %s with a loss of %.3f", a.Model.Name(), old.Model.Name(), a.Loss)
	}
	for _, lang := range languageCodes { // what was known is not forgotten
		if r, err := Evaluate(a.Model, ownRows(lang, 300, 9)); err != nil || r.Accuracy < 0.95 {
			t.Errorf("%s: accuracy %.3f, %v", lang, r.Accuracy, err)
		}
	}
	if m, err := ErrorsOf(a.Model); m == nil || err != nil {
		t.Errorf("the errors of the new model: %v, %v", m, err)
	}
	file, card := a.Model.Encode(), a.Card(old.Model.Name())
	for _, words := range trade {
		for _, word := range words {
			if bytes.Contains(file, []byte(word)) || bytes.Contains(card, []byte(word)) {
				t.Errorf("the word %q is in the model or its card", word)
			}
		}
	}
	if !strings.Contains(string(card), a.Model.Name()) || !strings.Contains(string(card), "| Russian, new |") {
		t.Errorf("the card:\n%s", card)
	}

	slices.Reverse(o.Corrections) // the order in which a database gives them says nothing
	slices.Reverse(o.Recent)
	again, err := Adapt(t.Context(), o, quiet)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(again.Model.Encode(), file) || !bytes.Equal(again.Card(old.Model.Name()), card) {
		t.Error("the same corrections gave two models")
	}
	if len(o.Settings.Files) != 3 || len(o.Settings.Parts[1].Sources) != 1 {
		t.Error("the settings were changed")
	}
}

func TestAdaptRefusesNoise(t *testing.T) {
	dir := ownFiles(t)
	old := ownTraining(t, dir)
	o := adaptOptions(t, dir, old.Model)
	o.Corrections = tradeExamples(160, 5, true)
	a, err := Adapt(t.Context(), o, quiet)
	if err != nil {
		t.Fatal(err)
	}
	if a.Accepted || !strings.Contains(a.Reason, "noise") || !math.IsNaN(a.Loss) {
		t.Errorf("noise was accepted: gain %.3f %v, loss %v: %s", a.Gain, a.GainInterval, a.Loss, a.Reason)
	}
}

func TestAdaptRefusesTooFew(t *testing.T) {
	o := adaptOptions(t, t.TempDir(), defaultModel(t))
	o.Corrections = o.Corrections[:49]
	if _, err := Adapt(t.Context(), o, quiet); !errors.Is(err, ErrTooFewCorrections) || !strings.Contains(err.Error(), "49") {
		t.Errorf("49 corrections: %v", err)
	}
	o.MinCorrections = 10
	o.HoldBack = 0.05
	if _, err := Adapt(t.Context(), o, quiet); !errors.Is(err, ErrTooFewCorrections) || !strings.Contains(err.Error(), "to compare on") {
		t.Errorf("a handful held back: %v", err)
	}
	o.HoldBack = 1
	if _, err := Adapt(t.Context(), o, quiet); err == nil || errors.Is(err, ErrTooFewCorrections) {
		t.Errorf("all held back: %v", err)
	}
}

func TestAdaptForgets(t *testing.T) {
	a := &Adaptation{Gain: 0.1, GainInterval: Interval{0.05, 0.15}, Loss: 0.03}
	if a.decide(); a.Accepted || !strings.Contains(a.Reason, "forgets") {
		t.Errorf("a loss of three points: %v, %s", a.Accepted, a.Reason)
	}
}

// Copies of a text stand on one side of the comparison.
func TestHeldBackByText(t *testing.T) {
	n := 0
	for i := range 10000 {
		if heldBack(fmt.Sprint("text ", i), 0.3) {
			n++
		}
	}
	if n < 2800 || n > 3200 {
		t.Errorf("%d of 10,000 are held back, want about 3,000", n)
	}
	var a Adaptation
	list := a.known([]Example{{ID: "b", Text: "The  Signal is gone", Lang: "en"}, {ID: "a", Text: "the signal is\tGONE", Lang: "en"}})
	if len(list) != 2 || list[0].text != list[1].text || list[0].ID != "a" {
		t.Errorf("copies: %+v", list)
	}
}
