package track

import (
	"context"
	"fmt"
	"strings"

	"otklik/stream"
	"otklik/stream/claim"
	"otklik/stream/wire"
)

// Claims is how negative mentions are handed over to the care department. The zero value opens no claims and gives no priority.
type Claims struct {
	Policy *claim.Policy
	Out    claim.Outbox // the topic of the claims; nil: nobody is told
	// OnOpened and OnStatus, if set, count the claims that were opened and the statuses that were applied. A replay counts again.
	OnOpened func(brand string)
	OnStatus func(brand string, state stream.ClaimState)
}

// Claims are not kept in memory: few mentions become one, and few of those change. What a batch needs of them is fetched by one query; a
// row beyond the restart point skips the records that it covers, as rows that count do.

func nameOf(m *stream.Mention) stream.MentionName {
	return stream.MentionName{Platform: m.Item.Platform, ItemID: m.Item.Identity(), Brand: m.Brand}
}

// followed reports whether the claim about the mention of an arrival is needed, if there is one. Identities must have been fetched.
func (p *Processor) followed(a *arrival) bool {
	m := &a.mention
	switch {
	case m.Claim != nil:
		return true
	case !p.cfg.Claims.Policy.Own(m.Brand):
		return false
	case m.Corrects != nil:
		return true
	}
	switch known, ok := p.identities.seen[a.key]; {
	case !ok:
		return m.Item.PublishedAt < p.identities.oldest // so late that another mention of the item may have been forgotten
	default:
		return !known.position.Covers(a.position) && !p.identities.knows(a.key, m.Item.EditedAt)
	}
}

// fetchClaims looks up the claims that the batch may change.
func (p *Processor) fetchClaims(ctx context.Context) error {
	p.claims = map[stream.MentionName]*claim.Row{}
	if p.cfg.Claims.Policy == nil {
		return nil
	}
	var names []stream.MentionName
	asked := map[stream.MentionName]bool{}
	for i := range p.batch {
		a := &p.batch[i]
		if !p.followed(a) {
			continue
		}
		name := nameOf(&a.mention)
		if _, unflushed := p.pendingClaims[name]; !unflushed && !asked[name] {
			asked[name] = true
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return nil
	}
	rows, err := p.cfg.Store.Claims(ctx, names)
	if err != nil {
		return err
	}
	for i := range rows {
		p.claims[rows[i].MentionName] = &rows[i]
	}
	for i := range p.batch {
		a := &p.batch[i]
		if a.mention.Claim == nil {
			continue
		}
		// Whether a status counts as new or as a duplicate can be told only by a claim that does not hold it yet, or not at all, where the books
		// have counted it.
		if r := p.claims[nameOf(&a.mention)]; r != nil && r.Position.Covers(a.position) && !p.ledger.Covers(a.received, a.position) {
			return fmt.Errorf("claim %s was followed to position %s by another owner of %s, here to %s: %w", r.ID, r.Position, p.partition, p.position, errOvertaken)
		}
	}
	return nil
}

// claim returns the claim about a mention: not yet flushed, or fetched for the batch; nil if there is none.
func (p *Processor) claim(name stream.MentionName) *claim.Row {
	if n, unflushed := p.pendingClaims[name]; unflushed {
		return &p.rows.Claims[n]
	}
	return p.claims[name]
}

// putClaim makes a claim the current one.
func (p *Processor) putClaim(r *claim.Row) {
	if n, unflushed := p.pendingClaims[r.MentionName]; unflushed {
		p.rows.Claims[n] = *r
		return
	}
	p.pendingClaims[r.MentionName] = len(p.rows.Claims)
	p.rows.Claims = append(p.rows.Claims, *r)
}

// triage gives a mention, or a new version of it, its priority, and opens, changes or withdraws the claim about it.
func (p *Processor) triage(a *arrival, row *stream.MentionRow) {
	policy := p.cfg.Claims.Policy
	if policy == nil {
		row.Factors = stream.Factors{}
		return
	}
	row.Factors = policy.Factors(row)
	if !policy.Own(row.Brand) {
		return
	}
	if row.Position == row.FirstPosition && !row.Factors.Claims() && len(p.claims) == 0 {
		return // nearly every mention
	}
	old := p.claim(nameOf(&row.Mention))
	switch {
	case old == nil && row.Factors.Claims():
		opened := policy.Open(row, a.mention.ReceivedAt)
		p.putClaim(&opened)
		if p.cfg.Claims.OnOpened != nil {
			p.cfg.Claims.OnOpened(opened.Brand)
		}
	case old == nil || old.Position.Covers(a.position):
	default:
		if next, changed := policy.Follow(old, row); changed {
			p.putClaim(&next)
		}
	}
}

// answer takes in what the care department says about a claim.
func (p *Processor) answer(a *arrival, b *stream.Books) {
	m := &a.mention
	dead := func(reason, detail string) {
		b.DeadLetters++
		p.rows.DeadLetters = append(p.rows.DeadLetters, stream.DeadLetter{
			Stage: stream.StageTrack, Source: stream.Source{Partition: p.partition, Offset: a.position.Next() - 1}, Reason: reason, Detail: detail,
			At: a.received, Key: []byte(m.Item.Thread), Payload: wire.AppendMention(nil, m),
			Platform: m.Item.Platform, Items: []string{strings.Clone(m.Item.Identity())},
		})
	}
	old := p.claim(nameOf(m))
	switch {
	case old == nil:
		dead("unknown_claim", fmt.Sprintf(
			"the status %s is about the claim on %s %s of %s, which is not there any more: its row was removed by retention or by hand",
			m.Source, m.Item.Platform, m.Item.ID, m.Brand))
		return
	case old.Position.Covers(a.position): // of a torn flush: the claim and the books have it
		b.Other++
		return
	}
	next, applied := old.Apply(m.Claim, a.position)
	switch {
	case !applied:
		b.Duplicates++
		return
	case old.Full():
		dead("too_many_statuses", fmt.Sprintf("the claim %s has %d statuses already and takes no more: is the system that sends them caught in a loop?",
			old.ID, len(old.Statuses)))
		return
	}
	b.Other++
	p.putClaim(&next)
	if p.cfg.Claims.OnStatus != nil {
		p.cfg.Claims.OnStatus(next.Brand, m.Claim.State)
	}
}

// tellClaims makes the messages about the claims that have changed durable, before the rows are: a row proves that its message was sent.
func (p *Processor) tellClaims(ctx context.Context) error {
	if p.cfg.Claims.Out == nil || len(p.rows.Claims) == 0 {
		return nil
	}
	return claim.Tell(ctx, p.cfg.Claims.Out, p.rows.Claims)
}
