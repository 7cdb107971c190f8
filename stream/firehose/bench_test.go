package firehose

import (
	"testing"

	"github.com/tidwall/gjson"

	"otklik/stream"
)

// BenchmarkDecode decodes one ordinary record of each platform; "twitter_status" is a v1.1 status of the streaming API
// with an extended_tweet, as it comes off the wire (escaped, 3 KB).
func BenchmarkDecode(b *testing.B) {
	for _, c := range []struct {
		name     string
		platform stream.Platform
		file     string
		line     int
	}{
		{"twitter_status", stream.Twitter, "twitter_status.json", 1},
		{"twitter_v2", stream.Twitter, "twitter.jsonl", 13},
		{"vk_streaming", stream.VK, "vk.jsonl", 4},
		{"vk_callback", stream.VK, "vk.jsonl", 3},
		{"facebook", stream.Facebook, "facebook.jsonl", 1},
		{"youtube", stream.YouTube, "youtube.jsonl", 1},
		{"telegram", stream.Telegram, "telegram.jsonl", 1},
		{"bluesky", stream.Bluesky, "bluesky.jsonl", 1},
		{"bluesky_like", stream.Bluesky, "bluesky.jsonl", 8},
		{"mastodon", stream.Mastodon, "mastodon.jsonl", 1},
		{"reddit", stream.Reddit, "reddit.jsonl", 2},
		{"livejournal", stream.LiveJournal, "livejournal.jsonl", 1},
		{"generic", stream.Generic, "generic.jsonl", 1},
	} {
		b.Run(c.name, func(b *testing.B) {
			d := decoder(b, c.platform)
			raw := fixture(b, c.file)[c.line-1]
			items := make([]stream.Item, 0, 8)
			b.SetBytes(int64(len(raw)))
			b.ReportAllocs()
			for b.Loop() {
				var err error
				if items, err = d.Decode(raw, arrived, items[:0]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkReference reads one top level of the same status with gjson, validated and not: the measure that scan and
// value were written against.
func BenchmarkReference(b *testing.B) {
	raw := fixture(b, "twitter_status.json")[0]
	b.Run("scan", func(b *testing.B) {
		b.SetBytes(int64(len(raw)))
		for b.Loop() {
			if _, fault := scan(string(raw), 0); fault != nil {
				b.Fatal(fault)
			}
		}
	})
	b.Run("gjson_valid", func(b *testing.B) {
		b.SetBytes(int64(len(raw)))
		for b.Loop() {
			if !gjson.ValidBytes(raw) {
				b.Fatal("not valid")
			}
		}
	})
	b.Run("gjson_foreach", func(b *testing.B) {
		b.SetBytes(int64(len(raw)))
		b.ReportAllocs()
		for b.Loop() {
			n := 0
			gjson.ParseBytes(raw).ForEach(func(_, _ gjson.Result) bool { n++; return true })
			if n == 0 {
				b.Fatal("no members")
			}
		}
	})
}
