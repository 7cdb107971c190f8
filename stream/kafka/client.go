// Package kafka is Otklik's side of Kafka: consumer group generations that hand out partitions, readers of one
// partition, and producers that keep the order of what they send. It is the only importer of kafka-go.
package kafka

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"net"
	"slices"
	"strings"
	"time"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/sasl"
	"github.com/segmentio/kafka-go/sasl/plain"
	"github.com/segmentio/kafka-go/sasl/scram"
)

// SASL names a user and how to authenticate it.
type SASL struct {
	Mechanism string // PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512
	User      string
	Password  string
}

// Config says how to reach a cluster.
type Config struct {
	Brokers     []string // host:port
	ClientID    string   // default "otklik"
	TLS         *tls.Config
	SASL        *SASL
	Compression string // of what we produce: none, gzip, snappy, lz4, zstd; default none
	// MaxRequestBytes bounds one produce request before compression; default 900 kB, below the broker's default of 1 MB.
	MaxRequestBytes int
	// OnRetry is told about every transient error that is retried; may be nil. Several goroutines call it at once, one for each partition
	// that is sent to, for example.
	OnRetry func(target string, err error)
}

// Client talks to one cluster. It is safe for concurrent use.
type Client struct {
	cfg         Config
	client      *kafkago.Client
	dialer      *kafkago.Dialer
	transport   *kafkago.Transport
	compression kafkago.Compression
	logins      *logins // nil: nobody logs in
}

const (
	dialTimeout = 5 * time.Second
	keepAlive   = 30 * time.Second
)

// Open returns a client. It does not connect: the first call does.
func Open(cfg Config) (*Client, error) {
	if len(cfg.Brokers) == 0 {
		return nil, errors.New("open kafka: no broker address; set kafka.brokers in the configuration")
	}
	if cfg.ClientID == "" {
		cfg.ClientID = "otklik"
	}
	if cfg.MaxRequestBytes <= 0 {
		cfg.MaxRequestBytes = 900_000
	}
	if cfg.OnRetry == nil {
		cfg.OnRetry = func(string, error) {}
	}
	var mechanism sasl.Mechanism
	var login *logins
	if cfg.SASL != nil {
		inner, err := cfg.SASL.mechanism()
		if err != nil {
			return nil, fmt.Errorf("open kafka: %w", err)
		}
		login = &logins{Mechanism: inner}
		mechanism = login
	}
	var compression kafkago.Compression
	if cfg.Compression != "" && cfg.Compression != "none" {
		if err := compression.UnmarshalText([]byte(cfg.Compression)); err != nil {
			return nil, fmt.Errorf("open kafka: compression %q: %w; use none, gzip, snappy, lz4 or zstd", cfg.Compression, err)
		}
	}
	transport := &kafkago.Transport{
		ClientID:    cfg.ClientID,
		TLS:         cfg.TLS,
		SASL:        mechanism,
		DialTimeout: dialTimeout,
		MetadataTTL: 2 * time.Second,
	}
	return &Client{
		cfg:         cfg,
		transport:   transport,
		compression: compression,
		logins:      login,
		client:      &kafkago.Client{Addr: kafkago.TCP(cfg.Brokers...), Timeout: 15 * time.Second, Transport: transport},
		dialer: &kafkago.Dialer{
			ClientID: cfg.ClientID, Timeout: dialTimeout, KeepAlive: keepAlive, TLS: cfg.TLS, SASLMechanism: mechanism,
		},
	}, nil
}

// Close drops idle connections.
func (c *Client) Close() { c.transport.CloseIdleConnections() }

func (s *SASL) mechanism() (sasl.Mechanism, error) {
	switch strings.ToUpper(s.Mechanism) {
	case "PLAIN":
		return plain.Mechanism{Username: s.User, Password: s.Password}, nil
	case "SCRAM-SHA-256":
		return scram.Mechanism(scram.SHA256, s.User, s.Password)
	case "SCRAM-SHA-512":
		return scram.Mechanism(scram.SHA512, s.User, s.Password)
	}
	return nil, fmt.Errorf("sasl mechanism %q is not known; use PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512", s.Mechanism)
}

// Topic is what EnsureTopics creates.
type Topic struct {
	Name        string
	Partitions  int
	Replication int // -1: the broker's default
	Config      map[string]string
}

// EnsureTopics creates the topics that do not exist. Existing ones are left as they are, whatever their partition count:
// Partitions tells it. The broker's answer "exists" is success, so two processes may race.
func (c *Client) EnsureTopics(ctx context.Context, topics []Topic) error {
	have, err := c.Partitions(ctx)
	if err != nil {
		return err
	}
	req := &kafkago.CreateTopicsRequest{}
	for _, t := range topics {
		if have[t.Name] > 0 {
			continue
		}
		tc := kafkago.TopicConfig{Topic: t.Name, NumPartitions: t.Partitions, ReplicationFactor: t.Replication}
		if tc.ReplicationFactor == 0 {
			tc.ReplicationFactor = -1
		}
		for _, name := range sortedKeys(t.Config) {
			tc.ConfigEntries = append(tc.ConfigEntries, kafkago.ConfigEntry{ConfigName: name, ConfigValue: t.Config[name]})
		}
		req.Topics = append(req.Topics, tc)
	}
	if len(req.Topics) == 0 {
		return nil
	}
	resp, err := c.client.CreateTopics(ctx, req)
	if err != nil {
		return fmt.Errorf("create topics: %w", err)
	}
	for _, t := range req.Topics {
		if err := resp.Errors[t.Topic]; err != nil && !errors.Is(err, kafkago.TopicAlreadyExists) {
			return fmt.Errorf("create topic %s with %d partitions: %w", t.Topic, t.NumPartitions, err)
		}
	}
	return c.awaitTopics(ctx, req.Topics)
}

// awaitTopics waits until every partition of the new topics has a leader: a produce before that would only be retried.
func (c *Client) awaitTopics(ctx context.Context, topics []kafkago.TopicConfig) error {
	return c.retry(ctx, "await topics", func(ctx context.Context) error {
		_, led, err := c.layout(ctx)
		if err != nil {
			return err
		}
		for _, t := range topics {
			if led[t.Topic] < t.NumPartitions {
				return fmt.Errorf("topic %s: %w", t.Topic, kafkago.LeaderNotAvailable)
			}
		}
		return nil
	})
}

// Partitions returns the number of partitions of every topic of the cluster, those included that have no leader for the
// moment; a topic that does not exist is absent.
func (c *Client) Partitions(ctx context.Context) (map[string]int, error) {
	var counts map[string]int
	err := c.retry(ctx, "read metadata", func(ctx context.Context) error {
		var err error
		counts, _, err = c.layout(ctx)
		return err
	})
	return counts, err
}

// layout returns, by topic, how many partitions there are and how many of them have a leader.
func (c *Client) layout(ctx context.Context) (counts, led map[string]int, err error) {
	resp, err := c.client.Metadata(ctx, &kafkago.MetadataRequest{})
	if err != nil {
		return nil, nil, err
	}
	counts, led = map[string]int{}, map[string]int{}
	for _, t := range resp.Topics {
		if t.Error != nil || t.Internal {
			continue
		}
		counts[t.Name] = len(t.Partitions)
		for _, p := range t.Partitions {
			if p.Error == nil && p.Leader.Port != 0 {
				led[t.Name]++
			}
		}
	}
	return counts, led, nil
}

// Range is the part of a partition that the broker retains: offsets First ≤ o < End.
type Range struct{ First, End int64 }

// Ranges returns the retained range of each partition of the topic, by partition number.
func (c *Client) Ranges(ctx context.Context, topic string) (map[int32]Range, error) {
	var ranges map[int32]Range
	err := c.retry(ctx, "list offsets of "+topic, func(ctx context.Context) error {
		counts, err := c.Partitions(ctx)
		if err != nil {
			return err
		}
		req := &kafkago.ListOffsetsRequest{Topics: map[string][]kafkago.OffsetRequest{}}
		for p := range counts[topic] {
			req.Topics[topic] = append(req.Topics[topic], kafkago.FirstOffsetOf(p), kafkago.LastOffsetOf(p))
		}
		ranges = make(map[int32]Range, counts[topic])
		if counts[topic] == 0 {
			return nil
		}
		resp, err := c.client.ListOffsets(ctx, req)
		if err != nil {
			return err
		}
		for _, p := range resp.Topics[topic] {
			if p.Error != nil {
				return p.Error
			}
			ranges[int32(p.Partition)] = Range{First: p.FirstOffset, End: p.LastOffset}
		}
		return nil
	})
	return ranges, err
}

// Committed returns the offsets that the group has committed for the topic, by partition; partitions without one are absent.
func (c *Client) Committed(ctx context.Context, group, topic string) (map[int32]int64, error) {
	committed := map[int32]int64{}
	err := c.retry(ctx, "fetch offsets of "+group, func(ctx context.Context) error {
		counts, err := c.Partitions(ctx)
		if err != nil {
			return err
		}
		numbers := make([]int, counts[topic])
		for i := range numbers {
			numbers[i] = i
		}
		resp, err := c.client.OffsetFetch(ctx, &kafkago.OffsetFetchRequest{GroupID: group, Topics: map[string][]int{topic: numbers}})
		if err != nil {
			return err
		}
		if resp.Error != nil {
			return resp.Error
		}
		for _, p := range resp.Topics[topic] {
			if p.Error != nil {
				return p.Error
			}
			if p.CommittedOffset >= 0 {
				committed[int32(p.Partition)] = p.CommittedOffset
			}
		}
		return nil
	})
	return committed, err
}

// PartitionOf returns the partition of a keyed record among n, by the murmur2 hash of Kafka's Java clients, so that
// other producers agree with us.
func PartitionOf(key []byte, n int) int32 {
	return int32((murmur2(key) & math.MaxInt32) % uint32(n))
}

// murmur2 is Austin Appleby's MurmurHash2 with the seed of Kafka's Java clients (org.apache.kafka.common.utils.Utils.murmur2).
func murmur2(b []byte) uint32 {
	const m, r = 0x5bd1e995, 24
	h := 0x9747b28c ^ uint32(len(b))
	for ; len(b) >= 4; b = b[4:] {
		k := binary.LittleEndian.Uint32(b) * m
		k ^= k >> r
		h = h*m ^ k*m
	}
	if len(b) > 0 {
		for i, c := range b {
			h ^= uint32(c) << (8 * i)
		}
		h *= m
	}
	h ^= h >> 13
	h *= m
	return h ^ h>>15
}

// dial connects to a broker. Over TLS, the connection it returns is the encrypted one.
func (c *Client) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := (&net.Dialer{KeepAlive: keepAlive}).DialContext(ctx, network, address)
	if err != nil || c.cfg.TLS == nil {
		return conn, err
	}
	cfg := c.cfg.TLS
	if cfg.ServerName == "" {
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			return nil, errors.Join(err, conn.Close())
		}
		cfg = cfg.Clone()
		cfg.ServerName = host
	}
	secured := tls.Client(conn, cfg)
	if err := secured.HandshakeContext(ctx); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return secured, nil
}

// Ping reports whether a broker answers, and lets us in: it does not try twice.
func (c *Client) Ping(ctx context.Context) error {
	_, err := c.client.ApiVersions(ctx, &kafkago.ApiVersionsRequest{})
	if err != nil {
		if c.logins.refused(err, 1, 0) {
			err = fmt.Errorf("%w: %w", ErrLogin, err)
		}
		return fmt.Errorf("kafka %s: %w", strings.Join(c.cfg.Brokers, ","), err)
	}
	return nil
}

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
