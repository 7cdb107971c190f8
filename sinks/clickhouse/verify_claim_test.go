package clickhouse_test

import (
	"slices"
	"strings"
	"testing"

	"otklik/sinks/clickhouse"
	"otklik/sinks/sinktest"
	"otklik/stream"
	"otklik/stream/brand"
	"otklik/stream/claim"
	"otklik/stream/window"
)

// TestVerifyFindsClaims breaks one claim at a time. Two claims about one mention are no case: the second row replaces the first.
func TestVerifyFindsClaims(t *testing.T) {
	s := open(t, nil)
	catalogue, err := brand.Parse([]byte("brands: [{key: north, name: North, own: true, aliases: [north]}]"))
	if err != nil {
		t.Fatal(err)
	}
	policy := claim.NewPolicy(claim.DefaultConfig(), catalogue)
	whole := &clickhouse.Batch{}
	for i := range 8 {
		m := sinktest.Mention(i, stream.Position(i+1))
		m.Brand, m.Role, m.Label, m.Scores, m.Severity, m.Corrections = "north", stream.Customer, stream.Negative, stream.Scores{Negative: 0.7}, 3, nil
		m.Item.Followers, m.Products = stream.CountOf(20_000), nil
		if i == 7 {
			m.Label = stream.Neutral
		}
		m.Factors = policy.Factors(&m)
		if m.Factors.Claims() {
			whole.Claims = append(whole.Claims, policy.Open(&m, m.ReceivedAt))
		}
		whole.Mentions = append(whole.Mentions, m)
		counts := window.CountsOf(&m.Mention)
		for _, grain := range window.Grains {
			k := window.Key{Grain: grain, Start: m.Item.PublishedAt.Truncate(grain.Span()), Brand: m.Brand, Platform: m.Item.Platform}
			at := slices.IndexFunc(whole.Panes, func(p window.Pane) bool { return p.Key == k })
			if at < 0 {
				at, whole.Panes = len(whole.Panes), append(whole.Panes, window.Pane{Key: k, Position: 1})
			}
			whole.Panes[at].Add(&counts, 1)
		}
	}
	whole.Ledger = []stream.LedgerRow{
		{LedgerKey: stream.LedgerKey{Stage: stream.StageIngest, Partition: stream.Partition{Topic: "firehose.vk"}, Hour: sinktest.Base}, Books: stream.Books{Records: 8, Read: 8, Mentions: 8}, Position: 9},
		{LedgerKey: stream.LedgerKey{Stage: stream.StageTrack, Partition: stream.Partition{Topic: "otklik.mentions"}, Hour: sinktest.Base}, Books: stream.Books{Records: 8, Read: 8, Mentions: 8}, Position: 9},
	}
	if err := s.Flush(t.Context(), whole); err != nil {
		t.Fatal(err)
	}
	if r := verify(t, s); !r.OK || r.Claims != 7 || r.ClaimMismatches != 0 {
		t.Fatalf("whole: %+v", r)
	}
	position := stream.Position(100)
	for _, test := range []struct {
		name   string
		change func(*claim.Row)
		fault  string
	}{
		{"missing", func(r *claim.Row) { r.Withdrawn = true }, "and none"},
		{"audience", func(r *claim.Row) { r.Audience = 5 }, "other factors"},
		{"severity", func(r *claim.Row) { r.Factors.Severity = 4 }, "other factors"},
		{"product", func(r *claim.Row) { r.Factors.Product = 2 }, "other factors"},
		{"about a mention that is none", func(r *claim.Row) {
			r.ItemID = whole.Mentions[7].Item.ID
			r.ID = claim.IDOf(&r.MentionName)
		}, "without the priority"},
	} {
		position++
		broken := whole.Claims[3]
		broken.Position = position
		test.change(&broken)
		if err := s.Flush(t.Context(), &clickhouse.Batch{Claims: []claim.Row{broken}}); err != nil {
			t.Fatal(err)
		}
		if r := verify(t, s); r.OK || r.ClaimMismatches != 1 || !strings.Contains(strings.Join(r.Faults, "\n"), test.fault) {
			t.Errorf("%s: ok %t, %d mismatches, %q", test.name, r.OK, r.ClaimMismatches, r.Faults)
		}
		position++
		broken.Withdrawn, broken.Position = true, position
		mended := whole.Claims[3]
		mended.Position = position + 1
		position++
		if err := s.Flush(t.Context(), &clickhouse.Batch{Claims: []claim.Row{broken}}); err != nil {
			t.Fatal(err)
		}
		if err := s.Flush(t.Context(), &clickhouse.Batch{Claims: []claim.Row{mended}}); err != nil {
			t.Fatal(err)
		}
		if r := verify(t, s); !r.OK {
			t.Fatalf("%s: mended, but %q", test.name, r.Faults)
		}
	}
	wrong := whole.Mentions[3]
	wrong.Position, wrong.Factors.Severity = 1000, 4
	again := whole.Claims[3]
	again.Position, again.Factors.Severity = 1000, 4
	if err := s.Flush(t.Context(), &clickhouse.Batch{Mentions: []stream.MentionRow{wrong}, Claims: []claim.Row{again}}); err != nil {
		t.Fatal(err)
	}
	if r := verify(t, s); r.OK || r.ClaimMismatches != 1 || !strings.Contains(strings.Join(r.Faults, "\n"), "not the formula") {
		t.Errorf("a severity that is not the formula: %d mismatches, %q", r.ClaimMismatches, r.Faults)
	}
}
