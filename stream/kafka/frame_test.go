package kafka_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"

	"otklik/stream"
	"otklik/stream/kafka"
)

// TestReleasedMemoryIsThatOfNobody: batches that are held while others are given back, alone and joined, keep what they brought.
func TestReleasedMemoryIsThatOfNobody(t *testing.T) {
	t.Parallel()
	c, _ := cluster(t, 1)
	p := stream.Partition{Topic: "t"}
	const n, perRequest, size = 2000, 50, 700
	for from := 0; from < n; from += perRequest {
		if err := c.Produce(t.Context(), p, messages(from, perRequest, size)); err != nil {
			t.Fatal(err)
		}
	}
	var held []kafka.Batch // of fetches that are not given back yet
	var room []stream.Record
	next := 0
	give := func(b *kafka.Batch) {
		for _, r := range b.Records {
			if want := fmt.Appendf(nil, "%0*d", size, next); r.Offset != int64(next) || string(r.Key) != fmt.Sprintf("k%d", next) || !bytes.Equal(r.Value, want) {
				t.Errorf("record %d is %s with key %s", next, r.String(), r.Key)
			}
			next++
		}
		b.Release()
		b.Release() // twice is once
	}
	done := errors.New("done")
	err := c.Read(t.Context(), p, 0, kafka.ReaderConfig{MaxRecords: 70, MaxBytes: 100_000}, func(_ context.Context, b kafka.Batch) error {
		held = append(held, b)
		switch {
		case b.Next == n:
			for i := range held {
				give(&held[i])
			}
			return done
		case len(held) == 7:
			room = held[0].Join(&held[1], room[:0])
			room = held[0].Join(&held[2], room)
			give(&held[0])
			give(&held[3])
			held = append(held[:0], held[4:]...)
		}
		return nil
	})
	if !errors.Is(err, done) || next != n {
		t.Fatalf("%v after %d records", err, next)
	}
}
