package ingest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"otklik/stream"
	"otklik/stream/claim"
	"otklik/stream/kafka"
	"otklik/stream/task"
)

// ClaimPlaces is where a processor of statuses finds the claims that they are about.
type ClaimPlaces interface {
	// ClaimPlaces returns where the claims with these ids are; what does not exist is left out.
	ClaimPlaces(ctx context.Context, ids []string) ([]stream.ClaimPlace, error)
	// Refused is that of Places.
	Refused(ctx context.Context, from, to stream.Source, reasons []string) (map[int64]bool, error)
}

// reasonUnknownClaim is the reason of dead letters that depends on what ClickHouse holds when a status is read.
const reasonUnknownClaim = "unknown_claim"

// The message about a claim is sent just before its row is stored, so a department that answers at once may be faster than the row. For
// so long after a status came, its claim is looked for.
const (
	claimPatience = 10 * time.Second
	claimPause    = 250 * time.Millisecond
)

// Statuses is ingest on a partition of the topic of the statuses: it finds the claim that a status is about and sends the status where the
// mention of the claim went. A replay refuses what was refused, as Labels does.
type Statuses struct {
	common

	places ClaimPlaces
	said   []said
}

// said is a status whose claim is being looked up.
type said struct {
	rec    *stream.Record
	source stream.Source
	answer claim.Answer
	place  *stream.ClaimPlace
	again  bool // refused before
}

// NewStatuses returns the processor of a partition of the topic of the statuses, which writes to out. Of cfg it needs neither Matcher nor
// Classifier nor Pseudonyms.
func NewStatuses(cfg Config, p stream.Partition, places ClaimPlaces, out Outbox, observer task.Observer) *Statuses {
	return &Statuses{common: newCommon(cfg, p, out, observer), places: places}
}

// Process produces the statuses of the records before it returns.
func (p *Statuses) Process(ctx context.Context, batch kafka.Batch) error {
	p.begin()
	clear(p.said)
	p.said = p.said[:0]
	for i := range batch.Records {
		p.record(&batch.Records[i])
	}
	if len(p.said) > 0 {
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

// record reads one status.
func (p *Statuses) record(rec *stream.Record) {
	src := stream.SourceOf(p.partition, p.cfg.Epoch, rec.Offset)
	a, err := claim.ParseAnswer(rec.Value)
	if fault, ok := errors.AsType[*claim.Error](err); ok {
		HoldStatuses(p.dead(rec, src, fault.Reason, fault.Detail))
		return
	}
	if limit := rec.Timestamp + stream.Time(p.cfg.MaxFuture.Milliseconds()); a.At > limit {
		l := p.dead(rec, src, "future", fmt.Sprintf("the status was given at %s, the record is of %s: it would count for ever", a.At, rec.Timestamp))
		holdClaim(l, a.Claim)
		return
	}
	p.said = append(p.said, said{rec: rec, source: src, answer: a})
}

// lookUp finds the claims of all statuses of the batch, and which statuses were refused before.
func (p *Statuses) lookUp(ctx context.Context) error {
	refused, err := p.places.Refused(ctx, p.said[0].source, p.said[len(p.said)-1].source, []string{reasonUnknownClaim})
	if err != nil {
		return err
	}
	for i := range p.said {
		p.said[i].again = refused[p.said[i].source.Offset]
	}
	began := time.Now()
	for {
		missing, latest := p.missing()
		if len(missing) == 0 {
			return nil
		}
		found, err := p.places.ClaimPlaces(ctx, missing)
		if err != nil {
			return err
		}
		places := make(map[string]*stream.ClaimPlace, len(found))
		for i := range found {
			places[found[i].ID] = &found[i]
		}
		for i := range p.said {
			if s := &p.said[i]; s.place == nil {
				s.place = places[s.answer.Claim]
			}
		}
		// The time of a record is its producer's: one that is ahead of ours must not hold the partition for longer.
		if now := time.Now(); len(found) == len(missing) || now.Sub(latest.Go()) >= claimPatience || now.Sub(began) >= claimPatience {
			return nil
		}
		timer := time.NewTimer(claimPause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return context.Cause(ctx)
		}
	}
}

// missing returns the ids of the claims that were not found yet, and when the latest status about one of them came.
func (p *Statuses) missing() (ids []string, latest stream.Time) {
	seen := map[string]bool{}
	for i := range p.said {
		s := &p.said[i]
		if s.place != nil || s.again {
			continue
		}
		latest = max(latest, s.rec.Timestamp)
		if !seen[s.answer.Claim] {
			seen[s.answer.Claim] = true
			ids = append(ids, s.answer.Claim)
		}
	}
	return ids, latest
}

// refuseUnknown makes dead letters of the statuses without a claim.
func (p *Statuses) refuseUnknown(ctx context.Context) error {
	var letters []stream.DeadLetter
	for i := range p.said {
		s := &p.said[i]
		switch {
		case s.again:
			s.place = nil
		case s.place == nil:
			letters = append(letters, letter(s.rec, s.source, reasonUnknownClaim, fmt.Sprintf(
				"there is no claim %s: check the id, or put the status back with `otklik deadletters redrive --reason %s` once the claim is there",
				s.answer.Claim, reasonUnknownClaim)))
			holdClaim(&letters[len(letters)-1], s.answer.Claim)
		default:
			continue
		}
		p.count(s.rec, &stream.Books{Records: 1, Read: 1, DeadLetters: 1})
	}
	return p.refuse(ctx, letters)
}

// send queues the statuses that have a claim. The clocks of a platform and a department may differ as much as those of a platform and a broker.
func (p *Statuses) send() {
	for i := range p.said {
		s := &p.said[i]
		if s.place == nil {
			continue
		}
		if published := s.place.PublishedAt; s.answer.At < published-stream.Time(p.cfg.MaxFuture.Milliseconds()) {
			l := p.dead(s.rec, s.source, "bad_status", fmt.Sprintf("the status was given at %s, before its mention was published at %s: it would be the first for ever",
				s.answer.At, published))
			holdClaim(l, s.answer.Claim)
			continue
		}
		m := about(&s.place.MentionPlace, s.rec, s.source)
		m.Claim = &s.answer.ClaimStatus
		p.add(&m)
		p.count(s.rec, &stream.Books{Records: 1, Read: 1, Mentions: 1})
	}
}
