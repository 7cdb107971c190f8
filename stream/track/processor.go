// Package track is the second stage: it recognises duplicates and new versions, counts the panes of its partition and follows the
// conversations. Its state is a function of its partition of otklik.mentions and lives in ClickHouse; memory caches what is live.
package track

import (
	"context"
	"slices"
	"time"

	"otklik/stream"
	"otklik/stream/care"
	"otklik/stream/claim"
	"otklik/stream/kafka"
	"otklik/stream/task"
	"otklik/stream/window"
	"otklik/stream/wire"
)

// Store is where track finds what memory does not hold. All rows are deduplicated: the newest position wins.
type Store interface {
	task.Books
	// EachIdentity calls fn for the mentions of the partition published since, whose first position is at most upTo.
	EachIdentity(ctx context.Context, partition int32, since stream.Time, upTo stream.Position, fn func(*stream.Identity) error) error
	// Mentions returns the rows with these identities that exist.
	Mentions(ctx context.Context, keys []stream.IdentityKey) ([]stream.MentionRow, error)
	// OpenPanes returns the panes of the partition that end after the given time.
	OpenPanes(ctx context.Context, partition int32, endAfter stream.Time) ([]window.Pane, error)
	// Panes returns the panes with these keys that exist.
	Panes(ctx context.Context, partition int32, keys []window.Key) ([]window.Pane, error)
	// EachTurn calls fn for all turns, with a position of at most upTo, of the threads that have a turn since; the turns of a
	// thread come one after the other.
	EachTurn(ctx context.Context, partition int32, since stream.Time, upTo stream.Position, fn func(*task.TurnRow) error) error
	// Turns returns the turns, with a position of at most upTo, of these threads.
	Turns(ctx context.Context, partition int32, keys []care.Key, upTo stream.Position) ([]task.TurnRow, error)
	// Claims returns the claims about these mentions that exist.
	Claims(ctx context.Context, names []stream.MentionName) ([]claim.Row, error)
}

// Outbox takes the partials for roll.
type Outbox interface {
	Add(key, value []byte)
	AddTo(partition int32, key, value []byte)
	Partitions() int
	Send(ctx context.Context) error
}

// DeadLetters makes dead letters durable in their topic.
type DeadLetters interface {
	Send(ctx context.Context, letters []stream.DeadLetter) error
}

// Config is what all partitions of track share.
type Config struct {
	Window window.Config
	Care   *care.Evaluator
	// IdentityHorizon is how long after its publication memory remembers a mention; later repetitions are looked up. Default 48 h.
	IdentityHorizon time.Duration
	// ThreadHorizon is how long after its last turn memory keeps a thread. It must exceed QuietGap; default QuietGap + 24 h.
	ThreadHorizon time.Duration
	QuietGap      time.Duration
	Claims        Claims
	Epoch         uint16
	Store         Store
	Sink          task.Sink
	Dead          DeadLetters
}

func (cfg Config) withDefaults() Config {
	if cfg.IdentityHorizon <= 0 {
		cfg.IdentityHorizon = 48 * time.Hour
	}
	if cfg.QuietGap <= 0 {
		cfg.QuietGap = 72 * time.Hour
	}
	if cfg.ThreadHorizon <= cfg.QuietGap {
		cfg.ThreadHorizon = cfg.QuietGap + 24*time.Hour
	}
	return cfg
}

// Processor is track on one partition of otklik.mentions.
type Processor struct {
	cfg       Config
	partition stream.Partition
	out       Outbox
	observer  task.Observer

	ledger     *task.Ledger
	identities *identities
	panes      *window.Store
	book       *care.Book
	marks      map[stream.Partition]*stream.Source // the highest source seen of each raw partition
	lastMark   *stream.Source                      // of the record before: those of a raw partition come together
	watermark  *window.Tracker

	position stream.Position // everything before it is applied
	flushed  stream.Position
	last     stream.Tail // of the records before position
	swept    stream.Time // hour of the watermark at which memory was last swept
	told     stream.Time // the watermark that roll was told last
	toldIdle bool

	// now is the wall clock, for idle sources only, as of the fetch of the batch: that nothing was read while processing waited
	// says nothing about the sources.
	now     time.Time
	parser  *wire.MentionParser
	batch   []arrival
	changes changes
	stored  map[identityKey]*stream.MentionRow // current versions fetched for the batch
	claims  map[stream.MentionName]*claim.Row  // fetched for the batch
	pending unflushed                          // rows.Mentions
	// pendingClaims are the indexes in rows.Claims of claims not yet flushed.
	pendingClaims map[stream.MentionName]int

	rows task.Rows
	seen stream.Books // what became of the batch
}

// New returns the processor of a partition of otklik.mentions, which writes partials to out.
func New(cfg Config, p stream.Partition, out Outbox, observer task.Observer) *Processor {
	cfg = cfg.withDefaults()
	return &Processor{
		cfg: cfg, partition: p, out: out, observer: observer,
		ledger: task.NewLedger(stream.StageTrack, p), identities: newIdentities(),
		panes: window.NewStore(p.Number, cfg.Window), book: care.NewBook(cfg.Care),
		parser: wire.NewMentionParser(), marks: map[stream.Partition]*stream.Source{}, watermark: window.NewTracker(cfg.Window),
		pendingClaims: map[stream.MentionName]int{},
	}
}

// Restore loads the live state as of the restart point.
func (p *Processor) Restore(ctx context.Context) (int64, error) {
	progress, ok, err := p.cfg.Store.Progress(ctx, stream.StageTrack, p.partition)
	if err != nil {
		return 0, err
	}
	next := task.Start(progress, ok, p.cfg.Epoch)
	p.position = stream.PositionAfter(p.cfg.Epoch, max(next, 0)-1)
	p.flushed = p.position
	if next != task.FromFirst {
		p.last = progress.Last
	}
	for _, mark := range progress.Sources {
		p.mark(mark.Source)
	}
	// Sources of corrections have no event time: an analyst says nothing about how far a platform has come.
	timed := slices.DeleteFunc(task.Marks(progress.Sources), func(m window.Mark) bool { return m.EventTime == 0 })
	p.watermark.Restore(progress.Watermark, timed, time.Now())
	watermark := p.watermark.Watermark()

	// A former owner may still be flushing, so what remembers is read before what counts, against the order of a flush: a version
	// that is found here has been counted in every row that is read after it.
	p.identities.oldest = p.horizon(watermark, p.cfg.IdentityHorizon).Truncate(stream.Hour)
	err = p.cfg.Store.EachIdentity(ctx, p.partition.Number, p.identities.oldest, p.position, func(id *stream.Identity) error {
		p.identities.put(p.identities.key(id.Platform, id.ItemID, id.Brand),
			identity{position: id.Position, published: id.PublishedAt, version: id.Version}, id.Versions)
		return nil
	})
	if err != nil {
		return 0, err
	}
	if err := p.restoreThreads(ctx, watermark); err != nil {
		return 0, err
	}
	return next, p.restoreCounts(ctx, watermark)
}

// restoreThreads loads the conversations one by one: a million of them at once would take as much memory as the book itself.
func (p *Processor) restoreThreads(ctx context.Context, watermark stream.Time) error {
	var key care.Key
	var turns []care.Turn
	err := p.cfg.Store.EachTurn(ctx, p.partition.Number, p.horizon(watermark, p.cfg.ThreadHorizon), p.position, func(t *task.TurnRow) error {
		if t.Key != key && len(turns) > 0 {
			p.book.Restore(key, turns)
			turns = turns[:0]
		}
		key = t.Key
		turns = append(turns, t.Turn)
		return nil
	})
	if err != nil {
		return err
	}
	if len(turns) > 0 {
		p.book.Restore(key, turns)
	}
	return nil
}

// restoreCounts loads the books and the open panes. Rows beyond the restart point come along with their position: they skip
// what they cover.
func (p *Processor) restoreCounts(ctx context.Context, watermark stream.Time) error {
	rows, err := p.cfg.Store.LedgerRows(ctx, stream.StageTrack, p.partition)
	if err != nil {
		return err
	}
	p.ledger.Restore(rows)
	panes, err := p.cfg.Store.OpenPanes(ctx, p.partition.Number, watermark)
	if err != nil {
		return err
	}
	p.panes.Restore(panes)
	p.panes.Advance(watermark, p.position)
	return nil
}

// mark moves the mark of a raw partition to the source, and reports whether that is further than it was.
func (p *Processor) mark(src stream.Source) bool {
	m := p.lastMark
	if m == nil || m.Partition != src.Partition {
		if m = p.marks[src.Partition]; m == nil {
			m = new(stream.Source)
			*m = src
			p.marks[src.Partition], p.lastMark = m, m
			return true
		}
		p.lastMark = m
	}
	if !m.Before(src) {
		return false
	}
	*m = src
	return true
}

// horizon returns the event time before which memory forgets, 0 while the watermark is unknown.
func (p *Processor) horizon(watermark stream.Time, d time.Duration) stream.Time {
	if watermark == 0 {
		return 0
	}
	return watermark - stream.Time(d.Milliseconds())
}

// Process applies a batch: what it needs from ClickHouse is fetched first, with one query per kind.
func (p *Processor) Process(ctx context.Context, batch kafka.Batch) error {
	p.seen = stream.Books{}
	p.now = batch.At
	p.parse(batch.Records)
	if err := p.fetchIdentities(ctx); err != nil {
		return err
	}
	if err := p.fetchClaims(ctx); err != nil {
		return err
	}
	if err := p.fetchThreads(ctx); err != nil {
		return err
	}
	for i := range p.batch {
		p.apply(&p.batch[i])
	}
	if err := p.fetchPanes(ctx); err != nil {
		return err
	}
	if err := p.changes.apply(p.panes); err != nil {
		return err
	}
	p.changes.reset()
	clear(p.batch) // its texts are parts of what was fetched
	p.batch = p.batch[:0]
	p.position = max(p.position, stream.PositionAfter(p.cfg.Epoch, batch.Next-1))
	p.last = kafka.LastOf(&batch, p.last)
	p.ledger.Gap(&batch, p.position, &p.seen)
	p.watermark.Tick(p.now)
	if len(batch.Records) > 0 || batch.Gap > 0 {
		p.observer.Batch(&p.seen)
	}
	return nil
}

// Flush makes everything applied so far durable: partials first, then the rows that count, the rows that remember, and the
// restart point.
func (p *Processor) Flush(ctx context.Context) (stream.Position, error) {
	watermark := p.watermark.Watermark()
	p.panes.Advance(watermark, p.position)
	panes := p.panes.Flush()
	idle := p.watermark.Idle()
	p.rows.Ledger = p.ledger.Flush()
	if p.position == p.flushed && len(panes) == 0 && watermark == p.told && idle == p.toldIdle {
		return p.position, nil
	}
	p.rows.Panes = panes
	var turns []care.TurnRow
	p.rows.Responses, p.rows.Cases, turns = p.book.Flush()
	p.rows.Turns = slices.Grow(p.rows.Turns, len(turns))
	for i := range turns {
		p.rows.Turns = append(p.rows.Turns, task.TurnRow{TurnRow: turns[i], Partition: p.partition.Number})
	}
	clear(turns) // as Rows.Reset does
	for i := range panes {
		if panes[i].Grain == window.Minute && panes[i].Product == "" {
			p.out.Add([]byte(panes[i].Brand), wire.AppendPane(nil, &panes[i]))
		}
	}
	if watermark != 0 {
		mark := wire.AppendWatermark(nil, &wire.Watermark{Partition: p.partition.Number, Time: watermark, Idle: idle, Position: p.position})
		for n := range p.out.Partitions() {
			p.out.AddTo(int32(n), nil, mark)
		}
	}
	if err := p.out.Send(ctx); err != nil {
		return 0, err
	}
	if err := p.tellClaims(ctx); err != nil {
		return 0, err
	}
	if len(p.rows.DeadLetters) > 0 {
		if err := p.cfg.Dead.Send(ctx, p.rows.DeadLetters); err != nil {
			return 0, err
		}
	}
	p.rows.Progress = append(p.rows.Progress, p.progress(watermark))
	if err := p.cfg.Sink.Flush(ctx, &p.rows); err != nil {
		return 0, err
	}
	p.rows.Reset()
	p.parser.Forget()
	p.pending.reset()
	clear(p.pendingClaims)
	p.flushed, p.told, p.toldIdle = p.position, watermark, idle
	p.observer.Watermark(watermark, idle)

	p.panes.Clean()
	p.panes.Evict()
	p.forget(watermark)
	p.observer.State("threads", p.book.Len())
	p.observer.State("panes", p.panes.Len())
	p.observer.State("identities", len(p.identities.seen))
	return p.position, nil
}

// forget drops from memory what lies behind the horizons, once per hour of event time: both sweeps look at every entry.
func (p *Processor) forget(watermark stream.Time) {
	hour := watermark.Truncate(stream.Hour)
	if hour <= p.swept {
		return
	}
	p.swept = hour
	p.book.Evict(p.horizon(hour, p.cfg.ThreadHorizon))
	p.identities.forget(p.horizon(hour, p.cfg.IdentityHorizon))
}

func (p *Processor) progress(watermark stream.Time) stream.Progress {
	row := stream.Progress{Stage: stream.StageTrack, Partition: p.partition, Position: p.position, Watermark: watermark, Last: p.last}
	for _, mark := range p.watermark.Marks() {
		row.Sources = append(row.Sources, stream.SourceMark{Source: *p.marks[mark.Source], EventTime: mark.EventTime})
	}
	if len(row.Sources) == len(p.marks) {
		return row
	}
	timed := map[stream.Partition]bool{}
	for i := range row.Sources {
		timed[row.Sources[i].Partition] = true
	}
	for partition, source := range p.marks {
		if !timed[partition] {
			row.Sources = append(row.Sources, stream.SourceMark{Source: *source})
		}
	}
	return row
}
