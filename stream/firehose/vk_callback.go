package firehose

import (
	"strings"

	"otklik/stream"
)

// vkCallback adds an event of the Callback or long poll API.
func (d *Decoder) vkCallback(e *vkEnvelope) {
	what := d.name(e.kind)
	community := vkID(e.group)
	if community != "" {
		community = "-" + community
	}
	switch what {
	case "wall_post_new", "wall_repost", "wall_post_edit", "wall_reply_new", "wall_reply_edit", "wall_reply_restore",
		"board_post_new", "board_post_edit", "board_post_restore",
		"photo_comment_new", "photo_comment_edit", "photo_comment_restore",
		"video_comment_new", "video_comment_edit", "video_comment_restore",
		"market_comment_new", "market_comment_edit", "market_comment_restore":
		n := len(d.items) + len(d.faults)
		d.vkNode(e.object, what, community)
		if n == len(d.items)+len(d.faults) {
			d.rejectf("no_id", "%s without an object in it", what)
		}
	case "wall_post_delete", "wall_reply_delete", "board_post_delete", "photo_comment_delete", "video_comment_delete", "market_comment_delete":
		d.vkDelete(e.object, what, community)
	case "message_new", "message_reply", "message_edit":
		d.vkMessage(e.object, what, community)
	case "group_join", "group_leave":
		d.vkMembership(e, what, community)
	case "like_add", "like_remove":
		d.vkLike(e, what, community)
	case "confirmation":
		d.note(stream.Notice, what)
	default:
		d.note(stream.Other, what)
	}
}

func (d *Decoder) vkDelete(v value, what, community string) {
	var o vkObject
	o.read(v)
	it := d.blank(stream.Delete)
	it.Note = what
	it.Wall.ID = community
	place := o.place(what, community)
	if what == "wall_post_delete" {
		place = vkAt("", orElse(vkID(o.owner), community), vkID(o.id))
		it.ID = place.root
	} else {
		it.ID = place.comment(vkID(o.id))
	}
	if place.root != "" {
		it.Thread = "vk:" + place.root
	}
	d.add(&it, value{})
}

// vkMessage adds a private message: object.message since version 5.103, before it the object itself (and before 5.80
// with user_id and body).
func (d *Decoder) vkMessage(object value, what, community string) {
	if m := object.get("message"); m.object() {
		object = m
	}
	it := d.blank(stream.Message)
	var number, conversation, peer, from, user, text, body, date, updated, out value
	for key, m := range object.members {
		switch key {
		case "id":
			number = m
		case "conversation_message_id":
			conversation = m
		case "peer_id":
			peer = m
		case "from_id":
			from = m
		case "user_id":
			user = m
		case "text":
			text = m
		case "body":
			body = m
		case "date":
			date = m
		case "update_time":
			updated = m
		case "out":
			out = m
		}
	}
	it.PublishedAt, _ = moment(date)
	if out.yes() && vkID(from) == "" {
		it.Author.ID, it.Community = community, true
	} else {
		d.vkAuthor(&it, oneOf(from, user))
	}
	// In group chats the id is 0; the number within the conversation always names the message.
	chat := orElse(vkID(peer), orElse(vkID(user), vkID(from)))
	if n := orElse(vkID(conversation), vkID(number)); n != "" {
		it.ID = chat + "_" + n
	}
	it.Thread = "vk:message:" + community + ":" + chat
	it.Wall.ID = community
	it.Text = vkLinks(&it, d.text(oneOf(text, body), MaxText))
	if what == "message_edit" {
		at, _ := moment(updated)
		edited(&it, max(at, it.PublishedAt))
	}
	it.Note = what
	d.add(&it, date)
}

// vkMembership adds a join or a leave. They have no time of their own.
func (d *Decoder) vkMembership(e *vkEnvelope, what, community string) {
	it := d.blank(stream.Membership)
	user := vkID(e.object.get("user_id"))
	how := e.object.get("join_type")
	it.Author.ID = user
	it.Wall.ID = community
	it.PublishedAt = d.arrived
	it.Note = what
	it.Joined = -1
	if what == "group_join" {
		it.Joined = 1
		switch {
		case how.is("request"), how.is("unsure"): // asked to be let in; "may come" to an event
			it.Kind = stream.Other
			it.Joined = 0
			it.Note = what + " " + how.inner()
		}
	}
	it.ID = d.vkEventID(e, what, community, user)
	d.add(&it, value{})
}

// vkLike adds a like or its withdrawal, which have no time of their own either.
func (d *Decoder) vkLike(e *vkEnvelope, what, community string) {
	it := d.blank(stream.Reaction)
	var kind, owner, object, post, thread value
	for key, m := range e.object.members {
		switch key {
		case "liker_id":
			it.Author.ID = vkID(m)
		case "object_type":
			kind = m
		case "object_owner_id":
			owner = m
		case "object_id":
			object = m
		case "post_id":
			post = m
		case "thread_reply_id":
			thread = m
		}
	}
	it.Note = "like"
	if what == "like_remove" {
		it.Note = "remove like"
	}
	own := orElse(vkID(owner), community)
	number := vkID(object)
	switch kind.inner() {
	case "photo", "video", "market":
		it.ParentID = vkAt(kind.inner(), own, number).root
	case "topic_comment", "photo_comment", "video_comment", "market_comment":
		prefix := strings.TrimSuffix(kind.inner(), "_comment")
		it.ParentID = vkAt(prefix, own, orElse(vkID(post), vkID(thread))).comment(number)
	case "comment":
		it.ParentID = vkAt("", own, "").comment(number)
		if root := vkAt("", own, vkID(post)).root; root != "" {
			it.Thread = "vk:" + root
		}
	default:
		it.ParentID = vkAt("", own, number).root
		if it.ParentID != "" {
			it.Thread = "vk:" + it.ParentID
		}
	}
	it.Wall.ID = community
	it.ID = d.vkEventID(e, what, community, it.Author.ID+":"+it.ParentID)
	d.add(&it, value{})
}

// vkEventID names an event that has no object of its own: by the id that VK gives it since 2020, which stays the same
// when the event is sent again, or by what it says and when it arrived.
func (d *Decoder) vkEventID(e *vkEnvelope, what, community, subject string) string {
	if s := e.eventID.id(); s != "" {
		return s
	}
	return strings.Join([]string{what, community, subject, d.arrived.String()}, ":")
}
