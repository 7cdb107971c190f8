package firehose

import (
	"bytes"
	"testing"

	"otklik/stream"
	"otklik/stream/simulate"
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

// BenchmarkParse checks and walks one top level of the same status: what of BenchmarkDecode is gjson's.
func BenchmarkParse(b *testing.B) {
	raw := string(fixture(b, "twitter_status.json")[0])
	d := decoder(b, stream.Twitter)
	document, fault := d.document.parse(raw)
	if fault != nil {
		b.Fatal(fault)
	}
	b.Run("check", func(b *testing.B) {
		b.SetBytes(int64(len(raw)))
		b.ReportAllocs()
		for b.Loop() {
			if _, fault := d.document.parse(raw); fault != nil {
				b.Fatal(fault)
			}
		}
	})
	b.Run("members", func(b *testing.B) {
		b.SetBytes(int64(len(raw)))
		b.ReportAllocs()
		for b.Loop() {
			n := 0
			for range document.members {
				n++
			}
			if n == 0 {
				b.Fatal("no members")
			}
		}
	})
}

// BenchmarkTweets decodes the stream of simulated v1.1 statuses of about 2 KB.
func BenchmarkTweets(b *testing.B) {
	tweets, err := simulate.NewTweets(simulate.TweetConfig{Seed: 1, MatchShare: 0.5})
	if err != nil {
		b.Fatal(err)
	}
	records := make([][]byte, 512)
	total := 0
	for i := range records {
		raw, _ := tweets.Next()
		records[i] = bytes.Clone(raw)
		total += len(records[i])
	}
	d := decoder(b, stream.Twitter)
	items := make([]stream.Item, 0, 8)
	b.SetBytes(int64(total / len(records)))
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		var err error
		if items, err = d.Decode(records[i%len(records)], arrived, items[:0]); err != nil {
			b.Fatal(err)
		}
		i++
	}
}
