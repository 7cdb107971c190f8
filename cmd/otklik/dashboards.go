package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"otklik/dashboards"
)

// grafanaTokenEnv is the environment variable with the token of --push.
const grafanaTokenEnv = "GRAFANA_TOKEN"

// dashboardsOptions are the flags of `otklik dashboards`.
type dashboardsOptions struct {
	dashboards.Options
	out, push, lang, token string
	check                  bool
}

// newDashboardsCommand returns `otklik dashboards`.
func newDashboardsCommand() *cobra.Command {
	var o dashboardsOptions
	cmd := &cobra.Command{
		Use:   "dashboards --out DIR | --push URL",
		Short: "Write Grafana's dashboards, alert rules and data source",
		Long: `Writes dashboards, alert rules, the ClickHouse data source and message templates as files that Grafana provisions:

  DIR/provisioning       to be Grafana's provisioning folder
  DIR/dashboards/LANG    to be ` + dashboards.DashboardPath + `

The dashboards are written in every language unless --lang chooses one; the alert rules are in that language, else in
English. Without --brand the dashboards open with the brand that is talked about most, and the alert rules watch every brand.

--check writes nothing and fails when the files in DIR are not what would be written. --push puts everything but the data
source into a running Grafana, with a service account's token from $` + grafanaTokenEnv + `, and says what it changed.`,
		Example: `  otklik dashboards --out deploy/grafana
  otklik dashboards --out deploy/grafana --check
  otklik dashboards --out grafana --lang ru --brand mts --target 80 --clickhouse clickhouse.internal:9000
  GRAFANA_TOKEN=… otklik dashboards --push http://127.0.0.1:3000 --lang ru`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.token = getenvOf(cmd)(grafanaTokenEnv)
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
			return writeDashboards(cmd.Context(), cmd.OutOrStdout(), &o, langs)
		},
	}
	f := cmd.Flags()
	f.StringVarP(&o.out, "out", "o", "", "`folder` to write to")
	f.StringVar(&o.push, "push", "", "`address` of a running Grafana to put everything into")
	f.BoolVar(&o.check, "check", false, "write nothing; fail when the files in --out differ")
	f.StringVar(&o.lang, "lang", "", "`language` of the texts: en or ru (default: dashboards in both, alert rules in English)")
	f.StringVar(&o.Brand, "brand", "", "`key` of the brand to open with and to alert about")
	f.Float64Var(&o.Target, "target", dashboards.DefaultTarget, "loyal share to reach, in `percent`")
	f.StringVar(&o.Database, "database", "", "ClickHouse `database` of the reading views (default otklik)")
	f.StringVar(&o.Server, "clickhouse", dashboards.DefaultServer, "`host:port` of ClickHouse's native protocol as Grafana reaches it")
	f.StringVar(&o.User, "user", dashboards.DefaultUser, "ClickHouse `user` of Grafana; its password comes from $"+dashboards.PasswordEnv+" of Grafana's environment")
	f.StringVar(&o.Runbook, "runbook", dashboards.DefaultRunbook, "`address` of the runbook that alerts point to")
	cmd.MarkFlagsOneRequired("out", "push")
	cmd.MarkFlagsMutuallyExclusive("out", "push")
	return cmd
}

// errStale says that committed dashboards are not what the code generates.
var errStale = errors.New("the files differ from what this program generates; write them again with `otklik dashboards --out`")

func writeDashboards(ctx context.Context, w io.Writer, o *dashboardsOptions, langs []dashboards.Lang) error {
	if o.push != "" {
		g := &dashboards.Grafana{URL: o.push, Token: o.token}
		changed, err := g.Push(ctx, o.Options)
		if printed := report(w, "pushed", changed); err == nil {
			err = printed
		}
		return err
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
	if printed := report(w, "wrote", changed); err == nil {
		err = printed
	}
	return err
}

// report says what was changed.
func report(w io.Writer, verb string, changed []string) error {
	if len(changed) == 0 {
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
