package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// runDashboards runs the subcommand as main would.
func runDashboards(t *testing.T, env map[string]string, args ...string) (string, error) {
	t.Helper()
	cmd := newDashboardsCommand()
	wrapUsage(cmd)
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	var out bytes.Buffer
	cmd.SetOut(&out)
	cmd.SetErr(&out)
	cmd.SetArgs(args)
	err := cmd.ExecuteContext(withGetenv(t.Context(), func(name string) string { return env[name] }))
	return out.String(), err
}

func TestDashboardsWritesAndChecks(t *testing.T) {
	dir := t.TempDir()
	out, err := runDashboards(t, nil, "--out", dir)
	if err != nil || !strings.Contains(out, "wrote dashboards/ru/care.json") || !strings.Contains(out, "wrote provisioning/ru/alerting/rules.yaml") {
		t.Fatalf("%v\n%s", err, out)
	}
	if out, err = runDashboards(t, nil, "--out", dir); err != nil || !strings.Contains(out, "nothing has changed") {
		t.Errorf("again: %v\n%s", err, out)
	}
	if out, err = runDashboards(t, nil, "--out", dir, "--check"); err != nil || !strings.Contains(out, "up to date") {
		t.Errorf("check: %v\n%s", err, out)
	}
	file := filepath.Join(dir, "dashboards", "en", "care.json")
	if err := os.WriteFile(file, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err = runDashboards(t, nil, "--out", dir, "--check"); !errors.Is(err, errStale) || !strings.Contains(err.Error(), "dashboards/en/care.json") {
		t.Errorf("check of a changed file: %v", err)
	}
	russian := t.TempDir()
	if out, err = runDashboards(t, nil, "--out", russian, "--lang", "ru"); err != nil || strings.Contains(out, "/en/") {
		t.Errorf("in Russian: %v\n%s", err, out)
	}
	rules, err := os.ReadFile(filepath.Join(russian, "provisioning", "ru", "alerting", "rules.yaml"))
	if err != nil || !bytes.Contains(rules, []byte("Всплеск негатива")) {
		t.Errorf("the rules are not in Russian: %v", err)
	}
}

// TestDashboardsOwnBrands: the catalogue says which brands are ours; flags go before the configuration.
func TestDashboardsOwnBrands(t *testing.T) {
	file := filepath.Join(t.TempDir(), "otklik.yaml")
	text := `
clickhouse: {database: figures, dashboard: {user: viewer}, desk: {user: helpers}}
catalogue:
  inline:
    brands:
      - {key: southair, name: South Air, aliases: [south air]}
      - {key: northair, name: North Air, own: true, aliases: [north air]}
      - {key: northcargo, name: North Cargo, own: true, aliases: [north cargo]}
`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		args           []string
		rules, sources []string
	}{
		{nil, []string{"brand IN ('mts')"}, []string{"username: dashboard", "username: desk", "defaultDatabase: otklik"}},
		{[]string{"-c", file}, []string{"brand IN ('northair', 'northcargo')"}, []string{"username: viewer", "username: helpers", "defaultDatabase: figures"}},
		{
			[]string{"-c", file, "--brand", "southair", "--user", "a", "--desk-user", "b", "--database", "other"},
			[]string{"brand IN ('southair')"},
			[]string{"username: a", "username: b", "defaultDatabase: other"},
		},
	} {
		dir := t.TempDir()
		if _, err := runDashboards(t, nil, append(test.args, "--out", dir)...); err != nil {
			t.Errorf("%v: %v", test.args, err)
			continue
		}
		for name, wants := range map[string][]string{"alerting/rules.yaml": test.rules, "datasources/otklik.yaml": test.sources} {
			text, err := os.ReadFile(filepath.Join(dir, "provisioning", "en", filepath.FromSlash(name)))
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range wants {
				if !bytes.Contains(text, []byte(want)) {
					t.Errorf("%v: %s lacks %q", test.args, name, want)
				}
			}
		}
	}
	if _, err := runDashboards(t, nil, "-c", file+".missing", "--out", t.TempDir()); err == nil {
		t.Error("a configuration that is missing was taken")
	}
}

func TestDashboardsRefusesWrongFlags(t *testing.T) {
	for _, args := range [][]string{
		{},
		{"--check"},
		{"--out", "x", "--push", "http://127.0.0.1:1"},
		{"--out", "x", "--lang", "de"},
		{"--out", "x", "extra"},
		{"--push", "http://127.0.0.1:1", "--check"},
		{"--out", ""},
		{"--push", ""},
		{"--push", "grafana"},
		{"--out", "x", "--brand", "nobodys"},
	} {
		_, err := runDashboards(t, map[string]string{grafanaTokenEnv: "secret"}, args...)
		if _, ok := errors.AsType[*usageError](err); !ok {
			t.Errorf("dashboards %v: %v", args, err)
		}
	}
	if _, err := runDashboards(t, nil, "--push", "http://127.0.0.1:1"); err == nil || !strings.Contains(err.Error(), "GRAFANA_TOKEN") {
		t.Errorf("push without a token: %v", err)
	}
	for _, target := range []string{"120", "NaN", "-1"} {
		if _, err := runDashboards(t, nil, "--out", t.TempDir(), "--target", target); err == nil || !strings.Contains(err.Error(), "between 0 and 100") {
			t.Errorf("the impossible target %s: %v", target, err)
		}
	}
	if _, err := runDashboards(t, nil, "--out", t.TempDir(), "--database", "a b'"); err == nil || !strings.Contains(err.Error(), "letters, digits") {
		t.Errorf("an impossible database: %v", err)
	}
	out, err := runDashboards(t, map[string]string{grafanaTokenEnv: "secret"}, "--push", "http://127.0.0.1:1")
	if err == nil || !strings.Contains(err.Error(), "running Grafana") || strings.Contains(out+err.Error(), "secret") || strings.Contains(out, "nothing has changed") {
		t.Errorf("a Grafana that is away: printed %q, %v", out, err)
	}
}
