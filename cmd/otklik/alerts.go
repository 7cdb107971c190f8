package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"otklik/cmd/otklik/internal/config"
	"otklik/sinks/clickhouse"
	"otklik/stream"
	"otklik/stream/alert"
	"otklik/stream/spike"
)

// newAlertsCommand returns `otklik alerts` with its subcommands.
func newAlertsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "alerts",
		Short: "List alert episodes, or try the rules on history",
		Long: `An alert episode is a time in which a brand has unusually many negative mentions (negativity_spike) or mentions (volume_spike), on all
platforms together or on one.`,
		Example: `  otklik alerts list --data ./day
  otklik alerts dry-run --rule negativity_spike --sensitivity high --from 2026-03-01 --to 2026-04-01 -c otklik.yaml`,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		Args: cobra.NoArgs,
	}
	cmd.AddCommand(newAlertsListCommand(), newAlertsDryRunCommand())
	return cmd
}

// alertsFlags are what both subcommands have in common.
type alertsFlags struct {
	path, data string
	from, to   string
	brands     []string
	rule       string
	asJSON     bool
}

func (f *alertsFlags) add(cmd *cobra.Command) {
	addConfigFlag(cmd, &f.path)
	cmd.Flags().StringVar(&f.data, "data", "", "data `folder` of the demo instead of the configured ClickHouse")
	cmd.Flags().StringVar(&f.from, "from", "", "begin, as 2026-03-01 or 2026-03-01T12:00:00+03:00 (default 30 days before the end)")
	cmd.Flags().StringVar(&f.to, "to", "", "end (default now)")
	cmd.Flags().StringSliceVar(&f.brands, "brand", nil, "brands (default all)")
	cmd.Flags().StringVar(&f.rule, "rule", "", "negativity_spike or volume_spike (default both)")
	cmd.Flags().BoolVar(&f.asJSON, "json", false, "print one JSON object a line")
}

// span returns the time that --from and --to name.
func (f *alertsFlags) span(cmd *cobra.Command) (from, to stream.Time, err error) {
	if f.rule != "" && !slices.Contains(spike.Rules, spike.Rule(f.rule)) {
		return 0, 0, usagef(cmd, "--rule %s is not known; use negativity_spike or volume_spike", f.rule)
	}
	to = stream.TimeOf(time.Now())
	for _, x := range []struct {
		name, text string
		to         *stream.Time
	}{{"to", f.to, &to}, {"from", f.from, &from}} {
		if x.text == "" {
			continue
		}
		t, err := momentFlag(cmd, x.name, x.text)
		if err != nil {
			return 0, 0, err
		}
		*x.to = t
	}
	if f.from == "" {
		from = to - 30*stream.Day
	}
	if from >= to {
		return 0, 0, usagef(cmd, "--from does not lie before --to")
	}
	return from, to, nil
}

// momentFlag reads the time, the date or the span before now of a flag. Wrong ones are usage errors.
func momentFlag(cmd *cobra.Command, flag, text string) (stream.Time, error) {
	t, ok := parseMoment(text, time.Now())
	if !ok {
		return 0, usagef(cmd, "--%s %q is no time: write 2026-03-01, 2026-03-01T12:00:00Z, or 24h for a day ago", flag, text)
	}
	return stream.TimeOf(t), nil
}

func newAlertsListCommand() *cobra.Command {
	var f alertsFlags
	cmd := &cobra.Command{
		Use:   "list [-c FILE | --data DIR] [--from T] [--to T]",
		Short: "List the alert episodes that were found",
		Long:  `Prints the episodes that began between two moments, without those that late records have withdrawn.`,
		Example: `  otklik alerts list --data ./day
  otklik alerts list -c otklik.yaml --brand northair --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			from, to, err := f.span(cmd)
			if err != nil {
				return err
			}
			return withClickHouse(cmd, f.path, f.data, func(ctx context.Context, _ *config.Config, ch *clickhouse.Client) error {
				rows, err := ch.Episodes(ctx, "NOT withdrawn AND opened_at >= fromUnixTimestamp64Milli(toInt64(?), 'UTC') AND opened_at < fromUnixTimestamp64Milli(toInt64(?), 'UTC')",
					int64(from), int64(to))
				if err != nil {
					return err
				}
				rows = f.pick(rows)
				if len(rows) == 0 && !f.asJSON {
					_, err := fmt.Fprintf(cmd.OutOrStdout(), "no episodes from %s to %s; --from and --to choose other times\n", from.Go().Format(alertsMinute), to.Go().Format(alertsMinute))
					return err
				}
				return printEpisodes(cmd.OutOrStdout(), rows, f.asJSON)
			})
		},
	}
	f.add(cmd)
	return cmd
}

func newAlertsDryRunCommand() *cobra.Command {
	var (
		f           alertsFlags
		sensitivity string
	)
	cmd := &cobra.Command{
		Use:   "dry-run [-c FILE | --data DIR] [--rule RULE] [--sensitivity S] [--from T] [--to T]",
		Short: "Replay the rules over history: how often would they have fired?",
		Long: `Judges the rolling windows in ClickHouse between two moments by a rule, with a sensitivity of your choice, and prints the episodes that
it would have found and how many they are. It writes nothing and tells nobody. What was before the begin is used as history.`,
		Example: `  otklik alerts dry-run --data ./day --sensitivity high
  otklik alerts dry-run -c otklik.yaml --rule volume_spike --from 2026-03-01 --to 2026-04-01`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			from, to, err := f.span(cmd)
			if err != nil {
				return err
			}
			if sensitivity != "" {
				if err := spike.Sensitivity(sensitivity).Validate(); err != nil {
					return usagef(cmd, "--sensitivity: %w", err)
				}
			}
			return withClickHouse(cmd, f.path, f.data, func(ctx context.Context, cfg *config.Config, ch *clickhouse.Client) error {
				chosen := cmp.Or(spike.Sensitivity(sensitivity), cfg.Alerts.Sensitivity)
				rows, err := dryRun(ctx, ch, f.brands, chosen, from, to)
				if err != nil {
					return err
				}
				rows = f.pick(rows)
				if err := printEpisodes(cmd.OutOrStdout(), rows, f.asJSON); err != nil || f.asJSON {
					return err
				}
				return printRate(cmd.OutOrStdout(), rows, chosen, from, to)
			})
		},
	}
	f.add(cmd)
	cmd.Flags().StringVar(&sensitivity, "sensitivity", "", "low, normal or high (default that of the configuration)")
	return cmd
}

// pick keeps the rows of the chosen brands and rule.
func (f *alertsFlags) pick(rows []alert.Row) []alert.Row {
	return slices.DeleteFunc(rows, func(r alert.Row) bool {
		return len(f.brands) > 0 && !slices.Contains(f.brands, r.Brand) || f.rule != "" && r.Rule != spike.Rule(f.rule)
	})
}

// dryRun judges the windows in [from, to) as roll would have, and returns the episodes that begin in it. Windows are read day by day.
func dryRun(ctx context.Context, ch *clickhouse.Client, brands []string, s spike.Sensitivity, from, to stream.Time) ([]alert.Row, error) {
	watches := map[string]*spike.Watch{}
	watch := func(brand string) *spike.Watch {
		if watches[brand] == nil {
			watches[brand] = spike.NewWatch(s)
		}
		return watches[brand]
	}
	last := map[string]alert.Row{}
	_, past := spike.Since(from)
	hours, err := ch.Figures(ctx, brands, stream.Hour, past, to)
	if err != nil {
		return nil, err
	}
	for i := range hours {
		watch(hours[i].Brand).Hour(hours[i].Platform, hours[i].At, hours[i].Counts)
	}
	for begin := from; begin < to; begin += stream.Day {
		end := min(begin+stream.Day, to)
		windows, err := ch.Figures(ctx, brands, spike.Length, begin, end)
		if err != nil {
			return nil, err
		}
		for i := range windows {
			watch(windows[i].Brand).Window(windows[i].Platform, windows[i].At, windows[i].Counts)
		}
		for brand, w := range watches {
			for _, e := range w.Flush(nil, end) {
				r := alert.Row{Brand: brand, Episode: e}
				last[r.ID()] = r
			}
		}
	}
	var out []alert.Row
	for _, r := range last {
		if !r.Withdrawn && r.OpenedAt >= from {
			out = append(out, r)
		}
	}
	slices.SortFunc(out, func(a, b alert.Row) int {
		if a.OpenedAt != b.OpenedAt {
			return int(a.OpenedAt - b.OpenedAt)
		}
		return strings.Compare(a.ID(), b.ID())
	})
	return out, nil
}

// alertsMinute is how moments are printed; they are in UTC.
const alertsMinute = "2006-01-02 15:04 MST"

func printEpisodes(out io.Writer, rows []alert.Row, asJSON bool) error {
	encoder := json.NewEncoder(out)
	for i := range rows {
		event := alert.Opened
		if rows[i].ClearedAt != 0 {
			event = alert.Cleared
		}
		m := alert.NewMessage(&rows[i], event, nil)
		if asJSON {
			if err := encoder.Encode(m); err != nil {
				return err
			}
			continue
		}
		if _, err := fmt.Fprintf(out, "%s  %-8s  %s\n", rows[i].OpenedAt.Go().Format(alertsMinute), m.Severity, m.Summary); err != nil {
			return err
		}
	}
	return nil
}

// printRate sums up a dry run.
func printRate(out io.Writer, rows []alert.Row, s spike.Sensitivity, from, to stream.Time) error {
	whole := 0
	for i := range rows {
		if rows[i].Platform == "" {
			whole++
		}
	}
	days := float64(to-from) / float64(stream.Day)
	_, err := fmt.Fprintf(out, "%d episodes in %.1f days at the sensitivity %s: %d of all platforms together, %d of one platform\n",
		len(rows), days, s, whole, len(rows)-whole)
	return err
}
