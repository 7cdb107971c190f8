package enginetest_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"otklik/cmd/otklik/internal/config"
	"otklik/cmd/otklik/internal/enginetest"
	"otklik/stream"
	"otklik/stream/care"
	"otklik/stream/task"
	"otklik/stream/track"
	"otklik/stream/window"
	"otklik/stream/wire"
)

// hooked calls before ahead of the n-th call of the store.
type hooked struct {
	track.Store

	calls, n int
	before   func()
}

func (h *hooked) call() {
	if h.calls++; h.calls == h.n {
		h.before()
	}
}

func (h *hooked) Progress(ctx context.Context, stage stream.Stage, p stream.Partition) (stream.Progress, bool, error) {
	h.call()
	return h.Store.Progress(ctx, stage, p)
}

func (h *hooked) LedgerRows(ctx context.Context, stage stream.Stage, p stream.Partition) ([]stream.LedgerRow, error) {
	h.call()
	return h.Store.LedgerRows(ctx, stage, p)
}

func (h *hooked) EachIdentity(ctx context.Context, n int32, since stream.Time, upTo stream.Position, fn func(*stream.Identity) error) error {
	h.call()
	return h.Store.EachIdentity(ctx, n, since, upTo, fn)
}

func (h *hooked) Mentions(ctx context.Context, keys []stream.IdentityKey) ([]stream.MentionRow, error) {
	h.call()
	return h.Store.Mentions(ctx, keys)
}

func (h *hooked) OpenPanes(ctx context.Context, n int32, endAfter stream.Time) ([]window.Pane, error) {
	h.call()
	return h.Store.OpenPanes(ctx, n, endAfter)
}

func (h *hooked) Panes(ctx context.Context, n int32, keys []window.Key) ([]window.Pane, error) {
	h.call()
	return h.Store.Panes(ctx, n, keys)
}

func (h *hooked) EachTurn(ctx context.Context, n int32, since stream.Time, upTo stream.Position, fn func(*task.TurnRow) error) error {
	h.call()
	return h.Store.EachTurn(ctx, n, since, upTo, fn)
}

func (h *hooked) Turns(ctx context.Context, n int32, keys []care.Key, upTo stream.Position) ([]task.TurnRow, error) {
	h.call()
	return h.Store.Turns(ctx, n, keys, upTo)
}

// say appends a version of a mention to a partition of otklik.mentions.
func (f *faults) say(p stream.Partition, item string, published, edited stream.Time, label stream.Label, products ...string) {
	m := stream.Mention{
		Item: stream.Item{
			Platform: stream.VK, Kind: stream.Post, ID: item, Author: stream.Account{ID: "author"}, Thread: item,
			PublishedAt: published, EditedAt: edited,
		},
		Brand: "mts", Label: label, Products: products, Customer: "author", ReceivedAt: published,
		Source: stream.Source{Partition: stream.Partition{Topic: "firehose.vk"}, Offset: int64(len(f.log.partitions[p]))},
	}
	f.log.add(p, published, []byte(item), wire.AppendMention(nil, &m))
}

// once lets the owner of a partition process what there is and flush; one that gives up is gone.
func (f *faults) once(j job) {
	f.t.Helper()
	o := f.owner(j)
	f.process(j, o, f.left(j, o))
	if !o.torn {
		f.flush(j, o, nowhere, false)
	}
	if o.torn {
		delete(f.owners, j)
	}
}

// TestZombieEdits lets a former owner of a partition flush two edits at every moment at which its successor asks ClickHouse
// something: the successor must count the edits exactly once all the same. Both flush whole and torn.
func TestZombieEdits(t *testing.T) {
	s := enginetest.New(t, nil)
	f := newFaults(t, s, 1)
	ctx := t.Context()
	const base = stream.Time(1_772_442_000_000)
	partition := int32(0)
	serial := 0
	for _, at := range []cut{nowhere, remember} {
		for n := 1; n <= 9; n++ {
			// Every round has a conversation of its own, published after the former ones.
			serial++
			p := stream.Partition{Topic: s.Config.Kafka.Topics.Mentions, Number: partition}
			j := job{stream.StageTrack, p}
			item := fmt.Sprintf("item-%d", serial)
			published := base + stream.Time(serial)*10*stream.Second
			version := func(edited stream.Time, label stream.Label, products ...string) {
				f.say(p, item, published, edited, label, products...)
			}
			former := f.owner(j)
			version(0, stream.Negative, "mobile")
			f.process(j, former, 1)
			f.flush(j, former, nowhere, false)
			delete(f.owners, j)

			version(published+1, stream.Positive, "roaming")
			version(published+2, stream.Neutral, "mobile", "internet")
			f.process(j, former, 2)
			hook := &hooked{Store: s.ClickHouse, n: n, before: func() { f.flush(j, former, at, false) }}
			f.store = hook
			for f.left(j, f.owner(j)) > 0 {
				o := f.owner(j)
				f.process(j, o, 1)
				if !o.torn {
					f.flush(j, o, nowhere, false)
				}
				if o.torn {
					delete(f.owners, j)
				}
			}
			f.store = nil
			if report, err := s.ClickHouse.Verify(ctx); err != nil || report.PaneMismatches != 0 {
				t.Fatalf("the former owner flushed (%v) before query %d of its successor, %d calls: %v, %v", at, n, hook.calls, report.Differences, err)
			}
			if o := f.owner(j); o.next != int64(len(f.log.partitions[p])) {
				t.Fatal("the successor has not read everything")
			}
		}
	}
}

// TestZombieEditsForgotten does the same to a mention that memory has forgotten, whose panes the successor has loaded before.
func TestZombieEditsForgotten(t *testing.T) {
	s := enginetest.New(t, func(cfg *config.Config) { cfg.Limits.IdentityHorizon = time.Hour })
	f := newFaults(t, s, 1)
	const base = stream.Time(1_772_442_000_000)
	j := job{stream.StageTrack, stream.Partition{Topic: s.Config.Kafka.Topics.Mentions}}
	f.say(j.partition, "old", base, 0, stream.Negative)
	f.say(j.partition, "new", base+50*stream.Hour, 0, stream.Neutral)
	f.once(j)
	former := f.owner(j)
	delete(f.owners, j)

	f.say(j.partition, "late", base+stream.Hour, 0, stream.Neutral)
	f.say(j.partition, "old", base, base+1, stream.Positive)
	f.say(j.partition, "old", base, base+2, stream.Neutral)
	f.process(j, former, 3)
	f.say(j.partition, "later", base+2*stream.Hour, 0, stream.Neutral)
	successor := f.owner(j)
	f.process(j, successor, 1) // the panes of the day are in its memory now
	f.flush(j, former, nowhere, false)
	for !successor.torn && f.left(j, successor) > 0 {
		f.process(j, successor, 1)
	}
	if successor.torn {
		delete(f.owners, j)
		successor = f.owner(j)
		f.process(j, successor, 100)
	}
	f.flush(j, successor, nowhere, false)
	if report, err := s.ClickHouse.Verify(t.Context()); err != nil || report.PaneMismatches != 0 {
		t.Fatal(report.Differences, err)
	}
}

// TestRollRestartsWhileTrackFlushes restarts roll when it has used a partial whose row is not yet in ClickHouse: the windows that
// it goes on to write must hold that partial all the same.
func TestRollRestartsWhileTrackFlushes(t *testing.T) {
	s := enginetest.New(t, nil)
	f := newFaults(t, s, 1)
	const base = stream.Time(1_772_442_000_000)
	topics := &s.Config.Kafka.Topics
	mention := func(partition int32, minute int64) job {
		p := stream.Partition{Topic: topics.Mentions, Number: partition}
		item := fmt.Sprintf("item-%d-%d", partition, minute)
		f.say(p, item, base+stream.Time(minute)*stream.Minute, 0, stream.Negative)
		return job{stream.StageTrack, p}
	}
	roll := func() {
		for _, j := range f.work {
			if j.stage == stream.StageRoll {
				f.once(j)
			}
		}
	}
	first := mention(0, 0)
	f.owner(first).meanwhile = func() { // its partial is out, its row is not
		roll()
		for _, j := range f.work {
			if j.stage == stream.StageRoll {
				delete(f.owners, j)
			}
		}
		f.once(mention(1, 1))
		roll()
	}
	f.once(first)
	f.drain()
	enginetest.Recount(t, t.Context(), s.ClickHouse, s.Config)
}
