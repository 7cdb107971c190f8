package clickhouse_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"otklik/deploy/embedded/embeddedtest"
	"otklik/schemas"
	"otklik/sinks/clickhouse"
	"otklik/sinks/sinktest"
)

func TestMain(m *testing.M) { embeddedtest.Main(m) }

// store is an empty, migrated store with its writer.
type store struct {
	*clickhouse.Client
	*clickhouse.Writer
}

// open returns an empty, migrated store on the shared server; change may alter its configuration.
func open(tb testing.TB, change func(*clickhouse.Config)) store {
	tb.Helper()
	db := embeddedtest.ClickHouse(tb)
	cfg := clickhouse.Config{Addrs: []string{db.Native}, Database: db.Name, User: db.User, Password: db.Password}
	if change != nil {
		change(&cfg)
	}
	c, err := clickhouse.Open(tb.Context(), cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := errors.Join(c.Exec(ctx, "DROP DATABASE IF EXISTS "+schemas.Store(db.Name)+" SYNC"), c.Close()); err != nil {
			tb.Errorf("drop the store of the test: %v", err)
		}
	})
	if _, err := schemas.Migrate(tb.Context(), c, schemas.Options{Database: db.Name}); err != nil {
		tb.Fatal(err)
	}
	return store{c, c.Writer()}
}

func TestConformance(t *testing.T) {
	sinktest.Run(t, func(tb testing.TB) sinktest.Sink {
		tb.Helper()
		return open(tb, nil)
	})
}
