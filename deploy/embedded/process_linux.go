package embedded

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// childAttributes puts the child into a process group of its own, so that Ctrl-C at the terminal reaches the parent alone
// and the parent decides in which order things stop, and has the kernel kill it with the parent.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

func dup2(from, to int) error { return unix.Dup3(from, to, 0) }

const (
	// mergeThread is how ClickHouse names the threads that merge and mutate parts.
	mergeThread = "MergeMutate"
	// mergeNiceness leaves them a quarter of what another thread gets that wants the same processor.
	mergeNiceness = 6
)

// yieldMerges lets the threads that merge in the process step back behind all others: a merge that ends a second later changes nothing, an
// insert that waits for one delays figures. The engine has the setting os_threads_nice_value_merge_mutate for it, which has no
// effect inside libchdb. It is a preference: a thread that cannot be asked stays as it is. Done is false while there are no such threads: the
// first table with parts starts them all.
func yieldMerges(pid int) (done bool) {
	tasks := fmt.Sprintf("/proc/%d/task", pid)
	threads, err := os.ReadDir(tasks)
	if err != nil {
		return false
	}
	for _, thread := range threads {
		name, err := os.ReadFile(filepath.Join(tasks, thread.Name(), "comm"))
		if err != nil || string(bytes.TrimSpace(name)) != mergeThread {
			continue
		}
		id, err := strconv.Atoi(thread.Name())
		if err != nil {
			continue
		}
		_ = syscall.Setpriority(syscall.PRIO_PROCESS, id, mergeNiceness) // see above
		done = true
	}
	return done
}
