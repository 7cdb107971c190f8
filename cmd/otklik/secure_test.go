package main

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"otklik/cmd/otklik/internal/config"
	"otklik/cmd/otklik/internal/enginetest"
	"otklik/deploy/embedded"
	"otklik/deploy/embedded/embeddedtest"
)

// certificate returns a certificate for 127.0.0.1 and writes it as the authority to trust.
func certificate(t *testing.T, ca string) *tls.Config {
	t.Helper()
	server, authority := embeddedtest.Certificate(t)
	if err := os.WriteFile(ca, authority, 0o600); err != nil {
		t.Fatal(err)
	}
	return server
}

// secured is a broker with TLS and logins, and a ClickHouse behind TLS.
type secured struct {
	dir, broker string
	proxy       *enginetest.Proxy
	db          embeddedtest.Database
}

const kafkaPassword = "open sesame 4711"

func newSecured(t *testing.T) *secured {
	t.Helper()
	s := &secured{dir: t.TempDir(), db: embeddedtest.ClickHouse(t)}
	server := certificate(t, filepath.Join(s.dir, "ca.pem"))
	certificate(t, filepath.Join(s.dir, "stranger.pem"))
	var users []embedded.KafkaUser
	for _, mechanism := range []string{config.Plain, config.ScramSHA256, config.ScramSHA512} {
		users = append(users, embedded.KafkaUser{Mechanism: mechanism, Name: "otklik", Password: kafkaPassword})
	}
	broker := embeddedtest.Kafka(t, embedded.KafkaConfig{TLS: server, Users: users})
	s.broker = broker.Addr()
	s.proxy = enginetest.NewProxy(t, s.db.Native, server)
	return s
}

// config writes a configuration file that logs in with the mechanism.
func (s *secured) config(t *testing.T, name, mechanism, ca string) string {
	t.Helper()
	path := filepath.Join(s.dir, name)
	text := fmt.Sprintf(`
kafka:
  brokers: [%q]
  tls: {enabled: true, ca: %s}
  sasl: {mechanism: %s, user: otklik, password_env: TEST_KAFKA_PASSWORD}
  topics:
    partitions: {firehose: 2, mentions: 3, panes: 2, deadletter: 1}
clickhouse:
  addrs: [%q]
  tls: {enabled: true, ca: %s}
  database: %s
  user: %s
  password_env: TEST_CLICKHOUSE_PASSWORD
http: {listen: ""}
`, s.broker, ca, mechanism, s.proxy.Addr(), ca, s.db.Name, s.db.User)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// otklik runs the program as another process and returns what it printed.
func (s *secured) otklik(t *testing.T, password string, args ...string) (string, error) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, args...)
	cmd.Env = append(os.Environ(), programEnv+"=1", "TEST_KAFKA_PASSWORD="+password, "TEST_CLICKHOUSE_PASSWORD="+s.db.Password)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	late := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() })
	defer late.Stop()
	err = cmd.Run()
	if text := out.String(); strings.Contains(text, kafkaPassword) || strings.Contains(text, s.db.Password) {
		t.Errorf("a password was printed: %s", text)
	}
	return out.String(), err
}

// TestSecureConnections: every stage logs in to Kafka in another way over TLS, and writes to ClickHouse over TLS.
func TestSecureConnections(t *testing.T) {
	t.Parallel()
	s := newSecured(t)
	plain := s.config(t, "plain.yaml", config.Plain, "ca.pem")
	cfg, err := config.Load(plain, func(name string) string {
		return map[string]string{"TEST_KAFKA_PASSWORD": kafkaPassword, "TEST_CLICKHOUSE_PASSWORD": s.db.Password}[name]
	})
	if err != nil {
		t.Fatal(err)
	}
	if out, err := s.otklik(t, kafkaPassword, "migrate", "-c", plain); err != nil {
		t.Fatalf("migrate over TLS: %v\n%s", err, out)
	}
	stack := enginetest.NewOn(t, cfg.Kafka.Brokers, cfg, nil)
	truth := stack.Feed(t, stack.Simulation(t, 41, 800), nil)
	carried := s.proxy.Carried()
	for _, step := range []struct{ stage, mechanism string }{
		{"ingest", config.Plain}, {"track", config.ScramSHA256}, {"roll", config.ScramSHA512},
	} {
		file := s.config(t, step.stage+".yaml", step.mechanism, "ca.pem")
		if out, err := s.otklik(t, kafkaPassword, "run", "-c", file, "--once", "--stages", step.stage); err != nil {
			t.Fatalf("run %s with %s: %v\n%s", step.stage, step.mechanism, err, out)
		}
	}
	if s.proxy.Carried() == carried {
		t.Error("no connection of the processes has gone through TLS")
	}
	enginetest.Compare(t, t.Context(), stack.ClickHouse, truth)

	stranger := s.config(t, "stranger.yaml", config.Plain, "stranger.pem")
	if out, err := s.otklik(t, kafkaPassword, "run", "-c", stranger, "--once"); err == nil || !strings.Contains(out, "unknown authority") {
		t.Errorf("run with another authority: %v\n%s", err, out)
	}

	if out, err := s.otklik(t, "a wrong one", "run", "-c", plain, "--once"); err == nil || !strings.Contains(out, "check kafka.sasl") {
		t.Errorf("run with a wrong password: %v\n%s", err, out)
	}
}
