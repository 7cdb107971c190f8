package kafkatest

import "syscall"

// dieWithParent leaves the brokers in the process group of the test, which a Ctrl-C ends as a whole: macOS has no signal
// on the death of a parent.
func dieWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{} }
