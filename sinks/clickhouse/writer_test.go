package clickhouse_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"otklik/deploy/embedded/embeddedtest"
	"otklik/schemas"
	"otklik/sinks/clickhouse"
	"otklik/sinks/sinktest"
	"otklik/stream"
	"otklik/stream/care"
	"otklik/stream/window"
)

func exec(tb testing.TB, s store, statement string) {
	tb.Helper()
	if err := s.Exec(tb.Context(), statement); err != nil {
		tb.Fatalf("%s: %v", statement, err)
	}
}

func value(tb testing.TB, s store, query string) string {
	tb.Helper()
	rows, err := s.Strings(tb.Context(), query)
	if err != nil {
		tb.Fatalf("%s: %v", query, err)
	}
	if len(rows) != 1 || len(rows[0]) != 1 {
		tb.Fatalf("%s: %d rows", query, len(rows))
	}
	return rows[0][0]
}

func storeTable(s store, name string) string { return schemas.Store(s.Database()) + "." + name }

func mentionRows(from, to int) []stream.MentionRow {
	rows := make([]stream.MentionRow, 0, to-from)
	for i := from; i < to; i++ {
		rows = append(rows, sinktest.Mention(i, stream.Position(i+1)))
	}
	return rows
}

// TestRejectedRow: the server refuses three rows of a thousand, the driver's validation one more; each becomes a dead letter
// and the rest is stored.
func TestRejectedRow(t *testing.T) {
	var mu sync.Mutex
	rejected := map[int64]string{}
	s := open(t, func(c *clickhouse.Config) {
		c.OnReject = func(_ context.Context, table string, l stream.DeadLetter, _ error) {
			mu.Lock()
			defer mu.Unlock()
			rejected[l.Source.Offset] = table
		}
	})
	exec(t, s, "ALTER TABLE "+storeTable(s, "mentions")+" ADD CONSTRAINT refused CHECK item_id NOT IN ('item-0000', 'item-0500', 'item-0999')")
	rows := mentionRows(0, 1000)
	rows[7].ReceivedAt = 1 << 60
	progress := stream.Progress{Stage: stream.StageTrack, Partition: stream.Partition{Topic: "otklik.mentions", Number: 3}, Position: 1000}
	if err := s.Flush(t.Context(), &clickhouse.Batch{Mentions: rows, Progress: []stream.Progress{progress}}); err != nil {
		t.Fatal(err)
	}
	if n := value(t, s, "SELECT count() FROM "+s.Database()+".mentions"); n != "996" {
		t.Errorf("%s mentions, want 996", n)
	}
	for _, offset := range []int64{0, 7, 500, 999} {
		if rejected[offset] != "mentions" {
			t.Errorf("row of offset %d was not reported: %v", offset, rejected)
		}
	}
	groups, err := s.DeadLetterGroups(t.Context(), clickhouse.DeadLetterFilter{})
	if err != nil {
		t.Fatal(err)
	}
	if len(groups) != 1 || groups[0].Count != 4 || groups[0].Reason != "rejected_row" || !strings.Contains(string(groups[0].Example.Payload), "item-") {
		t.Errorf("dead letters: %+v", groups)
	}
	if _, ok, err := s.Progress(t.Context(), progress.Stage, progress.Partition); !ok || err != nil {
		t.Errorf("progress: %t, %v", ok, err)
	}
}

// TestSameRowTwiceInOneInsert: of the versions of a row in one insert the newest is read, by the views and by the restore queries.
func TestSameRowTwiceInOneInsert(t *testing.T) {
	s := open(t, nil)
	var mentions []stream.MentionRow
	var panes []window.Pane
	var responses []care.Response
	for _, position := range []stream.Position{7, 9, 8} {
		m := sinktest.Mention(1, position)
		m.FirstPosition, m.Severity = 7, uint8(position)
		mentions = append(mentions, m)
		panes = append(panes, sinktest.Pane(0, 3, position, int64(position)))
		responses = append(responses, care.Response{
			Key: care.Key{Brand: "north", Platform: stream.VK, Thread: "thread"}, ID: "request", WaitingID: "request",
			WaitingSince: sinktest.Base, Position: position, Deleted: position == 9,
		})
	}
	if err := s.Flush(t.Context(), &clickhouse.Batch{Mentions: mentions, Panes: panes, Responses: responses}); err != nil {
		t.Fatal(err)
	}
	if n := value(t, s, "SELECT toString(count()) FROM "+storeTable(s, "mentions")); n != "3" {
		t.Fatalf("%s rows are stored: the case of this test does not arise", n)
	}
	for query, want := range map[string]string{
		"SELECT toString(groupArray((position, severity))) FROM " + s.Database() + ".mentions":                      "[(9,9)]",
		"SELECT toString(groupArray((position, positive))) FROM " + s.Database() + ".panes":                         "[(9,9)]",
		"SELECT toString(sum(positive)) FROM " + s.Database() + ".sentiment_1m":                                     "9",
		"SELECT toString(count()) FROM " + s.Database() + ".responses":                                              "0",
		"SELECT toString(count()) FROM " + s.Database() + ".mentions WHERE position = 9 AND item_id = 'item-0001'":  "1",
		"SELECT toString(count()) FROM " + s.Database() + ".mentions WHERE severity != 9 AND item_id = 'item-0001'": "0",
	} {
		if got := value(t, s, query); got != want {
			t.Errorf("%s: %s, want %s", query, got, want)
		}
	}
	key := stream.IdentityKey{Platform: stream.VK, ItemID: mentions[0].Item.ID, Brand: "north", PublishedAt: mentions[0].Item.PublishedAt}
	found, err := s.Mentions(t.Context(), []stream.IdentityKey{key})
	if err != nil || len(found) != 1 || found[0].Position != 9 {
		t.Errorf("mentions: %+v, %v", found, err)
	}
	identities := 0
	err = s.EachIdentity(t.Context(), 3, 0, 100, func(id *stream.Identity) error {
		identities++
		if id.Position != 9 {
			t.Errorf("identity at %s", id.Position)
		}
		return nil
	})
	if err != nil || identities != 1 {
		t.Errorf("%d identities, %v", identities, err)
	}
	open, err := s.OpenPanes(t.Context(), 3, 0)
	if err != nil || len(open) != 1 || open[0].Position != 9 {
		t.Errorf("open panes: %+v, %v", open, err)
	}
}

// TestFatalError: a table that is missing is not waited for.
func TestFatalError(t *testing.T) {
	s := open(t, nil)
	exec(t, s, "DROP TABLE "+storeTable(s, "panes")+" SYNC")
	err := s.Flush(t.Context(), &clickhouse.Batch{Panes: []window.Pane{sinktest.Pane(0, 3, 1, 1)}, Mentions: mentionRows(0, 1)})
	if err == nil || !strings.Contains(err.Error(), "otklik migrate") {
		t.Errorf("flush into a missing table: %v", err)
	}
	if n := value(t, s, "SELECT count() FROM "+s.Database()+".mentions"); n != "0" {
		t.Errorf("rows that remember were written although the rows that count were not: %s", n)
	}
}

// TestConcurrentFlushes: forty tasks that flush at once share a few inserts, and every row is there.
func TestConcurrentFlushes(t *testing.T) {
	var inserts, inserted atomic.Int64
	s := open(t, func(c *clickhouse.Config) {
		c.OnInsert = func(table string, rows int, _ time.Duration) {
			if table == "mentions" {
				inserts.Add(1)
				inserted.Add(int64(rows))
			}
		}
	})
	const tasks, flushes, rows = 40, 5, 20
	g, ctx := errgroup.WithContext(t.Context())
	for task := range tasks {
		g.Go(func() error {
			for n := range flushes {
				from := (task*flushes + n) * rows
				if err := s.Flush(ctx, &clickhouse.Batch{Mentions: mentionRows(from, from+rows)}); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	if n := value(t, s, "SELECT count() FROM "+s.Database()+".mentions"); n != fmt.Sprint(tasks*flushes*rows) {
		t.Errorf("%s mentions, want %d", n, tasks*flushes*rows)
	}
	parts := value(t, s, "SELECT toString(max(max_block_number)) FROM system.parts WHERE database = '"+schemas.Store(s.Database())+"' AND table = 'mentions'")
	if got := inserts.Load(); got > tasks*flushes/4 || inserted.Load() != tasks*flushes*rows {
		t.Errorf("%d flushes made %d inserts of %d rows", tasks*flushes, got, inserted.Load())
	} else {
		t.Logf("%d flushes made %d inserts, newest block %s", tasks*flushes, got, parts)
	}
}

// TestCancelledCaller: a caller that gives up does not take the rows of the others with it.
func TestCancelledCaller(t *testing.T) {
	s := open(t, nil)
	g, ctx := errgroup.WithContext(t.Context())
	for task := range 30 {
		g.Go(func() error {
			own, cancel := context.WithCancel(ctx)
			defer cancel()
			if task%3 == 0 {
				cancel()
			}
			err := s.Flush(own, &clickhouse.Batch{Mentions: mentionRows(task*10, task*10+10)})
			if (err != nil) != (task%3 == 0) {
				return fmt.Errorf("task %d: %w", task, err)
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	for task := range 30 {
		if task%3 == 0 {
			continue
		}
		rows := mentionRows(task*10, task*10+10)
		var keys []stream.IdentityKey
		for i := range rows {
			keys = append(keys, stream.IdentityKey{Platform: stream.VK, ItemID: rows[i].Item.ID, Brand: rows[i].Brand, PublishedAt: rows[i].Item.PublishedAt})
		}
		if found, err := s.Mentions(t.Context(), keys); err != nil || len(found) != 10 {
			t.Errorf("task %d: %d of 10 rows, %v", task, len(found), err)
		}
	}
}

// TestServerKilled: flushes that run while the server is killed end well after it is back, and nothing is lost or doubled.
func TestServerKilled(t *testing.T) {
	server, back := mortal(t)
	var retries atomic.Int64
	killed := make(chan struct{}, 1)
	c, err := clickhouse.Open(t.Context(), clickhouse.Config{
		Addrs: []string{server.Native()}, User: embeddedtest.Admin, Password: server.Users()[0].Password,
		OnRetry: func(string, error) {
			retries.Add(1)
			select {
			case killed <- struct{}{}:
			default:
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}()
	if _, err := schemas.Migrate(t.Context(), c, schemas.Options{}); err != nil {
		t.Fatal(err)
	}
	s := store{c, c.Writer()}
	half := make(chan struct{})
	var done atomic.Int64
	g, ctx := errgroup.WithContext(t.Context())
	for task := range 4 {
		g.Go(func() error {
			for n := range 20 {
				from := (task*20 + n) * 50
				if err := s.Flush(ctx, &clickhouse.Batch{Mentions: mentionRows(from, from+50), Panes: []window.Pane{sinktest.Pane(task, int32(task), stream.Position(n+1), int64(n))}}); err != nil {
					return err
				}
				if done.Add(1) == 20 {
					close(half)
				}
			}
			return nil
		})
	}
	<-half
	server.Kill()
	<-killed // an insert has failed and waits
	back()
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	if n := value(t, s, "SELECT count() FROM otklik.mentions"); n != "4000" {
		t.Errorf("%s mentions, want 4000", n)
	}
	if n := value(t, s, "SELECT toString(sum(positive)) FROM otklik.panes"); n != "76" {
		t.Errorf("panes count %s, want 76", n)
	}
	t.Logf("%d retries", retries.Load())
}

// BenchmarkMentions measures rows/s of one table through the whole writer.
func BenchmarkMentions(b *testing.B) {
	s := open(b, nil)
	rows := mentionRows(0, 20_000)
	b.ResetTimer()
	for range b.N {
		if err := s.Flush(b.Context(), &clickhouse.Batch{Mentions: rows}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(rows)*b.N)/b.Elapsed().Seconds(), "rows/s")
}
