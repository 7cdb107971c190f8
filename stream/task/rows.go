package task

import (
	"context"

	"otklik/stream"
	"otklik/stream/care"
	"otklik/stream/claim"
	"otklik/stream/window"
)

// TurnRow is a row of the table turns.
type TurnRow struct {
	care.TurnRow
	Partition int32 // of otklik.mentions
}

// Rows is what one flush of a task writes. All rows are absolute values with a position: writing them twice changes nothing.
type Rows struct {
	// Rows that count: durable before the rows that remember.
	Panes       []window.Pane
	Responses   []care.Response
	Cases       []care.Case
	Ledger      []stream.LedgerRow
	Communities []stream.CommunityRow
	Erasures    []stream.ErasureRow
	DeadLetters []stream.DeadLetter
	Rolling     []window.RollingRow
	// Rows that do both, because they hold what was said to them: durable between those that count and those that remember. A claim that is
	// found at a position proves that the books have come as far, and a version of a mention proves that its claim has.
	Claims []claim.Row
	// Rows that remember: durable before the progress.
	Mentions []stream.MentionRow
	Turns    []TurnRow
	// The restart point, last.
	Progress []stream.Progress
}

// Reset empties the rows and keeps their memory, but nothing of what people wrote: after a large flush most of it may not be used again for
// long, and a text would keep the whole fetch that it came with.
func (r *Rows) Reset() {
	clear(r.Responses)
	clear(r.Cases)
	clear(r.DeadLetters)
	clear(r.Claims)
	clear(r.Mentions)
	clear(r.Turns)
	*r = Rows{
		Panes: r.Panes[:0], Responses: r.Responses[:0], Cases: r.Cases[:0], Ledger: r.Ledger[:0],
		Communities: r.Communities[:0], Erasures: r.Erasures[:0], DeadLetters: r.DeadLetters[:0], Rolling: r.Rolling[:0], Claims: r.Claims[:0],
		Mentions: r.Mentions[:0], Turns: r.Turns[:0], Progress: r.Progress[:0],
	}
}

// Sink makes rows durable.
type Sink interface {
	// Flush returns when all rows are durable, in the order of the fields' comments. It retries transient errors until ctx ends.
	Flush(ctx context.Context, rows *Rows) error
}

// Books is what every stage restores.
type Books interface {
	// Progress returns the restart point of the stage on the partition; ok is false when there is none yet.
	Progress(ctx context.Context, stage stream.Stage, p stream.Partition) (progress stream.Progress, ok bool, err error)
	// LedgerRows returns all rows of the ledger of the stage on the partition.
	LedgerRows(ctx context.Context, stage stream.Stage, p stream.Partition) ([]stream.LedgerRow, error)
}
