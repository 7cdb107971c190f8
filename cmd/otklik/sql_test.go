package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"otklik/deploy/embedded"
	"otklik/deploy/embedded/embeddedtest"
)

// sql runs `otklik sql` with arguments as the command line would.
func sql(t *testing.T, stdin string, env map[string]string, args ...string) (string, error) {
	t.Helper()
	cmd := newSQLCommand()
	wrapUsage(cmd)
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetFlagErrorFunc(nil)
	var out bytes.Buffer
	cmd.SetArgs(args)
	cmd.SetIn(strings.NewReader(stdin))
	cmd.SetOut(&out)
	cmd.SetErr(io.Discard)
	err := cmd.ExecuteContext(withGetenv(t.Context(), func(key string) string { return env[key] }))
	return out.String(), err
}

// sqlData makes a data folder with a ClickHouse that holds one table.
func sqlData(t *testing.T) (data string, server *embedded.ClickHouse) {
	t.Helper()
	data = t.TempDir()
	server, err := embedded.StartClickHouse(t.Context(), embedded.ClickHouseConfig{
		Dir: embedded.ClickHouseDir(data),
		Users: []embedded.User{
			{Name: "otklik", Grants: []string{"GRANT ALL ON *.*"}},
			{Name: analystUser, Grants: []string{"GRANT SELECT ON otklik.*"}, Settings: map[string]string{"readonly": "2"}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	writer := sqlTarget{url: "http://" + server.HTTP(), user: "otklik", password: server.Users()[0].Password, database: "default"}
	for _, statement := range []string{
		"CREATE DATABASE otklik",
		"CREATE TABLE otklik.brands (brand String, n UInt32) ENGINE = MergeTree ORDER BY brand",
		"INSERT INTO otklik.brands VALUES ('mts', 3), ('beeline', 2)",
	} {
		if err := writer.run(t.Context(), io.Discard, statement, "TSV"); err != nil {
			t.Fatal(err)
		}
	}
	return data, server
}

func TestSQLOnARunningServer(t *testing.T) {
	embeddedtest.Require(t)
	data, server := sqlData(t)

	table, err := sql(t, "", nil, "--data", data, "SELECT brand, n FROM brands ORDER BY n")
	if err != nil {
		t.Fatal(err)
	}
	want := "   ┌─brand───┬─n─┐\n1. │ beeline │ 2 │\n2. │ mts     │ 3 │\n   └─────────┴───┘\n"
	if table != want {
		t.Errorf("got\n%s\nwant\n%s", table, want)
	}
	for _, c := range []struct {
		name, stdin string
		args        []string
		want        string
	}{
		{"a format of choice", "", []string{"--format", "CSVWithNames", "SELECT * FROM brands WHERE n = 3"}, "\"brand\",\"n\"\n\"mts\",3\n"},
		{"FORMAT in the query", "", []string{"SELECT n FROM brands WHERE n = 3 FORMAT JSONEachRow"}, "{\"n\":3}\n"},
		{"standard input", "SELECT currentUser()", []string{"-f", "TSV"}, "analyst\n"},
		{"standard input by name", "SELECT currentDatabase()", []string{"-f", "TSV", "-"}, "otklik\n"},
	} {
		if got, err := sql(t, c.stdin, nil, append([]string{"--data", data}, c.args...)...); err != nil || got != c.want {
			t.Errorf("%s: got %q, %v, want %q", c.name, got, err, c.want)
		}
	}
	for _, c := range []struct{ name, query, want string }{
		{"an unknown table", "SELECT * FROM absent", "sql: Code: 60. DB::Exception: Unknown table expression identifier 'absent'"},
		{"a change", "INSERT INTO brands VALUES ('tele2', 1)", "sql: Code: 497. DB::Exception: analyst: Not enough privileges"},
		{"an error after rows that were held back", "SELECT throwIf(number = 200000, 'too far') FROM numbers(400000) FORMAT TSV", "too far"},
		{"an error after the first rows", "SELECT throwIf(number = 30000000, 'too far') FROM numbers(40000000) FORMAT TSV", "too far"},
	} {
		if _, err := sql(t, "", nil, "--data", data, c.query); err == nil || !strings.Contains(err.Error(), c.want) || exitCode(err) != 1 || len(err.Error()) > 2000 {
			t.Errorf("%s: got %.500v, want %q and exit status 1", c.name, err, c.want)
		}
	}
	select {
	case <-server.Done():
		t.Errorf("the running server was stopped: %v", server.Err())
	default:
	}
}

func TestSQLStartsAServer(t *testing.T) {
	embeddedtest.Require(t)
	data, server := sqlData(t)
	server.Kill() // leaves its endpoint behind
	for range 2 {
		got, err := sql(t, "", nil, "--data", data, "-f", "TSV", "SELECT sum(n) FROM brands")
		if err != nil || got != "5\n" {
			t.Fatalf("got %q, %v, want 5", got, err)
		}
	}
	if _, err := embedded.Running(embedded.ClickHouseDir(data)); !errors.Is(err, embedded.ErrNotRunning) {
		t.Errorf("the server that sql started still runs: %v", err)
	}
}

func TestSQLOnTheConfiguredServer(t *testing.T) {
	embeddedtest.Require(t)
	_, server := sqlData(t)
	path := filepath.Join(t.TempDir(), "otklik.yaml")
	text := "clickhouse:\n  http: http://" + server.HTTP() + "\n  analyst:\n    password_env: ANALYST_PASSWORD\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"ANALYST_PASSWORD": server.Users()[1].Password}
	if got, err := sql(t, "", env, "-c", path, "-f", "TSV", "SELECT count() FROM brands"); err != nil || got != "2\n" {
		t.Errorf("with -c: got %q, %v, want 2", got, err)
	}
	env["OTKLIK_CONFIG"] = path
	if got, err := sql(t, "", env, "-f", "TSV", "SELECT count() FROM brands"); err != nil || got != "2\n" {
		t.Errorf("with $OTKLIK_CONFIG: got %q, %v, want 2", got, err)
	}
	env["ANALYST_PASSWORD"] = "wrong"
	if _, err := sql(t, "", env, "-c", path, "SELECT 1"); err == nil || !strings.Contains(err.Error(), "Authentication failed") {
		t.Errorf("with a wrong password: got %v", err)
	}
}

func TestSQLUsage(t *testing.T) {
	empty := t.TempDir()
	if _, err := sql(t, "", nil, "--data", empty, "SELECT 1"); err == nil || !strings.Contains(err.Error(), "run `otklik demo --data "+empty) || exitCode(err) != 1 {
		t.Errorf("an empty data folder: got %v", err)
	}
	for name, args := range map[string][]string{
		"no query":       {},
		"two targets":    {"--data", empty, "-c", "x.yaml", "SELECT 1"},
		"two queries":    {"SELECT 1", "SELECT 2"},
		"an empty stdin": {"-"},
	} {
		if _, err := sql(t, "  \n", nil, args...); err == nil || exitCode(err) != 2 {
			t.Errorf("%s: got %v, want a usage error", name, err)
		}
	}
}
