package main

import (
	"encoding/json"
	"strings"
	"testing"

	"otklik/cmd/otklik/internal/bench"
	"otklik/deploy/embedded/embeddedtest"
)

// What bench measures is not asserted, only that it measures everything.
func TestBench(t *testing.T) {
	embeddedtest.Require(t)
	stdout, _, err := otklik(t, nil, "bench", "--events", "2000", "--naming", "0.5,0.1", "--latency", "1s", "--json", "--profile", t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	var r bench.Result
	if err := json.Unmarshal([]byte(stdout), &r); err != nil {
		t.Fatal(err)
	}
	if len(r.Steps) != 4 || r.Ratio <= 0 || r.Mentions < 800 || r.Mentions > 1200 || r.EventBytes < 2000 || r.Peak.Process == 0 || r.Peak.ClickHouse == 0 {
		t.Errorf("got %+v", r)
	}
	for _, s := range r.Steps {
		if s.EventsRate <= 0 || s.MBRate <= 0 {
			t.Errorf("step %+v", s)
		}
	}
	if len(r.Further) != 1 || len(r.Further[0].Steps) != 2 || r.Further[0].Ratio <= 0 || r.Further[0].Mentions < 100 || r.Further[0].Mentions > 300 {
		t.Errorf("further shares %+v", r.Further)
	}
	if l := r.Latency; l == nil || l.Samples == 0 || l.P50 <= 0 || l.P99 < l.P50 || l.Max < l.P99 {
		t.Errorf("latency %+v", l)
	}
	var text strings.Builder
	if err := r.Print(&text); err != nil || !strings.Contains(text.String(), "(d) whole pipeline into ClickHouse, 10 % name a brand") {
		t.Errorf("%v, printed\n%s", err, text.String())
	}
}

func TestBenchMemory(t *testing.T) {
	stdout, _, err := otklik(t, nil, "bench", "--memory", "--cases", "300", "--identities", "2000")
	if err != nil || !strings.Contains(stdout, "300 open cases and 2000 identities restored") {
		t.Errorf("%v, printed %s", err, stdout)
	}
}

func TestBenchRefusesAFolderInUse(t *testing.T) {
	_, _, err := otklik(t, nil, "bench", "--data", ".")
	if err == nil || !strings.Contains(err.Error(), "not empty") {
		t.Errorf("got %v", err)
	}
}
