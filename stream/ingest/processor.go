// Package ingest is the first stage: it decodes raw platform JSON, finds the brands that an item names, labels each mention and
// writes it to otklik.mentions, keyed by thread. It is stateless but for its books.
package ingest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"otklik/stream"
	"otklik/stream/brand"
	"otklik/stream/firehose"
	"otklik/stream/kafka"
	"otklik/stream/sentiment"
	"otklik/stream/task"
)

// Outbox collects what is produced to one topic.
type Outbox interface {
	Add(key, value []byte)          // copies both
	Bytes() int                     // of the values that are queued
	Send(ctx context.Context) error // makes them durable, in order per partition
}

// DeadLetters makes dead letters durable in their topic.
type DeadLetters interface {
	Send(ctx context.Context, letters []stream.DeadLetter) error
}

// Config is what all partitions of ingest share.
type Config struct {
	Matcher    *brand.Matcher
	Classifier sentiment.Classifier
	Pseudonyms *Pseudonyms
	// MaxFuture is how far an item's time may lie after the record's: beyond it the item is a dead letter, because it would
	// drag the watermark along. Default 5 min.
	MaxFuture time.Duration
	Epoch     uint16
	Sink      task.Sink
	Books     task.Books
	Dead      DeadLetters
}

// Processor is ingest on one raw partition.
type Processor struct {
	common

	platform stream.Platform
	decoder  *firehose.Decoder
	scratch  brand.Scratch
	labels   sentiment.Scratch
	others   []brand.Span // names of the other brands of the item
	model    string
	batch    sentiment.BatchClassifier // nil: texts are labelled one by one
	waiting  waiting

	items []stream.Item
}

// New returns the processor of a partition of the platform's firehose topic, which writes mentions to out.
func New(cfg Config, platform stream.Platform, p stream.Partition, out Outbox, observer task.Observer) (*Processor, error) {
	decoder, err := firehose.New(platform)
	if err != nil {
		return nil, fmt.Errorf("ingest %s: %w", p, err)
	}
	batch, _ := cfg.Classifier.(sentiment.BatchClassifier)
	c := newCommon(cfg, p, out, observer)
	c.patient = true
	return &Processor{common: c, platform: platform, decoder: decoder, model: cfg.Classifier.Name(), batch: batch}, nil
}

// Process decodes the records and produces their mentions. They may wait for those of more records, or for Flush.
func (p *Processor) Process(ctx context.Context, batch kafka.Batch) error {
	p.begin()
	p.waiting.reset()
	for i := range batch.Records {
		p.record(&batch.Records[i])
	}
	if err := p.labelWaiting(ctx); err != nil {
		return err
	}
	if err := p.end(ctx, &batch); err != nil {
		return err
	}
	batch.Release() // what is kept of it was copied
	return nil
}

// maxCopies is how many dead letters of one record carry it. A list of thousands of broken elements would else be written thousands of
// times; redrive takes the record from its first dead letter.
const maxCopies = 10

// withoutRecord is the detail of the others.
const withoutRecord = "the record and its first faults are in the dead letters before this one"

// record takes one record through decoding, matching and labelling.
func (p *Processor) record(rec *stream.Record) {
	pos := stream.PositionAfter(p.cfg.Epoch, rec.Offset)
	var b stream.Books
	b.Records = 1
	letters := len(p.rows.DeadLetters)
	src := stream.SourceOf(p.partition, p.cfg.Epoch, rec.Offset)
	var key, payload []byte // its own: the record is a part of what was fetched with it
	dead := func(reason, detail string) {
		b.Read++
		b.DeadLetters++
		l := stream.DeadLetter{Stage: stream.StageIngest, Source: src, Reason: reason, Detail: detail, At: rec.Timestamp}
		if b.DeadLetters == 1 {
			key, payload = slices.Clone(rec.Key), slices.Clone(rec.Value)
		}
		if b.DeadLetters <= maxCopies {
			l.Key, l.Payload = key, payload
		} else {
			l.Detail = withoutRecord // what was said may show a part of the record, and without items no delete reaches it
		}
		p.rows.DeadLetters = append(p.rows.DeadLetters, l)
		src.Index++
	}
	var err error
	if p.batch == nil {
		p.items, err = p.decoder.DecodeViews(rec.Value, rec.Timestamp, p.items[:0])
	} else { // mentions wait for their labels
		p.items, err = p.decoder.Decode(rec.Value, rec.Timestamp, p.items[:0])
	}
	for _, m := range firehose.Faults(err) {
		dead(m.Reason, m.Detail)
	}
	limit := rec.Timestamp + stream.Time(p.cfg.MaxFuture.Milliseconds())
	for i := range p.items {
		it := &p.items[i]
		switch it.Kind {
		case stream.Post, stream.Comment, stream.Repost, stream.Edit:
		default:
			b.Read++
			b.Other++
			p.aside(it, rec, pos, &src)
			continue
		}
		if it.PublishedAt > limit || it.EditedAt > limit {
			dead("future", fmt.Sprintf("%s %s is of %s, the record of %s", it.Kind, it.ID, max(it.PublishedAt, it.EditedAt), rec.Timestamp))
			continue
		}
		hits := p.cfg.Matcher.Match(it, &p.scratch)
		if len(hits) == 0 {
			b.Read++
			b.Unmatched++
			continue
		}
		for h := range hits {
			m := p.mention(it, hits, h, src, rec.Timestamp)
			if p.batch != nil {
				p.wait(&m, hits, h)
			} else {
				p.label(&m, hits, h)
				p.produce(&m)
			}
			b.Read++
			b.Mentions++
			src.Index++
		}
	}
	if b.DeadLetters > 0 {
		p.hold(rec, p.rows.DeadLetters[letters:])
	}
	p.count(rec, &b)
}

// produce queues a labelled mention for its topic.
func (p *Processor) produce(m *stream.Mention) {
	p.cfg.Pseudonyms.apply(m)
	p.add(m)
}

// aside keeps what is not a mention but tells something: deletes, and the growth of the brand's communities. The rows own their memory.
func (p *Processor) aside(it *stream.Item, rec *stream.Record, pos stream.Position, src *stream.Source) {
	switch it.Kind {
	case stream.Delete:
		at := it.PublishedAt
		if at == 0 {
			at = rec.Timestamp
		}
		p.rows.Erasures = append(p.rows.Erasures, stream.ErasureRow{Platform: it.Platform, ItemID: strings.Clone(it.Identity()), At: at, Position: pos})
	case stream.Membership, stream.Statistics:
		if brand, _ := p.cfg.Matcher.Official(it.Platform, it.Wall, &p.scratch); brand != nil {
			row := stream.CommunityRow{
				Brand: brand.Key, Platform: it.Platform, Account: strings.Clone(it.Wall.ID), At: it.PublishedAt, Position: pos,
				Members: it.Members, Views: it.Views, EventID: strings.Clone(it.ID),
			}
			if row.At == 0 {
				row.At = rec.Timestamp
			}
			if row.EventID == "" {
				row.EventID = src.String()
			}
			switch {
			case it.Joined > 0:
				row.Joined = uint32(it.Joined)
			case it.Joined < 0:
				row.Left = uint32(-it.Joined)
			}
			p.rows.Communities = append(p.rows.Communities, row)
		}
		src.Index++
	default:
	}
}
