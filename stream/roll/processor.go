// Package roll is the third stage: it merges the pane partials of all partitions of otklik.mentions into whole-brand figures and
// keeps the rolling windows. Partials are absolute and carry their position, so they may come twice, late or from a zombie.
package roll

import (
	"context"
	"fmt"
	"slices"
	"time"

	"otklik/stream"
	"otklik/stream/kafka"
	"otklik/stream/prevalence"
	"otklik/stream/spike"
	"otklik/stream/task"
	"otklik/stream/window"
	"otklik/stream/wire"
)

// Store is where roll finds what memory does not hold.
type Store interface {
	task.Books
	// MinutePanes returns the one-minute panes with product "" of these brands that start in [from, to), of all partitions.
	MinutePanes(ctx context.Context, brands []string, from, to stream.Time) ([]window.Pane, error)
}

// DeadLetters makes dead letters durable in their topic.
type DeadLetters interface {
	Send(ctx context.Context, letters []stream.DeadLetter) error
}

// forever is the end of a range without an end: 1 January 2200.
const forever stream.Time = 7_258_118_400_000

// Config is what all partitions of roll share.
type Config struct {
	Window window.Config
	Epoch  uint16
	// Upstream is the topic whose panes roll merges: otklik.mentions.
	Upstream string
	// Brands are those whose partials come to this partition.
	Brands []string
	Store  Store
	Sink   task.Sink
	Dead   DeadLetters
	// Errors is the confusion matrix of the classifier in use, for the adjusted shares; nil if it is not known.
	Errors *prevalence.Matrix
	// Alerts keeps the episodes of spikes; nil looks for none.
	Alerts      Alerts
	Sensitivity spike.Sensitivity
	OnAlerts    func() // called when episodes have become durable; may be nil
}

// Processor is roll on one partition of otklik.panes: the brands whose keys hash to it.
type Processor struct {
	cfg       Config
	partition stream.Partition
	observer  task.Observer

	ledger    *task.Ledger
	brands    map[string]*window.Rolling
	spikes    *spikes
	watermark *window.Tracker
	positions map[int32]stream.Position // the newest watermark message of each track partition
	used      map[int32]stream.Position // the newest position of each track partition of which a partial was used
	durable   map[int32]stream.Position // how far each track partition is known to be durable

	restart  stream.Progress // where this task began
	resumed  bool            // the windows of all brands of the restart point are loaded, or there are none
	position stream.Position
	flushed  stream.Position
	last     stream.Tail // of the records before position
	rows     task.Rows
}

// New returns the processor of a partition of otklik.panes.
func New(cfg Config, p stream.Partition, observer task.Observer) *Processor {
	cfg.Window = cfg.Window.WithDefaults()
	return &Processor{
		cfg: cfg, partition: p, observer: observer, ledger: task.NewLedger(stream.StageRoll, p),
		brands: map[string]*window.Rolling{}, spikes: newSpikes(&cfg), watermark: window.NewMerger(cfg.Window), positions: map[int32]stream.Position{},
		used: map[int32]stream.Position{}, durable: map[int32]stream.Position{},
	}
}

// Restore finds the restart point. The windows are loaded with the first batch.
func (p *Processor) Restore(ctx context.Context) (int64, error) {
	progress, next, at, err := task.Resume(ctx, p.cfg.Store, stream.StageRoll, p.partition, p.cfg.Epoch, p.ledger)
	if err != nil {
		return 0, err
	}
	p.position, p.flushed, p.last = at, at, progress.Last
	p.restart = stream.Progress{Position: p.position, Watermark: progress.Watermark}
	p.watermark.Restore(progress.Watermark, marks(progress.Sources), time.Now())
	p.resumed = next == task.FromFirst
	if !p.resumed {
		for i := range progress.Sources {
			p.used[progress.Sources[i].Partition.Number] = stream.Position(progress.Sources[i].Offset)
		}
	}
	return next, nil
}

// partial is one record of the batch.
type partial struct {
	pane     *window.Pane
	position stream.Position
}

// Process applies the partials of a batch.
func (p *Processor) Process(ctx context.Context, batch kafka.Batch) error {
	var panes []partial
	var seen stream.Books
	for i := range batch.Records {
		rec := &batch.Records[i]
		pos := stream.PositionAfter(p.cfg.Epoch, rec.Offset)
		books := stream.Books{Records: 1, Read: 1}
		msg, err := wire.ParsePartial(rec.Value)
		if err != nil {
			books.DeadLetters = 1
			p.rows.DeadLetters = append(p.rows.DeadLetters, stream.DeadLetter{
				Stage: stream.StageRoll, Source: stream.Source{Partition: rec.Partition, Offset: rec.Offset},
				Reason: "bad_partial", Detail: err.Error(), At: rec.Timestamp,
				Key: slices.Clone(rec.Key), Payload: slices.Clone(rec.Value),
			})
		} else {
			books.Other = 1
			if msg.Pane != nil {
				panes = append(panes, partial{pane: msg.Pane, position: pos})
			} else {
				p.mark(msg.Watermark, batch.At)
			}
		}
		p.ledger.At(rec.Timestamp, pos).Add(&books)
		seen.Add(&books)
	}
	if err := p.load(ctx, panes); err != nil {
		return err
	}
	for i := range panes {
		pane := panes[i].pane
		p.brands[pane.Brand].Apply(pane, panes[i].position)
		p.used[pane.Partition] = max(p.used[pane.Partition], pane.Position)
	}
	p.position = max(p.position, stream.PositionAfter(p.cfg.Epoch, batch.Next-1))
	p.last = kafka.LastOf(&batch, p.last)
	p.ledger.Gap(&batch, p.position, &seen)
	if len(batch.Records) > 0 || batch.Gap > 0 {
		p.observer.Batch(&seen)
	}
	p.watermark.Tick(batch.At)
	return nil
}

// mark takes over the watermark of a track partition. One that is idle is left out until it speaks again.
func (p *Processor) mark(w *wire.Watermark, now time.Time) {
	if w.Position < p.positions[w.Partition] {
		return // of a zombie or a replay
	}
	p.positions[w.Partition] = w.Position
	p.watermark.ObserveWatermark(trackPartition(w.Partition), w.Time, w.Idle, now)
}

// load fetches the minutes that memory does not hold: the newest days of a brand that this task has not met yet, and the
// surroundings of partials that are late by more than memory reaches.
func (p *Processor) load(ctx context.Context, panes []partial) error {
	var unknown []string
	meet := func(brand string) {
		if p.brands[brand] == nil {
			p.brands[brand] = window.NewRolling(brand, p.cfg.Window)
			p.brands[brand].AdjustBy(p.cfg.Errors)
			unknown = append(unknown, brand)
		}
	}
	for i := range panes {
		meet(panes[i].pane.Brand)
	}
	if !p.resumed {
		// The windows of a brand of which nothing comes any more move on and become final all the same. As long as nothing comes at
		// all, there is no hurry: track may have died in its flush and not run again.
		waits, err := p.awaited(ctx)
		if err != nil {
			return err
		}
		if waits == "" || len(unknown) > 0 {
			p.resumed = true
			for _, brand := range p.cfg.Brands {
				meet(brand)
			}
		}
	}
	if len(unknown) > 0 {
		if err := p.settle(ctx); err != nil {
			return err
		}
		from := p.brands[unknown[0]].Since(p.restart.Watermark) // the same for all
		stored, err := p.cfg.Store.MinutePanes(ctx, unknown, from, forever)
		if err != nil {
			return err
		}
		byBrand := map[string][]window.Pane{}
		for i := range stored {
			byBrand[stored[i].Brand] = append(byBrand[stored[i].Brand], stored[i])
		}
		for _, brand := range unknown {
			p.brands[brand].Restore(p.restart.Watermark, byBrand[brand], p.restart.Position)
		}
		if err := p.spikes.restore(ctx, unknown, p.restart.Watermark); err != nil {
			return err
		}
	}
	for i := range panes {
		r := p.brands[panes[i].pane.Brand]
		from, to := r.Missing(panes[i].pane.Start)
		if from >= to {
			continue
		}
		if err := p.settle(ctx); err != nil {
			return err
		}
		stored, err := p.cfg.Store.MinutePanes(ctx, []string{r.Brand()}, from, to)
		if err != nil {
			return err
		}
		r.Load(from, to, stored, panes[i].position)
	}
	return nil
}

// settleInterval is how often settle looks again.
const settleInterval = 50 * time.Millisecond

// settle waits until the panes in ClickHouse hold every partial that was used before. Track produces a partial before it writes
// the row, so a pane that is loaded in between would be the one before the partial, which does not come again: the windows
// would lack it until its minute changes once more. Normally that is over in the time of a flush; if track died in its
// flush, it is over when track has replayed it.
func (p *Processor) settle(ctx context.Context) error {
	for {
		waits, err := p.awaited(ctx)
		if err != nil || waits == "" {
			return err
		}
		again := time.NewTimer(settleInterval)
		select {
		case <-again.C:
		case <-ctx.Done():
			again.Stop()
			return fmt.Errorf("%s: %w", waits, context.Cause(ctx))
		}
	}
}

// awaited returns what settle waits for, "" if nothing.
func (p *Processor) awaited(ctx context.Context) (string, error) {
	for number, position := range p.used {
		if p.durable[number] >= position {
			continue
		}
		upstream := stream.Partition{Topic: p.cfg.Upstream, Number: number}
		progress, ok, err := p.cfg.Store.Progress(ctx, stream.StageTrack, upstream)
		if err != nil {
			return "", err
		}
		if ok {
			p.durable[number] = progress.Position
		}
		if p.durable[number] < position {
			return fmt.Sprintf("wait for track to write %s up to %s (it is at %s; does the stage track run?)", upstream, position, p.durable[number]), nil
		}
	}
	return "", nil
}

// saidIdle is the index of the source of a track partition that has said that it is idle.
const saidIdle = 1

// sources returns, per track partition, the newest position that was used (as an offset), how far its watermark has come, and whether
// it is idle.
func (p *Processor) sources() []stream.SourceMark {
	var out []stream.SourceMark
	told := map[int32]bool{}
	for _, mark := range p.watermark.Marks() {
		told[mark.Source.Number] = true
		from := stream.Source{Partition: mark.Source, Offset: int64(p.used[mark.Source.Number])}
		if mark.Idle {
			from.Index = saidIdle
		}
		out = append(out, stream.SourceMark{Source: from, EventTime: mark.EventTime})
	}
	for number, position := range p.used {
		if !told[number] { // its watermark stands in the next record
			out = append(out, stream.SourceMark{Source: stream.Source{Partition: trackPartition(number), Offset: int64(position)}})
		}
	}
	return out
}

// marks is the reverse of sources.
func marks(sources []stream.SourceMark) []window.Mark {
	marks := task.Marks(sources)
	for i := range marks {
		marks[i].Idle = sources[i].Index == saidIdle
	}
	return marks
}

// trackPartition names a partition of track as a source of watermarks.
func trackPartition(number int32) stream.Partition {
	return stream.Partition{Topic: string(stream.StageTrack), Number: number}
}

// Flush makes the changed rows of the rolling windows durable.
func (p *Processor) Flush(ctx context.Context) (stream.Position, error) {
	watermark := p.watermark.Watermark()
	p.rows.Rolling = p.rows.Rolling[:0]
	for brand, r := range p.brands {
		r.Advance(watermark)
		before := len(p.rows.Rolling)
		p.rows.Rolling = r.Flush(p.rows.Rolling)
		p.spikes.observe(brand, p.rows.Rolling[before:], p.partition.Number, p.position, watermark)
	}
	p.rows.Ledger = p.ledger.Flush()
	if p.position == p.flushed && len(p.rows.Rolling) == 0 && len(p.rows.Ledger) == 0 && !p.spikes.pending() {
		return p.position, nil
	}
	if len(p.rows.DeadLetters) > 0 {
		if err := p.cfg.Dead.Send(ctx, p.rows.DeadLetters); err != nil {
			return 0, err
		}
	}
	if err := p.spikes.flush(ctx); err != nil {
		return 0, err
	}
	progress := stream.Progress{Stage: stream.StageRoll, Partition: p.partition, Position: p.position, Watermark: watermark, Last: p.last}
	progress.Sources = p.sources()
	p.rows.Progress = append(p.rows.Progress, progress)
	if err := p.cfg.Sink.Flush(ctx, &p.rows); err != nil {
		return 0, err
	}
	p.rows.Reset()
	p.flushed = p.position
	p.observer.Watermark(watermark, false)
	p.observer.State("brands", len(p.brands))
	return p.position, nil
}
