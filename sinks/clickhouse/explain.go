package clickhouse

import (
	"context"
	"fmt"
	"time"

	"otklik/stream"
	"otklik/stream/alert"
	"otklik/stream/spike"
)

// reference is the time before an episode that tells what is usual.
const reference = stream.Day

// parts is how many of those that contribute most are named.
const parts = 5

// Explain returns why an episode is: what contributes most to the excess over the day before, three telling mentions, and the
// audience. It explains the time from the first hot window to the peak, or to the end once there is one.
func (a *Alerts) Explain(ctx context.Context, r *alert.Row) (*alert.Reason, error) {
	since, until := r.OpenedAt-spike.Length, max(r.PeakAt, r.OpenedAt)
	if r.ClearedAt != 0 {
		until = r.ClearedAt
	}
	out := &alert.Reason{ID: r.ID(), Brand: r.Brand, Platform: r.Platform, Rule: r.Rule, Since: since, Until: until, Revision: r.Revision}
	e := &explanation{client: a.client, brand: r.Brand}
	e.where = fmt.Sprintf("brand = ? AND published_at >= %s AND published_at < %s AND role = 'customer' AND NOT erased", literal(since-reference), literal(until))
	if r.Rule == spike.Negativity {
		e.where += " AND label = 'negative'"
	}
	if r.Platform != "" {
		e.where += " AND platform = '" + string(r.Platform) + "'" // of our own list of platforms
	}
	e.during = "published_at >= " + literal(since)
	e.usual = fmt.Sprintf("countIf(NOT (%s)) * %g", e.during, float64(until-since)/float64(reference))
	const voice = "sipHash64(platform, if(author_id = '', concat('item ', item_id), author_id))"
	err := a.client.patiently(ctx, "mentions", func(ctx context.Context) error {
		var before int64
		err := a.client.each(restoring(ctx), func(scan func(...any) error) error {
			return scan(&out.Mentions, &before, &out.Authors, &out.Audience)
		}, fmt.Sprintf("SELECT toInt64(sum(n)), toInt64(sum(before)), toInt64(countIf(n > 0)), toInt64(sumIf(most, n > 0)) FROM (SELECT %s AS voice, countIf(%s) AS n, "+
			"countIf(NOT (%s)) AS before, maxIf(ifNull(followers, 0), %s) AS most FROM %s GROUP BY voice)", voice, e.during, e.during, e.during, e.from()), r.Brand)
		if err != nil {
			return err
		}
		if out.Products, err = e.parts(ctx, "arrayJoin(products)", "''", "toUInt64(0)", e.usual, "excess"); err != nil {
			return err
		}
		if out.Voices, err = e.parts(ctx, "author_id", "any(author_handle)", "any("+voice+")", e.usual, "excess"); err != nil {
			return err
		}
		if out.Threads, err = e.parts(ctx, "thread", "''", "any(sipHash64(platform, thread))", e.usual, "excess"); err != nil {
			return err
		}
		// Every word is said more often when more is said: what counts is how much more than the others.
		usual := fmt.Sprintf("countIf(NOT (%s)) * %g", e.during, float64(out.Mentions)/float64(max(before, 1)))
		word := `arrayJoin(arrayDistinct(extractAll(lowerUTF8(replaceRegexpAll(text, '(https?://|[@#])[^ ]+', ' ')), '\\p{L}{4,}')))`
		if out.Words, err = e.parts(ctx, word, "''", "toUInt64(0)", usual, "excess / sqrt(n - excess + 1)"); err != nil {
			return err
		}
		out.Samples, err = e.samples(ctx)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("explain alert %s: %w", out.ID, err)
	}
	return out, nil
}

// explanation is what the queries about one episode have in common.
type explanation struct {
	client        *Client
	brand         string
	where, during string
	usual         string
}

func (e *explanation) from() string { return e.client.table("mentions") + " FINAL WHERE " + e.where }

// parts returns the values of an expression that contribute most, by order.
func (e *explanation) parts(ctx context.Context, key, handle, number, usual, order string) ([]alert.Part, error) {
	var out []alert.Part
	err := e.client.each(restoring(ctx), func(scan func(...any) error) error {
		var p alert.Part
		if err := scan(&p.Name, &p.Handle, &p.Number, &p.Count, &p.Excess); err != nil {
			return err
		}
		out = append(out, p)
		return nil
	}, fmt.Sprintf("SELECT toString(%s) AS name, %s AS handle, %s AS number, toInt64(countIf(%s)) AS n, toFloat64(n - %s) AS excess FROM %s GROUP BY name "+
		"HAVING n > 1 AND name != '' AND excess > 0 ORDER BY %s DESC, name LIMIT %d", key, handle, number, e.during, usual, e.from(), order, parts), e.brand)
	return out, err
}

func (e *explanation) samples(ctx context.Context) ([]alert.Sample, error) {
	var out []alert.Sample
	err := e.client.each(restoring(ctx), func(scan func(...any) error) error {
		var s alert.Sample
		var platform string
		var at time.Time
		if err := scan(&platform, &s.ItemID, &at, &s.Author, &s.Followers, &s.Severity, &s.Text, &s.URL); err != nil {
			return err
		}
		s.Platform, s.PublishedAt = stream.Platform(platform), stream.Time(at.UnixMilli())
		out = append(out, s)
		return nil
	}, "SELECT platform, item_id, published_at, if(author_handle = '', author_id, author_handle), ifNull(followers, 0) AS reach, severity, text, url FROM "+
		e.from()+" AND "+e.during+" AND text != '' ORDER BY severity DESC, reach DESC, negative_score DESC, item_id LIMIT 1 BY cityHash64(text) LIMIT 3", e.brand)
	return out, err
}

// Recent returns the episodes of a partition of otklik.panes that have changed within the last days, by the clock of ClickHouse, or
// last.
func (a *Alerts) Recent(ctx context.Context, partition int32, days int) ([]alert.Row, error) {
	rows, err := a.client.Episodes(ctx, fmt.Sprintf("partition = %d AND (written_at >= now() - INTERVAL %d DAY OR cleared_at IS NULL AND NOT withdrawn)", partition, days))
	if err != nil {
		return nil, fmt.Errorf("read alert episodes: %w", err)
	}
	return rows, nil
}

// Settled returns what became of the messages of these brands within the last days.
func (a *Alerts) Settled(ctx context.Context, brands []string, days int) ([]alert.Delivery, error) {
	var out []alert.Delivery
	row := func(scan func(...any) error) error {
		var (
			d           alert.Delivery
			event, rule string
			state       int8
			at          time.Time
		)
		if err := scan(&d.ID, &event, &d.Destination, &d.Brand, &rule, &state, &d.Note, &d.Attempts, &at); err != nil {
			return err
		}
		d.Event, d.Rule, d.State, d.At = alert.Event(event), spike.Rule(rule), alert.State(state), stream.Time(at.UnixMilli())
		out = append(out, d)
		return nil
	}
	err := a.client.patiently(ctx, "alert_deliveries", func(ctx context.Context) error {
		out = out[:0]
		return a.client.each(restoring(ctx), row, fmt.Sprintf("SELECT id, event, destination, brand, rule, toInt8(state), note, attempts, at FROM %s FINAL "+
			"WHERE brand IN (?) AND written_at >= now() - INTERVAL %d DAY", a.client.table("alert_deliveries"), days), brands)
	})
	if err != nil {
		return nil, fmt.Errorf("read alert deliveries: %w", err)
	}
	return out, nil
}
