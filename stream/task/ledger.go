package task

import (
	"otklik/stream"
	"otklik/stream/kafka"
)

// Ledger keeps the books of one stage on one partition.
type Ledger struct {
	stage     stream.Stage
	partition stream.Partition
	pages     map[stream.Time]*page
	last      *page // the one asked for last: records of an hour come together
	discard   stream.Books
}

type page struct {
	hour     stream.Time
	books    stream.Books
	restored stream.Position // what the row in ClickHouse covers already
	position stream.Position
	dirty    bool
}

// NewLedger returns empty books.
func NewLedger(stage stream.Stage, p stream.Partition) *Ledger {
	return &Ledger{stage: stage, partition: p, pages: map[stream.Time]*page{}}
}

// Restore takes over the rows of the table ledger. All rows of the partition are needed: a page that is not restored is begun anew.
func (l *Ledger) Restore(rows []stream.LedgerRow) {
	for i := range rows {
		l.pages[rows[i].Hour] = &page{hour: rows[i].Hour, books: rows[i].Books, restored: rows[i].Position, position: rows[i].Position}
	}
	l.last = nil
}

// At returns the page to count a record in that has this timestamp and whose position (after it) is pos. When the page
// already covers the record (a replay) it returns a page that nobody reads.
func (l *Ledger) At(timestamp stream.Time, pos stream.Position) *stream.Books {
	hour := timestamp.Truncate(stream.Hour)
	p := l.last
	if p == nil || p.hour != hour {
		if p = l.pages[hour]; p == nil {
			p = &page{hour: hour}
			l.pages[hour] = p
		}
		l.last = p
	}
	if p.restored.Covers(pos) {
		return &l.discard
	}
	p.position, p.dirty = max(p.position, pos), true
	return &p.books
}

// Covers reports whether the page of this timestamp was restored with the record at pos counted.
func (l *Ledger) Covers(timestamp stream.Time, pos stream.Position) bool {
	p := l.pages[timestamp.Truncate(stream.Hour)]
	return p != nil && p.restored.Covers(pos)
}

// Gap counts in the ledger, and in what became of the batch, the records that retention had removed before the batch was read. They stand in
// the hour of its first record; of a batch without records, in that of its fetch. pos is the position after the batch.
func (l *Ledger) Gap(batch *kafka.Batch, pos stream.Position, seen *stream.Books) {
	if batch.Gap <= 0 {
		return
	}
	at := stream.TimeOf(batch.At)
	if len(batch.Records) > 0 {
		at = batch.Records[0].Timestamp
	}
	l.At(at, pos).Gaps += uint64(batch.Gap)
	seen.Gaps += uint64(batch.Gap)
}

// Flush returns the rows that changed since the last Flush.
func (l *Ledger) Flush() []stream.LedgerRow {
	var rows []stream.LedgerRow
	for hour, p := range l.pages {
		if !p.dirty {
			continue
		}
		p.dirty = false
		rows = append(rows, stream.LedgerRow{
			LedgerKey: stream.LedgerKey{Stage: l.stage, Partition: l.partition, Hour: hour}, Books: p.books, Position: p.position,
		})
	}
	return rows
}
