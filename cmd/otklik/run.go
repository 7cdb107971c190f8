package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"otklik/cmd/otklik/internal/config"
	"otklik/cmd/otklik/internal/engine"
	"otklik/cmd/otklik/internal/ops"
	"otklik/stream"
)

// newRunCommand returns `otklik run`.
func newRunCommand() *cobra.Command {
	var (
		path   string
		stages []string
		once   bool
	)
	cmd := &cobra.Command{
		Use:   "run -c FILE [--stages ingest,track,roll] [--once]",
		Short: "Run the service",
		Long: `Runs the stages of the engine: ingest (raw JSON to mentions), track (duplicates, panes, conversations) and roll (rolling
windows). One process runs all three by default; start more processes, with all or with some of the stages, to share the
work: each stage is a consumer group. The schema has to be there: run ` + "`otklik migrate`" + ` first.

Metrics, health and profiles are served on http.listen of the configuration. SIGTERM and Ctrl-C flush and end the process;
whatever ends it otherwise loses nothing either.`,
		Example: `  otklik run -c otklik.yaml
  otklik run -c otklik.yaml --stages ingest
  otklik run -c otklik.yaml --once          # drain what the topics hold now, flush, end`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := loadConfig(cmd, path)
			if err != nil {
				return err
			}
			if len(stages) > 0 {
				if cfg.Stages, err = parseStages(stages); err != nil {
					return usagef(cmd, "%w", err)
				}
			}
			return runService(cmd.Context(), cfg, once, cmd.ErrOrStderr())
		},
	}
	addConfigFlag(cmd, &path)
	cmd.Flags().StringSliceVar(&stages, "stages", nil, "stages to run (default: those of the configuration)")
	cmd.Flags().BoolVar(&once, "once", false, "drain what the topics held at the start, flush, and end")
	return cmd
}

func parseStages(names []string) ([]stream.Stage, error) {
	var stages []stream.Stage
	for _, name := range names {
		stage := stream.Stage(strings.TrimSpace(name))
		switch stage {
		case stream.StageIngest, stream.StageTrack, stream.StageRoll:
			stages = append(stages, stage)
		default:
			return nil, fmt.Errorf("stage %q is not known; use ingest, track and roll", name)
		}
	}
	return stages, nil
}

// runService is the process of `otklik run`.
func runService(ctx context.Context, cfg *config.Config, once bool, stderr io.Writer) error {
	logger, err := ops.NewLogger(stderr, cfg.Log.Level, cfg.Log.Format)
	if err != nil {
		return err
	}
	defer ops.PaceCollector(int64(cfg.Limits.Memory))()
	metrics := ops.NewMetrics(nil)
	health := &ops.Health{}
	health.Expect("engine")
	group, gctx := errgroup.WithContext(ctx)
	serving, stopServing := context.WithCancel(gctx)
	if cfg.HTTP.Listen != "" {
		server := &ops.Server{Addr: cfg.HTTP.Listen, Metrics: metrics, Health: health, Log: logger}
		if err := server.Listen(ctx); err != nil {
			stopServing()
			return err
		}
		group.Go(func() error { return server.Run(serving) })
	}
	group.Go(func() error {
		defer stopServing()
		return runEngine(gctx, cfg, once, metrics, logger, func() { health.Report("engine", nil) })
	})
	return group.Wait()
}

// runEngine connects to Kafka and ClickHouse and runs the engine until ctx ends, or with once until it has drained its topics.
func runEngine(ctx context.Context, cfg *config.Config, once bool, metrics *ops.Metrics, logger *slog.Logger, ready func()) (err error) {
	classifier, err := cfg.Sentiment.Classifier()
	if err != nil {
		return err
	}
	client, err := engine.ConnectKafka(cfg, metrics, logger)
	if err != nil {
		return err
	}
	defer client.Close()
	ch, err := engine.ConnectClickHouse(ctx, cfg, metrics, logger)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ch.Close()) }()
	e, err := engine.New(ctx, engine.Options{
		Config: cfg, Kafka: client, ClickHouse: ch, Classifier: classifier, Metrics: metrics, Logger: logger, Once: once, Ready: ready,
	})
	if err != nil {
		return err
	}
	return e.Run(ctx)
}
