package firehose

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"otklik/stream"
)

// TestFeedsAgree decodes the same items as two or three feeds of one platform deliver them: identity, thread, times and
// text must not depend on the feed. The numbers are lines of the platform's fixture.
func TestFeedsAgree(t *testing.T) {
	for _, c := range []struct {
		platform stream.Platform
		what     string
		lines    []int
		pick     string // id of the item to compare; "" the first one
	}{
		{stream.Twitter, "a post in v1.1 streaming, v1.1 REST, v2 and REST search", []int{1, 5, 13, 25}, ""},
		{stream.Twitter, "an answer in v1.1 and v2", []int{2, 14}, "1790296101488689155"},
		{stream.Twitter, "a repost in v1.1, v2 and an activity stream", []int{3, 14, 24}, "1790296139237425153"},
		{stream.VK, "a post in Callback, Streaming and the API", []int{1, 2, 33}, ""},
		{stream.VK, "a comment in Callback, Streaming and the API", []int{3, 4, 32}, "-1200_502"},
		{stream.VK, "a topic's comment in Streaming and Callback", []int{10, 11}, ""},
		{stream.YouTube, "an answer in its thread and in a list", []int{1, 2}, "Ugx1.r1"},
		{stream.Bluesky, "a post in Jetstream and as a view", []int{1, 17}, ""},
		{stream.Mastodon, "a status in the stream, in a notification, bare and in a list", []int{1, 8, 13, 14}, ""},
		{stream.Mastodon, "an answer in the stream, in a list and as server-sent event", []int{2, 14, 15}, "112438465484881927"},
		{stream.LiveJournal, "an entry as RSS tags and from gofeed", []int{1, 2}, ""},
	} {
		t.Run(string(c.platform)+" "+c.what, func(t *testing.T) {
			d := decoder(t, c.platform)
			lines := fixture(t, string(c.platform)+".jsonl")
			var first *stream.Item
			for _, line := range c.lines {
				items, err := d.Decode(lines[line-1], arrived, nil)
				if err != nil {
					t.Fatal(err)
				}
				var it *stream.Item
				for k := range items {
					if c.pick == "" || items[k].ID == c.pick {
						it = &items[k]
						break
					}
				}
				if it == nil {
					t.Fatalf("line %d holds no item %s", line, c.pick)
				}
				if first == nil {
					first = it
					continue
				}
				for name, pair := range map[string][2]any{
					"identity":  {first.Identity(), it.Identity()},
					"thread":    {first.Thread, it.Thread},
					"paired":    {first.Paired, it.Paired},
					"author":    {first.Author.ID, it.Author.ID},
					"published": {first.PublishedAt, it.PublishedAt},
					"text":      {first.Text, it.Text},
					"repost of": {first.RepostOf, it.RepostOf},
					"mentions":  {len(first.Mentions), len(it.Mentions)},
				} {
					if diff := cmp.Diff(pair[0], pair[1]); diff != "" {
						t.Errorf("line %d and line %d give another %s:\n%s", c.lines[0], line, name, diff)
					}
				}
			}
		})
	}
}

// TestAnswerSharesThread checks that a customer's message and the answer to it have one thread.
func TestAnswerSharesThread(t *testing.T) {
	for _, c := range []struct {
		platform            stream.Platform
		question, answer    int // lines of the fixture
		questionID, replyID string
	}{
		{stream.Twitter, 1, 2, "1790294738339889169", "1790296101488689155"},
		{stream.Twitter, 1, 14, "1790294738339889169", "1790296101488689155"},
		{stream.VK, 4, 32, "-1200_502", "-1200_506"},
		{stream.Facebook, 1, 2, "9001_1", "9001_2"},
		{stream.Facebook, 1, 18, "9001_1", "9001_2"},
		{stream.YouTube, 1, 2, "Ugx1", "Ugx1.r1"},
		{stream.Telegram, 1, 2, "-1001234567890_10", "-1001234567890_11"},
		{stream.Mastodon, 1, 2, "112438444185681927", "112438465484881927"},
		{stream.Reddit, 1, 1, "t1_c1", "t1_c2"},
	} {
		d := decoder(t, c.platform)
		lines := fixture(t, string(c.platform)+".jsonl")
		find := func(line int, id string) *stream.Item {
			items, _ := d.Decode(lines[line-1], arrived, nil)
			for k := range items {
				if items[k].ID == id {
					return &items[k]
				}
			}
			t.Fatalf("%s line %d: no item %s", c.platform, line, id)
			return nil
		}
		q, a := find(c.question, c.questionID), find(c.answer, c.replyID)
		if q.Thread != a.Thread || !strings.HasPrefix(q.Thread, string(c.platform)+":") {
			t.Errorf("%s: question in %q, answer in %q", c.platform, q.Thread, a.Thread)
		}
	}
}

func TestMoment(t *testing.T) {
	d := decoder(t, stream.Generic)
	for _, c := range []struct{ raw, want string }{
		{`1715674502`, "2024-05-14T08:15:02.000Z"},
		{`"1715674502"`, "2024-05-14T08:15:02.000Z"},
		{`1715674502.25`, "2024-05-14T08:15:02.250Z"},
		{`1715674502345`, "2024-05-14T08:15:02.345Z"},
		{`"1715674502345"`, "2024-05-14T08:15:02.345Z"},
		{`1715674502345678`, "2024-05-14T08:15:02.345Z"},
		{`1715674502345678901`, "2024-05-14T08:15:02.345Z"},
		{`1.715674502e9`, "2024-05-14T08:15:02.000Z"},
		{`"2024-05-14T08:15:02Z"`, "2024-05-14T08:15:02.000Z"},
		{`"2024-05-14T11:15:02.5+03:00"`, "2024-05-14T08:15:02.500Z"},
		{`"2024-05-14T11:15:02+0300"`, "2024-05-14T08:15:02.000Z"},
		{`"2024-05-14T08:15:02.123456789Z"`, "2024-05-14T08:15:02.123Z"},
		{`"2024-05-14t08:15:02z"`, "2024-05-14T08:15:02.000Z"},
		{`"2024-05-14 08:15:02"`, "2024-05-14T08:15:02.000Z"},
		{`"2024-05-14"`, "2024-05-14T00:00:00.000Z"},
		{`"Tue May 14 08:15:02 +0000 2024"`, "2024-05-14T08:15:02.000Z"},
		{`"Tue May 14 11:15:02 +0300 2024"`, "2024-05-14T08:15:02.000Z"},
		{`"Tue, 14 May 2024 08:15:02 GMT"`, "2024-05-14T08:15:02.000Z"},
		{`"Tue, 14 May 2024 11:15:02 +0300"`, "2024-05-14T08:15:02.000Z"},
		{`"14 May 2024 11:15:02 MSK"`, "2024-05-14T08:15:02.000Z"},
		{`"Tue, 14 May 24 04:15 EDT"`, "2024-05-14T08:15:00.000Z"},
		{`"\u0032024-05-14T08:15:02Z"`, "2024-05-14T08:15:02.000Z"},
		{`0`, "unknown"},
		{`-1715674502`, "unknown"},
		{`1e300`, "unknown"},
		{`99999999999999999999`, "unknown"},
		{`"0000-00-00T00:00:00Z"`, "unknown"},
		{`"Tue May 99 08:15:02 +0000 2024"`, "unknown"},
		{`"Tue Foo 14 08:15:02 +0000 2024"`, "unknown"},
		{`"14 May 2024 11:15:02 FOO"`, "unknown"},
		{`"yesterday"`, "unknown"},
		{`""`, "unknown"},
		{`null`, "unknown"},
		{`true`, "unknown"},
		{`{}`, "unknown"},
		{``, "unknown"},
	} {
		at, ok := moment(d.document.view("", c.raw))
		if at.String() != c.want || ok != (c.want != "unknown") {
			t.Errorf("moment(%s) = %s, %v, want %s", c.raw, at, ok, c.want)
		}
	}
}

// TestTimesInIDs uses ids whose time is known from elsewhere.
func TestTimesInIDs(t *testing.T) {
	for _, c := range []struct {
		name string
		got  stream.Time
		want string
	}{
		{"a tweet of 2019", snowflake("1131172858951024641"), "2019-05-22T12:20:00.406Z"},
		{"the last running numbers", snowflake("29700000000"), "unknown"},
		{"no number", snowflake("abc"), "unknown"},
		{"an id above 63 bits", snowflake("18446744073709551615"), "unknown"},
		{"a status of Mastodon (created_at 23:05:46.839)", mastodonSnowflake("108914327388663283"), "2022-08-30T23:05:47.507Z"},
		{"a running number of Mastodon", mastodonSnowflake("172429"), "unknown"},
		{"a TID", tid("3mptbyospqk2i"), "2026-07-04T14:38:06.690Z"},
		{"another key", tid("self"), "unknown"},
		{"a key of 13 that is no TID", tid("zzzzzzzzzzzzz"), "unknown"},
	} {
		if c.got.String() != c.want {
			t.Errorf("%s: %s, want %s", c.name, c.got, c.want)
		}
	}
}

func TestVKLinks(t *testing.T) {
	for _, c := range []struct{ in, want, mentions string }{
		{"[club1|А] и [id2|Б]", "А и Б", "-1 2"},
		{"[public7|x][event8|y]", "xy", "-7 -8"},
		{"[id5:bp-1_2|Оля], да", "Оля, да", "5"},
		{"[https://example.com|тут], [#alias|слово|https://x.example]", "тут, слово", ""},
		{"[да|нет] [x] ] [ [id|] [id1|a", "[да|нет] [x] ] [ [id|] [id1|a", ""},
		{"[[id1|a]]", "[a]", "1"},
		{"нет ссылок", "нет ссылок", ""},
		{"[id1\n|a]", "[id1\n|a]", ""},
	} {
		var it stream.Item
		got := vkLinks(&it, c.in)
		var ids []string
		for _, m := range it.Mentions {
			ids = append(ids, m.ID)
		}
		if got != c.want || strings.Join(ids, " ") != c.mentions {
			t.Errorf("vkLinks(%q) = %q with %v, want %q with %s", c.in, got, ids, c.want, c.mentions)
		}
	}
}

func TestFewEntities(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "нет": "нет", "&": "&", "a&b;": "a&b;", "&lt;b&gt; &amp; co": "<b> & co", "&amp;lt;": "&lt;", "&quot;&am": "&quot;&am", "&&amp;&": "&&&",
	} {
		if got := fewEntities(in); got != want {
			t.Errorf("fewEntities(%q) = %q, want %q", in, got, want)
		}
	}
}
