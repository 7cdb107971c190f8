package firehose

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"otklik/stream"
)

const (
	tweetRecord  = `{"id":1131172858951024641,"id_str":"1131172858951024641","created_at":"Wed May 22 12:20:00 +0000 2019","text":"words","user":{"id":7,"id_str":"7","screen_name":"anna"}}`
	wallRecord   = `{"type":"wall_post_new","object":{"id":151,"from_id":-72641161,"owner_id":-72641161,"date":1481722658,"text":"words"},"group_id":72641161}`
	updateRecord = `{"update_id":1,"channel_post":{"message_id":21,"chat":{"id":-1001241558182,"type":"channel"},"date":1529757150,"text":"words"}}`
	skeetRecord  = `{"did":"did:plc:abc","time_us":1725911162329308,"kind":"commit","commit":{"operation":"create","collection":"app.bsky.feed.post","rkey":"3l3q","record":{"text":"words","createdAt":"2024-09-09T19:46:02.102Z"}}}`
	tootRecord   = `{"event":"update","payload":"{\"id\":\"1089\",\"created_at\":\"2022-08-30T23:05:46.839Z\",\"content\":\"words\",\"account\":{\"id\":\"55\",\"acct\":\"anna\"}}"}`
	entryRecord  = `{"guid":"https:\/\/anna.example\/1.html","title":"words","published":"2017-09-06T18:24:52Z"}`
)

// before returns what stands before a word.
func before(s, word string) string {
	s, _, _ = strings.Cut(s, word)
	return s
}

// TestIdentities: whatever is wrong with a record, the ids of what it holds are found.
func TestIdentities(t *testing.T) {
	const id = "1131172858951024641"
	two := strings.ReplaceAll(tweetRecord, id, "22")
	for _, c := range []struct {
		name     string
		platform stream.Platform
		record   string
		want     []string // all of them
		among    []string // some of them
	}{
		{"valid", stream.Twitter, tweetRecord, []string{id}, nil},
		{"a list", stream.Twitter, "[" + tweetRecord + "," + two + "]", []string{id, "22"}, nil},
		{"no time", stream.Twitter, strings.Replace(tweetRecord, "created_at", "made_at", 1), []string{id}, nil},
		{"a bad time", stream.VK, strings.Replace(wallRecord, "1481722658", `"yesterday"`, 1), []string{"-72641161_151"}, nil},
		{"a broken sibling", stream.Twitter, "[" + tweetRecord + "," + strings.Replace(two, "created_at", "made_at", 1) + `,{"text":"of nobody"}]`, nil, []string{id, "22"}},
		{"only a delete", stream.Twitter, `[{"delete":{"status":{"id":5,"id_str":"5","user_id":7}}},` + strings.Replace(two, "created_at", "made_at", 1) + "]", []string{"22"}, nil},
		{"run together", stream.VK, wallRecord + strings.Replace(wallRecord, "151", "152", 1), nil, []string{"-72641161_151", "-72641161_152"}},
		{"cut in the text", stream.VK, wallRecord[:strings.Index(wallRecord, "words")+2], nil, []string{"-72641161_151"}},
		{"cut, then run together", stream.Twitter, tweetRecord[:strings.Index(tweetRecord, "words")+2] + two, nil, []string{id, "22"}},
		{"a line break in a string", stream.Telegram, strings.Replace(updateRecord, "words", "two\nlines", 1), []string{"-1001241558182_21"}, nil},
		{"a senseless escape", stream.Bluesky, strings.Replace(skeetRecord, "words", `a\x b \u12`, 1), nil, []string{"at://did:plc:abc/app.bsky.feed.post/3l3q"}},
		{"a quote within", stream.Twitter, strings.Replace(tweetRecord, `"words"`, `"he said "never" to me"`, 1), nil, []string{id}},
		{"no comma", stream.Bluesky, strings.Replace(skeetRecord, `308,`, `308 `, 1), nil, []string{"at://did:plc:abc/app.bsky.feed.post/3l3q"}},
		{"nested deeply", stream.VK, strings.Replace(wallRecord, `"words"`, `"words","deep":`+strings.Repeat(`{"a":`, 400)+"1"+strings.Repeat("}", 400), 1), nil, []string{"-72641161_151"}},
		{"in an envelope", stream.Telegram, `{"topic":"x","body":{"data":[` + updateRecord + `]}}`, nil, []string{"-1001241558182_21"}},
		{"a log line", stream.Telegram, `2024-01-01 [main] got ` + updateRecord, nil, []string{"-1001241558182_21"}},
		{"of another platform", stream.VK, tweetRecord, nil, nil},
		{"of another platform", stream.Mastodon, tweetRecord, nil, []string{id}},
		{"a payload that is cut", stream.Mastodon, before(tootRecord, "words"), nil, []string{"1089"}},
		{"a stream that is cut", stream.Mastodon, "event: update\ndata: {\"id\":\"1089\",\"content\":\"wor", nil, []string{"1089"}},
		{"slashes as PHP writes them", stream.LiveJournal, before(entryRecord, "words"), nil, []string{"https://anna.example/1.html"}},
		{"a bare id", stream.Reddit, `{"kind":"t1","data":{"id":"abc","body":"wor`, nil, []string{"t1_abc"}},
		{"Gnip", stream.Twitter, `{"id":"tag:search.twitter.com,2005:77","body":"wor`, nil, []string{"77"}},
		{"an id that is cut", stream.Generic, `{"id":"12`, []string{}, nil},
		{"a number that is cut", stream.Generic, `{"id":12`, []string{}, nil},
		{"no JSON", stream.Generic, "hello", []string{}, nil},
		{"nothing", stream.Generic, "", []string{}, nil},
	} {
		t.Run(string(c.platform)+" "+c.name, func(t *testing.T) {
			d, err := New(c.platform)
			if err != nil {
				t.Fatal(err)
			}
			got := d.Identities([]byte(c.record))
			slices.Sort(c.want)
			if slices.Sort(got); c.want != nil && !slices.Equal(got, c.want) {
				t.Errorf("found %q, want %q", got, c.want)
			}
			for _, id := range c.among {
				if !slices.Contains(got, id) {
					t.Errorf("found %q without %q", got, id)
				}
			}
		})
	}
}

// TestIdentitiesOfCutRecords: of most real records that are cut somewhere behind their middle, the ids are found; of the others they stand in
// what is missing.
func TestIdentitiesOfCutRecords(t *testing.T) {
	records, cuts, found := 0, 0, 0
	for _, w := range corpusWants {
		p := stream.Platform(filepath.Dir(w.file))
		d, err := New(p)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(corpusFile(t, w.file))) {
			items, err := d.Decode([]byte(line), 1, nil)
			if err != nil || len(items) != 1 || items[0].Kind == stream.Delete || items[0].ID == "" || items[0].Text == "" {
				continue
			}
			whole := d.Identities([]byte(line))
			if !slices.Equal(whole, []string{items[0].Identity()}) {
				t.Errorf("%s: %q of %q", w.file, whole, items[0].Identity())
			}
			records++
			for at := len(line) / 2; at < len(line)-2; at += len(line)/20 + 1 {
				cuts++
				if slices.Contains(d.Identities([]byte(line[:at])), items[0].Identity()) {
					found++
				}
			}
		}
	}
	t.Logf("%d records, %d cuts, %d found", records, cuts, found)
	if records < 50 || found*5 < cuts*4 {
		t.Errorf("of %d cut records only %d name their item", cuts, found)
	}
}

// TestIdentitiesAreBounded: what a hostile record costs grows with its size and no faster.
func TestIdentitiesAreBounded(t *testing.T) {
	for name, record := range map[string]string{
		"objects":  strings.Repeat("{}", 1<<19),
		"brackets": strings.Repeat("[", 1<<24), // a stack would not hold so many calls
		"nested":   strings.Repeat(strings.Repeat(`{"a":`, 200)+"1"+strings.Repeat("}", 200)+",", 500),
		"quotes":   strings.Repeat(`"id":"`, 1<<17),
		"escapes":  strings.Repeat(`"\`, 1<<18),
		"ids":      strings.Repeat(`{"id":"/\/\/`, 1<<15),
	} {
		t.Run(name, func(t *testing.T) {
			d, err := New(stream.Twitter)
			if err != nil {
				t.Fatal(err)
			}
			size := 0
			f := finder{decoder: d, seen: map[string]bool{}, budget: 1 << 40}
			mend(record, func(text string) { size += len(text) })
			if f.scan(record); size > 2*len(record) {
				t.Errorf("mended to %d bytes of %d", size, len(record))
			}
			d.Identities([]byte(record))
		})
	}
}

func FuzzIdentities(f *testing.F) {
	for _, record := range []string{tweetRecord, wallRecord, updateRecord, skeetRecord, tootRecord, entryRecord} {
		f.Add([]byte(record), uint8(0))
		f.Add([]byte(record[:len(record)/2]), uint8(3))
	}
	f.Fuzz(func(t *testing.T, raw []byte, n uint8) {
		mend(string(raw), func(text string) {
			if !json.Valid([]byte(text)) || !gjson.Valid(text) {
				t.Errorf("mended %q to %q", raw, text)
			}
			if deeper(text, maxDepth) >= 0 {
				t.Errorf("mended to something deep")
			}
		})
		d, err := New(stream.Platforms[int(n)%len(stream.Platforms)])
		if err != nil {
			t.Fatal(err)
		}
		found := d.Identities(raw)
		items, err := d.Decode(raw, 1, nil)
		for i := range items {
			if id := items[i].Identity(); items[i].Kind != stream.Delete && strings.TrimSpace(id) != "" && !slices.Contains(found, strings.TrimSpace(id)) {
				t.Errorf("%q is not among %q", id, found)
			}
		}
		for _, m := range Faults(err) {
			if m.Item != "" && !slices.Contains(found, strings.TrimSpace(m.Item)) {
				t.Errorf("the rejected %q is not among %q", m.Item, found)
			}
		}
	})
}

func BenchmarkIdentities(b *testing.B) {
	long := strings.Replace(tweetRecord, "words", strings.Repeat("words ", 300), 1)
	for _, c := range []struct{ name, record string }{
		{"future", long}, {"cut", long[:len(long)-100]}, {"garbage", strings.Repeat("words ", 350)}, {"unknown", `{"x":` + long + "}"},
	} {
		b.Run(c.name, func(b *testing.B) {
			d, err := New(stream.Twitter)
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(len(c.record)))
			for b.Loop() {
				d.Identities([]byte(c.record))
			}
		})
	}
}
