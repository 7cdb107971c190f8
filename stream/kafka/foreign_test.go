package kafka_test

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"otklik/deploy/kafka/kafkatest"
	"otklik/stream"
	"otklik/stream/kafka"
)

// TestForeignProducers: what another client writes to a real Kafka, compressed by each of its codecs and in transactions, is read as it
// is; markers of transactions are no records. What we write compressed, it reads.
func TestForeignProducers(t *testing.T) {
	t.Parallel()
	addrs := kafkatest.Start(t, kafkatest.Config{}).Addrs()
	c := client(t, addrs, 0)
	err := c.EnsureTopics(t.Context(), []kafka.Topic{
		{Name: "t", Partitions: 1}, {Name: "timed", Partitions: 1, Config: map[string]string{"message.timestamp.type": "LogAppendTime"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	records := func(from, n int, topic string) []*kgo.Record {
		list := make([]*kgo.Record, n)
		for i := range list {
			list[i] = &kgo.Record{
				Topic: topic, Key: fmt.Appendf(nil, "k%d", from+i), Value: bytes.Repeat(fmt.Appendf(nil, "%d ", from+i), 100), Timestamp: time.UnixMilli(1_700_000_000_000 + int64(from+i)),
				Headers: []kgo.RecordHeader{{Key: "h", Value: []byte("v")}},
			}
		}
		return list
	}
	const each = 200
	total := 0
	produce := func(topic string, options ...kgo.Opt) *kgo.Client {
		t.Helper()
		foreign, err := kgo.NewClient(append(options, kgo.SeedBrokers(addrs...))...)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(foreign.Close)
		if topic != "" {
			if err := foreign.ProduceSync(t.Context(), records(total, each, topic)...).FirstErr(); err != nil {
				t.Fatal(err)
			}
			total += each
		}
		return foreign
	}
	for _, codec := range []kgo.CompressionCodec{kgo.NoCompression(), kgo.GzipCompression(), kgo.SnappyCompression(), kgo.Lz4Compression(), kgo.ZstdCompression()} {
		produce("t", kgo.ProducerBatchCompression(codec))
	}
	transactional := produce("", kgo.TransactionalID("tx"))
	for range 2 {
		if err := transactional.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		if err := transactional.ProduceSync(t.Context(), records(total, each, "t")...).FirstErr(); err != nil {
			t.Fatal(err)
		}
		total += each
		if err := transactional.EndTransaction(t.Context(), kgo.TryCommit); err != nil {
			t.Fatal(err)
		}
	}
	p := stream.Partition{Topic: "t"}
	end := int64(total + 2) // and a marker for each transaction
	got, last := readUntil(t, c, p, kafka.FromFirst, end)
	if len(got) != total || last.Next != end || last.Gap != 0 {
		t.Fatalf("%d records of %d, next %d of %d, gap %d", len(got), total, last.Next, end, last.Gap)
	}
	for i, want := range records(0, total, "t") {
		if r := &got[i]; !bytes.Equal(r.Key, want.Key) || !bytes.Equal(r.Value, want.Value) || int64(r.Timestamp) != want.Timestamp.UnixMilli() {
			t.Fatalf("record %d at %d: key %s, time %s, want %s, %s", i, r.Offset, r.Key, r.Timestamp, want.Key, want.Timestamp)
		}
	}
	before := time.Now().Add(-time.Minute)
	produce("timed")
	timed, _ := readUntil(t, c, stream.Partition{Topic: "timed"}, 0, each)
	for i := range timed {
		if timed[i].Timestamp.Go().Before(before) {
			t.Fatalf("record %d has the time %s of its producer", i, timed[i].Timestamp)
		}
	}
	for _, name := range []string{"none", "gzip", "snappy", "lz4", "zstd"} {
		ours, err := kafka.Open(kafka.Config{Brokers: addrs, Compression: name})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(ours.Close)
		if err := ours.Produce(t.Context(), p, messages(0, each, 100)); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	reader := produce("", kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{"t": {0: kgo.NewOffset().At(end)}}))
	want := messages(0, each, 100)
	for n := 0; n < 5*each; {
		fetches := reader.PollFetches(t.Context())
		if err := fetches.Err(); err != nil {
			t.Fatal(err)
		}
		for _, r := range fetches.Records() {
			if m := &want[n%each]; !bytes.Equal(r.Key, m.Key) || !bytes.Equal(r.Value, m.Value) {
				t.Fatalf("record %d: key %s", n, r.Key)
			}
			n++
		}
	}
}
