package kafka_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"

	"otklik/stream"
)

// TestOutboxCopies: an outbox takes more than a request holds, in order, and what was added may change at once.
func TestOutboxCopies(t *testing.T) {
	t.Parallel()
	c, _ := cluster(t, 2)
	p := stream.Partition{Topic: "t", Number: 1}
	out := c.Outbox("t", 2)
	const n, size = 2500, 2000
	var key, value []byte
	for round := range 2 { // the second one with the memory of the first
		for i := range n / 2 {
			i += round * n / 2
			key = fmt.Appendf(key[:0], "k%d", i)
			value = append(value[:0], bytes.Repeat([]byte{byte(i)}, size)...)
			out.AddTo(p.Number, key, value)
		}
		if got := out.Bytes(); got != n/2*size {
			t.Fatalf("%d bytes are queued", got)
		}
		if err := out.Send(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	records, _ := readUntil(t, c, p, 0, n)
	if len(records) != n {
		t.Fatalf("%d records", len(records))
	}
	for i, r := range records {
		if string(r.Key) != fmt.Sprintf("k%d", i) || !bytes.Equal(r.Value, bytes.Repeat([]byte{byte(i)}, size)) || r.Timestamp == 0 {
			t.Fatalf("record %d is %s with key %s", i, r.String(), r.Key)
		}
	}
}

// TestOutboxKeepsWhatWasNotSent: after an error all messages are still there, and go out with those that were added since.
func TestOutboxKeepsWhatWasNotSent(t *testing.T) {
	t.Parallel()
	c, _ := cluster(t, 1)
	out := c.Outbox("t", 1)
	out.Add([]byte("a"), []byte("1"))
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := out.Send(ended); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	out.Add([]byte("b"), []byte("2"))
	if err := out.Send(t.Context()); err != nil {
		t.Fatal(err)
	}
	ranges, err := c.Ranges(t.Context(), "t")
	if err != nil {
		t.Fatal(err)
	}
	records, _ := readUntil(t, c, stream.Partition{Topic: "t"}, 0, ranges[0].End)
	found := map[string]string{}
	for _, r := range records {
		found[string(r.Key)] = string(r.Value) // the first message perhaps twice: the attempt that was given up may have arrived
	}
	if found["a"] != "1" || found["b"] != "2" || out.Bytes() != 0 {
		t.Errorf("%v in the topic, %d bytes left", found, out.Bytes())
	}
}

// BenchmarkOutbox sends messages as ingest does.
func BenchmarkOutbox(b *testing.B) {
	for _, perSend := range []int{400, 2200} {
		b.Run(fmt.Sprintf("%d", perSend), func(b *testing.B) {
			const partitions, size = 8, 450
			c, _ := cluster(b, partitions)
			out := c.Outbox("t", partitions)
			key, value := make([]byte, 20), make([]byte, size)
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				out.AddTo(int32(i%partitions), key, value)
				if i++; i%perSend == 0 {
					if err := out.Send(b.Context()); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}

// TestOutboxOfUnequalPartitions: a partition with much makes no room in the buffers of those with little, however often.
func TestOutboxOfUnequalPartitions(t *testing.T) { // not parallel: it counts what is allocated
	const n, rounds, size = 64, 10, 800_000
	c, _ := cluster(t, n)
	out := c.Outbox("t", n)
	allocated := uint64(0)
	for round := range rounds {
		out.AddTo(int32(round), nil, bytes.Repeat([]byte{1}, size))
		if err := out.Send(t.Context()); err != nil {
			t.Fatal(err)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for p := range int32(n) {
			out.AddTo(p, nil, []byte("short"))
		}
		runtime.ReadMemStats(&after)
		allocated += after.TotalAlloc - before.TotalAlloc
		if err := out.Send(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if most := uint64(2 * rounds * size); allocated > most {
		t.Errorf("%d short messages took %d bytes, want %d at most", n*rounds, allocated, most)
	}
}
