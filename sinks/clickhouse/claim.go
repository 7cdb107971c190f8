package clickhouse

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"otklik/stream"
	"otklik/stream/claim"
)

var claimTable = table[claim.Row]{
	name: "claims",
	letter: func(r *claim.Row) (stream.Stage, stream.Source, stream.Time) {
		return stream.StageTrack, sourceAt(topicMentions, r.Partition, r.Position, "claims", r.ID), r.OpenedAt
	},
	holds: func(r *claim.Row) (stream.Platform, []string) { return r.Platform, []string{r.ItemID} },
	bare: func(r *claim.Row) *claim.Row {
		bare := *r
		bare.Text, bare.AuthorName, bare.Author.Name, bare.URL, bare.Lang = "", "", "", "", ""
		bare.Statuses = slices.Clone(r.Statuses)
		for i := range bare.Statuses {
			bare.Statuses[i].Note = ""
		}
		return &bare
	},
	columns: []column[claim.Row]{
		keyWord("brand", func(r *claim.Row) string { return r.Brand }),
		keyWord("platform", func(r *claim.Row) string { return string(r.Platform) }),
		key("item_id", func(r *claim.Row) string { return r.ItemID }),
		key("id", func(r *claim.Row) string { return r.ID }),
		moment("published_at", func(r *claim.Row) stream.Time { return r.PublishedAt }),
		maybeMoment("version_at", func(r *claim.Row) stream.Time { return r.VersionAt }),
		maybeMoment("detected_at", func(r *claim.Row) stream.Time { return r.ReceivedAt }),
		maybeMoment("opened_at", func(r *claim.Row) stream.Time { return r.OpenedAt }),
		word("product", func(r *claim.Row) string { return r.Product }),
		plain("products", func(r *claim.Row) []string { return r.Products }),
		plain("severity", func(r *claim.Row) uint8 { return r.Severity }),
		count("followers", func(r *claim.Row) stream.Count { return r.Followers }),
		plain("blogger", func(r *claim.Row) bool { return r.Blogger }),
		plain("audience_factor", func(r *claim.Row) float64 { return r.Audience }),
		plain("severity_factor", func(r *claim.Row) float64 { return r.Factors.Severity }),
		plain("product_factor", func(r *claim.Row) float64 { return r.Factors.Product }),
		plain("priority", func(r *claim.Row) float64 { return r.Priority() }),
		plain("threshold", func(r *claim.Row) float64 { return r.Threshold }),
		word("department", func(r *claim.Row) string { return r.Department }),
		plain("state", func(r *claim.Row) int8 { return int8(r.State()) }),
		maybeMoment("details_requested_at", func(r *claim.Row) stream.Time { return r.First(stream.ClaimNeedsDetails) }),
		maybeMoment("handed_over_at", func(r *claim.Row) stream.Time { return r.First(stream.ClaimAccepted) }),
		maybeMoment("resolved_at", func(r *claim.Row) stream.Time { return r.First(stream.ClaimResolved) }),
		maybeMoment("last_resolved_at", func(r *claim.Row) stream.Time { return r.LastResolved() }),
		plain("resolutions", func(r *claim.Row) []int64 { resolved, _ := r.Cycles(); return unixMillis(resolved) }),
		plain("reopenings", func(r *claim.Row) []int64 { _, reopened := r.Cycles(); return unixMillis(reopened) }),
		plain("reopen_seconds", func(r *claim.Row) uint32 { return uint32(r.ReopenWithin / stream.Second) }),
		plain("statuses", func(r *claim.Row) []string {
			return textsOf(r.Statuses, func(s *stream.ClaimStatus) string { return s.String() })
		}),
		plain("notes", func(r *claim.Row) []string {
			if r.Erased {
				return nil // as the eraser leaves them
			}
			return textsOf(r.Statuses, func(s *stream.ClaimStatus) string { return s.Note })
		}),
		plain("thread", func(r *claim.Row) string { return r.Thread }),
		plain("customer_id", func(r *claim.Row) string { return r.Author.ID }),
		plain("author_handle", func(r *claim.Row) string { return r.Author.Name }),
		plain("author_name", func(r *claim.Row) string { return r.AuthorName }),
		plain("text", func(r *claim.Row) string { return r.Text }),
		word("lang", func(r *claim.Row) string { return r.Lang }),
		plain("url", func(r *claim.Row) string { return r.URL }),
		plain("revision", func(r *claim.Row) uint32 { return r.Revision }),
		plain("partition", func(r *claim.Row) int32 { return r.Partition }),
		plain("position", func(r *claim.Row) uint64 { return uint64(r.Position) }),
	},
}

func unixMillis(moments []stream.Time) []int64 {
	out := make([]int64, len(moments))
	for i, t := range moments {
		out[i] = int64(t)
	}
	return out
}

func textsOf(list []stream.ClaimStatus, text func(*stream.ClaimStatus) string) []string {
	out := make([]string, len(list))
	for i := range list {
		out[i] = text(&list[i])
	}
	return out
}

var claimColumns = names(&claimTable)

// Claims returns the claims about the mentions with these names, in no order; what does not exist is left out. Of an erased
// mention, text, author and address are empty.
func (c *Client) Claims(ctx context.Context, names []stream.MentionName) ([]claim.Row, error) {
	var out []claim.Row
	for some := range portions(names, placeItems, nameSize) {
		keys := make([]string, len(some))
		for i := range some {
			n := &some[i]
			keys[i] = "(" + quote(n.Brand) + ", " + quote(string(n.Platform)) + ", " + quote(n.ItemID) + ")"
		}
		had := len(out)
		err := c.patiently(ctx, "claims", func(ctx context.Context) error {
			var err error
			out, err = c.appendClaims(ctx, out[:had], "(brand, platform, item_id) IN ("+strings.Join(keys, ", ")+")")
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("look up %d claims: %w", len(names), err)
		}
	}
	return out, nil
}

// appendClaims appends the claims that meet a condition.
func (c *Client) appendClaims(ctx context.Context, dst []claim.Row, where string) ([]claim.Row, error) {
	err := c.each(restoring(ctx), func(scan func(...any) error) error {
		row, err := scanClaim(scan)
		if err == nil {
			dst = append(dst, row)
		}
		return err
	}, "SELECT "+claimColumns+" FROM "+c.table("claims")+" FINAL WHERE id != '' AND "+where)
	return dst, err
}

// tellClaims tells of the claims about erased items, named "(platform, item)" each.
func (e *Eraser) tellClaims(ctx context.Context, names []string) error {
	rows, err := e.client.appendClaims(ctx, nil, "(platform, item_id) IN ("+strings.Join(names, ", ")+")")
	if err != nil {
		return err
	}
	for i := range rows {
		rows[i].Erase()
	}
	if len(rows) == 0 {
		return nil
	}
	if err := e.OnClaims(ctx, rows); err != nil {
		return fmt.Errorf("tell of %d claims: %w", len(rows), err)
	}
	return nil
}

func scanClaim(scan func(...any) error) (claim.Row, error) {
	var (
		r                                                         claim.Row
		platform, state                                           string
		published                                                 time.Time
		version, detected, opened, details, handed, first, latest *time.Time
		followers                                                 *int64
		priority                                                  float64
		resolutions, reopenings                                   []int64
		reopenSeconds                                             uint32
		statuses, notes                                           []string
		position                                                  uint64
	)
	err := scan(&r.Brand, &platform, &r.ItemID, &r.ID, &published, &version, &detected, &opened, &r.Product, &r.Products, &r.Severity, &followers, &r.Blogger,
		&r.Audience, &r.Factors.Severity, &r.Factors.Product, &priority, &r.Threshold, &r.Department, &state, &details, &handed, &first, &latest,
		&resolutions, &reopenings, &reopenSeconds, &statuses, &notes, &r.Thread, &r.Author.ID, &r.Author.Name, &r.AuthorName, &r.Text, &r.Lang, &r.URL,
		&r.Revision, &r.Partition, &position)
	if err != nil {
		return r, err
	}
	r.Platform, r.PublishedAt, r.Followers = stream.Platform(platform), stream.Time(published.UnixMilli()), known(followers)
	r.VersionAt, r.ReceivedAt, r.OpenedAt = nullTime(version), nullTime(detected), nullTime(opened)
	r.ReopenWithin, r.Position = stream.Time(reopenSeconds)*stream.Second, stream.Position(position)
	// No platform delivers a text without its author, so this is what the eraser leaves.
	r.Erased = r.Text == "" && r.Author.ID == ""
	r.Withdrawn = state == stream.ClaimWithdrawn.String()
	for i, text := range statuses {
		s, err := stream.ParseClaimStatus(text)
		if err != nil {
			return r, fmt.Errorf("claim %s: status %d: %w", r.ID, i+1, err)
		}
		if len(notes) == len(statuses) { // else they were erased
			s.Note = notes[i]
		}
		r.Statuses = append(r.Statuses, s)
	}
	return r, nil
}

// ClaimPlaces returns where the claims with these ids are, in no order; what does not exist is left out.
func (c *Client) ClaimPlaces(ctx context.Context, ids []string) ([]stream.ClaimPlace, error) {
	var out []stream.ClaimPlace
	for some := range slices.Chunk(ids, placeItems) {
		quoted := make([]string, len(some))
		for i := range some {
			quoted[i] = quote(some[i])
		}
		had := len(out)
		err := c.patiently(ctx, "claims", func(ctx context.Context) error {
			out = out[:had]
			return c.each(restoring(ctx), func(scan func(...any) error) error {
				var p stream.ClaimPlace
				var platform string
				var published time.Time
				if err := scan(&p.ID, &p.Brand, &platform, &p.ItemID, &published, &p.Thread); err != nil {
					return err
				}
				p.Platform, p.PublishedAt = stream.Platform(platform), stream.Time(published.UnixMilli())
				out = append(out, p)
				return nil
			}, "SELECT id, brand, platform, item_id, published_at, thread FROM "+c.table("claims")+" FINAL WHERE id IN ("+strings.Join(quoted, ", ")+")")
		})
		if err != nil {
			return nil, fmt.Errorf("look up the places of %d claims: %w", len(ids), err)
		}
	}
	return out, nil
}
