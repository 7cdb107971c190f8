package firehose

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"testing"

	"otklik/stream"
)

// schemaNode is the part of a JSON Schema that the test reads.
type schemaNode struct {
	Description string                `json:"description"`
	Required    []string              `json:"required"`
	Properties  map[string]schemaNode `json:"properties"`
	OneOf       []schemaNode          `json:"oneOf"`
	Enum        []any                 `json:"enum"`
	Examples    []json.RawMessage     `json:"examples"`
}

// TestGenericSchema keeps schemas/generic.schema.json and the decoder in step: every property of the schema is
// described and changes what is decoded, the kinds are the same, and the examples decode.
func TestGenericSchema(t *testing.T) {
	b, err := os.ReadFile("../../schemas/generic.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var schema schemaNode
	if err := json.Unmarshal(b, &schema); err != nil {
		t.Fatal(err)
	}
	d := decoder(t, stream.Generic)
	decode := func(record map[string]any) string {
		raw, err := json.Marshal(record)
		if err != nil {
			t.Fatal(err)
		}
		items, err := d.Decode(raw, arrived, nil)
		s := fmt.Sprint(err)
		for k := range items {
			s += describe(&items[k])
		}
		return s
	}
	base := func() map[string]any { return map[string]any{"id": "1", "published_at": 1772355600} }
	samples := map[string]any{
		"id": "2", "kind": "comment", "published_at": 1772355601, "edited_at": 1772355700, "deleted": true, "title": "t", "text": "t", "html": "<p>t",
		"lang": "ru", "url": "u", "parent_id": "p", "parent_at": 1772355000, "parent_author": "a", "root_id": "r", "thread": "t", "repost_of": "r", "repost_author": "a",
		"site": "s", "mentions": []string{"a"}, "likes": 0, "shares": 0, "views": 0, "members": 0, "joined": 1, "note": "n", "author": map[string]any{"id": "1"},
	}
	for name, property := range schema.Properties {
		if property.Description == "" {
			t.Errorf("property %s is not described", name)
		}
		sample, ok := samples[name]
		if !ok {
			t.Errorf("the test has no sample of property %s", name)
			continue
		}
		before, after := base(), base()
		if name == "joined" {
			before["kind"], after["kind"] = "membership", "membership"
		}
		after[name] = sample
		if decode(before) == decode(after) {
			t.Errorf("the decoder ignores property %s", name)
		}
	}
	for name, sample := range map[string]any{"id": "1", "name": "n", "display_name": "d", "followers": 0, "community": true, "bot": true} {
		record := base()
		record["author"] = map[string]any{name: sample}
		if decode(base()) == decode(record) {
			t.Errorf("the decoder ignores author.%s", name)
		}
	}
	if got, want := slices.Sorted(maps.Keys(schema.Properties["author"].OneOf[1].Properties)), []string{"bot", "community", "display_name", "followers", "id", "name"}; !slices.Equal(got, want) {
		t.Errorf("author has the properties %v, the decoder reads %v", got, want)
	}
	var kinds []stream.Kind
	for _, kind := range schema.Properties["kind"].Enum {
		kinds = append(kinds, stream.Kind(fmt.Sprint(kind)))
	}
	if !slices.Equal(kinds, genericKinds) {
		t.Errorf("kinds of the schema %v, of the decoder %v", kinds, genericKinds)
	}
	if !slices.Equal(schema.Required, []string{"id", "published_at"}) {
		t.Errorf("required: %v", schema.Required)
	}
	for _, example := range schema.Examples {
		if items, err := d.Decode(example, arrived, nil); err != nil || len(items) != 1 {
			t.Errorf("the example %s gives %d items, %v", example, len(items), err)
		}
	}
}
