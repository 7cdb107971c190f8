package clickhouse

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ClickHouse/ch-go/proto"
	driver "github.com/ClickHouse/clickhouse-go/v2"
	"github.com/cenkalti/backoff/v5"

	"otklik/stream"
)

// inserter writes one table for all callers. While one insert runs, further callers queue up; the first of them then
// inserts the rows of all (group commit), so that many tasks never cause many small inserts. No goroutine of its own:
// the callers do the work in turn.
type inserter[T any] struct {
	client *Client
	table  *table[T]
	checks []func(*T) error // of the table
	cells  []cells          // of the block under way: only the leader uses them
	reject func(ctx context.Context, table string, letter stream.DeadLetter, err error) error

	mu    sync.Mutex
	busy  bool // somebody leads
	queue []*waiter[T]
}

// waiter is one caller of insert.
type waiter[T any] struct {
	ctx   context.Context //nolint:containedctx // a leader has to see which callers still wait
	rows  []T
	since time.Time     // when it came
	wait  time.Duration // how long its rows wait for those of others
	done  chan error    // the answer of a leader
	lead  chan struct{} // asks this caller to lead
}

func newInserter[T any](c *Client, t *table[T], reject func(context.Context, string, stream.DeadLetter, error) error) *inserter[T] {
	return &inserter[T]{client: c, table: t, checks: t.checks(), reject: reject}
}

// columns returns the columns to send for a block: those that are rare only if a row of it has something in them.
func (in *inserter[T]) columns(rows []*T) []column[T] {
	if in.table.isRare != nil && slices.ContainsFunc(rows, in.table.isRare) {
		return slices.Concat(in.table.columns, in.table.rare)
	}
	return in.table.columns
}

// insert returns when the rows are durable. The rows must not be changed before it returns; when it returns the error of
// ctx they may still be written, so they must not be changed at all then.
func (in *inserter[T]) insert(ctx context.Context, rows []T) error {
	return in.gathered(ctx, rows, in.client.cfg.Gather)
}

// gathered is insert, where the rows wait so long for those of other callers.
func (in *inserter[T]) gathered(ctx context.Context, rows []T, wait time.Duration) error {
	if len(rows) == 0 {
		return nil
	}
	w := &waiter[T]{ctx: ctx, rows: rows, since: time.Now(), wait: wait, done: make(chan error, 1), lead: make(chan struct{}, 1)}
	in.mu.Lock()
	in.queue = append(in.queue, w)
	leads := !in.busy
	in.busy = true
	in.mu.Unlock()
	if !leads {
		select {
		case err := <-w.done:
			return err
		case <-w.lead:
		case <-ctx.Done():
			in.mu.Lock()
			in.queue = slices.DeleteFunc(in.queue, func(q *waiter[T]) bool { return q == w })
			in.mu.Unlock()
			select {
			case <-w.lead: // chosen in the same moment: the next one leads
				in.handOver()
			default:
			}
			return fmt.Errorf("insert into %s: %w", in.table.name, ctx.Err())
		}
	}
	return in.leadGroup(w)
}

// leadGroup inserts the rows of w and of the callers that wait behind it, under the context of w.
func (in *inserter[T]) leadGroup(w *waiter[T]) error {
	defer in.handOver()
	in.gather(w)
	in.mu.Lock()
	size, taken := 0, 0
	for taken < len(in.queue) && (taken == 0 || size+len(in.queue[taken].rows) <= in.client.cfg.MaxBlockRows) {
		size += len(in.queue[taken].rows)
		taken++
	}
	group := slices.Clone(in.queue[:taken])
	in.queue = slices.Delete(in.queue, 0, taken)
	in.mu.Unlock()

	rows := make([]*T, 0, size)
	for _, g := range group {
		for i := range g.rows {
			rows = append(rows, &g.rows[i])
		}
	}
	err := in.write(w.ctx, rows)
	if err != nil && w.ctx.Err() != nil {
		// Only this caller gives up: the rows of the others are still wanted.
		in.mu.Lock()
		in.queue = append(slices.DeleteFunc(group, func(g *waiter[T]) bool { return g == w }), in.queue...)
		in.mu.Unlock()
		return err
	}
	for _, g := range group {
		if g != w {
			g.done <- err
		}
	}
	return err
}

// gather waits until w has been there for the gathering time: tasks flush in the same moment, but not in the same millisecond, and
// an insert costs both sides milliseconds however few rows it has.
func (in *inserter[T]) gather(w *waiter[T]) {
	left := w.wait - time.Since(w.since)
	if left <= 0 || len(w.rows) >= in.client.cfg.MaxBlockRows {
		return
	}
	timer := time.NewTimer(left)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-w.ctx.Done():
	}
}

// handOver makes the first caller that still waits the leader.
func (in *inserter[T]) handOver() {
	in.mu.Lock()
	defer in.mu.Unlock()
	for len(in.queue) > 0 {
		if first := in.queue[0]; first.ctx.Err() == nil {
			first.lead <- struct{}{}
			return
		}
		in.queue = slices.Delete(in.queue, 0, 1) // it returns by itself
	}
	in.busy = false
}

// maxMonths is how many monthly partitions one insert may touch: each becomes a part, and merging hundreds of tiny parts
// is what ClickHouse is slow at.
const maxMonths = 50

// validate reports everything that a row would be refused for.
func (in *inserter[T]) validate(row *T) error {
	var errs []error // of a row that is right nothing is allocated
	for _, check := range in.checks {
		if err := check(row); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// write makes rows durable: what validation refuses goes to the dead letters, the rest in blocks of at most MaxBlockRows
// and maxMonths.
func (in *inserter[T]) write(ctx context.Context, rows []*T) error {
	var good []*T
	for i, r := range rows {
		err := in.validate(r)
		switch {
		case err == nil && good != nil:
			good = append(good, r)
		case err != nil:
			if good == nil { // the first bad one: only now is a copy needed
				good = append(make([]*T, 0, len(rows)), rows[:i]...)
			}
			if err := in.rejectRow(ctx, r, err); err != nil {
				return err
			}
		}
	}
	if good != nil {
		rows = good
	}
	for _, block := range in.blocks(rows) {
		if err := in.store(ctx, block, in.rejectRow); err != nil {
			return err
		}
	}
	return nil
}

// blocks cuts rows by MaxBlockRows, and by months when they span too many.
func (in *inserter[T]) blocks(rows []*T) [][]*T {
	var out [][]*T
	for chunk := range slices.Chunk(rows, in.client.cfg.MaxBlockRows) {
		if in.table.month == nil || in.fewMonths(chunk) {
			out = append(out, chunk)
			continue
		}
		months := map[int][]*T{}
		for _, r := range chunk {
			t := in.table.month(r).Go()
			m := t.Year()*12 + int(t.Month())
			months[m] = append(months[m], r)
		}
		if len(months) <= maxMonths {
			out = append(out, chunk)
			continue
		}
		order := make([]int, 0, len(months))
		for m := range months {
			order = append(order, m)
		}
		slices.Sort(order)
		for some := range slices.Chunk(order, maxMonths) {
			var block []*T
			for _, m := range some {
				block = append(block, months[m]...)
			}
			out = append(out, block)
		}
	}
	return out
}

// fewMonths reports whether the rows lie so close together that they cannot span more than maxMonths.
func (in *inserter[T]) fewMonths(rows []*T) bool {
	first, last := in.table.month(rows[0]), in.table.month(rows[0])
	for _, r := range rows[1:] {
		t := in.table.month(r)
		first, last = min(first, t), max(last, t)
	}
	const month = 28 * 24 * stream.Hour // the shortest
	return last-first < (maxMonths-1)*month
}

// store inserts one block: again and again while the fault passes, in halves to find a row at fault, which refused is told.
func (in *inserter[T]) store(ctx context.Context, rows []*T, refused func(context.Context, *T, error) error) error {
	if len(rows) == 0 {
		return nil
	}
	wait := backoff.NewExponentialBackOff()
	wait.InitialInterval, wait.MaxInterval = 50*time.Millisecond, 5*time.Second
	for {
		err := in.attempt(ctx, rows)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("insert %d rows into %s: %w", len(rows), in.table.name, errors.Join(ctx.Err(), err))
		}
		class := classify(err)
		switch {
		case class == fatal:
			return fmt.Errorf("insert %d rows into %s: %w; does `otklik migrate` report the schema of this binary, and may the user insert?",
				len(rows), in.client.table(in.table.name), err)
		case class == rejected && len(rows) == 1:
			return refused(ctx, rows[0], err)
		case class == rejected:
			return in.halves(ctx, rows, refused)
		}
		in.retrying(len(rows), err)
		timer := time.NewTimer(wait.NextBackOff())
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return fmt.Errorf("insert %d rows into %s: %w", len(rows), in.table.name, errors.Join(ctx.Err(), err))
		}
		if class == crowded && len(rows) > minCrowded {
			return in.halves(ctx, rows, refused)
		}
	}
}

// minCrowded is the size below which an insert that lacks memory is no longer cut.
const minCrowded = 1000

func (in *inserter[T]) halves(ctx context.Context, rows []*T, refused func(context.Context, *T, error) error) error {
	if err := in.store(ctx, rows[:len(rows)/2], refused); err != nil {
		return err
	}
	return in.store(ctx, rows[len(rows)/2:], refused)
}

func (in *inserter[T]) retrying(rows int, err error) {
	in.client.cfg.Logger.Warn("insert failed, retrying", "table", in.table.name, "rows", rows, "error", err)
	if in.client.cfg.OnRetry != nil {
		in.client.cfg.OnRetry(in.table.name, err)
	}
}

// attempt sends one block, encoded anew from the rows.
func (in *inserter[T]) attempt(ctx context.Context, rows []*T) error {
	started := time.Now()
	ctx, cancel := context.WithTimeout(ctx, in.client.cfg.InsertTimeout)
	defer cancel()
	link, err := in.client.takeLink(ctx)
	if err != nil {
		return serverError(err)
	}
	columns := in.columns(rows)
	if more := len(columns) - len(in.cells); more > 0 {
		in.cells = append(in.cells, make([]cells, more)...)
	}
	defer func() { in.cells = keep(in.cells) }()
	part := 0 // rows of the block under way
	blocks := make([]block[T], len(columns))
	input := make(proto.Input, len(columns))
	for i := range columns {
		blocks[i] = block[T]{column: &columns[i], rows: &part, cells: &in.cells[i]}
		input[i] = proto.InputColumn{Name: columns[i].name, Data: &blocks[i]}
	}
	size := blockRows
	if in.client.compressed() {
		size = compressedRows
	}
	sent := 0
	cut := func(context.Context) error {
		part = min(size, len(rows)-sent)
		if part == 0 {
			return io.EOF
		}
		encode(blocks, rows[sent:sent+part])
		sent += part
		return nil
	}
	query := fmt.Sprintf("INSERT INTO %s (%s) VALUES", in.client.table(in.table.name), columnNames(columns))
	if err := link.insert(ctx, query, linkSettings(in.client.insertSettings()), input, cut); err != nil {
		if _, said := errors.AsType[*driver.Exception](err); !said && ctx.Err() == nil {
			in.client.dropLinks() // what broke this connection has broken the others, too: each would cost an attempt
		}
		return err
	}
	in.client.giveLink(link)
	if in.client.cfg.OnInsert != nil {
		in.client.cfg.OnInsert(in.table.name, len(rows), time.Since(started))
	}
	return nil
}

// insertSettings switch off what would merge, delay or deduplicate an insert: rows are absolute, so the table itself
// removes repetitions. Nor are the rows of one insert replaced by each other before they are stored: they are distinct but for
// a rare overlap of two tasks, FINAL looks into fresh parts too, and it would cost as much as a merge.
func (c *Client) insertSettings() driver.Settings {
	s := driver.Settings{
		"async_insert":                    0,
		"insert_deduplicate":              0,
		"optimize_on_insert":              0,
		"send_profile_events":             0, // nobody looks at them
		"max_partitions_per_insert_block": 0, // write bounds them at maxMonths
	}
	if c.cfg.Cluster != "" {
		s["distributed_foreground_insert"] = 1 // durable on the shard when the insert returns
		s["insert_quorum"] = "auto"            // on most of its replicas
	}
	return s
}

// reasonRejected is the reason of the dead letter of a row that ClickHouse refuses.
const reasonRejected = "rejected_row"

// withoutValues cuts from ClickHouse's message what the row holds: that is personal data, which belongs into the payload of a
// dead letter, where retention drops it, and into no log.
func withoutValues(cause error) error {
	var exception *driver.Exception
	if !errors.As(cause, &exception) {
		return cause
	}
	message, _, cut := strings.Cut(exception.Message, "Column values:")
	if !cut {
		return cause
	}
	return fmt.Errorf("code %d: %s", exception.Code, strings.TrimSpace(message))
}

// rejectRow makes a dead letter of a row that is refused, and stores what is left of it without its free texts, if that is a
// row still: what other rows count must not be missing here (see "Rejected rows" in stream/DESIGN.md).
func (in *inserter[T]) rejectRow(ctx context.Context, row *T, cause error) error {
	if in.table.letter == nil {
		return fmt.Errorf("insert into %s: dead letter refused: %w", in.client.table(in.table.name), cause)
	}
	stage, source, at := in.table.letter(row)
	payload, err := json.Marshal(row)
	if err != nil { // not a number has no JSON
		payload = fmt.Appendf(nil, "%+v", *row)
	}
	letter := stream.DeadLetter{
		Stage: stage, Source: source, Reason: reasonRejected,
		Detail: fmt.Sprintf("table %s: %v", in.table.name, withoutValues(cause)), At: at, Payload: payload,
	}
	if in.table.holds != nil {
		letter.Platform, letter.Items = in.table.holds(row)
		letter.Items = slices.DeleteFunc(letter.Items, func(id string) bool { return id == "" })
	}
	err = in.reject(ctx, in.table.name, letter, withoutValues(cause))
	if err != nil || in.table.bare == nil {
		return err
	}
	bare := in.table.bare(row)
	if in.validate(bare) != nil {
		return nil //nolint:nilerr // its dead letter is all there is: verify says so
	}
	return in.store(ctx, []*T{bare}, func(_ context.Context, _ *T, again error) error {
		in.client.cfg.Logger.Error("row rejected without its texts too", "table", in.table.name, "source", source.String(), "error", withoutValues(again))
		return nil
	})
}
