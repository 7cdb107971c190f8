package firehose

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"otklik/stream"
)

// TestManyTweetsOfOneUser: what a user in the includes has beside its names is not read again for each of its tweets.
func TestManyTweetsOfOneUser(t *testing.T) {
	const tweets = 8000
	record := func(members int) []byte {
		var user strings.Builder
		for i := range members {
			fmt.Fprintf(&user, `"k%d":1,`, i)
		}
		list := strings.Repeat(`{"id":"1131172858951024641","author_id":"2","text":"words"},`, tweets)
		return []byte(`{"data":[` + strings.TrimSuffix(list, ",") + `],"includes":{"users":[{` + user.String() +
			`"id":"2","name":"Anna","username":"anna","public_metrics":{"followers_count":7}}]}}`)
	}
	d, err := New(stream.Twitter)
	if err != nil {
		t.Fatal(err)
	}
	took := func(raw []byte) time.Duration {
		start := time.Now()
		items, err := d.Decode(raw, 1, nil)
		if err != nil || len(items) != tweets || items[tweets-1].Author.Name != "anna" || items[0].AuthorName != "Anna" || items[0].Followers != stream.CountOf(7) {
			t.Fatalf("%d items, %v", len(items), err)
		}
		return time.Since(start)
	}
	if a, b := took(record(1)), took(record(20_000)); b > 20*a+500*time.Millisecond {
		t.Errorf("%s for a small user, %s for one with many members", a, b)
	}
}
