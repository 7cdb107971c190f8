package embeddedtest_test

import (
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2"

	"otklik/deploy/embedded/embeddedtest"
)

func TestMain(m *testing.M) { embeddedtest.Main(m) }

func TestClickHouseIsSharedAndDatabasesAreFresh(t *testing.T) {
	first := embeddedtest.ClickHouse(t)
	t.Run("inner", func(t *testing.T) {
		second := embeddedtest.ClickHouse(t)
		if second.Native != first.Native {
			t.Errorf("two servers, %s and %s", first.Native, second.Native)
		}
		if second.Name == first.Name {
			t.Errorf("the database %s is shared", first.Name)
		}
	})
	options, err := clickhouse.ParseDSN(first.DSN)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := clickhouse.Open(options)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close() // a test's connection
	var database string
	var others uint64
	if err := conn.QueryRow(t.Context(), "SELECT currentDatabase(), (SELECT count() FROM system.databases WHERE name LIKE 'test_%')").Scan(&database, &others); err != nil {
		t.Fatal(err)
	}
	if database != first.Name || others != 1 {
		t.Errorf("in database %s among %d, want %s alone: that of the inner test is dropped", database, others, first.Name)
	}
}
