package main

import (
	"os"
	"testing"

	"otklik/deploy/embedded/embeddedtest"
	"otklik/schemas"
	"otklik/sinks/clickhouse"
)

// programEnv makes the test binary the program itself, for tests that need it as another process.
const programEnv = "OTKLIK_TEST_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(programEnv) != "" {
		main()
		return
	}
	embeddedtest.Main(m)
}

// migrated returns a database of its own with the schema in it, and a client for it that is closed with the test.
func migrated(t *testing.T) (embeddedtest.Database, *clickhouse.Client) {
	t.Helper()
	db := embeddedtest.ClickHouse(t)
	ch, err := clickhouse.Open(t.Context(), clickhouse.Config{Addrs: []string{db.Native}, Database: db.Name, User: db.User, Password: db.Password})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := ch.Close(); err != nil {
			t.Error(err)
		}
	})
	if _, err := schemas.Migrate(t.Context(), ch, schemas.Options{Database: db.Name}); err != nil {
		t.Fatal(err)
	}
	return db, ch
}
