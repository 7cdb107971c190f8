package enginetest

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
)

// Proxy stands on a loopback port in front of a server and makes what a network can do to it happen: latency, an outage, TLS.
type Proxy struct {
	addr    string
	target  string
	tls     *tls.Config
	latency atomic.Int64 // of every chunk in both directions
	carried atomic.Int64 // connections so far

	mu       sync.Mutex
	listener net.Listener // nil while the server is "away"
	open     map[net.Conn]bool
	work     errgroup.Group
}

// NewProxy returns a proxy in front of the server at target. With a TLS configuration it is a TLS server itself. It ends
// with the test.
func NewProxy(t testing.TB, target string, config *tls.Config) *Proxy {
	t.Helper()
	p := &Proxy{addr: "127.0.0.1:0", target: target, tls: config, open: map[net.Conn]bool{}}
	if err := p.Back(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(p.Away(), p.work.Wait()); err != nil {
			t.Error(err)
		}
	})
	return p
}

// Addr returns host:port of the proxy; it stays the same after an outage.
func (p *Proxy) Addr() string { return p.addr }

// Carried returns how many connections the proxy has taken so far.
func (p *Proxy) Carried() int64 { return p.carried.Load() }

// Slow delays every chunk in both directions.
func (p *Proxy) Slow(latency time.Duration) { p.latency.Store(int64(latency)) }

// Away cuts all connections and refuses new ones.
func (p *Proxy) Away() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listener == nil {
		return nil
	}
	err := p.listener.Close()
	p.listener = nil
	for conn := range p.open {
		_ = conn.Close() // what it was in the middle of is the point
	}
	clear(p.open)
	return err
}

// Back takes connections again, until ctx ends or the next Away.
func (p *Proxy) Back(ctx context.Context) error {
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", p.addr)
	if err != nil {
		return err
	}
	p.mu.Lock()
	p.listener, p.addr = listener, listener.Addr().String()
	p.mu.Unlock()
	p.work.Go(func() error {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return nil //nolint:nilerr // closed by Away
			}
			if p.tls != nil {
				conn = tls.Server(conn, p.tls)
			}
			// Connections come as long as the server is back, which may be longer than the call.
			p.work.Go(func() error { p.carry(context.WithoutCancel(ctx), conn); return nil })
		}
	})
	return nil
}

// hold registers a connection, or closes it when the server is away.
func (p *Proxy) hold(conn net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listener == nil {
		_ = conn.Close()
		return false
	}
	p.open[conn] = true
	return true
}

// carry takes the bytes of one connection to and fro until either side ends it.
func (p *Proxy) carry(ctx context.Context, client net.Conn) {
	p.carried.Add(1)
	if !p.hold(client) {
		return
	}
	dialer := net.Dialer{Timeout: 5 * time.Second}
	server, err := dialer.DialContext(ctx, "tcp", p.target)
	if err != nil {
		_ = client.Close()
		return
	}
	if !p.hold(server) {
		_ = client.Close()
		return
	}
	var both errgroup.Group
	pump := func(to, from net.Conn) func() error {
		return func() error {
			err := p.pump(to, from)
			_, _ = to.Close(), from.Close()
			return err
		}
	}
	both.Go(pump(server, client))
	both.Go(pump(client, server))
	_ = both.Wait() // a connection that breaks is what a proxy sees all the time
	p.mu.Lock()
	delete(p.open, client)
	delete(p.open, server)
	p.mu.Unlock()
}

func (p *Proxy) pump(to io.Writer, from io.Reader) error {
	chunk := make([]byte, 64<<10)
	for {
		n, err := from.Read(chunk)
		if n > 0 {
			if latency := time.Duration(p.latency.Load()); latency > 0 {
				<-time.After(latency)
			}
			if _, err := to.Write(chunk[:n]); err != nil {
				return err
			}
		}
		if err != nil {
			return err
		}
	}
}
