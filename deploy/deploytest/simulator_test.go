package deploytest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The loop of the simulator, with an otklik that writes down what it was called with: every command line is one that otklik knows,
// and days come in order, each once.
func TestSimulatorPlaysEveryDayOnce(t *testing.T) {
	dir := t.TempDir()
	record := filepath.Join(dir, "calls")
	fake := fmt.Sprintf(`#!/bin/sh
echo "$*" >>%s
[ "$1" = simulate ] || exit 0
while [ "$1" != --out ]; do shift; done
mkdir -p "$2"
printf '{}\n{}\n' >"$2/vk.jsonl"
: >"$2/reddit.jsonl"
`, record)
	if err := os.WriteFile(filepath.Join(dir, "otklik"), []byte(fake), 0o700); err != nil {
		t.Fatal(err)
	}
	const second = 86400
	today := (time.Now().Unix() + 3*3600) / second
	cmd := exec.CommandContext(t.Context(), "sh", filepath.Join(deploy, "compose", "simulator.sh"))
	cmd.Env = []string{
		"PATH=" + dir + ":" + os.Getenv("PATH"), "DATA=" + dir, "DAYS=3", "EVENTS=100", "BACKFILL_SPAN=4", "LIVE_SPAN=8", "BROKERS=b:1",
	}
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	next := filepath.Join(dir, "next")
	deadline := time.Now().Add(30 * time.Second)
	for poll := time.NewTicker(20 * time.Millisecond); time.Now().Before(deadline); <-poll.C {
		if text, err := os.ReadFile(next); err == nil && strings.TrimSpace(string(text)) >= fmt.Sprint(today) {
			break
		}
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("the simulator ended with %v:\n%s", err, out.String())
	}
	var want []string
	for day := today - 3; day < today; day++ {
		date := time.Unix(day*second, 0).UTC().Format(time.DateOnly)
		rate := "0.50000"
		if day == today-1 {
			rate = "0.25000"
		}
		want = append(want,
			fmt.Sprintf("simulate --seed %d --events 100 --day %s --out %s/day", day, date, dir),
			fmt.Sprintf("replay --brokers b:1 --platform vk --rate %s %s/day/vk.jsonl", rate, dir))
	}
	calls := strings.Split(strings.TrimSpace(string(read(t, record))), "\n")
	if got := strings.Join(calls, "\n"); got != strings.Join(want, "\n") {
		t.Errorf("calls:\n%s\nwant:\n%s\noutput: %s", got, strings.Join(want, "\n"), out.String())
	}
	for _, call := range calls {
		parses(t, strings.Fields(call))
	}
}
