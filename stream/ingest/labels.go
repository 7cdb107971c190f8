package ingest

import (
	"context"
	"errors"
	"fmt"

	"otklik/stream"
	"otklik/stream/kafka"
	"otklik/stream/label"
	"otklik/stream/task"
)

// Places is where a processor of corrections finds the mentions that they are about.
type Places interface {
	// Places returns where the mentions with these names are; what does not exist is left out.
	Places(ctx context.Context, names []stream.MentionName) ([]stream.MentionPlace, error)
	// Refused returns the offsets, as in stream.Source, of the records from one source to another, both included, that have a dead letter
	// with one of the reasons.
	Refused(ctx context.Context, from, to stream.Source, reasons []string) (map[int64]bool, error)
}

// The reasons of dead letters that depend on what ClickHouse holds when a correction is read.
const (
	reasonUnknownMention = "unknown_mention"
	reasonNotLabelled    = "not_labelled"
)

// Labels is ingest on a partition of the topic of the corrections: it finds the mention that a correction is about and sends the
// correction where the mention went.
//
// Whether the mention exists depends on the moment, and a replay must not find another answer: the books would count the correction
// as a dead letter and track would read it, or the other way round. Mentions do not vanish, so what was found once will be
// found again; and what was not found is durable as a dead letter before anything of its batch is produced, and a
// replay asks for it.
type Labels struct {
	common

	places Places
	asked  []asked
}

// asked is a correction whose mention is being looked up.
type asked struct {
	rec     *stream.Record
	source  stream.Source
	message label.Message
	place   *stream.MentionPlace
	again   bool // refused before
}

// NewLabels returns the processor of a partition of the topic of the corrections, which writes to out. Of cfg it needs neither
// Classifier nor Pseudonyms.
func NewLabels(cfg Config, p stream.Partition, places Places, out Outbox, observer task.Observer) *Labels {
	return &Labels{common: newCommon(cfg, p, out, observer), places: places}
}

// Process produces the corrections of the records before it returns.
func (p *Labels) Process(ctx context.Context, batch kafka.Batch) error {
	p.begin()
	clear(p.asked)
	p.asked = p.asked[:0]
	for i := range batch.Records {
		p.record(&batch.Records[i])
	}
	if len(p.asked) > 0 {
		if err := p.lookUp(ctx); err != nil {
			return err
		}
		if err := p.refuseUnknown(ctx); err != nil {
			return err
		}
		p.send()
	}
	return p.end(ctx, &batch)
}

// record reads one correction.
func (p *Labels) record(rec *stream.Record) {
	src := stream.SourceOf(p.partition, p.cfg.Epoch, rec.Offset)
	m, err := label.Parse(rec.Value)
	if fault, ok := errors.AsType[*label.Error](err); ok {
		HoldCorrections(p.dead(rec, src, fault.Reason, fault.Detail))
		return
	}
	if limit := rec.Timestamp + stream.Time(p.cfg.MaxFuture.Milliseconds()); m.At > limit {
		l := p.dead(rec, src, "future", fmt.Sprintf("the label was given at %s, the record is of %s: it would count for ever", m.At, rec.Timestamp))
		holdName(l, m.MentionName)
		return
	}
	if p.cfg.Matcher.Catalogue().Brand(m.Brand) == nil {
		holdName(p.dead(rec, src, "unknown_brand", fmt.Sprintf("the catalogue has no brand %q: write its key", m.Brand)), m.MentionName)
		return
	}
	p.asked = append(p.asked, asked{rec: rec, source: src, message: m})
}

// lookUp finds the mentions of all corrections of the batch, and which corrections were refused before.
func (p *Labels) lookUp(ctx context.Context) error {
	wanted := map[stream.MentionName]*stream.MentionPlace{}
	var names []stream.MentionName
	for i := range p.asked {
		name := p.asked[i].message.MentionName
		if _, twice := wanted[name]; !twice {
			wanted[name] = nil
			names = append(names, name)
		}
	}
	found, err := p.places.Places(ctx, names)
	if err != nil {
		return err
	}
	for i := range found {
		wanted[found[i].MentionName] = &found[i]
	}
	refused, err := p.places.Refused(ctx, p.asked[0].source, p.asked[len(p.asked)-1].source, []string{reasonUnknownMention, reasonNotLabelled})
	if err != nil {
		return err
	}
	for i := range p.asked {
		a := &p.asked[i]
		a.place, a.again = wanted[a.message.MentionName], refused[a.source.Offset]
	}
	return nil
}

// refuseUnknown makes dead letters of the corrections without a mention.
func (p *Labels) refuseUnknown(ctx context.Context) error {
	var letters []stream.DeadLetter
	for i := range p.asked {
		a := &p.asked[i]
		switch {
		case a.again:
		case a.place == nil:
			letters = append(letters, letter(a.rec, a.source, reasonUnknownMention, fmt.Sprintf(
				"there is no mention of %s in %s %s: check the id, or put the label back with `otklik deadletters redrive --reason %s` once the mention is there",
				a.message.Brand, a.message.Platform, a.message.ItemID, reasonUnknownMention)))
		case a.place.Role != stream.Customer:
			letters = append(letters, letter(a.rec, a.source, reasonNotLabelled, fmt.Sprintf(
				"%s %s is %s of %s: only mentions by customers have labels", a.message.Platform, a.message.ItemID, voice(a.place.Role), a.message.Brand)))
		default:
			continue
		}
		if !a.again {
			holdName(&letters[len(letters)-1], a.message.MentionName)
		}
		p.count(a.rec, &stream.Books{Records: 1, Read: 1, DeadLetters: 1})
		a.place = nil
	}
	return p.refuse(ctx, letters)
}

func voice(r stream.Role) string {
	if r == stream.Own {
		return "the own voice"
	}
	return "spam in the name"
}

// send queues the corrections that have a mention.
func (p *Labels) send() {
	for i := range p.asked {
		a := &p.asked[i]
		if a.place == nil {
			continue
		}
		m := about(a.place, a.rec, a.source)
		m.Corrects = &a.message.Correction
		p.add(&m)
		p.count(a.rec, &stream.Books{Records: 1, Read: 1, Mentions: 1})
	}
}
