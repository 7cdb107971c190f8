package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	driver "github.com/ClickHouse/clickhouse-go/v2"

	"otklik/stream"
)

// DeadLetterFilter chooses dead letters; zero fields choose all.
type DeadLetterFilter struct {
	Stage  stream.Stage
	Topic  string
	Reason string
	Since  stream.Time // record timestamp ≥ Since
	Until  stream.Time // record timestamp < Until
	// Redriven chooses those that were put back too; without it only those that still wait.
	Redriven bool
	Limit    int // of EachDeadLetter; 0 is no limit
}

func (f *DeadLetterFilter) where() (string, []any) {
	terms, args := []string{"1"}, []any{}
	add := func(term string, value any) {
		terms = append(terms, term)
		args = append(args, value)
	}
	if f.Stage != "" {
		add("stage = ?", string(f.Stage))
	}
	if f.Topic != "" {
		add("topic = ?", f.Topic)
	}
	if f.Reason != "" {
		add("reason = ?", f.Reason)
	}
	if f.Since != 0 {
		terms = append(terms, "at >= "+literal(f.Since))
	}
	if f.Until != 0 {
		terms = append(terms, "at < "+literal(f.Until))
	}
	if !f.Redriven {
		terms = append(terms, "redriven_at IS NULL")
	}
	return strings.Join(terms, " AND "), args
}

// DeadLetterGroup is what dead letters of one reason have in common, with the newest of them as the example.
type DeadLetterGroup struct {
	Stage       stream.Stage
	Topic       string
	Reason      string
	Count       uint64
	Redriven    uint64 // of Count: put back into their topic
	Erased      uint64 // of Count: emptied, because the platform deleted an item in them
	First, Last stream.Time
	Example     stream.DeadLetter
}

// DeadLetterGroups groups dead letters by stage, topic and reason, the largest group first. The example is one that is not erased, if there is
// any.
func (c *Client) DeadLetterGroups(ctx context.Context, f DeadLetterFilter) ([]DeadLetterGroup, error) {
	where, args := f.where()
	var out []DeadLetterGroup
	err := c.each(restoring(ctx), func(scan func(...any) error) error {
		var (
			g           DeadLetterGroup
			stage       string
			first, last time.Time
			at          time.Time
			key, value  string
		)
		l := &g.Example
		err := scan(&stage, &g.Topic, &g.Reason, &g.Count, &g.Redriven, &g.Erased, &first, &last,
			&at, &l.Erased, &l.Source.Partition.Number, &l.Source.Offset, &l.Source.Index, &l.Detail, &key, &value)
		if err != nil {
			return err
		}
		g.Stage, g.First, g.Last = stream.Stage(stage), stream.Time(first.UnixMilli()), stream.Time(last.UnixMilli())
		l.Stage, l.Source.Partition.Topic, l.Reason, l.At = g.Stage, g.Topic, g.Reason, stream.Time(at.UnixMilli())
		l.Key, l.Payload = []byte(key), []byte(value)
		out = append(out, g)
		return nil
	}, `SELECT stage, topic, reason, count() AS letters, countIf(redriven_at IS NOT NULL), countIf(erased), min(at), max(at),
			argMax(at, newest), argMax(erased, newest), argMax(partition, newest), argMax(source_offset, newest), argMax(source_index, newest), argMax(detail, newest),
			argMax(key, newest), argMax(payload, newest)
		FROM (SELECT `+names(&deadLetterTable)+`, redriven_at, erased, (NOT erased, at, source_offset, source_index) AS newest FROM `+c.table("deadletters")+" FINAL WHERE "+where+`)
		GROUP BY stage, topic, reason ORDER BY letters DESC, stage, topic, reason`, args...)
	if err != nil {
		return nil, fmt.Errorf("group dead letters: %w", err)
	}
	return out, nil
}

// EachDeadLetter calls fn for every dead letter in the order in which their records were read.
func (c *Client) EachDeadLetter(ctx context.Context, f DeadLetterFilter, fn func(*stream.DeadLetter) error) error {
	where, args := f.where()
	if f.Limit > 0 {
		where += fmt.Sprintf(" ORDER BY topic, partition, source_offset, source_index LIMIT %d", f.Limit)
	} else {
		where += " ORDER BY topic, partition, source_offset, source_index"
	}
	err := c.each(restoring(ctx), func(scan func(...any) error) error {
		var (
			l              stream.DeadLetter
			stage          string
			at             time.Time
			letterKey, val string
			platform       string
		)
		err := scan(&stage, &l.Source.Partition.Topic, &l.Source.Partition.Number, &l.Source.Offset, &l.Source.Index,
			&l.Reason, &l.Detail, &at, &letterKey, &val, &platform, &l.Items, &l.Erased)
		if err != nil {
			return err
		}
		l.Stage, l.At, l.Key, l.Payload = stream.Stage(stage), stream.Time(at.UnixMilli()), []byte(letterKey), []byte(val)
		l.Platform = stream.Platform(platform)
		return fn(&l)
	}, "SELECT "+names(&deadLetterTable)+", erased FROM "+c.table("deadletters")+" FINAL WHERE "+where, args...)
	if err != nil {
		return fmt.Errorf("read dead letters: %w", err)
	}
	return nil
}

// MarkRedriven records that dead letters were put back into their topics, with the items that they name now. A flush that is replayed later does
// not undo it. One that was erased meanwhile gets its contents back until the next Erase.
func (c *Client) MarkRedriven(ctx context.Context, letters []stream.DeadLetter) (err error) {
	if len(letters) == 0 {
		return nil
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("mark %d dead letters redriven: %w", len(letters), err)
		}
	}()
	batch, err := c.conn.PrepareBatch(driver.Context(ctx, driver.WithSettings(c.insertSettings())),
		"INSERT INTO "+c.table("deadletters")+" ("+names(&deadLetterTable)+", redriven_at, revision)")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, batch.Close()) }()
	now := time.Now().UTC()
	for i := range letters {
		l := &letters[i]
		if err := batch.Append(string(l.Stage), l.Source.Partition.Topic, l.Source.Partition.Number, l.Source.Offset, l.Source.Index,
			l.Reason, l.Detail, time.UnixMilli(int64(min(max(l.At, minTime), maxTime))).UTC(), string(l.Key), string(l.Payload),
			string(l.Platform), l.Items, now, uint64(1)); err != nil {
			return err
		}
	}
	return batch.Send()
}
