package ingest_test

import (
	"testing"
	"time"

	"otklik/stream"
	"otklik/stream/ingest"
	"otklik/stream/kafka"
	"otklik/stream/sentiment"
)

// TestMentionsWaitForMore: what is queued is sent when nothing follows, but not time and again under a steady load, when it is much, and before anything is flushed.
func TestMentionsWaitForMore(t *testing.T) {
	model, err := sentiment.Default()
	if err != nil {
		t.Fatal(err)
	}
	records := firehose(t, 2000)[stream.Twitter]
	start := func() (*ingest.Processor, *outbox) {
		cfg, out, kept := example(t, model), &outbox{}, &keeper{}
		cfg.Sink, cfg.Dead = kept, kept
		proc, err := ingest.New(cfg, stream.Twitter, stream.Partition{Topic: "firehose.twitter"}, out, &observer{})
		if err != nil {
			t.Fatal(err)
		}
		return proc, out
	}
	half := len(records) / 2
	now := time.UnixMilli(1_772_400_000_000)
	batch := func(from, to, end int) kafka.Batch {
		return kafka.Batch{Records: records[from:to], Next: int64(to), End: int64(end), At: now}
	}

	proc, out := start()
	if err := proc.Process(t.Context(), batch(0, half, len(records))); err != nil || len(out.sent) != 0 || len(out.queued) == 0 {
		t.Fatalf("more follows: %v, %d sent, %d queued", err, len(out.sent), len(out.queued))
	}
	first := len(out.queued)
	if err := proc.Process(t.Context(), batch(half, len(records), len(records))); err != nil || len(out.sent) <= first || len(out.queued) != 0 {
		t.Fatalf("nothing follows: %v, %d sent, %d queued", err, len(out.sent), len(out.queued))
	}
	whole := len(out.sent)

	proc, out = start()
	steady := func(at time.Duration) {
		t.Helper()
		b := batch(0, len(records), len(records))
		b.At = now.Add(at)
		if err := proc.Process(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	for _, step := range []struct {
		at   time.Duration
		sent int // batches
	}{{0, 1}, {60 * time.Millisecond, 1}, {99 * time.Millisecond, 1}, {100 * time.Millisecond, 4}, {150 * time.Millisecond, 4}, {time.Second, 6}} {
		steady(step.at)
		if len(out.sent) != step.sent*whole {
			t.Fatalf("%d sent of a steady load after %s, want %d times %d", len(out.sent), step.at, step.sent, whole)
		}
	}

	proc, out = start()
	if err := proc.Process(t.Context(), batch(0, half, len(records))); err != nil {
		t.Fatal(err)
	}
	if position, err := proc.Flush(t.Context()); err != nil || len(out.sent) != first || len(out.queued) != 0 || position.Next() != int64(half) {
		t.Fatalf("flushed up to %s: %v, %d sent of %d, %d queued", position, err, len(out.sent), first, len(out.queued))
	}

	proc, out = start()
	for n := 0; len(out.sent) == 0; n++ {
		if n > 10_000 {
			t.Fatal("nothing is sent, however much is queued")
		}
		if err := proc.Process(t.Context(), batch(0, len(records), len(records)+1)); err != nil {
			t.Fatal(err)
		}
	}
	if len(out.sent)%whole != 0 || len(out.queued) != 0 {
		t.Errorf("%d sent, %d queued, %d at a time", len(out.sent), len(out.queued), whole)
	}
}
