package engine

import (
	"context"
	"log/slog"
	"time"

	"otklik/cmd/otklik/internal/config"
	"otklik/cmd/otklik/internal/ops"
	"otklik/sinks/clickhouse"
	"otklik/stream"
	"otklik/stream/kafka"
)

// ConnectKafka returns a client of the configured brokers. It does not wait for them: every call retries.
func ConnectKafka(cfg *config.Config, metrics *ops.Metrics, logger *slog.Logger) (*kafka.Client, error) {
	tls, err := cfg.Kafka.TLS.Client()
	if err != nil {
		return nil, err
	}
	out := kafka.Config{
		Brokers: cfg.Kafka.Brokers, TLS: tls, Compression: cfg.Kafka.Compression,
		OnRetry: func(target string, err error) {
			metrics.Retry("kafka")
			logger.Warn("retrying", "target", "kafka", "operation", target, "error", err)
		},
	}
	if s := cfg.Kafka.SASL; s.Mechanism != "" {
		out.SASL = &kafka.SASL{Mechanism: s.Mechanism, User: s.User, Password: s.Password.Reveal()}
	}
	return kafka.Open(out)
}

// ConnectClickHouse returns a client of the configured ClickHouse, logged in as the writer.
func ConnectClickHouse(ctx context.Context, cfg *config.Config, metrics *ops.Metrics, logger *slog.Logger) (*clickhouse.Client, error) {
	tls, err := cfg.ClickHouse.TLS.Client()
	if err != nil {
		return nil, err
	}
	return clickhouse.Open(ctx, clickhouse.Config{
		Addrs: cfg.ClickHouse.Addrs, Database: cfg.ClickHouse.Database, Cluster: cfg.ClickHouse.Cluster,
		User: cfg.ClickHouse.User, Password: cfg.ClickHouse.Password.Reveal(), TLS: tls, Logger: logger,
		OnReject: func(_ context.Context, _ string, l stream.DeadLetter, _ error) {
			metrics.DeadLetter(l.Stage, l.Reason, 1)
		},
		OnInsert: func(table string, rows int, _ time.Duration) { metrics.FlushedRows(table, rows) },
		OnRetry:  func(string, error) { metrics.Retry("clickhouse") },
	})
}
