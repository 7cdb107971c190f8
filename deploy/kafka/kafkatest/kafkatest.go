// Package kafkatest gives tests a real Apache Kafka: one or three brokers in KRaft mode on free loopback ports, which a test
// can stop, kill and restart one by one.
//
// It needs Java 17 or newer and the jars that deploy/kafka/setup.sh copies to deploy/kafka/lib. Where they are absent,
// embeddedtest.IntegrationEnv decides whether the test is skipped or fails.
package kafkatest

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"golang.org/x/sync/errgroup"

	"otklik/deploy/embedded"
	"otklik/deploy/embedded/embeddedtest"
)

// Topic is a topic to create.
type Topic struct {
	Name        string
	Partitions  int
	Replication int // 0: on every broker, at most three
}

// Config says what cluster to start.
type Config struct {
	Brokers int // 1 or 3; 0 is 1
	Topics  []Topic
}

// startTimeout is for one broker to answer; a cold start of the JVM on a busy machine takes a while.
const startTimeout = 90 * time.Second

// Cluster is a running Kafka cluster; every node is broker and controller in one.
type Cluster struct {
	t       testing.TB
	home    string // folder of everything the cluster writes
	jars    string // class path
	quorum  string // controller.quorum.voters
	brokers []*broker
}

type broker struct {
	id               int // from 1
	port, controller int
	dir              string

	mu   sync.Mutex
	cmd  *exec.Cmd     // nil while it does not run
	done chan struct{} // closed when cmd has ended
	wait *errgroup.Group
}

// Start starts a cluster and returns when every broker answers and the topics exist. It ends with the test.
func Start(t testing.TB, cfg Config) *Cluster {
	t.Helper()
	jars, err := classPath()
	embeddedtest.Decide(t, err)
	if cfg.Brokers == 0 {
		cfg.Brokers = 1
	}
	if cfg.Brokers != 1 && cfg.Brokers != 3 {
		t.Fatalf("kafkatest: %d brokers: want 1 or 3", cfg.Brokers)
	}
	c := &Cluster{t: t, home: t.TempDir(), jars: jars}
	ports := freePorts(t, 2*cfg.Brokers)
	voters := make([]string, 0, cfg.Brokers)
	for i := range cfg.Brokers {
		b := &broker{id: i + 1, port: ports[2*i], controller: ports[2*i+1], dir: filepath.Join(c.home, strconv.Itoa(i+1))}
		c.brokers = append(c.brokers, b)
		voters = append(voters, fmt.Sprintf("%d@127.0.0.1:%d", b.id, b.controller))
	}
	c.quorum = strings.Join(voters, ",")
	t.Cleanup(c.end)

	for _, b := range c.brokers {
		if err := c.format(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		if err := c.spawn(b); err != nil {
			t.Fatal(err)
		}
	}
	for i := range c.brokers {
		c.awaitReady(i)
	}
	for _, topic := range cfg.Topics {
		c.CreateTopic(topic.Name, topic.Partitions, topic.Replication)
	}
	return c
}

// root is the folder of the module: a test begins in that of its package, wherever it goes from there.
var root, inModule = embedded.ModuleRoot()

// classPath returns the class path of the broker, or why there is none.
func classPath() (string, error) {
	if _, err := exec.LookPath("java"); err != nil {
		return "", fmt.Errorf("the real Kafka needs Java 17 or newer: %w", err)
	}
	if !inModule {
		return "", errors.New("the real Kafka: no go.mod of otklik above the working folder; run the tests with `go test`")
	}
	lib := filepath.Join(root, "deploy", "kafka", "lib")
	if _, err := os.Stat(filepath.Join(lib, ".stamp")); errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("the jars of the real Kafka are missing in %s; run deploy/kafka/setup.sh (or `make setup`)", lib)
	} else if err != nil {
		return "", fmt.Errorf("the jars of the real Kafka: %w", err)
	}
	return filepath.Join(lib, "*"), nil
}

func freePorts(t testing.TB, n int) []int {
	t.Helper()
	listeners := make([]net.Listener, 0, n)
	ports := make([]int, 0, n)
	var config net.ListenConfig
	for range n { // all at once, so that they differ
		l, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		listeners = append(listeners, l)
		at, err := netip.ParseAddrPort(l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		ports = append(ports, int(at.Port()))
	}
	for _, l := range listeners {
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return ports
}

// clusterID is any UUID in Kafka's base64 form; clusters of tests never meet.
const clusterID = "b3RrbGlrLXRlc3Qta2Fma2"

// properties renders server.properties: https://kafka.apache.org/documentation/#brokerconfigs.
func (c *Cluster) properties(b *broker) string {
	replicas := len(c.brokers)
	return fmt.Sprintf(`process.roles=broker,controller
node.id=%d
controller.quorum.voters=%s
listeners=PLAINTEXT://127.0.0.1:%d,CONTROLLER://127.0.0.1:%d
advertised.listeners=PLAINTEXT://127.0.0.1:%[3]d
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs=%[5]s
num.partitions=1
default.replication.factor=%[6]d
min.insync.replicas=%[7]d
offsets.topic.replication.factor=%[6]d
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=%[6]d
transaction.state.log.min.isr=%[7]d
share.coordinator.state.topic.replication.factor=%[6]d
share.coordinator.state.topic.min.isr=%[7]d
auto.create.topics.enable=false
# The first generation of a group starts at once, and a killed broker is noticed soon.
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
controller.quorum.election.timeout.ms=500
controller.quorum.fetch.timeout.ms=1000
replica.lag.time.max.ms=5000
leader.imbalance.check.interval.seconds=5
num.network.threads=2
num.io.threads=2
log.cleaner.dedupe.buffer.size=1048577
`, b.id, c.quorum, b.port, b.controller, filepath.Join(b.dir, "log"), replicas, min(2, replicas))
}

const logging = `<?xml version="1.0" encoding="UTF-8"?>
<Configuration status="warn">
  <Appenders><Console name="out"><PatternLayout pattern="%d %p %m (%c)%n"/></Console></Appenders>
  <Loggers><Root level="warn"><AppenderRef ref="out"/></Root></Loggers>
</Configuration>
`

// formatted is a storage folder as kafka.tools.StorageTool makes it, by path within it. It takes a start of the JVM, so it
// is made once for all brokers of a test binary; they differ in meta.properties alone.
var formatted struct {
	once  sync.Once
	files map[string][]byte
	err   error
}

// format prepares the storage of a broker.
func (c *Cluster) format(ctx context.Context, b *broker) error {
	logs := filepath.Join(b.dir, "log")
	if err := os.MkdirAll(logs, 0o700); err != nil {
		return err
	}
	if err := errors.Join(
		os.WriteFile(filepath.Join(b.dir, "server.properties"), []byte(c.properties(b)), 0o600),
		os.WriteFile(filepath.Join(b.dir, "log4j2.xml"), []byte(logging), 0o600),
	); err != nil {
		return err
	}
	formatted.once.Do(func() {
		cmd := exec.CommandContext(ctx, "java", c.javaArgs(b, "kafka.tools.StorageTool",
			"format", "--cluster-id", clusterID, "--config", filepath.Join(b.dir, "server.properties"))...)
		if out, err := cmd.CombinedOutput(); err != nil {
			formatted.err = fmt.Errorf("format the storage of a broker: %w: %s", err, bytes.TrimSpace(out))
			return
		}
		formatted.files, formatted.err = readTree(logs)
	})
	if formatted.err != nil {
		return formatted.err
	}
	for path, content := range formatted.files {
		if path == "meta.properties" {
			content = fmt.Appendf(nil, "version=1\ncluster.id=%s\nnode.id=%d\ndirectory.id=%s\n", clusterID, b.id, newDirectoryID())
		}
		if err := os.MkdirAll(filepath.Dir(filepath.Join(logs, path)), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(logs, path), content, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// newDirectoryID returns a random id as Kafka writes them: 16 bytes, base64 for URLs, not beginning with a dash.
func newDirectoryID() string {
	id := make([]byte, 16)
	_, _ = rand.Read(id) // never fails: crypto/rand ends the process instead
	id[0] &= 0x7f        // a dash would begin with 0xf8
	return base64.RawURLEncoding.EncodeToString(id)
}

func readTree(root string) (map[string][]byte, error) {
	files := make(map[string][]byte)
	tree := os.DirFS(root)
	err := fs.WalkDir(tree, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		files[path], err = fs.ReadFile(tree, path)
		return err
	})
	return files, err
}

func (c *Cluster) javaArgs(b *broker, class string, args ...string) []string {
	return append([]string{
		"-Xms128m", "-Xmx384m",
		// For a start in seconds on two cores: the serial collector, and no optimising compiler.
		"-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto",
		"-Dlog4j2.configurationFile=" + filepath.Join(b.dir, "log4j2.xml"),
		"-cp", c.jars, class,
	}, args...)
}

// spawn starts the process of a broker.
func (c *Cluster) spawn(b *broker) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.cmd != nil {
		return fmt.Errorf("broker %d runs already", b.id)
	}
	out, err := os.OpenFile(filepath.Join(b.dir, "out.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer out.Close() // the broker has its own; we wrote nothing
	cmd := exec.Command("java", c.javaArgs(b, "kafka.Kafka", filepath.Join(b.dir, "server.properties"))...)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = dieWithParent()
	done := make(chan struct{})
	started := make(chan error)
	wait := new(errgroup.Group)
	wait.Go(func() error {
		// Linux sends the death signal when the starting thread ends, so the goroutine keeps its thread until then.
		runtime.LockOSThread()
		if err := cmd.Start(); err != nil {
			started <- err
			return nil //nolint:nilerr // started has it
		}
		started <- nil
		err := cmd.Wait()
		close(done)
		return err
	})
	if err := <-started; err != nil {
		return fmt.Errorf("start broker %d: %w", b.id, err)
	}
	b.cmd, b.done, b.wait = cmd, done, wait
	return nil
}

// awaitReady returns when a broker is registered and answers.
func (c *Cluster) awaitReady(i int) {
	c.t.Helper()
	b := c.brokers[i]
	ctx, cancel := context.WithTimeout(c.t.Context(), startTimeout)
	defer cancel()
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	for {
		err := registered(ctx, b)
		if err == nil {
			return
		}
		select {
		case <-again.C:
		case <-b.done:
			c.t.Fatalf("broker %d ended: %s", b.id, b.output())
		case <-ctx.Done():
			c.t.Fatalf("broker %d does not answer: %v: %s", b.id, err, b.output())
		}
	}
}

// registered returns nil when the broker is among the live brokers that it knows of itself.
func registered(ctx context.Context, b *broker) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(b.addr()), kgo.DialTimeout(time.Second), kgo.RequestRetries(0), kgo.RetryTimeout(2*time.Second))
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	response, err := kmsg.NewPtrMetadataRequest().RequestWith(ctx, client)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(response.Brokers, func(r kmsg.MetadataResponseBroker) bool { return r.Port == int32(b.port) }) {
		return fmt.Errorf("broker %d is not registered", b.id)
	}
	return nil
}

func (b *broker) addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(b.port)) }

// output returns the end of what the broker printed.
func (b *broker) output() string {
	text, err := os.ReadFile(filepath.Join(b.dir, "out.log"))
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-4000):])
}

// Addrs returns host:port of every broker, running or not, in the order of their numbers.
func (c *Cluster) Addrs() []string {
	addrs := make([]string, 0, len(c.brokers))
	for _, b := range c.brokers {
		addrs = append(addrs, b.addr())
	}
	return addrs
}

// StopBroker ends broker i (from 0) cleanly: it hands its partitions over first.
func (c *Cluster) StopBroker(i int) {
	c.t.Helper()
	c.endBroker(i, syscall.SIGTERM)
}

// KillBroker ends broker i (from 0) as kill -9 does.
func (c *Cluster) KillBroker(i int) {
	c.t.Helper()
	c.endBroker(i, syscall.SIGKILL)
}

// RestartBroker starts broker i (from 0) again on its data and returns when it answers.
func (c *Cluster) RestartBroker(i int) {
	c.t.Helper()
	if err := c.spawn(c.brokers[i]); err != nil {
		c.t.Fatal(err)
	}
	c.awaitReady(i)
}

// endBroker sends a signal to a running broker and waits for its end.
func (c *Cluster) endBroker(i int, signal syscall.Signal) {
	c.t.Helper()
	b := c.brokers[i]
	if err := b.end(signal); err != nil {
		c.t.Fatal(err)
	}
}

// stopTimeout is for a clean end, after which a broker is killed.
const stopTimeout = 30 * time.Second

// end ends the process of the broker; an error if it does not run, or had to be killed.
func (b *broker) end(signal syscall.Signal) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.cmd == nil {
		return fmt.Errorf("broker %d does not run", b.id)
	}
	select {
	case <-b.done:
		return fmt.Errorf("broker %d has ended by itself: %s", b.id, b.output())
	default:
	}
	if err := b.cmd.Process.Signal(signal); err != nil {
		return fmt.Errorf("end broker %d: %w", b.id, err)
	}
	patience := time.NewTimer(stopTimeout)
	defer patience.Stop()
	var late error
	select {
	case <-b.done:
	case <-patience.C:
		late = fmt.Errorf("broker %d did not stop within %s and was killed", b.id, stopTimeout)
		if err := b.cmd.Process.Kill(); err != nil {
			return errors.Join(late, err)
		}
	}
	// Its exit status says that it was signalled, which is known.
	_ = b.wait.Wait()
	b.cmd = nil
	return late
}

// running reports whether the process of the broker was started and not ended by us.
func (b *broker) running() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.cmd != nil
}

// end kills what runs: the data of a test is thrown away.
func (c *Cluster) end() {
	for _, b := range c.brokers {
		if b.running() {
			if err := b.end(syscall.SIGKILL); err != nil {
				c.t.Error(err)
			}
		}
	}
}

// CreateTopic creates a topic and returns when every partition has a leader. Replication 0 is one replica on every broker.
func (c *Cluster) CreateTopic(name string, partitions, replication int) {
	c.t.Helper()
	if replication == 0 {
		replication = len(c.brokers)
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(c.Addrs()...))
	if err != nil {
		c.t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(c.t.Context(), startTimeout)
	defer cancel()
	create := kmsg.NewPtrCreateTopicsRequest()
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = name, int32(partitions), int16(replication)
	create.Topics = append(create.Topics, topic)
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	for {
		// Until the controllers have seen all brokers a replication may be refused, so the request is repeated.
		err := createTopic(ctx, client, create)
		if err == nil || errors.Is(err, kerr.TopicAlreadyExists) {
			if err = hasLeaders(ctx, client, name, partitions); err == nil {
				return
			}
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			c.t.Fatalf("create topic %s: %v", name, err)
		}
	}
}

func createTopic(ctx context.Context, client *kgo.Client, request *kmsg.CreateTopicsRequest) error {
	response, err := request.RequestWith(ctx, client)
	if err != nil {
		return err
	}
	return kerr.ErrorForCode(response.Topics[0].ErrorCode)
}

func hasLeaders(ctx context.Context, client *kgo.Client, topic string, partitions int) error {
	request := kmsg.NewPtrMetadataRequest()
	named := kmsg.NewMetadataRequestTopic()
	named.Topic = new(topic)
	request.Topics = append(request.Topics, named)
	response, err := request.RequestWith(ctx, client)
	if err != nil {
		return err
	}
	t := response.Topics[0]
	if err := kerr.ErrorForCode(t.ErrorCode); err != nil {
		return err
	}
	if len(t.Partitions) != partitions {
		return fmt.Errorf("it has %d partitions, want %d", len(t.Partitions), partitions)
	}
	for _, p := range t.Partitions {
		if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
			return fmt.Errorf("partition %d: %w", p.Partition, err)
		}
	}
	return nil
}
