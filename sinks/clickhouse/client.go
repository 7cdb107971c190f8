// Package clickhouse keeps the rows of the engine in ClickHouse and reads back what a task restores, what verify compares and
// what dead letters hold. It is the only importer of clickhouse-go.
//
// A Client is one pool of native connections for queries, and connections of its own for inserts (see link). Client.Writer gives the writer of rows; the restore queries are methods of
// the Client. Every query names its tables in full, so the database of the connection does not matter.
package clickhouse

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"reflect"
	"time"

	driver "github.com/ClickHouse/clickhouse-go/v2"
	native "github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/cenkalti/backoff/v5"

	"otklik/schemas"
	"otklik/stream"
)

// Config says where ClickHouse is and how to behave towards it.
type Config struct {
	Addrs    []string // host:port of the native protocol; the first that answers is used
	Database string   // of the reading views; "" is schemas.DefaultDatabase
	// DefaultDatabase is what unqualified names in Strings and Exec refer to, for readers; "" is the server's default. The
	// engine leaves it empty, for Database may not exist yet.
	DefaultDatabase string
	User            string // "" is "default"
	Password        string // never printed
	TLS             *tls.Config

	Cluster string // name of the ClickHouse cluster of the schema's cluster variant; "" for one server

	DialTimeout time.Duration // 0 is 5 s
	ReadTimeout time.Duration // longest silence of the server during a query; 0 is 5 min
	// InsertTimeout bounds one attempt of an insert, so that a server that hangs is retried; 0 is 2 min.
	InsertTimeout time.Duration
	// MaxConns bounds the connections of the pool, and those for inserts that are kept between two inserts; 0 is 24.
	MaxConns int
	// MaxBlockRows bounds the rows of one insert; more are sent as several; 0 is 250,000.
	MaxBlockRows int
	// Gather is how long the rows of a flush wait for those of other tasks, to travel in one insert, at each of its steps; those of
	// a large flush, as of a task that catches up, up to eight times as long at the first step. 0 is 30 ms, negative does not wait.
	Gather time.Duration

	// OnReject is told of every row that ClickHouse refuses, after it was stored in the table deadletters. Optional.
	OnReject func(ctx context.Context, table string, letter stream.DeadLetter, err error)
	// OnInsert is told of every insert that succeeded: for metrics. Optional.
	OnInsert func(table string, rows int, took time.Duration)
	// OnRetry is told of every attempt that failed for a reason that passes. Optional.
	OnRetry func(table string, err error)
	// Logger gets one warning for each failure that is retried and each rejected row; nil discards them.
	Logger *slog.Logger
}

// WithDefaults returns c with every unset field set.
func (c Config) WithDefaults() Config {
	if c.Database == "" {
		c.Database = schemas.DefaultDatabase
	}
	if c.User == "" {
		c.User = "default"
	}
	if c.DialTimeout == 0 {
		c.DialTimeout = 5 * time.Second
	}
	if c.ReadTimeout == 0 {
		c.ReadTimeout = 5 * time.Minute
	}
	if c.InsertTimeout == 0 {
		c.InsertTimeout = 2 * time.Minute
	}
	if c.MaxConns == 0 {
		c.MaxConns = 24
	}
	if c.Gather == 0 {
		c.Gather = 30 * time.Millisecond
	}
	if c.MaxBlockRows == 0 {
		c.MaxBlockRows = 250_000
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

func (c *Config) validate() error {
	var errs []error
	if len(c.Addrs) == 0 {
		errs = append(errs, errors.New("no address: give host:port of the native protocol, for example 127.0.0.1:9000"))
	}
	if c.MaxBlockRows < 1 || c.MaxConns < 1 {
		errs = append(errs, errors.New("rows of a block and connections must be positive"))
	}
	return errors.Join(errs...)
}

// Client is a pool of connections to ClickHouse; safe for concurrent use.
type Client struct {
	cfg   Config
	conn  native.Conn
	store string // database of the storage tables

	links links
}

// Open connects to ClickHouse and returns when one address has answered. It does not look at the schema: call
// schemas.Check or schemas.Migrate with the client. Close releases the connections.
func Open(ctx context.Context, cfg Config) (*Client, error) {
	cfg = cfg.WithDefaults()
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("open clickhouse: %w", err)
	}
	conn, err := driver.Open(&driver.Options{
		Protocol:     driver.Native,
		Addr:         cfg.Addrs,
		Auth:         driver.Auth{Database: cfg.DefaultDatabase, Username: cfg.User, Password: cfg.Password},
		TLS:          cfg.TLS,
		DialTimeout:  cfg.DialTimeout,
		ReadTimeout:  cfg.ReadTimeout,
		MaxOpenConns: cfg.MaxConns,
		MaxIdleConns: cfg.MaxConns,
		Compression:  &driver.Compression{Method: compression(cfg.Addrs)},
		ClientInfo: driver.ClientInfo{Products: []struct{ Name, Version string }{
			{Name: "otklik", Version: "1"},
		}},
		BlockBufferSize:      10,
		MaxCompressionBuffer: sendBuffer,
	})
	if err != nil {
		return nil, fmt.Errorf("open clickhouse %v: %w", cfg.Addrs, err)
	}
	if err := conn.Ping(ctx); err != nil {
		return nil, errors.Join(
			fmt.Errorf("open clickhouse %v as %s: %w; is the server up and are user and password right?", cfg.Addrs, cfg.User, err),
			conn.Close())
	}
	return &Client{cfg: cfg, conn: conn, store: schemas.Store(cfg.Database)}, nil
}

// sendBuffer is how much of a block is encoded before it is compressed and sent: every connection keeps a buffer of that size.
const sendBuffer = 1 << 20

// compression is none where the network is the memory of this machine: there it only costs, a quarter of what an insert takes of
// this process.
func compression(addrs []string) driver.CompressionMethod {
	for _, addr := range addrs {
		host, _, err := net.SplitHostPort(addr)
		if err != nil {
			return driver.CompressionLZ4 // Open says what is wrong with it
		}
		if ip, err := netip.ParseAddr(host); host != "localhost" && (err != nil || !ip.IsLoopback()) {
			return driver.CompressionLZ4
		}
	}
	return driver.CompressionNone
}

// Close closes the connections; queries that run are aborted.
func (c *Client) Close() error {
	c.closeLinks()
	return c.conn.Close()
}

// Ping asks the server whether it is there.
func (c *Client) Ping(ctx context.Context) error {
	if err := c.conn.Ping(ctx); err != nil {
		return fmt.Errorf("ping clickhouse %v: %w", c.cfg.Addrs, err)
	}
	return nil
}

// Database returns the database of the reading views.
func (c *Client) Database() string { return c.cfg.Database }

// Exec runs one statement that returns nothing; args replace "?" in it.
func (c *Client) Exec(ctx context.Context, statement string, args ...any) error {
	return c.conn.Exec(ctx, statement, args...)
}

// Strings runs a query and returns its rows with every value as text; NULL is the empty string.
func (c *Client) Strings(ctx context.Context, query string, args ...any) (out [][]string, err error) {
	rows, err := c.conn.Query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	types := rows.ColumnTypes()
	targets := make([]any, len(types))
	for i, t := range types {
		targets[i] = reflect.New(t.ScanType()).Interface()
	}
	for rows.Next() {
		if err := rows.Scan(targets...); err != nil {
			return nil, err
		}
		line := make([]string, len(targets))
		for i, t := range targets {
			v := reflect.ValueOf(t).Elem()
			for v.Kind() == reflect.Pointer && !v.IsNil() {
				v = v.Elem()
			}
			if v.Kind() != reflect.Pointer {
				line[i] = fmt.Sprint(v.Interface())
			}
		}
		out = append(out, line)
	}
	return out, rows.Err()
}

// table returns the full name of a storage table.
func (c *Client) table(name string) string { return c.store + "." + name }

// each runs a query and calls row for every row of its answer; row calls scan with its targets.
func (c *Client) each(ctx context.Context, row func(scan func(...any) error) error, query string, args ...any) (err error) {
	rows, err := c.conn.Query(ctx, query, args...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if err := row(rows.Scan); err != nil {
			return &rowError{err}
		}
	}
	return rows.Err()
}

// rowError is what went wrong with a row that has arrived: asking again would bring the same row.
type rowError struct{ error }

// Unwrap returns the error itself.
func (e *rowError) Unwrap() error { return e.error }

// firstAttempt is how long the first attempt of a query that a task waits for may take.
const firstAttempt = time.Minute

// patiently runs a query that a task cannot go on without, again and again while its fault passes by itself: a server that
// is away, restarts or has no connection free must make the task wait and not end it. Query may have handled some rows
// when it is run again.
//
// An attempt has a time-out of its own: a server that dies and comes back can leave a connection on which no answer ever comes.
// It doubles with every attempt, so that a restore that is only slow comes to its end.
func (c *Client) patiently(ctx context.Context, table string, query func(context.Context) error) error {
	wait := backoff.NewExponentialBackOff()
	wait.InitialInterval, wait.MaxInterval = 50*time.Millisecond, 5*time.Second
	for timeout := firstAttempt; ; timeout *= 2 {
		attempt, cancel := context.WithTimeout(ctx, timeout)
		err := query(attempt)
		cancel()
		if err == nil || ctx.Err() != nil {
			return err
		}
		var row *rowError
		if class := classify(err); errors.As(err, &row) || class != transient && class != crowded {
			return err
		}
		c.cfg.Logger.Warn("query failed, retrying", "table", table, "error", err)
		if c.cfg.OnRetry != nil {
			c.cfg.OnRetry(table, err)
		}
		timer := time.NewTimer(wait.NextBackOff())
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return errors.Join(ctx.Err(), err)
		}
	}
}
