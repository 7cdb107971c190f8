package embedded

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"golang.org/x/sync/errgroup"
)

// SASL mechanisms of KafkaUser.
const (
	SASLPlain       = "PLAIN"
	SASLScramSHA256 = "SCRAM-SHA-256"
	SASLScramSHA512 = "SCRAM-SHA-512"
)

// KafkaUser is a client that may log in to the embedded broker.
type KafkaUser struct {
	Mechanism string // SASLPlain, SASLScramSHA256 or SASLScramSHA512
	Name      string
	Password  string
}

// KafkaConfig says where and how to run the embedded broker. All fields are optional.
type KafkaConfig struct {
	Dir string // data folder, created if missing; empty keeps everything in memory
	// Addr is host:port to listen on; the host must be 127.0.0.1, port 0 takes a free one. Default 127.0.0.1:0, but the
	// port of the last start on the same folder while it is free, so that clients find the broker again.
	Addr string
	// Partitions are topics to create at the start unless they exist. The partition count of one that exists is not changed.
	Partitions map[string]int
	// DefaultPartitions of topics that clients create without a count, or by naming them; default 4.
	DefaultPartitions int
	// RetentionBytes per partition, after which the oldest records go; default 2 GiB, -1 keeps all.
	RetentionBytes int64
	// RetentionTime by record timestamps, after which records go; default seven days, -1 keeps all.
	RetentionTime time.Duration
	// TLS, if set, is what the broker serves with.
	TLS *tls.Config
	// Users, if any, turn on SASL: nobody else may connect.
	Users []KafkaUser
	// SyncWrites syncs each batch and each offset to the disk before it is acknowledged. Without it a crash of the process
	// loses nothing, a crash of the machine what the kernel had not written yet, as with a real broker.
	SyncWrites bool
	// Logger takes the broker's warnings; nil discards them.
	Logger *slog.Logger
}

func (c KafkaConfig) withDefaults() KafkaConfig {
	if c.DefaultPartitions == 0 {
		c.DefaultPartitions = 4
	}
	if c.RetentionBytes == 0 {
		c.RetentionBytes = 2 * gibibyte
	}
	if c.RetentionTime == 0 {
		c.RetentionTime = 7 * 24 * time.Hour
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// retentionInterval is how often old records are looked for.
const retentionInterval = time.Minute

// Kafka is a broker inside this process. Its log is on disk; in memory it keeps some 50 bytes per batch.
type Kafka struct {
	dir     string
	hold    *lock // nil without a folder
	addr    string
	cluster *kfake.Cluster
	config  KafkaConfig
	cancel  context.CancelFunc
	work    errgroup.Group
}

// StartKafka starts the embedded broker and returns when it accepts connections. The context bounds the start, not the
// life of the broker. The error is a *LockedError when another process has the data folder.
func StartKafka(ctx context.Context, cfg KafkaConfig) (*Kafka, error) {
	cfg = cfg.withDefaults()
	k := &Kafka{config: cfg}
	if cfg.Dir != "" {
		dir, err := filepath.Abs(cfg.Dir)
		if err != nil {
			return nil, fmt.Errorf("start Kafka: %w", err)
		}
		k.dir = dir
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("start Kafka: %w", err)
		}
		if k.hold, err = acquire(ctx, dir); err != nil {
			return nil, err
		}
		if err := k.hold.claim(os.Getpid(), os.Getpid()); err != nil {
			return nil, errors.Join(fmt.Errorf("start Kafka on %s: %w", dir, err), k.hold.release())
		}
	}
	if err := k.start(ctx); err != nil {
		return nil, fmt.Errorf("start Kafka on %s: %w", cfg.Dir, errors.Join(err, k.unlock()))
	}
	return k, nil
}

func (k *Kafka) start(ctx context.Context) error {
	cfg := k.config
	port, err := k.port(ctx)
	if err != nil {
		return err
	}
	options := []kfake.Opt{
		kfake.NumBrokers(1),
		kfake.Ports(port),
		kfake.ClusterID("otklik-embedded"),
		kfake.AllowAutoTopicCreation(),
		kfake.DefaultNumPartitions(cfg.DefaultPartitions),
		kfake.WithLogger(brokerLog{cfg.Logger}),
		kfake.BrokerConfigs(map[string]string{
			"log.retention.bytes": strconv.FormatInt(cfg.RetentionBytes, 10),
			"log.retention.ms":    strconv.FormatInt(retentionMillis(cfg.RetentionTime), 10),
			"log.segment.bytes":   strconv.Itoa(64 << 20),
			"message.max.bytes":   strconv.Itoa(maxBatch),
		}),
	}
	if k.dir != "" {
		options = append(options, kfake.DataDir(filepath.Join(k.dir, "log")))
	}
	if cfg.SyncWrites {
		options = append(options, kfake.SyncWrites())
	}
	if cfg.TLS != nil {
		options = append(options, kfake.TLS(cfg.TLS))
	}
	if len(cfg.Users) > 0 {
		options = append(options, kfake.EnableSASL())
		for _, u := range cfg.Users {
			options = append(options, kfake.Superuser(u.Mechanism, u.Name, u.Password))
		}
	}
	if k.cluster, err = kfake.NewCluster(options...); err != nil {
		return err
	}
	k.addr = k.cluster.ListenAddrs()[0]
	for _, topic := range slices.Sorted(maps.Keys(cfg.Partitions)) {
		if k.cluster.TopicInfo(topic) == nil {
			if err := k.CreateTopic(topic, cfg.Partitions[topic]); err != nil {
				k.cluster.Close()
				return err
			}
		}
	}
	if k.dir != "" {
		if err := writeJSON(k.dir, endpointName, Endpoint{
			PID: os.Getpid(), Owner: os.Getpid(), Kafka: k.addr, StartedAt: time.Now().UTC(),
		}); err != nil {
			k.cluster.Close()
			return err
		}
	}
	life, cancel := context.WithCancel(context.WithoutCancel(ctx))
	k.cancel = cancel
	k.work.Go(func() error { return k.retain(life) })
	return nil
}

// maxBatch is the broker's limit for one batch of records, Kafka's own default.
const maxBatch = 1048588

// retain removes old records from time to time. kfake does so by itself only for topics with a retention of their own,
// and forgets to after a restart.
func (k *Kafka) retain(ctx context.Context) error {
	tick := time.NewTicker(retentionInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			k.cluster.ApplyRetention()
		}
	}
}

func retentionMillis(d time.Duration) int64 {
	if d < 0 {
		return -1
	}
	return d.Milliseconds()
}

// port returns the port to listen on: the configured one, else the last one of this folder if it is free, else 0.
func (k *Kafka) port(ctx context.Context) (int, error) {
	if k.config.Addr == "" {
		return k.lastPort(ctx), nil
	}
	host, text, err := net.SplitHostPort(k.config.Addr)
	if err != nil {
		return 0, fmt.Errorf("address %q: %w", k.config.Addr, err)
	}
	if host != loopback {
		return 0, fmt.Errorf("address %q: the embedded broker listens on %s only", k.config.Addr, loopback)
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		return 0, fmt.Errorf("address %q: %w", k.config.Addr, err)
	}
	return port, nil
}

func (k *Kafka) lastPort(ctx context.Context) int {
	if k.dir == "" {
		return 0
	}
	last, err := readEndpoint(k.dir)
	if err != nil {
		return 0 // a first start, or one after an unreadable one: any port will do
	}
	_, text, err := net.SplitHostPort(last.Kafka)
	if err != nil {
		return 0
	}
	port, err := listenOnce(ctx, text)
	if err != nil {
		return 0
	}
	return port
}

// Addr returns host:port of the broker.
func (k *Kafka) Addr() string { return k.addr }

// CreateTopic creates a topic; it is an error if it exists.
func (k *Kafka) CreateTopic(topic string, partitions int) error {
	if err := k.cluster.CreateTopic(topic, int32(partitions), nil); err != nil {
		return fmt.Errorf("create topic %s with %d partitions: %w", topic, partitions, err)
	}
	return nil
}

// Close stops the broker; clients are cut off, acknowledged records and offsets are on disk. It may be called more than once.
func (k *Kafka) Close() error {
	if k.cancel == nil {
		return nil
	}
	k.cancel()
	k.cancel = nil
	err := k.work.Wait()
	k.cluster.Close()
	return errors.Join(err, k.unlock())
}

func (k *Kafka) unlock() error {
	if k.hold == nil {
		return nil
	}
	return k.hold.release()
}

// brokerLog hands kfake's warnings to slog.
type brokerLog struct{ to *slog.Logger }

// Logf implements kfake.Logger.
func (l brokerLog) Logf(level kfake.LogLevel, format string, args ...any) {
	switch level {
	case kfake.LogLevelError:
		l.to.Error("embedded broker", "message", fmt.Sprintf(format, args...))
	case kfake.LogLevelWarn:
		l.to.Warn("embedded broker", "message", fmt.Sprintf(format, args...))
	default: // what it does all day
	}
}
