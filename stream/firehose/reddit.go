package firehose

import (
	"strings"

	"otklik/stream"
)

// Reddit: things of the API ({"kind":"t1","data":{…}}) in listings, nested as they come, and the bare objects of the
// dumps. The thread is the submission. An emptied comment is a delete, because Reddit has no event for it.

func (d *Decoder) reddit(record value) {
	n := len(d.items) + len(d.faults)
	d.redditThing(record, nil)
	if n == len(d.items)+len(d.faults) && record.get("kind").is("Listing") {
		d.note(stream.Other, "no things")
	}
}

// redditThing adds a thing and, of a listing, everything in it. parent is the comment above, where it is known.
func (d *Decoder) redditThing(v value, parent *stream.Item) {
	for element := range v.elements {
		d.redditThing(element, parent)
	}
	if !v.object() {
		return
	}
	var kind, data, children, json, body, title, selftext, link, fault, message, name value
	for key, m := range v.members {
		switch key {
		case "kind":
			kind = m
		case "data":
			data = m
		case "children", "things":
			children = m
		case "json":
			json = m
		case "body":
			body = m
		case "title":
			title = m
		case "selftext":
			selftext = m
		case "link_id":
			link = m
		case "error", "errors":
			fault = m
		case "message":
			message = m
		case "name":
			name = m
		}
	}
	switch {
	case data.object() && kind.is("t1"), data.object() && kind.is("t3"):
		d.redditItem(data, kind.inner(), parent)
	case data.object() && kind.is("more"):
		if parent == nil {
			d.note(stream.Other, "more")
		}
	case data.object() && kind.is("t5"):
		d.subreddit(data)
	case data.object() && kind.is("t4"):
		d.redditMessage(data)
	case data.object() && (!kind.there() || kind.is("Listing")):
		d.redditThing(data, parent)
	case data.object():
		d.note(stream.Other, d.name(kind))
	case children.array():
		d.redditThing(children, parent)
	case json.object():
		d.redditThing(json, parent)
	case body.there() || link.there() || strings.HasPrefix(name.inner(), "t1_"):
		d.redditItem(v, "t1", parent)
	case title.there() || selftext.there() || strings.HasPrefix(name.inner(), "t3_"):
		d.redditItem(v, "t3", parent)
	case fault.filled() || message.quoted():
		d.errorResponse(v)
	}
}

// redditItem adds a comment (t1) or a submission (t3), and the answers that a comment holds.
func (d *Decoder) redditItem(v value, kind string, parent *stream.Item) {
	it := d.blank(stream.Comment)
	if kind == "t3" {
		it.Kind = stream.Post
	}
	var name, number, author, fullname, body, title, selftext, created, changed, score, hidden, permalink, replies value
	var crosspost, crossposts, linkAuthor, address value
	for key, m := range v.members {
		switch key {
		case "name":
			name = m
		case "id":
			number = m
		case "author":
			author = m
		case "author_fullname":
			fullname = m
		case "body":
			body = m
		case "title":
			title = m
		case "selftext":
			selftext = m
		case "created_utc":
			created = m
		case "edited":
			changed = m
		case "score":
			score = m
		case "score_hidden":
			hidden = m
		case "permalink":
			permalink = m
		case "url":
			address = m
		case "replies":
			replies = m
		case "parent_id":
			if s := m.id(); strings.HasPrefix(s, "t") {
				it.ParentID = s
			}
		case "link_id":
			it.RootID = m.id()
		case "link_author":
			linkAuthor = m
		case "subreddit":
			it.Wall.Name = d.name(m)
		case "subreddit_id":
			it.Wall.ID = m.id()
		case "num_crossposts":
			it.Shares = m.count()
		case "view_count":
			it.Views = m.count()
		case "crosspost_parent":
			crosspost = m
		case "crosspost_parent_list":
			crossposts = m
		}
	}
	if it.ID = name.id(); !strings.HasPrefix(it.ID, kind+"_") {
		it.ID = ""
		if s := number.id(); s != "" {
			it.ID = kind + "_" + strings.TrimPrefix(s, kind+"_")
		}
	}
	if it.RootID != "" && !strings.HasPrefix(it.RootID, "t3_") {
		it.RootID = "t3_" + it.RootID
	}
	it.PublishedAt, _ = moment(created)
	if !author.is("[deleted]") {
		it.Author = stream.Account{ID: fullname.id(), Name: d.name(author)}
	}
	it.Bot = author.is("AutoModerator")
	if !hidden.yes() {
		it.Likes = score.count()
	}
	if kind == "t3" {
		it.Thread = "reddit:" + it.ID
		it.RootID = ""
		d.submission(&it, title, selftext, crosspost, crossposts)
	} else {
		it.Text = fewEntities(d.text(body, MaxText))
		if it.RootID != "" {
			it.Thread = "reddit:" + it.RootID
		}
		it.ParentID = orElse(it.ParentID, it.RootID)
		switch {
		case parent != nil && parent.ID == it.ParentID:
			it.ParentAt, it.ParentAuthor = parent.PublishedAt, parent.Author
		case linkAuthor.quoted() && it.ParentID == it.RootID && !linkAuthor.is("[deleted]"):
			it.ParentAuthor.Name = d.name(linkAuthor)
		}
	}
	switch {
	case permalink.quoted():
		it.URL = "https://www.reddit.com" + d.name(permalink)
	case kind == "t3" && strings.Contains(address.inner(), "reddit.com"):
		it.URL = d.name(address)
	}
	switch text := oneOf(body, selftext); {
	case text.is("[deleted]"), text.is("[removed]"):
		it.Kind = stream.Delete
		it.Note = strings.Trim(text.inner(), "[]")
		it.Text = ""
	default:
		if changed.number() || changed.quoted() {
			at, _ := moment(changed)
			edited(&it, at)
		}
	}
	d.add(&it, created)
	d.redditThing(replies, &it)
}

// submission reads the text of a submission, and of the original of a cross-post.
func (d *Decoder) submission(it *stream.Item, title, selftext, crosspost, crossposts value) {
	it.Text = joinText(fewEntities(d.text(title, MaxText)), fewEntities(d.text(selftext, MaxText)))
	if !crosspost.quoted() {
		return
	}
	it.Kind = stream.Repost
	it.RepostOf = crosspost.id()
	var originalTitle, originalText value
	for key, m := range crossposts.first().members {
		switch key {
		case "title":
			originalTitle = m
		case "selftext":
			originalText = m
		case "author":
			it.RepostAuthor.Name = d.name(m)
		case "author_fullname":
			it.RepostAuthor.ID = m.id()
		}
	}
	original := joinText(fewEntities(d.text(originalTitle, MaxText)), fewEntities(d.text(originalText, MaxText)))
	if !strings.HasPrefix(original, it.Text) {
		original = joinText(it.Text, original)
	}
	it.Text = orElse(original, it.Text)
}

// subreddit adds a reading of a community's size, at the time of arrival.
func (d *Decoder) subreddit(v value) {
	it := d.blank(stream.Statistics)
	for key, m := range v.members {
		switch key {
		case "name":
			it.ID = m.id()
		case "display_name":
			it.Wall.Name = d.name(m)
		case "subscribers":
			it.Members = m.count()
		}
	}
	it.Wall.ID = it.ID
	d.add(&it, value{})
}

func (d *Decoder) redditMessage(v value) {
	it := d.blank(stream.Message)
	it.ID = v.get("name").id()
	it.PublishedAt, _ = moment(v.get("created_utc"))
	it.Author = stream.Account{ID: v.get("author_fullname").id(), Name: d.name(v.get("author"))}
	it.Text = fewEntities(d.text(v.get("body"), MaxText))
	d.add(&it, value{})
}
