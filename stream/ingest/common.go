package ingest

import (
	"context"
	"slices"
	"time"

	"otklik/stream"
	"otklik/stream/kafka"
	"otklik/stream/task"
	"otklik/stream/wire"
)

// common is what the processors of raw partitions have in common: the books, the dead letters, and what is produced.
type common struct {
	cfg       Config
	partition stream.Partition
	out       Outbox
	observer  task.Observer
	patient   bool      // what is queued may wait for more
	sent      time.Time // moment of the fetch after which it was produced last

	ledger   *task.Ledger
	position stream.Position
	flushed  stream.Position
	last     stream.Tail // of the records before position

	rows task.Rows
	buf  []byte // an encoded mention
	seen stream.Books
}

func newCommon(cfg Config, p stream.Partition, out Outbox, observer task.Observer) common {
	if cfg.MaxFuture <= 0 {
		cfg.MaxFuture = 5 * time.Minute
	}
	return common{cfg: cfg, partition: p, out: out, observer: observer, ledger: task.NewLedger(stream.StageIngest, p)}
}

// Restore loads the books and returns where to go on.
func (p *common) Restore(ctx context.Context) (int64, error) {
	progress, next, at, err := task.Resume(ctx, p.cfg.Books, stream.StageIngest, p.partition, p.cfg.Epoch, p.ledger)
	if err != nil {
		return 0, err
	}
	p.position, p.flushed, p.last = at, at, progress.Last
	return next, nil
}

// begin begins a batch.
func (p *common) begin() {
	p.seen = stream.Books{}
}

// count enters what became of a record into the books.
func (p *common) count(rec *stream.Record, b *stream.Books) {
	p.seen.Add(b)
	p.ledger.At(rec.Timestamp, stream.PositionAfter(p.cfg.Epoch, rec.Offset)).Add(b)
}

// letter returns the dead letter of a record. It owns its memory.
func letter(rec *stream.Record, src stream.Source, reason, detail string) stream.DeadLetter {
	return stream.DeadLetter{
		Stage: stream.StageIngest, Source: src, Reason: reason, Detail: detail, At: rec.Timestamp,
		Key: slices.Clone(rec.Key), Payload: slices.Clone(rec.Value),
	}
}

// dead makes a dead letter, with the next flush, of a record that never was any good: a replay finds the same. The letter may be changed until
// the next one is made.
func (p *common) dead(rec *stream.Record, src stream.Source, reason, detail string) *stream.DeadLetter {
	p.count(rec, &stream.Books{Records: 1, Read: 1, DeadLetters: 1})
	p.rows.DeadLetters = append(p.rows.DeadLetters, letter(rec, src, reason, detail))
	return &p.rows.DeadLetters[len(p.rows.DeadLetters)-1]
}

// refuse makes dead letters durable at once whose reason depends on the moment: a replay asks for them and refuses again. They are counted
// by the caller, as are those that were refused before.
func (p *common) refuse(ctx context.Context, letters []stream.DeadLetter) error {
	if len(letters) == 0 {
		return nil
	}
	if err := p.cfg.Dead.Send(ctx, letters); err != nil {
		return err
	}
	return p.cfg.Sink.Flush(ctx, &task.Rows{DeadLetters: letters})
}

// about returns the message that tells track something about a known mention: it goes where the mention went.
func about(place *stream.MentionPlace, rec *stream.Record, src stream.Source) stream.Mention {
	return stream.Mention{
		Item:  stream.Item{Platform: place.Platform, ID: place.ItemID, PublishedAt: place.PublishedAt, Thread: place.Thread},
		Brand: place.Brand, Source: src, ReceivedAt: rec.Timestamp,
	}
}

// add queues a message for the topic of the mentions.
func (p *common) add(m *stream.Mention) {
	p.buf = append(p.buf[:0], m.Item.Thread...)
	key := len(p.buf)
	p.buf = wire.AppendMention(p.buf, m)
	p.out.Add(p.buf[:key], p.buf[key:])
}

// What is queued is produced when it is enoughBytes, or when nothing waits to be read and the last time was linger ago: a request costs both
// sides as much as some hundred messages, and every batch of records is one for those who read it, too. Under a steady load every few
// records come by themselves, and most of the time would go into requests.
const (
	enoughBytes = 1 << 20
	linger      = 100 * time.Millisecond
)

// ripe reports whether what is queued is to be produced after the batch.
func (p *common) ripe(batch *kafka.Batch) bool {
	switch {
	case !p.patient || p.out.Bytes() >= enoughBytes:
		return true
	case batch.Next < batch.End:
		return false // more waits
	}
	return len(batch.Records) == 0 || p.sent.IsZero() || batch.At.Sub(p.sent) >= linger
}

// end moves the position behind the batch, and produces what is queued if it is ripe.
func (p *common) end(ctx context.Context, batch *kafka.Batch) error {
	if p.ripe(batch) {
		if err := p.out.Send(ctx); err != nil {
			return err
		}
		p.sent = batch.At
	}
	p.position = max(p.position, stream.PositionAfter(p.cfg.Epoch, batch.Next-1))
	p.last = kafka.LastOf(batch, p.last)
	p.ledger.Gap(batch, p.position, &p.seen)
	if len(batch.Records) > 0 || batch.Gap > 0 {
		p.observer.Batch(&p.seen)
	}
	return nil
}

// Flush produces what is still queued, then makes dead letters, asides and the books durable.
func (p *common) Flush(ctx context.Context) (stream.Position, error) {
	if err := p.out.Send(ctx); err != nil {
		return 0, err
	}
	p.rows.Ledger = p.ledger.Flush()
	if p.position == p.flushed && len(p.rows.Ledger) == 0 {
		return p.position, nil
	}
	if len(p.rows.DeadLetters) > 0 {
		if err := p.cfg.Dead.Send(ctx, p.rows.DeadLetters); err != nil {
			return 0, err
		}
	}
	p.rows.Progress = append(p.rows.Progress, stream.Progress{Stage: stream.StageIngest, Partition: p.partition, Position: p.position, Last: p.last})
	if err := p.cfg.Sink.Flush(ctx, &p.rows); err != nil {
		return 0, err
	}
	p.rows.Reset()
	p.flushed = p.position
	return p.position, nil
}
