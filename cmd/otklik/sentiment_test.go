package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// ownPosts are labelled posts of our own as a TSV file.
const ownPosts = `id	lang	target	label	text
1	ru	mts	negative	МТС, опять не работает интернет, ненавижу
2	ru	mts	positive	Спасибо МТС, быстро помогли, очень довольна!
3	ru	mts	neutral	МТС открыл новый офис на улице Ленина
4	en	united	negative	@united lost my bag again, worst airline ever
5	de		neutral	heute ist der Empfang weg und ich bin nicht froh
`

func TestSentimentEval(t *testing.T) {
	path := filepath.Join(t.TempDir(), "posts.tsv")
	if err := os.WriteFile(path, []byte(ownPosts), 0o600); err != nil {
		t.Fatal(err)
	}
	stdout, _, err := otklik(t, nil, "sentiment", "eval", "--data", path, "--json")
	if err != nil {
		t.Fatal(err)
	}
	var report map[string]any
	if err := json.Unmarshal([]byte(stdout), &report); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"macro_f1_pn", "micro_f1_pn", "macro_f1", "macro_recall", "accuracy", "ece", "coverage", "texts_per_second"} {
		if _, ok := report[key].(float64); !ok {
			t.Errorf("the report has no number %q", key)
		}
	}
	if report["coverage"] != 0.8 {
		t.Errorf("coverage %v, want 0.8", report["coverage"])
	}
	stdout, _, err = otklik(t, nil, "sentiment", "eval", "--data", path)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"5 texts", "coverage 80.0 %", "macro recall", "with 95 % intervals", "negative"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("the table has no %q:\n%s", want, stdout)
		}
	}
}

func TestSentimentExplain(t *testing.T) {
	stdout, _, err := otklik(t, nil, "sentiment", "explain", "--brand", "mts", "Ненавижу МТС, опять нет связи")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"negative: positive", "speaks for negative:", "speaks against negative:", "ненавижу"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("the explanation has no %q:\n%s", want, stdout)
		}
	}
	stdout, _, err = otklik(t, nil, "sentiment", "explain", "heute ist der Empfang weg und ich bin nicht froh")
	if err != nil || !strings.HasPrefix(stdout, "unlabelled") {
		t.Errorf("%q, %v", stdout, err)
	}
}

// TestSentimentRefuses: what cannot be answered is refused, not answered about something else.
func TestSentimentRefuses(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "posts.tsv")
	for _, text := range []string{"", "id\tlang\ttarget\tlabel\ttext\n"} {
		if err := os.WriteFile(empty, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, _, err := otklik(t, nil, "sentiment", "eval", "--data", empty); err == nil {
			t.Errorf("eval of %q reported nothing", text)
		}
	}
	for want, args := range map[string][]string{
		"no brand with the key": {"--brand", "nobodys", "good service"},
		"--catalogue needs":     {"--catalogue", empty, "good service"},
		"--top must be":         {"--top", "-1", "good service"},
	} {
		if _, _, err := otklik(t, nil, append([]string{"sentiment", "explain"}, args...)...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("explain %v: %v, want %s", args, err, want)
		}
	}
	if _, _, err := otklik(t, nil, "sentiment", "explain", "--brand", "Nobodys", "good service by Nobodys"); err != nil {
		t.Errorf("a name as it stands in the text: %v", err)
	}
}

func TestSentimentTrainRefuses(t *testing.T) {
	dir := t.TempDir()
	settings := filepath.Join(dir, "settings.yaml")
	if err := os.WriteFile(settings, []byte("optimiser: {penalty: -1}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"--data", dir, "--out", filepath.Join(dir, "model.bin")},
		{"--data", dir, "--out", filepath.Join(dir, "model.bin"), "--settings", settings},
	} {
		if _, _, err := otklik(t, nil, append([]string{"sentiment", "train"}, args...)...); err == nil {
			t.Errorf("train %v reported nothing", args)
		}
		if _, err := os.Stat(filepath.Join(dir, "model.bin")); err == nil {
			t.Error("a failed training wrote a model")
		}
	}
}
