package ingest_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"otklik/stream"
	decoders "otklik/stream/firehose"
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
	if last := refused.letters[n-1]; !slices.Equal(refused.letters[0].Items, []string{"1"}) || refused.letters[0].Platform != stream.Twitter || len(last.Items) > 0 {
		t.Errorf("the first dead letter holds %q of %s, the last, which is without the record, %q", refused.letters[0].Items, refused.letters[0].Platform, last.Items)
	}
	// Its element is broken like the first one, but what is said of that may show a part of it, which no delete would reach here.
	if first, later := refused.letters[0].Detail, refused.letters[n-2].Detail; later == first || later != refused.letters[n-1].Detail {
		t.Errorf("a dead letter without the record says %q, the first one %q", later, first)
	}
	total := 0
	for _, l := range refused.letters {
		total += len(l.Payload)
	}
	if total > 20*len(value) {
		t.Errorf("a record of %d bytes takes %d bytes in its dead letters", len(value), total)
	}
}

// TestLettersNameWhatTheyHold: what is wrong with a correction or a status hides nothing from the delete of what it is about.
func TestLettersNameWhatTheyHold(t *testing.T) {
	const correction = `{"platform":"vk","item_id":"-1_2","brand":"mts","label":"negative","by":"anna","at":"2026-03-02T15:04:05Z","note":"words"}`
	const status = `{"claim_id":"0123456789abcdef","status":"accepted","at":"2026-03-02T15:04:05Z","by":"desk","note":"words"}`
	for _, c := range []struct {
		name, payload string
		hold          func(*stream.DeadLetter)
		platform      stream.Platform
		items         []string
	}{
		{"no label", strings.Replace(correction, "negative", "bad", 1), ingest.HoldCorrections, stream.VK, []string{"-1_2"}},
		{"cut", correction[:len(correction)-3], ingest.HoldCorrections, stream.VK, []string{"-1_2"}},
		{"run together", correction + strings.Replace(correction, "-1_2", "-1_3", 1), ingest.HoldCorrections, stream.VK, []string{"-1_2", "-1_3"}},
		{"of nothing", "hello", ingest.HoldCorrections, "", nil},
		{"no state", strings.Replace(status, "accepted", "perhaps", 1), ingest.HoldStatuses, "", []string{"0123456789abcdef"}},
		{"cut", status[:len(status)-3], ingest.HoldStatuses, "", []string{"0123456789abcdef"}},
		{"a list", "[" + status + "]", ingest.HoldStatuses, "", []string{"0123456789abcdef"}},
	} {
		l := stream.DeadLetter{Payload: []byte(c.payload)}
		c.hold(&l)
		if l.Platform != c.platform || !slices.Equal(l.Items, c.items) {
			t.Errorf("%s: it holds %q of %q, want %q of %q", c.name, l.Items, l.Platform, c.items, c.platform)
		}
	}

	// Put back under the right platform, or by a program that makes out more.
	tweet := []byte(`{"id_str":"22","created_at":"Wed May 22 12:20:00 +0000 2019","text":"words"}`)
	decoder, err := decoders.New(stream.Twitter)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range []stream.DeadLetter{
		{Payload: tweet},
		{Payload: tweet, Platform: stream.VK, Items: []string{"22"}},
		{Payload: tweet, Platform: stream.Twitter, Items: []string{"22"}},
	} {
		ingest.HoldItems(&l, stream.Twitter, decoder)
		if l.Platform != stream.Twitter || !slices.Equal(l.Items, []string{"22"}) {
			t.Errorf("it holds %q of %s", l.Items, l.Platform)
		}
	}
	known := stream.DeadLetter{Payload: []byte("{"), Platform: stream.Twitter, Items: []string{"22"}}
	if ingest.HoldItems(&known, stream.Twitter, decoder); !slices.Equal(known.Items, []string{"22"}) {
		t.Errorf("it holds %q", known.Items)
	}
}

// TestLettersThatHoldMuch: what a record costs grows with its length, not with the square of what it names.
func TestLettersThatHoldMuch(t *testing.T) {
	const n = 100_000
	var claims, corrections strings.Builder
	for i := range n {
		fmt.Fprintf(&claims, `{"claim_id":"%x"}`, i)
		fmt.Fprintf(&corrections, `{"platform":"vk","item_id":"%x"}`, i)
	}
	statuses, labels := stream.DeadLetter{Payload: []byte(claims.String())}, stream.DeadLetter{Payload: []byte(corrections.String())}
	began := time.Now()
	ingest.HoldStatuses(&statuses)
	ingest.HoldStatuses(&statuses) // again, as when it is put back
	ingest.HoldCorrections(&labels)
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("it took %s", took)
	}
	if len(statuses.Items) != n || len(labels.Items) != n {
		t.Errorf("they hold %d claims and %d mentions of %d", len(statuses.Items), len(labels.Items), n)
	}
}
