package firehose

import (
	"strings"

	"otklik/stream"
)

// VK, in its three feeds: the Streaming API ({"code":100,"event":{…}}), the Callback and long poll APIs
// ({"type":…,"object":…}), and objects of the API itself (wall.get, wall.getComments, newsfeed.search).
//
// An item is named by the object it stands on: OWNER_ID of a wall, with the prefix topic, photo, video or market for
// the others, then the id of the comment. Posts and comments of one wall share one running number. The thread is the
// root object: "vk:-1_5" for a post and everything below it, "vk:topic-1_7" for a topic.
//
// The texts of the Streaming API are HTML, all others are plain; both hold VK's own links ("[club1|Name]").

// vkObject holds the members of a post or comment that the three feeds share.
type vkObject struct {
	id, from, owner, date, text, postType, edited, deleted, deletedReason value
	postID, postOwner                                                     value
	topicID, topicOwner, photoID, photoOwner, videoID, videoOwner         value
	itemID, marketOwner                                                   value
	replyUser, replyComment, parents, copies, thread, signer              value
	likes, reposts, views                                                 value
}

func (o *vkObject) read(v value) {
	for key, m := range v.members {
		switch key {
		case "id":
			o.id = m
		case "from_id":
			o.from = m
		case "owner_id", "to_id":
			if !o.owner.there() || key == "owner_id" {
				o.owner = m
			}
		case "date":
			o.date = m
		case "text":
			o.text = m
		case "post_type":
			o.postType = m
		case "edited":
			o.edited = m
		case "deleted":
			o.deleted = m
		case "deleted_reason":
			o.deletedReason = m
		case "post_id":
			o.postID = m
		case "post_owner_id":
			o.postOwner = m
		case "topic_id":
			o.topicID = m
		case "topic_owner_id":
			o.topicOwner = m
		case "photo_id":
			o.photoID = m
		case "photo_owner_id":
			o.photoOwner = m
		case "video_id":
			o.videoID = m
		case "video_owner_id":
			o.videoOwner = m
		case "item_id":
			o.itemID = m
		case "market_owner_id":
			o.marketOwner = m
		case "reply_to_user":
			o.replyUser = m
		case "reply_to_comment":
			o.replyComment = m
		case "parents_stack":
			o.parents = m
		case "copy_history":
			o.copies = m
		case "thread":
			o.thread = m
		case "signer_id":
			o.signer = m
		case "likes":
			o.likes = m
		case "reposts":
			o.reposts = m
		case "views":
			o.views = m
		}
	}
}

// vkEnvelope holds the members of every outermost object of VK.
type vkEnvelope struct {
	code, event, service, error  value // Streaming API
	eventType                    value // its event without the envelope
	kind, object, group, eventID value // Callback API
	updates, failed, response    value // long poll; API
	items, profiles, groups      value
}

func (d *Decoder) vk(record value) {
	for element := range record.elements {
		d.vkRecord(element)
	}
	if record.object() {
		d.vkRecord(record)
	}
}

func (d *Decoder) vkRecord(v value) {
	var e vkEnvelope
	for key, m := range v.members {
		switch key {
		case "code":
			e.code = m
		case "event":
			e.event = m
		case "service_message":
			e.service = m
		case "error":
			e.error = m
		case "event_type":
			e.eventType = m
		case "type":
			e.kind = m
		case "object":
			e.object = m
		case "group_id":
			e.group = m
		case "event_id":
			e.eventID = m
		case "updates":
			e.updates = m
		case "failed":
			e.failed = m
		case "response":
			e.response = m
		case "items":
			e.items = m
		case "profiles":
			e.profiles = m
		case "groups":
			e.groups = m
		}
	}
	switch {
	case e.event.object():
		d.vkStream(e.event)
	case e.eventType.quoted():
		d.vkStream(v)
	case e.service.object():
		d.note(stream.Notice, "service_message "+e.service.get("service_code").id())
	case e.error.filled():
		d.errorResponse(e.error)
	case e.updates.array():
		n := len(d.items) + len(d.faults)
		for update := range e.updates.elements {
			d.vkRecord(update)
		}
		if n == len(d.items)+len(d.faults) {
			d.note(stream.Notice, "no updates")
		}
	case e.failed.stated():
		d.note(stream.Notice, "failed "+e.failed.id())
	case e.kind.quoted() && (e.object.object() || e.group.there() && !e.items.array()):
		d.vkCallback(&e)
	case e.response.object():
		d.vkRecord(e.response)
	case e.response.array():
		for element := range e.response.elements {
			d.vkRecord(element)
		}
	case e.items.array():
		d.vkProfiles(e.profiles, e.groups)
		n := len(d.items) + len(d.faults)
		for element := range e.items.elements {
			d.vkNode(element, "", "")
		}
		if n == len(d.items)+len(d.faults) {
			d.note(stream.Other, "no items")
		}
	case e.code.stated():
		d.note(stream.Notice, "code "+e.code.id())
	default:
		d.vkNode(v, "", "")
	}
}

// vkProfile is what is read of a profile or group. It is read once: it may have many members and many posts.
type vkProfile struct {
	screen, name string
	followers    stream.Count
}

// vkProfiles remembers the profiles and groups that an "extended" answer ships, for the names of authors.
func (d *Decoder) vkProfiles(profiles, groups value) {
	if d.profiles == nil {
		d.profiles = map[string]vkProfile{}
	}
	for p := range profiles.elements {
		d.vkProfile("", p)
	}
	for g := range groups.elements {
		d.vkProfile("-", g)
	}
}

// vkProfile remembers one of them; sign is that of its id as an author.
func (d *Decoder) vkProfile(sign string, v value) {
	var p vkProfile
	var id, first, last string
	for key, m := range v.members {
		switch key {
		case "id":
			id = m.inner()
		case "screen_name":
			p.screen = d.name(m)
		case "name", "first_name":
			first = d.name(m)
		case "last_name":
			last = d.name(m)
		case "followers_count", "members_count":
			p.followers = m.count()
		}
	}
	p.name = strings.TrimSpace(first + " " + last)
	if id != "" { // or it would be that of every item without an author
		d.profiles[sign+id] = p
	}
}

// vkAuthor sets the author of an item; a negative id is a community.
func (d *Decoder) vkAuthor(it *stream.Item, v value) {
	it.Author.ID = vkID(v)
	it.Community = strings.HasPrefix(it.Author.ID, "-")
	if p, ok := d.profiles[it.Author.ID]; ok {
		it.Author.Name, it.AuthorName, it.Followers = p.screen, p.name, p.followers
	}
}

// vkID reads an id; 0 stands for "none".
func vkID(v value) string {
	if s := v.id(); s != "0" {
		return s
	}
	return ""
}

// vkPlace is where a VK item stands: the root object's name ("-1_5", "topic-1_7") and the owner.
type vkPlace struct{ owner, root, prefix string }

// comment returns the id of a comment at the place; wall comments are numbered per wall, all others per object.
func (p vkPlace) comment(id string) string {
	switch {
	case id == "" || p.owner == "":
		return ""
	case p.prefix == "":
		return p.owner + "_" + id
	case p.root == "":
		return ""
	}
	return p.root + "_" + id
}

func vkAt(prefix, owner, id string) vkPlace {
	p := vkPlace{owner: owner, prefix: prefix}
	if owner != "" && id != "" {
		p.root = prefix + owner + "_" + id
	}
	return p
}

// place finds out where a comment stands. owner is that of the answer it came in, if known.
func (o *vkObject) place(what string, owner string) vkPlace {
	own := vkID(o.owner)
	if own == "" {
		own = owner
	}
	switch {
	case o.topicID.stated() || strings.HasPrefix(what, "board_"):
		return vkAt("topic", orElse(vkID(o.topicOwner), own), vkID(o.topicID))
	case o.photoID.stated() || strings.HasPrefix(what, "photo_"):
		return vkAt("photo", orElse(vkID(o.photoOwner), own), vkID(o.photoID))
	case o.videoID.stated() || strings.HasPrefix(what, "video_"):
		return vkAt("video", orElse(vkID(o.videoOwner), own), vkID(o.videoID))
	case o.itemID.stated() || strings.HasPrefix(what, "market_"):
		return vkAt("market", orElse(vkID(o.marketOwner), own), vkID(o.itemID))
	}
	return vkAt("", orElse(vkID(o.postOwner), own), vkID(o.postID))
}

func orElse(s, other string) string {
	if s != "" {
		return s
	}
	return other
}

// vkNode adds a post or comment as the API returns it, with what it holds.
func (d *Decoder) vkNode(v value, what, owner string) {
	var o vkObject
	o.read(v)
	if !o.id.there() && !o.date.there() && !o.text.there() {
		return
	}
	if o.postType.quoted() && !o.postType.is("reply") || o.copies.there() ||
		!o.postID.stated() && !o.parents.stated() && !o.replyComment.stated() && !o.thread.there() && !strings.Contains(what, "reply") && !strings.Contains(what, "comment") && !strings.HasPrefix(what, "board_post") {
		d.vkPost(&o, what, owner)
		return
	}
	d.vkComment(&o, what, owner)
}

// vkPost adds a post of a wall.
func (d *Decoder) vkPost(o *vkObject, what, owner string) {
	it := d.blank(stream.Post)
	own := orElse(vkID(o.owner), orElse(vkID(o.postOwner), owner))
	from := o.from
	if vkID(from) == "" {
		from = o.owner
	}
	if number := vkID(o.id); own != "" && number != "" {
		it.ID = own + "_" + number
		it.URL = "https://vk.com/wall" + it.ID
	}
	it.Wall.ID = own
	it.PublishedAt, _ = moment(o.date)
	d.vkAuthor(&it, from)
	d.vkCounts(&it, o)
	switch {
	case o.deleted.yes(), o.deletedReason.quoted():
		it.Kind = stream.Delete
		it.Note = "deleted"
	case o.postType.is("suggest"), o.postType.is("postpone"):
		// Not public; when it is, it comes again as a post with another id.
		it.Kind = stream.Other
		it.Note = o.postType.inner()
	default:
		it.Text = vkLinks(&it, d.text(o.text, MaxText))
		if original := o.copies.first(); original.object() {
			var c vkObject
			c.read(original)
			d.vkRepost(&it, vkID(c.owner), vkID(c.id), c.from, d.text(c.text, MaxText))
		}
		d.vkEdited(&it, o, what)
	}
	d.add(&it, o.date)
}

// vkRepost makes a post a repost: own words first, then the whole original.
func (d *Decoder) vkRepost(it *stream.Item, owner, number string, author value, text string) {
	it.Kind = stream.Repost
	if owner != "" && number != "" {
		it.RepostOf = owner + "_" + number
	}
	it.RepostAuthor.ID = orElse(vkID(author), owner)
	text = vkLinks(it, text)
	switch {
	case it.Text == "":
		it.Text = text
	case text != "":
		it.Text = cut(it.Text+"\n\n"+text, MaxText)
	}
}

// vkComment adds a comment on a post, topic, photo, video or product.
func (d *Decoder) vkComment(o *vkObject, what, owner string) {
	it := d.blank(stream.Comment)
	place := o.place(what, owner)
	it.ID = place.comment(vkID(o.id))
	it.Wall.ID = place.owner
	it.PublishedAt, _ = moment(o.date)
	d.vkAuthor(&it, o.from)
	d.vkCounts(&it, o)
	it.RootID = place.root
	it.ParentID = place.root
	parent := vkID(o.replyComment)
	if parent == "" {
		for p := range o.parents.elements {
			parent = vkID(p)
		}
	}
	if parent != "" {
		it.ParentID = place.comment(parent)
	}
	it.ParentAuthor.ID = vkID(o.replyUser)
	if place.root != "" {
		it.Thread = "vk:" + place.root
		it.URL = vkCommentURL(place, vkID(o.id))
	}
	if o.deleted.yes() {
		it.Kind = stream.Delete
		it.Note = "deleted"
	} else {
		it.Text = vkLinks(&it, d.text(o.text, MaxText))
		d.vkEdited(&it, o, what)
	}
	d.add(&it, o.date)
	for reply := range o.thread.get("items").elements {
		d.vkNode(reply, "wall_reply", place.owner)
	}
}

func vkCommentURL(p vkPlace, id string) string {
	switch p.prefix {
	case "":
		return "https://vk.com/wall" + p.root + "?reply=" + id
	case "topic":
		return "https://vk.com/" + p.root + "?post=" + id
	case "market":
		return "https://vk.com/product" + strings.TrimPrefix(p.root, "market")
	}
	return "https://vk.com/" + p.root
}

// vkEdited makes the item an edit when the event says so, or when the object carries the time of its last edit. VK's
// events do not say when, so the time of arrival is the version.
func (d *Decoder) vkEdited(it *stream.Item, o *vkObject, what string) {
	at, _ := moment(o.edited)
	switch {
	case strings.HasSuffix(what, "_edit"), strings.HasSuffix(what, "_restore"):
		edited(it, max(at, d.arrived))
		it.Kind = stream.Edit
		if it.EditedAt == 0 {
			it.EditedAt = it.PublishedAt
		}
		if strings.HasSuffix(what, "_restore") {
			it.Note = "restore"
		}
	case !strings.HasSuffix(what, "_new"):
		edited(it, at)
	}
}

func (d *Decoder) vkCounts(it *stream.Item, o *vkObject) {
	it.Likes = o.likes.get("count").count()
	it.Shares = o.reposts.get("count").count()
	it.Views = o.views.get("count").count()
}

// vkStream adds an event of the Streaming API.
func (d *Decoder) vkStream(v value) {
	var kind, ids, action, text, address, author, created, acted, sharedID, sharedText value
	for key, m := range v.members {
		switch key {
		case "event_type":
			kind = m
		case "event_id":
			ids = m
		case "action":
			action = m
		case "text":
			text = m
		case "event_url":
			address = m
		case "author":
			author = m
		case "creation_time":
			created = m
		case "action_time":
			acted = m
		case "shared_post_id":
			sharedID = m
		case "shared_post_text":
			sharedText = m
		}
	}
	var postOwner, postID, commentID, topicOwner, topicID, topicPost, shared value
	for key, m := range ids.members {
		switch key {
		case "post_owner_id":
			postOwner = m
		case "post_id":
			postID = m
		case "comment_id":
			commentID = m
		case "topic_owner_id":
			topicOwner = m
		case "topic_id":
			topicID = m
		case "topic_post_id":
			topicPost = m
		case "shared_post_id":
			shared = m
		}
	}
	it := d.blank(stream.Post)
	place := vkAt("", vkID(postOwner), vkID(postID))
	it.ID = place.root
	switch {
	case kind.is("comment"):
		it.Kind = stream.Comment
		it.ID = place.comment(vkID(commentID))
		it.RootID, it.ParentID = place.root, place.root
	case kind.is("topic_post"):
		it.Kind = stream.Comment
		place = vkAt("topic", vkID(topicOwner), vkID(topicID))
		it.ID = place.comment(vkID(topicPost))
		it.RootID, it.ParentID = place.root, place.root
	case kind.is("post"), kind.is("share"):
	default:
		d.note(stream.Other, d.name(kind))
		return
	}
	if place.root != "" {
		it.Thread = "vk:" + place.root
	}
	it.Wall.ID = place.owner
	it.URL = d.name(address)
	it.PublishedAt, _ = moment(created)
	var sharedAuthor value
	for key, m := range author.members {
		switch key {
		case "id":
			d.vkAuthor(&it, m)
		case "shared_post_author_id":
			sharedAuthor = m
		}
	}
	stated := created
	if action.is("delete") {
		it.Kind = stream.Delete
		it.Note = "delete"
		it.PublishedAt, _ = moment(oneOf(acted, created))
		d.add(&it, stated)
		return
	}
	it.Text = vkLinks(&it, d.htmlText(text))
	if kind.is("share") {
		d.vkRepost(&it, vkID(sharedAuthor), vkID(oneOf(sharedID, shared)), sharedAuthor, d.htmlText(sharedText))
	}
	if action.is("update") || action.is("restore") {
		at, _ := moment(acted)
		if at == 0 {
			at = d.arrived
		}
		edited(&it, at)
		it.Kind = stream.Edit
		it.EditedAt = max(it.EditedAt, it.PublishedAt)
		if action.is("restore") {
			it.Note = "restore"
		}
	}
	d.add(&it, stated)
}
