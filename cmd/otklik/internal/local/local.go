// Package local runs the embedded Kafka and ClickHouse of a data folder, with the schema applied and the configuration that
// reaches both: the stack of the demo and the benchmark.
package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"time"

	"otklik/cmd/otklik/internal/config"
	"otklik/cmd/otklik/internal/engine"
	"otklik/cmd/otklik/internal/ops"
	"otklik/deploy/embedded"
	"otklik/schemas"
	"otklik/sinks/clickhouse"
	"otklik/stream/kafka"
)

// Stack is a running broker and ClickHouse with clients of both.
type Stack struct {
	Dir        string
	Config     *config.Config // reaches the two
	Kafka      *kafka.Client
	ClickHouse *clickhouse.Client
	Metrics    *ops.Metrics
	Logger     *slog.Logger

	broker *embedded.Kafka
	server *embedded.ClickHouse
}

// stopTimeout bounds the clean end of ClickHouse.
const stopTimeout = 30 * time.Second

// Open starts both servers on the data folder, applies the schema, and points cfg at them. Close ends them; so does the end of
// the process, however it comes.
func Open(ctx context.Context, dir string, cfg *config.Config, logger *slog.Logger) (s *Stack, err error) {
	s = &Stack{Dir: dir, Config: cfg, Metrics: ops.NewMetrics(nil), Logger: logger}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close(context.WithoutCancel(ctx)))
		}
	}()
	users := schemas.Users(cfg.ClickHouse.Database, schemas.Credentials{
		Writer: cfg.ClickHouse.User, Analyst: cfg.ClickHouse.Analyst.User, Dashboard: cfg.ClickHouse.Dashboard.User, Desk: cfg.ClickHouse.Desk.User,
	})
	own := make([]embedded.User, len(users))
	for i, u := range users {
		own[i] = embedded.User{
			Name: u.Name, Password: u.Password, Grants: u.Grants, Settings: u.Settings, Limits: u.Limits, Quota: embedded.Quota{
				Interval: u.Quota.Interval, Queries: u.Quota.Queries, ResultRows: u.Quota.ResultRows,
				ReadRows: u.Quota.ReadRows, ExecutionTime: u.Quota.ExecutionTime,
			},
		}
	}
	if s.server, err = embedded.StartClickHouse(ctx, embedded.ClickHouseConfig{Dir: embedded.ClickHouseDir(dir), Users: own}); err != nil {
		return s, err
	}
	if s.broker, err = embedded.StartKafka(ctx, embedded.KafkaConfig{Dir: embedded.KafkaDir(dir), Logger: logger}); err != nil {
		return s, err
	}
	cfg.Kafka.Brokers = []string{s.broker.Addr()}
	cfg.ClickHouse.Addrs = []string{s.server.Native()}
	cfg.ClickHouse.HTTP = "http://" + s.server.HTTP()
	setPasswords(cfg, s.server.Users())
	if s.Kafka, err = engine.ConnectKafka(cfg, s.Metrics, logger); err != nil {
		return s, err
	}
	if s.ClickHouse, err = engine.ConnectClickHouse(ctx, cfg, s.Metrics, logger); err != nil {
		return s, err
	}
	if _, err = schemas.Migrate(ctx, s.ClickHouse, cfg.Schema()); err != nil {
		return s, err
	}
	// One process works on the folder (it is locked), so its configuration is the one that counts from now on.
	return s, engine.AdoptConfig(ctx, s.ClickHouse, cfg.Fingerprint())
}

// Native returns host:port of ClickHouse's native protocol.
func (s *Stack) Native() string { return s.server.Native() }

// HTTP returns host:port of ClickHouse's HTTP interface.
func (s *Stack) HTTP() string { return s.server.HTTP() }

// Broker returns host:port of the Kafka broker.
func (s *Stack) Broker() string { return s.broker.Addr() }

// Lost returns a channel that is closed when ClickHouse has ended by itself, and why.
func (s *Stack) Lost() (<-chan struct{}, func() error) { return s.server.Done(), s.server.Err }

// Close ends the clients and both servers cleanly.
func (s *Stack) Close(ctx context.Context) error {
	var errs []error
	if s.ClickHouse != nil {
		errs = append(errs, s.ClickHouse.Close())
	}
	if s.Kafka != nil {
		s.Kafka.Close()
	}
	if s.broker != nil {
		errs = append(errs, s.broker.Close())
	}
	if s.server != nil {
		ctx, cancel := context.WithTimeout(ctx, stopTimeout)
		defer cancel()
		errs = append(errs, s.server.Stop(ctx))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("stop the stack of %s: %w", s.Dir, err)
	}
	return nil
}

// Attach points cfg at the ClickHouse of a data folder, which it starts if it is not running, and at the Kafka of the process
// that runs on it, if any. release ends what Attach started.
func Attach(ctx context.Context, dir string, cfg *config.Config) (release func() error, err error) {
	home := embedded.ClickHouseDir(dir)
	users, err := embedded.Users(home)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("data folder %s holds no ClickHouse yet; run `otklik demo --data %[1]s` first, or name another with --data", dir)
	}
	if err != nil {
		return nil, err
	}
	setPasswords(cfg, users)
	if broker, err := embedded.Running(embedded.KafkaDir(dir)); err == nil {
		cfg.Kafka.Brokers = []string{broker.Kafka}
	}
	endpoint, err := embedded.Running(home)
	if err == nil {
		cfg.ClickHouse.Addrs = []string{endpoint.Native}
		return func() error { return nil }, nil
	}
	if !errors.Is(err, embedded.ErrNotRunning) {
		return nil, err
	}
	server, err := embedded.StartClickHouse(ctx, embedded.ClickHouseConfig{Dir: home})
	if err != nil {
		return nil, err
	}
	cfg.ClickHouse.Addrs = []string{server.Native()}
	return func() error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
		defer cancel()
		return server.Stop(ctx)
	}, nil
}

// setPasswords gives the logins of cfg the passwords of the users of a data folder.
func setPasswords(cfg *config.Config, users []embedded.User) {
	for _, u := range users {
		for _, login := range []*config.Login{&cfg.ClickHouse.Login, &cfg.ClickHouse.Analyst, &cfg.ClickHouse.Dashboard, &cfg.ClickHouse.Desk} {
			if login.User == u.Name {
				login.Password = config.NewSecret(u.Password)
			}
		}
	}
}
