package kafkatest_test

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"otklik/deploy/kafka/kafkatest"
)

// produce writes the numbers [first, first+n) to the partitions of a topic in turn, with every replica's acknowledgement.
func produce(t *testing.T, addrs []string, topic string, first, n int) {
	t.Helper()
	writer := &kafka.Writer{
		Addr: kafka.TCP(addrs...), Topic: topic, RequiredAcks: kafka.RequireAll, BatchTimeout: 10 * time.Millisecond,
		MaxAttempts: 60, WriteBackoffMax: 500 * time.Millisecond, Balancer: &kafka.RoundRobin{},
	}
	messages := make([]kafka.Message, n)
	for i := range messages {
		messages[i].Value = []byte(strconv.Itoa(first + i))
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := errors.Join(writer.WriteMessages(ctx, messages...), writer.Close()); err != nil {
		t.Fatal(err)
	}
}

// distinct reads a topic to its end and counts the distinct numbers in it: a retried batch may be there twice.
func distinct(t *testing.T, addrs []string, topic string, partitions int) int {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	seen := make(map[string]bool)
	for p := range partitions {
		conn, err := dialLeader(ctx, addrs, topic, p)
		if err != nil {
			t.Fatal(err)
		}
		_, end, err := conn.ReadOffsets()
		if err = errors.Join(err, conn.Close()); err != nil {
			t.Fatal(err)
		}
		reader := kafka.NewReader(kafka.ReaderConfig{Brokers: addrs, Topic: topic, Partition: p, MaxWait: 250 * time.Millisecond})
		for reader.Offset() < end {
			message, err := reader.ReadMessage(ctx)
			if err != nil {
				t.Fatalf("%s/%d: %v", topic, p, err)
			}
			seen[string(message.Value)] = true
		}
		if err := reader.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return len(seen)
}

// dialLeader tries one broker after the other: some may be dead.
func dialLeader(ctx context.Context, addrs []string, topic string, partition int) (*kafka.Conn, error) {
	var faults []error
	for _, addr := range addrs {
		conn, err := kafka.DialLeader(ctx, "tcp", addr, topic, partition)
		if err == nil {
			return conn, nil
		}
		faults = append(faults, err)
	}
	return nil, errors.Join(faults...)
}

func TestOneBrokerOutlivesKill(t *testing.T) {
	began := time.Now()
	c := kafkatest.Start(t, kafkatest.Config{Topics: []kafkatest.Topic{{Name: "firehose.vk", Partitions: 4}}})
	t.Logf("one broker ready after %s", time.Since(began).Round(100*time.Millisecond))
	produce(t, c.Addrs(), "firehose.vk", 0, 1000)
	c.KillBroker(0)
	began = time.Now()
	c.RestartBroker(0)
	t.Logf("restarted after %s", time.Since(began).Round(100*time.Millisecond))
	produce(t, c.Addrs(), "firehose.vk", 1000, 1000)
	c.StopBroker(0)
	c.RestartBroker(0)
	if got := distinct(t, c.Addrs(), "firehose.vk", 4); got != 2000 {
		t.Errorf("%d records after a kill and a stop, want 2000", got)
	}
}

func TestThreeBrokersChangeLeaders(t *testing.T) {
	if testing.Short() {
		t.Skip("starts three brokers")
	}
	began := time.Now()
	c := kafkatest.Start(t, kafkatest.Config{Brokers: 3, Topics: []kafkatest.Topic{{Name: "otklik.mentions", Partitions: 6}}})
	t.Logf("three brokers ready after %s", time.Since(began).Round(100*time.Millisecond))
	produce(t, c.Addrs(), "otklik.mentions", 0, 600)
	before := leaders(t, c.Addrs(), "otklik.mentions")
	if slices.Max(before) == slices.Min(before) {
		t.Errorf("one broker leads all partitions: %v", before)
	}
	c.KillBroker(1)
	produce(t, c.Addrs(), "otklik.mentions", 600, 600)
	if after := leaders(t, c.Addrs(), "otklik.mentions"); slices.Contains(after, 2) {
		t.Errorf("the killed broker 2 leads: %v", after)
	}
	if got := distinct(t, []string{c.Addrs()[0], c.Addrs()[2]}, "otklik.mentions", 6); got != 1200 {
		t.Errorf("%d records, want 1200", got)
	}
	c.RestartBroker(1)
}

func leaders(t *testing.T, addrs []string, topic string) []int {
	t.Helper()
	transport := &kafka.Transport{}
	defer transport.CloseIdleConnections()
	client := &kafka.Client{Addr: kafka.TCP(addrs...), Transport: transport, Timeout: 10 * time.Second}
	metadata, err := client.Metadata(t.Context(), &kafka.MetadataRequest{Topics: []string{topic}})
	if err != nil {
		t.Fatal(err)
	}
	var ids []int
	for _, p := range metadata.Topics[0].Partitions {
		ids = append(ids, p.Leader.ID)
	}
	return ids
}
