package clickhouse

import (
	"context"
	"fmt"
	"time"

	"otklik/stream"
)

// LedgerRows returns all pages of the books of one partition, in the order of the hours. A task needs all of them: it begins
// a page that it does not find anew, so a page left out would lose its counts.
func (c *Client) LedgerRows(ctx context.Context, stage stream.Stage, p stream.Partition) ([]stream.LedgerRow, error) {
	var out []stream.LedgerRow
	row := func(scan func(...any) error) error {
		var (
			r        = stream.LedgerRow{LedgerKey: stream.LedgerKey{Stage: stage, Partition: p}}
			topic    string
			name     string
			hour     time.Time
			position uint64
		)
		if err := scan(&name, &topic, &r.Partition.Number, &hour, &r.Records, &r.Read, &r.Mentions, &r.Unmatched, &r.Duplicates,
			&r.DeadLetters, &r.Other, &r.Replayed, &r.Late, &r.Gaps, &position); err != nil {
			return err
		}
		r.Hour, r.Position = stream.Time(hour.UnixMilli()), stream.Position(position)
		out = append(out, r)
		return nil
	}
	err := c.patiently(ctx, "ledger", func(ctx context.Context) error {
		out = out[:0]
		return c.each(restoring(ctx), row, "SELECT "+names(&ledgerTable)+" FROM "+c.table("ledger")+
			" FINAL WHERE stage = ? AND topic = ? AND partition = ? ORDER BY hour", string(stage), p.Topic, p.Number)
	})
	if err != nil {
		return nil, fmt.Errorf("restore ledger of %s in %s: %w", stage, p, err)
	}
	return out, nil
}

// Positions returns the restart point of every task that has ever flushed.
func (c *Client) Positions(ctx context.Context) ([]stream.Progress, error) {
	var out []stream.Progress
	row := func(scan func(...any) error) error {
		var p stream.Progress
		var stage string
		var position uint64
		if err := scan(&stage, &p.Partition.Topic, &p.Partition.Number, &position, &p.Last.Offset, &p.Last.Hash); err != nil {
			return err
		}
		p.Stage, p.Position = stream.Stage(stage), stream.Position(position)
		out = append(out, p)
		return nil
	}
	err := c.patiently(ctx, "progress", func(ctx context.Context) error {
		out = out[:0]
		return c.each(restoring(ctx), row, "SELECT stage, topic, partition, position, last_offset, last_hash FROM "+c.table("progress")+" FINAL ORDER BY stage, topic, partition")
	})
	if err != nil {
		return nil, fmt.Errorf("read restart points: %w", err)
	}
	return out, nil
}

// Topic is a Kafka topic as the engine knows it.
type Topic struct {
	Name       string
	Partitions int32
	Epoch      uint16 // grows when the topic is begun anew
}

// Topics returns all topics that were saved, by name.
func (c *Client) Topics(ctx context.Context) ([]Topic, error) {
	var out []Topic
	err := c.each(ctx, func(scan func(...any) error) error {
		var t Topic
		var partitions uint32
		if err := scan(&t.Name, &partitions, &t.Epoch); err != nil {
			return err
		}
		t.Partitions = int32(partitions) // written from an int32
		out = append(out, t)
		return nil
	}, "SELECT topic, partitions, epoch FROM "+c.table("topics")+" FINAL ORDER BY topic")
	if err != nil {
		return nil, fmt.Errorf("read topics: %w", err)
	}
	return out, nil
}

// SaveTopic records a topic. A row with a higher epoch, or with more partitions in the same epoch, wins.
func (c *Client) SaveTopic(ctx context.Context, t Topic) error {
	if t.Name == "" || t.Partitions < 1 {
		return fmt.Errorf("save topic %q with %d partitions: a topic has a name and at least one partition", t.Name, t.Partitions)
	}
	version := uint64(t.Epoch)<<32 | uint64(uint32(t.Partitions))
	err := c.conn.Exec(ctx, "INSERT INTO "+c.table("topics")+" (topic, partitions, epoch, version) SELECT ?, ?, ?, ?",
		t.Name, uint32(t.Partitions), t.Epoch, version)
	if err != nil {
		return fmt.Errorf("save topic %s: %w", t.Name, err)
	}
	return nil
}

// Setting returns a setting that every process must agree on, or false when it was never saved.
func (c *Client) Setting(ctx context.Context, name string) (string, bool, error) {
	var value string
	found := false
	err := c.each(ctx, func(scan func(...any) error) error {
		found = true
		return scan(&value)
	}, "SELECT value FROM "+c.table("settings")+" FINAL WHERE name = ?", name)
	if err != nil {
		return "", false, fmt.Errorf("read setting %s: %w", name, err)
	}
	return value, found, nil
}

// SaveSetting records a setting; the latest wins.
func (c *Client) SaveSetting(ctx context.Context, name, value string) error {
	err := c.conn.Exec(ctx, "INSERT INTO "+c.table("settings")+" (name, value, changed_at) SELECT ?, ?, now64(3)", name, value)
	if err != nil {
		return fmt.Errorf("save setting %s: %w", name, err)
	}
	return nil
}
