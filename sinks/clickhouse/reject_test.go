package clickhouse_test

import (
	"slices"
	"strings"
	"testing"

	"otklik/sinks/clickhouse"
	"otklik/stream"
)

// TestRejectedTextKeepsItsMention: a row whose text is refused is stored without it, so that what is counted is stored; a row
// whose key is refused is named by verify.
func TestRejectedTextKeepsItsMention(t *testing.T) {
	s := open(t, nil)
	exec(t, s, "ALTER TABLE "+storeTable(s, "mentions")+" ADD CONSTRAINT refused CHECK position(text, 'REFUSED') = 0 AND item_id != 'item-0500'")
	rows := mentionRows(0, 1000)
	rows[123].Item.Text = "REFUSED"
	ledger := stream.LedgerRow{
		LedgerKey: stream.LedgerKey{Stage: stream.StageTrack, Partition: stream.Partition{Topic: "otklik.mentions"}},
		Books:     stream.Books{Records: 1000, Read: 1000, Mentions: 1000}, Position: 1000,
	}
	if err := s.Flush(t.Context(), &clickhouse.Batch{Mentions: rows, Ledger: []stream.LedgerRow{ledger}}); err != nil {
		t.Fatal(err)
	}
	key := stream.IdentityKey{Platform: rows[123].Item.Platform, ItemID: rows[123].Item.ID, Brand: rows[123].Brand, PublishedAt: rows[123].Item.PublishedAt}
	found, err := s.Mentions(t.Context(), []stream.IdentityKey{key})
	if err != nil || len(found) != 1 || found[0].Item.Text != "" || found[0].Label != rows[123].Label || found[0].Position != rows[123].Position {
		t.Errorf("the row without its text: %+v, %v", found, err)
	}
	if n := value(t, s, "SELECT toString(countIf(position(detail, 'REFUSED') > 0 AND position(detail, 'Column values') > 0)) FROM "+s.Database()+".deadletters"); n != "0" {
		t.Errorf("%s dead letters hold the values of the row in their detail", n)
	}
	letters := value(t, s, "SELECT toString(count()) FROM "+s.Database()+".deadletters WHERE reason = 'rejected_row' AND position(payload, 'REFUSED') > 0")
	if letters != "1" {
		t.Errorf("%s dead letters with the text, want 1", letters)
	}
	report, err := s.Verify(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if report.StoredMentions != 999 || !slices.ContainsFunc(report.Faults, func(f string) bool { return strings.Contains(f, "refused 2 rows of mentions") }) {
		t.Errorf("%d mentions are stored, want 999, and the faults do not name the rows: %q", report.StoredMentions, report.Faults)
	}
}
