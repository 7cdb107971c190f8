package firehose

import (
	"strings"

	"otklik/stream"
)

// Bluesky: Jetstream events (https://github.com/bluesky-social/jetstream) and the post views of the app's API. An item
// is named by its at-uri; the thread is the uri of the root post.
//
// createdAt is claimed by the client. As Bluesky's own timelines do, it is believed unless it lies in the server's
// future (time_us); then the server's time counts.

const (
	feedPost   = "app.bsky.feed.post"
	feedRepost = "app.bsky.feed.repost"
	feedLike   = "app.bsky.feed.like"
	follow     = "app.bsky.graph.follow"
)

func (d *Decoder) bluesky(record value) {
	if record.array() {
		for element := range record.elements {
			d.blueskyRecord(element)
		}
		return
	}
	d.blueskyRecord(record)
}

func (d *Decoder) blueskyRecord(v value) {
	var did, at, kind, commit, uri, author, record, list, fault value
	for key, m := range v.members {
		switch key {
		case "did":
			did = m
		case "time_us":
			at = m
		case "kind", "type":
			kind = m
		case "commit":
			commit = m
		case "uri":
			uri = m
		case "author":
			author = m
		case "record":
			record = m
		case "posts", "feed":
			list = m
		case "error":
			fault = m
		}
	}
	switch {
	case commit.object():
		d.blueskyCommit(did, at, commit)
	case uri.quoted() && record.object():
		d.blueskyView(v, uri, author, record)
	case list.array():
		n := len(d.items) + len(d.faults)
		for element := range list.elements {
			if post := element.get("post"); post.object() {
				element = post
			}
			d.blueskyRecord(element)
		}
		if n == len(d.items)+len(d.faults) {
			d.note(stream.Other, "no posts")
		}
	case kind.is("identity"), kind.is("account"), kind.quoted() && did.quoted():
		it := d.blank(stream.Notice)
		it.Note = d.name(kind)
		it.Author = stream.Account{ID: did.id(), Name: d.name(v.at("identity", "handle"))}
		it.PublishedAt, _ = moment(at)
		d.add(&it, value{})
	case fault.quoted():
		d.errorResponse(v)
	}
}

// blueskyCommit adds what a commit did to a record.
func (d *Decoder) blueskyCommit(did, at, commit value) {
	var operation, collection, rkey, record value
	for key, m := range commit.members {
		switch key {
		case "operation", "type":
			operation = m
		case "collection":
			collection = m
		case "rkey":
			rkey = m
		case "record":
			record = m
		}
	}
	it := d.blank(stream.Other)
	it.Author.ID = did.id()
	if a, c, k := it.Author.ID, collection.id(), rkey.id(); a != "" && c != "" && k != "" {
		it.ID = "at://" + a + "/" + c + "/" + k
	}
	server, _ := moment(at)
	it.PublishedAt = server
	it.Note = d.name(collection)
	gone := operation.is("delete") || operation.is("d")
	created := record.get("createdAt")
	switch {
	case gone && (collection.is(feedPost) || collection.is(feedRepost)):
		it.Kind = stream.Delete
		it.Note = "delete"
		d.add(&it, at)
		return
	case gone && collection.is(feedLike):
		it.Kind = stream.Reaction
		it.Note = "remove like"
		d.add(&it, at)
		return
	case gone:
		it.Note = "delete " + it.Note
		d.add(&it, at)
		return
	case collection.is(feedPost):
		it.Note = ""
		d.blueskyPost(&it, record, server)
		if operation.is("update") || operation.is("u") {
			it.Kind = stream.Edit
			it.EditedAt = max(server, it.PublishedAt)
		}
	case collection.is(feedRepost):
		it.Kind = stream.Repost
		it.Note = ""
		it.PublishedAt = claimed(created, server)
		it.RepostOf = record.at("subject", "uri").id()
		it.RepostAuthor.ID = repo(it.RepostOf)
		it.Thread = thread(it.RepostOf)
		it.URL = postURL(it.RepostOf)
	case collection.is(feedLike):
		it.Kind = stream.Reaction
		it.Note = "like"
		it.PublishedAt = claimed(created, server)
		it.ParentID = record.at("subject", "uri").id()
		it.ParentAuthor.ID = repo(it.ParentID)
		it.Thread = thread(it.ParentID)
	case collection.is(follow):
		it.Kind = stream.Membership
		it.Note = "follow"
		it.PublishedAt = claimed(created, server)
		it.Wall.ID = record.get("subject").id()
		it.Joined = 1
	}
	d.add(&it, oneOf(created, at))
}

// claimed applies the rule at the head of this file.
func claimed(created value, server stream.Time) stream.Time {
	at, _ := moment(created)
	if at == 0 || server != 0 && at > server+maxClockSkew {
		return server
	}
	return at
}

// blueskyPost reads a record of app.bsky.feed.post.
func (d *Decoder) blueskyPost(it *stream.Item, record value, server stream.Time) {
	it.Kind = stream.Post
	var text, facets, created value
	for key, m := range record.members {
		switch key {
		case "text":
			text = m
		case "createdAt":
			created = m
		case "langs":
			it.Lang = m.first().id()
		case "facets":
			facets = m
		case "reply":
			it.Kind = stream.Comment
			for key, m := range m.members {
				switch key {
				case "parent":
					it.ParentID = m.get("uri").id()
				case "root":
					it.RootID = m.get("uri").id()
				}
			}
		}
	}
	it.PublishedAt = claimed(created, server)
	it.Text = d.text(text, MaxText)
	if it.ParentID != "" {
		it.ParentAuthor.ID = repo(it.ParentID)
		it.ParentAt = parentTime(it, tid(it.ParentID[strings.LastIndexByte(it.ParentID, '/')+1:]))
	}
	it.Thread = thread(orElse(it.RootID, orElse(it.ParentID, it.ID)))
	it.URL = postURL(it.ID)
	d.facets(it, facets)
}

// facets notes the accounts that a post names: byteStart and byteEnd count bytes of UTF-8.
func (d *Decoder) facets(it *stream.Item, v value) {
	for facet := range v.elements {
		var start, end int64
		var features value
		for key, m := range facet.members {
			switch key {
			case "index":
				start, _ = m.get("byteStart").integer()
				end, _ = m.get("byteEnd").integer()
			case "features":
				features = m
			}
		}
		for f := range features.elements {
			if did := f.get("did"); did.quoted() {
				a := stream.Account{ID: did.id()}
				if 0 <= start && start < end && end <= int64(len(it.Text)) && it.Text[start] == '@' {
					a.Name = strings.ToValidUTF8(it.Text[start+1:end], "")
				}
				mention(it, a)
			}
		}
	}
}

// blueskyView adds a post view of the app's API: the record with its author and counters.
func (d *Decoder) blueskyView(v, uri, author, record value) {
	it := d.blank(stream.Post)
	it.ID = uri.id()
	var indexed value
	for key, m := range v.members {
		switch key {
		case "indexedAt":
			indexed = m
		case "likeCount":
			it.Likes = m.count()
		case "repostCount":
			it.Shares = m.count()
		}
	}
	for key, m := range author.members {
		switch key {
		case "did":
			it.Author.ID = m.id()
		case "handle":
			it.Author.Name = d.handle(m)
		case "displayName":
			it.AuthorName = d.name(m)
		}
	}
	server, _ := moment(indexed)
	d.blueskyPost(&it, record, server)
	d.add(&it, oneOf(record.get("createdAt"), indexed))
}

// repo returns the account that an at-uri belongs to.
func repo(uri string) string {
	rest, ok := strings.CutPrefix(uri, "at://")
	if !ok {
		return ""
	}
	did, _, _ := strings.Cut(rest, "/")
	return did
}

func thread(uri string) string {
	if uri == "" {
		return ""
	}
	return "bluesky:" + uri
}

// postURL returns the address of a post on the web.
func postURL(uri string) string {
	rest, ok := strings.CutPrefix(uri, "at://")
	if !ok {
		return ""
	}
	did, rest, _ := strings.Cut(rest, "/")
	rkey, ok := strings.CutPrefix(rest, feedPost+"/")
	if !ok {
		return ""
	}
	return "https://bsky.app/profile/" + did + "/post/" + rkey
}
