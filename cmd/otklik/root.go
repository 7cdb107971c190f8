package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"otklik/cmd/otklik/internal/config"
)

// newRootCommand returns the tree of all subcommands.
func newRootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "otklik",
		Short: "Reputation and customer-care figures of brands from the firehose of social platforms",
		Long: `Otklik reads raw platform JSON from Kafka, finds the mentions of the brands of a catalogue, labels them for that
brand, follows the conversations between customers and brands, and writes figures that balance to the last record
into ClickHouse.`,
		Example: `  otklik demo                              # the whole engine on a simulated day, nothing to install
  otklik sql "SELECT brand, net_sentiment FROM sentiment_1d"
  otklik check -c otklik.yaml
  otklik run -c otklik.yaml`,
		Version:       buildVersion(),
		SilenceErrors: true, // main prints the error once
		SilenceUsage:  true, // an error of the work is no reason to print the usage
		Args:          knownSubcommand,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SuggestionsMinimumDistance = 2
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SetVersionTemplate("otklik {{.Version}}\n")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return &usageError{command: cmd.CommandPath(), err: err} })
	root.AddCommand(
		newAlertsCommand(),
		newBenchCommand(),
		newCheckCommand(),
		newClaimsCommand(),
		newClickHouseChildCommand(),
		newDashboardsCommand(),
		newDeadLettersCommand(),
		newDecodeCommand(),
		newDemoCommand(),
		newMigrateCommand(),
		newReplayCommand(),
		newRunCommand(),
		newSentimentCommand(),
		newSimulateCommand(),
		newSpikeCommand(),
		newSQLCommand(),
		newVerifyCommand(),
		newVersionCommand(),
	)
	wrapUsage(root)
	return root
}

// knownSubcommand rejects a first argument that is no subcommand and suggests the nearest ones.
func knownSubcommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		return fmt.Errorf("unknown command %q: did you mean %s?", args[0], strings.Join(near, " or "))
	}
	return fmt.Errorf("unknown command %q", args[0])
}

// usageError is a wrong command line.
type usageError struct {
	command string // path of the command, for the hint
	err     error
}

// Error returns what is wrong and where the usage stands.
func (e *usageError) Error() string {
	return fmt.Sprintf("%v\nRun '%s -h' for its usage and examples.", e.err, e.command)
}

// Unwrap returns what is wrong.
func (e *usageError) Unwrap() error { return e.err }

// usagef returns an error that ends the process with status 2 and points to the command's help.
func usagef(cmd *cobra.Command, format string, args ...any) error {
	return &usageError{command: cmd.CommandPath(), err: fmt.Errorf(format, args...)}
}

// wrapUsage makes wrong arguments and missing flags of every command of the tree usage errors. Cobra checks required flags
// and flag groups after the arguments and without a hook, so they are checked together with them.
func wrapUsage(cmd *cobra.Command) {
	check := cmd.Args
	if check == nil {
		check = cobra.ArbitraryArgs
		if cmd.HasSubCommands() {
			check = knownSubcommand
		}
	}
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		for _, fault := range []error{check(cmd, args), cmd.ValidateRequiredFlags(), cmd.ValidateFlagGroups()} {
			if fault != nil {
				return &usageError{command: cmd.CommandPath(), err: fault}
			}
		}
		return nil
	}
	if cmd.HasSubCommands() && !cmd.Runnable() {
		cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	}
	for _, sub := range cmd.Commands() {
		wrapUsage(sub)
	}
}

type getenvKey struct{}

// withGetenv hands the environment down to the commands, so that tests run them without touching the process's own.
func withGetenv(ctx context.Context, getenv func(string) string) context.Context {
	return context.WithValue(ctx, getenvKey{}, getenv)
}

// getenvOf returns the function that reads the environment for a command; the process's own outside of run.
func getenvOf(cmd *cobra.Command) func(string) string {
	if ctx := cmd.Context(); ctx != nil {
		if getenv, ok := ctx.Value(getenvKey{}).(func(string) string); ok {
			return getenv
		}
	}
	return os.Getenv
}

// addConfigFlag adds -c/--config to a command; an empty path means the defaults.
func addConfigFlag(cmd *cobra.Command, path *string) {
	cmd.Flags().StringVarP(path, "config", "c", "", "configuration `file` (default $OTKLIK_CONFIG, else the built-in defaults)")
}

// loadConfig loads the configuration that -c or $OTKLIK_CONFIG names; without either it returns the defaults.
func loadConfig(cmd *cobra.Command, path string) (*config.Config, error) {
	getenv := getenvOf(cmd)
	if path == "" {
		path = getenv("OTKLIK_CONFIG")
	}
	return config.Load(path, getenv)
}

// newVersionCommand returns `otklik version`.
func newVersionCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the version of this binary",
		Long:    `Prints the module version, the revision it was built from, the Go version and the platform.`,
		Example: `  otklik version`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return printVersion(cmd.OutOrStdout())
		},
	}
}

func printVersion(w io.Writer) error {
	_, err := fmt.Fprintf(w, "otklik %s (%s, %s/%s)\n", buildVersion(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}

// buildVersion returns the module version with the revision and its time where the build recorded them.
func buildVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	version := info.Main.Version
	if version == "" {
		version = "(devel)"
	}
	stamps := make(map[string]string)
	for _, s := range info.Settings {
		stamps[s.Key] = s.Value
	}
	if revision := stamps["vcs.revision"]; revision != "" {
		version += " " + revision[:min(12, len(revision))]
		if stamps["vcs.modified"] == "true" {
			version += "+changes"
		}
		if at := stamps["vcs.time"]; at != "" {
			version += " of " + at
		}
	}
	return version
}
