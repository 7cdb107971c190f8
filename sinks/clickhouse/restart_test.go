package clickhouse_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"otklik/deploy/embedded"
	"otklik/deploy/embedded/embeddedtest"
	"otklik/schemas"
	"otklik/sinks/clickhouse"
	"otklik/sinks/sinktest"
	"otklik/stream/window"
)

// mortal starts a server of the test's own. back starts it again, after it was killed, on its data and its port; it ends with the test.
func mortal(t *testing.T) (server *embedded.ClickHouse, back func()) {
	t.Helper()
	embeddedtest.Require(t)
	cfg := embedded.ClickHouseConfig{Dir: t.TempDir(), Users: []embedded.User{{Name: embeddedtest.Admin, Grants: []string{"GRANT ALL ON *.*"}}}}
	start := func() *embedded.ClickHouse {
		server, err := embedded.StartClickHouse(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		return server
	}
	first := start()
	return first, func() {
		if _, err := fmt.Sscanf(first.Native(), "127.0.0.1:%d", &cfg.NativePort); err != nil {
			t.Fatal(err)
		}
		server := start()
		t.Cleanup(func() {
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			if err := server.Stop(ctx); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestServerRestarted: of the connections that a restart has broken, one costs an attempt; the others are not tried.
func TestServerRestarted(t *testing.T) {
	server, back := mortal(t)
	var retries atomic.Int64
	c, err := clickhouse.Open(t.Context(), clickhouse.Config{
		Addrs: []string{server.Native()}, User: embeddedtest.Admin, Password: server.Users()[0].Password,
		OnRetry: func(string, error) { retries.Add(1) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	if _, err := schemas.Migrate(t.Context(), c, schemas.Options{}); err != nil {
		t.Fatal(err)
	}
	g, ctx := errgroup.WithContext(t.Context())
	for n := range 6 {
		w := c.Writer() // each has inserters, and thus connections, of its own
		g.Go(func() error {
			return w.Flush(ctx, &clickhouse.Batch{Panes: []window.Pane{sinktest.Pane(n, 0, 1, 1)}})
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	server.Kill()
	back()
	if err := c.Writer().Flush(t.Context(), &clickhouse.Batch{Panes: []window.Pane{sinktest.Pane(7, 0, 1, 1)}}); err != nil {
		t.Fatal(err)
	}
	if n := retries.Load(); n != 1 {
		t.Errorf("%d retries, want 1", n)
	}
}
