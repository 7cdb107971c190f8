package firehose

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"otklik/stream"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// arrived stands for the record timestamp in all tests: 2024-05-14T09:00:00Z.
const arrived = stream.Time(1715677200000)

// fixture returns the lines of a file of testdata.
func fixture(t testing.TB, name string) [][]byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Split(bytes.TrimSuffix(b, []byte("\n")), []byte("\n"))
}

func decoder(t testing.TB, p stream.Platform) *Decoder {
	t.Helper()
	d, err := New(p)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// describe writes everything that an item says, in the order of its fields, absent ones left out.
func describe(it *stream.Item) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s", it.Kind, it.ID)
	str := func(name, s string) {
		if s != "" {
			fmt.Fprintf(&b, "\n\t%s %q", name, s)
		}
	}
	account := func(name string, a stream.Account) {
		if a != (stream.Account{}) {
			fmt.Fprintf(&b, "\n\t%s %s @%s", name, a.ID, a.Name)
		}
	}
	at := func(name string, t stream.Time) {
		if t != 0 {
			fmt.Fprintf(&b, "\n\t%s %s", name, t)
		}
	}
	count := func(name string, c stream.Count) {
		if c.Known() {
			fmt.Fprintf(&b, "\n\t%s %d", name, c.Value())
		}
	}
	yes := func(name string, is bool) {
		if is {
			fmt.Fprintf(&b, "\n\t%s", name)
		}
	}
	str("origin", it.OriginID)
	account("author", it.Author)
	str("author name", it.AuthorName)
	count("followers", it.Followers)
	yes("community", it.Community)
	yes("bot", it.Bot)
	at("published", it.PublishedAt)
	at("edited", it.EditedAt)
	str("parent", it.ParentID)
	at("parent at", it.ParentAt)
	account("parent author", it.ParentAuthor)
	str("root", it.RootID)
	str("repost of", it.RepostOf)
	account("repost author", it.RepostAuthor)
	str("thread", it.Thread)
	yes("paired", it.Paired)
	account("wall", it.Wall)
	for _, m := range it.Mentions {
		account("mentions", m)
	}
	str("text", it.Text)
	str("lang", it.Lang)
	str("url", it.URL)
	count("likes", it.Likes)
	count("shares", it.Shares)
	count("views", it.Views)
	if it.Joined != 0 {
		fmt.Fprintf(&b, "\n\tjoined %+d", it.Joined)
	}
	count("members", it.Members)
	str("note", it.Note)
	b.WriteByte('\n')
	return b.String()
}

// TestGolden decodes the fixtures of every platform and compares all that the items say.
func TestGolden(t *testing.T) {
	for _, p := range stream.Platforms {
		t.Run(string(p), func(t *testing.T) {
			d := decoder(t, p)
			var got strings.Builder
			for i, line := range fixture(t, string(p)+".jsonl") {
				fmt.Fprintf(&got, "# line %d\n", i+1)
				items, err := d.Decode(line, arrived, nil)
				for k := range items {
					got.WriteString(describe(&items[k]))
				}
				for _, fault := range Faults(err) {
					fmt.Fprintf(&got, "malformed %s\n", fault)
				}
			}
			golden := filepath.Join("testdata", string(p)+".golden")
			if *update {
				if err := os.WriteFile(golden, []byte(got.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatalf("%v: write it with -update and read it before committing", err)
			}
			if diff := cmp.Diff(string(want), got.String()); diff != "" {
				t.Errorf("decoded differently (-want +got):\n%s", diff)
			}
		})
	}
}

// TestInvariants holds for every item of every fixture, whatever it says.
func TestInvariants(t *testing.T) {
	for _, p := range stream.Platforms {
		d := decoder(t, p)
		for i, line := range fixture(t, string(p)+".jsonl") {
			items, err := d.Decode(line, arrived, nil)
			checkDecoded(t, p, line, items, err)
			if t.Failed() {
				t.Fatalf("%s line %d", p, i+1)
			}
		}
	}
}

// checkDecoded is the property that holds of everything that a decoder returns.
func checkDecoded(t *testing.T, p stream.Platform, raw []byte, items []stream.Item, err error) {
	t.Helper()
	faults := Faults(err)
	if len(items) == 0 && len(faults) == 0 {
		t.Errorf("neither an item nor a fault for %.200q", raw)
	}
	if err != nil && len(faults) == 0 {
		t.Errorf("an error that is not Malformed: %v", err)
	}
	for _, fault := range faults {
		if fault.Reason == "" || strings.Trim(fault.Reason, "abcdefghijklmnopqrstuvwxyz_") != "" || fault.Detail == "" || !utf8.ValidString(fault.Detail) {
			t.Errorf("bad fault %+v", fault)
		}
	}
	for k := range items {
		it := &items[k]
		if it.Platform != p {
			t.Errorf("item of platform %q", it.Platform)
		}
		switch it.Kind {
		case stream.Post, stream.Comment, stream.Repost, stream.Edit:
			if it.ID == "" || it.PublishedAt == 0 || it.Thread == "" {
				t.Errorf("%s without id, time or thread: %+v", it.Kind, it)
			}
			if (it.Kind == stream.Edit) != (it.EditedAt != 0) {
				t.Errorf("%s edited at %s", it.Kind, it.EditedAt)
			}
		case stream.Delete:
			if it.ID == "" {
				t.Errorf("delete of nothing: %+v", it)
			}
		case stream.Membership:
			if it.Joined != 1 && it.Joined != -1 {
				t.Errorf("membership without a direction: %+v", it)
			}
		case stream.Reaction, stream.Message, stream.Statistics:
		case stream.Notice, stream.Other:
			if it.Note == "" {
				t.Errorf("%s that does not say what it is: %+v", it.Kind, it)
			}
		default:
			t.Errorf("unknown kind %q", it.Kind)
		}
		if len(it.Text) > MaxText || len(it.ID) > 4*maxID || len(it.Mentions) > maxMentions {
			t.Errorf("too large: text %d, id %d, mentions %d", len(it.Text), len(it.ID), len(it.Mentions))
		}
		for _, s := range []string{it.Text, it.ID, it.Author.ID, it.Author.Name, it.AuthorName, it.Thread, it.ParentID, it.RootID, it.RepostOf, it.Lang, it.URL, it.Note, it.Wall.ID, it.Wall.Name} {
			if !utf8.ValidString(s) || strings.IndexByte(s, 0) >= 0 {
				t.Errorf("unclean string %q in %s %s", s, it.Kind, it.ID)
			}
		}
		if it.Paired && !strings.HasPrefix(it.Thread, string(p)+":") {
			t.Errorf("thread %q", it.Thread)
		}
	}
}

// TestItemsOwnTheirStrings overwrites the record after it was decoded, as a consumer does that reuses its buffer.
func TestItemsOwnTheirStrings(t *testing.T) {
	for _, p := range stream.Platforms {
		d := decoder(t, p)
		for i, line := range fixture(t, string(p)+".jsonl") {
			buf := bytes.Clone(line)
			items, err := d.Decode(buf, arrived, nil)
			want, _ := d.Decode(bytes.Clone(line), arrived, nil)
			wantErr := fmt.Sprint(err)
			for k := range buf {
				buf[k] = '#'
			}
			if diff := cmp.Diff(want, items); diff != "" {
				t.Errorf("%s line %d changes with its record:\n%s", p, i+1, diff)
			}
			if fmt.Sprint(err) != wantErr {
				t.Errorf("%s line %d: the error changes with its record", p, i+1)
			}
		}
	}
}

func TestUnknownPlatform(t *testing.T) {
	if d, err := New("myspace"); err == nil || d != nil {
		t.Fatalf("New(myspace) = %v, %v", d, err)
	}
}

// TestDamage decodes every fixture cut at every so many bytes, and with another object run into it: none may give an item.
func TestDamage(t *testing.T) {
	for _, p := range stream.Platforms {
		d := decoder(t, p)
		for i, line := range fixture(t, string(p)+".jsonl") {
			if _, err := d.Decode(line, arrived, nil); err != nil || !bytes.HasPrefix(line, []byte("{")) {
				continue
			}
			for cut := 1; cut < len(line); cut += 1 + len(line)/97 {
				items, err := d.Decode(line[:cut], arrived, nil)
				if faults := Faults(err); len(items) != 0 || len(faults) != 1 || faults[0].Reason != "malformed_json" {
					t.Fatalf("%s line %d cut at %d: %d items, %v", p, i+1, cut, len(items), err)
				}
			}
			items, err := d.Decode(append(bytes.Clone(line), line...), arrived, nil)
			if faults := Faults(err); len(items) != 0 || len(faults) != 1 || faults[0].Reason != "trailing_data" {
				t.Fatalf("%s line %d twice on one line: %d items, %v", p, i+1, len(items), err)
			}
		}
	}
}

// TestHostile feeds what is built to exhaust a reader.
func TestHostile(t *testing.T) {
	deep := func(n int) string { return strings.Repeat(`{"a":[`, n/2) + strings.Repeat("]}", n/2) }
	for _, p := range stream.Platforms {
		d := decoder(t, p)
		for name, c := range map[string]struct{ raw, reason string }{
			"a million levels":    {strings.Repeat("[", 1_000_000), "too_deep"},
			"1,000 levels":        {deep(1000), "too_deep"},
			"two levels too deep": {deep(maxDepth + 2), "too_deep"},
			"too large":           {`{"text":"` + strings.Repeat("x", MaxRecord) + `"}`, "too_large"},
			"white space":         {" \r\n\t", "empty"},
			"only a mark":         {"\ufeff", "empty"},
			"a raw control":       {"{\"text\":\"a\x00b\"}", "malformed_json"},
			"a scalar":            {"42", "unknown_shape"},
			"an unknown object":   {`{"hello":"world"}`, "unknown_shape"},
		} {
			items, err := d.Decode([]byte(c.raw), arrived, nil)
			if faults := Faults(err); len(items) != 0 || len(faults) != 1 || faults[0].Reason != c.reason {
				t.Errorf("%s, %s: %d items, error %.200v, want %s", p, name, len(items), err, c.reason)
			}
		}
		if _, err := d.Decode([]byte(deep(maxDepth)), arrived, nil); len(Faults(err)) != 1 || Faults(err)[0].Reason == "too_deep" {
			t.Errorf("%s: %d levels are refused: %v", p, maxDepth, err)
		}
	}
}

// TestManyDataLines: an event of many lines is put together once, not once for every line.
func TestManyDataLines(t *testing.T) {
	d := decoder(t, stream.Mastodon)
	record := func(lines int) []byte { return []byte("event: update\n" + strings.Repeat("data: x\n", lines)) }
	few, many := record(100), record(10_000)
	decode := func(raw []byte) func() {
		return func() {
			if items, err := d.Decode(raw, arrived, nil); len(items) != 0 || len(Faults(err)) != 1 {
				t.Fatalf("%d items, error %.200v", len(items), err)
			}
		}
	}
	if a, b := testing.AllocsPerRun(3, decode(few)), testing.AllocsPerRun(3, decode(many)); b > 3*a+50 {
		t.Errorf("%.0f allocations for %d bytes, %.0f for %d", a, len(few), b, len(many))
	}
	items, err := d.Decode([]byte("event: update\ndata: {\"id\":\"1089\",\ndata: \"created_at\":\"2022-08-30T23:05:46.839Z\",\ndata: \"content\":\"words\",\"account\":{\"id\":\"55\",\"acct\":\"anna\"}}\n\nevent: delete\ndata: 1090\n"), arrived, nil)
	if err != nil || len(items) != 2 || items[0].ID != "1089" || items[0].Text != "words" || items[1].ID != "1090" {
		t.Errorf("%+v, %v", items, err)
	}
}

// TestText reads texts that are long or unclean.
func TestText(t *testing.T) {
	d := decoder(t, stream.Generic)
	for _, c := range []struct{ name, raw, want string }{
		{"escapes", `"a\"\\\/\b\f\n\r\tz"`, "a\"\\/\b\f\n\r\tz"},
		{"astral", `"\ud83d\ude00 😀"`, "😀 😀"},
		{"lone high", `"a\ud83dz"`, "a\ufffdz"},
		{"lone low", `"a\ude00z"`, "a\ufffdz"},
		{"high before a letter", `"\ud83d\u0041"`, "\ufffdA"},
		{"two highs, then low", `"\ud83d\ud83d\ude00"`, "\ufffd😀"},
		{"NUL", `"a\u0000b"`, "ab"},
		{"invalid UTF-8", "\"a\xff\xfeb\xc3\"", "a\ufffd\ufffdb\ufffd"},
		{"encoded surrogate", "\"\xed\xa0\x80\"", "\ufffd\ufffd\ufffd"},
		{"10 MB", `"` + strings.Repeat("ы", 5<<20) + `"`, strings.Repeat("ы", MaxText/2)},
		{"10 MB of escapes", `"` + strings.Repeat(`\u044b`, 2<<20) + `"`, strings.Repeat("ы", MaxText/2)},
		{"cut within a rune", `"a` + strings.Repeat("ы", MaxText/2) + `"`, "a" + strings.Repeat("ы", MaxText/2-1)},
		{"cut within an escaped rune", `"abc` + strings.Repeat(`\ud83d\ude00`, MaxText/4) + `"`, "abc" + strings.Repeat("😀", MaxText/4-1)},
	} {
		items, err := d.Decode([]byte(`{"id":"1","published_at":1772355600,"text":`+c.raw+`}`), arrived, nil)
		if err != nil || len(items) != 1 {
			t.Errorf("%s: %d items, %v", c.name, len(items), err)
			continue
		}
		if got := items[0].Text; got != c.want {
			t.Errorf("%s: text of %d bytes %.60q, want %d bytes %.60q", c.name, len(got), got, len(c.want), c.want)
		}
	}
}

// TestBrokenElementKeepsTheRest checks the promise of Decode about records of several elements.
func TestBrokenElementKeepsTheRest(t *testing.T) {
	d := decoder(t, stream.Generic)
	before := []stream.Item{{ID: "before"}}
	items, err := d.Decode([]byte(`[{"id":"1","published_at":1772355600},{"id":"2"},{"published_at":1772355600},{"id":"4","published_at":1772355600}]`), arrived, before)
	var ids, reasons []string
	for _, it := range items {
		ids = append(ids, it.ID)
	}
	for _, fault := range Faults(err) {
		reasons = append(reasons, fault.Reason)
	}
	if diff := cmp.Diff([]string{"before", "1", "4"}, ids); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"no_time", "no_id"}, reasons); diff != "" {
		t.Error(diff)
	}
	if items, err := d.Decode([]byte(`[{"id":"1","published_at":1772355600},`), arrived, before); len(items) != 1 || err == nil {
		t.Errorf("a cut record gave %d items, %v", len(items), err)
	}
}
