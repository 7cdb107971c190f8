package clickhouse_test

import (
	"strings"
	"testing"
	"time"

	"otklik/sinks/clickhouse"
	"otklik/sinks/sinktest"
	"otklik/stream"
	"otklik/stream/care"
	"otklik/stream/window"
)

// balanced returns rows whose books and panes agree: mentions with their panes counted by the code that track counts with.
func balanced(n int) *clickhouse.Batch {
	b := &clickhouse.Batch{}
	panes := map[window.Key]*window.Pane{}
	at := func(m *stream.MentionRow, grain window.Grain, product string) *window.Pane {
		k := window.Key{Grain: grain, Start: m.Item.PublishedAt.Truncate(grain.Span()), Brand: m.Brand, Platform: m.Item.Platform, Product: product}
		if panes[k] == nil {
			panes[k] = &window.Pane{Key: k, Partition: 3, Position: stream.Position(n)}
		}
		return panes[k]
	}
	for i := range n {
		m := sinktest.Mention(i, stream.Position(i+1))
		m.Role = stream.Role(i % 3)
		m.Item.PublishedAt = sinktest.Base + stream.Time(i*i)*7*stream.Minute
		b.Mentions = append(b.Mentions, m)
		counts := window.CountsOf(&m.Mention)
		for _, grain := range window.Grains {
			for _, product := range append([]string{""}, m.Products...) {
				at(&m, grain, product).Add(&counts, 1)
			}
		}
	}
	for i, m := range b.Mentions[:9] {
		r := care.Response{
			Key: care.Key{Platform: m.Item.Platform, Brand: m.Brand, Thread: m.Item.Thread}, ID: m.Item.ID,
			WaitingID: m.Item.ID, WaitingSince: m.Item.PublishedAt, Position: stream.Position(n),
		}
		for _, grain := range window.Grains {
			at(&m, grain, "").Requests++
		}
		if i%2 == 0 {
			r.ResponseID, r.ResponseAt, r.Waiting = "answer", m.Item.PublishedAt+12_345, stream.CountOf(12_345)
			for _, grain := range window.Grains {
				at(&m, grain, "").Answered++
			}
			p := at(&m, window.Minute, "")
			p.Responses = append(p.Responses, 12.345)
		}
		b.Responses = append(b.Responses, r)
	}
	withdrawn := b.Responses[0]
	withdrawn.ID, withdrawn.Deleted = "withdrawn", true
	b.Responses = append(b.Responses, withdrawn)
	for _, p := range panes {
		b.Panes = append(b.Panes, *p)
	}
	page := func(stage stream.Stage, topic string, books stream.Books) {
		b.Ledger = append(b.Ledger, stream.LedgerRow{
			LedgerKey: stream.LedgerKey{Stage: stage, Partition: stream.Partition{Topic: topic}, Hour: sinktest.Base}, Books: books, Position: 9,
		})
	}
	mentions := uint64(n)
	page(stream.StageIngest, "firehose.vk", stream.Books{Records: 90, Read: mentions + 2 + 3 + 4 + 5, Mentions: mentions + 2, Unmatched: 3, DeadLetters: 4, Other: 5})
	page(stream.StageTrack, "otklik.mentions", stream.Books{Records: 50, Read: mentions + 2, Mentions: mentions, Duplicates: 1, Other: 1, Late: 6, Replayed: 7})
	return b
}

func verify(t *testing.T, s store) clickhouse.Report {
	t.Helper()
	r, err := s.Verify(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestVerify(t *testing.T) {
	s := open(t, nil)
	if r := verify(t, s); !r.OK || r.PaneCells != 0 {
		t.Errorf("an empty store: %+v", r)
	}
	b := balanced(120)
	if err := s.Flush(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	r := verify(t, s)
	if !r.OK || r.PaneMismatches != 0 {
		t.Fatalf("balanced rows: %+v", r)
	}
	if want := uint64(len(b.Panes) * 20); r.PaneCells != want {
		t.Errorf("%d cells, want %d", r.PaneCells, want)
	}
	if r.Read != 134 || r.Mentions != 120 || r.Unmatched != 3 || r.Duplicates != 1 || r.DeadLetters != 4 || r.Other != 6 || r.Late != 6 || r.Replayed != 7 {
		t.Errorf("books: %+v", r)
	}
	if r.Read != r.Mentions+r.Unmatched+r.Duplicates+r.DeadLetters+r.Other {
		t.Errorf("the sums do not balance: %+v", r)
	}
}

// TestVerifyFinds breaks one thing at a time.
func TestVerifyFinds(t *testing.T) {
	s := open(t, nil)
	whole := balanced(60)
	if err := s.Flush(t.Context(), whole); err != nil {
		t.Fatal(err)
	}
	position := stream.Position(1000)
	for _, test := range []struct {
		name      string
		broken    func() *clickhouse.Batch
		column    string // of the first difference
		different uint64
		fault     string
	}{
		{"a pane counts one too many", func() *clickhouse.Batch {
			p := whole.Panes[0]
			p.Negative++
			return &clickhouse.Batch{Panes: []window.Pane{p}}
		}, "negative", 1, ""},
		{"a pane of nothing", func() *clickhouse.Batch {
			return &clickhouse.Batch{Panes: []window.Pane{{
				Key: window.Key{Grain: window.Hour, Start: sinktest.Base - stream.Day, Brand: "north", Platform: stream.VK}, Counts: window.Counts{Likes: 5},
			}}}
		}, "likes", 1, ""},
		{"an answer that no pane knows", func() *clickhouse.Batch {
			r := whole.Responses[1]
			r.ResponseID, r.Waiting = "late", stream.CountOf(1000)
			return &clickhouse.Batch{Responses: []care.Response{r}}
		}, "answered", 5, ""},
		{"a page of the ledger", func() *clickhouse.Batch {
			l := whole.Ledger[1]
			l.Duplicates++
			return &clickhouse.Batch{Ledger: []stream.LedgerRow{l}}
		}, "", 0, "books of track"},
		{"a record lost between ingest and track", func() *clickhouse.Batch {
			l := whole.Ledger[0]
			l.Read++
			l.Mentions++
			return &clickhouse.Batch{Ledger: []stream.LedgerRow{l}}
		}, "", 0, "ingest made"},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, b := range []*clickhouse.Batch{test.broken(), whole} { // break, check, mend
				position += 1000
				at(b, position)
				if err := s.Flush(t.Context(), b); err != nil {
					t.Fatal(err)
				}
				r := verify(t, s)
				if b == whole {
					if test.name != "a pane of nothing" && !r.OK {
						t.Errorf("mended, but %+v", r)
					}
					break
				}
				if r.OK || r.PaneMismatches != test.different {
					t.Errorf("ok %t, %d mismatches, want %d: %v", r.OK, r.PaneMismatches, test.different, r.Differences)
				}
				if test.column != "" && (len(r.Differences) == 0 || r.Differences[0].Column != test.column) {
					t.Errorf("differences %v, want %s", r.Differences, test.column)
				}
				if !strings.Contains(strings.Join(r.Faults, "\n"), test.fault) {
					t.Errorf("faults %q, want %q", r.Faults, test.fault)
				}
				if test.name == "a pane of nothing" { // mend it by its own row
					b.Panes[0].Likes, b.Panes[0].Position = 0, position+1
					if err := s.Flush(t.Context(), b); err != nil {
						t.Fatal(err)
					}
				}
			}
		})
	}
}

// at gives the counting rows of b a position.
func at(b *clickhouse.Batch, p stream.Position) {
	for i := range b.Panes {
		b.Panes[i].Position = p
	}
	for i := range b.Responses {
		b.Responses[i].Position = p
	}
	for i := range b.Ledger {
		b.Ledger[i].Position = p
	}
}

func TestErase(t *testing.T) {
	s := open(t, nil)
	b := balanced(30)
	for i := range b.Responses {
		b.Responses[i].Customer = "author-1"
	}
	b.Turns = []clickhouse.TurnRow{sinktest.Turn(0, 1), sinktest.Turn(2, 2)}
	if err := s.Flush(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	e := s.Eraser()
	e.EraseTurnsAfter = time.Hour
	if n, err := e.Erase(t.Context()); n != 0 || err != nil {
		t.Errorf("nothing deleted: %d, %v", n, err)
	}
	gone := &clickhouse.Batch{Erasures: []stream.ErasureRow{
		{Platform: stream.VK, ItemID: "item-0002", At: sinktest.Base, Position: 1},
		{Platform: stream.VK, ItemID: "o'brien\\", At: sinktest.Base, Position: 2},
		{Platform: stream.VK, ItemID: "turn-0000", At: sinktest.Base, Position: 3},
		{Platform: stream.VK, ItemID: "later", At: sinktest.Base, Position: 4},
	}}
	if err := s.Flush(t.Context(), gone); err != nil {
		t.Fatal(err)
	}
	if n, err := e.Erase(t.Context()); n != 2 || err != nil { // a mention, its response; the turn is old, but stored just now
		t.Errorf("erased %d rows, want 2: %v", n, err)
	}
	e.EraseTurnsAfter = 0
	if n, err := e.Erase(t.Context()); n != 1 || err != nil {
		t.Errorf("erased %d rows, want the turn: %v", n, err)
	}
	if n, err := e.Erase(t.Context()); n != 0 || err != nil {
		t.Errorf("erased again: %d, %v", n, err)
	}
	key := stream.IdentityKey{Platform: stream.VK, ItemID: "item-0002", Brand: "north", PublishedAt: b.Mentions[2].Item.PublishedAt}
	found, err := s.Mentions(t.Context(), []stream.IdentityKey{key})
	if err != nil || len(found) != 1 {
		t.Fatal(found, err)
	}
	m := &found[0]
	if m.Item.Text != "" || m.Item.Author != (stream.Account{}) || m.Item.AuthorName != "" || m.Item.URL != "" || m.Customer != "" || m.Item.Mentions != nil {
		t.Errorf("something is left: %+v", m)
	}
	if m.Label != b.Mentions[2].Label || m.Item.Followers != b.Mentions[2].Item.Followers {
		t.Errorf("figures went too: %+v", m)
	}
	if r := verify(t, s); !r.OK {
		t.Errorf("erasing moved a figure: %+v", r)
	}
	if n := value(t, s, "SELECT count() FROM "+storeTable(s, "turns")+" WHERE item_id = 'turn-0000' AND author_id LIKE 'erased-%' AND author_id = customer_id"); n != "1" {
		t.Errorf("the erased turn has no pseudonym")
	}
	// A replay writes the text again, and a mention comes after its deletion.
	late := sinktest.Mention(2000, 99)
	late.Item.ID = "later"
	if err := s.Flush(t.Context(), &clickhouse.Batch{Mentions: []stream.MentionRow{b.Mentions[2], late}}); err != nil {
		t.Fatal(err)
	}
	if n, err := e.Erase(t.Context()); n < 2 || err != nil {
		t.Errorf("erased %d rows, want both: %v", n, err)
	}
	if n := value(t, s, "SELECT countIf(text != '' OR author_id != '') FROM "+storeTable(s, "mentions")+" WHERE item_id IN ('item-0002', 'later')"); n != "0" {
		t.Errorf("%s rows keep their text", n)
	}
}

// TestEraseInConversations: the author of an erased message is named nowhere in the conversation any more once that is old, neither
// by other messages nor by the answers, and everybody else still is.
func TestEraseInConversations(t *testing.T) {
	s := open(t, nil)
	turn := func(n int, thread, author, customer string, own bool) clickhouse.TurnRow {
		row := sinktest.Turn(n, stream.Position(n+1))
		row.Key.Thread, row.Author, row.Customer, row.Own = thread, author, customer, own
		return row
	}
	gone, other := "author-gone", "author-other"
	b := &clickhouse.Batch{
		Turns: []clickhouse.TurnRow{
			turn(0, "one", gone, gone, false), turn(1, "one", "brand", gone, true), turn(2, "one", gone, gone, false),
			turn(3, "one", other, other, false), turn(4, "one", "brand", other, true), turn(5, "two", gone, gone, false),
		},
		Erasures: []stream.ErasureRow{{Platform: stream.VK, ItemID: "turn-0000", At: sinktest.Base, Position: 1}},
	}
	if err := s.Flush(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	e := s.Eraser()
	e.EraseTurnsAfter = 0
	names := func(thread string) string {
		return value(t, s, "SELECT arrayStringConcat(groupArray(replaceRegexpOne(author_id, 'erased-.*', 'x') || '>' || replaceRegexpOne(customer_id, 'erased-.*', 'x')), ' ') FROM (SELECT * FROM "+
			storeTable(s, "turns")+" WHERE thread = '"+thread+"' ORDER BY item_id)")
	}
	for range 2 {
		if n, err := e.Erase(t.Context()); err != nil {
			t.Fatalf("erased %d rows: %v", n, err)
		}
		if got, want := names("one"), "x>x brand>x x>x author-other>author-other brand>author-other"; got != want {
			t.Errorf("the conversation: %s, want %s", got, want)
		}
	}
	if got := names("two"); got != "author-gone>author-gone" {
		t.Errorf("a conversation without an erased message: %s", got)
	}
	if n := value(t, s, "SELECT uniqExact(id) FROM (SELECT arrayJoin([author_id, customer_id]) AS id FROM "+storeTable(s, "turns")+" WHERE id LIKE 'erased-%')"); n != "1" {
		t.Errorf("the author has %s pseudonyms", n)
	}
	// What comes of age later gets the same pseudonym.
	if err := s.Flush(t.Context(), &clickhouse.Batch{Turns: []clickhouse.TurnRow{turn(6, "one", gone, gone, false)}}); err != nil {
		t.Fatal(err)
	}
	if n, err := e.Erase(t.Context()); n != 1 || err != nil {
		t.Errorf("erased %d rows, want the new one: %v", n, err)
	}
	if n, err := e.Erase(t.Context()); n != 0 || err != nil {
		t.Errorf("erased again: %d, %v", n, err)
	}
}

func TestDeadLetters(t *testing.T) {
	s := open(t, nil)
	letter := func(offset int64, reason string) stream.DeadLetter {
		return stream.DeadLetter{
			Stage: stream.StageIngest, Source: stream.Source{Partition: stream.Partition{Topic: "firehose.vk", Number: 1}, Offset: offset}, Reason: reason,
			Detail: "line 1", At: sinktest.Base + stream.Time(offset)*stream.Second, Key: []byte("k\xff"), Payload: []byte("{\x00\xfe"),
		}
	}
	b := &clickhouse.Batch{DeadLetters: []stream.DeadLetter{letter(1, "malformed_json"), letter(2, "malformed_json"), letter(3, "future")}}
	if err := s.Flush(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	groups, err := s.DeadLetterGroups(t.Context(), clickhouse.DeadLetterFilter{})
	if err != nil || len(groups) != 2 || groups[0].Count != 2 || groups[0].Example.Source.Offset != 2 || string(groups[0].Example.Payload) != "{\x00\xfe" {
		t.Fatalf("groups: %+v, %v", groups, err)
	}
	if err := s.MarkRedriven(t.Context(), b.DeadLetters[:1]); err != nil {
		t.Fatal(err)
	}
	if err := s.Flush(t.Context(), b); err != nil { // a replay does not undo the mark
		t.Fatal(err)
	}
	list := func(f clickhouse.DeadLetterFilter) (offsets []int64) {
		t.Helper()
		if err := s.EachDeadLetter(t.Context(), f, func(l *stream.DeadLetter) error {
			offsets = append(offsets, l.Source.Offset)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		return offsets
	}
	for _, test := range []struct {
		filter clickhouse.DeadLetterFilter
		want   int
	}{
		{clickhouse.DeadLetterFilter{}, 2},
		{clickhouse.DeadLetterFilter{Redriven: true}, 3},
		{clickhouse.DeadLetterFilter{Redriven: true, Limit: 1}, 1},
		{clickhouse.DeadLetterFilter{Reason: "future"}, 1},
		{clickhouse.DeadLetterFilter{Since: sinktest.Base + 3*stream.Second}, 1},
		{clickhouse.DeadLetterFilter{Stage: stream.StageTrack}, 0},
		{clickhouse.DeadLetterFilter{Topic: "firehose.vk", Until: sinktest.Base + 3*stream.Second}, 1},
	} {
		if got := list(test.filter); len(got) != test.want {
			t.Errorf("%+v: offsets %v, want %d", test.filter, got, test.want)
		}
	}
}

func TestTopicsAndSettings(t *testing.T) {
	s := open(t, nil)
	for _, topic := range []clickhouse.Topic{{Name: "otklik.mentions", Partitions: 8, Epoch: 2}, {Name: "otklik.mentions", Partitions: 64, Epoch: 1}, {Name: "otklik.panes", Partitions: 4}} {
		if err := s.SaveTopic(t.Context(), topic); err != nil {
			t.Fatal(err)
		}
	}
	topics, err := s.Topics(t.Context())
	if err != nil || len(topics) != 2 || topics[0] != (clickhouse.Topic{Name: "otklik.mentions", Partitions: 8, Epoch: 2}) {
		t.Errorf("topics: %v, %v", topics, err)
	}
	if err := s.SaveTopic(t.Context(), clickhouse.Topic{Name: "x"}); err == nil {
		t.Error("a topic without partitions was saved")
	}
	if _, ok, err := s.Setting(t.Context(), "fingerprint"); ok || err != nil {
		t.Errorf("setting that was never saved: %t, %v", ok, err)
	}
	if err := s.SaveSetting(t.Context(), "fingerprint", "a'b\\"); err != nil {
		t.Fatal(err)
	}
	if v, ok, err := s.Setting(t.Context(), "fingerprint"); v != "a'b\\" || !ok || err != nil {
		t.Errorf("setting: %q, %t, %v", v, ok, err)
	}
}
