package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"otklik/deploy/embedded/embeddedtest"
	"otklik/schemas"
	"otklik/sinks/clickhouse"
)

func TestMigrate(t *testing.T) {
	db := embeddedtest.ClickHouse(t)
	file := filepath.Join(t.TempDir(), "otklik.yaml")
	text := fmt.Sprintf("clickhouse:\n  addrs: [%q]\n  database: %s\n  user: %s\n  password_env: OTKLIK_TEST_PASSWORD\n", db.Native, db.Name, db.User)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"OTKLIK_TEST_PASSWORD": db.Password}
	client, err := clickhouse.Open(t.Context(), clickhouse.Config{Addrs: []string{db.Native}, Database: db.Name, User: db.User, Password: db.Password})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := errors.Join(client.Exec(ctx, "DROP DATABASE IF EXISTS "+schemas.Store(db.Name)+" SYNC"), client.Close()); err != nil {
			t.Error(err)
		}
	})
	for _, step := range []struct {
		args         []string
		want, absent string
		migrated     bool
	}{
		{[]string{"--dry-run"}, "would apply 0001_tables.sql", "Replicated", false},
		{[]string{"--dry-run", "--cluster", "main"}, "ReplicatedReplacingMergeTree", "\napplied", false},
		{nil, "applied 0002_views.sql", "would", true},
		{nil, "nothing to do: the schema is at 0", "applied", true},
	} {
		stdout, _, err := otklik(t, env, append([]string{"migrate", "-c", file}, step.args...)...)
		if err != nil {
			t.Fatalf("migrate %v: %v", step.args, err)
		}
		if !strings.Contains(stdout, step.want) || strings.Contains(stdout, step.absent) || strings.Contains(stdout, db.Password) {
			t.Errorf("migrate %v printed, want %q and not %q:\n%.600s", step.args, step.want, step.absent, stdout)
		}
		if err := schemas.Check(t.Context(), client, db.Name); (err == nil) != step.migrated {
			t.Errorf("after migrate %v: %v", step.args, err)
		}
	}
	// Without passwords for the readers, --users is refused with a sentence before anything is changed.
	_, _, err = otklik(t, env, "migrate", "-c", file, "--users")
	if err == nil || !strings.Contains(err.Error(), "has no password") || strings.Contains(err.Error(), db.Password) {
		t.Errorf("migrate --users: %v", err)
	}
}
