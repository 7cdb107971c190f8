package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"otklik/stream/spike/nab"
)

func TestSpikeScore(t *testing.T) {
	file := filepath.Join(t.TempDir(), "series.csv")
	var text strings.Builder
	text.WriteString("timestamp,value\n")
	for i := range 2000 {
		fmt.Fprintf(&text, "2026-01-01 00:%02d:00,%d\n", i%60, 10+i%7+2000*(i/1990))
	}
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	cmd := newRootCommand()
	cmd.SetArgs([]string{"spike", "score", file})
	cmd.SetOut(&out)
	if err := cmd.Execute(); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 2001 || lines[0] != "timestamp,anomaly_score" || lines[1] != "2026-01-01 00:00:00,0" {
		t.Fatalf("%d lines, the first %q", len(lines), lines[:2])
	}
	for i, line := range lines[1:] {
		if got, want := !strings.HasSuffix(line, ",0"), i >= 1990 && i < 1994; got && !want {
			t.Errorf("row %d has a score: %q", i, line)
		}
	}
	if strings.HasSuffix(lines[1991], ",0") && strings.HasSuffix(lines[1992], ",0") {
		t.Errorf("the jump in row 1990 has no score: %q", lines[1991:])
	}
}

func TestSpikeScoreFaults(t *testing.T) {
	for name, text := range map[string]string{
		"no comma": "timestamp,value\nnonsense\n",
		"no count": "a,1\nb,-1\n",
		"no value": "a,1\nb,\n",
		"columns":  "a,1\nb,1,2\n",
		"huge":     "a,1\nb,1e308\n",
		"infinite": "a,1\nb,Inf\n",
		"long":     "a,1\n" + strings.Repeat("b", 2<<20) + "\n",
	} {
		cmd := newRootCommand()
		cmd.SetArgs([]string{"spike", "score", "-"})
		cmd.SetIn(strings.NewReader(text))
		cmd.SetOut(&bytes.Buffer{})
		if err := cmd.Execute(); err == nil || !strings.Contains(err.Error(), "-:2: ") {
			t.Errorf("%s: error %v, want one that names line 2", name, err)
		}
	}
}

// TestSpikeScoreFirstLine: names of columns are a header, a row without a value is not, and a byte order mark belongs to nobody.
func TestSpikeScoreFirstLine(t *testing.T) {
	for text, want := range map[string]string{
		"timestamp,value\na,1\n":                 "timestamp,anomaly_score\na,0\n",
		"\ufeff2026-01-01,1\r\n2026-01-02,1\r\n": "timestamp,anomaly_score\n2026-01-01,0\n2026-01-02,0\n",
		"\"1 January, 2026\",1\n":                "timestamp,anomaly_score\n\"1 January, 2026\",0\n",
		"2026-01-01,\n2026-01-02,1\n":            "",
		"2026-01-01,n/a\n2026-01-02,1\n":         "",
	} {
		var out bytes.Buffer
		cmd := newRootCommand()
		cmd.SetArgs([]string{"spike", "score", "-"})
		cmd.SetIn(strings.NewReader(text))
		cmd.SetOut(&out)
		err := cmd.Execute()
		if want == "" {
			if err == nil || !strings.Contains(err.Error(), "-:1: ") {
				t.Errorf("%q: error %v, want one that names line 1", text, err)
			}
			continue
		}
		if err != nil || out.String() != want {
			t.Errorf("%q: %q, error %v, want %q", text, out.String(), err, want)
		}
	}
}

// TestSpikeNABFaults: labels and series that cannot be measured give an error, not a score.
func TestSpikeNABFaults(t *testing.T) {
	const labels = `{"x/a.csv": [["2026-01-01 00:00:00", "2026-01-01 01:00:00"]]}`
	const series = "timestamp,value\n2026-01-01 00:00:00,1\n2026-01-01 00:05:00,2\n"
	for name, c := range map[string]struct {
		labels, series, want string
		flags                []string
	}{
		"threshold": {labels: labels, series: series, flags: []string{"--threshold", "NaN"}, want: "--threshold NaN"},
		"window":    {labels: `{"x/a.csv": [["2026-01-01 01:00:00", "2026-01-01 00:00:00"]]}`, series: series, want: "before it begins"},
		"order":     {labels: labels, series: "2026-01-01 00:05:00,1\n2026-01-01 00:00:00,2\n", want: "a.csv:2: "},
		"labels":    {labels: "", series: series, want: "labels of the benchmark"},
	} {
		folder := t.TempDir()
		for file, text := range map[string]string{"combined_windows.json": c.labels, "a.csv": c.series} {
			if err := os.WriteFile(filepath.Join(folder, file), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		cmd := newRootCommand()
		cmd.SetArgs(append([]string{"spike", "nab", folder}, c.flags...))
		cmd.SetOut(&bytes.Buffer{})
		if err := cmd.Execute(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, c.want)
		}
	}
}

// TestSpikeNAB measures the detector on labelled real series, also with thresholds that were chosen without the series itself.
func TestSpikeNAB(t *testing.T) {
	folder := filepath.Join("..", "..", "..", "shared", "data", "nab-realTweets")
	if _, err := os.Stat(folder); err != nil {
		t.Skip("the labelled series are not here")
	}
	series, err := readNAB(folder)
	if err != nil {
		t.Fatal(err)
	}
	threshold, best := nab.Best(series)
	if best.Score < 88 {
		t.Errorf("score %.2f at %.4f, want 88 at least", best.Score, threshold)
	}
	usual := nab.Evaluate(series, 0.5)
	if usual.Score < 84 {
		t.Errorf("score %.2f at the documented 0.5, want 84 at least", usual.Score)
	}
	sum, windows := 0.0, 0.0
	for i := range series {
		others := append(append([]nab.Series(nil), series[:i]...), series[i+1:]...)
		threshold, _ := nab.Best(others)
		o := nab.Evaluate(series[i:i+1], threshold)
		t.Logf("%s with the threshold %.4f of the others: %.2f", series[i].Name, threshold, o.Score)
		sum += o.Score * float64(o.Windows)
		windows += float64(o.Windows)
	}
	t.Logf("best %.2f, at 0.5 %.2f, threshold of the others %.2f", best.Score, usual.Score, sum/windows)
	if sum/windows < 78 {
		t.Errorf("score %.2f with the thresholds of the others, want 78 at least", sum/windows)
	}
}
