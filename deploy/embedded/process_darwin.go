package embedded

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// childAttributes puts the child into a process group of its own, so that Ctrl-C at the terminal reaches the parent alone
// and the parent decides in which order things stop. That the parent died the child learns from its pipe.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}

func dup2(from, to int) error { return unix.Dup2(from, to) }

// yieldMerges does nothing: a priority belongs to the whole process here.
func yieldMerges(int) (done bool) { return true }
