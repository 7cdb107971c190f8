package ingest_test

import (
	"bytes"
	"context"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"otklik/stream"
	"otklik/stream/ingest"
	"otklik/stream/kafka"
	"otklik/stream/sentiment"
	"otklik/stream/task"
)

// keeper is a sink that keeps the rows of the last flush, and takes dead letters.
type keeper struct{ rows task.Rows }

func (k *keeper) Flush(_ context.Context, rows *task.Rows) error {
	k.rows = task.Rows{
		Communities: append(k.rows.Communities, rows.Communities...), Erasures: append(k.rows.Erasures, rows.Erasures...),
		DeadLetters: append(k.rows.DeadLetters, rows.DeadLetters...),
	}
	return nil
}

func (k *keeper) Send(context.Context, []stream.DeadLetter) error { return nil }

// TestRowsOwnTheirMemory: what waits for a flush does not change with the records that it came from, whose memory is that of a fetch and used
// for the next one; nor do the messages made of later records.
func TestRowsOwnTheirMemory(t *testing.T) {
	model, err := sentiment.Default()
	if err != nil {
		t.Fatal(err)
	}
	erasures, communities, letters := 0, 0, 0
	for platform, records := range firehose(t, 1200) {
		run := func(records []stream.Record, spoil bool) (task.Rows, []message) {
			kept, out := &keeper{}, &outbox{}
			p := stream.Partition{Topic: "firehose." + string(platform)}
			cfg := example(t, model)
			cfg.Sink, cfg.Dead = kept, kept
			proc, err := ingest.New(cfg, platform, p, out, &observer{})
			if err != nil {
				t.Fatal(err)
			}
			for i := range records {
				b := kafka.Batch{Records: records[i : i+1], Next: records[i].Offset + 1, End: int64(len(records))}
				if err := proc.Process(t.Context(), b); err != nil {
					t.Fatal(err)
				}
				if spoil {
					for j := range records[i].Value {
						records[i].Value[j] = 'x'
					}
				}
			}
			if _, err := proc.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			return kept.rows, out.sent
		}
		copied := make([]stream.Record, len(records))
		for i := range records {
			copied[i] = records[i]
			copied[i].Value = bytes.Clone(records[i].Value)
		}
		want, wantSent := run(records, false)
		got, gotSent := run(copied, true)
		if !slices.EqualFunc(wantSent, gotSent, func(a, b message) bool { return bytes.Equal(a.key, b.key) && bytes.Equal(a.value, b.value) }) {
			t.Errorf("%s: the messages changed with their records", platform)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: rows changed with their records:\n%s", platform, diff)
		}
		erasures, communities, letters = erasures+len(got.Erasures), communities+len(got.Communities), letters+len(got.DeadLetters)
	}
	if erasures == 0 || communities == 0 || letters == 0 {
		t.Errorf("%d erasures, %d rows of communities, %d dead letters: too few to tell", erasures, communities, letters)
	}
}
