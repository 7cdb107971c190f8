package task

import (
	"context"
	"slices"
	"testing"
	"time"

	"otklik/stream"
	"otklik/stream/kafka"
)

// flushes notes how many records had been processed at each flush.
type flushes struct {
	records int
	at      []int
}

func (f *flushes) Restore(context.Context) (int64, error) { return 0, nil }

func (f *flushes) Process(_ context.Context, b kafka.Batch) error {
	f.records += len(b.Records)
	return nil
}

func (f *flushes) Flush(context.Context) (stream.Position, error) {
	f.at = append(f.at, f.records)
	return stream.PositionAfter(0, int64(f.records)-1), nil
}

// deaf is an observer that does not listen.
type deaf struct{}

func (deaf) Restored(time.Duration)       {}
func (deaf) Batch(*stream.Books)          {}
func (deaf) Lag(int64)                    {}
func (deaf) Watermark(stream.Time, bool)  {}
func (deaf) State(string, int)            {}
func (deaf) Flushed(time.Duration, error) {}
func (deaf) Close()                       {}

// TestFlushAtTheEndOfCatchingUp: a task that has caught up flushes at once, and only once.
func TestFlushAtTheEndOfCatchingUp(t *testing.T) {
	fetched := func(from, to, end int64) kafka.Batch {
		return kafka.Batch{Records: records(from, to), Next: to, End: end}
	}
	for _, test := range []struct {
		name    string
		batches []kafka.Batch
		want    []int
	}{
		{"caught up", []kafka.Batch{fetched(0, 10, 100), fetched(10, 20, 100), fetched(20, 25, 25), fetched(25, 26, 26)}, []int{10, 20, 25}},
		{"the last flush was that of the end", []kafka.Batch{fetched(0, 10, 100), fetched(10, 100, 100), fetched(100, 101, 101)}, []int{10, 100}},
		{"a tick at the end", []kafka.Batch{fetched(0, 10, 21), fetched(10, 12, 20), {Next: 20, End: 20}, {Next: 20, End: 20}}, []int{10, 12}},
		{"never behind", []kafka.Batch{fetched(0, 9, 9), fetched(9, 12, 13), fetched(12, 13, 13), fetched(13, 14, 14)}, []int{12}},
	} {
		t.Run(test.name, func(t *testing.T) {
			proc := &flushes{}
			run := &task{cfg: Config{
				FlushInterval: 10 * 365 * 24 * time.Hour, FlushRecords: 10, Reader: kafka.ReaderConfig{MaxRecords: 1}, Observer: deaf{},
			}.withDefaults(), proc: proc, assignment: kafka.Assignment{Commit: func(int64) error { return nil }}, lastFlush: time.Now()}
			batches := make(chan kafka.Batch, len(test.batches))
			for _, b := range test.batches {
				batches <- b
			}
			close(batches)
			if err := run.consume(t.Context(), batches); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(proc.at, test.want) {
				t.Errorf("flushed after %v records, want %v", proc.at, test.want)
			}
		})
	}
}
