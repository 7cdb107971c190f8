package embedded

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"github.com/creack/pty"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

// ChildEnv is set in the environment of the process that is to become ClickHouse. Its value is for Main alone.
const ChildEnv = "OTKLIK_CLICKHOUSE_CHILD"

// childOrder is the value of ChildEnv.
type childOrder struct {
	Library string `json:"library"`
	Config  string `json:"config"`
}

// stopPatience is how long a child that was told to stop may take before it ends the hard way.
const stopPatience = 20 * time.Second

var mainCalled atomic.Bool

// Main must be called first thing in main() and in TestMain() of every binary that calls StartClickHouse. In the child
// process that StartClickHouse runs it becomes ClickHouse and does not return; everywhere else it does nothing.
func Main() {
	mainCalled.Store(true)
	text, child := os.LookupEnv(ChildEnv)
	if !child {
		return
	}
	if err := becomeClickHouse(text); err != nil {
		fmt.Fprintln(os.Stderr, "otklik clickhouse-child:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// becomeClickHouse runs the engine in this process until standard input, a pipe from the parent, closes.
func becomeClickHouse(text string) error {
	var order childOrder
	if err := json.Unmarshal([]byte(text), &order); err != nil {
		return fmt.Errorf("%s is for otklik's own use: %w", ChildEnv, err)
	}
	leash, err := unix.Dup(int(os.Stdin.Fd()))
	if err != nil {
		return fmt.Errorf("keep the pipe of the parent: %w", err)
	}
	unix.CloseOnExec(leash)
	console, terminal, err := pty.Open()
	if err != nil {
		return fmt.Errorf("open a pseudo-terminal: %w", err)
	}
	if err := dup2(int(terminal.Fd()), int(os.Stdin.Fd())); err != nil {
		return fmt.Errorf("put the engine on the pseudo-terminal: %w", err)
	}
	engine, err := loadEngine(order.Library)
	if err != nil {
		return err
	}
	told := make(chan os.Signal, 1)
	signal.Notify(told, syscall.SIGTERM, syscall.SIGINT)
	var watchers errgroup.Group
	watchers.Go(func() error {
		// What the engine draws on its terminal is of no use, but must be taken or it blocks.
		_, err := io.Copy(io.Discard, console)
		return err
	})
	orphaned := make(chan struct{})
	watchers.Go(func() error {
		_, err := io.Copy(io.Discard, os.NewFile(uintptr(leash), "parent"))
		close(orphaned)
		return err
	})
	watchers.Go(func() error {
		select {
		case <-orphaned:
		case <-told:
		}
		err := stopEngine(console)
		fmt.Fprintln(os.Stderr, "otklik clickhouse-child:", err)
		os.Exit(1)
		return err
	})
	engine.run(order.Config)
	// The process ends with the engine; the watchers end with the process.
	return nil
}

// stopEngine types Ctrl-D until the engine has ended and with it the process. It returns only if the engine does not end.
func stopEngine(console *os.File) error {
	const endOfTransmission = 0x04
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	patience := time.NewTimer(stopPatience)
	defer patience.Stop()
	for {
		if _, err := console.Write([]byte{endOfTransmission}); err != nil && !errors.Is(err, unix.EAGAIN) {
			return fmt.Errorf("type Ctrl-D: %w", err)
		}
		select {
		case <-again.C:
		case <-patience.C:
			return fmt.Errorf("the engine did not stop within %s", stopPatience)
		}
	}
}

// engine is the library, loaded into this process.
type engine struct {
	setSignalHandlers func(enabled int32)
	queryCmdline      func(argc int32, argv unsafe.Pointer) uintptr
}

// run hands the thread to clickhouse-local until its terminal says Ctrl-D. It prints its errors on standard error.
func (e *engine) run(config string) {
	runtime.LockOSThread()
	e.setSignalHandlers(0) // Go's runtime needs its own
	args := []string{
		"clickhouse",
		"--config-file=" + config,
		"--interactive",
		"--progress=off",
		"--progress-table=off",
		"--disable_suggestion",
		"--history_file=/dev/null",
		// TCP before HTTP: the parent takes an answer over HTTP for readiness.
		"--query", "SYSTEM START LISTEN TCP; SYSTEM START LISTEN HTTP",
	}
	var pinned runtime.Pinner
	defer pinned.Unpin()
	argv := make([]*byte, len(args)+1) // C wants a nil at the end
	for i, arg := range args {
		text := append([]byte(arg), 0)
		argv[i] = &text[0]
		pinned.Pin(argv[i])
	}
	pinned.Pin(&argv[0])
	e.queryCmdline(int32(len(args)), unsafe.Pointer(&argv[0]))
}
