package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"otklik/stream"
	"otklik/stream/simulate"
)

// runSimulate runs the subcommand as main would.
func runSimulate(t *testing.T, args ...string) (string, error) {
	t.Helper()
	cmd := newSimulateCommand()
	wrapUsage(cmd)
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	var out bytes.Buffer
	cmd.SetOut(&out)
	cmd.SetErr(&out)
	cmd.SetArgs(args)
	err := cmd.ExecuteContext(t.Context())
	return out.String(), err
}

func TestSimulateWritesRecordsAndTruth(t *testing.T) {
	dirs := [2]string{filepath.Join(t.TempDir(), "a"), t.TempDir()}
	for _, dir := range dirs {
		stdout, err := runSimulate(t, "--seed", "4", "--events", "5000", "--out", dir)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(stdout, "5000 records") {
			t.Errorf("the summary says nothing of the records:\n%s", stdout)
		}
	}
	lines := 0
	for _, p := range stream.Platforms {
		name := simulate.FileName(p)
		var texts [2][]byte
		for i, dir := range dirs {
			var err error
			if texts[i], err = os.ReadFile(filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(texts[0], texts[1]) {
			t.Errorf("two runs differ in %s", name)
		}
		if len(texts[0]) == 0 {
			t.Errorf("%s is empty", name)
		}
		lines += bytes.Count(texts[0], []byte("\n"))
	}
	if lines != 5000 {
		t.Errorf("%d lines instead of 5000", lines)
	}
	text, err := os.ReadFile(filepath.Join(dirs[0], simulate.TruthFile))
	if err != nil {
		t.Fatal(err)
	}
	var truth simulate.Truth
	if err := json.Unmarshal(text, &truth); err != nil {
		t.Fatal(err)
	}
	if truth.SchemaVersion != simulate.TruthVersion || truth.Verify.Records != 5000 || len(truth.Panes) == 0 || len(truth.Responses) == 0 || len(truth.Brands) != 3 {
		t.Errorf("the truth is incomplete: version %d, %+v, %d panes, %d responses, %d brands",
			truth.SchemaVersion, truth.Verify, len(truth.Panes), len(truth.Responses), len(truth.Brands))
	}
}

func TestSimulateRefusesWrongFlags(t *testing.T) {
	for _, args := range [][]string{
		{},
		{"--out", "x", "--events", "0"},
		{"--out", "x", "--day", "yesterday"},
		{"--out", "x", "--late", "0.9"},
		{"--out", "x", "extra"},
	} {
		_, err := runSimulate(t, args...)
		if _, ok := errors.AsType[*usageError](err); !ok {
			t.Errorf("simulate %v: %v", args, err)
		}
	}
}

func TestSimulateCalm(t *testing.T) {
	negative := func(args ...string) int64 {
		dir := t.TempDir()
		if _, err := runSimulate(t, append(args, "--seed", "4", "--events", "5000", "--out", dir)...); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(filepath.Join(dir, simulate.TruthFile))
		if err != nil {
			t.Fatal(err)
		}
		var truth simulate.Truth
		if err := json.Unmarshal(text, &truth); err != nil {
			t.Fatal(err)
		}
		return truth.Brands[0].Negative
	}
	if calm, outage := negative("--calm"), negative(); outage < calm+calm/4 {
		t.Errorf("%d negative mentions of the own brand on a day with its outage, %d on a calm one", outage, calm)
	}
}
