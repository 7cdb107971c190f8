package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"otklik/cmd/otklik/internal/config"
	"otklik/dashboards"
)

// grafanaTokenEnv is the environment variable with the token of --push.
const grafanaTokenEnv = "GRAFANA_TOKEN"

// dashboardsOptions are the flags of `otklik dashboards`.
type dashboardsOptions struct {
	dashboards.Options
	config, out, push, lang, token string
	check                          bool
}

// newDashboardsCommand returns `otklik dashboards`.
func newDashboardsCommand() *cobra.Command {
	var o dashboardsOptions
	cmd := &cobra.Command{
		Use:   "dashboards --out DIR | --push URL",
		Short: "Write Grafana's dashboards, alert rules and data source",
		Long: `Writes dashboards, alert rules, the ClickHouse data sources and message templates as files that Grafana provisions:

  DIR/provisioning/LANG  to be Grafana's provisioning folder
  DIR/dashboards/LANG    to be ` + dashboards.DashboardPath + `

Both are written in every language unless --lang chooses one; Grafana gets those of one language: the alert rules and the messages
are in the language of their folder. The dashboards open with your own brands, and the alert rules about brands watch these and not the competitors: those
that the catalogue of the configuration calls own, or those of --brand. Database and users are the configuration's too.

Figures are read as the dashboard user. The panels that show posts have a data source of their own, which logs in as the desk:
to the dashboard user texts are closed.

--check writes nothing and fails when the files in DIR are not what would be written. --push puts everything but the data
sources into a running Grafana, with a service account's token from $` + grafanaTokenEnv + `, and says what it changed.`,
		Example: `  otklik dashboards --out deploy/grafana
  otklik dashboards --out deploy/grafana --check
  otklik dashboards -c otklik.yaml --out grafana --lang ru --target 80 --clickhouse clickhouse.internal:9000
  otklik dashboards --out grafana --brand mts,beeline
  GRAFANA_TOKEN=… otklik dashboards --push http://127.0.0.1:3000 --lang ru`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.token = getenvOf(cmd)(grafanaTokenEnv)
			for name, value := range map[string]string{"out": o.out, "push": o.push} {
				if value == "" && cmd.Flags().Changed(name) {
					return usagef(cmd, "--%s is empty: give a folder to --out, or the address of Grafana to --push", name)
				}
			}
			if o.push != "" && !isHTTP(o.push) {
				return usagef(cmd, "--push %q is no address; write it as http://127.0.0.1:3000", o.push)
			}
			if o.check && o.out == "" {
				return usagef(cmd, "--check needs --out DIR: the folder to check")
			}
			if o.push != "" && o.token == "" {
				return fmt.Errorf("push: $%s is not set; put the token of a service account of Grafana into it", grafanaTokenEnv)
			}
			langs := dashboards.Langs
			if o.lang != "" {
				lang, err := dashboards.ParseLang(o.lang)
				if err != nil {
					return usagef(cmd, "--lang: %w", err)
				}
				o.Lang, langs = lang, []dashboards.Lang{lang}
			}
			cfg, err := loadConfig(cmd, o.config)
			if err != nil {
				return err
			}
			for _, key := range o.Brands {
				if cfg.Brands.Brand(key) == nil {
					return usagef(cmd, "--brand %q: the catalogue has no brand with this key; name the configuration with -c", key)
				}
			}
			o.configured(cfg)
			return writeDashboards(cmd.Context(), cmd.OutOrStdout(), &o, langs)
		},
	}
	addConfigFlag(cmd, &o.config)
	f := cmd.Flags()
	f.StringVarP(&o.out, "out", "o", "", "`folder` to write to")
	f.StringVar(&o.push, "push", "", "`address` of a running Grafana to put everything into")
	f.BoolVar(&o.check, "check", false, "write nothing; fail when the files in --out differ")
	f.StringVar(&o.lang, "lang", "", "`language` of the texts: en or ru (default: both with --out, English with --push)")
	f.StringSliceVar(&o.Brands, "brand", nil, "`keys` of the brands to open with and to alert about (default: the own brands of the catalogue)")
	f.Float64Var(&o.Target, "target", dashboards.DefaultTarget, "loyal share to reach, in `percent`")
	f.StringVar(&o.Database, "database", "", "ClickHouse `database` of the reading views (default clickhouse.database)")
	f.StringVar(&o.Server, "clickhouse", dashboards.DefaultServer, "`host:port` of ClickHouse's native protocol as Grafana reaches it")
	f.StringVar(&o.User, "user", "", "ClickHouse `user` of Grafana (default clickhouse.dashboard.user); its password comes from $"+dashboards.PasswordEnv+" of Grafana's environment")
	f.StringVar(&o.DeskUser, "desk-user", "", "ClickHouse `user` of the panels of posts (default clickhouse.desk.user); its password comes from $"+dashboards.DeskPasswordEnv)
	f.StringVar(&o.Runbook, "runbook", dashboards.DefaultRunbook, "`address` of the runbook that alerts point to")
	cmd.MarkFlagsOneRequired("out", "push")
	cmd.MarkFlagsMutuallyExclusive("out", "push")
	return cmd
}

// configured takes from the configuration what no flag states.
func (o *dashboardsOptions) configured(cfg *config.Config) {
	o.Database = cmp.Or(o.Database, cfg.ClickHouse.Database)
	o.User = cmp.Or(o.User, cfg.ClickHouse.Dashboard.User)
	o.DeskUser = cmp.Or(o.DeskUser, cfg.ClickHouse.Desk.User)
	if len(o.Brands) > 0 {
		return
	}
	for i := range cfg.Brands.Brands {
		if b := &cfg.Brands.Brands[i]; b.Own {
			o.Brands = append(o.Brands, b.Key)
		}
	}
}

// errStale says that committed dashboards are not what the code generates.
var errStale = errors.New("the files differ from what this program generates; write them again with `otklik dashboards --out`")

func writeDashboards(ctx context.Context, w io.Writer, o *dashboardsOptions, langs []dashboards.Lang) error {
	if o.push != "" {
		g := &dashboards.Grafana{URL: o.push, Token: o.token}
		changed, err := g.Push(ctx, o.Options)
		if _, away := errors.AsType[*url.Error](err); away {
			err = fmt.Errorf("%w; is this the address of a running Grafana?", err)
		}
		return errors.Join(err, report(w, "pushed", changed, err))
	}
	files, err := dashboards.Files(o.Options, langs)
	if err != nil {
		return err
	}
	if o.check {
		stale, err := dashboards.Check(o.out, files)
		if err != nil {
			return err
		}
		if len(stale) > 0 {
			return fmt.Errorf("%s: %w:\n  %s", o.out, errStale, strings.Join(stale, "\n  "))
		}
		_, err = fmt.Fprintf(w, "%s: %d files are up to date\n", o.out, len(files))
		return err
	}
	changed, err := dashboards.Write(o.out, files)
	return errors.Join(err, report(w, "wrote", changed, err))
}

// report says what was changed, also by what failed half-way.
func report(w io.Writer, verb string, changed []string, failed error) error {
	if len(changed) == 0 && failed == nil {
		_, err := fmt.Fprintln(w, "nothing has changed")
		return err
	}
	for _, c := range changed {
		if _, err := fmt.Fprintln(w, verb, c); err != nil {
			return err
		}
	}
	return nil
}
