package alert_test

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"otklik/schemas/schematest"
	"otklik/stream"
	"otklik/stream/alert"
	"otklik/stream/spike"
)

// members returns the sorted names of the JSON members of a struct.
func members(v any) []string {
	var names []string
	t := reflect.TypeOf(v)
	for f := range t.Fields() {
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "-" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// TestSchema: the schema lists every member of a message and no other, its examples keep it, and so does every message.
func TestSchema(t *testing.T) {
	schema := schematest.Load(t, "../../schemas/alert.schema.json")
	for def, v := range map[string]any{"": alert.Message{}, "why": alert.Why{}, "part": alert.Part{}, "sample": alert.Sample{}} {
		if diff := cmp.Diff(members(v), schema.Members(def)); diff != "" {
			t.Errorf("members of %q (-message +schema):\n%s", def, diff)
		}
	}
	for _, example := range schema.Examples(t) {
		if err := schema.Check(example); err != nil {
			t.Error(err)
		}
	}
	full := &alert.Reason{
		Since: 1, Until: 2, Mentions: 3, Authors: 2, Audience: 70, Words: []alert.Part{{Name: "lost", Count: 3, Excess: 2.5}},
		Voices:  []alert.Part{{Name: "1", Handle: "ann", Count: 1, Excess: -0.5}},
		Samples: []alert.Sample{{Platform: stream.VK, ItemID: "1", PublishedAt: 1, Followers: 7, Severity: 3, Text: "t", URL: "u", Author: "ann"}, {Platform: stream.Generic, ItemID: "2"}},
	}
	n := 0
	for _, rule := range spike.Rules {
		for _, platform := range append([]stream.Platform{""}, stream.Platforms...) {
			for _, event := range []alert.Event{alert.Opened, alert.RaisedWarning, alert.RaisedCritical, alert.Cleared, alert.Withdrawn} {
				for severity := spike.Notice; severity <= spike.Critical; severity++ {
					r := row("a", platform, 0, severity)
					r.Rule = rule
					r.Baseline = spike.Baseline{Level: 0.4, Deviation: 1, Share: 0.2, Threshold: 9.5}
					reason := []*alert.Reason{full, {}, nil}[n%3]
					if event == alert.Cleared {
						r.ClearedAt = r.OpenedAt + stream.Hour
					}
					text, err := json.Marshal(alert.NewMessage(&r, event, reason))
					if err != nil {
						t.Fatal(err)
					}
					if err := schema.Check(text); err != nil {
						t.Errorf("%s\n%v", text, err)
					}
					n++
				}
			}
		}
	}
	for _, wrong := range []string{`{}`, `{"id": "x"}`, `[]`, `"text"`} {
		if schema.Check([]byte(wrong)) == nil {
			t.Errorf("the check takes %s", wrong)
		}
	}
}
