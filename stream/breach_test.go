package stream_test

import (
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"otklik/stream"
)

func TestBreachesDoNotDependOnTheOrderOfDelivery(t *testing.T) {
	version := func(at stream.Time, excerpt string, rules ...string) *stream.Mention {
		return &stream.Mention{Item: stream.Item{EditedAt: at}, Violations: rules, Excerpt: excerpt}
	}
	versions := []*stream.Mention{
		version(0, "first", "phone_number"), version(10, ""), version(20, "third", "phone_number", "unapproved_account"), version(20, "third", "phone_number", "unapproved_account"),
	}
	want := []stream.Breach{{"phone_number", 0, "first"}, {"phone_number", 20, "third"}, {"unapproved_account", 20, "third"}}
	for range 20 {
		rand.Shuffle(len(versions), func(i, j int) { versions[i], versions[j] = versions[j], versions[i] })
		var got []stream.Breach
		for _, v := range versions {
			got = stream.MergeBreaches(got, stream.BreachesOf(v))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
	}
}
