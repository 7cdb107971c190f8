package clickhouse_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"otklik/sinks/clickhouse"
	"otklik/sinks/sinktest"
	"otklik/stream"
	"otklik/stream/care"
	"otklik/stream/claim"
)

// TestEraseLetters: the delete of an item empties every dead letter that holds it, whichever came first, and no other.
func TestEraseLetters(t *testing.T) {
	s := open(t, nil)
	letter := func(offset int64, platform stream.Platform, reason string, items ...string) stream.DeadLetter {
		return stream.DeadLetter{
			Stage: stream.StageIngest, Source: stream.Source{Partition: stream.Partition{Topic: "firehose.x", Number: 1}, Offset: offset}, Reason: reason,
			Detail: "words", At: sinktest.Base + stream.Time(offset)*40*24*stream.Hour, Key: []byte("key"), Payload: []byte("words"), Platform: platform, Items: items,
		}
	}
	gone := func(platform stream.Platform, ids ...string) {
		t.Helper()
		b := &clickhouse.Batch{}
		for i, id := range ids {
			b.Erasures = append(b.Erasures, stream.ErasureRow{Platform: platform, ItemID: id, At: sinktest.Base, Position: stream.Position(i + 1)})
		}
		if err := s.Flush(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	mention := stream.MentionName{Platform: stream.VK, ItemID: "claimed", Brand: "north"}
	letters := []stream.DeadLetter{
		letter(1, stream.VK, "future", "a"),
		letter(2, stream.VK, "no_time", "b", "a", "c"),
		letter(3, stream.Twitter, "future", "a"), // of another platform
		letter(4, stream.VK, "malformed_json"),   // of nobody
		letter(5, stream.VK, "rejected_row", `o'br\ien`),
		letter(6, stream.VK, "future", "later"),
		letter(7, "", "unknown_claim", claim.IDOf(&mention)),
		letter(8, stream.VK, "no_time", "c"),
	}
	b := &clickhouse.Batch{DeadLetters: letters}
	if err := s.Flush(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	e := s.Eraser()
	erase := func(want int) {
		t.Helper()
		if n, err := e.Erase(t.Context()); n != want || err != nil {
			t.Errorf("erased %d rows, want %d: %v", n, want, err)
		}
	}
	check := func(erased ...int64) {
		t.Helper()
		for _, l := range read(t, s, clickhouse.DeadLetterFilter{Redriven: true}) {
			want := slices.Contains(erased, l.Source.Offset)
			empty := len(l.Key) == 0 && len(l.Payload) == 0 && (l.Detail == "" || l.Reason == "rejected_row")
			if l.Erased != want || want != empty || !want && string(l.Payload) != "words" {
				t.Errorf("letter %d: erased %t, key %q, payload %q, detail %q; want erased %t", l.Source.Offset, l.Erased, l.Key, l.Payload, l.Detail, want)
			}
		}
	}
	erase(0)
	gone(stream.VK, "a", `o'br\ien`, "claimed")
	erase(3)
	check(1, 2, 5)
	erase(0)
	// The claim, which is erased with its item, comes after its status.
	row := claim.Row{MentionName: mention, ID: claim.IDOf(&mention), PublishedAt: sinktest.Base, ReceivedAt: sinktest.Base, OpenedAt: sinktest.Base, Position: 9}
	if err := s.Flush(t.Context(), &clickhouse.Batch{Claims: []claim.Row{row}}); err != nil {
		t.Fatal(err)
	}
	erase(1)
	check(1, 2, 5, 7)
	// Dead letters come after the delete, and again with a replay.
	gone(stream.VK, "later2")
	erase(0)
	if err := s.Flush(t.Context(), &clickhouse.Batch{DeadLetters: []stream.DeadLetter{letters[0], letters[4], letters[6], letter(9, stream.VK, "future", "later2")}}); err != nil {
		t.Fatal(err)
	}
	erase(4)
	check(1, 2, 5, 7, 9)
	// Put back in the same moment.
	if err := s.MarkRedriven(t.Context(), letters[:3]); err != nil {
		t.Fatal(err)
	}
	erase(2)
	check(1, 2, 5, 7, 9)
	groups, err := s.DeadLetterGroups(t.Context(), clickhouse.DeadLetterFilter{Redriven: true, Reason: "future"})
	if err != nil || len(groups) != 1 || groups[0].Count != 4 || groups[0].Erased != 2 || groups[0].Redriven != 2 || groups[0].Example.Source.Offset != 6 || groups[0].Example.Erased {
		t.Errorf("groups %+v, %v", groups, err)
	}
	if n := value(t, s, "SELECT sum(erased) FROM "+s.Database()+".deadletter_reasons"); n != "5" {
		t.Errorf("the view counts %s erased dead letters, want 5", n)
	}
	// A new process looks at everything, and finds nothing left.
	e = s.Eraser()
	erase(0)
}

// TestEraseLongIDs: ids may be so long that not many of them fit into one query.
func TestEraseLongIDs(t *testing.T) {
	s := open(t, nil)
	const n = 300
	b := &clickhouse.Batch{}
	var asked []stream.MentionName
	for i := range n {
		id := fmt.Sprintf("%d%s", i, strings.Repeat("'", 2000))
		asked = append(asked, stream.MentionName{Platform: stream.Mastodon, ItemID: id, Brand: "north"})
		b.Erasures = append(b.Erasures, stream.ErasureRow{Platform: stream.Mastodon, ItemID: id, At: sinktest.Base, Position: stream.Position(i + 1)})
		b.DeadLetters = append(b.DeadLetters, stream.DeadLetter{
			Stage: stream.StageIngest, Source: stream.Source{Partition: stream.Partition{Topic: "firehose.x"}, Offset: int64(i)}, Reason: "future",
			At: sinktest.Base, Payload: []byte("words"), Platform: stream.Mastodon, Items: []string{id},
		})
	}
	if err := s.Flush(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Eraser().Erase(t.Context()); got != n || err != nil {
		t.Errorf("erased %d rows, want %d: %.200v", got, n, err)
	}
	if _, err := s.Places(t.Context(), asked); err != nil {
		t.Errorf("%.200v", err)
	}
	if _, err := s.Claims(t.Context(), asked); err != nil {
		t.Errorf("%.200v", err)
	}
}

// read returns the dead letters that a filter chooses.
func read(t *testing.T, s store, f clickhouse.DeadLetterFilter) []stream.DeadLetter {
	t.Helper()
	var out []stream.DeadLetter
	if err := s.EachDeadLetter(t.Context(), f, func(l *stream.DeadLetter) error {
		out = append(out, *l)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestRejectedRowsNameTheirItems: the dead letter of a row that is refused is erased with the item of the row.
func TestRejectedRowsNameTheirItems(t *testing.T) {
	s := open(t, nil)
	for _, table := range []string{"mentions", "responses", "cases", "turns", "claims"} {
		exec(t, s, "ALTER TABLE "+storeTable(s, table)+" ADD CONSTRAINT refused CHECK brand != 'north'")
	}
	mention, turn := sinktest.Mention(0, 1), sinktest.Turn(0, 1)
	turn.Brand, turn.ParentID = "north", "asked"
	name := stream.MentionName{Platform: stream.VK, ItemID: "claimed", Brand: "north"}
	b := &clickhouse.Batch{
		Mentions: []stream.MentionRow{mention}, Turns: []clickhouse.TurnRow{turn},
		Responses: []care.Response{{Key: care.Key{Brand: "north", Platform: stream.VK, Thread: "t"}, ID: "r", Customer: "u", RequestID: "asked first", WaitingID: "asked", WaitingSince: sinktest.Base}},
		Cases:     []care.Case{{Key: care.Key{Brand: "north", Platform: stream.VK, Thread: "t"}, ID: "asked first", Customer: "u", OpenedAt: sinktest.Base}},
		Claims:    []claim.Row{{MentionName: name, ID: claim.IDOf(&name), PublishedAt: sinktest.Base, OpenedAt: sinktest.Base, Text: "words"}},
	}
	if err := s.Flush(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	got := map[string][]string{}
	for _, l := range read(t, s, clickhouse.DeadLetterFilter{Reason: "rejected_row"}) {
		table := strings.Fields(l.Detail)[1]
		got[table] = append(got[table], fmt.Sprintf("%s %q", l.Platform, l.Items))
	}
	for table, want := range map[string]string{
		"mentions:": fmt.Sprintf("vk [%q]", mention.Item.ID), "turns:": fmt.Sprintf("vk [%q %q]", turn.ItemID, "asked"), "responses:": `vk ["asked" "asked first"]`,
		"cases:": `vk ["asked first"]`, "claims:": `vk ["claimed"]`,
	} {
		if !slices.Equal(got[table], []string{want}) {
			t.Errorf("%s %q, want %q", table, got[table], want)
		}
	}
	erasures := &clickhouse.Batch{}
	for i, id := range []string{mention.Item.ID, turn.ItemID, "asked first", "claimed"} {
		erasures.Erasures = append(erasures.Erasures, stream.ErasureRow{Platform: stream.VK, ItemID: id, At: sinktest.Base, Position: stream.Position(i + 1)})
	}
	if err := s.Flush(t.Context(), erasures); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Eraser().Erase(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, l := range read(t, s, clickhouse.DeadLetterFilter{}) {
		if !l.Erased || len(l.Payload) > 0 || !strings.HasPrefix(l.Detail, "table ") {
			t.Errorf("left: %+v", l)
		}
	}
}
