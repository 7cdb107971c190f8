package track

import (
	"fmt"
	"slices"
	"strings"

	"otklik/stream"
	"otklik/stream/wire"
)

// correct takes in what an analyst says about the label of a known mention, as a new version of it. Which of several corrections
// counts does not depend on their order (stream.MentionRow.Corrected). The conversation is left alone: who waited for an answer, and
// for how long, is not changed by what somebody thinks of the words afterwards.
func (p *Processor) correct(a *arrival, b *stream.Books) {
	known, ok := p.identities.seen[a.key]
	switch {
	case !ok:
		b.DeadLetters++
		m := &a.mention
		p.rows.DeadLetters = append(p.rows.DeadLetters, stream.DeadLetter{
			Stage: stream.StageTrack, Source: stream.Source{Partition: p.partition, Offset: a.position.Next() - 1}, Reason: "unknown_mention",
			Detail: fmt.Sprintf("the correction %s is about %s %s of %s, which is not there any more: its row was removed by retention or by hand",
				m.Source, m.Item.Platform, m.Item.ID, m.Brand),
			At: a.received, Key: []byte(m.Item.Thread), Payload: wire.AppendMention(nil, m),
			Platform: m.Item.Platform, Items: []string{strings.Clone(m.Item.Identity())},
		})
		return
	case known.position.Covers(a.position): // of a torn flush: everything has it
		b.Other++
		return
	}
	old := p.current(a.key)
	if old == nil {
		b.Other++ // as an edit of a row that was removed
		return
	}
	if slices.ContainsFunc(old.Corrections, func(c stream.Correction) bool { return c.Same(a.mention.Corrects) }) {
		b.Duplicates++
		return
	}
	b.Other++
	row := *old
	row.Position = a.position
	if len(row.Corrections) == 0 {
		row.ModelLabel = row.Label
	}
	row.Corrections = append(slices.Clone(row.Corrections), *a.mention.Corrects)
	judge(&row)
	p.triage(a, &row)
	p.replace(a, old, &row, known.version, nil)
}

// current returns the newest row of a known mention: not yet flushed, or fetched for the batch. Nil: it was removed by hand or by
// retention.
func (p *Processor) current(key identityKey) *stream.MentionRow {
	if n, waits := p.pending.row(key); waits {
		return &p.rows.Mentions[n]
	}
	return p.stored[key]
}

// replace makes row, a new version of old, the known one and counts it instead of old. Panes are touched even if they count the same:
// that they have come as far as the row is what a restart relies on.
func (p *Processor) replace(a *arrival, old, row *stream.MentionRow, version stream.Time, versions []stream.Time) {
	p.changes.replace(a.position, &old.Mention, &row.Mention)
	*p.remember(a, true, row.Item.PublishedAt, version, versions) = *row
}

// judge gives a row with corrections the label of the one that counts, or that of the model if the text is newer than all of them. The
// flag Complaint follows from the label; NeedsAnswer does not, because it tells what was asked of the desk when the message came.
func judge(row *stream.MentionRow) {
	if len(row.Corrections) == 0 {
		return
	}
	row.Label = row.ModelLabel
	counts, corrected := row.Corrected()
	if corrected {
		row.Label = counts.Label
	}
	for i := range row.Corrections {
		if c := &row.Corrections[i]; !corrected || !c.Same(&counts) {
			c.Note = ""
		}
	}
	row.Flags &^= stream.Complaint
	if row.Role == stream.Customer && row.Complains() {
		row.Flags |= stream.Complaint
	}
}

// since returns since which version the text of a row stands, after a further version of the mention was delivered: same says whether
// it has that text, too. All delivered versions from there to the newest have the same text.
func since(row *stream.MentionRow, version stream.Time, same bool) stream.Time {
	switch {
	case !same && version >= row.TextSince:
		next := row.Item.EditedAt
		for _, v := range row.Versions {
			if v > version {
				next = min(next, v)
			}
		}
		return next
	case same && version < row.TextSince && !slices.ContainsFunc(row.Versions, func(v stream.Time) bool { return version < v && v < row.TextSince }):
		return version
	}
	return row.TextSince
}
