package bench

import (
	"bufio"
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"otklik/deploy/embedded"
)

// usage is the processor time that this process and ClickHouse have used by a moment.
type usage struct {
	at              time.Time
	process, server time.Duration
}

func (r *run) usage() (usage, error) {
	var own syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &own); err != nil {
		return usage{}, err
	}
	server, err := processorTime(r.server)
	if err != nil {
		return usage{}, err
	}
	return usage{at: time.Now(), process: time.Duration(own.Utime.Nano() + own.Stime.Nano()), server: server}, nil
}

// serverPID returns the process of the ClickHouse of a data folder.
func serverPID(dir string) (int, error) {
	endpoint, err := embedded.Running(embedded.ClickHouseDir(dir))
	return endpoint.PID, err
}

// watchMemory looks at the resident memory of both processes until the returned function is called, which returns the
// highest of each.
func watchMemory(ctx context.Context, server int) func() (Memory, error) {
	ctx, cancel := context.WithCancel(ctx)
	var peak Memory
	var group errgroup.Group
	group.Go(func() error {
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for {
			for _, p := range []struct {
				pid int
				to  *uint64
			}{{os.Getpid(), &peak.Process}, {server, &peak.ClickHouse}} {
				if p.pid == 0 {
					continue
				}
				n, err := residentMemory(p.pid)
				if err != nil {
					return err
				}
				*p.to = max(*p.to, n)
			}
			select {
			case <-ctx.Done():
				return nil
			case <-tick.C:
			}
		}
	})
	return func() (Memory, error) {
		cancel()
		err := group.Wait()
		return peak, err
	}
}

// startProfile begins the profile of the processor time, if one is wanted. The returned function ends it and writes what was
// allocated beside it.
func (r *run) startProfile() (stop func() error, err error) {
	if r.ProfileDir == "" {
		return func() error { return nil }, nil
	}
	if err := os.MkdirAll(r.ProfileDir, 0o750); err != nil {
		return nil, err
	}
	cpu, err := os.Create(filepath.Join(r.ProfileDir, "cpu.pprof"))
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(cpu); err != nil {
		return nil, errors.Join(err, cpu.Close())
	}
	return func() error {
		pprof.StopCPUProfile()
		allocs, err := os.Create(filepath.Join(r.ProfileDir, "allocs.pprof"))
		if err != nil {
			return errors.Join(err, cpu.Close())
		}
		return errors.Join(cpu.Close(), pprof.Lookup("allocs").WriteTo(allocs, 0), allocs.Close())
	}, nil
}

func thisMachine() Machine {
	m := Machine{CPU: "unknown", Cores: runtime.NumCPU(), OS: runtime.GOOS + "/" + runtime.GOARCH, Go: runtime.Version()}
	file, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return m // not Linux
	}
	defer file.Close() // only read
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if name, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(name) == "model name" {
			m.CPU = strings.TrimSpace(value)
			break
		}
	}
	return m
}
