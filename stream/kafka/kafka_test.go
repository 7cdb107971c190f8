package kafka_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"golang.org/x/sync/errgroup"

	"otklik/stream"
	"otklik/stream/kafka"
)

// cluster returns a client of an in-process broker with one topic "t" of the given partitions.
func cluster(tb testing.TB, partitions int) (*kafka.Client, []string) {
	tb.Helper()
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.Ports(0))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(c.Close)
	return client(tb, c.ListenAddrs(), partitions), c.ListenAddrs()
}

func client(tb testing.TB, addrs []string, partitions int) *kafka.Client {
	tb.Helper()
	client, err := kafka.Open(kafka.Config{Brokers: addrs})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(client.Close)
	if partitions > 0 {
		if err := client.EnsureTopics(tb.Context(), []kafka.Topic{{Name: "t", Partitions: partitions}}); err != nil {
			tb.Fatal(err)
		}
	}
	return client
}

func messages(from, n, size int) []kafka.Message {
	out := make([]kafka.Message, n)
	for i := range out {
		out[i] = kafka.Message{Key: fmt.Appendf(nil, "k%d", from+i), Value: fmt.Appendf(make([]byte, 0, size+20), "%0*d", size, from+i)}
	}
	return out
}

// readUntil returns the records of a partition from an offset up to the end offset.
func readUntil(t *testing.T, c *kafka.Client, p stream.Partition, from, end int64) ([]stream.Record, kafka.Batch) {
	t.Helper()
	var all []stream.Record
	var last kafka.Batch
	done := errors.New("done")
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	err := c.Read(ctx, p, from, kafka.ReaderConfig{MaxRecords: 300}, func(_ context.Context, b kafka.Batch) error {
		all = append(all, b.Records...)
		b.Gap += last.Gap
		last = b
		if b.Next >= end {
			return done
		}
		return nil
	})
	if !errors.Is(err, done) {
		t.Fatalf("read %s: %v after %d records", p, err, len(all))
	}
	return all, last
}

func TestProduceAndReadKeepOrder(t *testing.T) {
	t.Parallel()
	c, _ := cluster(t, 2)
	p := stream.Partition{Topic: "t", Number: 1}
	const n = 2500
	// 2 kB records: five requests of at most 900 kB.
	if err := c.Produce(t.Context(), p, messages(0, n, 2000)); err != nil {
		t.Fatal(err)
	}
	records, last := readUntil(t, c, p, kafka.FromFirst, n)
	if len(records) != n || last.Next != n || last.End != n || last.Gap != 0 {
		t.Fatalf("%d records, last batch %d of %d, gap %d", len(records), last.Next, last.End, last.Gap)
	}
	for i, r := range records {
		if r.Offset != int64(i) || string(r.Key) != fmt.Sprintf("k%d", i) || r.Timestamp == 0 {
			t.Fatalf("record %d is %s with key %s", i, r.String(), r.Key)
		}
	}
	records, _ = readUntil(t, c, p, 2000, n)
	if len(records) != 500 || records[0].Offset != 2000 {
		t.Fatalf("from 2000: %d records, first %d", len(records), records[0].Offset)
	}
}

// TestHeadersCount: what stands in headers is part of a request, too. Thousands of short dead letters made one that no broker takes.
func TestHeadersCount(t *testing.T) {
	t.Parallel()
	c, _ := cluster(t, 1)
	p := stream.Partition{Topic: "t", Number: 0}
	const n = 10_000
	all := messages(0, n, 10)
	for i := range all {
		all[i].Headers = []kafka.Header{{Key: "detail", Value: make([]byte, 200)}}
	}
	if err := c.Produce(t.Context(), p, all); err != nil {
		t.Fatal(err)
	}
	if got, _ := readUntil(t, c, p, 0, n); len(got) != n {
		t.Errorf("%d records of %d", len(got), n)
	}
}

func TestOutboxFollowsTheKey(t *testing.T) {
	t.Parallel()
	c, _ := cluster(t, 4)
	out := c.Outbox("t", 4)
	for i := range 100 {
		out.Add(fmt.Appendf(nil, "key-%d", i%7), fmt.Appendf(nil, "%d", i))
	}
	if err := out.Send(t.Context()); err != nil {
		t.Fatal(err)
	}
	if out.Bytes() != 0 {
		t.Fatalf("%d bytes left in the outbox", out.Bytes())
	}
	ranges, err := c.Ranges(t.Context(), "t")
	if err != nil {
		t.Fatal(err)
	}
	total := 0
	for n, rg := range ranges {
		if rg.End == 0 {
			continue
		}
		records, _ := readUntil(t, c, stream.Partition{Topic: "t", Number: n}, 0, rg.End)
		total += len(records)
		for _, r := range records {
			if kafka.PartitionOf(r.Key, 4) != n {
				t.Errorf("key %s is in partition %d", r.Key, n)
			}
		}
	}
	if total != 100 {
		t.Fatalf("%d of 100 records arrived", total)
	}
}

func TestReadRefusesAPositionBeyondTheEnd(t *testing.T) {
	t.Parallel()
	c, _ := cluster(t, 1)
	p := stream.Partition{Topic: "t"}
	err := c.Read(t.Context(), p, 5, kafka.ReaderConfig{}, func(context.Context, kafka.Batch) error { return nil })
	if !errors.Is(err, kafka.ErrPositionBeyondEnd) {
		t.Fatalf("got %v, want ErrPositionBeyondEnd", err)
	}
}

// TestGroupSharesAndTakesOver has three members share four partitions, then two of them leave.
func TestGroupSharesAndTakesOver(t *testing.T) {
	t.Parallel()
	_, addrs := cluster(t, 4)
	var mu sync.Mutex
	holders := map[int32]string{}
	holds := func(member string) int {
		mu.Lock()
		defer mu.Unlock()
		n := 0
		for _, m := range holders {
			if member == "" || m == member {
				n++
			}
		}
		return n
	}
	var doubled atomic.Int32
	var members errgroup.Group
	cancels := map[string]context.CancelFunc{}
	for _, name := range []string{"a", "b", "c"} {
		c := client(t, addrs, 0)
		ctx, cancel := context.WithCancel(t.Context())
		cancels[name] = cancel
		members.Go(func() error {
			return c.RunGroup(ctx, kafka.GroupConfig{ID: "g", Topics: []string{"t"}, Heartbeat: 100 * time.Millisecond}, func(ctx context.Context, a kafka.Assignment) error {
				mu.Lock()
				if holders[a.Partition.Number] != "" {
					doubled.Add(1)
				}
				holders[a.Partition.Number] = name
				mu.Unlock()
				<-ctx.Done()
				mu.Lock()
				delete(holders, a.Partition.Number)
				mu.Unlock()
				return nil
			})
		})
	}
	await := func(what string, ok func() bool) {
		t.Helper()
		deadline := time.NewTimer(30 * time.Second)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for !ok() {
			select {
			case <-deadline.C:
				t.Fatalf("%s: holders %v", what, holders)
			case <-tick.C:
			}
		}
	}
	await("three members hold all partitions", func() bool { return holds("") == 4 && holds("a") > 0 && holds("b") > 0 && holds("c") > 0 })
	cancels["a"]()
	cancels["b"]()
	await("one member holds all partitions", func() bool { return holds("c") == 4 })
	cancels["c"]()
	if err := members.Wait(); err != nil {
		t.Fatal(err)
	}
	if doubled.Load() != 0 {
		t.Fatalf("a partition was held twice at a time %d times", doubled.Load())
	}
}

func TestGroupEndsWithTheErrorOfATask(t *testing.T) {
	t.Parallel()
	c, _ := cluster(t, 2)
	broken := errors.New("broken")
	err := c.RunGroup(t.Context(), kafka.GroupConfig{ID: "g", Topics: []string{"t"}}, func(ctx context.Context, a kafka.Assignment) error {
		if a.Partition.Number == 1 {
			return broken
		}
		<-ctx.Done()
		return nil
	})
	if !errors.Is(err, broken) {
		t.Fatalf("got %v, want broken", err)
	}
}

func TestGroupEndsWhenAllTasksFinished(t *testing.T) {
	t.Parallel()
	c, _ := cluster(t, 3)
	var finished, asked atomic.Int32
	drained := func(context.Context) (bool, error) { return finished.Load() == 3 && asked.Add(1) == 2, nil }
	err := c.RunGroup(t.Context(), kafka.GroupConfig{ID: "g", Topics: []string{"t"}, Drained: drained}, func(_ context.Context, a kafka.Assignment) error {
		finished.Add(1)
		return a.Commit(0)
	})
	if err != nil || finished.Load() != 3 {
		t.Fatalf("%d finished, error %v", finished.Load(), err)
	}
	committed, err := c.Committed(t.Context(), "g", "t")
	if err != nil || len(committed) != 3 {
		t.Fatalf("committed %v, error %v", committed, err)
	}
}

// BenchmarkRead measures fetch and discard of 2 kB records from one partition, the reference of `otklik bench` (a).
func BenchmarkRead(b *testing.B) {
	c, _ := cluster(b, 1)
	p := stream.Partition{Topic: "t"}
	const n = 100_000
	for from := 0; from < n; from += 5000 {
		if err := c.Produce(b.Context(), p, messages(from, 5000, 2000)); err != nil {
			b.Fatal(err)
		}
	}
	done := errors.New("done")
	for _, release := range []bool{false, true} {
		b.Run(fmt.Sprintf("release=%t", release), func(b *testing.B) {
			b.SetBytes(n * 2000)
			b.ReportAllocs()
			for b.Loop() {
				err := c.Read(b.Context(), p, 0, kafka.ReaderConfig{}, func(_ context.Context, batch kafka.Batch) error {
					if release {
						batch.Release()
					}
					if batch.Next == n {
						return done
					}
					return nil
				})
				if !errors.Is(err, done) {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "records/s")
		})
	}
}
