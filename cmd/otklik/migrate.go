package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/spf13/cobra"

	"otklik/cmd/otklik/internal/config"
	"otklik/cmd/otklik/internal/engine"
	"otklik/schemas"
	"otklik/sinks/clickhouse"
)

// newMigrateCommand returns `otklik migrate`.
func newMigrateCommand() *cobra.Command {
	var path string
	var o migrateOptions
	cmd := &cobra.Command{
		Use:   "migrate -c FILE",
		Short: "Bring the ClickHouse schema up to this binary",
		Long: `Applies the numbered migrations that are not applied yet, and the retention periods where they have changed, and says
what it did. It may be repeated and may run in several processes at once. A schema that is newer than this binary, or
that another binary wrote, is refused.

Two refusals of the engine are lifted here, while all its processes are stopped: --adopt-config records that this
configuration is the one to compute with from now on (figures computed before stay as they are), and --recreated begins a
raw topic anew that was deleted and created again, so that all its records are read as new ones.

With --users it also creates or changes the four users of the configuration (writer, analyst, dashboard, desk) with their
settings profiles, grants and quotas; that needs a login that may do so, named by clickhouse.user.`,
		Example: `  otklik migrate -c otklik.yaml
  otklik migrate -c otklik.yaml --dry-run          # print the statements, change nothing
  otklik migrate -c otklik.yaml --cluster main     # Replicated engines and Distributed tables
  otklik migrate -c otklik.yaml --adopt-config     # the catalogue was changed on purpose
  otklik migrate -c otklik.yaml --recreated firehose.vk
  otklik migrate -c otklik.yaml --users --admin admin --admin-password-env ADMIN_PASSWORD`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := loadConfig(cmd, path)
			if err != nil {
				return err
			}
			if o.adminPasswordEnv != "" {
				o.adminPassword = getenvOf(cmd)(o.adminPasswordEnv)
			}
			return migrate(cmd.Context(), cmd.OutOrStdout(), cfg, o)
		},
	}
	addConfigFlag(cmd, &path)
	flags := cmd.Flags()
	flags.BoolVar(&o.dryRun, "dry-run", false, "print the statements that would run and change nothing")
	flags.StringVar(&o.cluster, "cluster", "", "`name` of a ClickHouse cluster (default clickhouse.cluster)")
	flags.BoolVar(&o.users, "users", false, "create or change the users of the configuration too")
	flags.BoolVar(&o.adopt, "adopt-config", false, "compute with this configuration from now on, although figures were computed with another")
	flags.StringSliceVar(&o.recreated, "recreated", nil, "raw `topic` that was deleted and created again: read it from its beginning")
	flags.StringVar(&o.admin, "admin", "", "log in as this `user` instead of clickhouse.user")
	flags.StringVar(&o.adminPasswordEnv, "admin-password-env", "", "environment `variable` with the password of --admin")
	return cmd
}

type migrateOptions struct {
	dryRun, users, adopt    bool
	recreated               []string
	cluster                 string
	admin, adminPasswordEnv string
	adminPassword           string
}

// migrate applies the schema, and with users the users before it, because the views name the writer as their definer.
func migrate(ctx context.Context, out io.Writer, cfg *config.Config, o migrateOptions) (err error) {
	schema := cfg.Schema()
	schema.DryRun = o.dryRun
	if o.cluster != "" {
		schema.Cluster = o.cluster
	}
	tlsConfig, err := cfg.ClickHouse.TLS.Client()
	if err != nil {
		return fmt.Errorf("migrate: clickhouse.tls: %w", err)
	}
	login := clickhouse.Config{
		Addrs: cfg.ClickHouse.Addrs, Database: cfg.ClickHouse.Database, TLS: tlsConfig, Logger: slog.New(slog.DiscardHandler),
		User: cfg.ClickHouse.User, Password: cfg.ClickHouse.Password.Reveal(),
	}
	if o.admin != "" {
		login.User, login.Password = o.admin, o.adminPassword
	}
	client, err := clickhouse.Open(ctx, login)
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	defer func() { err = errors.Join(err, client.Close()) }()
	if o.users {
		if schema.Definer, err = migrateUsers(ctx, out, client, cfg, schema); err != nil {
			return err
		}
	}
	applied, err := schemas.Migrate(ctx, client, schema)
	if printErr := printMigrations(out, applied, o.dryRun); printErr != nil {
		return errors.Join(err, printErr)
	}
	if err != nil {
		return err
	}
	return lift(ctx, out, client, cfg, o)
}

// lift does away with the refusals that the operator says are mistaken.
func lift(ctx context.Context, out io.Writer, client *clickhouse.Client, cfg *config.Config, o migrateOptions) error {
	if o.adopt {
		line := fmt.Sprintf("would adopt configuration %s\n", cfg.Fingerprint())
		if !o.dryRun {
			if err := engine.AdoptConfig(ctx, client, cfg.Fingerprint()); err != nil {
				return err
			}
			line = fmt.Sprintf("adopted configuration %s: start every process with it\n", cfg.Fingerprint())
		}
		if _, err := io.WriteString(out, line); err != nil {
			return err
		}
	}
	for _, topic := range o.recreated {
		line := fmt.Sprintf("would begin topic %s anew\n", topic)
		if !o.dryRun {
			epoch, err := engine.NewEpoch(ctx, client, cfg, topic)
			if err != nil {
				return err
			}
			line = fmt.Sprintf("topic %s begins anew in epoch %d: it is read from its beginning\n", topic, epoch)
		}
		if _, err := io.WriteString(out, line); err != nil {
			return err
		}
	}
	return nil
}

// migrateUsers creates or changes the users and returns the name of the writer. Statements are never printed: they hold the
// passwords.
func migrateUsers(ctx context.Context, out io.Writer, client *clickhouse.Client, cfg *config.Config, schema schemas.Options) (string, error) {
	c := &cfg.ClickHouse
	users := schemas.Users(schema.Database, schemas.Credentials{
		Writer: c.User, WriterPassword: c.Password.Reveal(),
		Analyst: c.Analyst.User, AnalystPassword: c.Analyst.Password.Reveal(),
		Dashboard: c.Dashboard.User, DashboardPassword: c.Dashboard.Password.Reveal(),
		Desk: c.Desk.User, DeskPassword: c.Desk.Password.Reveal(),
	})
	statements, err := schemas.UserStatements(schema.Cluster, users)
	if err != nil {
		return "", fmt.Errorf("migrate users: %w", err)
	}
	verb := "created or changed"
	if schema.DryRun {
		verb = "would create or change"
	} else {
		for i, s := range statements {
			if err := client.Exec(ctx, s); err != nil {
				return "", fmt.Errorf("migrate users, statement %d of %d: %w; the login needs access management, see --admin", i+1, len(statements), err)
			}
		}
	}
	for _, u := range users {
		if _, err := fmt.Fprintf(out, "user %s: %s\n", u.Name, verb); err != nil {
			return "", err
		}
	}
	return users[0].Name, nil
}

func printMigrations(out io.Writer, applied []schemas.Applied, dryRun bool) error {
	fresh := 0
	for _, a := range applied {
		if !a.New {
			continue
		}
		fresh++
		verb := "applied"
		if dryRun {
			verb = "would apply"
		}
		if _, err := fmt.Fprintf(out, "%s %s (%d statements)\n", verb, a.Name, len(a.Statements)); err != nil {
			return err
		}
		if !dryRun {
			continue
		}
		for _, s := range a.Statements {
			if _, err := fmt.Fprintf(out, "\n%s;\n", s); err != nil {
				return err
			}
		}
	}
	if fresh == 0 && len(applied) > 0 {
		_, err := fmt.Fprintf(out, "nothing to do: the schema is at %04d\n", applied[len(applied)-2].Version)
		return err
	}
	return nil
}
