package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"otklik/cmd/otklik/internal/demo"
	"otklik/cmd/otklik/internal/ops"
	"otklik/deploy/embedded"
	"otklik/stream/brand"
)

// newDemoCommand returns `otklik demo`.
func newDemoCommand() *cobra.Command {
	var (
		o         = demo.Options{Seed: 1, Events: 40_000, Pace: time.Minute}
		catalogue string
		verbose   bool
	)
	cmd := &cobra.Command{
		Use:   "demo [--once] [--input PATH] [--catalogue FILE] [--data DIR]",
		Short: "The whole engine on a simulated day, or on your own files",
		Long: `Starts an embedded Kafka and ClickHouse, applies the schema and plays a simulated day of a mobile operator and its two
competitors (with an outage, a wave of negative posts and the care desk answering), compressed into about a minute, through
the whole engine. It shows a live table, then the figures of each brand and three queries to go on with, and serves until
Ctrl-C; with --once it ends by itself, with status 0 only if the books balance.

--input plays your own raw records instead, as fast as it can: a file <platform>.jsonl or <platform>.jsonl.gz, a folder of
such files, or a folder with a folder of .jsonl files for each platform. --catalogue names the brands to look for in them.

Everything is kept in the data folder, also when the process is killed: the next start goes on where it was.`,
		Example: `  otklik demo
  otklik demo --once --pace 0             # as fast as it can
  otklik demo --input ./firehose --catalogue brands.yaml --data ./mine
  otklik sql "SELECT brand, platform, net_sentiment FROM sentiment_1d"`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.Catalogue = brand.Example()
			if catalogue != "" {
				text, err := os.ReadFile(catalogue)
				if err != nil {
					return fmt.Errorf("catalogue: %w", err)
				}
				if o.Catalogue, err = brand.Parse(text); err != nil {
					return fmt.Errorf("catalogue %s:\n%w", catalogue, err)
				}
			}
			if o.Events < 1 {
				return usagef(cmd, "--events %d: at least one record is needed", o.Events)
			}
			level := "error"
			if verbose {
				level = "info"
			}
			var err error
			if o.Logger, err = ops.NewLogger(cmd.ErrOrStderr(), level, "text"); err != nil {
				return err
			}
			o.Out = cmd.OutOrStdout()
			if f, ok := o.Out.(*os.File); ok {
				o.Terminal = term.IsTerminal(int(f.Fd()))
			}
			o.DefaultDir = defaultDataDir
			if !cmd.Flags().Changed("answer-claims") {
				o.Answer = !o.Once && o.Input == ""
			}
			o.Program = os.Args[0] // what is printed can then be pasted, also where otklik is not on the PATH
			return demo.Run(cmd.Context(), o)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&o.Once, "once", false, "end when everything has gone through; status 0 only if the books balance")
	f.BoolVar(&o.Answer, "answer-claims", false, "let a care department answer the claims, for hand-over and resolution times (default: as long as the demo serves a simulated day)")
	f.StringVar(&o.Input, "input", "", "your own records: a file <platform>.jsonl[.gz] or a `folder`")
	f.StringVar(&catalogue, "catalogue", "", "brand catalogue `file` (default: the built-in example)")
	f.StringVar(&o.Data, "data", "", "`folder` that keeps Kafka's and ClickHouse's data (default: one under the user's cache folder)")
	f.BoolVar(&o.Fresh, "fresh", false, "forget what the data folder holds and begin anew")
	f.Uint64Var(&o.Seed, "seed", o.Seed, "`number` of the simulated day: every seed is another one")
	f.IntVarP(&o.Events, "events", "n", o.Events, "`number` of records of the simulated day")
	f.DurationVar(&o.Pace, "pace", o.Pace, "how long the simulated day takes; 0 plays as fast as it can")
	f.BoolVarP(&verbose, "verbose", "v", false, "log what the engine does")
	return cmd
}

// defaultDataDir is the data folder of the demo, and another one for each set of own records: figures of different feeds are
// not to be mixed unasked.
func defaultDataDir(input string) (string, error) {
	dir, err := embedded.DefaultDataDir()
	if err != nil || input == "" {
		return dir, err
	}
	return filepath.Join(filepath.Dir(dir), strings.ReplaceAll(input, " ", "-")), nil
}
