package track

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"otklik/stream"
	"otklik/stream/care"
	"otklik/stream/kafka"
	"otklik/stream/window"
)

// arrival is one record of the batch being processed.
type arrival struct {
	mention  stream.Mention
	received stream.Time // record timestamp in otklik.mentions
	position stream.Position
	key      identityKey
}

// errOvertaken says that a former owner of the partition has flushed after this one had restored: a stored version is ahead of
// memory, and the one before it, which the panes in memory hold, is gone. A new generation restores what is there by now, and
// that holds (see Restore).
var errOvertaken = kafka.ErrRejoin

// parse decodes the batch; what cannot be decoded is a dead letter.
func (p *Processor) parse(records []stream.Record) {
	p.batch = slices.Grow(p.batch[:0], len(records))
	for i := range records {
		rec := &records[i]
		pos := stream.PositionAfter(p.cfg.Epoch, rec.Offset)
		p.batch = p.batch[:len(p.batch)+1]
		a := &p.batch[len(p.batch)-1]
		a.received, a.position = rec.Timestamp, pos
		if err := p.parser.Parse(rec.Value, &a.mention); err != nil {
			p.batch = p.batch[:len(p.batch)-1]
			lost := stream.Books{Records: 1, Read: 1, DeadLetters: 1}
			p.ledger.At(rec.Timestamp, pos).Add(&lost)
			p.seen.Add(&lost)
			l := stream.DeadLetter{
				Stage: stream.StageTrack, Source: stream.Source{Partition: rec.Partition, Offset: rec.Offset},
				Reason: "bad_mention", Detail: err.Error(), At: rec.Timestamp,
				Key: slices.Clone(rec.Key), Payload: slices.Clone(rec.Value),
			}
			if id := a.mention.Item.Identity(); id != "" { // it stands before what is broken
				l.Platform, l.Items = a.mention.Item.Platform, []string{strings.Clone(id)}
			}
			p.rows.DeadLetters = append(p.rows.DeadLetters, l)
			continue
		}
		a.key = p.identities.key(a.mention.Item.Platform, a.mention.Item.Identity(), a.mention.Brand)
	}
}

// fetchIdentities looks up the mentions that are too old for memory, and the current version of those that the batch edits.
func (p *Processor) fetchIdentities(ctx context.Context) error {
	var keys []stream.IdentityKey
	asked := map[identityKey]bool{}
	for i := range p.batch {
		a := &p.batch[i]
		known, ok := p.identities.seen[a.key]
		switch {
		case asked[a.key]:
			continue
		case a.mention.Claim != nil: // a status is about a claim: see fetchClaims
			continue
		case a.mention.Corrects != nil: // its mention is wanted, however new it is
		case ok && p.identities.knows(a.key, a.mention.Item.EditedAt):
			continue // a duplicate: nothing more to know
		case !ok && a.mention.Item.PublishedAt >= p.identities.oldest:
			continue // new
		}
		if _, waits := p.pending.row(a.key); waits {
			continue
		}
		key := stream.IdentityKey{
			Platform: a.mention.Item.Platform, ItemID: a.mention.Item.Identity(), Brand: a.mention.Brand, PublishedAt: a.mention.Item.PublishedAt,
		}
		if ok {
			key.PublishedAt = known.published
		}
		asked[a.key] = true
		keys = append(keys, key)
	}
	p.stored = map[identityKey]*stream.MentionRow{}
	if len(keys) == 0 {
		return nil
	}
	rows, err := p.cfg.Store.Mentions(ctx, keys)
	if err != nil {
		return err
	}
	for i := range rows {
		row := &rows[i]
		if row.FirstPosition > p.position {
			continue // of a torn flush: the replay makes it again
		}
		key := p.identities.key(row.Item.Platform, row.Item.Identity(), row.Brand)
		if followed, overtaken := p.overtaken(key, row); overtaken {
			return fmt.Errorf("mention %s of %s was followed to position %s by another owner of %s, here to %s: %w",
				row.Item.Identity(), row.Brand, row.Position, p.partition, followed, errOvertaken)
		}
		p.stored[key] = row
		if _, ok := p.identities.seen[key]; !ok {
			p.identities.put(key, identity{position: row.Position, published: row.Item.PublishedAt, version: row.Item.EditedAt}, row.Versions)
		}
	}
	return nil
}

// overtaken reports whether a stored version is ahead of memory, and how far memory has come: of a known mention that is its
// version, of one that memory has forgotten the panes of its time that it holds. Those that it does not hold are read later, and
// have the version then.
func (p *Processor) overtaken(key identityKey, row *stream.MentionRow) (stream.Position, bool) {
	if known, ok := p.identities.seen[key]; ok {
		return known.position, row.Position > known.position
	}
	if row.Position <= p.position {
		return p.position, false
	}
	for _, g := range window.Grains {
		pane := window.Key{Grain: g, Start: row.Item.PublishedAt.Truncate(g.Span()), Brand: row.Brand, Platform: row.Item.Platform}
		if restored, held := p.panes.Restored(&pane); held && restored < row.Position {
			return restored, true
		}
	}
	return p.position, false
}

// fetchThreads loads the threads that memory has dropped and the batch goes back to: those of late turns, and those that hold the
// request of an answer.
func (p *Processor) fetchThreads(ctx context.Context) error {
	late := p.horizon(p.watermark.Watermark(), p.cfg.ThreadHorizon-p.cfg.QuietGap)
	wanted := map[care.Key]bool{}
	for i := range p.batch {
		m := &p.batch[i].mention
		if !isTurn(m) {
			continue
		}
		key := threadKey(m)
		unknownParent := m.Role == stream.Own && m.Item.ParentID != "" && !p.book.HasTurn(key, m.Item.ParentID)
		if m.Item.PublishedAt < late || unknownParent {
			wanted[key] = true
		}
	}
	if len(wanted) == 0 {
		return nil
	}
	keys := make([]care.Key, 0, len(wanted))
	for key := range wanted {
		keys = append(keys, key)
	}
	rows, err := p.cfg.Store.Turns(ctx, p.partition.Number, keys, p.position)
	if err != nil {
		return err
	}
	threads := map[care.Key][]care.Turn{}
	for i := range rows {
		threads[rows[i].Key] = append(threads[rows[i].Key], rows[i].Turn)
	}
	for _, t := range p.book.Unflushed() {
		if turns, restored := threads[t.Key]; restored {
			threads[t.Key] = append(turns, t.Turn)
		}
	}
	for key, turns := range threads {
		p.book.Restore(key, turns)
	}
	return nil
}

// apply takes one record through identity, care and the books. The panes follow in change.apply.
func (p *Processor) apply(a *arrival) {
	m := &a.mention
	var b stream.Books
	b.Records = 1
	defer func() {
		p.ledger.At(a.received, a.position).Add(&b)
		p.seen.Add(&b)
	}()
	src := m.Source
	if !p.mark(src) {
		b.Replayed++
		return
	}
	b.Read++
	if m.Claim != nil {
		p.answer(a, &b)
		return
	}
	if m.Corrects != nil {
		p.correct(a, &b)
		return
	}
	watermark := p.watermark.Watermark()
	p.watermark.Observe(src.Partition, m.Item.PublishedAt, p.now)

	known, ok := p.identities.seen[a.key]
	switch {
	case !ok:
		b.Mentions++
		if m.Item.PublishedAt.Truncate(stream.Minute)+stream.Minute <= watermark {
			b.Late++
		}
		var versions []stream.Time
		if m.Item.EditedAt != 0 {
			versions = []stream.Time{m.Item.EditedAt}
		}
		row := p.remember(a, false, m.Item.PublishedAt, m.Item.EditedAt, versions)
		row.Mention, row.Partition, row.FirstPosition, row.Position, row.Versions = *m, p.partition.Number, a.position, a.position, versions
		row.TextSince, row.Corrections, row.ModelLabel = m.Item.EditedAt, nil, 0 // the place may have been another row's
		row.Breaches = stream.BreachesOf(m)
		p.triage(a, row)
		p.changes.count(a.position, m)
		p.turn(a)
	case known.position.Covers(a.position):
		// A version of a torn flush: everything that counts has it already (stream/DESIGN.md), so only the books are asked, and
		// they cover it too.
		b.Other++
	case p.identities.knows(a.key, m.Item.EditedAt):
		b.Duplicates++
	default:
		b.Other++
		p.version(a, known)
	}
}

// version takes in another version of a known mention. The newest one makes the row and the counts, whatever the order of
// delivery; time and first position stay those of the first record. A correction stays as long as the text does.
func (p *Processor) version(a *arrival, known identity) {
	old := p.current(a.key)
	if old == nil {
		// Remembered but not stored: the row was removed by hand or by retention. There is nothing to subtract from.
		return
	}
	row := *old
	row.Position = a.position
	row.Corrections = slices.Clone(row.Corrections)
	row.Breaches = stream.MergeBreaches(row.Breaches, stream.BreachesOf(&a.mention))
	version, same := a.mention.Item.EditedAt, a.mention.Item.Text == old.Item.Text
	switch {
	case version > known.version:
		kind := old.Item.Kind
		row.Mention, row.ModelLabel = a.mention, a.mention.Label
		row.Item.PublishedAt, row.Item.Kind, row.Role = known.published, kind, old.Role
		if !same {
			row.TextSince = version
		}
	case version == 0:
		row.Item.Kind = a.mention.Item.Kind // the original tells what was edited
		fallthrough
	default:
		row.Versions = p.identities.versions(a.key)
		row.TextSince = since(&row, version, same)
	}
	row.Versions = append(slices.Clone(p.identities.versions(a.key)), version)
	judge(&row)
	p.triage(a, &row)
	p.replace(a, old, &row, row.Item.EditedAt, row.Versions)
}

// remember makes a version the known one, of a mention that was known before or is new, and returns the place of its row among those to
// be flushed, for the caller to fill: a row is large, and copied once only.
func (p *Processor) remember(a *arrival, known bool, published, version stream.Time, versions []stream.Time) *stream.MentionRow {
	p.identities.put(a.key, identity{position: a.position, published: published, version: version}, versions)
	n, waits := 0, false
	if known { // a new mention has no row
		n, waits = p.pending.row(a.key)
	}
	if !waits {
		n = p.pending.add(a.key)
		if n == cap(p.rows.Mentions) { // by more than append would: the rows are large
			p.rows.Mentions = slices.Grow(p.rows.Mentions, n/2+64)
		}
		p.rows.Mentions = p.rows.Mentions[:n+1]
	}
	return &p.rows.Mentions[n]
}

// isTurn reports whether the mention is part of a conversation: corrections, statuses of claims, reposts and spam are not, nor is what the brand says to nobody or
// to itself. Where threads are pairs of accounts, what the brand adds to its own item stands in no customer's thread, and the
// item that it names as its parent is no request.
func isTurn(m *stream.Mention) bool {
	switch {
	case m.Corrects != nil, m.Claim != nil, m.Role == stream.Spam, m.Item.Kind == stream.Repost:
		return false
	case m.Role == stream.Own && m.Item.Paired && m.Customer == "" && m.Via&stream.ViaReply != 0:
		return false
	case m.Role == stream.Own:
		return m.Item.ParentID != "" || m.Customer != ""
	}
	return true
}

func threadKey(m *stream.Mention) care.Key {
	return care.Key{Platform: m.Item.Platform, Brand: m.Brand, Thread: m.Item.Thread}
}

// turn adds a new mention to its conversation.
func (p *Processor) turn(a *arrival) {
	m := &a.mention
	if !isTurn(m) {
		return
	}
	key := threadKey(m)
	t := care.Turn{
		ItemID: m.Item.Identity(), At: m.Item.PublishedAt, Author: m.Item.Author.ID, Customer: m.Customer,
		ParentID: m.Item.ParentID, ParentAt: m.Item.ParentAt, Own: m.Role == stream.Own,
		Flags: m.Flags & (stream.NeedsAnswer | stream.Approved | stream.Automatic), Position: a.position,
	}
	changed := p.book.Apply(key, t)
	for i := range changed.Removed {
		p.respond(&changed.Removed[i], withdrawn, a.position)
	}
	for i := range changed.Added {
		p.respond(&changed.Added[i], requested, a.position)
	}
}

// respond queues what a row of responses means for the panes: a request, in the minute in which the customer began to wait.
func (p *Processor) respond(r *care.Response, kind changeKind, pos stream.Position) {
	if r.WaitingID == "" {
		return
	}
	p.changes.request(pos, kind, window.Request{
		Brand: r.Brand, Platform: r.Platform, At: r.WaitingSince,
		Answered: r.ResponseID != "", Seconds: float64(r.Waiting.Value()) / 1000,
	})
}

// fetchPanes loads the closed panes that the changes of the batch reopen.
func (p *Processor) fetchPanes(ctx context.Context) error {
	keys := p.changes.missing(p.panes)
	if len(keys) == 0 {
		return nil
	}
	distinct := map[window.Key]bool{}
	for _, key := range keys {
		distinct[key] = true
	}
	keys = keys[:0]
	for key := range distinct {
		keys = append(keys, key)
	}
	panes, err := p.cfg.Store.Panes(ctx, p.partition.Number, keys)
	if err != nil {
		return err
	}
	p.panes.Restore(panes)
	for i := range panes {
		delete(distinct, panes[i].Key)
	}
	for key := range distinct {
		p.panes.Absent(key)
	}
	return nil
}
