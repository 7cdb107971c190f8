//go:build !linux

package bench

import (
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// processorTime returns the user and system time of a process, as ps states it: [[dd-]hh:]mm:ss[.ff].
func processorTime(pid int) (time.Duration, error) {
	text, err := ps(pid, "time")
	if err != nil {
		return 0, err
	}
	days, clock, ok := strings.Cut(text, "-")
	if !ok {
		days, clock = "0", text
	}
	total, err := strconv.ParseFloat(days, 64)
	if err != nil {
		return 0, fmt.Errorf("processor time %q of process %d: %w", text, pid, err)
	}
	parts := strings.Split(clock, ":")
	if len(parts) < 3 {
		parts = append([]string{"0"}, parts...)
	}
	for i, base := range []float64{24, 60, 60} {
		n, err := strconv.ParseFloat(parts[i], 64)
		if err != nil {
			return 0, fmt.Errorf("processor time %q of process %d: %w", text, pid, err)
		}
		total = total*base + n
	}
	return time.Duration(total * float64(time.Second)), nil
}

// residentMemory returns the bytes of a process that are in memory.
func residentMemory(pid int) (uint64, error) {
	text, err := ps(pid, "rss")
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("memory of process %d: %w", pid, err)
	}
	return n << 10, nil
}

func ps(pid int, column string) (string, error) {
	out, err := exec.Command("ps", "-o", column+"=", "-p", strconv.Itoa(pid)).Output()
	if err != nil {
		return "", fmt.Errorf("ps of process %d: %w", pid, err)
	}
	return strings.TrimSpace(string(out)), nil
}
