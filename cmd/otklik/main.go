// Command otklik turns the raw firehose of social platforms into reputation and customer-care figures of brands.
//
// See README.md for the two commands to begin with, and `otklik -h` for all of them.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // the calendar of the care desk names zones, and the image has no zone files

	"otklik/deploy/embedded"
)

func main() {
	embedded.Main() // in the child process that is ClickHouse this does not return
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first signal asks for a clean end; unregistering right after it lets a second one end the process at once.
	context.AfterFunc(ctx, stop)
	err := run(ctx, os.Args[1:], os.Getenv, os.Stdin, os.Stdout, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "otklik:", err)
		os.Exit(exitCode(err))
	}
}

// run is the whole program: nothing below it reads the process's arguments, environment or standard streams.
func run(ctx context.Context, args []string, getenv func(string) string, stdin io.Reader, stdout, stderr io.Writer) error {
	root := newRootCommand() //nolint:contextcheck // ExecuteContext hands the context to the commands
	// Not nil, which cobra takes as an invitation to read the process's own.
	root.SetArgs(append([]string{}, args...))
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	return root.ExecuteContext(withGetenv(ctx, getenv))
}

// exitCode returns the status of the process for an error: 2 when the command line was wrong, 3 when a model was not adapted because it is
// no better, 1 for everything else.
func exitCode(err error) int {
	if _, ok := errors.AsType[*usageError](err); ok {
		return 2
	}
	if _, ok := errors.AsType[*notAdaptedError](err); ok {
		return 3
	}
	return 1
}
