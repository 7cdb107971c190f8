package firehose

import (
	"strings"

	"otklik/stream"
)

// Facebook: webhooks of pages ({"object":"page","entry":[…]}) and nodes of the Graph API, alone or as {"data":[…]}.
//
// The thread is "facebook:" and the post's own number: webhooks name a post "PAGE_POST" and a comment "POST_COMMENT",
// Graph nodes of comments name no post at all, so the number of the post is what every form of a conversation shares.

func (d *Decoder) facebook(record value) {
	if record.array() {
		for element := range record.elements {
			d.facebookRecord(element)
		}
		return
	}
	d.facebookRecord(record)
}

func (d *Decoder) facebookRecord(v value) {
	var object, entry, data, fault, number value
	for key, m := range v.members {
		switch key {
		case "object":
			object = m
		case "entry":
			entry = m
		case "data":
			data = m
		case "error":
			fault = m
		case "id":
			number = m
		}
	}
	switch {
	case entry.array():
		n := len(d.items) + len(d.faults)
		for e := range entry.elements {
			d.facebookEntry(object, e)
		}
		if n == len(d.items)+len(d.faults) {
			d.note(stream.Other, "no changes")
		}
	case fault.filled():
		d.errorResponse(fault)
	case data.array():
		n := len(d.items) + len(d.faults)
		for node := range data.elements {
			d.facebookNode(node, nil)
		}
		if n == len(d.items)+len(d.faults) {
			d.note(stream.Other, "no data")
		}
	case number.stated():
		d.facebookNode(v, nil)
	}
}

func (d *Decoder) facebookEntry(object, entry value) {
	var page string
	var at stream.Time
	for key, m := range entry.members {
		switch key {
		case "id":
			page = m.id()
		case "time":
			at, _ = moment(m)
		}
	}
	if object.there() && !object.is("page") {
		d.note(stream.Other, d.name(object)) // user, permissions, instagram, whatsapp share the envelope
		return
	}
	for key, m := range entry.members {
		switch key {
		case "changes":
			for change := range m.elements {
				field := d.name(change.get("field"))
				switch field {
				case "feed", "mention", "ratings":
					d.facebookChange(change.get("value"), field, page, at)
				default:
					d.note(stream.Other, orElse(field, "change"))
				}
			}
		case "messaging", "standby":
			for message := range m.elements {
				d.facebookMessage(message, page)
			}
		}
	}
}

// facebookChange adds one change of a page's feed.
func (d *Decoder) facebookChange(v value, field, page string, entryTime stream.Time) {
	if !v.object() {
		d.note(stream.Other, field)
		return
	}
	var item, verb, comment, post, parent, from, sender, senderName, reviewer, reviewerName value
	var created, message, review, story, reaction, permalink, published, hidden value
	for key, m := range v.members {
		switch key {
		case "item":
			item = m
		case "verb":
			verb = m
		case "comment_id":
			comment = m
		case "post_id":
			post = m
		case "parent_id":
			parent = m
		case "from":
			from = m
		case "sender_id":
			sender = m
		case "sender_name":
			senderName = m
		case "reviewer_id":
			reviewer = m
		case "reviewer_name":
			reviewerName = m
		case "created_time":
			created = m
		case "message":
			message = m
		case "review_text":
			review = m
		case "open_graph_story_id":
			story = m
		case "reaction_type":
			reaction = m
		case "permalink_url":
			permalink = m
		case "published":
			published = m
		case "is_hidden":
			hidden = m
		}
	}
	it := d.blank(stream.Post)
	it.Author.ID = id(from.get("id"), sender, reviewer)
	it.AuthorName = d.name(oneOf(from.get("name"), senderName, reviewerName))
	it.Community = it.Author.ID != "" && it.Author.ID == page
	it.PublishedAt, _ = moment(created)
	if it.PublishedAt == 0 && !created.filled() {
		it.PublishedAt = entryTime
	}
	if field == "mention" {
		// Somebody named the page on a wall that is not the page's.
		mention(&it, stream.Account{ID: page})
	} else {
		it.Wall.ID = page
	}
	root := id(post, story)
	it.ID = root
	target := root
	switch what := d.name(item); what {
	case "comment":
		it.Kind = stream.Comment
		it.ID = comment.id()
		it.RootID = root
		it.ParentID = orElse(parent.id(), root)
	case "reaction", "like":
		it.Kind = stream.Reaction
		if c := comment.id(); c != "" {
			target = c
		}
		it.ParentID = target
		it.Note = "like"
		if reaction.quoted() {
			it.Note = d.name(reaction)
		}
		it.ID = strings.Join([]string{it.Note, it.Author.ID, target, it.PublishedAt.String()}, ":")
		if verb.is("remove") {
			it.Note = "remove " + it.Note
		}
	case "post", "status", "photo", "video", "share", "album", "event", "note", "link", "rating", "":
	default:
		it.Kind = stream.Other
		it.Note = what
	}
	if root != "" {
		it.Thread = facebookThread(root)
	}
	it.URL = d.name(permalink)
	if it.URL == "" && it.ID != "" && it.Kind != stream.Reaction {
		it.URL = "https://www.facebook.com/" + it.ID
	}
	if it.Kind == stream.Post || it.Kind == stream.Comment {
		it.Text = d.text(oneOf(message, review), MaxText)
		switch {
		case verb.is("remove"), verb.is("hide"):
			// A hidden item is no longer public; "unhide" brings it back as a new version.
			it.Kind = stream.Delete
			it.Note = verb.inner()
			it.Text = ""
			it.PublishedAt = max(entryTime, it.PublishedAt)
		case verb.is("edit"), verb.is("edited"), verb.is("unhide"):
			it.Kind = stream.Edit
			it.EditedAt = max(entryTime, it.PublishedAt)
			it.Note = verb.inner()
		case !verb.there(), verb.is("add"):
			if published.number() && !published.yes() || published.raw() == "false" || hidden.yes() && it.Kind == stream.Post {
				it.Kind = stream.Other
				it.Note = "unpublished"
			}
		default: // block, unblock, mute, follow, …
			it.Kind = stream.Other
			it.Note = d.name(verb)
		}
	}
	d.add(&it, created)
}

// facebookThread returns the thread key of a post named "PAGE_POST" or "POST".
func facebookThread(post string) string {
	return "facebook:" + post[strings.LastIndexByte(post, '_')+1:]
}

// facebookMessage adds an event of Messenger; its times are milliseconds.
func (d *Decoder) facebookMessage(v value, page string) {
	it := d.blank(stream.Other)
	it.Note = "messaging"
	var stated value
	for key, m := range v.members {
		switch key {
		case "sender":
			it.Author.ID = m.get("id").id()
		case "recipient":
			it.ParentAuthor.ID = m.get("id").id()
		case "timestamp":
			it.PublishedAt, _ = moment(m)
			stated = m
		case "message":
			it.Kind = stream.Message
			it.Note = "message"
			it.ID = id(m.get("mid"))
			it.Text = d.text(m.get("text"), MaxText)
		case "postback", "delivery", "read", "optin", "referral", "reaction", "pass_thread_control":
			it.Note = key
		}
	}
	it.Wall.ID = page
	it.Community = it.Author.ID != "" && it.Author.ID == page
	customer := it.Author.ID
	if it.Community {
		customer = it.ParentAuthor.ID
	}
	it.Thread = "facebook:message:" + page + ":" + customer
	d.add(&it, stated)
}

// facebookNode adds a node of the Graph API and the comments it holds; a node of which only counters were asked is a
// reading of them.
func (d *Decoder) facebookNode(v value, parent *stream.Item) {
	var created, likes, reactions, comments, message, story, likeCount, commentCount value
	it := d.blank(stream.Post)
	if parent != nil {
		it.Kind = stream.Comment
		it.ParentID, it.ParentAt, it.ParentAuthor = parent.ID, parent.PublishedAt, parent.Author
		it.RootID = orElse(parent.RootID, parent.ID)
		it.Thread = parent.Thread
		it.Wall = parent.Wall
	}
	for key, m := range v.members {
		switch key {
		case "id":
			it.ID = m.id()
		case "from":
			it.Author.ID = m.get("id").id()
			it.AuthorName = d.name(m.get("name"))
		case "created_time":
			created = m
			it.PublishedAt, _ = moment(m)
		case "message":
			message = m
		case "story":
			story = m
		case "parent":
			if p := m.get("id").id(); p != "" && parent == nil {
				it.Kind = stream.Comment
				it.ParentID = p
			}
		case "permalink_url":
			it.URL = d.name(m)
		case "likes":
			likes = m
		case "reactions":
			reactions = m
		case "like_count":
			likeCount = m
		case "comment_count", "can_remove", "can_comment":
			commentCount = m
		case "shares":
			it.Shares = m.get("count").count()
		case "comments":
			comments = m
		case "message_tags":
			d.facebookTags(&it, m)
		}
	}
	it.Likes = likeCount.count()
	for _, c := range [...]value{likes, reactions} {
		if n := c.at("summary", "total_count").count(); n.Known() {
			it.Likes = n
		}
	}
	if it.Kind == stream.Post && (likeCount.there() || commentCount.there()) {
		it.Kind = stream.Comment // posts have neither member
	}
	it.Text = d.text(oneOf(message, story), MaxText)
	owner, rest, _ := strings.Cut(it.ID, "_")
	switch {
	case it.Thread != "":
	case it.Kind == stream.Post:
		it.Thread = facebookThread(it.ID)
		if rest != "" {
			it.Wall.ID = owner
			it.Community = it.Author.ID == owner
		}
	default:
		it.Thread = facebookThread(owner) // "POST_COMMENT"
		it.RootID = owner
	}
	if it.URL == "" && it.ID != "" {
		it.URL = "https://www.facebook.com/" + it.ID
	}
	replies := comments.get("data")
	holder := false // of its comments, and nothing else
	if it.Text == "" && !created.there() && it.Author.ID == "" {
		it.Kind = stream.Statistics
		holder = replies.filled() && !it.Likes.Known() && !it.Shares.Known()
	}
	if !holder {
		d.add(&it, created)
	}
	for comment := range replies.elements {
		d.facebookNode(comment, &it)
	}
}

// facebookTags reads message_tags: a list, or in old versions an object of lists by offset.
func (d *Decoder) facebookTags(it *stream.Item, v value) {
	for tag := range v.elements {
		mention(it, stream.Account{ID: tag.get("id").id()})
	}
	for _, list := range v.members {
		for tag := range list.elements {
			mention(it, stream.Account{ID: tag.get("id").id()})
		}
	}
}
