package embedded_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"otklik/deploy/embedded"
	"otklik/deploy/embedded/embeddedtest"
)

// roleEnv makes this test binary play a process that can be killed.
const roleEnv = "OTKLIK_TEST_ROLE"

func TestMain(m *testing.M) {
	embedded.Main()
	if role := os.Getenv(roleEnv); role != "" {
		if err := play(role); err != nil {
			fmt.Fprintln(os.Stderr, role, "helper:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// play runs the helper process of a role; the folder is the first argument. It prints one line when it is ready and
// serves until it is killed or its standard input closes.
func play(role string) error {
	ctx := context.Background()
	dir := os.Args[1]
	var endpoint string
	var stop func() error
	switch role {
	case "clickhouse":
		server, err := embedded.StartClickHouse(ctx, embedded.ClickHouseConfig{Dir: dir, Users: users()})
		if err != nil {
			return err
		}
		endpoint, stop = fmt.Sprint(server.PID()), func() error { return server.Stop(ctx) }
	case "kafka":
		broker, err := embedded.StartKafka(ctx, embedded.KafkaConfig{Dir: dir, DefaultPartitions: 2})
		if err != nil {
			return err
		}
		endpoint, stop = broker.Addr(), broker.Close
	default:
		return fmt.Errorf("unknown role %q", role)
	}
	fmt.Println(endpoint)
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		return err
	}
	return stop()
}

// helper starts this test binary in a role and returns it with the line it prints.
func helper(t *testing.T, role, dir string) (*exec.Cmd, string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, dir)
	cmd.Env = append(os.Environ(), roleEnv+"="+role)
	cmd.Stderr = os.Stderr
	leash, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		leash.Close() // it may be dead already
		if cmd.ProcessState == nil {
			cmd.Wait() // likewise
		}
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("helper %s on %s did not start: %v", role, dir, err)
	}
	return cmd, strings.TrimSpace(line)
}

// kill9 kills a helper and reaps it.
func kill9(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil {
		t.Fatal("a killed helper ended with success")
	}
}

func users() []embedded.User {
	return []embedded.User{
		{Name: "otklik", Password: "writer's <secret> & more", Grants: []string{
			"GRANT ALL ON otklik.*", "GRANT CREATE DATABASE ON *.*", "GRANT SELECT ON system.*", "GRANT SET DEFINER ON *",
			"GRANT TABLE ENGINE ON *",
		}},
		{
			Name: "analyst", Grants: []string{"GRANT SELECT ON otklik.*"}, Settings: map[string]string{"readonly": "2"},
			Limits: map[string]uint64{"max_execution_time": 30, "max_memory_usage": 1 << 30},
		},
		{
			Name: "dashboard", Grants: []string{"GRANT SELECT ON otklik.shares"}, Settings: map[string]string{"readonly": "1"},
			Quota: embedded.Quota{Queries: 100_000},
		},
	}
}

func start(t *testing.T, cfg embedded.ClickHouseConfig) *embedded.ClickHouse {
	t.Helper()
	server, err := embedded.StartClickHouse(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := server.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	return server
}

func open(t *testing.T, server *embedded.ClickHouse, user string) clickhouse.Conn {
	t.Helper()
	options, err := clickhouse.ParseDSN(server.DSN(user, ""))
	if err != nil {
		t.Fatal(err)
	}
	conn, err := clickhouse.Open(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() }) // a test may have killed the server
	return conn
}

func exec1(t *testing.T, conn clickhouse.Conn, statement string) {
	t.Helper()
	if err := conn.Exec(t.Context(), statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

func number(t *testing.T, conn clickhouse.Conn, query string) uint64 {
	t.Helper()
	var n uint64
	if err := conn.QueryRow(t.Context(), query).Scan(&n); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

func TestNativeAndHTTP(t *testing.T) {
	embeddedtest.Require(t)
	began := time.Now()
	server := start(t, embedded.ClickHouseConfig{Dir: t.TempDir(), Users: users()})
	t.Logf("ready after %s", time.Since(began).Round(time.Millisecond))

	conn := open(t, server, "otklik")
	exec1(t, conn, "CREATE DATABASE otklik")
	exec1(t, conn, "CREATE TABLE otklik.t (n UInt64, label LowCardinality(String), position UInt64) ENGINE = ReplacingMergeTree(position) ORDER BY n")
	batch, err := conn.PrepareBatch(t.Context(), "INSERT INTO otklik.t")
	if err != nil {
		t.Fatal(err)
	}
	defer batch.Close()
	for n := range uint64(1000) {
		if err := batch.Append(n, "negative", n); err != nil {
			t.Fatal(err)
		}
	}
	if err := batch.Send(); err != nil {
		t.Fatal(err)
	}
	if got := number(t, conn, "SELECT count() FROM otklik.t FINAL"); got != 1000 {
		t.Errorf("%d rows over the native protocol, want 1000", got)
	}
	exec1(t, conn, "ALTER TABLE otklik.t DELETE WHERE n < 10 SETTINGS mutations_sync = 1")

	status, body := ask(t, server, "analyst", "SELECT count(), currentUser() FROM otklik.t FORMAT CSV")
	if want := "990,\"analyst\"\n"; status != http.StatusOK || body != want {
		t.Errorf("over HTTP: %d %q, want %q", status, body, want)
	}
	exec1(t, conn, "DROP TABLE otklik.t SYNC")
}

// ask runs a query over HTTP.
func ask(t *testing.T, server *embedded.ClickHouse, user, query string) (int, string) {
	t.Helper()
	var password string
	for _, u := range server.Users() {
		if u.Name == user {
			password = u.Password
		}
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+server.HTTP(), strings.NewReader(query))
	if err != nil {
		t.Fatal(err)
	}
	request.SetBasicAuth(user, password)
	request.Close = true // the server waits some seconds for idle connections when it stops
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close() // read to its end below
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

func TestGrants(t *testing.T) {
	embeddedtest.Require(t)
	server := start(t, embedded.ClickHouseConfig{Dir: t.TempDir(), Users: users()})
	writer := open(t, server, "otklik")
	for _, statement := range []string{
		"CREATE DATABASE otklik",
		"CREATE TABLE otklik.mentions (text String, label String) ENGINE = MergeTree ORDER BY label",
		"INSERT INTO otklik.mentions VALUES ('нет связи', 'negative'), ('спасибо', 'positive')",
		"CREATE VIEW otklik.shares DEFINER = otklik SQL SECURITY DEFINER AS SELECT label, count() AS n FROM otklik.mentions GROUP BY label",
	} {
		exec1(t, writer, statement)
	}
	reader := open(t, server, "dashboard")
	if got := number(t, reader, "SELECT sum(n) FROM otklik.shares"); got != 2 {
		t.Errorf("the view counts %d, want 2", got)
	}
	analyst := open(t, server, "analyst")
	if got := number(t, analyst, "SELECT count() FROM otklik.mentions"); got != 2 {
		t.Errorf("the analyst counts %d, want 2", got)
	}
	const denied, authentication, constraint = 497, 516, 452
	for _, c := range []struct {
		name string
		code int32
		run  func() error
	}{
		{"the reader cannot read the table", denied, func() error { return reader.Exec(t.Context(), "SELECT text FROM otklik.mentions") }},
		{"the reader cannot write", denied, func() error { return reader.Exec(t.Context(), "INSERT INTO otklik.mentions VALUES ('a','b')") }},
		{"the analyst cannot write", denied, func() error { return analyst.Exec(t.Context(), "INSERT INTO otklik.mentions VALUES ('a','b')") }},
		{"the analyst cannot read files", denied, func() error { return analyst.Exec(t.Context(), "SELECT * FROM file('/etc/hostname', 'LineAsString')") }},
		{"the writer cannot read files", denied, func() error { return writer.Exec(t.Context(), "SELECT * FROM file('/etc/hostname', 'LineAsString')") }},
		{"a limit cannot be raised", constraint, func() error {
			return analyst.Exec(t.Context(), "SELECT 1 SETTINGS max_execution_time = 3600")
		}},
		{"a wrong password is refused", authentication, func() error {
			return tryAs(t, server, "otklik", "guess")
		}},
		{"the user default has no session left", 700, func() error {
			return tryAs(t, server, "default", "")
		}},
	} {
		var exception *clickhouse.Exception
		if err := c.run(); !errors.As(err, &exception) || exception.Code != c.code {
			t.Errorf("%s: got %v, want code %d", c.name, err, c.code)
		}
	}
	if err := analyst.Exec(t.Context(), "SELECT 1 SETTINGS max_execution_time = 5"); err != nil {
		t.Errorf("a limit can be lowered: %v", err)
	}
}

func tryAs(t *testing.T, server *embedded.ClickHouse, user, password string) error {
	t.Helper()
	conn, err := clickhouse.Open(&clickhouse.Options{
		Addr: []string{server.Native()}, Auth: clickhouse.Auth{Username: user, Password: password},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close() // a refused connection
	return conn.Ping(t.Context())
}

func TestDataOutlivesKill(t *testing.T) {
	embeddedtest.Require(t)
	dir := t.TempDir()
	server := start(t, embedded.ClickHouseConfig{Dir: dir, Users: users()})
	conn := open(t, server, "otklik")
	exec1(t, conn, "CREATE DATABASE otklik")
	exec1(t, conn, "CREATE TABLE otklik.t (n UInt64) ENGINE = MergeTree ORDER BY n")
	exec1(t, conn, "INSERT INTO otklik.t SELECT number FROM numbers(100000)")
	server.Kill()
	if err := server.Err(); err != nil {
		t.Errorf("after Kill: %v", err)
	}
	if _, err := embedded.Running(dir); !errors.Is(err, embedded.ErrNotRunning) {
		t.Errorf("the endpoint of a killed server is taken for alive: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "endpoint.json")); err != nil {
		t.Errorf("the killed server left no endpoint.json behind, so its recognition is untested: %v", err)
	}

	again := start(t, embedded.ClickHouseConfig{Dir: dir}) // with the users of before
	if got := number(t, open(t, again, "otklik"), "SELECT count() FROM otklik.t"); got != 100000 {
		t.Errorf("%d rows after kill -9, want 100000", got)
	}
	endpoint, err := embedded.Running(dir)
	if err != nil {
		t.Fatal(err)
	}
	if endpoint.PID != again.PID() || endpoint.HTTP != again.HTTP() || endpoint.Native != again.Native() || endpoint.Owner != os.Getpid() {
		t.Errorf("endpoint %+v does not name the server %d", endpoint, again.PID())
	}
}

func TestSecondProcessIsRefused(t *testing.T) {
	embeddedtest.Require(t)
	dir := t.TempDir()
	_, line := helper(t, "clickhouse", dir)
	_, err := embedded.StartClickHouse(t.Context(), embedded.ClickHouseConfig{Dir: dir, Users: users()})
	if _, ok := errors.AsType[*embedded.LockedError](err); !ok {
		t.Fatalf("got %v, want a LockedError", err)
	}
	if !strings.Contains(err.Error(), "in use by process "+line) {
		t.Errorf("%q does not name process %s", err, line)
	}
}

func TestDiesWithItsParent(t *testing.T) {
	embeddedtest.Require(t)
	dir := t.TempDir()
	parent, _ := helper(t, "clickhouse", dir)
	endpoint, err := embedded.Running(dir)
	if err != nil {
		t.Fatal(err)
	}
	kill9(t, parent)
	// The lock is free as soon as the child is gone, so a new server on the folder proves that it is.
	server := start(t, embedded.ClickHouseConfig{Dir: dir})
	if server.PID() == endpoint.PID {
		t.Errorf("the server is still process %d", endpoint.PID)
	}
}

func TestBrokenConnectionsDoNotEndIt(t *testing.T) {
	embeddedtest.Require(t)
	server := start(t, embedded.ClickHouseConfig{Dir: t.TempDir(), Users: users()})
	for _, garbage := range []string{"GET / HTTP/1.0\r\n\r\n", "\x00\x05hello", strings.Repeat("\xff", 100), "\x00", ""} {
		for range 5 {
			conn, err := net.Dial("tcp", server.Native())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.WriteString(conn, garbage); err != nil {
				t.Fatal(err)
			}
			if err := conn.(*net.TCPConn).SetLinger(0); err != nil { // close with a reset, as a killed client does
				t.Fatal(err)
			}
			if err := conn.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got := number(t, open(t, server, "otklik"), "SELECT toUInt64(42)"); got != 42 {
		t.Errorf("got %d", got)
	}
	select {
	case <-server.Done():
		t.Fatal(server.Err())
	default:
	}
}

func TestDeathIsReported(t *testing.T) {
	embeddedtest.Require(t)
	server := start(t, embedded.ClickHouseConfig{Dir: t.TempDir(), Users: users()})
	process, err := os.FindProcess(server.PID())
	if err != nil {
		t.Fatal(err)
	}
	if err := process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-server.Done()
	if err := server.Err(); err == nil || !strings.Contains(err.Error(), "died: signal: killed") {
		t.Errorf("got %v, want that it died", err)
	}
	t.Cleanup(server.Kill)
}

func TestStopIsCleanAndRepeatable(t *testing.T) {
	embeddedtest.Require(t)
	dir := t.TempDir()
	server := start(t, embedded.ClickHouseConfig{Dir: dir, Users: users()})
	for range 2 {
		if err := server.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "endpoint.json")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("endpoint.json after a clean stop: %v", err)
	}
}

func TestTakenPort(t *testing.T) {
	embeddedtest.Require(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close() // a test's listener
	_, err = embedded.StartClickHouse(t.Context(), embedded.ClickHouseConfig{
		Dir: t.TempDir(), Users: users(), NativePort: taken.Addr().(*net.TCPAddr).Port,
	})
	if err == nil || !strings.Contains(err.Error(), "Address already in use") {
		t.Errorf("got %v, want that the address is in use", err)
	}
}

func TestMissingLibrary(t *testing.T) {
	absent := filepath.Join(t.TempDir(), "libchdb.so")
	_, err := embedded.StartClickHouse(t.Context(), embedded.ClickHouseConfig{Dir: t.TempDir(), Library: absent, Users: users()})
	var missing *embedded.LibraryError
	if !errors.As(err, &missing) {
		t.Fatalf("got %v, want a LibraryError", err)
	}
	for _, part := range []string{"make setup", embedded.LibraryEnv, absent + " (from configuration)"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not mention %q", err, part)
		}
	}
	t.Setenv(embedded.LibraryEnv, absent)
	if _, err := embedded.FindLibrary(""); !errors.As(err, &missing) || !strings.Contains(err.Error(), "from "+embedded.LibraryEnv) {
		t.Errorf("got %v, want a LibraryError that names the variable", err)
	}
}

func TestDamagedLibrary(t *testing.T) {
	damaged := filepath.Join(t.TempDir(), "libchdb.so")
	if err := os.WriteFile(damaged, []byte("no library"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := embedded.StartClickHouse(t.Context(), embedded.ClickHouseConfig{Dir: t.TempDir(), Library: damaged, Users: users()})
	if err == nil || !strings.Contains(err.Error(), "load "+damaged) || !strings.Contains(err.Error(), "make setup") {
		t.Errorf("got %v, want the child's own words", err)
	}
}

func TestBadUsers(t *testing.T) {
	for name, c := range map[string]struct {
		users []embedded.User
		want  string
	}{
		"none":    {nil, "nobody could log in"},
		"name":    {[]embedded.User{{Name: "a-b"}}, "letters, digits and underscores"},
		"default": {[]embedded.User{{Name: "default"}}, "taken by the engine"},
		"twice":   {[]embedded.User{{Name: "a"}, {Name: "a"}}, "given twice"},
		"setting": {[]embedded.User{{Name: "a", Settings: map[string]string{"x><y": "1"}}}, "no name of a setting"},
		"both":    {[]embedded.User{{Name: "a", Settings: map[string]string{"x": "1"}, Limits: map[string]uint64{"x": 1}}}, "both a setting and a limit"},
		"grant":   {[]embedded.User{{Name: "a", Grants: []string{"DROP TABLE x"}}}, "no GRANT statement"},
	} {
		t.Run(name, func(t *testing.T) {
			library := filepath.Join(t.TempDir(), "libchdb.so")
			if err := os.WriteFile(library, nil, 0o600); err != nil { // never loaded
				t.Fatal(err)
			}
			_, err := embedded.StartClickHouse(t.Context(), embedded.ClickHouseConfig{Dir: t.TempDir(), Library: library, Users: c.users})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestSecretsAreTheOwnersAlone(t *testing.T) {
	embeddedtest.Require(t)
	dir := t.TempDir()
	start(t, embedded.ClickHouseConfig{Dir: dir, Users: users()})
	for _, name := range []string{"users.json", "users.xml", "config.xml", "endpoint.json"} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %o, want 600", name, info.Mode().Perm())
		}
	}
	saved, err := embedded.Users(dir)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(saved)
	if err != nil {
		t.Fatal(err)
	}
	if saved[0].Password != users()[0].Password || len(saved[1].Password) < 20 {
		t.Errorf("users were not kept or completed: %d bytes of them", len(text))
	}
}
