package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"otklik/cmd/otklik/internal/config"
	"otklik/cmd/otklik/internal/engine"
	"otklik/cmd/otklik/internal/local"
	"otklik/cmd/otklik/internal/ops"
	"otklik/deploy/embedded"
	"otklik/sinks/clickhouse"
)

// errUnbalanced ends verify with status 1 after it has said what does not balance.
var errUnbalanced = errors.New("verify: the books do not balance; while the engine is at work a flush under way looks the same: drain it with " +
	"`otklik run --once`, or wait, and verify again")

// newVerifyCommand returns `otklik verify`.
func newVerifyCommand() *cobra.Command {
	var (
		path, data string
		asJSON     bool
	)
	cmd := &cobra.Command{
		Use:   "verify [-c FILE | --data DIR] [--json]",
		Short: "Prove that everything read is accounted for",
		Long: `Proves from the tables that the books of every stage balance (read = mentions + about no tracked brand + duplicates +
dead letters + other kinds), that what ingest made is what track read, and that the panes are the recount of the
mentions and responses, cell by cell.

Stop or drain the engine first: a flush under way looks like a difference. Exit status: 0 if everything balances, else 1
with the first ten differing cells.`,
		Example: `  otklik verify -c otklik.yaml
  otklik verify --data ./day --json
  otklik run -c otklik.yaml --once && otklik verify -c otklik.yaml`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withClickHouse(cmd, path, data, func(ctx context.Context, _ *config.Config, ch *clickhouse.Client) error {
				report, err := ch.Verify(ctx)
				if err != nil {
					return err
				}
				return printVerify(cmd.OutOrStdout(), &report, asJSON)
			})
		},
	}
	addConfigFlag(cmd, &path)
	cmd.Flags().StringVar(&data, "data", "", "data `folder` of the demo instead of the configured ClickHouse")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the report as JSON")
	return cmd
}

// withClickHouse calls f with the ClickHouse of the configuration, or of the data folder, which is started if it is not running.
// Without either it is the default data folder's.
func withClickHouse(cmd *cobra.Command, path, data string, f func(context.Context, *config.Config, *clickhouse.Client) error) (err error) {
	ctx := cmd.Context()
	cfg, err := loadConfig(cmd, path)
	if err != nil {
		return err
	}
	logger, err := ops.NewLogger(cmd.ErrOrStderr(), "warn", "text")
	if err != nil {
		return err
	}
	if data == "" && path == "" && getenvOf(cmd)("OTKLIK_CONFIG") == "" {
		if data, err = embedded.DefaultDataDir(); err != nil {
			return err
		}
	}
	if data != "" {
		release, err := local.Attach(ctx, data, cfg)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, release()) }()
	}
	ch, err := engine.ConnectClickHouse(ctx, cfg, ops.NewMetrics(nil), logger)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ch.Close()) }()
	return f(ctx, cfg, ch)
}

func printVerify(out io.Writer, r *clickhouse.Report, asJSON bool) error {
	if asJSON {
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		if err := encoder.Encode(r); err != nil {
			return err
		}
	} else if err := printVerifyText(out, r); err != nil {
		return err
	}
	if !r.OK {
		return errUnbalanced
	}
	return nil
}

func printVerifyText(out io.Writer, r *clickhouse.Report) error {
	verdict := "The books balance"
	if !r.OK {
		verdict = "The books do NOT balance"
	}
	_, err := fmt.Fprintf(out, `%s: %d records read.
  read %d = mentions %d + about no tracked brand %d + duplicates %d + dead letters %d + other kinds %d
  late %d, repeated by our own producers after a restart %d
  panes against the recount of the mentions: %d cells, %d differ
  claims against the priorities of the mentions: %d claims, %d differ
`, verdict, r.Records, r.Read, r.Mentions, r.Unmatched, r.Duplicates, r.DeadLetters, r.Other, r.Late, r.Replayed, r.PaneCells, r.PaneMismatches,
		r.Claims, r.ClaimMismatches)
	if err != nil {
		return err
	}
	for _, fault := range r.Faults {
		if _, err := fmt.Fprintln(out, "  -", fault); err != nil {
			return err
		}
	}
	for i := range r.Differences {
		if _, err := fmt.Fprintln(out, "  -", r.Differences[i].String()); err != nil {
			return err
		}
	}
	return nil
}
