package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"otklik/cmd/otklik/internal/config"
	"otklik/cmd/otklik/internal/engine"
	"otklik/cmd/otklik/internal/ops"
	"otklik/stream/kafka"
)

// brokerPatience is how long a broker may take to answer before a command gives up: somebody waits in front of it.
const brokerPatience = 15 * time.Second

// reachBrokers connects a command that writes into topics, and returns the number of partitions of every topic there is. The
// caller closes the client.
func reachBrokers(ctx context.Context, cmd *cobra.Command, cfg *config.Config) (*kafka.Client, map[string]int, error) {
	logger, err := ops.NewLogger(cmd.ErrOrStderr(), "warn", "text")
	if err != nil {
		return nil, nil, err
	}
	client, err := engine.ConnectKafka(cfg, ops.NewMetrics(nil), logger)
	if err != nil {
		return nil, nil, err
	}
	patience, cancel := context.WithTimeout(ctx, brokerPatience)
	defer cancel()
	if err := client.Ping(patience); err != nil {
		client.Close()
		return nil, nil, fmt.Errorf("%w; are the brokers up? Those of a data folder run while `otklik demo` does", err)
	}
	topics, err := client.Partitions(patience)
	if err != nil {
		client.Close()
		return nil, nil, err
	}
	return client, topics, nil
}
