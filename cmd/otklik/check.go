package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"otklik/cmd/otklik/internal/config"
)

// newCheckCommand returns `otklik check`.
func newCheckCommand() *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use:   "check -c FILE",
		Short: "Validate a configuration and its brand catalogue",
		Long: `Reads the configuration, the secrets that it names and the brand catalogue exactly as the service would, and prints
every fault at once, each with its line and with what to do. Nothing is connected to.

Exit status: 0 valid, 1 at least one fault.`,
		Example: `  otklik check -c otklik.yaml
  otklik check                             # the built-in defaults`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := loadConfig(cmd, path)
			if err != nil {
				return checkFailed(err)
			}
			return printSummary(cmd.OutOrStdout(), cfg)
		},
	}
	addConfigFlag(cmd, &path)
	return cmd
}

// checkFailed puts the number of faults above them.
func checkFailed(err error) error {
	n := len(config.Faults(err))
	if n == 1 {
		return fmt.Errorf("check: 1 fault\n%w", err)
	}
	return fmt.Errorf("check: %d faults\n%w", n, err)
}

// printSummary says what a valid configuration amounts to; it shows no secret.
func printSummary(w io.Writer, cfg *config.Config) error {
	name := cfg.File()
	if name == "" {
		name = "built-in defaults"
	}
	var b strings.Builder
	line := func(key, format string, args ...any) {
		fmt.Fprintf(&b, "  %-12s %s\n", key, fmt.Sprintf(format, args...))
	}
	fmt.Fprintf(&b, "%s: valid\n", name)
	stages := make([]string, len(cfg.Stages))
	for i, s := range cfg.Stages {
		stages[i] = string(s)
	}
	line("stages", "%s", strings.Join(stages, ", "))
	line("kafka", "%s%s", strings.Join(cfg.Kafka.Brokers, ", "), kafkaSecurity(&cfg.Kafka))
	line("clickhouse", "%s, database %s", strings.Join(cfg.ClickHouse.Addrs, ", "), cfg.ClickHouse.Database)
	own := 0
	for i := range cfg.Brands.Brands {
		if cfg.Brands.Brands[i].Own {
			own++
		}
	}
	line("catalogue", "%d brands, %d of them own", len(cfg.Brands.Brands), own)
	line("fingerprint", "%s", cfg.Fingerprint())
	_, err := io.WriteString(w, b.String())
	return err
}

// kafkaSecurity says how the connection to Kafka is secured.
func kafkaSecurity(k *config.Kafka) string {
	var s string
	if k.TLS.Enabled {
		s += ", TLS"
	}
	if k.SASL.Mechanism != "" {
		s += ", " + k.SASL.Mechanism + " as " + k.SASL.User
	}
	return s
}
