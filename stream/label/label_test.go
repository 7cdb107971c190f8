package label

import (
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"otklik/stream"
)

func example() Message {
	return Message{
		MentionName: stream.MentionName{Platform: stream.VK, ItemID: "-1_2", Brand: "north"},
		Correction:  stream.Correction{Label: stream.Negative, By: "Анна", At: 1772463845123, Note: "ирония"},
	}
}

func TestParseReadsWhatAppendWrites(t *testing.T) {
	for l := stream.Unlabelled; l <= stream.Negative; l++ {
		m := example()
		m.Label = l
		b, err := Append(nil, &m)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := Parse(b); err != nil || got != m {
			t.Errorf("%s: %+v, %v", b, got, err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	m := example()
	good, err := Append(nil, &m)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ from, to, reason, detail string }{
		{string(good), "", "malformed_json", ""},
		{string(good), "[]", "bad_label", "object"},
		{string(good), string(good) + "}", "malformed_json", ""},
		{`"negative"`, `"angry"`, "bad_label", `"angry"`},
		{`"negative"`, `3`, "bad_label", "label is of the type number"},
		{`"vk"`, `"myspace"`, "bad_label", "myspace"},
		{`"-1_2"`, `""`, "bad_label", "item_id is missing"},
		{`"-1_2"`, `"` + strings.Repeat("1", maxItemID+1) + `"`, "bad_label", "2049 bytes"},
		{`"north"`, `null`, "bad_label", "brand is missing"},
		{`"Анна"`, `" "`, "bad_label", "by is missing"},
		{`2026-`, `yesterday`, "bad_label", "at is"},
		{`2026-`, `0001-`, "bad_label", "nobody"},
	} {
		text := strings.Replace(string(good), test.from, test.to, 1)
		_, err := Parse([]byte(text))
		fault, ok := errors.AsType[*Error](err)
		if !ok || fault.Reason != test.reason || !strings.Contains(fault.Detail, test.detail) {
			t.Errorf("%s: %v, want %s with %q", text, err, test.reason, test.detail)
		}
	}
}

// TestSchema: the schema for people names the members that Parse reads, and its example is one.
func TestSchema(t *testing.T) {
	text, err := os.ReadFile("../../schemas/label.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var schema struct {
		Required   []string
		Properties map[string]struct {
			Enum      []string
			MaxLength int
		}
		Examples []json.RawMessage
	}
	if err := json.Unmarshal(text, &schema); err != nil {
		t.Fatal(err)
	}
	for _, e := range schema.Examples {
		if _, err := Parse(e); err != nil {
			t.Errorf("%s: %v", e, err)
		}
	}
	var platforms []string
	for _, p := range stream.Platforms {
		platforms = append(platforms, string(p))
	}
	if got := schema.Properties["platform"].Enum; !slices.Equal(got, platforms) {
		t.Errorf("platforms %v, want %v", got, platforms)
	}
	if schema.Properties["note"].MaxLength != maxNote || schema.Properties["by"].MaxLength != maxBy || schema.Properties["item_id"].MaxLength != maxItemID {
		t.Error("the bounds of the schema are others")
	}
	var full map[string]string
	m := example()
	b, err := Append(nil, &m)
	if err != nil || json.Unmarshal(b, &full) != nil {
		t.Fatal(err)
	}
	if len(full) != len(schema.Properties) || len(schema.Required) != len(full)-1 {
		t.Errorf("a message has the members %v, the schema %v", full, schema.Properties)
	}
}

func TestReadTable(t *testing.T) {
	base := Message{MentionName: stream.MentionName{Brand: "north"}, Correction: stream.Correction{By: "anna", At: 5}}
	read := func(text string) []Row {
		t.Helper()
		rows, err := ReadTable(strings.NewReader(text), base)
		if err != nil {
			t.Errorf("%q: %v", text, err)
		}
		return rows
	}
	want := []Row{
		{1, Message{stream.MentionName{Platform: stream.VK, ItemID: "1", Brand: "south"}, stream.Correction{Label: stream.Negative, By: "anna", At: 5, Note: "irony"}}},
		{3, Message{stream.MentionName{Platform: stream.Twitter, ItemID: "2", Brand: "north"}, stream.Correction{Label: stream.Unlabelled, By: "anna", At: 5}}},
	}
	if got := read("vk\t1\tsouth\tnegative\tirony\r\n\nTwitter\t2\t\tUnlabelled"); !slices.Equal(got, want) {
		t.Errorf("%+v", got)
	}
	want[0].Line = 2
	if got := read("\ufeffLabel\titem_id\tnote\tplatform\tbrand\nnegative\t1\tirony\tvk\tsouth\nunlabelled\t2\t\ttwitter\n"); !slices.Equal(got, want) {
		t.Errorf("with a header: %+v", got)
	}
	if got := read(""); len(got) != 0 {
		t.Errorf("an empty table: %+v", got)
	}
	rows, err := ReadTable(strings.NewReader("vk\t1\tsouth\tnegative\nvk\t1\tsouth\tneutral\nicq\t2\t\tgood\na\tb\tc\td\te\tf\n"), base)
	if rows != nil || err == nil {
		t.Fatalf("%v, %v", rows, err)
	}
	for _, part := range []string{"line 2: the same mention as in line 1", `line 3: label is "good"`, `line 3: platform is "icq"`, "line 4: 6 columns"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q is missing in: %v", part, err)
		}
	}
	for want, text := range map[string]string{
		"two columns are called label": "label\tplatform\titem_id\tbrand\tlabel\npositive\tvk\t1\tsouth\tnegative\n",
		"line 2 is longer":             "vk\t1\tsouth\tnegative\n" + strings.Repeat("x", maxLine) + "\n",
	} {
		if _, err := ReadTable(strings.NewReader(text), base); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if _, err := ReadTable(strings.NewReader(strings.Repeat("x\n", 100)), base); err == nil || strings.Count(err.Error(), "\n") != maxFaults {
		t.Errorf("many faults: %v", err)
	}
}
