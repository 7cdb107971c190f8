package firehose

import (
	"slices"

	"otklik/stream"
)

// The generic format, for blogs, forums and anything else that has no decoder of its own: schemas/generic.schema.json
// describes it, and a test keeps the two in step. A record is one object, an array of them, or {"items":[…]}.
//
// The thread is the stated one, else the root, else the item answered, else the item itself.

// genericKinds are the kinds that a generic record may state.
var genericKinds = []stream.Kind{
	stream.Post, stream.Comment, stream.Repost, stream.Edit, stream.Delete, stream.Message,
	stream.Reaction, stream.Membership, stream.Statistics, stream.Notice, stream.Other,
}

func (d *Decoder) generic(record value) {
	list := record
	if items := record.get("items"); items.array() {
		list = items
	}
	if !list.array() {
		d.genericItem(record)
		return
	}
	n := len(d.items) + len(d.faults)
	for element := range list.elements {
		d.genericItem(element)
	}
	if n == len(d.items)+len(d.faults) {
		d.note(stream.Other, "no items")
	}
}

func (d *Decoder) genericItem(v value) {
	it := d.blank("")
	var title, text, html, kind, published, changed, thread, joined value
	known, deleted := 0, false
	for key, m := range v.members {
		known++
		switch key {
		case "id":
			it.ID = m.id()
		case "kind":
			kind = m
		case "published_at":
			published = m
		case "edited_at":
			changed = m
		case "deleted":
			deleted = m.yes()
		case "author":
			d.genericAuthor(&it, m)
		case "title":
			title = m
		case "text":
			text = m
		case "html":
			html = m
		case "lang":
			if s := m.id(); s != "und" {
				it.Lang = s
			}
		case "url":
			it.URL = d.name(m)
		case "parent_id":
			it.ParentID = m.id()
		case "parent_at":
			it.ParentAt, _ = moment(m)
		case "parent_author":
			it.ParentAuthor = d.genericAccount(m)
		case "root_id":
			it.RootID = m.id()
		case "thread":
			thread = m
		case "repost_of":
			it.RepostOf = m.id()
		case "repost_author":
			it.RepostAuthor = d.genericAccount(m)
		case "site":
			it.Wall = d.genericAccount(m)
		case "mentions":
			for a := range m.elements {
				mention(&it, d.genericAccount(a))
			}
		case "likes":
			it.Likes = m.count()
		case "shares":
			it.Shares = m.count()
		case "views":
			it.Views = m.count()
		case "members":
			it.Members = m.count()
		case "joined":
			joined = m
		case "note":
			it.Note = d.name(m)
		default:
			known--
		}
	}
	if known == 0 {
		d.rejectf("unknown_shape", "no member of schemas/generic.schema.json in it: %s", glimpse(v.raw()))
		return
	}
	it.Kind = stream.Kind(d.name(kind))
	switch {
	case deleted:
		it.Kind = stream.Delete
	case it.Kind == "" && it.RepostOf != "":
		it.Kind = stream.Repost
	case it.Kind == "" && it.ParentID != "":
		it.Kind = stream.Comment
	case it.Kind == "":
		it.Kind = stream.Post
	default:
		at := slices.Index(genericKinds, it.Kind)
		if at < 0 {
			d.rejectf("unknown_shape", "%s: kind %q is none of %v", orElse(it.ID, "an item"), it.Kind, genericKinds)
			return
		}
		it.Kind = genericKinds[at] // not the record's own letters
	}
	it.PublishedAt, _ = moment(published)
	if html.filled() && !text.filled() {
		it.Text = joinText(d.text(title, MaxText), d.htmlText(html))
	} else {
		it.Text = joinText(d.text(title, MaxText), d.text(text, MaxText))
	}
	if it.Kind == stream.Membership {
		n, _ := joined.integer()
		if n == 0 {
			d.rejectf("unknown_shape", "%s: a membership must say joined 1 or -1", orElse(it.ID, "an item"))
			return
		}
		it.Joined = int32(min(max(n, -1), 1))
	}
	at, _ := moment(changed)
	if it.Kind == stream.Edit && at == 0 {
		at = d.arrived
	}
	edited(&it, at)
	if it.Kind == stream.Edit {
		it.EditedAt = max(it.EditedAt, it.PublishedAt)
	}
	if root := orElse(thread.id(), orElse(it.RootID, orElse(it.ParentID, it.ID))); root != "" {
		it.Thread = "generic:" + root
	}
	d.add(&it, published)
}

// genericAccount reads an account: {"id","name"}, or a string, which is its name.
func (d *Decoder) genericAccount(v value) (a stream.Account) {
	if v.quoted() {
		return stream.Account{Name: d.handle(v)}
	}
	for key, m := range v.members {
		switch key {
		case "id":
			a.ID = m.id()
		case "name":
			a.Name = d.handle(m)
		}
	}
	return a
}

func (d *Decoder) genericAuthor(it *stream.Item, v value) {
	it.Author = d.genericAccount(v)
	it.AuthorName = it.Author.Name
	for key, m := range v.members {
		switch key {
		case "display_name":
			it.AuthorName = d.name(m)
		case "followers":
			it.Followers = m.count()
		case "community":
			it.Community = m.yes()
		case "bot":
			it.Bot = m.yes()
		}
	}
}
