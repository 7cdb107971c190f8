package firehose

import (
	"bytes"
	"testing"

	"otklik/stream"
)

// fuzz feeds a decoder with damaged fixtures: it never panics, and whatever it returns has the properties of
// checkDecoded. A decoder that has just failed must decode the next record as a fresh one does.
func fuzz(f *testing.F, p stream.Platform) {
	f.Helper()
	for _, line := range fixture(f, string(p)+".jsonl") {
		if len(line) < 1<<14 {
			f.Add(line)
		}
	}
	used, err := New(p)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		before := bytes.Clone(raw)
		items, err := used.Decode(raw, arrived, nil)
		checkDecoded(t, p, raw, items, err)
		if !bytes.Equal(before, raw) {
			t.Error("the record was changed")
		}
		fresh, _ := decoder(t, p).Decode(raw, arrived, nil)
		if len(fresh) != len(items) {
			t.Errorf("a used decoder gives %d items, a fresh one %d", len(items), len(fresh))
		}
	})
}

func FuzzTwitter(f *testing.F)     { fuzz(f, stream.Twitter) }
func FuzzVK(f *testing.F)          { fuzz(f, stream.VK) }
func FuzzFacebook(f *testing.F)    { fuzz(f, stream.Facebook) }
func FuzzYouTube(f *testing.F)     { fuzz(f, stream.YouTube) }
func FuzzTelegram(f *testing.F)    { fuzz(f, stream.Telegram) }
func FuzzBluesky(f *testing.F)     { fuzz(f, stream.Bluesky) }
func FuzzMastodon(f *testing.F)    { fuzz(f, stream.Mastodon) }
func FuzzReddit(f *testing.F)      { fuzz(f, stream.Reddit) }
func FuzzLiveJournal(f *testing.F) { fuzz(f, stream.LiveJournal) }
func FuzzGeneric(f *testing.F)     { fuzz(f, stream.Generic) }
