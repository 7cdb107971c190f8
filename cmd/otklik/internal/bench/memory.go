package bench

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"time"

	"otklik/cmd/otklik/internal/config"
	"otklik/cmd/otklik/internal/ops"
	"otklik/stream"
	"otklik/stream/care"
	"otklik/stream/claim"
	"otklik/stream/task"
	"otklik/stream/track"
	"otklik/stream/window"
)

// MemoryOptions say how much one partition of track has to hold.
type MemoryOptions struct {
	Cases      int // open cases, each a conversation of its own
	Identities int
	Config     *config.Config
}

// MemoryResult is what it holds and what that takes.
type MemoryResult struct {
	Machine    Machine `json:"machine"`
	Cases      int     `json:"open_cases"`
	Identities int     `json:"identities"`
	Seconds    float64 `json:"restore_seconds"`
	Heap       uint64  `json:"heap_bytes"` // live after a collection
	Resident   uint64  `json:"resident_bytes"`
	Peak       uint64  `json:"peak_resident_bytes"` // during the restore
}

// MeasureMemory restores a partition of track from rows like those that ClickHouse would send.
func MeasureMemory(ctx context.Context, o MemoryOptions) (*MemoryResult, error) {
	evaluator, err := care.NewEvaluator(o.Config.Care)
	if err != nil {
		return nil, fmt.Errorf("care: %w", err)
	}
	seen := &held{Task: ops.NewMetrics(nil).Task(stream.StageTrack, stream.Partition{Topic: o.Config.Kafka.Topics.Mentions}), entries: map[string]int{}}
	rows := &synthetic{cases: o.Cases, identities: o.Identities, end: stream.TimeOf(time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC))}
	proc := track.New(track.Config{
		Window: window.Config(o.Config.Window), Care: evaluator, IdentityHorizon: o.Config.Limits.IdentityHorizon,
		QuietGap: o.Config.Care.QuietGap, ThreadHorizon: o.Config.Limits.ThreadHorizon, Store: rows, Sink: rows,
	}, stream.Partition{Topic: o.Config.Kafka.Topics.Mentions}, rows, seen)
	settle()
	watch := watchMemory(ctx, 0)
	start := time.Now()
	_, err = proc.Restore(ctx)
	took := time.Since(start)
	peak, watchErr := watch()
	if err != nil {
		return nil, err
	}
	if watchErr != nil {
		return nil, watchErr
	}
	settle()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	resident, err := residentMemory(os.Getpid())
	if err != nil {
		return nil, err
	}
	if _, err := proc.Flush(ctx); err != nil { // tells the observer what is held
		return nil, err
	}
	if seen.entries["threads"] != o.Cases || seen.entries["identities"] != o.Identities {
		return nil, fmt.Errorf("bench: the partition holds %d threads and %d identities instead of %d and %d",
			seen.entries["threads"], seen.entries["identities"], o.Cases, o.Identities)
	}
	return &MemoryResult{
		Machine: thisMachine(), Cases: o.Cases, Identities: o.Identities, Seconds: took.Seconds(),
		Heap: stats.HeapAlloc, Resident: resident, Peak: max(peak.Process, resident),
	}, nil
}

// held is an observer that remembers the entries of each kind.
type held struct {
	*ops.Task
	entries map[string]int
}

// State implements task.Observer.
func (h *held) State(kind string, entries int) { h.entries[kind] = entries }

// synthetic is a store of made-up rows, and a sink and outbox that keep nothing.
type synthetic struct {
	cases, identities int
	end               stream.Time // the watermark
}

// restart is the position that all rows lie before.
const restart = 1 << 40

// Progress implements task.Books.
func (s *synthetic) Progress(_ context.Context, stage stream.Stage, p stream.Partition) (stream.Progress, bool, error) {
	return stream.Progress{Stage: stage, Partition: p, Position: stream.PositionAfter(0, restart), Watermark: s.end}, true, nil
}

// LedgerRows implements task.Books.
func (s *synthetic) LedgerRows(context.Context, stream.Stage, stream.Partition) ([]stream.LedgerRow, error) {
	return nil, nil
}

// at spreads n rows over the day before the end.
func (s *synthetic) at(i, n int) stream.Time {
	return s.end - stream.Time(int64(stream.Day)*int64(n-i)/int64(n))
}

// EachIdentity implements track.Store.
func (s *synthetic) EachIdentity(_ context.Context, _ int32, _ stream.Time, _ stream.Position, fn func(*stream.Identity) error) error {
	for i := range s.identities {
		id := stream.Identity{
			IdentityKey: stream.IdentityKey{
				Platform: stream.Twitter, ItemID: strconv.Itoa(2_000_000_000_000_000_000 + i), Brand: "mts", PublishedAt: s.at(i, s.identities),
			},
			FirstPosition: stream.Position(i + 1), Position: stream.Position(i + 1),
		}
		if err := fn(&id); err != nil {
			return err
		}
	}
	return nil
}

// EachTurn implements track.Store: a question of a customer that nobody has answered, per conversation.
func (s *synthetic) EachTurn(_ context.Context, _ int32, _ stream.Time, _ stream.Position, fn func(*task.TurnRow) error) error {
	for i := range s.cases {
		author := strconv.Itoa(1_000_000_000 + i)
		row := task.TurnRow{TurnRow: care.TurnRow{
			Key: care.Key{Platform: stream.Twitter, Brand: "mts", Thread: "twitter:" + author + "×mts"},
			Turn: care.Turn{
				ItemID: strconv.Itoa(2_000_000_000_000_000_000 + i), At: s.at(i, s.cases), Author: author, Customer: author,
				Flags: stream.NeedsAnswer, Position: stream.Position(i + 1),
			},
		}}
		if err := fn(&row); err != nil {
			return err
		}
	}
	return nil
}

// OpenPanes implements track.Store.
func (s *synthetic) OpenPanes(context.Context, int32, stream.Time) ([]window.Pane, error) {
	return nil, nil
}

// Panes implements track.Store.
func (s *synthetic) Panes(context.Context, int32, []window.Key) ([]window.Pane, error) {
	return nil, nil
}

// Mentions implements track.Store.
func (s *synthetic) Mentions(context.Context, []stream.IdentityKey) ([]stream.MentionRow, error) {
	return nil, nil
}

// Turns implements track.Store.
func (s *synthetic) Turns(context.Context, int32, []care.Key, stream.Position) ([]task.TurnRow, error) {
	return nil, nil
}

// Claims implements track.Store.
func (s *synthetic) Claims(context.Context, []stream.MentionName) ([]claim.Row, error) {
	return nil, nil
}

// Flush implements task.Sink.
func (s *synthetic) Flush(context.Context, *task.Rows) error { return nil }

// Add implements track.Outbox.
func (s *synthetic) Add(_, _ []byte) {}

// AddTo implements track.Outbox.
func (s *synthetic) AddTo(int32, []byte, []byte) {}

// Partitions implements track.Outbox.
func (s *synthetic) Partitions() int { return 1 }

// Send implements track.Outbox.
func (s *synthetic) Send(context.Context) error { return nil }
