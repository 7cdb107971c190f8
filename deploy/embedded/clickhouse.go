package embedded

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// ClickHouseConfig says where and how to run ClickHouse. Only Dir is needed, and Users at the first start on a folder.
type ClickHouseConfig struct {
	Dir string // data folder; created if missing
	// Library is the path of libchdb.so; found by FindLibrary when empty.
	Library string
	// NativePort and HTTPPort on 127.0.0.1; 0 takes a free one.
	NativePort, HTTPPort int
	// Users who may log in. When empty, those of the last start on this folder.
	Users []User
	// MaxMemory bounds the memory of the whole server in bytes; default 3 GiB. ClickHouse lowers it to 9/10 of the machine's.
	MaxMemory int64
	// BackgroundThreads is how many merges and mutations run at once; default 2.
	BackgroundThreads int
	// LogFile takes warnings and errors of the server; default clickhouse.log in Dir. It is rotated at 10 MB.
	LogFile string
	// LogLevel is one of ClickHouse's: fatal, critical, error, warning, notice, information, debug, trace; default warning.
	LogLevel string
	// StartTimeout is how long the server may take to answer; default one minute.
	StartTimeout time.Duration
	// Cluster makes the server one of several; nil for a server that stands alone.
	Cluster *Cluster
}

// Cluster says of which ClickHouse cluster a server is a shard, for trying what Distributed tables do. The engine inside libchdb has
// neither the queue behind ON CLUSTER nor replication (a replicated table is read-only): those are for real servers.
type Cluster struct {
	Name   string
	Shards []string // host:port of the native protocol, one per shard
	Shard  int      // index of this server in Shards: the macro {shard}
	// User and Password are whom the servers log in to each other as.
	User, Password string
}

const gibibyte = 1 << 30

func (c ClickHouseConfig) withDefaults() ClickHouseConfig {
	if c.MaxMemory == 0 {
		c.MaxMemory = 3 * gibibyte
	}
	if c.BackgroundThreads == 0 {
		c.BackgroundThreads = 2
	}
	if c.LogFile == "" {
		c.LogFile = filepath.Join(c.Dir, "clickhouse.log")
	}
	if c.LogLevel == "" {
		c.LogLevel = "warning"
	}
	if c.StartTimeout == 0 {
		c.StartTimeout = time.Minute
	}
	return c
}

// ClickHouse is a running server. It ends with Stop, with Kill or with this process, whichever comes first.
type ClickHouse struct {
	dir          string
	native, http string
	users        []User
	process      *os.Process
	leash        *os.File // the child ends when it closes
	done         chan struct{}
	wait         errgroup.Group

	mu      sync.Mutex
	stopped bool  // on our order
	err     error // why it ended, set before done closes
}

// StartClickHouse starts ClickHouse on the data folder and returns when it answers queries. The context bounds the
// start, not the life of the server. The program must have called Main first thing. Errors are of type *LibraryError
// when the library is missing and *LockedError when another process has the folder; else they quote the server.
func StartClickHouse(ctx context.Context, cfg ClickHouseConfig) (*ClickHouse, error) {
	if !mainCalled.Load() {
		return nil, errors.New("start ClickHouse: the program has to call embedded.Main first thing in main or TestMain")
	}
	if cfg.Dir == "" {
		return nil, errors.New("start ClickHouse: no data folder is given")
	}
	dir, err := filepath.Abs(cfg.Dir)
	if err != nil {
		return nil, fmt.Errorf("start ClickHouse: %w", err)
	}
	cfg.Dir = dir
	cfg = cfg.withDefaults()
	if cfg.Library, err = FindLibrary(cfg.Library); err != nil {
		return nil, err
	}
	// Without the folder "metadata" the engine does not start what drops tables (see the package documentation).
	if err := os.MkdirAll(filepath.Join(dir, "store", "metadata"), 0o700); err != nil {
		return nil, fmt.Errorf("start ClickHouse: %w", err)
	}
	hold, err := acquire(ctx, dir)
	if err != nil {
		return nil, err
	}
	server, err := startLocked(ctx, cfg, hold)
	return server, errors.Join(err, hold.release())
}

// startLocked starts the server under a lock that it inherits. When both ports were left to us and one was taken by
// someone else in between, it takes others.
func startLocked(ctx context.Context, cfg ClickHouseConfig, hold *lock) (*ClickHouse, error) {
	self := os.Getpid()
	if err := errors.Join(hold.claim(self, self), removeIfThere(filepath.Join(cfg.Dir, endpointName))); err != nil {
		return nil, fmt.Errorf("start ClickHouse on %s: %w", cfg.Dir, err)
	}
	users, err := completeUsers(cfg.Dir, cfg.Users)
	if err != nil {
		return nil, fmt.Errorf("start ClickHouse: %w", err)
	}
	if err := writeJSON(cfg.Dir, usersName, users); err != nil {
		return nil, fmt.Errorf("start ClickHouse: %w", err)
	}
	const attempts = 4
	for attempt := 1; ; attempt++ {
		server, err := startOnce(ctx, cfg, users, hold)
		taken := err != nil && strings.Contains(err.Error(), "Address already in use")
		if err == nil || !taken || attempt == attempts || cfg.NativePort != 0 && cfg.HTTPPort != 0 {
			return server, err
		}
	}
}

func startOnce(ctx context.Context, cfg ClickHouseConfig, users []User, hold *lock) (*ClickHouse, error) {
	var err error
	if cfg.NativePort, err = portOrFree(ctx, cfg.NativePort); err != nil {
		return nil, fmt.Errorf("start ClickHouse: %w", err)
	}
	if cfg.HTTPPort, err = portOrFree(ctx, cfg.HTTPPort); err != nil {
		return nil, fmt.Errorf("start ClickHouse: %w", err)
	}
	configPath := filepath.Join(cfg.Dir, "config.xml")
	if err := errors.Join(
		writeFile(configPath, []byte(configXML(cfg))),
		writeFile(filepath.Join(cfg.Dir, "users.xml"), []byte(usersXML(users))),
	); err != nil {
		return nil, fmt.Errorf("start ClickHouse: %w", err)
	}
	s := &ClickHouse{
		dir:    cfg.Dir,
		native: net.JoinHostPort(loopback, strconv.Itoa(cfg.NativePort)),
		http:   net.JoinHostPort(loopback, strconv.Itoa(cfg.HTTPPort)),
		users:  users,
		done:   make(chan struct{}),
	}
	if err := s.spawn(cfg, configPath, hold); err != nil {
		return nil, fmt.Errorf("start ClickHouse: %w", err)
	}
	err = hold.claim(s.process.Pid, os.Getpid())
	if err == nil {
		err = s.awaitReady(ctx, cfg.StartTimeout)
	}
	if err == nil {
		err = writeJSON(cfg.Dir, endpointName, Endpoint{
			PID: s.process.Pid, Owner: os.Getpid(), Native: s.native, HTTP: s.http, StartedAt: time.Now().UTC(),
		})
	}
	if err != nil {
		s.Kill()
		<-s.done
		return nil, fmt.Errorf("start ClickHouse on %s: %w", cfg.Dir, err)
	}
	s.wait.Go(s.yieldMerges)
	return s, nil
}

// yieldMerges asks the threads that merge to step back, as soon as there are any.
func (s *ClickHouse) yieldMerges() error {
	again := time.NewTicker(time.Second)
	defer again.Stop()
	for !yieldMerges(s.process.Pid) {
		select {
		case <-s.done:
			return nil
		case <-again.C:
		}
	}
	return nil
}

// outputName is the file in the data folder that takes what the child prints: errors of its start and crashes.
const outputName = "clickhouse.out"

// spawn starts the child process and the goroutine that waits for it.
func (s *ClickHouse) spawn(cfg ClickHouseConfig, configPath string, hold *lock) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	order, err := json.Marshal(childOrder{Library: cfg.Library, Config: configPath})
	if err != nil {
		return err
	}
	cmd := exec.Command(self, "clickhouse-child")
	cmd.Env = append(os.Environ(), ChildEnv+"="+string(order))
	output, err := os.Create(filepath.Join(cfg.Dir, outputName))
	if err != nil {
		return err
	}
	defer output.Close() // the child has its own; we wrote nothing
	end, leash, err := os.Pipe()
	if err != nil {
		return err
	}
	defer end.Close() // likewise
	cmd.Dir = cfg.Dir
	cmd.Stdin, cmd.Stdout, cmd.Stderr = end, output, output
	cmd.ExtraFiles = []*os.File{hold.file}
	cmd.SysProcAttr = childAttributes()

	started := make(chan error)
	s.wait.Go(func() error {
		// The kernel sends the death signal of the parent when the *thread* that started the child ends, so this goroutine
		// keeps its thread until the child has ended. It is not unlocked: the thread ends with the goroutine.
		runtime.LockOSThread()
		err := cmd.Start()
		started <- err
		if err != nil {
			return nil //nolint:nilerr // spawn returns it
		}
		s.ended(cmd.Wait())
		return nil
	})
	if err := <-started; err != nil {
		return errors.Join(err, leash.Close(), s.wait.Wait())
	}
	s.process, s.leash = cmd.Process, leash
	return nil
}

// ended records why the child is gone, and tells.
func (s *ClickHouse) ended(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.stopped && err != nil:
		s.err = fmt.Errorf("ClickHouse of %s stopped with an error: %w%s", s.dir, err, s.complaint())
	case !s.stopped && err == nil:
		s.err = fmt.Errorf("ClickHouse of %s ended by itself%s", s.dir, s.complaint())
	case !s.stopped:
		s.err = fmt.Errorf("ClickHouse of %s died: %w%s", s.dir, err, s.complaint())
	}
	close(s.done)
}

// complaint returns what the server printed about an error, ready to be appended to a message; "" if nothing.
func (s *ClickHouse) complaint() string {
	text, err := os.ReadFile(filepath.Join(s.dir, outputName))
	if err != nil {
		return ""
	}
	for line := range bytes.Lines(text) {
		line = bytes.TrimSpace(line)
		if bytes.Contains(line, []byte("Exception:")) || bytes.HasPrefix(line, []byte("otklik clickhouse-child:")) {
			return fmt.Sprintf(": %s (see %s in that folder)", line, outputName)
		}
	}
	return ""
}

// awaitReady returns when the server answers a query of one of its users, which proves that it is our server and not
// another one on the same port.
func (s *ClickHouse) awaitReady(ctx context.Context, timeout time.Duration) error {
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, fmt.Errorf("it did not answer within %s", timeout))
	defer cancel()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		err := s.ping(ctx)
		if err == nil {
			return nil
		}
		// In the interactive mode that the engine runs in, a failed "START LISTEN" is printed, not fatal.
		if complaint := s.complaint(); complaint != "" {
			return fmt.Errorf("%w%s", err, complaint)
		}
		select {
		case <-s.done:
			return s.Err()
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", context.Cause(ctx), err)
		case <-again.C:
		}
	}
}

// pinger keeps no connection open, so that nothing of ours hangs on a server that is to stop.
var pinger = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

func (s *ClickHouse) ping(ctx context.Context) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+s.http+"/", strings.NewReader("SELECT 1"))
	if err != nil {
		return err
	}
	request.SetBasicAuth(s.users[0].Name, s.users[0].Password)
	response, err := pinger.Do(request)
	if err != nil {
		return err
	}
	answer, err := io.ReadAll(io.LimitReader(response.Body, 1<<12))
	if err = errors.Join(err, response.Body.Close()); err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("it answers %s: %s", response.Status, bytes.TrimSpace(answer))
	}
	return nil
}

// Native returns host:port of the native protocol.
func (s *ClickHouse) Native() string { return s.native }

// HTTP returns host:port of the HTTP interface.
func (s *ClickHouse) HTTP() string { return s.http }

// PID returns the process id of the server.
func (s *ClickHouse) PID() int { return s.process.Pid }

// Users returns who may log in, passwords included.
func (s *ClickHouse) Users() []User { return s.users }

// DSN returns the address of a database over the native protocol for clickhouse-go, as the user of that name; database
// "" is the default one. It panics on a user that the server was not started with.
func (s *ClickHouse) DSN(user, database string) string {
	for _, u := range s.users {
		if u.Name == user {
			return (&url.URL{Scheme: "clickhouse", User: url.UserPassword(u.Name, u.Password), Host: s.native, Path: "/" + database}).String()
		}
	}
	panic(fmt.Sprintf("embedded: DSN of %q, who is no user of the ClickHouse of %s", user, s.dir))
}

// Done is closed when the server has ended.
func (s *ClickHouse) Done() <-chan struct{} { return s.done }

// Err returns why the server ended: nil while it runs and after a clean Stop or a Kill.
func (s *ClickHouse) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// Stop ends the server cleanly and returns when it is gone. When the context ends first, it is killed, which loses no
// data but is reported. It may be called more than once.
func (s *ClickHouse) Stop(ctx context.Context) error {
	if s.order() {
		if err := s.leash.Close(); err != nil {
			return fmt.Errorf("stop ClickHouse of %s: %w", s.dir, err)
		}
	}
	select {
	case <-s.done:
	case <-ctx.Done():
		if err := s.process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return fmt.Errorf("stop ClickHouse of %s: %w", s.dir, err)
		}
		<-s.done
		return errors.Join(fmt.Errorf("stop ClickHouse of %s: killed: %w", s.dir, context.Cause(ctx)), s.forget())
	}
	return errors.Join(s.Err(), s.forget())
}

// Kill ends the server at once, as kill -9 does, and returns when it is gone. What it had acknowledged is intact.
func (s *ClickHouse) Kill() {
	s.order()
	// It can only fail because the process is gone already, which is what is wanted.
	_ = s.process.Kill()
	<-s.done
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = nil // it died by our order
}

// order notes that the end of the server is wanted; true the first time while it runs.
func (s *ClickHouse) order() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.done:
		return false
	default:
	}
	first := !s.stopped
	s.stopped = true
	return first
}

// forget removes what says that the server runs.
func (s *ClickHouse) forget() error {
	if err := removeIfThere(filepath.Join(s.dir, endpointName)); err != nil {
		return fmt.Errorf("stop ClickHouse of %s: %w", s.dir, err)
	}
	return nil
}

const loopback = "127.0.0.1"

// portOrFree returns the port, or for 0 one that is free now.
func portOrFree(ctx context.Context, port int) (int, error) {
	if port != 0 {
		return port, nil
	}
	free, err := listenOnce(ctx, "0")
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	return free, nil
}

// listenOnce returns the number of a port, "0" for any, that could be listened on.
func listenOnce(ctx context.Context, port string) (int, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", net.JoinHostPort(loopback, port))
	if err != nil {
		return 0, err
	}
	at, err := netip.ParseAddrPort(listener.Addr().String())
	if err = errors.Join(err, listener.Close()); err != nil {
		return 0, err
	}
	return int(at.Port()), nil
}
