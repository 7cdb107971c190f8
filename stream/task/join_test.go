package task

import (
	"context"
	"testing"
	"time"

	"otklik/stream"
	"otklik/stream/kafka"
)

func records(from, to int64) []stream.Record {
	var out []stream.Record
	for offset := from; offset < to; offset++ {
		out = append(out, stream.Record{Offset: offset})
	}
	return out
}

// TestJoin joins what waits and keeps every record, in order, whatever stands between.
func TestJoin(t *testing.T) {
	began := time.Unix(1, 0)
	fetched := func(from, to int64) kafka.Batch {
		return kafka.Batch{Records: records(from, to), Next: to, End: 100, At: began.Add(time.Duration(to))}
	}
	tick := kafka.Batch{Next: 7, End: 7, At: began}
	gap := fetched(9, 12)
	gap.Gap = 2
	for _, test := range []struct {
		name    string
		waiting []kafka.Batch
		want    []int64 // Next of each batch that is processed
	}{
		{"nothing waits", nil, []int64{4}},
		{"two wait", []kafka.Batch{fetched(4, 6), fetched(6, 7)}, []int64{7}},
		{"more than a batch may hold", []kafka.Batch{fetched(4, 9), fetched(9, 16)}, []int64{9, 16}},
		{"a tick", []kafka.Batch{fetched(4, 7), tick, fetched(7, 8)}, []int64{7, 7, 8}},
		{"a gap", []kafka.Batch{fetched(4, 7), gap}, []int64{7, 12}},
	} {
		t.Run(test.name, func(t *testing.T) {
			run := &task{cfg: Config{Reader: kafka.ReaderConfig{MaxRecords: 10}}}
			batches := make(chan kafka.Batch, len(test.waiting))
			all := fetched(0, 4).Records
			for i := range test.waiting {
				batches <- test.waiting[i]
				all = append(all, test.waiting[i].Records...)
			}
			close(batches)
			var (
				got   []stream.Record
				next  []int64
				batch = fetched(0, 4)
			)
			for {
				joined, ahead := run.join(batch, batches)
				got, next = append(got, joined.Records...), append(next, joined.Next)
				if len(joined.Records) > 10 || joined.Gap > 0 && joined.Records[0].Offset != 9 {
					t.Errorf("joined %+v", joined)
				}
				if ahead != nil {
					batch = *ahead
					continue
				}
				b, ok := <-batches
				if !ok {
					break
				}
				batch = b
			}
			if len(got) != len(all) || len(next) != len(test.want) {
				t.Fatalf("%d records in batches up to %v, want %d in %v", len(got), next, len(all), test.want)
			}
			for i := range got {
				if got[i].Offset != all[i].Offset {
					t.Errorf("record %d has offset %d, want %d", i, got[i].Offset, all[i].Offset)
				}
			}
			for i := range next {
				if next[i] != test.want[i] {
					t.Errorf("batch %d goes up to %d, want %d", i, next[i], test.want[i])
				}
			}
		})
	}
}

// TestTakeSkipsNothing ends a task that has read ahead while more waits behind: nothing of it may be processed then.
func TestTakeSkipsNothing(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	ahead := kafka.Batch{Records: records(4, 7), Next: 7}
	if b, ok := take(ctx, &ahead, nil); !ok || b.Next != 7 {
		t.Fatalf("took %+v, %v, want what was read ahead", b, ok)
	}
	cancel()
	for range 100 { // a select among several that are ready picks any
		batches := make(chan kafka.Batch, 1)
		batches <- kafka.Batch{Records: records(7, 9), Next: 9}
		if b, ok := take(ctx, &ahead, batches); ok {
			t.Fatalf("took a batch up to %d after the end, over the records 4 to 6", b.Next)
		}
	}
}
