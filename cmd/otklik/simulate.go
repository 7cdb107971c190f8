package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"otklik/stream"
	"otklik/stream/brand"
	"otklik/stream/simulate"
)

// newSimulateCommand returns `otklik simulate`.
func newSimulateCommand() *cobra.Command {
	cfg := simulate.Config{Events: 100_000, Duration: 24 * time.Hour}
	share := simulate.DefaultProportions()
	var out, day, catalogue string
	cmd := &cobra.Command{
		Use:   "simulate --out DIR",
		Short: "Write a simulated day of social media, and what the engine must make of it",
		Long: `Writes raw records of every platform in the platforms' own formats to DIR/<platform>.jsonl, in the order of their
delivery, and the ground truth to DIR/truth.json: the figures that verify must show, the counts of every pane, every
response time, the dead letters by reason.

The story is that of the brands of a catalogue: a daily curve of posts, most of them about nobody in particular, an outage
of the own brand every afternoon with a wave of complaints (none with --calm), care desks that answer within their hours.
Records come twice, out of order, late, from the future and broken, in the stated proportions.

The same flags give the same bytes on every machine. The truth takes what a text names from what was put into it, and
only the sentiment label from the built-in classifier.`,
		Example: `  otklik simulate --seed 1 --events 100000 --out day
  otklik simulate --events 2000000 --late 0.02 --duplicates 0.1 --out bad-day
  otklik simulate --calm --events 600000 --duration 720h --out calm-month
  otklik replay --platform twitter day/twitter.jsonl`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if day != "" {
				moscow := time.FixedZone("MSK", 3*60*60)
				t, err := time.ParseInLocation(time.DateOnly, day, moscow)
				if err != nil {
					return usagef(cmd, "--day %q is no date; write it as 2026-03-02", day)
				}
				cfg.Start = stream.TimeOf(t)
			}
			if catalogue != "" {
				text, err := os.ReadFile(catalogue)
				if err != nil {
					return fmt.Errorf("simulate: %w", err)
				}
				if cfg.Catalogue, err = brand.Parse(text); err != nil {
					return fmt.Errorf("simulate: %s: %w", catalogue, err)
				}
			}
			cfg.Proportions = &share
			if err := cfg.WithDefaults().Validate(); err != nil {
				return usagef(cmd, "%w", err)
			}
			s, err := simulate.New(cfg)
			if err != nil {
				return err
			}
			bar := newProgress(cmd.ErrOrStderr(), int64(cfg.Events), "simulating", false)
			truth, err := s.WriteFiles(cmd.Context(), out, func(n int) {
				_ = bar.Set(n) // a bar that cannot be drawn is no reason to stop
			})
			if err != nil {
				return err
			}
			return summariseTruth(cmd.OutOrStdout(), out, truth)
		},
	}
	f := cmd.Flags()
	f.StringVarP(&out, "out", "o", "", "`folder` to write to; files of an earlier simulation are replaced")
	f.Uint64Var(&cfg.Seed, "seed", 1, "`number` of the day: every seed is another one")
	f.IntVarP(&cfg.Events, "events", "n", cfg.Events, "`number` of records to write")
	f.StringVar(&day, "day", "", "first `date` in Moscow (default 2026-03-02)")
	f.DurationVar(&cfg.Duration, "duration", cfg.Duration, "how long the story goes, up to 744h; late records come after its end")
	f.StringVar(&catalogue, "catalogue", "", "brand catalogue `file` (default: the built-in example)")
	f.BoolVar(&cfg.Calm, "calm", false, "no outage: days on which nothing happens")
	f.BoolVar(&cfg.Minutes, "minutes", false, "put the panes of one minute into the truth too")
	shares := []struct {
		to   *float64
		name string
		what string
	}{
		{&share.Duplicates, "duplicates", "share of items delivered twice"},
		{&share.Disorder, "disorder", "share of items delivered up to 90 s after their time"},
		{&share.Late, "late", "share of items delivered hours to days late"},
		{&share.Malformed, "malformed", "share of broken records"},
		{&share.Future, "future", "share of records from the future"},
		{&share.Edits, "edits", "share of questions that are edited, where platforms say so"},
		{&share.Unmatched, "unmatched", "share of items about no brand of the catalogue"},
		{&share.Spam, "spam", "share of spam in the items about brands"},
		{&share.Other, "other", "share of records that are no texts (reactions, joins, notices, deletes)"},
	}
	for _, s := range shares {
		f.Float64Var(s.to, s.name, *s.to, s.what)
	}
	if err := cmd.MarkFlagRequired("out"); err != nil {
		panic(err) // the flag is defined above
	}
	return cmd
}

// summariseTruth prints the head of the truth for people.
func summariseTruth(w io.Writer, dir string, t *simulate.Truth) error {
	v := t.Verify
	_, err := fmt.Fprintf(w, "%s: %d records, read %d = %d mentions + %d unmatched + %d duplicates + %d dead letters + %d other\n",
		dir, v.Records, v.Read, v.Mentions, v.Unmatched, v.Duplicates, v.DeadLetters, v.Other)
	for _, b := range t.Brands {
		if err != nil {
			break
		}
		_, err = fmt.Fprintf(w, "%s: %d mentions (%d positive, %d neutral, %d negative), share of voice %.1f %%, %d of %d requests answered\n",
			b.Brand, b.Mentions, b.Positive, b.Neutral, b.Negative, 100*b.ShareOfVoice, b.Answered, b.Requested)
	}
	if err != nil {
		return fmt.Errorf("write summary: %w", err)
	}
	return nil
}

// newProgress returns a progress bar on w; it shows nothing unless w is a terminal. A total of -1 is unknown.
func newProgress(w io.Writer, total int64, what string, bytes bool) *progressbar.ProgressBar {
	return progressbar.NewOptions64(total,
		progressbar.OptionSetWriter(w),
		progressbar.OptionSetVisibility(isTerminal(w)),
		progressbar.OptionSetDescription(what),
		progressbar.OptionShowBytes(bytes),
		progressbar.OptionShowCount(),
		progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionClearOnFinish(),
	)
}

// isTerminal reports whether somebody watches w.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
