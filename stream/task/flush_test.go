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
		{"a flush shortly before the end", []kafka.Batch{fetched(0, 10, 100), fetched(10, 20, 24), fetched(20, 24, 24), fetched(24, 25, 25)}, []int{10, 20, 24}},
		{"the last flush was that of the end", []kafka.Batch{fetched(0, 10, 100), fetched(10, 100, 100), fetched(100, 101, 101)}, []int{10, 100}},
		{"a tick at the end", []kafka.Batch{fetched(0, 10, 21), fetched(10, 12, 20), {Next: 20, End: 20}, {Next: 20, End: 20}}, []int{10, 12}},
		{"never behind", []kafka.Batch{fetched(0, 9, 9), fetched(9, 12, 13), fetched(12, 13, 13), fetched(13, 14, 14)}, []int{12}},
	} {
		t.Run(test.name, func(t *testing.T) {
			proc := &flushes{}
			run := &task{cfg: Config{
				FlushInterval: 10 * 365 * 24 * time.Hour, FlushRecords: 10, Reader: kafka.ReaderConfig{MaxRecords: 1}, Observer: deaf{},
			}.withDefaults(), proc: proc, assignment: kafka.Assignment{Commit: func(int64) error { return nil }}}
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

// TestRounds: tasks flush in common rounds, at whole seconds, and half a second after the flushes of the round before when these take too long.
func TestRounds(t *testing.T) {
	at := func(ms int64) time.Time { return time.UnixMilli(1_772_400_000_000 + ms) }
	type step struct {
		at     int64 // ms
		last   int64 // round of the task that asks
		roll   bool
		action string // "": asks
		want   bool
	}
	for _, c := range []struct {
		name  string
		steps []step
	}{
		{"whole seconds", []step{{at: 300}, {at: 999}, {at: 1000, want: true}, {at: 1001, last: 1}, {at: 1700, last: 1}, {at: 2050, last: 1, want: true}, {at: 3000, last: 2, want: true}}},
		{"roll between them", []step{{at: 300, roll: true}, {at: 499, roll: true}, {at: 500, roll: true, want: true}, {at: 1499, last: 1, roll: true}, {at: 1500, last: 1, roll: true, want: true}}},
		{"all of a round", []step{{at: 300}, {at: 1000, want: true}, {at: 1100, want: true}, {at: 1900, want: true}, {at: 1950, last: 1}}},
		{"after a long one", []step{
			{at: 300},
			{at: 1000, want: true},
			{action: "begin"},
			{at: 2300, last: 1},
			{at: 2350, action: "end"},
			{at: 2360, last: 1},
			{at: 2849, last: 1},
			{at: 2850, last: 1, want: true},
			{at: 2990, last: 2},
			{at: 3000, last: 2, want: true},
		}},
		{"a short one that ends late", []step{
			{at: 300},
			{at: 1000, want: true},
			{at: 1700, action: "begin"},
			{at: 1800, action: "end"},
			{at: 2000, last: 1},
			{at: 2299, last: 1},
			{at: 2300, last: 1, want: true},
		}},
		{"one that hangs", []step{{at: 300}, {at: 1000, want: true}, {action: "begin"}, {at: 2999, last: 1}, {at: 3000, last: 1, want: true}}},
		{"catching up", []step{{at: 300}, {action: "behind"}, {at: 1900}, {at: 2000, want: true}, {at: 3999, last: 1}, {at: 4000, last: 1, want: true}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := new(Pace)
			var end func(time.Time)
			for i, s := range c.steps {
				switch s.action {
				case "begin":
					_, end = p.begin(s.roll)
				case "end":
					end(at(s.at))
				case "behind":
					p.change(1)
				default:
					if got := p.due(at(s.at), s.roll, s.last, time.Second); got != s.want {
						t.Errorf("step %d, at %d ms: due %t, want %t", i+1, s.at, got, s.want)
					}
				}
			}
		})
	}
}

// TestPaceOfTheProcess: a task that keeps up flushes as seldom as those that catch up, at once when the last of them has, and one that ends
// holds up nobody.
func TestPaceOfTheProcess(t *testing.T) {
	pace := new(Pace)
	cfg := Config{Pace: pace, FlushInterval: 10 * 365 * 24 * time.Hour, Observer: deaf{}}.withDefaults()
	first, second := &flushes{}, &flushes{}
	ingest := &task{cfg: cfg, proc: first, assignment: kafka.Assignment{Commit: func(int64) error { return nil }}}
	track := &task{cfg: cfg, proc: second, assignment: ingest.assignment}
	feed := func(run *task, batch kafka.Batch) {
		t.Helper()
		batches := make(chan kafka.Batch, 1)
		batches <- batch
		close(batches)
		if err := run.consume(t.Context(), batches); err != nil {
			t.Fatal(err)
		}
	}
	feed(ingest, kafka.Batch{Records: records(0, 10), Next: 10, End: 100})
	feed(track, kafka.Batch{Records: records(0, 5), Next: 5, End: 5})
	if err := track.flush(t.Context()); err != nil { // by the clock
		t.Fatal(err)
	}
	feed(track, kafka.Batch{Records: records(5, 9), Next: 9, End: 9})
	if !slices.Equal(second.at, []int{5}) {
		t.Errorf("while ingest catches up, track flushed after %v records, want 5", second.at)
	}
	feed(ingest, kafka.Batch{Records: records(10, 100), Next: 100, End: 100})
	feed(track, kafka.Batch{Records: records(9, 10), Next: 10, End: 10})
	if !slices.Equal(second.at, []int{5, 10}) {
		t.Errorf("ingest has caught up, track flushed after %v records, want 5 and 10", second.at)
	}
	feed(ingest, kafka.Batch{Next: 100, End: 1000})
	if !pace.catchingUp() {
		t.Error("ingest is behind again, and nobody says so")
	}
	ingest.keepUp() // as at the end of Run
	if pace.catchingUp() {
		t.Error("a task that has ended is still behind")
	}
}
