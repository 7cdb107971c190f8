package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"otklik/cmd/otklik/internal/bench"
	"otklik/cmd/otklik/internal/ops"
)

// newBenchCommand returns `otklik bench`.
func newBenchCommand() *cobra.Command {
	var (
		path   string
		asJSON bool
		memory bool
		cases  = 1_000_000
		seen   = 5_000_000
	)
	o := bench.Options{Events: 300_000, Naming: []float64{1, 0.25}, Latency: 20 * time.Second}
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure the speed of the engine on this machine",
		Long: `Starts the embedded Kafka and ClickHouse on a folder of their own, fills a topic with tweets of 2 KB, and measures in one run:

  (a) fetch and discard with kafka-go
  (r) fetch and discard with the engine's own reader, which (b), (c) and (d) read with
  (b) fetch and decode
  (c) fetch, decode, find the brands, classify
  (d) the whole pipeline, until the last row is durable in ClickHouse and the rolling windows have it

each in events/s, MB/s and CPU seconds per million events, of this process (the embedded broker is part of it) and of
ClickHouse. Compare the ratio (d)/(a) rather than rates: it holds on a busy machine too. Where every tweet names a brand
is the hardest case: in a real firehose most do not, and cost only (b) and the match. So --naming takes several shares: all steps are
measured for the first, (a), (r) and (d) for each further one, on a topic of its own.

Then, once ClickHouse has merged what it was given, tweets are appended at half of the rate of (d), and the latency is measured: from the
timestamp of the raw record, taken before it is appended, to the first look at the table mentions (every 200 ms) that shows its row.

With --memory it instead restores one partition of track with a million open cases and five million identities and
says what they take.`,
		Example: `  otklik bench
  otklik bench --events 1000000 --naming 1,0.25,0.05
  otklik bench --json --profile ./profile   # and go tool pprof profile/cpu.pprof
  otklik bench --memory`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			cfg, err := loadConfig(cmd, path)
			if err != nil {
				return err
			}
			defer ops.PaceCollector(int64(cfg.Limits.Memory))()
			if memory {
				result, err := bench.MeasureMemory(cmd.Context(), bench.MemoryOptions{Cases: cases, Identities: seen, Config: cfg})
				if err != nil {
					return err
				}
				return printBench(cmd.OutOrStdout(), result, asJSON)
			}
			outside := func(share float64) bool { return !(share >= 0 && share <= 1) }
			if o.Events < 1 || len(o.Naming) == 0 || slices.ContainsFunc(o.Naming, outside) {
				return usagef(cmd, "--events must be at least 1 and the shares of --naming between 0 and 1")
			}
			if o.Logger, err = ops.NewLogger(cmd.ErrOrStderr(), "warn", "text"); err != nil {
				return err
			}
			if o.Dir == "" {
				if o.Dir, err = os.MkdirTemp("", "otklik-bench-*"); err != nil {
					return fmt.Errorf("bench: %w", err)
				}
				defer func() { err = errors.Join(err, os.RemoveAll(o.Dir)) }()
			}
			o.Config = cfg
			o.Progress = func(what string) {
				_, _ = fmt.Fprintf(cmd.ErrOrStderr(), "%s …\n", what) // progress that cannot be shown is no reason to stop
			}
			result, err := bench.Run(cmd.Context(), o)
			if err != nil {
				return err
			}
			return printBench(cmd.OutOrStdout(), result, asJSON)
		},
	}
	addConfigFlag(cmd, &path)
	f := cmd.Flags()
	f.StringVar(&o.Dir, "data", "", "empty data `folder` to work in and to keep (default: a temporary one)")
	f.IntVarP(&o.Events, "events", "n", o.Events, "`number` of tweets")
	f.Float64SliceVar(&o.Naming, "naming", o.Naming, "`shares` of the tweets that name a brand of the catalogue, the one to measure all steps for first")
	f.DurationVar(&o.Latency, "latency", o.Latency, "how long to measure the latency; 0 leaves it out")
	f.StringVar(&o.ProfileDir, "profile", "", "`folder` for the profiles of (d): cpu.pprof and allocs.pprof")
	f.BoolVar(&asJSON, "json", false, "print the result as JSON")
	f.BoolVar(&memory, "memory", false, "measure the memory of a track partition instead")
	f.IntVar(&cases, "cases", cases, "`number` of open cases, with --memory")
	f.IntVar(&seen, "identities", seen, "`number` of identities, with --memory")
	return cmd
}

// benchResult prints itself for people and marshals for programs.
type benchResult interface{ Print(w io.Writer) error }

func printBench(w io.Writer, result benchResult, asJSON bool) error {
	if !asJSON {
		return result.Print(w)
	}
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(result)
}
