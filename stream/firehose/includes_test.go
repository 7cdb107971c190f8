package firehose

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"otklik/stream"
)

// TestManyItemsOfOneInclude: what a user, a profile or a tweet beside the items has of no interest is not read again for each item.
func TestManyItemsOfOneInclude(t *testing.T) {
	const items = 8000
	for _, c := range []struct {
		name     string
		platform stream.Platform
		// A record is before, the item so often, between, members without a meaning, and after.
		before, item, between, after string
		holds                        func(it *stream.Item) bool
	}{
		{
			"user", stream.Twitter, `{"data":[`, `{"id":"1131172858951024641","author_id":"2","text":"words"}`, `],"includes":{"users":[{`,
			`"id":"2","name":"Anna","username":"anna","public_metrics":{"followers_count":7}}]}}`,
			func(it *stream.Item) bool {
				return it.Author.Name == "anna" && it.AuthorName == "Anna" && it.Followers == stream.CountOf(7)
			},
		},
		{
			"tweet", stream.Twitter, `{"data":[`,
			`{"id":"1131172858951024641","author_id":"2","text":"RT","referenced_tweets":[{"type":"retweeted","id":"1131172858951024600"}]}`,
			`],"includes":{"tweets":[{`, `"id":"1131172858951024600","author_id":"3","text":"all words"}]}}`,
			func(it *stream.Item) bool {
				return it.RepostOf == "1131172858951024600" && it.RepostAuthor.ID == "3" && it.Text == "all words"
			},
		},
		{
			"profile", stream.VK, `{"response":{"items":[`, `{"id":5,"owner_id":2,"from_id":2,"date":1500000000,"post_type":"post","text":"words"}`,
			`],"profiles":[{`, `"id":2,"first_name":"Anna","last_name":"K","screen_name":"anna","followers_count":7}]}}`,
			func(it *stream.Item) bool {
				return it.Author.Name == "anna" && it.AuthorName == "Anna K" && it.Followers == stream.CountOf(7)
			},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			record := func(members int) []byte {
				var b strings.Builder
				b.WriteString(c.before + strings.TrimSuffix(strings.Repeat(c.item+",", items), ",") + c.between)
				for i := range members {
					fmt.Fprintf(&b, `"k%d":1,`, i)
				}
				b.WriteString(c.after)
				return []byte(b.String())
			}
			d, err := New(c.platform)
			if err != nil {
				t.Fatal(err)
			}
			took := func(raw []byte) time.Duration {
				start := time.Now()
				got, err := d.Decode(raw, 1, nil)
				if err != nil || len(got) != items || !c.holds(&got[0]) || !c.holds(&got[items-1]) {
					t.Fatalf("%d items, %v; the first is %+v", len(got), err, got[:min(1, len(got))])
				}
				return time.Since(start)
			}
			if a, b := took(record(1)), took(record(20_000)); b > 20*a+500*time.Millisecond {
				t.Errorf("%s where it is small, %s where it has many members", a, b)
			}
		})
	}
}

// TestIDBehindNull: an account whose id_str is null has the id that comes later.
func TestIDBehindNull(t *testing.T) {
	d, err := New(stream.Twitter)
	if err != nil {
		t.Fatal(err)
	}
	const user = `{"id_str":null,"screen_name":"anna","name":"Anna","followers_count":7,"id":2}`
	items, err := d.Decode([]byte(`{"id_str":"1131172858951024641","text":"RT","user":`+user+`,"retweeted_status":{"id_str":"1131172858951024600","text":"words","user":`+user+`}}`), 1, nil)
	if err != nil || len(items) != 1 || items[0].Author.ID != "2" || items[0].RepostAuthor.ID != "2" {
		t.Errorf("%+v, %v", items, err)
	}
}

// TestProfileWithoutID: a profile without an id is nobody's, also not that of a comment without an author.
func TestProfileWithoutID(t *testing.T) {
	d, err := New(stream.VK)
	if err != nil {
		t.Fatal(err)
	}
	items, err := d.Decode([]byte(`{"response":{"items":[{"id":6,"post_id":5,"owner_id":-1,"date":1500000000,"text":"words"}],`+
		`"profiles":[{"first_name":"Anna","screen_name":"anna"}]}}`), 1, nil)
	if err != nil || len(items) != 1 || items[0].Author.Name != "" || items[0].AuthorName != "" {
		t.Errorf("%+v, %v", items, err)
	}
}
