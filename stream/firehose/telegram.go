package firehose

import (
	"strings"
	"unicode/utf8"

	"otklik/stream"
)

// Telegram: updates of the Bot API (https://core.telegram.org/bots/api#update), alone, as the answer of getUpdates, or
// the bare message. A message is named CHAT_MESSAGE. The thread is the chat, the only key that a question and its
// answer surely share; what is said in private is a Message.

func (d *Decoder) telegram(record value) {
	if record.array() {
		for element := range record.elements {
			d.telegramUpdate(element)
		}
		return
	}
	d.telegramUpdate(record)
}

func (d *Decoder) telegramUpdate(v value) {
	var result, ok, kind, update value
	var what string
	bare := false
	for key, m := range v.members {
		switch key {
		case "result":
			result = m
		case "ok":
			ok = m
		case "update_id":
			update = m
		case "description", "error_code", "parameters":
		case "message_id":
			bare = true
		default:
			if !kind.there() && m.object() {
				what, kind = key, m
			}
		}
	}
	switch {
	case result.array():
		n := len(d.items) + len(d.faults)
		for element := range result.elements {
			d.telegramUpdate(element)
		}
		if n == len(d.items)+len(d.faults) {
			d.note(stream.Notice, "no updates")
		}
	case ok.raw() == "false":
		d.errorResponse(v)
	case bare && !update.there():
		d.telegramMessage(v, "message")
	case update.there() && !kind.there():
		d.note(stream.Other, "update")
	case update.there() || telegramKinds[what]:
		d.telegramKind(what, kind, update)
	case result.object():
		d.telegramUpdate(result)
	}
}

// telegramKinds are the updates that are told by their name where update_id is missing.
var telegramKinds = map[string]bool{
	"message": true, "edited_message": true, "channel_post": true, "edited_channel_post": true, "message_reaction": true,
	"message_reaction_count": true, "chat_member": true, "my_chat_member": true, "business_message": true,
}

func (d *Decoder) telegramKind(what string, v, update value) {
	switch what {
	case "message", "edited_message", "channel_post", "edited_channel_post", "business_message", "edited_business_message":
		d.telegramMessage(v, what)
	case "message_reaction":
		d.telegramReaction(v, update)
	case "message_reaction_count":
		d.telegramReactionCount(v)
	case "chat_member":
		d.telegramMember(v)
	default:
		d.note(stream.Other, what)
	}
}

// chat is where a message stands.
type chat struct{ id, kind, title, username string }

func (d *Decoder) chat(v value) (c chat) {
	for key, m := range v.members {
		switch key {
		case "id":
			c.id = m.id()
		case "type":
			c.kind = d.name(m)
		case "title":
			c.title = d.name(m)
		case "username":
			c.username = d.handle(m)
		}
	}
	return c
}

func (c *chat) account() stream.Account { return stream.Account{ID: c.id, Name: c.username} }

// item returns the id of a message of the chat.
func (c *chat) item(message value) string {
	if n := message.id(); n != "" && c.id != "" {
		return c.id + "_" + n
	}
	return ""
}

// telegramUser reads a user: account, display name, and whether it is a bot.
func (d *Decoder) telegramUser(v value) (a stream.Account, name string, bot bool) {
	var first, last string
	for key, m := range v.members {
		switch key {
		case "id":
			a.ID = m.id()
		case "username":
			a.Name = d.handle(m)
		case "first_name":
			first = d.name(m)
		case "last_name":
			last = d.name(m)
		case "is_bot":
			bot = m.yes()
		}
	}
	return a, strings.TrimSpace(first + " " + last), bot
}

// telegramMessage adds a message, channel post or service message, or a later version of one.
func (d *Decoder) telegramMessage(v value, what string) {
	var number, date, edit, text, entities, from, sender, where, reply, external, thread, origin value
	var forwardFrom, forwardChat, forwardMessage, forwardName, poll, joined, left, signature value
	media, service := false, ""
	for key, m := range v.members {
		switch key {
		case "message_id":
			number = m
		case "date":
			date = m
		case "edit_date":
			edit = m
		case "text", "caption":
			text = m
		case "entities", "caption_entities":
			entities = m
		case "from":
			from = m
		case "sender_chat":
			sender = m
		case "chat":
			where = m
		case "reply_to_message":
			reply = m
		case "external_reply":
			external = m
		case "message_thread_id":
			thread = m
		case "forward_origin":
			origin = m
		case "forward_from":
			forwardFrom = m
		case "forward_from_chat":
			forwardChat = m
		case "forward_from_message_id":
			forwardMessage = m
		case "forward_sender_name":
			forwardName = m
		case "author_signature":
			signature = m
		case "poll":
			poll, media = m, true
		case "photo", "video", "animation", "audio", "document", "voice", "video_note", "sticker", "paid_media", "location", "venue",
			"contact", "live_photo", "checklist":
			media = true
		case "new_chat_members", "new_chat_member", "new_chat_participant":
			if !joined.there() || key == "new_chat_members" {
				joined = m
			}
		case "left_chat_member", "left_chat_participant":
			left = m
		case "via_bot", "quote", "link_preview_options", "reply_markup", "forward_date", "is_automatic_forward", "is_topic_message",
			"sender_boost_count", "sender_business_bot", "business_connection_id", "has_protected_content", "is_from_offline",
			"media_group_id", "show_caption_above_media", "has_media_spoiler", "effect_id", "forward_signature", "is_paid_post",
			"paid_star_count", "sender_tag":
		default:
			if service == "" {
				service = key
			}
		}
	}
	c := d.chat(where)
	switch {
	case joined.stated():
		users := 0
		for user := range joined.elements {
			d.telegramJoin(&c, user, date, 1, "new_chat_members")
			users++
		}
		if joined.object() {
			d.telegramJoin(&c, joined, date, 1, "new_chat_member")
			users++
		}
		if users > 0 {
			return
		}
	case left.object():
		d.telegramJoin(&c, left, date, -1, "left_chat_member")
		return
	}
	it := d.blank(stream.Post)
	it.ID = c.item(number)
	it.PublishedAt, _ = moment(date)
	if !text.there() && !media {
		it.Kind = stream.Notice
		it.Note = orElse(service, "service message")
	}
	if c.id != "" {
		it.Thread = "telegram:" + c.id
	}
	it.URL = c.url(number)
	if c.kind != "private" {
		it.Wall = c.account()
	}
	d.telegramAuthor(&it, &c, from, sender)
	if it.AuthorName == "" {
		it.AuthorName = d.name(signature)
	}

	raw := d.text(text, MaxText)
	d.telegramEntities(&it, raw, entities)
	it.Text = raw
	if !text.there() {
		it.Text = d.text(poll.get("question"), MaxText)
	}

	d.telegramReply(&it, &c, reply, external)
	if root := c.item(thread); root != "" && root != it.ID {
		it.RootID = root
	}
	if it.Kind != stream.Notice {
		switch {
		case c.kind == "private" || strings.HasSuffix(what, "business_message"):
			it.Kind = stream.Message
		case origin.object() || forwardFrom.object() || forwardChat.object() || forwardName.quoted():
			it.Kind = stream.Repost
			d.telegramForward(&it, origin, forwardFrom, forwardChat, forwardMessage)
		case it.ParentID != "":
			it.Kind = stream.Comment
		}
		if strings.HasPrefix(what, "edited_") || edit.stated() {
			at, _ := moment(edit)
			edited(&it, at)
			if strings.HasPrefix(what, "edited_") && it.Kind != stream.Message {
				it.Kind = stream.Edit
				it.EditedAt = max(it.EditedAt, it.PublishedAt)
			}
		}
	}
	d.add(&it, date)
}

// telegramAuthor sets the author: the chat that a message is sent on behalf of (a channel, an anonymous administrator),
// else the user, else the channel itself.
func (d *Decoder) telegramAuthor(it *stream.Item, c *chat, from, sender value) {
	if sender.object() {
		s := d.chat(sender)
		it.Author, it.AuthorName, it.Community = s.account(), s.title, true
		return
	}
	if from.object() {
		it.Author, it.AuthorName, it.Bot = d.telegramUser(from)
		return
	}
	if c.kind == "channel" {
		it.Author, it.AuthorName, it.Community = c.account(), c.title, true
	}
}

// telegramReply sets what a message answers: a message of the same chat, which comes along, or one of another.
func (d *Decoder) telegramReply(it *stream.Item, c *chat, reply, external value) {
	if reply.object() {
		var p stream.Item
		var from, sender value
		for key, m := range reply.members {
			switch key {
			case "message_id":
				it.ParentID = c.item(m)
			case "date":
				it.ParentAt, _ = moment(m)
			case "from":
				from = m
			case "sender_chat":
				sender = m
			case "forum_topic_created":
				it.ParentID = "" // the head of a topic is no message that anybody wrote
			}
		}
		d.telegramAuthor(&p, c, from, sender)
		it.ParentAuthor = p.Author
		return
	}
	if external.object() {
		other := d.chat(external.get("chat"))
		it.ParentID = other.item(external.get("message_id"))
	}
}

// telegramForward sets the original of a forwarded message, from forward_origin (since version 7.0 of the API) or the
// members before it.
func (d *Decoder) telegramForward(it *stream.Item, origin, from, chatValue, message value) {
	if origin.object() {
		for key, m := range origin.members {
			switch key {
			case "sender_user":
				from = m
			case "chat", "sender_chat":
				chatValue = m
			case "message_id":
				message = m
			}
		}
	}
	switch {
	case chatValue.object():
		c := d.chat(chatValue)
		it.RepostAuthor = c.account()
		it.RepostOf = c.item(message)
	case from.object():
		it.RepostAuthor, _, _ = d.telegramUser(from)
	}
}

// telegramEntities notes the accounts that the text names: offsets and lengths count UTF-16 units.
func (d *Decoder) telegramEntities(it *stream.Item, text string, entities value) {
	for e := range entities.elements {
		var kind, offset, length, user value
		for key, m := range e.members {
			switch key {
			case "type":
				kind = m
			case "offset":
				offset = m
			case "length":
				length = m
			case "user":
				user = m
			}
		}
		switch {
		case kind.is("text_mention"):
			a, _, _ := d.telegramUser(user)
			mention(it, a)
		case kind.is("mention") && len(it.Mentions) < maxMentions:
			from, _ := offset.integer()
			n, _ := length.integer()
			mention(it, stream.Account{Name: strings.TrimPrefix(utf16Slice(text, from, n), "@")})
		}
	}
}

// utf16Slice returns n UTF-16 units of s from unit from on, or "" when s has no such place.
func utf16Slice(s string, from, n int64) string {
	if from < 0 || n <= 0 {
		return ""
	}
	var unit int64
	start := -1
	for i, r := range s {
		if unit == from {
			start = i
		}
		if unit == from+n && start >= 0 {
			return s[start:i]
		}
		unit += int64(max(1, utf16Len(r)))
	}
	if unit == from+n && start >= 0 {
		return s[start:]
	}
	return ""
}

func utf16Len(r rune) int {
	if r > 0xFFFF && r <= utf8.MaxRune {
		return 2
	}
	return 1
}

// url returns the public address of a message; private chats and small groups have none.
func (c *chat) url(message value) string {
	n := message.id()
	switch {
	case n == "" || c.kind == "private" || c.kind == "group":
		return ""
	case c.username != "":
		return "https://t.me/" + c.username + "/" + n
	}
	if internal, ok := strings.CutPrefix(c.id, "-100"); ok {
		return "https://t.me/c/" + internal + "/" + n
	}
	return ""
}

// telegramReaction adds a change of one user's reactions to one message.
func (d *Decoder) telegramReaction(v, update value) {
	it := d.blank(stream.Reaction)
	var before, after, date, number, user, actor, where value
	for key, m := range v.members {
		switch key {
		case "chat":
			where = m
		case "message_id":
			number = m
		case "user":
			user = m
		case "actor_chat":
			actor = m
		case "date":
			date = m
		case "old_reaction":
			before = m
		case "new_reaction":
			after = m
		}
	}
	c := d.chat(where)
	it.PublishedAt, _ = moment(date)
	it.ParentID = c.item(number)
	d.telegramAuthor(&it, &c, user, actor)
	it.Wall = c.account()
	it.Thread = "telegram:" + c.id
	it.ID = strings.Join([]string{"reaction", it.ParentID, orElse(it.Author.ID, update.id()), it.PublishedAt.String()}, ":")
	if it.Note = d.reactions(after); it.Note == "" {
		it.Note = strings.TrimSpace("remove " + d.reactions(before))
	}
	d.add(&it, date)
}

// reactions lists reactions: emoji, or the id of a custom one.
func (d *Decoder) reactions(v value) string {
	var all []string
	for r := range v.elements {
		all = append(all, d.name(oneOf(r.get("emoji"), r.get("custom_emoji_id"), r.get("type"))))
		if len(all) == 16 {
			break
		}
	}
	return strings.Join(all, " ")
}

// telegramReactionCount adds the state of the reactions to one message.
func (d *Decoder) telegramReactionCount(v value) {
	it := d.blank(stream.Statistics)
	c := d.chat(v.get("chat"))
	it.ID = c.item(v.get("message_id"))
	it.PublishedAt, _ = moment(v.get("date"))
	it.Wall = c.account()
	it.Thread = "telegram:" + c.id
	var total int64
	for r := range v.get("reactions").elements {
		total += r.get("total_count").count().Value()
	}
	it.Likes = stream.CountOf(total)
	d.add(&it, value{})
}

// telegramMember adds a join or a leave that follows from a change of a member's status.
func (d *Decoder) telegramMember(v value) {
	before, after := v.get("old_chat_member"), v.get("new_chat_member")
	was, is := member(before), member(after)
	c := d.chat(v.get("chat"))
	switch {
	case !was && is:
		d.telegramJoin(&c, after.get("user"), v.get("date"), 1, "chat_member")
	case was && !is:
		d.telegramJoin(&c, after.get("user"), v.get("date"), -1, "chat_member")
	default:
		d.note(stream.Other, "chat_member")
	}
}

// member reports whether a status means being in the chat.
func member(v value) bool {
	switch s := v.get("status"); s.inner() {
	case "creator", "administrator", "member":
		return true
	case "restricted":
		return v.get("is_member").yes()
	}
	return false
}

// telegramJoin adds a join or a leave. The same one may be told twice, as a service message and as an update of the
// member: both give the same id.
func (d *Decoder) telegramJoin(c *chat, user, date value, joined int32, what string) {
	it := d.blank(stream.Membership)
	it.PublishedAt, _ = moment(date)
	it.Author, it.AuthorName, it.Bot = d.telegramUser(user)
	it.Wall = c.account()
	it.Joined = joined
	it.Note = what
	word := "join"
	if joined < 0 {
		word = "leave"
	}
	it.ID = strings.Join([]string{word, c.id, it.Author.ID, it.PublishedAt.String()}, ":")
	it.Thread = "telegram:" + c.id
	d.add(&it, date)
}
