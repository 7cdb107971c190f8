// Package embeddedtest gives tests the real ClickHouse engine: one server per test binary, a fresh database per test.
//
// The binary's TestMain has to be
//
//	func TestMain(m *testing.M) { embeddedtest.Main(m) }
package embeddedtest

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"otklik/deploy/embedded"
)

// IntegrationEnv is the environment variable that says what to do with tests that need a part which may be absent: the
// ClickHouse library, the jars of Kafka. "off" skips them, "required" fails them, and unset (or "auto") skips them only
// where the part is absent.
const IntegrationEnv = "OTKLIK_INTEGRATION"

// Decide skips or fails the test as IntegrationEnv says; absent is why a part cannot be had, nil if it is there.
func Decide(t testing.TB, absent error) {
	t.Helper()
	switch mode := os.Getenv(IntegrationEnv); mode {
	case "off":
		t.Skipf("%s=off", IntegrationEnv)
	case "required":
		if absent != nil {
			t.Fatalf("%s=required: %v", IntegrationEnv, absent)
		}
	case "", "auto":
		if absent != nil {
			t.Skipf("skipped (%s=required would fail it): %v", IntegrationEnv, absent)
		}
	default:
		t.Fatalf("%s=%q: want off, auto or required", IntegrationEnv, mode)
	}
}

// Require ends the test unless the ClickHouse library is there and wanted; see IntegrationEnv.
func Require(t testing.TB) {
	t.Helper()
	_, err := embedded.FindLibrary("")
	Decide(t, err)
}

// shared is the server of this test binary.
var shared struct {
	once   sync.Once
	dir    string
	server *embedded.ClickHouse
	err    error
}

// Main is the body of TestMain for binaries that call ClickHouse: it becomes the child process where it is to, runs the
// tests, stops the server, removes its data and ends the process. It does not return.
func Main(m *testing.M) {
	embedded.Main()
	code := m.Run()
	if err := stop(); err != nil {
		fmt.Fprintln(os.Stderr, "embeddedtest:", err)
		code = max(code, 1)
	}
	os.Exit(code)
}

func stop() error {
	if shared.server == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return errors.Join(shared.server.Stop(ctx), os.RemoveAll(shared.dir))
}

// Admin is the user that Server's databases are made with; it may do everything but read files of the machine.
const Admin = "otklik"

// users are those of the shared server. Grants are read at the start and so cannot name the databases of tests: the analyst
// may read them all. Tests of finer grants start a server of their own.
func users() []embedded.User {
	return []embedded.User{
		{Name: Admin, Grants: []string{"GRANT ALL ON *.*"}},
		{Name: "analyst", Grants: []string{"GRANT SELECT ON *.*"}, Settings: map[string]string{"readonly": "2"}},
	}
}

// Server returns the ClickHouse of this test binary, which it starts at the first call. Tests share it: kill or stop only
// servers of your own.
func Server(t testing.TB) *embedded.ClickHouse {
	t.Helper()
	Require(t)
	shared.once.Do(func() {
		if shared.dir, shared.err = os.MkdirTemp("", "otklik-clickhouse-"); shared.err != nil { //nolint:usetesting // it outlives this test
			return
		}
		shared.server, shared.err = embedded.StartClickHouse(context.Background(), embedded.ClickHouseConfig{Dir: shared.dir, Users: users()})
	})
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.server
}

// Database is a fresh database on the shared server.
type Database struct {
	Name   string // unique in the server
	Native string // host:port of the native protocol
	HTTP   string // host:port of the HTTP interface
	User   string // Admin
	// Password of User.
	Password string
	DSN      string // for clickhouse-go, with User and the database
}

// ClickHouse returns a fresh, empty database on the shared server, dropped at the end of the test.
func ClickHouse(t testing.TB) Database {
	t.Helper()
	server := Server(t)
	db := Database{
		Name:   "test_" + strings.ToLower(rand.Text()[:12]),
		Native: server.Native(), HTTP: server.HTTP(),
		User: Admin, Password: server.Users()[0].Password,
	}
	db.DSN = server.DSN(Admin, db.Name)
	if err := db.exec(t.Context(), "CREATE DATABASE "+db.Name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := db.exec(ctx, "DROP DATABASE "+db.Name+" SYNC"); err != nil {
			t.Error(err)
		}
	})
	return db
}

// exec runs a statement over HTTP, so that this package needs no driver.
func (db Database) exec(ctx context.Context, statement string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+db.HTTP, strings.NewReader(statement))
	if err != nil {
		return fmt.Errorf("%s: %w", statement, err)
	}
	request.SetBasicAuth(db.User, db.Password)
	request.Close = true // the server waits some seconds for idle connections when it stops
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("%s: %w", statement, err)
	}
	answer, err := io.ReadAll(response.Body)
	if err = errors.Join(err, response.Body.Close()); err != nil {
		return fmt.Errorf("%s: %w", statement, err)
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", statement, bytes.TrimSpace(answer))
	}
	return nil
}
