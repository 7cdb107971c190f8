// Package firehose turns the raw JSON of social platforms into items.
//
// A record is read once, by one scan that checks it (is it exactly one JSON value, and not nested absurdly deep?) and notes where
// every value stands. The decoders walk over these notes, so what no field needs is neither looked at again nor
// unescaped, and the strings of an item are copied last, into one allocation. Whatever a platform delivers ends in one of three ways:
// items of the kinds that the engine knows, an item of kind Notice or Other that says what it was, or a *Malformed with
// a reason. Nothing panics, and nothing is dropped unseen.
//
// # What the kinds mean
//
//   - Post, Comment, Repost: a public item in its first version. A comment answers or stands below another item.
//   - Edit: a later version of one of them, whether an event said so or the object carries a time of its last edit
//     (EditedAt). It has the identity and the PublishedAt of the first version, so an edit of an item that was never
//     delivered counts as that item. A platform that says "edited" without saying when gives a Post or Comment.
//   - Delete: the platform says that the item ID is gone, hidden or emptied. PublishedAt is the time of the notice; of an
//     emptied comment of Reddit, which is no notice, its own.
//   - Reaction: ParentID is the item reacted to, Note the reaction; a withdrawn one has the Note "remove …".
//   - Membership: Author joined (+1) or left (-1) Wall. Statistics: counters of the item or community ID.
//   - Message: not public. Notice: the platform's talk with its client. Other: everything else, Note is its name.
//
// Every content item (Post, Comment, Repost, Edit) has an ID and a PublishedAt. Where a payload has no time of its own
// (a join, a reaction of VK, a reading of counters, a delete of Mastodon) the time of arrival stands in.
//
// # Text
//
// Text is plain: mark-up and entities resolved as each platform writes them, invalid UTF-8 and lone surrogates replaced
// by U+FFFD, NUL removed, cut at MaxText bytes. A repost's text is the original's whole text, below the reposter's own
// words where there are any.
package firehose

import (
	"bytes"
	"errors"
	"fmt"
	"unsafe"

	"otklik/stream"
)

// MaxRecord is the largest record that is decoded, in bytes; a larger one is Malformed with the reason too_large.
const MaxRecord = 64 << 20

// Malformed says why a record, or one element of it, could not become an item. It is permanent: the same bytes fail in
// the same way, so the record belongs into the dead letters.
type Malformed struct {
	// Reason is the class, in snake_case: empty, too_large, malformed_json, trailing_data, too_deep, unknown_shape,
	// error_response, no_id, no_time, bad_time.
	Reason string
	// Detail says what exactly, for a person.
	Detail string
	// Item is the identity of the broken element (stream.Item.Identity); "" where it has none or the element cannot be read.
	Item string
}

// Error returns "reason: detail".
func (m *Malformed) Error() string { return m.Reason + ": " + m.Detail }

// Faults lists what is wrong with a record: every *Malformed in an error of Decode, in the order of the elements. It is
// nil for nil.
func Faults(err error) []*Malformed {
	if err == nil {
		return nil
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []*Malformed
		for _, e := range joined.Unwrap() {
			all = append(all, Faults(e)...)
		}
		return all
	}
	if m, ok := errors.AsType[*Malformed](err); ok {
		return []*Malformed{m}
	}
	return nil
}

// Decoder decodes the records of one platform. It is not safe for concurrent use, because it reuses its scratch space;
// decoders are cheap, take one per goroutine.
type Decoder struct {
	platform stream.Platform
	decode   func(d *Decoder, record value)

	// The state of one call of Decode.
	arrived stream.Time
	views   bool // the strings of items stay views
	items   []stream.Item
	faults  []error

	document document             // the record
	payload  document             // JSON within a string of it
	scratch  scratch              // strings that stand nowhere in the record
	accounts []stream.Account     // memory for the mentions of items whose strings are views
	includes twitterIncludes      // of a Twitter v2 response
	profiles map[string]vkProfile // of a VK response, by id
}

// New returns a decoder for the platform; an unknown platform is an error that names the known ones.
func New(p stream.Platform) (*Decoder, error) {
	decode, ok := decoders[p]
	if !ok {
		return nil, fmt.Errorf("firehose: no decoder for platform %q; use one of %v", p, stream.Platforms)
	}
	d := &Decoder{platform: p, decode: decode}
	names := newNames(fieldsOf[p])
	d.document.names, d.payload.names = names, names
	d.document.scratch, d.payload.scratch = &d.scratch, &d.scratch
	return d, nil
}

var decoders = map[stream.Platform]func(*Decoder, value){
	stream.Twitter:     (*Decoder).twitter,
	stream.VK:          (*Decoder).vk,
	stream.Facebook:    (*Decoder).facebook,
	stream.YouTube:     (*Decoder).youtube,
	stream.Telegram:    (*Decoder).telegram,
	stream.Bluesky:     (*Decoder).bluesky,
	stream.Mastodon:    (*Decoder).mastodon,
	stream.Reddit:      (*Decoder).reddit,
	stream.LiveJournal: (*Decoder).livejournal,
	stream.Generic:     (*Decoder).generic,
}

// fieldsOf are the members that decoders ask for by number. The others ask by name.
var fieldsOf = map[stream.Platform]map[string]uint8{stream.Twitter: fieldsOfTwitter}

// bom is the byte order mark that some exporters put before UTF-8.
var bom = []byte("\xef\xbb\xbf")

// Decode appends the items of one raw record to dst and returns it. arrived is the record timestamp; it is used only
// where a payload has no time of its own. Neither dst's items nor the error alias raw.
//
// A record that is valid but holds nothing of interest yields an item of kind Notice or Other. A record that is broken
// as a whole adds nothing to dst, and the error is a *Malformed. Of a record with several elements the good ones are
// added, and the error joins one *Malformed per broken element (a single one is returned as it is); Faults lists them.
func (d *Decoder) Decode(raw []byte, arrived stream.Time, dst []stream.Item) ([]stream.Item, error) {
	d.views = false
	return d.run(raw, arrived, dst)
}

// DecodeViews is Decode for items that are done with before the next record: their strings and their Mentions are views on raw and on
// memory of the decoder, valid until its next call and while raw stays as it is. The error is as that of Decode.
func (d *Decoder) DecodeViews(raw []byte, arrived stream.Time, dst []stream.Item) ([]stream.Item, error) {
	d.views = true
	return d.run(raw, arrived, dst)
}

func (d *Decoder) run(raw []byte, arrived stream.Time, dst []stream.Item) ([]stream.Item, error) {
	raw = bytes.TrimSpace(bytes.TrimPrefix(bytes.TrimSpace(raw), bom))
	if len(raw) == 0 {
		return dst, &Malformed{Reason: "empty", Detail: "the record holds nothing but white space"}
	}
	if len(raw) > MaxRecord {
		return dst, &Malformed{Reason: "too_large", Detail: fmt.Sprintf("the record has %d bytes, the limit is %d", len(raw), MaxRecord)}
	}
	view := borrow(raw)
	d.arrived, d.items, d.faults = arrived, dst, d.faults[:0]
	d.scratch.reset()
	d.accounts = d.accounts[:0]
	before := len(dst)
	switch {
	case d.platform == stream.Mastodon && eventStream(view):
		d.mastodonEventStream(view)
	default:
		record, fault := d.document.parse(view)
		if fault != nil {
			d.items = nil
			return dst, fault
		}
		if record.array() && !record.filled() {
			d.note(stream.Other, "empty list")
			break
		}
		d.decode(d, record)
	}
	d.includes.reset()
	clear(d.profiles)
	d.document.reset()
	d.payload.reset()
	dst, d.items = d.items, nil
	if len(dst) == before && len(d.faults) == 0 {
		return dst, &Malformed{Reason: "unknown_shape", Detail: fmt.Sprintf("no object of %s in it: %s", d.platform, glimpse(view))}
	}
	switch len(d.faults) {
	case 0:
		return dst, nil
	case 1:
		return dst, d.faults[0]
	}
	return dst, errors.Join(d.faults...)
}

// borrow returns b as a string without a copy. Either b is never written to again, or the string is forgotten before the end of
// Decode; of DecodeViews, before the next call.
func borrow(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// glimpse returns the beginning of a payload for a message, cleaned.
func glimpse(s string) string {
	const width = 60
	if len(s) > width {
		return clean(cut(s, width)) + "…"
	}
	return clean(s)
}

// rejectf records that an element is broken.
func (d *Decoder) rejectf(reason, format string, args ...any) {
	d.faults = append(d.faults, &Malformed{Reason: reason, Detail: fmt.Sprintf(format, args...)})
}

// blank returns an item of the platform to be filled.
func (d *Decoder) blank(kind stream.Kind) stream.Item {
	it := stream.Item{Platform: d.platform, Kind: kind}
	if d.views {
		it.Mentions = d.room()
	}
	return it
}

// room returns room for the mentions of an item, as many as most have; nil when the record has had its share.
func (d *Decoder) room() []stream.Account {
	const usual, most = 4, 256
	from := len(d.accounts)
	if from+usual > most {
		return nil
	}
	if d.accounts == nil {
		d.accounts = make([]stream.Account, 0, most)
	}
	d.accounts = d.accounts[:from+usual]
	return d.accounts[from : from : from+usual]
}

// add appends an item. A content item must have an id and a time; stated is the time field as the payload has it, to
// tell an absent time from one that cannot be read.
func (d *Decoder) add(it *stream.Item, stated value) {
	switch it.Kind {
	case stream.Post, stream.Comment, stream.Repost, stream.Edit:
		if it.ID == "" {
			d.rejectf("no_id", "a %s without an id of at most %d bytes", it.Kind, maxID)
			return
		}
		if it.PublishedAt == 0 {
			if stated.stated() {
				d.rejectf("bad_time", "%s %s: the time %s is none that the platform uses", it.Kind, it.ID, glimpse(stated.raw()))
			} else {
				d.rejectf("no_time", "%s %s says nowhere when it was published", it.Kind, it.ID)
			}
			d.rejected(it)
			return
		}
	case stream.Delete:
		if it.ID == "" {
			d.rejectf("no_id", "a delete notice that does not name what is gone")
			return
		}
		fallthrough
	default:
		if it.PublishedAt == 0 {
			it.PublishedAt = d.arrived
		}
	}
	if it.Thread == "" && it.ID != "" {
		it.Thread = d.scratch.join(string(d.platform), ":", it.ID)
	}
	if it.Note == "" && (it.Kind == stream.Notice || it.Kind == stream.Other) {
		it.Note = "unnamed"
	}
	if it.Note != "" { // often the name of a member of the record
		it.Note = clean(cut(it.Note, maxName))
	}
	if !d.views {
		own(it)
	}
	d.items = append(d.items, *it)
}

// note adds an item of kind Notice or Other that says what a payload was about.
func (d *Decoder) note(kind stream.Kind, what string) {
	it := d.blank(kind)
	it.Note = what
	d.add(&it, value{})
}

// errorResponse rejects the answer of an API that is an error instead of data.
func (d *Decoder) errorResponse(detail value) {
	d.rejectf("error_response", "the platform answered with an error instead of data: %s", glimpse(detail.raw()))
}

// edited makes an item a later version when it was edited after it was published.
func edited(it *stream.Item, at stream.Time) {
	if it.PublishedAt == 0 || at <= it.PublishedAt {
		return
	}
	it.EditedAt = at
	switch it.Kind {
	case stream.Post, stream.Comment, stream.Repost:
		it.Kind = stream.Edit
	default: // has no versions
	}
}

// mention notes an account that the text names.
func mention(it *stream.Item, a stream.Account) {
	if len(it.Mentions) < maxMentions && (a.ID != "" || a.Name != "") {
		it.Mentions = append(it.Mentions, a)
	}
}

// key returns what a thread key says of an account: its id, or its handle where no id is given.
func key(a stream.Account) string {
	if a.ID != "" || a.Name == "" {
		return a.ID
	}
	return "@" + a.Name
}

// pair makes the thread key of a platform without conversation ids: the author and the account addressed, which is the
// one answered or, failing that, the first one that the text names, in an order that does not depend on who speaks.
func (d *Decoder) pair(it *stream.Item, addressed stream.Account) {
	self, other := key(it.Author), key(addressed)
	if other == "" || other == self {
		other = ""
		for _, m := range it.Mentions {
			if k := key(m); k != self {
				other = k
				break
			}
		}
	}
	it.Paired = true
	switch {
	case self == "" && other == "":
		it.Paired = false // nobody is known: the item stands alone
	case self == "" || other == "":
		it.Thread = d.scratch.join(string(d.platform), ":", self, other)
	case self < other:
		it.Thread = d.scratch.join(string(d.platform), ":", self, "~", other)
	default:
		it.Thread = d.scratch.join(string(d.platform), ":", other, "~", self)
	}
}
