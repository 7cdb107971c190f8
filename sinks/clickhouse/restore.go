package clickhouse

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	driver "github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/ext"

	"otklik/stream"
	"otklik/stream/care"
	"otklik/stream/window"
)

// lookupKeys is how many keys one look-up sends; more are asked for in several queries.
const lookupKeys = 50_000

// restoring prepares a context for a restore query. Versions of a row never change partition, so FINAL need not compare
// rows of different ones; the condition on the source partition is the same for all versions of a row and may be
// evaluated before FINAL.
func restoring(ctx context.Context, tables ...*ext.Table) context.Context {
	options := []driver.QueryOption{driver.WithSettings(driver.Settings{
		"do_not_merge_across_partitions_select_final": 1,
		"use_skip_indexes_if_final":                   1,
		"distributed_product_mode":                    "global", // subqueries on a cluster are answered once
	})}
	if len(tables) > 0 {
		options = append(options, driver.WithExternalTable(tables...))
	}
	return driver.Context(ctx, options...)
}

// epoch is the beginning of 1990: nothing that is stored happened before it (stream/firehose refuses it).
const epoch stream.Time = 631_152_000_000

// literal writes a time as a constant of the type of the columns. A bound before everything, such as that of a horizon behind no watermark, is
// epoch: an earlier one reaches the shards of a cluster as a text that they cannot read.
func literal(t stream.Time) string {
	return fmt.Sprintf("fromUnixTimestamp64Milli(toInt64(%d), 'UTC')", int64(min(max(t, epoch), maxTime)))
}

// nullTime reads a nullable time.
func nullTime(t *time.Time) stream.Time {
	if t == nil {
		return 0
	}
	return stream.Time(t.UnixMilli())
}

// known reads a nullable count.
func known(n *int64) stream.Count {
	if n == nil {
		return 0
	}
	return stream.CountOf(*n)
}

// Progress returns the restart row of a task, or false when it never flushed.
func (c *Client) Progress(ctx context.Context, stage stream.Stage, p stream.Partition) (stream.Progress, bool, error) {
	out := stream.Progress{Stage: stage, Partition: p}
	found := false
	row := func(scan func(...any) error) error {
		var (
			position   uint64
			watermark  *time.Time
			topics     []string
			partitions []int32
			offsets    []int64
			indexes    []int32
			times      []int64
		)
		if err := scan(&position, &out.Last.Offset, &out.Last.Hash, &watermark, &topics, &partitions, &offsets, &indexes, &times); err != nil {
			return err
		}
		if len(partitions) != len(topics) || len(offsets) != len(topics) || len(indexes) != len(topics) || len(times) != len(topics) {
			return fmt.Errorf("source columns have %d, %d, %d, %d and %d elements", len(topics), len(partitions), len(offsets), len(indexes), len(times))
		}
		found = true
		out.Position, out.Watermark, out.Sources = stream.Position(position), nullTime(watermark), nil
		for i := range topics {
			out.Sources = append(out.Sources, stream.SourceMark{
				Source: stream.Source{
					Partition: stream.Partition{Topic: topics[i], Number: partitions[i]}, Offset: offsets[i], Index: indexes[i],
				},
				EventTime: stream.Time(times[i]),
			})
		}
		return nil
	}
	err := c.patiently(ctx, "progress", func(ctx context.Context) error {
		return c.each(restoring(ctx), row, "SELECT position, last_offset, last_hash, watermark, source_topics, source_partitions, source_offsets, source_indexes, source_event_times FROM "+
			c.table("progress")+" FINAL WHERE stage = ? AND topic = ? AND partition = ?", string(stage), p.Topic, p.Number)
	})
	if err != nil {
		return stream.Progress{}, false, fmt.Errorf("restore progress of %s in %s: %w", stage, p, err)
	}
	return out, found, nil
}

// EachIdentity calls fn for every mention of a partition of otklik.mentions that was published at or after since and first
// brought at or before upTo, in no order. The identity is only valid during the call. When the connection breaks in the
// middle, all identities come once more.
func (c *Client) EachIdentity(ctx context.Context, partition int32, since stream.Time, upTo stream.Position, fn func(*stream.Identity) error) error {
	var (
		id              stream.Identity
		platform        string
		published       time.Time
		edited          *time.Time
		first, position uint64
		versions        []int64
	)
	row := func(scan func(...any) error) error {
		if err := scan(&platform, &id.ItemID, &id.Brand, &published, &first, &position, &edited, &versions); err != nil {
			return err
		}
		id.Platform, id.PublishedAt = stream.Platform(platform), stream.Time(published.UnixMilli())
		id.FirstPosition, id.Position, id.Version = stream.Position(first), stream.Position(position), nullTime(edited)
		id.Versions = versionsOf(versions)
		return fn(&id)
	}
	err := c.patiently(ctx, "mentions", func(ctx context.Context) error {
		return c.each(restoring(ctx), row, "SELECT platform, item_id, brand, published_at, first_position, position, edited_at, if(versions = [0], [], versions) FROM "+
			c.table("mentions")+" FINAL PREWHERE partition = ? AND published_at >= "+literal(since)+" WHERE first_position <= ?", partition, uint64(upTo))
	})
	if err != nil {
		return fmt.Errorf("restore identities of %s/%d: %w", topicMentions, partition, err)
	}
	return nil
}

// versionsOf returns the versions of a mention; nil stands for the original alone.
func versionsOf(seen []int64) []stream.Time {
	if len(seen) == 0 || len(seen) == 1 && seen[0] == 0 {
		return nil
	}
	out := make([]stream.Time, len(seen))
	for i, v := range seen {
		out[i] = stream.Time(v)
	}
	return out
}

// identityTable sends keys along with a query as the table keys.
func identityTable(keys []stream.IdentityKey) (*ext.Table, error) {
	t, err := ext.NewTable("keys",
		ext.Column("brand", "String"), ext.Column("published_at", "DateTime64(3, 'UTC')"),
		ext.Column("platform", "String"), ext.Column("item_id", "String"))
	if err != nil {
		return nil, err
	}
	for i := range keys {
		k := &keys[i]
		if err := t.Append(k.Brand, k.PublishedAt.Go(), string(k.Platform), k.ItemID); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// Mentions returns the newest versions of the mentions with these keys, in no order; what does not exist is left out. The
// publication time of a key must be that of the first version. Text and author of an erased mention are empty; Erased is never
// set, because it marks a delete notice and a row of mentions is none.
func (c *Client) Mentions(ctx context.Context, keys []stream.IdentityKey) ([]stream.MentionRow, error) {
	var out []stream.MentionRow
	for some := range slices.Chunk(keys, lookupKeys) {
		t, err := identityTable(some)
		if err != nil {
			return nil, fmt.Errorf("look up %d mentions: %w", len(keys), err)
		}
		had := len(out)
		err = c.patiently(ctx, "mentions", func(ctx context.Context) error {
			out = out[:had]
			return c.each(restoring(ctx, t), func(scan func(...any) error) error {
				row, err := scanMention(scan)
				if err == nil {
					out = append(out, row)
				}
				return err
			}, "SELECT "+mentionColumns+" FROM "+c.table("mentions")+
				" FINAL WHERE (brand, published_at, platform, item_id) IN (SELECT brand, published_at, platform, item_id FROM keys)")
		})
		if err != nil {
			return nil, fmt.Errorf("look up %d mentions: %w", len(keys), err)
		}
	}
	return out, nil
}

// mentionColumns are the columns that scanMention reads, in the order of the table.
var mentionColumns = names(&mentionTable)

func names[T any](t *table[T]) string { return columnNames(slices.Concat(t.columns, t.rare)) }

func columnNames[T any](columns []column[T]) string {
	out := make([]string, len(columns))
	for i := range columns {
		out[i] = columns[i].name
	}
	return strings.Join(out, ", ")
}

func scanMention(scan func(...any) error) (stream.MentionRow, error) {
	var (
		m                               stream.MentionRow
		published, received             time.Time
		parentAt, edited                *time.Time
		identity, platform, kind        string
		role, label, topic              string
		via                             uint8
		flags                           [7]bool
		followers, likes, shares, views *int64
		mentionedIDs, mentionedHandles  []string
		firstPosition, position         uint64
		versions                        []int64
		correction                      storedCorrection
		breach                          storedBreach
	)
	i := &m.Item
	err := scan(&m.Brand, &published, &platform, &identity, &i.ID, &kind, &role, &via, &label,
		&m.Scores.Positive, &m.Scores.Neutral, &m.Scores.Negative, &m.Model, &m.Products, &m.Severity,
		&m.Factors.Audience, &m.Factors.Severity, &m.Factors.Product, &m.Factors.Threshold,
		&flags[0], &flags[1], &flags[2], &flags[3], &flags[4], &flags[5],
		&i.Author.ID, &i.Author.Name, &i.AuthorName, &followers, &i.Community, &i.Bot, &m.Customer, &i.Thread, &i.Paired,
		&i.ParentID, &parentAt, &i.ParentAuthor.ID, &i.ParentAuthor.Name, &i.RootID, &i.RepostOf, &i.RepostAuthor.ID, &i.RepostAuthor.Name,
		&i.Wall.ID, &i.Wall.Name, &mentionedIDs, &mentionedHandles, &i.Text, &i.Lang, &i.URL, &likes, &shares, &views, &edited, &versions, &received,
		&topic, &m.Source.Partition.Number, &m.Source.Offset, &m.Source.Index, &m.Partition, &firstPosition, &position, &flags[6],
		&correction.modelLabel, &correction.at, &correction.by, &correction.note, &correction.all, &correction.since,
		&breach.rules, &breach.versions, &breach.excerpts)
	if err != nil {
		return m, err
	}
	if identity != i.ID {
		i.OriginID = identity
	}
	if len(mentionedIDs) != len(mentionedHandles) {
		return m, fmt.Errorf("mention %s: %d mentioned ids, %d handles", identity, len(mentionedIDs), len(mentionedHandles))
	}
	for n := range mentionedIDs {
		i.Mentions = append(i.Mentions, stream.Account{ID: mentionedIDs[n], Name: mentionedHandles[n]})
	}
	if len(m.Products) == 0 {
		m.Products = nil
	}
	var ok bool
	if m.Label, ok = stream.ParseLabel(label); !ok {
		return m, fmt.Errorf("mention %s: label %q", identity, label)
	}
	for _, r := range []stream.Role{stream.Customer, stream.Own, stream.Spam} {
		if r.String() == role {
			m.Role = r
		}
	}
	for n, f := range []stream.Flags{stream.Question, stream.Complaint, stream.NeedsAnswer, stream.Approved, stream.Automatic, stream.Advocacy, stream.Answer} {
		if flags[n] {
			m.Flags |= f
		}
	}
	i.Platform, i.Kind, m.Via = stream.Platform(platform), stream.Kind(kind), stream.Via(via)
	i.PublishedAt, m.ReceivedAt = stream.Time(published.UnixMilli()), stream.Time(received.UnixMilli())
	i.ParentAt, i.EditedAt = nullTime(parentAt), nullTime(edited)
	i.Followers, i.Likes, i.Shares, i.Views = known(followers), known(likes), known(shares), known(views)
	m.Source.Partition.Topic = topic
	m.Versions = versionsOf(versions)
	if err := correction.to(&m); err != nil {
		return m, fmt.Errorf("mention %s: %w", identity, err)
	}
	if err := breach.to(&m); err != nil {
		return m, fmt.Errorf("mention %s: %w", identity, err)
	}
	m.FirstPosition, m.Position = stream.Position(firstPosition), stream.Position(position)
	return m, nil
}

// OpenPanes returns the panes of all grains that a partition contributed to and that end after endAfter, in no order.
func (c *Client) OpenPanes(ctx context.Context, partition int32, endAfter stream.Time) ([]window.Pane, error) {
	out, err := c.panes(restoring(ctx), fmt.Sprintf(`PREWHERE partition = %d AND (
		grain = '1m' AND start > %s OR grain = '1h' AND start > %s OR grain = '1d' AND start > %s)`,
		partition, literal(endAfter-stream.Minute), literal(endAfter-stream.Hour), literal(endAfter-stream.Day)))
	if err != nil {
		return nil, fmt.Errorf("restore open panes of %s/%d: %w", topicMentions, partition, err)
	}
	return out, nil
}

// Panes returns the panes with these keys of one partition, in no order; what does not exist is left out.
func (c *Client) Panes(ctx context.Context, partition int32, keys []window.Key) ([]window.Pane, error) {
	var out []window.Pane
	for some := range slices.Chunk(keys, lookupKeys) {
		found, err := c.lookUpPanes(ctx, partition, some)
		if err != nil {
			return nil, fmt.Errorf("look up %d panes of %s/%d: %w", len(keys), topicMentions, partition, err)
		}
		out = append(out, found...)
	}
	return out, nil
}

func (c *Client) lookUpPanes(ctx context.Context, partition int32, keys []window.Key) ([]window.Pane, error) {
	t, err := ext.NewTable("keys",
		ext.Column("grain", "Enum8('1m' = 0, '1h' = 1, '1d' = 2)"), ext.Column("brand", "String"),
		ext.Column("start", "DateTime64(3, 'UTC')"), ext.Column("platform", "String"), ext.Column("product", "String"))
	if err != nil {
		return nil, err
	}
	for i := range keys {
		k := &keys[i]
		if err := t.Append(k.Grain.String(), k.Brand, time.UnixMilli(int64(k.Start)).UTC(), string(k.Platform), k.Product); err != nil {
			return nil, err
		}
	}
	return c.panes(restoring(ctx, t), fmt.Sprintf(
		"PREWHERE partition = %d WHERE (grain, brand, start, platform, product) IN (SELECT grain, brand, start, platform, product FROM keys)", partition))
}

// MinutePanes returns the panes of one minute of these brands with from ≤ start < to that count every mention, of all
// partitions and platforms, sorted by start. No brands means all.
func (c *Client) MinutePanes(ctx context.Context, brands []string, from, to stream.Time) ([]window.Pane, error) {
	condition := fmt.Sprintf("PREWHERE grain = '1m' AND product = '' AND start >= %s AND start < %s", literal(from), literal(to))
	var args []any
	if len(brands) > 0 {
		condition += " AND brand IN (?)"
		args = append(args, brands)
	}
	out, err := c.panes(restoring(ctx), condition+" ORDER BY start, brand, platform, partition", args...)
	if err != nil {
		return nil, fmt.Errorf("read minute panes from %s to %s: %w", from, to, err)
	}
	return out, nil
}

// paneColumns are the columns that panes reads, in the order of the table.
var paneColumns = names(&paneTable)

func (c *Client) panes(ctx context.Context, condition string, args ...any) ([]window.Pane, error) {
	var out []window.Pane
	row := func(scan func(...any) error) error {
		var (
			p               window.Pane
			grain, platform string
			start           time.Time
			position        uint64
		)
		targets := append(make([]any, 0, len(paneTable.columns)),
			&grain, &p.Brand, &start, &platform, &p.Product, &p.Partition, &p.Responses, &p.Final, &position)
		for _, f := range countFields {
			targets = append(targets, f.field(&p.Counts))
		}
		if err := scan(targets...); err != nil {
			return err
		}
		for _, g := range window.Grains {
			if g.String() == grain {
				p.Grain = g
			}
		}
		if len(p.Responses) == 0 {
			p.Responses = nil
		}
		p.Start, p.Platform, p.Position = stream.Time(start.UnixMilli()), stream.Platform(platform), stream.Position(position)
		out = append(out, p)
		return nil
	}
	err := c.patiently(ctx, "panes", func(ctx context.Context) error {
		out = out[:0]
		return c.each(ctx, row, "SELECT "+paneColumns+" FROM "+c.table("panes")+" FINAL "+condition, args...)
	})
	return out, err
}

// EachTurn calls fn for every turn, first brought at or before upTo, of the threads of a partition of otklik.mentions that
// have a turn at or after since: a thread comes whole, its turns together and in the order of time. The turn is only
// valid during the call.
func (c *Client) EachTurn(ctx context.Context, partition int32, since stream.Time, upTo stream.Position, fn func(*TurnRow) error) error {
	err := c.turns(restoring(ctx), fn, fmt.Sprintf(
		`PREWHERE partition = %[1]d
		WHERE position <= %[3]d AND sipHash64(thread) IN (SELECT sipHash64(thread) FROM %[4]s WHERE partition = %[1]d AND at >= %[2]s)
		ORDER BY sipHash64(thread), brand, platform, thread, at, item_id
		SETTINGS optimize_read_in_order = 1`,
		partition, literal(since), uint64(upTo), c.table("turns")))
	if err != nil {
		return fmt.Errorf("restore turns of %s/%d: %w", topicMentions, partition, err)
	}
	return nil
}

// Turns returns all turns of these conversations, however old, that were first brought at or before upTo.
func (c *Client) Turns(ctx context.Context, partition int32, keys []care.Key, upTo stream.Position) ([]TurnRow, error) {
	var out []TurnRow
	for some := range slices.Chunk(keys, lookupKeys) {
		t, err := ext.NewTable("keys", ext.Column("thread", "String"), ext.Column("brand", "String"), ext.Column("platform", "String"))
		if err != nil {
			return nil, fmt.Errorf("look up the turns of %d threads: %w", len(keys), err)
		}
		for i := range some {
			if err := t.Append(some[i].Thread, some[i].Brand, string(some[i].Platform)); err != nil {
				return nil, fmt.Errorf("look up the turns of %d threads: %w", len(keys), err)
			}
		}
		err = c.turns(restoring(ctx, t), func(r *TurnRow) error {
			out = append(out, *r)
			return nil
		}, fmt.Sprintf(`WHERE partition = %d AND sipHash64(thread) IN (SELECT sipHash64(thread) FROM keys)
			AND (thread, brand, platform) IN (SELECT thread, brand, platform FROM keys) AND position <= %d
			ORDER BY sipHash64(thread), brand, platform, thread, at, item_id`, partition, uint64(upTo)))
		if err != nil {
			return nil, fmt.Errorf("look up the turns of %d threads of %s/%d: %w", len(keys), topicMentions, partition, err)
		}
	}
	return out, nil
}

// turnColumns are the columns that turns reads, in the order of the table.
var turnColumns = names(&turnTable)

// turns calls fn once for every row of a query whose order is total and whose rows do not change while it runs: when the
// connection breaks in the middle, it is asked again and goes on behind the last row.
func (c *Client) turns(ctx context.Context, fn func(*TurnRow) error, condition string) error {
	var (
		r         TurnRow
		platform  string
		at        time.Time
		parentAt  *time.Time
		flags     uint16
		position  uint64
		seen, had int // rows seen by this attempt, rows handed over by all
	)
	row := func(scan func(...any) error) error {
		if seen++; seen <= had {
			return nil
		}
		if err := scan(&r.Partition, &r.Thread, &r.Brand, &platform, &at, &r.ItemID, &r.Author, &r.Customer, &r.ParentID,
			&parentAt, &r.Own, &flags, &position); err != nil {
			return err
		}
		r.Platform, r.At, r.ParentAt = stream.Platform(platform), stream.Time(at.UnixMilli()), nullTime(parentAt)
		r.Flags, r.Position = stream.Flags(flags), stream.Position(position)
		had++
		return fn(&r)
	}
	return c.patiently(ctx, "turns", func(ctx context.Context) error {
		seen = 0
		return c.each(ctx, row, "SELECT "+turnColumns+" FROM "+c.table("turns")+" FINAL "+condition)
	})
}
