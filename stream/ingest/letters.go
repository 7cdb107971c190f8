package ingest

import (
	"encoding/json"

	"otklik/stream"
	"otklik/stream/claim"
	"otklik/stream/firehose"
	"otklik/stream/label"
)

// A dead letter names what it holds, so that a delete reaches it (clickhouse.Eraser).

// hold names in the dead letters of one record the items that it holds: of a record with several elements all, for the record is kept whole. What
// the record's items refer to is not valid any more.
func (p *Processor) hold(rec *stream.Record, letters []stream.DeadLetter) {
	items := p.decoder.Identities(rec.Value)
	if len(items) == 0 {
		return
	}
	for i := range min(len(letters), maxCopies) {
		letters[i].Platform, letters[i].Items = p.platform, items
	}
}

// HoldItems names in a dead letter the items of its record, read by the decoder of a platform: a later program, or a configuration that was put
// right, may make out more than was when the letter was written.
func HoldItems(l *stream.DeadLetter, platform stream.Platform, decoder *firehose.Decoder) {
	items := decoder.Identities(l.Payload)
	before := l.Items
	if l.Platform != platform {
		before = nil
	}
	if len(items) > 0 {
		l.Platform, l.Items = platform, items
		h := holding(l)
		for _, id := range before {
			h.add(id)
		}
	}
}

// holder adds to the items of a dead letter, each once: a record may name as many as fit into it.
type holder struct {
	letter *stream.DeadLetter
	has    map[string]bool
}

func holding(l *stream.DeadLetter) *holder {
	h := &holder{letter: l, has: make(map[string]bool, len(l.Items))}
	for _, id := range l.Items {
		h.has[id] = true
	}
	return h
}

func (h *holder) add(id string) {
	if id != "" && !h.has[id] {
		h.has[id] = true
		h.letter.Items = append(h.letter.Items, id)
	}
}

// name adds a mention, if it is of the platform of those before it.
func (h *holder) name(name stream.MentionName) {
	if l := h.letter; name.ItemID != "" && (len(l.Items) == 0 || l.Platform == name.Platform) {
		l.Platform = name.Platform
		h.add(name.ItemID)
	}
}

// holdName names the mention that a correction is about.
func holdName(l *stream.DeadLetter, name stream.MentionName) { holding(l).name(name) }

// HoldCorrections names in a dead letter of the topic of the corrections the mentions that it is about, as far as it can be read.
func HoldCorrections(l *stream.DeadLetter) {
	h := holding(l)
	eachObject(l.Payload, func(text []byte) {
		m, _ := label.Parse(text) // it has the name even when something else is wrong
		h.name(m.MentionName)
	})
}

// eachObject calls fn for the objects that can be made out in a record which ought to be one.
func eachObject(raw []byte, fn func(text []byte)) {
	firehose.Mend(raw, func(text []byte) {
		var list []json.RawMessage
		if json.Unmarshal(text, &list) != nil {
			fn(text)
		}
		for _, element := range list {
			fn(element)
		}
	})
}

// holdClaim names the claim that a status is about.
func holdClaim(l *stream.DeadLetter, id string) { holding(l).add(id) }

// HoldStatuses names in a dead letter of the topic of the statuses the claims that it is about, as far as it can be read.
func HoldStatuses(l *stream.DeadLetter) {
	h := holding(l)
	eachObject(l.Payload, func(text []byte) {
		a, _ := claim.ParseAnswer(text) // it has the claim even when something else is wrong
		h.add(a.Claim)
	})
}
