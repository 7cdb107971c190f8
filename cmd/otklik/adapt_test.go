package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"otklik/sinks/clickhouse"
	"otklik/sinks/sinktest"
	"otklik/stream"
	"otklik/stream/sentiment"
)

// adaptSettings train on one small file per language.
const adaptSettings = `
optimiser: {penalty: 1, iterations: 30, tolerance: 2.0e-3, memory: 8, min_posts: 2}
files:
  - {file: ru.tsv, lang: ru, name: Russian, licence: own}
  - {file: en.tsv, lang: en, name: English, licence: own}
parts:
  - {name: Russian, lang: ru, company: true, balance: 1, sources: {ru.tsv: 1}}
  - {name: English, lang: en, company: true, balance: 1, sources: {en.tsv: 1}}
`

var adaptLabels = []stream.Label{stream.Positive, stream.Neutral, stream.Negative}

// adaptBase writes training files of our own words and settings for them into a folder.
func adaptBase(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	r := rand.New(rand.NewPCG(1, 1))
	for lang, words := range map[string][]string{"ru": {"отлично", "открыли", "ужасно"}, "en": {"great", "opened", "awful"}} {
		var b strings.Builder
		b.WriteString("id\tlang\ttarget\tlabel\ttext\n")
		for i := range 900 {
			k := r.IntN(3)
			fmt.Fprintf(&b, "%d\t%s\t\t%s\t%s %d\n", i, lang, adaptLabels[k], words[k]+map[string]string{"ru": " сегодня связь", "en": " the signal today"}[lang], i)
		}
		writeTest(t, filepath.Join(dir, lang+".tsv"), b.String())
	}
	writeTest(t, filepath.Join(dir, "settings.yaml"), adaptSettings)
	return dir
}

func writeTest(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// adaptRows are corrected mentions in which a word that the training files do not know decides, and some without a correction.
func adaptRows(n int) []stream.MentionRow {
	r := rand.New(rand.NewPCG(2, 2))
	words := []string{"gigafast", "router", "throttled"}
	rows := make([]stream.MentionRow, 0, n)
	for i := range n {
		m := sinktest.Mention(i, stream.PositionAfter(0, int64(i)))
		k := r.IntN(3)
		m.Brand, m.Item.Lang, m.Item.Text = "mts", "en", fmt.Sprintf("mts the line is %s in house %d and in the street", words[k], i)
		m.Role, m.Label, m.ModelLabel = stream.Customer, stream.Neutral, stream.Neutral
		m.Scores = stream.Scores{Positive: 0.05, Neutral: 0.9, Negative: 0.05}
		m.Versions, m.TextSince, m.Corrections = nil, 0, nil
		if i%4 != 0 {
			m.Label = adaptLabels[k]
			m.Corrections = []stream.Correction{{Label: m.Label, By: "anna", At: sinktest.Base + stream.Hour}}
		}
		rows = append(rows, m)
	}
	return rows
}

func TestSentimentAdapt(t *testing.T) {
	db, ch := migrated(t)
	base, dir := adaptBase(t), t.TempDir()
	file, out := filepath.Join(dir, "otklik.yaml"), filepath.Join(dir, "model.bin")
	env := map[string]string{"OTKLIK_TEST_PASSWORD": db.Password}
	plain := fmt.Sprintf("clickhouse:\n  addrs: [%q]\n  database: %s\n  user: %s\n  password_env: OTKLIK_TEST_PASSWORD\n", db.Native, db.Name, db.User)
	writeTest(t, file, plain)
	args := []string{"sentiment", "adapt", "-c", file, "--base", base, "--settings", filepath.Join(base, "settings.yaml"), "--out", out}

	if _, _, err := otklik(t, env, args...); exitCode(err) != 3 || !strings.Contains(err.Error(), "too few corrections") {
		t.Errorf("without corrections: %v", err)
	}
	if err := ch.Writer().Flush(t.Context(), &clickhouse.Batch{Mentions: adaptRows(240)}); err != nil {
		t.Fatal(err)
	}
	stdout, _, err := otklik(t, env, args...)
	if err != nil {
		t.Fatalf("%v\n%s", err, stdout)
	}
	for _, want := range []string{"180 corrections and the texts of 60 recent mentions", "sentiment.model: model.bin\n", "model.bin.previous"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("the output has no %q:\n%s", want, stdout)
		}
	}
	adapted, err := sentiment.Load(out)
	if err != nil {
		t.Fatal(err)
	}
	if m, err := sentiment.ErrorsOf(adapted); m == nil || err != nil {
		t.Errorf("the errors of the adapted model: %v, %v", m, err)
	}
	for _, path := range []string{out, out + sentiment.ConfusionSuffix, out + cardSuffix} {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(b, []byte("throttled")) || bytes.Contains(b, []byte("street")) {
			t.Errorf("words of mentions are in %s", path)
		}
	}

	// The configuration takes the line as it was printed; what the new model knows cannot be bettered by the same corrections.
	writeTest(t, file, plain+"sentiment: {model: model.bin}\n")
	stdout, _, err = otklik(t, env, args...)
	if exitCode(err) != 3 || !strings.Contains(err.Error(), "nothing was written") || !strings.Contains(stdout, "in use is "+adapted.Name()) {
		t.Errorf("a second time: %v\n%s", err, stdout)
	}
	if _, _, err := otklik(t, env, "sentiment", "shares", "-c", file); err != nil {
		t.Errorf("shares with the model: %v", err)
	}

	builtIn, err := sentiment.Default()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{builtIn.Name(), adapted.Name()} { // back, and forth again
		if _, _, err := otklik(t, env, "sentiment", "adapt", "--out", out, "--revert"); err != nil {
			t.Fatal(err)
		}
		if m, err := sentiment.Load(out); err != nil || m.Name() != want {
			t.Errorf("after --revert: %v, %v, want %s", m, err, want)
		}
	}
	if m, err := sentiment.Load(out); err != nil {
		t.Error(err)
	} else if errs, err := sentiment.ErrorsOf(m); errs == nil || err != nil {
		t.Errorf("the counts did not come back: %v, %v", errs, err)
	}
}

func TestSentimentAdaptRefuses(t *testing.T) {
	dir := t.TempDir()
	note := filepath.Join(dir, "note.txt")
	writeTest(t, note, "not a model")
	out := filepath.Join(dir, "model.bin")
	for want, args := range map[string][]string{
		"--base is missing":    {"--out", out},
		"between 0 and 1":      {"--out", out, "--base", dir, "--hold-back", "1"},
		"at least 1":           {"--out", out, "--base", dir, "--min-corrections", "0"},
		"write it as 30d":      {"--out", out, "--base", dir, "--recent", "soon"},
		"no whole model":       {"--out", note, "--base", dir},
		"make the folder":      {"--out", filepath.Join(dir, "absent", "model.bin"), "--base", dir},
		"no previous model":    {"--out", out, "--revert"},
		"[base revert]":        {"--out", out, "--revert", "--base", dir},
		`"out" not set`:        {"--base", dir},
		"absent.yaml: no such": {"--out", out, "--base", dir, "--settings", filepath.Join(dir, "absent.yaml")},
	} {
		if _, _, err := otklik(t, nil, append([]string{"sentiment", "adapt"}, args...)...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("adapt %v: %v, want %q", args, err, want)
		}
	}
	for text, want := range map[string]time.Duration{"30d": 30 * 24 * time.Hour, "12h": 12 * time.Hour, "0": 0} {
		if got, err := parseDays(text); err != nil || got != want {
			t.Errorf("%s is %s, %v", text, got, err)
		}
	}
}
