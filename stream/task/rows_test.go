package task

import (
	"testing"

	"otklik/stream"
	"otklik/stream/care"
	"otklik/stream/claim"
)

// TestResetForgets: rows that were flushed hold no texts any more. Their place is used again, but after a large flush only a part of it
// may be for a long time, and a text keeps the whole fetch in memory that it came with.
func TestResetForgets(t *testing.T) {
	r := Rows{
		Mentions: []stream.MentionRow{{Mention: stream.Mention{Item: stream.Item{Text: "text"}}}}, Turns: []TurnRow{{TurnRow: care.TurnRow{Turn: care.Turn{Author: "anna"}}}},
		Responses: []care.Response{{ID: "1"}}, Cases: []care.Case{{ID: "1"}}, Claims: []claim.Row{{ID: "1"}}, DeadLetters: []stream.DeadLetter{{Detail: "detail"}},
	}
	r.Reset()
	if len(r.Mentions)+len(r.Turns)+len(r.Responses)+len(r.Cases)+len(r.Claims)+len(r.DeadLetters) != 0 {
		t.Fatal("rows are left")
	}
	if r.Mentions[:1][0].Item.Text != "" || r.Turns[:1][0].Author != "" || r.Responses[:1][0].ID != "" || r.Cases[:1][0].ID != "" || r.Claims[:1][0].ID != "" ||
		r.DeadLetters[:1][0].Detail != "" {
		t.Error("what was flushed is still held")
	}
}
