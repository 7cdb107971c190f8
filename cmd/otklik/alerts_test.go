package main

import (
	"bytes"
	"strings"
	"testing"

	"otklik/stream"
	"otklik/stream/alert"
	"otklik/stream/spike"
)

func TestAlertsUsage(t *testing.T) {
	for _, args := range [][]string{
		{"alerts", "dry-run", "--rule", "noise"},
		{"alerts", "dry-run", "--from", "yesterday"},
		{"alerts", "list", "--from", "2026-03-02", "--to", "2026-03-01"},
		{"alerts", "list", "more"},
		{"alerts", "dry-run", "--sensitivity", "deaf"},
	} {
		cmd := newRootCommand()
		cmd.SetArgs(args)
		cmd.SetOut(&bytes.Buffer{})
		if err := cmd.Execute(); err == nil || !strings.Contains(err.Error(), "Run 'otklik alerts") {
			t.Errorf("%v: %v, want the way to its usage", args, err)
		}
	}
}

func TestPrintEpisodes(t *testing.T) {
	const day = 20_000 * stream.Day
	rows := []alert.Row{
		{Brand: "northair", Episode: spike.Episode{
			Rule: spike.Negativity, OpenedAt: day, ClearedAt: day + stream.Hour, PeakAt: day + stream.Minute, Severity: spike.Warning,
			Peak: spike.Counts{Negative: 30, Labelled: 40, Mentions: 44}, Baseline: spike.Baseline{Level: 3, Share: 0.2},
		}},
		{Brand: "northair", Episode: spike.Episode{
			Platform: "vk", Rule: spike.Volume, OpenedAt: day + stream.Hour, PeakAt: day + stream.Hour, Severity: spike.Notice,
			Peak: spike.Counts{Mentions: 90}, Baseline: spike.Baseline{Level: 10},
		}},
	}
	var out bytes.Buffer
	if err := printEpisodes(&out, rows, false); err != nil {
		t.Fatal(err)
	}
	if err := printRate(&out, rows, spike.Normal, day, day+2*stream.Day); err != nil {
		t.Fatal(err)
	}
	const want = `2024-10-04 00:00 UTC  warning   northair: a wave of negative mentions, over after 60 minutes; up to 30 of 40 negative (75 %, usual 20 %) in 5 minutes, 10.0 times the usual 3.0
2024-10-04 01:00 UTC  notice    northair on vk: unusually many mentions (notice) since 2024-10-04T01:00:00.000Z; up to 90 mentions in 5 minutes, 9.0 times the usual 10.0
2 episodes in 2.0 days at the sensitivity normal: 1 of all platforms together, 1 of one platform
`
	if out.String() != want {
		t.Errorf("printed\n%s\nwant\n%s", out.String(), want)
	}
	out.Reset()
	if err := printEpisodes(&out, rows, true); err != nil || !strings.Contains(out.String(), `"factor":10}`) || strings.Count(out.String(), "\n") != 2 {
		t.Errorf("JSON %s: %v", out.String(), err)
	}
}
