package simulate

import (
	"testing"

	"otklik/stream"
	"otklik/stream/brand"
	"otklik/stream/firehose"
)

func TestTweets(t *testing.T) {
	const n, share = 20_000, 0.3
	tweets, err := NewTweets(TweetConfig{Seed: 3, MatchShare: share, Rate: 1000})
	if err != nil {
		t.Fatal(err)
	}
	d, err := firehose.New(stream.Twitter)
	if err != nil {
		t.Fatal(err)
	}
	m, err := brand.NewMatcher(brand.Example())
	if err != nil {
		t.Fatal(err)
	}
	var scratch brand.Scratch
	ids := map[string]bool{}
	matched, size := 0, 0
	for i := range n {
		raw, at := tweets.Next()
		size += len(raw)
		if want := DefaultDay + stream.Time(i); at != want {
			t.Fatalf("tweet %d is of %v, not of %v", i, at, want)
		}
		items, err := d.Decode(raw, at, nil)
		if err != nil || len(items) != 1 {
			t.Fatalf("%s\n%d items, %v", raw, len(items), err)
		}
		it := &items[0]
		if it.Kind != stream.Post || it.PublishedAt != at || ids[it.ID] {
			t.Fatalf("%s\ndecoded to %+v", raw, it)
		}
		ids[it.ID] = true
		if len(m.Match(it, &scratch)) > 0 {
			matched++
		}
	}
	if got := float64(matched) / n; got < share-0.02 || got > share+0.02 {
		t.Errorf("%.3f of the tweets name a brand, not %.3f", got, share)
	}
	if mean := size / n; mean < 1900 || mean > 2400 {
		t.Errorf("a tweet has %d bytes", mean)
	}
	for _, bad := range []TweetConfig{{MatchShare: 1.5}, {Rate: -1}, {Authors: 2_000_000}} {
		if _, err := NewTweets(bad); err == nil {
			t.Errorf("%+v is accepted", bad)
		}
	}
}

func BenchmarkTweets(b *testing.B) {
	tweets, err := NewTweets(TweetConfig{Seed: 1, MatchShare: 0.3})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		raw, _ := tweets.Next()
		b.SetBytes(int64(len(raw)))
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
}
