package clickhouse

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"otklik/stream"
	"otklik/stream/alert"
	"otklik/stream/spike"
	"otklik/stream/window"
)

// Alerts keeps alert episodes, why they are, and what became of their messages. Safe for concurrent use.
type Alerts struct {
	client     *Client
	rows       *inserter[alert.Row]
	reasons    *inserter[alert.Reason]
	deliveries *inserter[alert.Delivery]
}

// Alerts returns the store of alerts; rows that ClickHouse refuses become dead letters of w.
func (w *Writer) Alerts() *Alerts {
	return &Alerts{
		client: w.client, rows: newInserter(w.client, &alertTable, w.reject), reasons: newInserter(w.client, &reasonTable, w.reject),
		deliveries: newInserter(w.client, &deliveryTable, w.reject),
	}
}

var alertTable = table[alert.Row]{
	name: "alerts",
	letter: func(r *alert.Row) (stream.Stage, stream.Source, stream.Time) {
		return stream.StageRoll, sourceAt(topicPanes, r.Partition, 0, "alerts", r.ID()), r.OpenedAt
	},
	columns: []column[alert.Row]{
		keyWord("brand", func(r *alert.Row) string { return r.Brand }),
		word("platform", func(r *alert.Row) string { return string(r.Platform) }),
		keyWord("rule", func(r *alert.Row) string { return string(r.Rule) }),
		moment("opened_at", func(r *alert.Row) stream.Time { return r.OpenedAt }),
		plain("id", func(r *alert.Row) string { return r.ID() }),
		maybeMoment("cleared_at", func(r *alert.Row) stream.Time { return r.ClearedAt }),
		maybeMoment("peak_at", func(r *alert.Row) stream.Time { return r.PeakAt }),
		plain("severity", func(r *alert.Row) int8 { return int8(r.Severity) }),
		plain("negatives", func(r *alert.Row) int64 { return r.Peak.Negative }),
		plain("labelled", func(r *alert.Row) int64 { return r.Peak.Labelled }),
		plain("mentions", func(r *alert.Row) int64 { return r.Peak.Mentions }),
		number("negative_share", func(r *alert.Row) float64 { return window.Wilson(r.Peak.Negative, r.Peak.Labelled).Value }),
		number("negative_share_low", func(r *alert.Row) float64 { return window.Wilson(r.Peak.Negative, r.Peak.Labelled).Low }),
		number("baseline_negatives", func(r *alert.Row) float64 { return r.Baseline.Level }),
		number("baseline_mad", func(r *alert.Row) float64 { return r.Baseline.Deviation }),
		number("baseline_share", func(r *alert.Row) float64 { return r.Baseline.Share }),
		number("threshold", func(r *alert.Row) float64 { return r.Baseline.Threshold }),
		plain("withdrawn", func(r *alert.Row) bool { return r.Withdrawn }),
		plain("partition", func(r *alert.Row) int32 { return r.Partition }),
		plain("revision", func(r *alert.Row) uint64 { return r.Revision }),
	},
}

var reasonTable = table[alert.Reason]{
	name: "alert_reasons",
	letter: func(r *alert.Reason) (stream.Stage, stream.Source, stream.Time) {
		return stream.StageRoll, sourceAt(topicPanes, 0, 0, "alert_reasons", r.ID), r.Since
	},
	columns: []column[alert.Reason]{
		plain("id", func(r *alert.Reason) string { return r.ID }),
		keyWord("brand", func(r *alert.Reason) string { return r.Brand }),
		word("platform", func(r *alert.Reason) string { return string(r.Platform) }),
		keyWord("rule", func(r *alert.Reason) string { return string(r.Rule) }),
		moment("since", func(r *alert.Reason) stream.Time { return r.Since }),
		moment("until", func(r *alert.Reason) stream.Time { return r.Until }),
		plain("mentions", func(r *alert.Reason) int64 { return r.Mentions }),
		plain("authors", func(r *alert.Reason) int64 { return r.Authors }),
		plain("audience", func(r *alert.Reason) int64 { return r.Audience }),
		list("products", func(r *alert.Reason) []string { return partNames(r.Products) }),
		list("products_excess", func(r *alert.Reason) []float64 { return excesses(r.Products) }),
		list("words", func(r *alert.Reason) []string { return partNames(r.Words) }),
		list("words_excess", func(r *alert.Reason) []float64 { return excesses(r.Words) }),
		list("voices", func(r *alert.Reason) []uint64 { return numbers(r.Voices) }),
		list("voices_excess", func(r *alert.Reason) []float64 { return excesses(r.Voices) }),
		list("conversations", func(r *alert.Reason) []uint64 { return numbers(r.Threads) }),
		list("conversations_excess", func(r *alert.Reason) []float64 { return excesses(r.Threads) }),
		list("samples", func(r *alert.Reason) []string {
			out := make([]string, len(r.Samples))
			for i := range r.Samples {
				out[i] = r.Samples[i].ItemID
			}
			return out
		}),
		list("sample_platforms", func(r *alert.Reason) []string {
			out := make([]string, len(r.Samples))
			for i := range r.Samples {
				out[i] = string(r.Samples[i].Platform)
			}
			return out
		}),
		plain("revision", func(r *alert.Reason) uint64 { return r.Revision }),
	},
}

func partNames(parts []alert.Part) []string {
	out := make([]string, len(parts))
	for i := range parts {
		out[i] = parts[i].Name
	}
	return out
}

func numbers(parts []alert.Part) []uint64 {
	out := make([]uint64, len(parts))
	for i := range parts {
		out[i] = parts[i].Number
	}
	return out
}

func excesses(parts []alert.Part) []float64 {
	out := make([]float64, len(parts))
	for i := range parts {
		out[i] = parts[i].Excess
	}
	return out
}

var deliveryTable = table[alert.Delivery]{
	name: "alert_deliveries",
	letter: func(r *alert.Delivery) (stream.Stage, stream.Source, stream.Time) {
		return stream.StageRoll, sourceAt(topicPanes, 0, 0, "alert_deliveries", r.ID, r.Event, r.Destination), r.At
	},
	columns: []column[alert.Delivery]{
		plain("id", func(r *alert.Delivery) string { return r.ID }),
		keyWord("event", func(r *alert.Delivery) string { return string(r.Event) }),
		keyWord("destination", func(r *alert.Delivery) string { return r.Destination }),
		keyWord("brand", func(r *alert.Delivery) string { return r.Brand }),
		keyWord("rule", func(r *alert.Delivery) string { return string(r.Rule) }),
		plain("state", func(r *alert.Delivery) int8 { return int8(r.State) }),
		plain("note", func(r *alert.Delivery) string { return r.Note }),
		plain("attempts", func(r *alert.Delivery) uint32 { return r.Attempts }),
		moment("at", func(r *alert.Delivery) stream.Time { return r.At }),
		plain("revision", func(r *alert.Delivery) uint64 { return uint64(r.At) }),
	},
}

// WriteAlerts makes episodes durable. It retries transient errors until ctx ends.
func (a *Alerts) WriteAlerts(ctx context.Context, rows []alert.Row) error {
	if err := a.rows.insert(ctx, append([]alert.Row(nil), rows...)); err != nil {
		return fmt.Errorf("write %d alert episodes: %w", len(rows), err)
	}
	return nil
}

// SaveReason makes the reason of an episode durable.
func (a *Alerts) SaveReason(ctx context.Context, r *alert.Reason) error {
	if err := a.reasons.insert(ctx, []alert.Reason{*r}); err != nil {
		return fmt.Errorf("write the reason of alert %s: %w", r.ID, err)
	}
	return nil
}

// SaveDelivery makes durable what became of a message.
func (a *Alerts) SaveDelivery(ctx context.Context, d *alert.Delivery) error {
	if err := a.deliveries.insert(ctx, []alert.Delivery{*d}); err != nil {
		return fmt.Errorf("write the delivery of alert %s to %s: %w", d.ID, d.Destination, err)
	}
	return nil
}

// AlertHistory returns what the watches of these brands are restored from: the windows of spike.Length that end at or after
// windows, the hours from hours on, and the episodes that lasted beyond windows.
func (a *Alerts) AlertHistory(ctx context.Context, brands []string, windows, hours stream.Time) (*alert.History, error) {
	out := &alert.History{}
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		out.Windows, err = a.client.Figures(gctx, brands, spike.Length, windows, maxTime)
		return err
	})
	g.Go(func() (err error) {
		out.Hours, err = a.client.Figures(gctx, brands, stream.Hour, hours, maxTime)
		return err
	})
	g.Go(func() (err error) {
		out.Rows, err = a.client.Episodes(gctx, fmt.Sprintf("brand IN (?) AND ifNull(cleared_at, %s) > %s", literal(maxTime), literal(windows)), brands)
		return err
	})
	if err := g.Wait(); err != nil {
		return nil, fmt.Errorf("restore alerts: %w", err)
	}
	return out, nil
}

// Figures returns the counts of brands (none means all) in rolling windows, as spike.Watch takes them: windows of spike.Length by
// their end, hours (length stream.Hour) by their begin, in [from, to).
func (c *Client) Figures(ctx context.Context, brands []string, length, from, to stream.Time) ([]alert.Figure, error) {
	condition, shift := "", stream.Time(0)
	if length == stream.Hour {
		condition, shift = " AND toStartOfHour(at) = at", stream.Hour
	}
	var args []any
	if len(brands) > 0 {
		condition += " AND brand IN (?)"
		args = append(args, brands)
	}
	query := fmt.Sprintf("SELECT brand, platform, at, negative, positive + neutral + negative, positive + neutral + negative + unlabelled FROM %s FINAL "+
		"PREWHERE window_seconds = %d AND at >= %s AND at < %s%s ORDER BY brand, platform, at",
		c.table("rolling"), length/stream.Second, literal(from+shift), literal(min(to, maxTime-shift)+shift), condition)
	var out []alert.Figure
	row := func(scan func(...any) error) error {
		var f alert.Figure
		var platform string
		var at time.Time
		if err := scan(&f.Brand, &platform, &at, &f.Negative, &f.Labelled, &f.Mentions); err != nil {
			return err
		}
		f.Platform, f.At = stream.Platform(platform), stream.Time(at.UnixMilli())-shift
		out = append(out, f)
		return nil
	}
	err := c.patiently(ctx, "rolling", func(ctx context.Context) error {
		out = out[:0]
		return c.each(restoring(ctx), row, query, args...)
	})
	return out, err
}

// Episodes returns the alert episodes that satisfy a condition, the withdrawn ones included, by their begin.
func (c *Client) Episodes(ctx context.Context, condition string, args ...any) ([]alert.Row, error) {
	var out []alert.Row
	row := func(scan func(...any) error) error {
		var (
			r                alert.Row
			platform, rule   string
			opened           time.Time
			cleared, peak    *time.Time
			severity         int8
			level, mad       *float64
			share, threshold *float64
		)
		if err := scan(&r.Brand, &platform, &rule, &opened, &cleared, &peak, &severity, &r.Peak.Negative, &r.Peak.Labelled, &r.Peak.Mentions,
			&level, &mad, &share, &threshold, &r.Withdrawn, &r.Partition, &r.Revision); err != nil {
			return err
		}
		r.Platform, r.Rule, r.OpenedAt = stream.Platform(platform), spike.Rule(rule), stream.Time(opened.UnixMilli())
		r.ClearedAt, r.PeakAt, r.Severity = nullTime(cleared), nullTime(peak), spike.Severity(severity)
		for from, to := range map[*float64]*float64{level: &r.Baseline.Level, mad: &r.Baseline.Deviation, share: &r.Baseline.Share, threshold: &r.Baseline.Threshold} {
			if from != nil {
				*to = *from
			}
		}
		out = append(out, r)
		return nil
	}
	err := c.patiently(ctx, "alerts", func(ctx context.Context) error {
		out = out[:0]
		return c.each(restoring(ctx), row, "SELECT brand, platform, rule, opened_at, cleared_at, peak_at, toInt8(severity), negatives, labelled, mentions, "+
			"baseline_negatives, baseline_mad, baseline_share, threshold, withdrawn, partition, revision FROM "+c.table("alerts")+
			" FINAL WHERE "+condition+" ORDER BY opened_at, brand, rule, platform", args...)
	})
	return out, err
}
