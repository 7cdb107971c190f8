package claim_test

import (
	"encoding/json"
	"errors"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"otklik/stream"
	"otklik/stream/claim"
)

func answer() claim.Answer {
	return claim.Answer{
		Claim: "0123456789abcdef", ClaimStatus: stream.ClaimStatus{State: stream.ClaimResolved, By: "Анна", At: 1772463845123, Note: "вернули деньги"},
	}
}

func TestParseAnswer(t *testing.T) {
	for _, state := range stream.ClaimAnswers {
		a := answer()
		a.State = state
		b, err := a.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := claim.ParseAnswer(b); err != nil || got != a {
			t.Errorf("%s: %+v, %v", b, got, err)
		}
	}
	a := answer()
	good, err := a.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ from, to, reason, detail string }{
		{string(good), "", "malformed_json", ""},
		{string(good), "[]", "bad_status", "object"},
		{`"resolved"`, `"open"`, "bad_status", "status is"},
		{`"resolved"`, `7`, "bad_status", "number"},
		{`0123456789abcdef`, `0123`, "bad_status", "claim_id is"},
		{`"Анна"`, `" "`, "bad_status", "by is missing"},
		{`2026-`, `soon`, "bad_status", "at is"},
		{`2026-`, `1026-`, "bad_status", "nobody"},
		{`вернули деньги`, strings.Repeat("я", 2049), "bad_status", "note has 4098 bytes"},
	} {
		text := strings.Replace(string(good), test.from, test.to, 1)
		_, err := claim.ParseAnswer([]byte(text))
		fault, ok := errors.AsType[*claim.Error](err)
		if !ok || fault.Reason != test.reason || !strings.Contains(fault.Detail, test.detail) {
			t.Errorf("%.200s: %v, want %s with %q", text, err, test.reason, test.detail)
		}
	}
}

// schema is the part of a JSON Schema that the tests read.
type schema struct {
	Description string
	Required    []string
	Properties  map[string]schema
	Enum        []string
	MaxLength   int
	Items       *schema
	Examples    []json.RawMessage
}

func readSchema(t *testing.T, name string) schema {
	t.Helper()
	text, err := os.ReadFile("../../schemas/" + name)
	if err != nil {
		t.Fatal(err)
	}
	var s schema
	if err := json.Unmarshal(text, &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// TestStatusSchema: the schema for people names the members that ParseAnswer reads, and its example is one.
func TestStatusSchema(t *testing.T) {
	s := readSchema(t, "claim_status.schema.json")
	for _, e := range s.Examples {
		if _, err := claim.ParseAnswer(e); err != nil {
			t.Errorf("%s: %v", e, err)
		}
	}
	var states []string
	for _, state := range stream.ClaimAnswers {
		states = append(states, state.String())
	}
	if !slices.Equal(s.Properties["status"].Enum, states) {
		t.Errorf("states %v, want %v", s.Properties["status"].Enum, states)
	}
	if s.Properties["by"].MaxLength != 256 || s.Properties["note"].MaxLength != 4096 || len(s.Examples) == 0 {
		t.Error("bounds or examples are missing")
	}
	a := answer()
	b, err := a.Append(nil)
	var full map[string]any
	if err != nil || json.Unmarshal(b, &full) != nil {
		t.Fatal(err)
	}
	same(t, "a status", s, full, []string{"note"})
}

// same compares the members of a full document with a schema; optional are those that may be left out.
func same(t *testing.T, what string, s schema, full map[string]any, optional []string) {
	t.Helper()
	have, want := slices.Sorted(maps.Keys(full)), slices.Sorted(maps.Keys(s.Properties))
	if !slices.Equal(have, want) {
		t.Errorf("%s has the members %v, the schema %v", what, have, want)
	}
	required := slices.DeleteFunc(have, func(name string) bool { return slices.Contains(optional, name) })
	if got := slices.Sorted(slices.Values(s.Required)); !slices.Equal(got, required) {
		t.Errorf("%s requires %v, want %v", what, got, required)
	}
}

// TestClaimSchema: a full message has exactly the members of the schema, and a bare one those that it requires.
func TestClaimSchema(t *testing.T) {
	s := readSchema(t, "claim.schema.json")
	p := policy(t, nil)
	m := negative(20_000, 2, 0.8, "air")
	m.Item.AuthorName, m.Item.URL, m.Item.Lang = "Name", "https://example.com/7", "en"
	m.Factors = p.Factors(&m)
	full := p.Open(&m, 3000)
	status := answer().ClaimStatus
	for i := range stream.Time(100) {
		full, _ = full.Apply(&stream.ClaimStatus{State: stream.ClaimAccepted, By: "desk", At: status.At - 1 - i, Note: strings.Repeat("n", 4096)}, 8)
	}
	full, _ = full.Apply(&status, 9)
	bare := claim.Row{MentionName: full.MentionName, ID: full.ID, PublishedAt: 1000, ReceivedAt: 2000, OpenedAt: 2000}
	members := func(r *claim.Row) map[string]any {
		b, err := json.Marshal(r.Message())
		var out map[string]any
		if err != nil || json.Unmarshal(b, &out) != nil {
			t.Fatal(err)
		}
		return out
	}
	all, least := members(&full), members(&bare)
	gone := full
	gone.Erase()
	erased := members(&gone)
	all["erased"] = erased["erased"]
	for _, name := range []string{"text", "author_id", "author_handle", "author_name", "url"} {
		if left, ok := erased[name]; ok {
			t.Errorf("an erased claim tells its %s: %v", name, left)
		}
	}
	if b, err := json.Marshal(erased); err != nil || erased["erased"] != true || erased["conversation"] != "" || strings.Contains(string(b), `"note"`) {
		t.Errorf("an erased claim: %s, %v", b, err)
	}
	if !strings.Contains(full.Statuses[0].Note, "n") {
		t.Error("erasing has changed the row that it was copied from")
	}
	var optional []string
	for name := range all {
		if _, always := least[name]; !always {
			optional = append(optional, name)
		}
	}
	same(t, "a claim", s, all, optional)
	items, ok := all["statuses"].([]any)
	if !ok || len(items) == 0 {
		t.Fatalf("statuses: %v", all["statuses"])
	}
	inner, _ := items[len(items)-1].(map[string]any)
	same(t, "a status of a claim", *s.Properties["statuses"].Items, inner, []string{"note"})
	var states []string
	for state := stream.ClaimOpen; state <= stream.ClaimWithdrawn; state++ {
		states = append(states, state.String())
	}
	if !slices.Equal(s.Properties["state"].Enum, states) {
		t.Errorf("states %v, want %v", s.Properties["state"].Enum, states)
	}
	for name, member := range s.Properties {
		if member.Description == "" {
			t.Errorf("%s is not described", name)
		}
	}
	if n := reflect.TypeFor[claim.Message]().NumField(); n != len(s.Properties) {
		t.Errorf("the type has %d fields, the schema %d members", n, len(s.Properties))
	}
}

// A broker takes a megabyte: a department that says very much about a claim must not stop the engine.
func TestMessageFitsIntoARecord(t *testing.T) {
	for _, note := range []string{strings.Repeat("n", 4096), strings.Repeat("<", 4096), strings.Repeat("я", 2048), strings.Repeat("\x01", 4096), ""} {
		r := claim.Row{Text: strings.Repeat("\x01", 64<<10), Revision: 1}
		for !r.Full() {
			next, applied := r.Apply(&stream.ClaimStatus{State: stream.ClaimAccepted, By: "a loop", At: stream.Time(len(r.Statuses)), Note: note}, 1)
			if !applied {
				t.Fatal("not applied")
			}
			r = next
		}
		m := r.Message()
		b, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		if len(b) > 900_000 || len(m.Statuses)+m.EarlierStatuses != len(r.Statuses) || len(m.Statuses) == 0 {
			t.Errorf("%.4q…: %d bytes, %d statuses and %d earlier ones of %d", note, len(b), len(m.Statuses), m.EarlierStatuses, len(r.Statuses))
		}
		if newest := m.Statuses[len(m.Statuses)-1].At; newest != r.Statuses[len(r.Statuses)-1].At {
			t.Errorf("the newest status told is of %s", newest)
		}
	}
}
