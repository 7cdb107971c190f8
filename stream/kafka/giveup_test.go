package kafka_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"otklik/stream"
	"otklik/stream/kafka"
)

// TestAttemptsGivenUp: messages whose sending is given up at any moment and begun again arrive as they were, with every codec, while
// others take buffers out of the same pool: what an attempt that was given up still writes or reads is nobody else's.
func TestAttemptsGivenUp(t *testing.T) {
	t.Parallel()
	for _, codec := range []string{"none", "zstd", "lz4", "gzip", "snappy"} {
		t.Run(codec, func(t *testing.T) {
			t.Parallel()
			broker, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.Ports(0))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(broker.Close)
			c, err := kafka.Open(kafka.Config{Brokers: broker.ListenAddrs(), Compression: codec})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(c.Close)
			if err := c.EnsureTopics(t.Context(), []kafka.Topic{{Name: "t", Partitions: 3}}); err != nil {
				t.Fatal(err)
			}
			const workers, rounds, perRound = 3, 4, 60
			var group sync.WaitGroup
			for worker := range workers {
				group.Go(func() { giveUp(t, c, worker, rounds, perRound) })
			}
			group.Wait()
			var seen [3]map[string]bool
			for p := range seen {
				group.Go(func() { seen[p] = arrived(t, c, int32(p)) })
			}
			group.Wait()
			for i := range workers * rounds * perRound {
				worker, round, n := i/rounds/perRound, i/perRound%rounds, i%perRound
				if id := fmt.Sprintf("%d-%d-%d", worker, round, n); !seen[n%len(seen)][id] {
					t.Errorf("%s is lost", id)
				}
			}
		})
	}
}

// longValue is what giveUp sends with a key.
func longValue(key []byte) []byte { return bytes.Repeat(append(slices.Clip(key), ' '), 200) }

// giveUp fills an outbox again and again and sends it with deadlines that are too short, and then without one; a batch by itself goes out
// beside it, and may not arrive.
func giveUp(t *testing.T, c *kafka.Client, worker, rounds, perRound int) {
	t.Helper()
	const short = 700 * time.Microsecond
	out := c.Outbox("t", 3)
	for round := range rounds {
		for i := range perRound {
			key := fmt.Appendf(nil, "%d-%d-%d", worker, round, i)
			out.AddTo(int32(i%out.Partitions()), key, longValue(key))
		}
		for try := range 3 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(try+1)*short)
			err := out.Send(ctx)
			cancel()
			if err == nil {
				break
			}
		}
		if err := out.Send(t.Context()); err != nil {
			t.Error(err)
		}
		key := fmt.Appendf(nil, "alone-%d-%d", worker, round)
		ctx, cancel := context.WithTimeout(t.Context(), short)
		err := c.Produce(ctx, stream.Partition{Topic: "t", Number: int32(round % out.Partitions())}, []kafka.Message{{Key: key, Value: longValue(key)}})
		cancel()
		if err != nil && ctx.Err() == nil {
			t.Error(err)
		}
	}
}

// arrived reads a partition, holding several batches at a time, and returns the keys that it found with their value.
func arrived(t *testing.T, c *kafka.Client, number int32) map[string]bool {
	t.Helper()
	ranges, err := c.Ranges(t.Context(), "t")
	if err != nil {
		t.Error(err)
		return nil
	}
	keys, end, done := map[string]bool{}, ranges[number].End, errors.New("read to the end")
	var held []kafka.Batch
	cfg := kafka.ReaderConfig{MaxRecords: 37, MaxBytes: 50_000}
	err = c.Read(t.Context(), stream.Partition{Topic: "t", Number: number}, 0, cfg, func(_ context.Context, b kafka.Batch) error {
		held = append(held, b)
		if len(held) < 4 && b.Next < end {
			return nil
		}
		for i := range held {
			for _, r := range held[i].Records {
				if !bytes.Equal(r.Value, longValue(r.Key)) {
					t.Errorf("%s: key %s, value %.40s", r.String(), r.Key, r.Value)
				}
				keys[string(r.Key)] = true
			}
			held[i].Release()
		}
		held = held[:0]
		if b.Next >= end {
			return done
		}
		return nil
	})
	if !errors.Is(err, done) {
		t.Error(err)
	}
	return keys
}
