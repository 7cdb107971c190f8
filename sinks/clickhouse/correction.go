package clickhouse

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"otklik/stream"
)

// correctionColumns are the columns of mentions that only a mention with corrections fills. The defaults of the table are right for
// every other one, so that a block without corrections does not carry them.
var correctionColumns = []column[stream.MentionRow]{
	plain("model_label", func(r *stream.MentionRow) int8 {
		if len(r.Corrections) == 0 {
			return int8(r.Label)
		}
		return int8(r.ModelLabel)
	}),
	maybeMoment("corrected_at", func(r *stream.MentionRow) stream.Time { return corrected(r).At }),
	word("corrected_by", func(r *stream.MentionRow) string { return corrected(r).By }),
	plain("correction_note", func(r *stream.MentionRow) string { return corrected(r).Note }),
	flat("corrections", func(r *stream.MentionRow, all []string) []string {
		for i := range r.Corrections {
			all = append(all, r.Corrections[i].String())
		}
		return all
	}),
	plain("text_since", func(r *stream.MentionRow) int64 { return int64(r.TextSince) }),
}

// hasCorrection reports whether the defaults of correctionColumns are wrong for a row.
func hasCorrection(r *stream.MentionRow) bool {
	return len(r.Corrections) > 0 || r.TextSince != r.Item.EditedAt
}

// corrected returns the correction that makes the label, or none.
func corrected(r *stream.MentionRow) stream.Correction {
	c, _ := r.Corrected()
	return c
}

func withoutNotes(list []stream.Correction) []stream.Correction {
	list = slices.Clone(list)
	for i := range list {
		list[i].Note = ""
	}
	return list
}

// storedCorrection are the values of correctionColumns as they are read.
type storedCorrection struct {
	modelLabel string
	at         *time.Time
	by, note   string
	all        []string
	since      int64
}

// to sets what a row of mentions holds of its corrections.
func (s *storedCorrection) to(m *stream.MentionRow) error {
	m.TextSince = stream.Time(s.since)
	if len(s.all) == 0 {
		return nil
	}
	var ok bool
	if m.ModelLabel, ok = stream.ParseLabel(s.modelLabel); !ok {
		return fmt.Errorf("label of the model %q", s.modelLabel)
	}
	m.Corrections = make([]stream.Correction, len(s.all))
	for i, line := range s.all {
		var err error
		if m.Corrections[i], err = stream.ParseCorrection(line); err != nil {
			return fmt.Errorf("correction %d: %w", i+1, err)
		}
	}
	counts, ok := m.Corrected()
	for i := range m.Corrections {
		if ok && m.Corrections[i].Same(&counts) {
			m.Corrections[i].Note = s.note
		}
	}
	return nil
}

// placeItems is how many items one look-up of places names: they stand in the text of the query.
const placeItems = 1000

// nameSize is what a name takes in such a look-up, which names the item twice.
func nameSize(n *stream.MentionName) int { return len(n.Brand) + len(n.Platform) + 2*len(n.ItemID) }

// Places returns where the mentions with these names are, in no order; what does not exist is left out.
func (c *Client) Places(ctx context.Context, names []stream.MentionName) ([]stream.MentionPlace, error) {
	var out []stream.MentionPlace
	for some := range portions(names, placeItems, nameSize) {
		items, keys := make([]string, len(some)), make([]string, len(some))
		for i := range some {
			n := &some[i]
			items[i] = quote(n.ItemID)
			keys[i] = "(" + quote(n.Brand) + ", " + quote(string(n.Platform)) + ", " + items[i] + ")"
		}
		had := len(out)
		row := func(scan func(...any) error) error {
			var (
				p              stream.MentionPlace
				platform, role string
				published      time.Time
			)
			if err := scan(&platform, &p.ItemID, &p.Brand, &published, &p.Thread, &role); err != nil {
				return err
			}
			p.Platform, p.PublishedAt, p.Role = stream.Platform(platform), stream.Time(published.UnixMilli()), roleOf(role)
			out = append(out, p)
			return nil
		}
		// The condition on item_id alone is what its bloom filter can answer. A mention that an item id and a brand name twice, because its
		// platform has changed its mind about when it was published, is where it was seen last.
		query := fmt.Sprintf(`SELECT platform, item_id, brand, published_at, thread, toString(role) FROM %s FINAL
			WHERE item_id IN (%s) AND (brand, platform, item_id) IN (%s) ORDER BY position DESC LIMIT 1 BY platform, item_id, brand`,
			c.table("mentions"), strings.Join(items, ", "), strings.Join(keys, ", "))
		err := c.patiently(ctx, "mentions", func(ctx context.Context) error {
			out = out[:had]
			return c.each(restoring(ctx), row, query)
		})
		if err != nil {
			return nil, fmt.Errorf("look up the places of %d mentions: %w", len(names), err)
		}
	}
	return out, nil
}

func roleOf(name string) stream.Role {
	for _, r := range []stream.Role{stream.Own, stream.Spam} {
		if r.String() == name {
			return r
		}
	}
	return stream.Customer
}

// Refused returns the sources, by offset, of the records of a raw partition from one source to another, both included, that have a
// dead letter of ingest with one of the reasons, put back or not.
func (c *Client) Refused(ctx context.Context, from, to stream.Source, reasons []string) (map[int64]bool, error) {
	var out map[int64]bool
	row := func(scan func(...any) error) error {
		var offset int64
		if err := scan(&offset); err != nil {
			return err
		}
		out[offset] = true
		return nil
	}
	err := c.patiently(ctx, "deadletters", func(ctx context.Context) error {
		out = map[int64]bool{}
		return c.each(restoring(ctx), row, "SELECT DISTINCT source_offset FROM "+c.table("deadletters")+
			" WHERE stage = ? AND topic = ? AND partition = ? AND source_offset BETWEEN ? AND ? AND reason IN (?)",
			string(stream.StageIngest), from.Partition.Topic, from.Partition.Number, from.Offset, to.Offset, reasons)
	})
	if err != nil {
		return nil, fmt.Errorf("look up what was refused of %s: %w", from.Partition, err)
	}
	return out, nil
}
