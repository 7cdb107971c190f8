// Package sinktest is the conformance suite that every sink of the engine passes: what a task relies on when it flushes,
// crashes, replays and restores.
package sinktest

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"otklik/sinks/clickhouse"
	"otklik/stream"
	"otklik/stream/care"
	"otklik/stream/window"
)

// Sink is what a task asks of the place that keeps its rows.
type Sink interface {
	Flush(ctx context.Context, b *clickhouse.Batch) error
	Progress(ctx context.Context, stage stream.Stage, p stream.Partition) (stream.Progress, bool, error)
	EachIdentity(ctx context.Context, partition int32, since stream.Time, upTo stream.Position, fn func(*stream.Identity) error) error
	Mentions(ctx context.Context, keys []stream.IdentityKey) ([]stream.MentionRow, error)
	OpenPanes(ctx context.Context, partition int32, endAfter stream.Time) ([]window.Pane, error)
	Panes(ctx context.Context, partition int32, keys []window.Key) ([]window.Pane, error)
	MinutePanes(ctx context.Context, brands []string, from, to stream.Time) ([]window.Pane, error)
	EachTurn(ctx context.Context, partition int32, since stream.Time, upTo stream.Position, fn func(*clickhouse.TurnRow) error) error
	Turns(ctx context.Context, partition int32, keys []care.Key, upTo stream.Position) ([]clickhouse.TurnRow, error)
	LedgerRows(ctx context.Context, stage stream.Stage, p stream.Partition) ([]stream.LedgerRow, error)
}

// Base is the time around which the rows of the suite lie: 2026-03-01 10:00 UTC.
const Base stream.Time = 1_772_359_200_000

// Mention returns a full mention row: every field is set, so that a column that is lost shows.
func Mention(n int, position stream.Position) stream.MentionRow {
	id := fmt.Sprintf("item-%04d", n)
	return stream.MentionRow{
		Mention: stream.Mention{
			Item: stream.Item{
				Platform: stream.VK, Kind: stream.Comment, ID: id,
				Author: stream.Account{ID: fmt.Sprintf("author-%d", n%7), Name: "anna"}, AuthorName: "Анна «Звезда» О'Нил",
				Followers: stream.CountOf(int64(n % 50)), Community: n%3 == 0, Bot: n%5 == 0,
				PublishedAt: Base + stream.Time(n)*stream.Second, ParentID: "parent", ParentAt: Base - stream.Minute,
				ParentAuthor: stream.Account{ID: "p1", Name: "ivan"}, RootID: "root", RepostOf: "original",
				RepostAuthor: stream.Account{ID: "r1", Name: "olga"}, Thread: fmt.Sprintf("thread-%d", n%11), Paired: n%2 == 0,
				Wall:     stream.Account{ID: "w1", Name: "wall"},
				Mentions: []stream.Account{{ID: "m1"}, {Name: "second"}},
				Text:     "Связь пропала, \"когда\" почините?\n\t\x00 \\ '🙂", Lang: "ru", URL: "https://example.test/" + id,
				Likes: stream.CountOf(0), Shares: 0, Views: stream.CountOf(1234),
			},
			Brand: "north", Role: stream.Customer, Via: stream.ViaText | stream.ViaReply,
			Flags: stream.Question | stream.NeedsAnswer | stream.Complaint, Label: stream.Label(n % 4),
			Scores: stream.Scores{Positive: 0.125, Neutral: 0.25, Negative: 0.625}, Model: "linear/1",
			Products: []string{"internet", "roaming"}, Severity: uint8(n % 4), Customer: fmt.Sprintf("author-%d", n%7),
			Source:     stream.Source{Partition: stream.Partition{Topic: "firehose.vk", Number: 2}, Offset: int64(n), Index: 1},
			ReceivedAt: Base + stream.Hour,
		},
		Partition: 3, FirstPosition: position, Position: position,
	}
}

// Pane returns a pane of one minute with every count set.
func Pane(minute int, partition int32, position stream.Position, positive int64) window.Pane {
	return window.Pane{
		Key:       window.Key{Grain: window.Minute, Start: Base + stream.Time(minute)*stream.Minute, Brand: "north", Platform: stream.VK},
		Partition: partition,
		Counts: window.Counts{
			Positive: positive, Neutral: 2, Negative: 3, Unlabelled: 4, Own: 5, Spam: 6, Reposts: 7, Questions: 8, Complaints: 9,
			Severe: 10, Advocacy: 11, NeedsAnswer: 12, Audience: 13, Likes: 14, Shares: 15, Views: 16, Requests: 17, Answered: 18,
		},
		Responses: []float64{1.5, 60, 3600.25}, Final: minute%2 == 0, Position: position,
	}
}

// Turn returns a turn with every field set.
func Turn(n int, position stream.Position) clickhouse.TurnRow {
	return clickhouse.TurnRow{
		TurnRow: care.TurnRow{
			Key: care.Key{Platform: stream.VK, Brand: "north", Thread: fmt.Sprintf("thread-%d", n%3)},
			Turn: care.Turn{
				ItemID: fmt.Sprintf("turn-%04d", n), At: Base + stream.Time(n)*stream.Second, Author: "author-1", Customer: "author-1",
				ParentID: "parent", ParentAt: Base - stream.Hour, Own: n%2 == 1, Flags: stream.NeedsAnswer | stream.Approved, Position: position,
			},
		},
		Partition: 3,
	}
}

// Run runs the suite; open returns an empty sink.
func Run(t *testing.T, open func(t testing.TB) Sink) {
	t.Helper()
	for _, test := range []struct {
		name string
		run  func(*testing.T, Sink)
	}{
		{"every field comes back", testRoundTrip},
		{"writing again changes nothing", testIdempotent},
		{"the highest position wins in any order", testPositions},
		{"a torn flush restores to the restart point", testTorn},
		{"a backfill of many years", testBackfill},
		{"nothing there", testEmpty},
		{"ledger pages", testLedger},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, open(t)) })
	}
}

func flush(t *testing.T, s Sink, b *clickhouse.Batch) {
	t.Helper()
	if err := s.Flush(t.Context(), b); err != nil {
		t.Fatal(err)
	}
}

func keyOf(m *stream.MentionRow) stream.IdentityKey {
	return stream.IdentityKey{Platform: m.Item.Platform, ItemID: m.Item.Identity(), Brand: m.Brand, PublishedAt: m.Item.PublishedAt}
}

func mentions(t *testing.T, s Sink, keys ...stream.IdentityKey) []stream.MentionRow {
	t.Helper()
	rows, err := s.Mentions(t.Context(), keys)
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(rows, func(a, b stream.MentionRow) int { return cmp.Compare(a.Item.Identity(), b.Item.Identity()) })
	return rows
}

func identities(t *testing.T, s Sink, since stream.Time, upTo stream.Position) []stream.Identity {
	t.Helper()
	var out []stream.Identity
	err := s.EachIdentity(t.Context(), 3, since, upTo, func(id *stream.Identity) error {
		out = append(out, *id)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(out, func(a, b stream.Identity) int { return cmp.Compare(a.ItemID, b.ItemID) })
	return out
}

func turns(t *testing.T, s Sink, since stream.Time, upTo stream.Position) []clickhouse.TurnRow {
	t.Helper()
	var out []clickhouse.TurnRow
	err := s.EachTurn(t.Context(), 3, since, upTo, func(r *clickhouse.TurnRow) error {
		out = append(out, *r)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if d := gocmp.Diff(want, got); d != "" {
		t.Errorf("%s (-want +got):\n%s", what, d)
	}
}

func testRoundTrip(t *testing.T, s Sink) {
	t.Helper()
	progress := stream.Progress{
		Stage: stream.StageTrack, Partition: stream.Partition{Topic: "otklik.mentions", Number: 3}, Position: stream.PositionAfter(2, 41),
		Watermark: Base, Sources: []stream.SourceMark{
			{Source: stream.Source{Partition: stream.Partition{Topic: "firehose.vk", Number: 1}, Offset: 7, Index: 2}, EventTime: Base - 5},
			{Source: stream.Source{Partition: stream.Partition{Topic: "firehose.twitter"}, Offset: 9}},
		},
	}
	edited := Mention(2, stream.PositionAfter(2, 40))
	edited.Item.OriginID, edited.Item.ID, edited.Item.EditedAt, edited.Item.Kind = edited.Item.ID, "item-0002-edited", Base+stream.Day, stream.Edit
	edited.FirstPosition, edited.Role = stream.PositionAfter(2, 12), stream.Own
	edited.Versions = []stream.Time{0, Base + stream.Hour, Base + stream.Day}
	bare := stream.MentionRow{
		Mention: stream.Mention{
			Item:  stream.Item{Platform: stream.Twitter, Kind: stream.Post, ID: "bare", PublishedAt: -5 * stream.Day},
			Brand: "south", Role: stream.Spam, ReceivedAt: Base,
		},
		Partition: 3, FirstPosition: 1, Position: 1,
	}
	full := Mention(1, stream.PositionAfter(2, 39))
	corrected := Mention(3, stream.PositionAfter(2, 41))
	corrected.FirstPosition = 4
	corrected.Corrections = []stream.Correction{
		{Label: stream.Neutral, By: "Анна О'Нил", At: Base + stream.Hour}, {Label: stream.Positive, By: "boris", At: Base + stream.Day, Note: "irony\t\n"},
	}
	corrected.Label, corrected.ModelLabel, corrected.TextSince = stream.Positive, stream.Negative, Base+stream.Minute
	rows := []stream.MentionRow{bare, full, edited, corrected}
	minute, other := Pane(0, 3, 9, 1), Pane(1, 4, 9, 1)
	hour := Pane(0, 3, 9, 100)
	hour.Grain, hour.Product, hour.Responses = window.Hour, "roaming", nil
	flush(t, s, &clickhouse.Batch{
		Mentions: rows, Panes: []window.Pane{minute, other, hour},
		Turns: []clickhouse.TurnRow{Turn(0, 5), Turn(3, 6)}, Progress: []stream.Progress{progress},
	})
	same(t, "mentions", mentions(t, s, keyOf(&bare), keyOf(&full), keyOf(&edited), keyOf(&corrected)), rows)
	got, ok, err := s.Progress(t.Context(), progress.Stage, progress.Partition)
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	same(t, "progress", got, progress)
	panes, err := s.Panes(t.Context(), 3, []window.Key{minute.Key, hour.Key, other.Key})
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(panes, func(a, b window.Pane) int { return cmp.Compare(a.Grain, b.Grain) })
	same(t, "panes of partition 3", panes, []window.Pane{minute, hour})
	all, err := s.MinutePanes(t.Context(), []string{"north"}, Base, Base+2*stream.Minute)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "minute panes", all, []window.Pane{minute, other})
	same(t, "turns", turns(t, s, Base, 9), []clickhouse.TurnRow{Turn(0, 5), Turn(3, 6)})
	same(t, "identities", identities(t, s, Base, stream.PositionAfter(9, 0)), []stream.Identity{
		{IdentityKey: keyOf(&full), FirstPosition: full.FirstPosition, Position: full.Position},
		{IdentityKey: keyOf(&edited), FirstPosition: edited.FirstPosition, Position: edited.Position, Version: edited.Item.EditedAt, Versions: edited.Versions},
		{IdentityKey: keyOf(&corrected), FirstPosition: corrected.FirstPosition, Position: corrected.Position},
	})
}

func testIdempotent(t *testing.T, s Sink) {
	t.Helper()
	b := &clickhouse.Batch{
		Mentions: []stream.MentionRow{Mention(1, 10), Mention(2, 11)}, Panes: []window.Pane{Pane(0, 3, 11, 5)}, Turns: []clickhouse.TurnRow{Turn(1, 10)},
	}
	for range 3 {
		flush(t, s, b)
	}
	if n := len(identities(t, s, 0, 99)); n != 2 {
		t.Errorf("%d identities, want 2", n)
	}
	if n := len(turns(t, s, 0, 99)); n != 1 {
		t.Errorf("%d turns, want 1", n)
	}
	open, err := s.OpenPanes(t.Context(), 3, Base)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "open panes", open, []window.Pane{Pane(0, 3, 11, 5)})
}

func testPositions(t *testing.T, s Sink) {
	t.Helper()
	newer := Mention(1, 30)
	newer.FirstPosition, newer.Item.Text, newer.Item.EditedAt = 10, "new", Base+stream.Day
	newer.Versions = []stream.Time{0, Base + stream.Day}
	old := Mention(1, 10)
	// A zombie writes what it knew after the new owner wrote more; an epoch beats every offset of the one before.
	flush(t, s, &clickhouse.Batch{Mentions: []stream.MentionRow{newer}, Panes: []window.Pane{Pane(0, 3, stream.PositionAfter(1, 0), 7)}})
	flush(t, s, &clickhouse.Batch{Mentions: []stream.MentionRow{old}, Panes: []window.Pane{Pane(0, 3, stream.PositionAfter(0, 1_000_000), 1)}})
	same(t, "mention", mentions(t, s, keyOf(&old)), []stream.MentionRow{newer})
	panes, err := s.Panes(t.Context(), 3, []window.Key{Pane(0, 3, 1, 1).Key})
	if err != nil {
		t.Fatal(err)
	}
	same(t, "pane", panes, []window.Pane{Pane(0, 3, stream.PositionAfter(1, 0), 7)})
}

func testTorn(t *testing.T, s Sink) {
	t.Helper()
	partition := stream.Partition{Topic: "otklik.mentions", Number: 3}
	flush(t, s, &clickhouse.Batch{
		Mentions: []stream.MentionRow{Mention(1, 10)}, Turns: []clickhouse.TurnRow{Turn(1, 10)}, Panes: []window.Pane{Pane(0, 3, 10, 1)},
		Progress: []stream.Progress{{Stage: stream.StageTrack, Partition: partition, Position: 10}},
	})
	// The process dies before the progress of the next flush.
	edited := Mention(1, 20)
	edited.FirstPosition = 10
	flush(t, s, &clickhouse.Batch{
		Mentions: []stream.MentionRow{edited, Mention(2, 19)}, Turns: []clickhouse.TurnRow{Turn(2, 19)}, Panes: []window.Pane{Pane(0, 3, 20, 2)},
	})
	p, ok, err := s.Progress(t.Context(), stream.StageTrack, partition)
	if err != nil || !ok || p.Position != 10 {
		t.Fatalf("restart point %v, %t, %v; want 10", p.Position, ok, err)
	}
	same(t, "identities at the restart point", identities(t, s, 0, 10), []stream.Identity{{IdentityKey: keyOf(&edited), FirstPosition: 10, Position: 20}})
	same(t, "turns at the restart point", turns(t, s, 0, 10), []clickhouse.TurnRow{Turn(1, 10)})
	found, err := s.Turns(t.Context(), 3, []care.Key{Turn(1, 0).Key, Turn(2, 0).Key, {Platform: stream.VK, Brand: "north", Thread: "none"}}, 99)
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(found, func(a, b clickhouse.TurnRow) int { return cmp.Compare(a.ItemID, b.ItemID) })
	same(t, "turns by thread", found, []clickhouse.TurnRow{Turn(1, 10), Turn(2, 19)})
	open, err := s.OpenPanes(t.Context(), 3, Base)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "a counting row keeps the position it reached", open, []window.Pane{Pane(0, 3, 20, 2)})
}

func testBackfill(t *testing.T, s Sink) {
	t.Helper()
	const months = 15 * 12
	rows, panes := make([]stream.MentionRow, 0, months), make([]window.Pane, 0, months)
	for month := range months {
		m := Mention(month, stream.Position(month+1))
		m.Item.PublishedAt = Base - stream.Time(month)*30*stream.Day
		rows = append(rows, m)
		p := Pane(0, 3, stream.Position(month+1), int64(month))
		p.Start -= stream.Time(month) * 30 * stream.Day
		panes = append(panes, p)
	}
	flush(t, s, &clickhouse.Batch{Mentions: rows, Panes: panes})
	if n := len(identities(t, s, Base-20*365*stream.Day, 9999)); n != len(rows) {
		t.Errorf("%d identities, want %d", n, len(rows))
	}
	open, err := s.OpenPanes(t.Context(), 3, Base-20*365*stream.Day)
	if err != nil {
		t.Fatal(err)
	}
	if len(open) != len(panes) {
		t.Errorf("%d panes, want %d", len(open), len(panes))
	}
	recent := identities(t, s, Base-45*stream.Day, 9999)
	if len(recent) != 2 {
		t.Errorf("%d identities of the last 45 days, want 2", len(recent))
	}
}

func testEmpty(t *testing.T, s Sink) {
	t.Helper()
	if _, ok, err := s.Progress(t.Context(), stream.StageRoll, stream.Partition{Topic: "otklik.panes"}); ok || err != nil {
		t.Errorf("progress of a task that never ran: %t, %v", ok, err)
	}
	flush(t, s, &clickhouse.Batch{})
	m := Mention(1, 1)
	if got := mentions(t, s, keyOf(&m)); len(got) != 0 {
		t.Errorf("%d mentions in an empty sink", len(got))
	}
	if got := mentions(t, s); len(got) != 0 {
		t.Errorf("%d mentions for no keys", len(got))
	}
	if got := turns(t, s, 0, 99); len(got) != 0 {
		t.Errorf("%d turns in an empty sink", len(got))
	}
}

func testLedger(t *testing.T, s Sink) {
	t.Helper()
	p := stream.Partition{Topic: "firehose.vk", Number: 1}
	page := func(hour int, position stream.Position, read uint64) stream.LedgerRow {
		return stream.LedgerRow{
			LedgerKey: stream.LedgerKey{Stage: stream.StageIngest, Partition: p, Hour: Base + stream.Time(hour)*stream.Hour},
			Books:     stream.Books{Records: 1, Read: read, Mentions: 2, Unmatched: 3, Duplicates: 4, DeadLetters: 5, Other: 6, Replayed: 7, Late: 8, Gaps: 9},
			Position:  position,
		}
	}
	other := page(0, 1, 20)
	other.Partition.Number = 2
	flush(t, s, &clickhouse.Batch{Ledger: []stream.LedgerRow{page(-100, 5, 20), page(-60, 6, 20), page(-1, 7, 20), page(0, 8, 20), other}})
	flush(t, s, &clickhouse.Batch{Ledger: []stream.LedgerRow{page(0, 9, 21), page(-1, 3, 1)}})
	got, err := s.LedgerRows(t.Context(), stream.StageIngest, p)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "ledger", got, []stream.LedgerRow{page(-100, 5, 20), page(-60, 6, 20), page(-1, 7, 20), page(0, 9, 21)})
}
