package firehose

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/tidwall/gjson"

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

// BenchmarkParse makes the index and walks the first level of the same status: what of BenchmarkDecode is not Twitter's.
func BenchmarkParse(b *testing.B) {
	raw := string(fixture(b, "twitter_status.json")[0])
	d := decoder(b, stream.Twitter)
	document, fault := d.document.parse(raw)
	if fault != nil {
		b.Fatal(fault)
	}
	b.Run("index", func(b *testing.B) {
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

// someTweets returns simulated v1.1 statuses of about 2 KB.
func someTweets(b *testing.B) (records [][]byte, size int64) {
	b.Helper()
	tweets, err := simulate.NewTweets(simulate.TweetConfig{Seed: 1, MatchShare: 0.5})
	if err != nil {
		b.Fatal(err)
	}
	total := 0
	for range 512 {
		raw, _ := tweets.Next()
		records = append(records, bytes.Clone(raw))
		total += len(raw)
	}
	return records, int64(total / len(records))
}

// BenchmarkTweets decodes the stream of simulated statuses, and beside it does what other readers of JSON need at least: gjson
// checks a record and walks its first level, encoding/json checks it, and reads the text and its author into a struct.
func BenchmarkTweets(b *testing.B) {
	records, size := someTweets(b)
	d := decoder(b, stream.Twitter)
	items := make([]stream.Item, 0, 8)
	readers := []struct {
		name string
		read func(raw []byte) bool
	}{
		{"decode", func(raw []byte) bool {
			var err error
			items, err = d.Decode(raw, arrived, items[:0])
			return err == nil
		}},
		{"gjson", func(raw []byte) bool {
			members := 0
			gjson.ParseBytes(raw).ForEach(func(_, _ gjson.Result) bool { members++; return true })
			return gjson.ValidBytes(raw) && members > 0
		}},
		{"encoding_json_valid", json.Valid},
		{"encoding_json", func(raw []byte) bool {
			var status struct {
				ID   string `json:"id_str"`
				Text string `json:"text"`
				User struct {
					ID   string `json:"id_str"`
					Name string `json:"screen_name"`
				} `json:"user"`
			}
			return json.Unmarshal(raw, &status) == nil
		}},
	}
	for _, r := range readers {
		b.Run(r.name, func(b *testing.B) {
			b.SetBytes(size)
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				if !r.read(records[i%len(records)]) {
					b.Fatal("not read")
				}
				i++
			}
		})
	}
	// On a machine that does other work too, only the quickest of many short rounds in turn compare.
	b.Run("ratio", func(b *testing.B) {
		best := make([]time.Duration, len(readers))
		for i := 0; b.Loop(); i += 64 {
			for k, r := range readers {
				start := time.Now()
				for j := range 64 {
					r.read(records[(i+j)%len(records)])
				}
				if took := time.Since(start); best[k] == 0 || took < best[k] {
					best[k] = took
				}
			}
		}
		for k, r := range readers[1:] {
			b.ReportMetric(float64(best[0])/float64(best[k+1]), "×"+r.name)
		}
	})
}
