package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"otklik/cmd/otklik/internal/config"
)

// newCheckCommand returns `otklik check`.
func newCheckCommand() *cobra.Command {
	var path, ready string
	cmd := &cobra.Command{
		Use:   "check -c FILE | --ready URL",
		Short: "Validate a configuration and its brand catalogue",
		Long: `Reads the configuration, the secrets that it names and the brand catalogue exactly as the service would, and prints
every fault at once, each with its line and with what to do. Nothing is connected to.

With --ready it asks a running process for its health instead, at http.listen: /healthz says that it lives, /readyz that it
works. That is the health check of an image that holds nothing but otklik.

Exit status: 0 valid or healthy, 1 at least one fault, or no healthy process.`,
		Example: `  otklik check -c otklik.yaml
  otklik check                             # the built-in defaults
  otklik check --ready http://127.0.0.1:9464/readyz`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Flags().Changed("ready") {
				if !isHTTP(ready) {
					return usagef(cmd, "--ready %q is no address; write it as http://127.0.0.1:9464/readyz", ready)
				}
				return checkReady(cmd.Context(), cmd.OutOrStdout(), ready)
			}
			cfg, err := loadConfig(cmd, path)
			if err != nil {
				return checkFailed(err)
			}
			return printSummary(cmd.OutOrStdout(), cfg)
		},
	}
	addConfigFlag(cmd, &path)
	cmd.Flags().StringVar(&ready, "ready", "", "`URL` of a running process to ask for its health")
	cmd.MarkFlagsMutuallyExclusive("ready", "config")
	return cmd
}

// isHTTP tells whether s is an address of HTTP.
func isHTTP(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}

const (
	readyPatience = 5 * time.Second // of a whole health check
	readyAnswer   = 4 << 10         // bytes of the answer that are shown
)

// checkReady prints what the process at address says of its health; anything but 200 is an error. Proxies are not asked: a health
// check is about this machine.
func checkReady(ctx context.Context, w io.Writer, address string) (err error) {
	ctx, cancel := context.WithTimeout(ctx, readyPatience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return fmt.Errorf("check: %w", err)
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("check: %w; is otklik running, and does http.listen name this address?", err)
	}
	defer func() { err = errors.Join(err, response.Body.Close()) }()
	answer, err := io.ReadAll(io.LimitReader(response.Body, readyAnswer))
	if err != nil {
		return fmt.Errorf("check %s: read the answer: %w", address, err)
	}
	text := strings.TrimSpace(string(answer))
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("check %s: %s: %s", address, response.Status, text)
	}
	_, err = fmt.Fprintln(w, text)
	return err
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
