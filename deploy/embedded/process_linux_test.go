package embedded_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"otklik/deploy/embedded"
)

// TestMergesYield: threads that merge have a lower priority than those that answer.
func TestMergesYield(t *testing.T) {
	t.Parallel()
	server := start(t, embedded.ClickHouseConfig{Dir: t.TempDir(), Users: users()})
	admin := open(t, server, users()[0].Name)
	exec1(t, admin, "CREATE DATABASE otklik")
	exec1(t, admin, "CREATE TABLE otklik.t (a Int32) ENGINE = MergeTree ORDER BY a")
	exec1(t, admin, "INSERT INTO otklik.t VALUES (1)")
	// As Linux answers: 20 less the niceness.
	own, err := syscall.Getpriority(syscall.PRIO_PROCESS, os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if own <= 1 {
		t.Skip("this process has the lowest priority that there is")
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		merging, others := priorities(t, server.PID())
		lower := len(merging) > 0
		for _, priority := range merging {
			lower = lower && priority < own
		}
		if lower && len(others) > 0 {
			for _, priority := range others {
				if priority < own {
					t.Errorf("a thread that does not merge has priority %d, this process %d", priority, own)
				}
			}
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("threads that merge have the priorities %v, this process %d", merging, own)
		}
	}
}

// priorities returns those of the threads of a process.
func priorities(t *testing.T, pid int) (merging, others []int) {
	t.Helper()
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, thread := range threads {
		var id int
		if _, err := fmt.Sscan(filepath.Base(thread), &id); err != nil {
			t.Fatal(err)
		}
		name, nameErr := os.ReadFile(filepath.Join(thread, "comm"))
		priority, err := syscall.Getpriority(syscall.PRIO_PROCESS, id)
		switch {
		case nameErr != nil || err != nil: // it has ended meanwhile
		case strings.TrimSpace(string(name)) == "MergeMutate":
			merging = append(merging, priority)
		default:
			others = append(others, priority)
		}
	}
	return merging, others
}
