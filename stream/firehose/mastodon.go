package firehose

import (
	"strings"

	"otklik/stream"
)

// Mastodon: messages of the streaming API over a WebSocket ({"stream","event","payload"}, the payload being a string that
// holds JSON) or as server-sent events, and statuses of the REST API. Ids are those of the server that streams.
// There is no conversation id, so the thread is the pair of accounts. Statuses for followers only, and direct ones,
// are not public and become messages.

func (d *Decoder) mastodon(record value) {
	if record.array() {
		for element := range record.elements {
			d.mastodonObject(element, "")
		}
		return
	}
	var event, payload, fault value
	for key, m := range record.members {
		switch key {
		case "event":
			event = m
		case "payload":
			payload = m
		case "error":
			fault = m
		}
	}
	switch {
	case event.quoted():
		d.mastodonEvent(d.name(event), payload)
	case fault.stated():
		d.errorResponse(record)
	default:
		d.mastodonObject(record, "")
	}
}

// eventStream reports whether a record is a line or a block of server-sent events.
func eventStream(s string) bool {
	for _, field := range [...]string{"event:", "data:", "id:", "retry:", ":"} {
		if strings.HasPrefix(s, field) {
			return true
		}
	}
	return false
}

// mastodonEventStream adds the events of a text/event-stream: lines "event: …" and "data: …" up to an empty line, and
// comments such as ":thump". Where a line stands alone, the data itself tells an event by its shape.
func (d *Decoder) mastodonEventStream(s string) {
	n := len(d.items) + len(d.faults)
	var event, data, alone string
	var lines []byte // the data, once it has several lines
	flush := func() {
		if lines != nil {
			data = borrow(lines)
		}
		if data != "" {
			d.mastodonData(event, data)
		} else if event != "" {
			alone = event
		}
		event, data, lines = "", "", nil
	}
	for line := range strings.Lines(s) {
		line = strings.TrimRight(line, "\r\n")
		field, rest, _ := strings.Cut(line, ":")
		rest = strings.TrimPrefix(rest, " ")
		switch {
		case line == "":
			flush()
		case field == "event":
			event = rest
		case field == "data" && data == "":
			data = rest
		case field == "data":
			if lines == nil {
				lines = append(lines, data...)
			}
			lines = append(append(lines, '\n'), rest...)
		case field == "":
			alone = "heartbeat"
		}
	}
	flush()
	if n == len(d.items)+len(d.faults) {
		d.note(stream.Notice, orElse(clean(alone), "event stream"))
	}
}

// mastodonData adds one server-sent event; event is "" when only its data line is known.
func (d *Decoder) mastodonData(event, data string) {
	event = clean(cut(event, maxName))
	data = strings.TrimSpace(data)
	if data == "undefined" || event == "filters_changed" || strings.HasPrefix(event, "announcement") {
		d.note(stream.Notice, orElse(event, "undefined"))
		return
	}
	v, fault := d.document.parse(data)
	if fault != nil {
		d.faults = append(d.faults, fault)
		return
	}
	if v.number() && event == "" {
		// The data of "delete" is a bare status id, that of "announcement.delete" a small number.
		event = "announcement.delete"
		if len(v.raw()) > 9 {
			event = "delete"
		}
	}
	d.mastodonEvent(event, v)
}

// mastodonEvent adds one event of the streaming API.
func (d *Decoder) mastodonEvent(event string, payload value) {
	if event == "delete" {
		it := d.blank(stream.Delete)
		it.ID = payload.id()
		it.Note = "delete"
		d.add(&it, value{})
		return
	}
	switch event {
	case "update", "status.update", "notification", "conversation", "":
	default:
		d.note(stream.Notice, event)
		return
	}
	if payload.quoted() {
		// JSON in a string: it is resolved into memory of its own and checked like a record.
		inner, fault := d.payload.parse(clean(payload.inner()))
		if fault != nil {
			fault.Detail = "in the payload: " + fault.Detail
			d.faults = append(d.faults, fault)
			return
		}
		payload = inner
	}
	if !payload.object() {
		d.rejectf("unknown_shape", "the payload of %s is no object: %s", orElse(event, "an event"), glimpse(payload.raw()))
		return
	}
	d.mastodonObject(payload, event)
}

// mastodonObject adds a status, a notification or a conversation, told by the event or by its members.
func (d *Decoder) mastodonObject(v value, event string) {
	var kind, status, last, content, account, number value
	for key, m := range v.members {
		switch key {
		case "type":
			kind = m
		case "status":
			status = m
		case "last_status":
			last = m
		case "content":
			content = m
		case "account":
			account = m
		case "id":
			number = m
		}
	}
	switch {
	case last.object():
		d.mastodonStatus(last, event)
	case event == "conversation" || last.there():
		d.note(stream.Notice, "conversation")
	case kind.quoted() && !content.there() && account.object():
		d.mastodonNotification(v, d.name(kind), number, account, status)
	case content.there() && account.object():
		d.mastodonStatus(v, event)
	case content.there() && !number.there():
		d.note(stream.Other, "status edit") // a StatusEdit names no status
	case event != "":
		d.note(stream.Notice, event)
	case content.there() && number.there():
		d.note(stream.Notice, "announcement")
	case v.get("announcement_id").there():
		d.note(stream.Notice, "announcement.reaction")
	}
}

// mastodonNotification adds what a notification tells: a status that names or edits, a reaction, a new follower.
func (d *Decoder) mastodonNotification(v value, kind string, number, account, status value) {
	switch kind {
	case "mention", "status":
		if status.object() {
			d.mastodonStatus(status, "update")
			return
		}
	case "update":
		if status.object() {
			d.mastodonStatus(status, "status.update")
			return
		}
	case "favourite", "reblog", "reaction", "emoji_reaction":
		it := d.blank(stream.Reaction)
		it.ID = "notification:" + number.id()
		it.PublishedAt, _ = moment(v.get("created_at"))
		d.mastodonAccount(&it, account)
		it.ParentID = status.get("id").id()
		it.Note = kind
		d.add(&it, value{})
		return
	case "follow":
		it := d.blank(stream.Membership)
		it.ID = "notification:" + number.id()
		it.PublishedAt, _ = moment(v.get("created_at"))
		d.mastodonAccount(&it, account)
		it.Joined = 1
		it.Note = kind
		d.add(&it, value{})
		return
	}
	d.note(stream.Notice, "notification "+kind)
}

// mastodonAccount sets the author.
func (d *Decoder) mastodonAccount(it *stream.Item, v value) {
	for key, m := range v.members {
		switch key {
		case "id":
			it.Author.ID = m.id()
		case "acct":
			it.Author.Name = d.handle(m)
		case "display_name":
			it.AuthorName = d.name(m)
		case "followers_count":
			it.Followers = m.count()
		case "bot":
			it.Bot = m.yes()
		case "group":
			it.Community = m.yes()
		}
	}
}

// status holds the members of a Mastodon status.
type status struct {
	id, created, edited, replyID, replyAccount, spoiler, content, visibility, language value
	url, uri, account, reblog, mentions, likes, shares                                 value
}

func (s *status) read(v value) {
	for key, m := range v.members {
		switch key {
		case "id":
			s.id = m
		case "created_at":
			s.created = m
		case "edited_at":
			s.edited = m
		case "in_reply_to_id":
			s.replyID = m
		case "in_reply_to_account_id":
			s.replyAccount = m
		case "spoiler_text":
			s.spoiler = m
		case "content":
			s.content = m
		case "visibility":
			s.visibility = m
		case "language":
			s.language = m
		case "url":
			s.url = m
		case "uri":
			s.uri = m
		case "account":
			s.account = m
		case "reblog":
			s.reblog = m
		case "mentions":
			s.mentions = m
		case "favourites_count":
			s.likes = m
		case "reblogs_count":
			s.shares = m
		}
	}
}

// mastodonStatus adds a status.
func (d *Decoder) mastodonStatus(v value, event string) {
	var s status
	s.read(v)
	it := d.blank(stream.Post)
	it.ID = s.id.id()
	it.PublishedAt, _ = moment(s.created)
	d.mastodonAccount(&it, s.account)
	it.Lang = s.language.id()
	it.Likes, it.Shares = s.likes.count(), s.shares.count()
	it.URL = d.name(oneOf(s.url, s.uri))
	var addressed stream.Account
	content := &s
	if s.reblog.object() {
		var o status
		o.read(s.reblog)
		it.Kind = stream.Repost
		it.RepostOf = o.id.id()
		var author stream.Item
		d.mastodonAccount(&author, o.account)
		it.RepostAuthor = author.Author
		addressed = it.RepostAuthor
		it.Lang = orElse(it.Lang, o.language.id())
		content = &o
	}
	it.Text = joinText(d.text(content.spoiler, MaxText), d.htmlText(content.content))
	for m := range content.mentions.elements {
		var a stream.Account
		for key, m := range m.members {
			switch key {
			case "id":
				a.ID = m.id()
			case "acct":
				a.Name = d.handle(m)
			}
		}
		mention(&it, a)
	}
	if it.Kind != stream.Repost && s.replyID.stated() {
		it.Kind = stream.Comment
		it.ParentID = s.replyID.id()
		it.ParentAt = parentTime(&it, mastodonSnowflake(it.ParentID))
		it.ParentAuthor.ID = s.replyAccount.id()
		for _, m := range it.Mentions {
			if m.ID == it.ParentAuthor.ID && m.ID != "" {
				it.ParentAuthor = m
			}
		}
		if it.ParentAuthor.ID == it.Author.ID {
			it.ParentAuthor = it.Author
		}
		addressed = it.ParentAuthor
	}
	d.pair(&it, addressed)
	if s.visibility.is("direct") || s.visibility.is("private") {
		it.Kind = stream.Message
		it.Note = s.visibility.inner()
	}
	at, _ := moment(s.edited)
	edited(&it, at)
	if event == "status.update" && it.Kind != stream.Message && it.EditedAt == 0 {
		// The event says "edited", the status does not say when: the arrival is the version.
		it.Kind = stream.Edit
		it.EditedAt = max(d.arrived, it.PublishedAt)
	}
	d.add(&it, s.created)
}
