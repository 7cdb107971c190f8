package clickhouse

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"otklik/stream"
	"otklik/stream/care"
	"otklik/stream/claim"
	"otklik/stream/task"
	"otklik/stream/window"
)

// Batch is what one flush of a task makes durable. Its groups are written one after the other (see "Position and
// restart point" in stream/DESIGN.md); within a group the tables are written in parallel. The writer only reads it.
type Batch = task.Rows

// Writer makes batches durable. All tasks of a process share one, so that their rows travel in common inserts; safe for
// concurrent use.
type Writer struct {
	client      *Client
	panes       *inserter[window.Pane]
	responses   *inserter[care.Response]
	cases       *inserter[care.Case]
	ledger      *inserter[stream.LedgerRow]
	communities *inserter[stream.CommunityRow]
	erasures    *inserter[stream.ErasureRow]
	deadLetters *inserter[stream.DeadLetter]
	rolling     *inserter[window.RollingRow]
	claims      *inserter[claim.Row]
	mentions    *inserter[stream.MentionRow]
	turns       *inserter[TurnRow]
	progress    *inserter[stream.Progress]
}

// Writer returns a writer on the connections of c.
func (c *Client) Writer() *Writer {
	w := &Writer{client: c}
	w.deadLetters = newInserter(c, &deadLetterTable, nil)
	w.panes = newInserter(c, &paneTable, w.reject)
	w.responses = newInserter(c, &responseTable, w.reject)
	w.cases = newInserter(c, &caseTable, w.reject)
	w.ledger = newInserter(c, &ledgerTable, w.reject)
	w.communities = newInserter(c, &communityTable, w.reject)
	w.erasures = newInserter(c, &erasureTable, w.reject)
	w.rolling = newInserter(c, &rollingTable, w.reject)
	w.claims = newInserter(c, &claimTable, w.reject)
	w.mentions = newInserter(c, &mentionTable, w.reject)
	w.turns = newInserter(c, &turnTable, w.reject)
	w.progress = newInserter(c, &progressTable, w.reject)
	return w
}

// Flush makes b durable in the order of its groups and returns when all of it is. What passes by itself (connection,
// restart of the server, too many parts, memory) is retried until ctx ends. A row that ClickHouse refuses becomes a dead
// letter and the rest goes on. Any other error ends the flush: the caller must stop.
//
// b must not be changed before Flush returns, nor after it returned the error of ctx: its rows may be on their way.
func (w *Writer) Flush(ctx context.Context, b *Batch) error {
	if err := w.flushCounts(ctx, b); err != nil {
		return fmt.Errorf("flush counts: %w", err)
	}
	if err := w.claims.insert(ctx, b.Claims); err != nil {
		return fmt.Errorf("flush claims: %w", err)
	}
	g, gctx := errgroup.WithContext(ctx)
	start(g, func() error { return w.mentions.insert(gctx, b.Mentions) }, len(b.Mentions))
	start(g, func() error { return w.turns.insert(gctx, b.Turns) }, len(b.Turns))
	if err := g.Wait(); err != nil {
		return fmt.Errorf("flush memory: %w", err)
	}
	if err := w.progress.insert(ctx, b.Progress); err != nil {
		return fmt.Errorf("flush progress: %w", err)
	}
	return nil
}

func (w *Writer) flushCounts(ctx context.Context, b *Batch) error {
	wait := w.gathering(b)
	g, ctx := errgroup.WithContext(ctx)
	start(g, func() error { return w.panes.gathered(ctx, b.Panes, wait) }, len(b.Panes))
	start(g, func() error { return w.responses.gathered(ctx, b.Responses, wait) }, len(b.Responses))
	start(g, func() error { return w.cases.gathered(ctx, b.Cases, wait) }, len(b.Cases))
	start(g, func() error { return w.ledger.gathered(ctx, b.Ledger, wait) }, len(b.Ledger))
	start(g, func() error { return w.communities.gathered(ctx, b.Communities, wait) }, len(b.Communities))
	start(g, func() error { return w.erasures.gathered(ctx, b.Erasures, wait) }, len(b.Erasures))
	start(g, func() error { return w.deadLetters.gathered(ctx, b.DeadLetters, wait) }, len(b.DeadLetters))
	start(g, func() error { return w.rolling.gathered(ctx, b.Rolling, wait) }, len(b.Rolling))
	return g.Wait()
}

// A flush of up to so many rows waits Config.Gather for those of other tasks, one of twice as many twice as long, up to maxGather.
const (
	gatherRows = 15_000
	maxGather  = 8
)

// gathering returns how long the rows of b wait at its first step. All tasks are due in the same moment, but each notices it at the end of
// the batch under way: under load that is some hundred milliseconds apart. While tasks catch up, a few large inserts are cheaper to store and to
// merge than many small ones; a task that keeps up has fewer rows and does not wait longer for it.
func (w *Writer) gathering(b *Batch) time.Duration {
	rows := len(b.Mentions) + len(b.Turns) + len(b.Responses) + len(b.Cases) + len(b.Panes) + len(b.Rolling)
	return w.client.cfg.Gather * time.Duration(min(max(rows, gatherRows), maxGather*gatherRows)) / gatherRows
}

// start runs f in g unless there is nothing to do.
func start(g *errgroup.Group, f func() error, rows int) {
	if rows > 0 {
		g.Go(f)
	}
}

// reject stores the dead letter of a refused row and tells the configured observer.
func (w *Writer) reject(ctx context.Context, table string, letter stream.DeadLetter, cause error) error {
	if err := w.deadLetters.insert(ctx, []stream.DeadLetter{letter}); err != nil {
		return fmt.Errorf("store dead letter of a row of %s: %w", table, err)
	}
	w.client.cfg.Logger.Warn("row rejected", "table", table, "source", letter.Source.String(), "error", cause)
	if w.client.cfg.OnReject != nil {
		w.client.cfg.OnReject(ctx, table, letter, cause)
	}
	return nil
}
