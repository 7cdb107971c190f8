package embedded_test

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/sasl"
	"github.com/segmentio/kafka-go/sasl/plain"
	"github.com/segmentio/kafka-go/sasl/scram"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"otklik/deploy/embedded"
	"otklik/deploy/embedded/embeddedtest"
)

// client returns a client with connections of its own: the default transport would hand out those of a killed broker.
func client(t *testing.T, addr string) *kafka.Client {
	t.Helper()
	transport := &kafka.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &kafka.Client{Addr: kafka.TCP(addr), Transport: transport, Timeout: 20 * time.Second}
}

// produce writes n records "<first>", "<first+1>", … to a partition in one acknowledged batch.
func produce(t *testing.T, c *kafka.Client, topic string, partition, first, n int, codec kafka.Compression) {
	t.Helper()
	records := make([]kafka.Record, n)
	for i := range records {
		records[i] = kafka.Record{Value: kafka.NewBytes([]byte(strconv.Itoa(first + i)))}
	}
	response, err := c.Produce(t.Context(), &kafka.ProduceRequest{
		Topic: topic, Partition: partition, RequiredAcks: kafka.RequireAll, Compression: codec,
		Records: kafka.NewRecordReader(records...),
	})
	if err == nil {
		err = errors.Join(response.Error)
	}
	if err != nil {
		t.Fatalf("produce to %s/%d: %v", topic, partition, err)
	}
}

// expect reads n records of a partition from an offset on and checks that they count up from first.
func expect(t *testing.T, addr, topic string, partition int, offset int64, first, n int) {
	t.Helper()
	reader := kafka.NewReader(kafka.ReaderConfig{
		Brokers: []string{addr}, Topic: topic, Partition: partition, MaxWait: 250 * time.Millisecond, MaxBytes: 10 << 20,
	})
	defer reader.Close() // a test's reader
	if err := reader.SetOffset(offset); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for i := range n {
		message, err := reader.ReadMessage(ctx)
		if err != nil {
			t.Fatalf("read %s/%d@%d: %v", topic, partition, offset+int64(i), err)
		}
		if message.Offset != offset+int64(i) || string(message.Value) != strconv.Itoa(first+i) {
			t.Fatalf("%s/%d@%d holds %q, want %d", topic, partition, message.Offset, message.Value, first+i)
		}
	}
}

func TestKafkaRequests(t *testing.T) {
	broker := embeddedtest.Kafka(t, embedded.KafkaConfig{Dir: t.TempDir(), Partitions: map[string]int{"firehose.vk": 3}})
	c := client(t, broker.Addr())
	created, err := c.CreateTopics(t.Context(), &kafka.CreateTopicsRequest{
		Topics: []kafka.TopicConfig{{Topic: "otklik.mentions", NumPartitions: 8, ReplicationFactor: 1}},
	})
	if err != nil || created.Errors["otklik.mentions"] != nil {
		t.Fatal(err, created)
	}
	for i, codec := range []kafka.Compression{0, kafka.Gzip, kafka.Snappy, kafka.Lz4, kafka.Zstd} {
		produce(t, c, "otklik.mentions", 7, 100*i, 100, codec)
	}
	expect(t, broker.Addr(), "otklik.mentions", 7, 0, 0, 500)

	metadata, err := c.Metadata(t.Context(), &kafka.MetadataRequest{Topics: []string{"firehose.vk", "otklik.mentions", "made.by.naming.it"}})
	if err != nil {
		t.Fatal(err)
	}
	counts := make(map[string]int)
	for _, topic := range metadata.Topics {
		counts[topic.Name] = len(topic.Partitions)
	}
	if counts["firehose.vk"] != 3 || counts["otklik.mentions"] != 8 {
		t.Errorf("partitions %v, want firehose.vk 3 and otklik.mentions 8", counts)
	}

	deleteBefore(t, broker.Addr(), "otklik.mentions", 7, 200)
	offsets, err := c.ListOffsets(t.Context(), &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{
		"otklik.mentions": {kafka.FirstOffsetOf(7), kafka.LastOffsetOf(7)},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if got := offsets.Topics["otklik.mentions"][0]; got.FirstOffset != 200 || got.LastOffset != 500 || got.Error != nil {
		t.Errorf("offsets %+v, want 200 to 500", got)
	}

	tooLarge := make([]byte, 2<<20)
	refused, err := c.Produce(t.Context(), &kafka.ProduceRequest{
		Topic: "otklik.mentions", Partition: 0, RequiredAcks: kafka.RequireAll,
		Records: kafka.NewRecordReader(kafka.Record{Value: kafka.NewBytes(tooLarge)}),
	})
	if err != nil || !errors.Is(refused.Error, kafka.MessageSizeTooLarge) {
		t.Errorf("a batch of 2 MiB: got %v, %v, want %v", refused, err, kafka.MessageSizeTooLarge)
	}
}

// deleteBefore drops the records of a partition below an offset; kafka-go has no such request.
func deleteBefore(t *testing.T, addr, topic string, partition int32, offset int64) {
	t.Helper()
	c, err := kgo.NewClient(kgo.SeedBrokers(addr))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	request := kmsg.NewPtrDeleteRecordsRequest()
	request.TimeoutMillis = 5000
	request.Topics = []kmsg.DeleteRecordsRequestTopic{{
		Topic: topic, Partitions: []kmsg.DeleteRecordsRequestTopicPartition{{Partition: partition, Offset: offset}},
	}}
	response, err := request.RequestWith(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if code := response.Topics[0].Partitions[0].ErrorCode; code != 0 {
		t.Fatalf("delete records: code %d", code)
	}
}

// TestKafkaOutlivesKill kills the process that hosts the broker right after it has acknowledged records and offsets.
func TestKafkaOutlivesKill(t *testing.T) {
	dir := t.TempDir()
	const rounds, records = 3, 5000
	var addr string
	for round := range rounds {
		host, at := helper(t, "kafka", dir)
		if addr != "" && at != addr {
			t.Errorf("round %d: the broker came back at %s, clients look for it at %s", round, at, addr)
		}
		addr = at
		c := client(t, addr)
		if round == 0 {
			if _, err := c.CreateTopics(t.Context(), &kafka.CreateTopicsRequest{
				Topics: []kafka.TopicConfig{{Topic: "firehose.vk", NumPartitions: 2, ReplicationFactor: 1}},
			}); err != nil {
				t.Fatal(err)
			}
		}
		expect(t, addr, "firehose.vk", 1, 0, 0, round*records)
		if round > 0 { // before the first commit the broker does not know the group
			if got := committed(t, c, "firehose.vk", 1); got != int64(round*records) {
				t.Errorf("round %d: committed offset %d after kill -9, want %d", round, got, round*records)
			}
		}
		for i := range 50 {
			produce(t, c, "firehose.vk", 1, round*records+i*records/50, records/50, kafka.Zstd)
		}
		group := joinGroup(t, addr, "firehose.vk")
		generation, err := group.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got := len(generation.Assignments["firehose.vk"]); got != 2 {
			t.Errorf("round %d: %d partitions assigned, want 2", round, got)
		}
		if err := generation.CommitOffsets(map[string]map[int]int64{"firehose.vk": {1: int64((round + 1) * records)}}); err != nil {
			t.Fatal(err)
		}
		kill9(t, host)
		// Leaving needs the broker, which is gone.
		_ = group.Close()
	}
}

const groupName = "otklik.ingest"

func joinGroup(t *testing.T, addr, topic string) *kafka.ConsumerGroup {
	t.Helper()
	group, err := kafka.NewConsumerGroup(kafka.ConsumerGroupConfig{
		ID: groupName, Brokers: []string{addr}, Topics: []string{topic}, StartOffset: kafka.FirstOffset,
		// kfake restores no members after kill -9, so a dead one is not waited for.
		SessionTimeout: 6 * time.Second, RebalanceTimeout: 6 * time.Second, JoinGroupBackoff: 100 * time.Millisecond,
		Timeout: time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	return group
}

func committed(t *testing.T, c *kafka.Client, topic string, partition int) int64 {
	t.Helper()
	response, err := c.OffsetFetch(t.Context(), &kafka.OffsetFetchRequest{GroupID: groupName, Topics: map[string][]int{topic: {partition}}})
	if err == nil {
		err = response.Error
	}
	if err != nil {
		t.Fatal(err)
	}
	return response.Topics[topic][0].CommittedOffset
}

func TestKafkaSecondProcessIsRefused(t *testing.T) {
	dir := t.TempDir()
	host, _ := helper(t, "kafka", dir)
	_, err := embedded.StartKafka(t.Context(), embedded.KafkaConfig{Dir: dir})
	var locked *embedded.LockedError
	if !errors.As(err, &locked) || locked.PID != host.Process.Pid {
		t.Errorf("got %v, want that process %d has the folder", err, host.Process.Pid)
	}
}

func TestKafkaListensOnLoopbackOnly(t *testing.T) {
	if _, err := embedded.StartKafka(t.Context(), embedded.KafkaConfig{Addr: "0.0.0.0:0"}); err == nil || !strings.Contains(err.Error(), "127.0.0.1 only") {
		t.Errorf("got %v, want a refusal", err)
	}
}

func TestKafkaSASLAndTLS(t *testing.T) {
	server, authority := embeddedtest.Certificate(t)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(authority)
	broker := embeddedtest.Kafka(t, embedded.KafkaConfig{
		Dir: t.TempDir(),
		TLS: server,
		Users: []embedded.KafkaUser{
			{Mechanism: embedded.SASLPlain, Name: "plain", Password: "p1"},
			{Mechanism: embedded.SASLScramSHA256, Name: "scram256", Password: "p2"},
			{Mechanism: embedded.SASLScramSHA512, Name: "scram512", Password: "p3"},
		},
		Partitions: map[string]int{"t": 1},
	})
	mechanism := func(m sasl.Mechanism, err error) sasl.Mechanism {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	try := func(m sasl.Mechanism, roots *x509.CertPool) error {
		transport := &kafka.Transport{SASL: m, TLS: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, DialTimeout: 5 * time.Second}
		defer transport.CloseIdleConnections()
		c := &kafka.Client{Addr: kafka.TCP(broker.Addr()), Transport: transport, Timeout: 5 * time.Second}
		_, err := c.Metadata(t.Context(), &kafka.MetadataRequest{Topics: []string{"t"}})
		return err
	}
	for name, m := range map[string]sasl.Mechanism{
		"PLAIN":         plain.Mechanism{Username: "plain", Password: "p1"},
		"SCRAM-SHA-256": mechanism(scram.Mechanism(scram.SHA256, "scram256", "p2")),
		"SCRAM-SHA-512": mechanism(scram.Mechanism(scram.SHA512, "scram512", "p3")),
	} {
		if err := try(m, pool); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	// kfake closes the connection without the error code that a real broker sends first.
	if err := try(plain.Mechanism{Username: "plain", Password: "wrong"}, pool); err == nil {
		t.Error("a wrong password was let in")
	}
	if err := try(nil, pool); err == nil {
		t.Error("a client without SASL was let in")
	}
	var unknown x509.UnknownAuthorityError
	if err := try(plain.Mechanism{Username: "plain", Password: "p1"}, x509.NewCertPool()); !errors.As(err, &unknown) {
		t.Errorf("a certificate of an unknown authority: got %v", err)
	}
}

// TestKafkaKeepsItsLogOnDisk fills the log with more than it may take in memory.
func TestKafkaKeepsItsLogOnDisk(t *testing.T) {
	if testing.Short() {
		t.Skip("writes 256 MB")
	}
	dir := t.TempDir()
	host, addr := helper(t, "kafka", dir)
	c := client(t, addr)
	value := make([]byte, 2000)
	if _, err := rand.Read(value); err != nil { // incompressible
		t.Fatal(err)
	}
	if _, err := c.CreateTopics(t.Context(), &kafka.CreateTopicsRequest{
		Topics: []kafka.TopicConfig{{Topic: "big", NumPartitions: 1, ReplicationFactor: 1}},
	}); err != nil {
		t.Fatal(err)
	}
	const batches, perBatch = 256, 500
	for range batches {
		records := make([]kafka.Record, perBatch)
		for i := range records {
			records[i] = kafka.Record{Value: kafka.NewBytes(value)}
		}
		if _, err := c.Produce(t.Context(), &kafka.ProduceRequest{
			Topic: "big", RequiredAcks: kafka.RequireAll, Records: kafka.NewRecordReader(records...),
		}); err != nil {
			t.Fatal(err)
		}
	}
	const written = batches * perBatch * 2000 >> 20
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", host.Process.Pid))
	if err != nil {
		t.Skipf("no /proc: %v", err)
	}
	for line := range strings.Lines(string(status)) {
		if value, found := strings.CutPrefix(line, "RssAnon:"); found {
			kib, err := strconv.Atoi(strings.Fields(value)[0])
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%d MiB written, %d MiB of memory", written, kib>>10)
			if kib>>10 > written/2 {
				t.Errorf("%d MiB of memory for %d MiB of log: it is kept in memory", kib>>10, written)
			}
		}
	}
}
