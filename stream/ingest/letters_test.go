package ingest_test

import (
	"strings"
	"testing"

	"otklik/stream"
	"otklik/stream/ingest"
	"otklik/stream/kafka"
	"otklik/stream/sentiment"
)

// TestManyBrokenElements: every broken element of a record is a dead letter, but the record is kept a few times only: a megabyte of
// broken elements would else become gigabytes.
func TestManyBrokenElements(t *testing.T) {
	model, err := sentiment.Default()
	if err != nil {
		t.Fatal(err)
	}
	const n = 5000
	value := "[" + strings.Repeat(`{"id_str":"1","text":"without a time"},`, n-1) + `{"id_str":"1"}]`
	refused, seen := &refusals{}, &observer{}
	p := stream.Partition{Topic: "firehose.twitter"}
	cfg := example(t, model)
	cfg.Sink, cfg.Dead = refused, refused
	proc, err := ingest.New(cfg, stream.Twitter, p, &outbox{}, seen)
	if err != nil {
		t.Fatal(err)
	}
	records := []stream.Record{{Partition: p, Offset: 3, Timestamp: 1_772_400_000_000, Value: []byte(value)}}
	if err := proc.Process(t.Context(), kafka.Batch{Records: records, Next: 4}); err != nil {
		t.Fatal(err)
	}
	if _, err := proc.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(refused.letters) != n || seen.books.DeadLetters != n || seen.books.Read != n {
		t.Errorf("%d dead letters, books %+v, want %d", len(refused.letters), seen.books, n)
	}
	if first := refused.letters[0]; string(first.Payload) != value {
		t.Error("the first dead letter does not hold the record")
	}
	total := 0
	for _, l := range refused.letters {
		total += len(l.Payload)
	}
	if total > 20*len(value) {
		t.Errorf("a record of %d bytes takes %d bytes in its dead letters", len(value), total)
	}
}
