package schemas_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"otklik/schemas"
	"otklik/sinks/clickhouse"
	"otklik/sinks/sinktest"
	"otklik/stream"
)

// talk writes mentions of conversations.
type talk struct {
	rows []stream.MentionRow
}

// message is one of them: seconds after sinktest.Base, who, in which thread, in answer to what.
func (k *talk) message(p stream.Platform, id string, at stream.Time, author, thread, parent string, change func(*stream.MentionRow)) {
	row := stream.MentionRow{
		Mention: stream.Mention{
			Item: stream.Item{
				Platform: p, ID: id, Kind: stream.Comment, PublishedAt: sinktest.Base + at*stream.Second, ParentID: parent, Thread: thread,
				Author: stream.Account{ID: author}, Paired: p == stream.Twitter,
			},
			Brand: "north", Customer: author, Label: stream.Neutral, ReceivedAt: sinktest.Base + at*stream.Second,
			Source: stream.Source{Partition: stream.Partition{Topic: "firehose"}, Offset: int64(len(k.rows))},
		},
		FirstPosition: stream.Position(len(k.rows) + 1), Position: stream.Position(len(k.rows) + 1),
	}
	if parent == "" {
		row.Item.Kind = stream.Post
	}
	if change != nil {
		change(&row)
	}
	k.rows = append(k.rows, row)
}

func complains(r *stream.MentionRow) {
	r.Flags |= stream.Complaint | stream.NeedsAnswer
	r.Label = stream.Negative
}

// replies makes a message an answer of the desk to a customer; "" is nobody whom the platform names.
func replies(customer string, flags stream.Flags) func(*stream.MentionRow) {
	return func(r *stream.MentionRow) {
		r.Role, r.Customer, r.Flags, r.Label = stream.Own, customer, stream.Answer|flags, stream.Unlabelled
	}
}

func (k *talk) flush(t *testing.T, c *clickhouse.Client, rows []stream.MentionRow) {
	t.Helper()
	if err := c.Writer().Flush(t.Context(), &clickhouse.Batch{Mentions: rows}); err != nil {
		t.Fatal(err)
	}
}

const contagionQuery = `SELECT platform, opening_item, toString(joined), toString(answered), toString(median_join_seconds), toString(joined_first_hour),
	toString(dateDiff('second', opened_at, last_join_at)), toString(round(joins_per_hour, 3)), ifNull(toString(dateDiff('second', opened_at, first_answer_at)), '-'),
	toString(joined_before_answer), toString(joined_after_answer), toString(round(joins_per_hour_before, 3)), ifNull(toString(round(joins_per_hour_after, 3)), '-')
	FROM contagion ORDER BY platform, opening_item`

func lines(t *testing.T, c *clickhouse.Client, query string) []string {
	t.Helper()
	rows, err := c.Strings(t.Context(), strings.Replace(query, "FROM ", "FROM "+c.Database()+".", 1))
	if err != nil {
		t.Fatal(err)
	}
	out := make([]string, len(rows))
	for i, r := range rows {
		out[i] = strings.Join(r, " ")
	}
	return out
}

// TestContagion: exact figures of conversations of every kind, whatever the order in which their messages are stored.
func TestContagion(t *testing.T) {
	approved := stream.Approved
	k := &talk{}
	// A wall: the thread is the conversation. b and c join, b again; c gets an answer, d joins after it and gets an automatic one;
	// e gets one by an account that is not approved; somebody wrote before the complaint and does not write again.
	k.message(stream.VK, "early", -100, "z", "vk:1", "wall", nil)
	k.message(stream.VK, "open", 0, "a", "vk:1", "wall", complains)
	k.message(stream.VK, "own-voice", 10, "a", "vk:1", "open", nil)
	k.message(stream.VK, "b1", 600, "b", "vk:1", "open", complains)
	k.message(stream.VK, "c1", 1200, "c", "vk:1", "open", nil)
	k.message(stream.VK, "b2", 1300, "b", "vk:1", "open", nil)
	k.message(stream.VK, "to-c", 1800, "desk", "vk:1", "c1", replies("c", approved))
	k.message(stream.VK, "d1", 5400, "d", "vk:1", "open", nil)
	k.message(stream.VK, "to-d", 5410, "bot", "vk:1", "d1", replies("d", stream.Automatic))
	k.message(stream.VK, "e1", 7200, "e", "vk:1", "open", nil)
	k.message(stream.VK, "to-e", 7300, "friend", "vk:1", "e1", replies("e", 0))
	k.message(stream.VK, "spread", 7400, "f", "vk:1", "open", func(r *stream.MentionRow) { r.Item.Kind = stream.Repost })
	// Nobody joins: no row.
	k.message(stream.VK, "alone", 0, "a", "vk:2", "", complains)
	k.message(stream.VK, "to-alone", 60, "desk", "vk:2", "alone", replies("a", approved))
	// Nobody complains: no row.
	k.message(stream.VK, "calm", 0, "a", "vk:3", "", nil)
	k.message(stream.VK, "calm-b", 60, "b", "vk:3", "calm", nil)
	// After a silence of three days another complaint is another row; the first was joined by nobody.
	k.message(stream.Reddit, "r1", 0, "a", "reddit:1", "", complains)
	k.message(stream.Reddit, "r2", 3*86400, "b", "reddit:1", "r1", complains)
	k.message(stream.Reddit, "r3", 3*86400+30, "a", "reddit:1", "r2", nil)
	// The platform does not name whom the brand answers: the parent tells.
	k.message(stream.YouTube, "y1", 0, "a", "youtube:1", "video", complains)
	k.message(stream.YouTube, "y2", 60, "b", "youtube:1", "y1", nil)
	k.message(stream.YouTube, "y3", 120, "desk", "youtube:1", "y2", replies("", approved))
	// Pairs: what belongs together is found along the parents, through four messages.
	k.message(stream.Twitter, "t1", 0, "a", "twitter:a×north", "", complains)
	k.message(stream.Twitter, "t2", 60, "desk", "twitter:a×north", "t1", replies("a", approved))
	k.message(stream.Twitter, "t3", 120, "a", "twitter:a×north", "t2", nil)
	k.message(stream.Twitter, "t4", 180, "b", "twitter:b×north", "t3", nil)
	k.message(stream.Twitter, "t5", 240, "desk", "twitter:b×north", "t4", replies("b", approved))
	k.message(stream.Twitter, "t6", 300, "c", "twitter:c×north", "t1", nil)
	// A chat is no conversation: others write there about something else.
	k.message(stream.Telegram, "g1", 0, "a", "telegram:chat", "", complains)
	k.message(stream.Telegram, "g2", 60, "b", "telegram:chat", "", complains)
	k.message(stream.Telegram, "g3", 90, "c", "telegram:chat", "g1", nil)
	want := []string{
		"reddit r2 1 0 30 1 30 1 - 1 0 1 -",
		"telegram g1 1 0 90 1 90 1 - 1 0 1 -",
		"twitter t1 2 1 240 2 300 2 60 0 2 0 2",
		"vk open 4 1 3300 2 7200 2 1800 2 2 2 1.333",
		"youtube y1 1 1 60 1 60 1 120 1 0 1 0",
	}
	for seed := range uint64(2) {
		c := connect(t)
		migrate(t, c, schemas.Options{})
		rows := slices.Clone(k.rows)
		rand.New(rand.NewPCG(seed, 1)).Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
		k.flush(t, c, rows[:15])
		k.flush(t, c, rows[10:]) // some twice, as after a crash
		if diff := cmp.Diff(want, lines(t, c, contagionQuery)); diff != "" {
			t.Errorf("shuffle %d (-want +got):\n%s", seed, diff)
		}
		sameOverRange(t, c, sinktest.Base, sinktest.Base+10*stream.Day)
		sameOverRange(t, c, sinktest.Base+1, sinktest.Base+3*stream.Day)
		sameOverRange(t, c, sinktest.Base+3*stream.Day, sinktest.Base+3*stream.Day+1)
		if seed > 0 {
			continue
		}
		days := lines(t, c, `SELECT platform, toString(day), toString(threads), toString(joined), toString(answered), toString(round(coverage, 3)), toString(median_join_seconds),
			toString(joined_first_hour), toString(joined_before_answer), toString(joined_after_answer) FROM contagion_1d ORDER BY platform, day`)
		day, later := sinktest.Base.Go().Format("2006-01-02"), (sinktest.Base + 3*stream.Day).Go().Format("2006-01-02")
		if diff := cmp.Diff([]string{
			"reddit " + later + " 1 1 0 0 30 1 1 0", "telegram " + day + " 1 1 0 0 90 1 1 0", "twitter " + day + " 1 2 1 0.5 240 2 0 2",
			"vk " + day + " 1 4 1 0.25 3300 2 2 2", "youtube " + day + " 1 1 1 1 60 1 1 0",
		}, days); diff != "" {
			t.Errorf("days (-want +got):\n%s", diff)
		}
		contagionChanges(t, c, k)
	}
}

// contagionChanges: an analyst finds that the opening was no complaint, a platform deletes what somebody wrote.
func contagionChanges(t *testing.T, c *clickhouse.Client, k *talk) {
	t.Helper()
	opening := k.rows[1]
	opening.Flags, opening.Label, opening.Position = 0, stream.Neutral, 1000
	k.flush(t, c, []stream.MentionRow{opening})
	got := lines(t, c, contagionQuery)
	if want := "vk b1 4 1 4700 2 6600 2.182 1200 2 2 6 1.333"; !slices.Contains(got, want) {
		// a, who opened it, is one of those who wrote before, and not again: c, d and e join, and b opens.
		if want = "vk b1 3 1 4800 1 6600 1.636 1200 1 2 1 1.333"; !slices.Contains(got, want) {
			t.Errorf("the complaint of b opens: got %q, want %q", got, want)
		}
	}
	if err := c.Writer().Flush(t.Context(), &clickhouse.Batch{Erasures: []stream.ErasureRow{{Platform: stream.YouTube, ItemID: "y2", At: sinktest.Base, Position: 1}}}); err != nil {
		t.Fatal(err)
	}
	if n, err := c.Eraser().Erase(context.WithoutCancel(t.Context())); err != nil || n == 0 {
		t.Fatalf("erased %d, %v", n, err)
	}
	if want := "youtube y1 1 1 60 1 60 1 120 1 0 1 0"; !slices.Contains(lines(t, c, contagionQuery), want) {
		t.Errorf("after a delete: %q, want %q", lines(t, c, contagionQuery), want)
	}
	sameOverRange(t, c, sinktest.Base-stream.Day, sinktest.Base+10*stream.Day)
}

// sameOverRange: contagion_of has the rows that contagion has for the brand north and the range, to the last column.
func sameOverRange(t *testing.T, c *clickhouse.Client, since, until stream.Time) {
	t.Helper()
	at := func(t stream.Time) string { return "'" + t.Go().UTC().Format("2006-01-02 15:04:05.000") + "'" }
	want := lines(t, c, "SELECT toString(tuple(*)) AS r FROM contagion WHERE brand = 'north' AND opened_at >= "+at(since)+" AND opened_at < "+at(until)+" ORDER BY r")
	got := lines(t, c, "SELECT toString(tuple(*)) AS r FROM contagion_of(brand = 'north', since = "+at(since)+", until = "+at(until)+") ORDER BY r")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("contagion_of from %s to %s (-contagion +contagion_of):\n%s", at(since), at(until), diff)
	}
}

// TestContagionOfRandomTalk: on conversations made at random, with answers to answers, pauses, deletes and answers to nobody whom the platform names, the
// view for a brand and a range has the rows of the view for everything.
func TestContagionOfRandomTalk(t *testing.T) {
	c := connect(t)
	migrate(t, c, schemas.Options{})
	k, r := &talk{}, rand.New(rand.NewPCG(3, 1))
	platforms := []stream.Platform{stream.Twitter, stream.VK, stream.Telegram}
	for i := range 2000 {
		p := platforms[r.IntN(len(platforms))]
		thread, parent := string(p)+":"+strconv.Itoa(r.IntN(60)), ""
		if len(k.rows) > 0 && r.IntN(3) > 0 {
			if above := k.rows[max(0, len(k.rows)-1-r.IntN(40))]; above.Item.Platform == p {
				thread, parent = above.Item.Thread, above.Item.ID
			}
		}
		author := strconv.Itoa(r.IntN(20))
		k.message(p, "m"+strconv.Itoa(i), stream.Time(i)*2400+stream.Time(r.IntN(1200)), author, thread, parent, func(m *stream.MentionRow) {
			switch r.IntN(6) {
			case 0:
				complains(m)
			case 1:
				replies(author, stream.Approved)(m)
			case 2:
				if parent != "" {
					replies("", stream.Approved)(m)
				}
			}
			if r.IntN(10) == 0 {
				m.Brand = "south"
			}
		})
	}
	k.flush(t, c, k.rows)
	if err := c.Writer().Flush(t.Context(), &clickhouse.Batch{Erasures: []stream.ErasureRow{
		{Platform: k.rows[700].Item.Platform, ItemID: "m700", At: sinktest.Base, Position: 1}, {Platform: k.rows[701].Item.Platform, ItemID: "m701", At: sinktest.Base, Position: 2},
	}}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Eraser().Erase(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := lines(t, c, "SELECT toString(count()) FROM contagion"); len(n) != 1 || n[0] == "0" {
		t.Fatalf("%v conversations", n)
	}
	// Fifty-five days: some ranges are more than a month away from other talk.
	for _, span := range [][2]stream.Time{{0, 60}, {0, 1}, {10, 12}, {20, 27}, {30, 30}, {40, 41}, {54, 56}} {
		sameOverRange(t, c, sinktest.Base+span[0]*stream.Day, sinktest.Base+span[1]*stream.Day)
	}
}

// TestCompliance: exact figures of answers of every kind. An edit corrects the figure, and the breach stays listed.
func TestCompliance(t *testing.T) {
	c := connect(t)
	migrate(t, c, schemas.Options{})
	k := &talk{}
	breaks := func(flags stream.Flags, list ...stream.Breach) func(*stream.MentionRow) {
		return func(r *stream.MentionRow) {
			replies("a", flags)(r)
			r.Item.Author.Name, r.Item.URL, r.Breaches = "north_care", "https://example.test/"+r.Item.ID, list
		}
	}
	k.message(stream.VK, "good", 10, "desk", "vk:1", "q", replies("a", stream.Approved))
	k.message(stream.VK, "robot", 11, "bot", "vk:1", "q", replies("a", stream.Automatic))
	k.message(stream.VK, "friend", 20, "friend", "vk:1", "q", breaks(0, stream.Breach{Rule: "unapproved_account", Excerpt: "hello"}))
	k.message(stream.VK, "both", 30, "friend", "vk:1", "q", breaks(0, stream.Breach{Rule: "phone_number", Excerpt: "call ▇▇▇"}, stream.Breach{Rule: "unapproved_account", Excerpt: "call ▇▇▇"}))
	k.message(stream.VK, "leak", 40, "desk", "vk:1", "q", breaks(stream.Approved, stream.Breach{Rule: "phone_number", Excerpt: "my ▇▇▇"}))
	k.message(stream.VK, "own-post", 50, "desk", "vk:2", "", func(r *stream.MentionRow) { r.Role, r.Flags = stream.Own, stream.Approved })
	k.message(stream.VK, "customer", 60, "a", "vk:1", "q", nil)
	k.flush(t, c, k.rows)
	edited := k.rows[4]
	edited.Position, edited.Item.EditedAt, edited.Versions = 100, sinktest.Base+stream.Hour, []stream.Time{0, sinktest.Base + stream.Hour}
	edited.TextSince = edited.Item.EditedAt
	k.flush(t, c, []stream.MentionRow{edited})
	k.flush(t, c, k.rows[4:5]) // again, as by a zombie

	list := `SELECT item_id, rule, account, toString(dateDiff('second', published_at, broken_at)), ifNull(toString(dateDiff('second', published_at, edited_at)), '-'),
		toString(stands), excerpt, link FROM compliance ORDER BY item_id, rule`
	want := []string{
		"both phone_number north_care 0 - 1 call ▇▇▇ https://example.test/both", "both unapproved_account north_care 0 - 1 call ▇▇▇ https://example.test/both",
		"friend unapproved_account north_care 0 - 1 hello https://example.test/friend", "leak phone_number north_care 0 3560 0 my ▇▇▇ https://example.test/leak",
	}
	if diff := cmp.Diff(want, lines(t, c, list)); diff != "" {
		t.Errorf("list (-want +got):\n%s", diff)
	}
	day := `SELECT toString(answers), toString(automatic), toString(unapproved), toString(confidential), toString(compliant), toString(corrected), toString(policy_compliance) FROM compliance_1d`
	if diff := cmp.Diff([]string{"5 1 2 1 3 1 0.6"}, lines(t, c, day)); diff != "" {
		t.Errorf("day (-want +got):\n%s", diff)
	}

	// What the task restores is what it has written.
	rows, err := c.Mentions(t.Context(), []stream.IdentityKey{{Platform: stream.VK, ItemID: "both", Brand: "north", PublishedAt: k.rows[3].Item.PublishedAt}})
	if err != nil || len(rows) != 1 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	if diff := cmp.Diff(k.rows[3].Breaches, rows[0].Breaches); diff != "" || !rows[0].Has(stream.Answer) || rows[0].Excerpt != "call ▇▇▇" || len(rows[0].Violations) != 2 {
		t.Errorf("restored %+v (-want +got):\n%s", rows[0].Breaches, diff)
	}

	if err := c.Writer().Flush(t.Context(), &clickhouse.Batch{Erasures: []stream.ErasureRow{{Platform: stream.VK, ItemID: "both", At: sinktest.Base, Position: 1}}}); err != nil {
		t.Fatal(err)
	}
	if n, err := c.Eraser().Erase(t.Context()); err != nil || n == 0 {
		t.Fatalf("erased %d, %v", n, err)
	}
	want[0], want[1] = "both phone_number  0 - 1  ", "both unapproved_account  0 - 1  "
	if diff := cmp.Diff(want, lines(t, c, list)); diff != "" {
		t.Errorf("after a delete (-want +got):\n%s", diff)
	}
}
