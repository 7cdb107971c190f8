package enginetest

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"

	"otklik/cmd/otklik/internal/config"
	"otklik/deploy/embedded"
	"otklik/deploy/embedded/embeddedtest"
)

// clusterName is the name of the cluster that NewShards makes.
const clusterName = "shards"

// Shards is a ClickHouse cluster of several shards, each a server of its own. The embedded engine has no queue of distributed DDL and
// no replication, so in front of each server stands a proxy that does what the queue would: it runs a statement with ON CLUSTER on
// every server, with the tables not replicated. Everything else goes through as it is.
type Shards struct {
	servers []*embedded.ClickHouse
	addrs   []string // of the proxies
}

// NewShards starts a cluster of n shards, which ends with the test.
func NewShards(t testing.TB, n int) *Shards {
	t.Helper()
	embeddedtest.Require(t)
	ports := make([]int, n)
	addrs := make([]string, n)
	for i := range n {
		free := freeAddr(t)
		ports[i], addrs[i] = int(free.Port()), free.String()
	}
	const password = "of this test"
	s := &Shards{}
	for i := range n {
		server, err := embedded.StartClickHouse(t.Context(), embedded.ClickHouseConfig{
			Dir: t.TempDir(), NativePort: ports[i],
			Users:   []embedded.User{{Name: embeddedtest.Admin, Password: password, Grants: []string{"GRANT ALL ON *.*"}}},
			Cluster: &embedded.Cluster{Name: clusterName, Shards: addrs, Shard: i, User: embeddedtest.Admin, Password: password},
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			server.Kill()
			<-server.Done()
		})
		s.servers = append(s.servers, server)
	}
	for i := range n {
		s.addrs = append(s.addrs, s.proxy(t, i))
	}
	return s
}

// Use makes cfg name the cluster.
func (s *Shards) Use(cfg *config.Config) {
	cfg.ClickHouse.Addrs = s.addrs
	cfg.ClickHouse.Database = "otklik"
	cfg.ClickHouse.Cluster = clusterName
	cfg.ClickHouse.User = embeddedtest.Admin
	cfg.ClickHouse.Password = config.NewSecret(s.servers[0].Users()[0].Password)
}

// Ask runs a statement on one server, past the proxy, and returns its answer.
func (s *Shards) Ask(ctx context.Context, shard int, statement string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+s.servers[shard].HTTP()+"/?mutations_sync=2", strings.NewReader(statement))
	if err != nil {
		return "", err
	}
	user := s.servers[shard].Users()[0]
	request.SetBasicAuth(user.Name, user.Password)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	answer, err := io.ReadAll(response.Body)
	if err = errors.Join(err, response.Body.Close()); err != nil {
		return "", err
	}
	if response.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%.80s: %s", statement, bytes.TrimSpace(answer))
	}
	return string(bytes.TrimSpace(answer)), nil
}

// proxy listens for clients of a shard and returns its address.
func (s *Shards) proxy(t testing.TB, shard int) string {
	t.Helper()
	var config net.ListenConfig
	listener, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var work errgroup.Group
	work.Go(func() error {
		for {
			conn, err := listener.Accept()
			if errors.Is(err, net.ErrClosed) {
				return nil
			}
			if err != nil {
				return err
			}
			work.Go(func() error { return s.carry(ctx, conn, shard) })
		}
	})
	t.Cleanup(func() {
		cancel()
		if err := errors.Join(listener.Close(), work.Wait()); err != nil {
			t.Error(err)
		}
	})
	return listener.Addr().String()
}

// carry connects a client with its shard until one of them hangs up or ctx ends.
func (s *Shards) carry(ctx context.Context, client net.Conn, shard int) error {
	var dialer net.Dialer
	server, err := dialer.DialContext(ctx, "tcp", s.servers[shard].Native())
	if err != nil {
		return errors.Join(err, client.Close())
	}
	closeBoth := func() {
		_ = client.Close() // whatever they were in the middle of
		_ = server.Close()
	}
	defer context.AfterFunc(ctx, closeBoth)()
	var back errgroup.Group
	back.Go(func() error {
		defer closeBoth()
		_, _ = io.Copy(client, server) // either side may hang up at any time
		return nil
	})
	defer func() {
		closeBoth()
		_ = back.Wait() // always nil
	}()
	buf := make([]byte, 1<<20)
	for {
		n, err := client.Read(buf)
		if err != nil {
			return nil // the client has hung up
		}
		start, end := statement(buf[:n])
		for end > n {
			more, err := client.Read(buf[n:])
			if err != nil {
				return nil // the client has hung up
			}
			n += more
		}
		if end > 0 && bytes.Contains(buf[start:end], []byte(" ON CLUSTER `"+clusterName+"`")) {
			local(buf[start:end])
			for other := range s.servers {
				if other == shard {
					continue
				}
				if _, err := s.Ask(ctx, other, string(buf[start:end])); err != nil {
					return fmt.Errorf("on shard %d: %w", other, err)
				}
			}
		}
		if _, err := server.Write(buf[:n]); err != nil {
			return nil // the server has hung up, or the test has ended
		}
	}
}

var definition = regexp.MustCompile(`(CREATE|ALTER) `)

// queryBegins is how clickhouse-go begins a query: its code, no id, kind initial, no initial user, no initial id.
var queryBegins = []byte{1, 0, 1, 0, 0}

// statement returns where in a packet of the native protocol a statement that defines something begins and ends; the end may lie
// beyond the packet, and is 0 without such a statement. A text follows its length there, as a varint.
func statement(packet []byte) (start, end int) {
	if !bytes.HasPrefix(packet, queryBegins) {
		return 0, 0
	}
	at := definition.FindIndex(packet)
	if at == nil {
		return 0, 0
	}
	start = at[0]
	first := start - 1 // of the varint: all its bytes but the last have the upper bit
	for first > 0 && packet[first-1] >= 0x80 {
		first--
	}
	length, n := binary.Uvarint(packet[first:start])
	if n != start-first || length > 1<<18 {
		return 0, 0
	}
	return start, start + int(length)
}

var (
	onCluster  = regexp.MustCompile(" ON CLUSTER `[^`]*`")
	replicated = regexp.MustCompile(`ReplicatedReplacingMergeTree\('[^']*', '\{replica\}', ([\w, ]+)\)`)
)

// local makes a statement one for a single server without replication. It keeps its length.
func local(statement []byte) {
	for _, at := range onCluster.FindAllIndex(statement, -1) {
		copy(statement[at[0]:at[1]], bytes.Repeat([]byte{' '}, at[1]-at[0]))
	}
	for _, at := range replicated.FindAllSubmatchIndex(statement, -1) {
		engine := fmt.Sprintf("ReplacingMergeTree(%s)", statement[at[2]:at[3]])
		copy(statement[at[0]:at[1]], fmt.Sprintf("%-*s", at[1]-at[0], engine))
	}
}

// freeAddr returns host:port on 127.0.0.1 where nobody listens.
func freeAddr(t testing.TB) netip.AddrPort {
	t.Helper()
	var config net.ListenConfig
	listener, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr, err := netip.ParseAddrPort(listener.Addr().String())
	if err = errors.Join(err, listener.Close()); err != nil {
		t.Fatal(err)
	}
	return addr
}
