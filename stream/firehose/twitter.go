package firehose

import (
	"strings"

	"otklik/stream"
)

// Twitter, in its three shapes: v1.1 statuses and stream messages (https://developer.x.com, "Tweet object"), v2 objects
// with their includes, and Gnip's activity streams (twitter_gnip.go).
//
// PublishedAt: v1.1 streams state milliseconds (timestamp_ms), REST and v2 only whole seconds; the id carries the
// milliseconds. So that every feed gives one tweet the same time, the time in the id is taken whenever it lies within
// one second of the stated one, and when none is stated (v2 without tweet.fields).

// tweet holds the members of one status, v1.1 or v2, and of the stream messages that stand in its place.
type tweet struct {
	id, idStr, createdAt, timestampMS value

	text, fullText, extended, note value
	entities, lang                 value

	user, author                      value // v1.1: the object; v2: the id
	replyID, replyIDStr               value
	replyUser, replyUserStr, replyTo  value
	retweeted                         value
	likes, shares                     value
	referenced, metrics, history      value // v2
	conversation                      value // v2
	data, includes, errors            value // v2 envelope
	action, redactedAt                value // v2 compliance
	body, actor, postedTime           value // Gnip
	statuses, forUser, status, detail value // REST search, site streams, problems
	event, notice                     value
	noticeName                        string // member that makes it a stream message without a status
}

// read notes where the members of a status, or of a message that stands in its place, are; nothing is decoded yet.
func (t *tweet) read(v value) {
	for key, m := range v.members {
		switch key {
		case "id":
			t.id = m
		case "id_str":
			t.idStr = m
		case "created_at":
			t.createdAt = m
		case "timestamp_ms":
			t.timestampMS = m
		case "text":
			t.text = m
		case "full_text":
			t.fullText = m
		case "extended_tweet":
			t.extended = m
		case "note_tweet":
			t.note = m
		case "entities":
			t.entities = m
		case "lang":
			t.lang = m
		case "user":
			t.user = m
		case "author_id":
			t.author = m
		case "in_reply_to_status_id":
			t.replyID = m
		case "in_reply_to_status_id_str":
			t.replyIDStr = m
		case "in_reply_to_user_id":
			t.replyUser = m
		case "in_reply_to_user_id_str":
			t.replyUserStr = m
		case "in_reply_to_screen_name":
			t.replyTo = m
		case "retweeted_status":
			t.retweeted = m
		case "favorite_count":
			t.likes = m
		case "retweet_count":
			t.shares = m
		case "referenced_tweets":
			t.referenced = m
		case "public_metrics":
			t.metrics = m
		case "edit_history_tweet_ids":
			t.history = m
		case "conversation_id":
			t.conversation = m
		case "data":
			t.data = m
		case "includes":
			t.includes = m
		case "errors", "error":
			t.errors = m
		case "action":
			t.action = m
		case "redacted_at":
			t.redactedAt = m
		case "body":
			t.body = m
		case "actor":
			t.actor = m
		case "postedTime":
			t.postedTime = m
		case "statuses", "results", "tweet_create_events":
			t.statuses = m
		case "message", "tweet":
			t.status = m
		case "for_user", "for_user_str", "for_user_id":
			t.forUser = m
		case "detail":
			t.detail = m
		case "event":
			t.event = m
		case "delete", "limit", "scrub_geo", "status_withheld", "user_withheld", "disconnect", "warning", "friends", "friends_str",
			"direct_message", "control", "info", "user_update", "tweet_delete_events", "favorite_events", "follow_events",
			"direct_message_events":
			t.notice, t.noticeName = m, key
		}
	}
}

func (d *Decoder) twitter(record value) {
	if record.array() {
		for element := range record.elements {
			d.tweet(element)
		}
		return
	}
	d.tweet(record)
}

func (d *Decoder) tweet(v value) {
	var t tweet
	t.read(v)
	switch {
	case t.data.stated():
		d.tweetsV2(&t)
	case t.body.there() || t.actor.object() || t.postedTime.there():
		d.activity(v)
	case t.action.quoted() && (t.id.there() || t.idStr.there()):
		d.compliance(&t)
	case t.statuses.array():
		n := len(d.items) + len(d.faults)
		for element := range t.statuses.elements {
			d.tweet(element)
		}
		if n == len(d.items)+len(d.faults) {
			d.note(stream.Other, "no statuses")
		}
	case t.status.object() && t.forUser.there():
		d.tweet(t.status) // a site stream wraps every message
	case t.event.quoted():
		d.twitterEvent(v, &t)
	case t.noticeName != "" && !t.text.there() && !t.fullText.there():
		d.twitterNotice(&t)
	case t.errors.filled(), t.detail.quoted():
		d.errorResponse(v)
	case t.author.there() || t.history.there() || t.referenced.there():
		d.tweetV2(&t)
	case t.id.there() || t.idStr.there() || t.text.there() || t.fullText.there():
		d.tweetV1(&t)
	case t.includes.there():
		d.note(stream.Other, "includes only")
	}
}

// tweetV1 adds a v1.1 status.
func (d *Decoder) tweetV1(t *tweet) {
	it := d.blank(stream.Post)
	it.ID = id(t.idStr, t.id)
	stated := oneOf(t.timestampMS, t.createdAt)
	it.PublishedAt = tweetTime(it.ID, stated)
	d.tweetUser(&it, t.user)
	it.Lang = twitterLang(t.lang)
	it.Likes, it.Shares = t.likes.count(), t.shares.count()
	it.URL = d.tweetURL(it.Author.Name, it.ID)

	var addressed stream.Account
	if t.retweeted.object() {
		var o tweet
		o.read(t.retweeted)
		it.Kind = stream.Repost
		it.RepostOf = id(o.idStr, o.id)
		it.RepostAuthor = d.v1Account(o.user)
		addressed = it.RepostAuthor
		d.tweetText(&it, &o)
	} else {
		d.tweetText(&it, t)
		it.ParentID = id(t.replyIDStr, t.replyID)
		it.ParentAuthor = stream.Account{ID: id(t.replyUserStr, t.replyUser), Name: d.name(t.replyTo)}
		addressed = it.ParentAuthor
		if it.ParentID != "" {
			it.Kind = stream.Comment
			it.ParentAt = parentTime(&it, snowflake(it.ParentID))
		}
	}
	d.pair(&it, addressed)
	d.add(&it, stated)
}

// tweetText reads the whole text of a v1.1 status and the accounts it names.
func (d *Decoder) tweetText(it *stream.Item, t *tweet) {
	text, entities := oneOf(t.fullText, t.text), t.entities
	if t.extended.object() {
		for key, m := range t.extended.members {
			switch key {
			case "full_text":
				text = m
			case "entities":
				entities = m
			}
		}
	}
	it.Text = fewEntities(d.text(text, MaxText))
	for m := range entities.get("user_mentions").elements {
		mention(it, d.v1Account(m))
	}
}

// v1Account reads id and screen name of a v1.1 user or user mention.
func (d *Decoder) v1Account(v value) stream.Account {
	var number, str, name value
	for key, m := range v.members {
		switch key {
		case "id":
			number = m
		case "id_str":
			str = m
		case "screen_name":
			name = m
		}
		if str.there() && name.there() {
			break // what follows is longer than what has been read
		}
	}
	return stream.Account{ID: id(str, number), Name: d.name(name)}
}

// tweetUser reads the author of a v1.1 status.
func (d *Decoder) tweetUser(it *stream.Item, v value) {
	var number, str value
	for key, m := range v.members {
		switch key {
		case "id":
			number = m
		case "id_str":
			str = m
		case "screen_name":
			it.Author.Name = d.name(m)
		case "name":
			it.AuthorName = d.name(m)
		case "followers_count":
			it.Followers = m.count()
		}
		if str.there() && it.Author.Name != "" && it.AuthorName != "" && it.Followers.Known() {
			break // what follows is longer than what has been read: links, colours, images
		}
	}
	it.Author.ID = id(str, number)
}

// tweetTime applies the rule at the head of this file.
func tweetTime(id string, stated value) stream.Time {
	own := snowflake(id)
	if !stated.stated() {
		return own
	}
	at, ok := moment(stated)
	if !ok {
		return 0
	}
	if own != 0 && own > at-stream.Second && own < at+stream.Second {
		return own
	}
	return at
}

// parentTime returns the time that the id of a parent carries, unless it is later than its answer and so no time.
func parentTime(it *stream.Item, at stream.Time) stream.Time {
	if it.PublishedAt != 0 && at > it.PublishedAt+maxClockSkew {
		return 0
	}
	return at
}

// twitterLang returns the language, or "" for Twitter's words for "none": und, zxx, and the private-use codes
// qaa to qtz ("qst": too short, "qme": media only, …).
func twitterLang(v value) string {
	s := v.inner()
	if s == "" || s == "und" || s == "zxx" || len(s) == 3 && s[0] == 'q' || len(s) > 35 {
		return ""
	}
	return v.id()
}

func (d *Decoder) tweetURL(name, id string) string {
	switch {
	case id == "":
		return ""
	case name == "":
		return d.scratch.join("https://twitter.com/i/web/status/", id)
	}
	return d.scratch.join("https://twitter.com/", name, "/status/", id)
}

// twitterNotice adds a stream message without a status.
func (d *Decoder) twitterNotice(t *tweet) {
	switch t.noticeName {
	case "delete":
		d.tweetDelete(t.notice, t.timestampMS)
	case "tweet_delete_events":
		for element := range t.notice.elements {
			d.tweetDelete(element, value{})
		}
	case "direct_message":
		d.directMessage(t.notice)
	case "favorite_events":
		for element := range t.notice.elements {
			var status tweet
			status.read(element.get("favorited_status"))
			it := d.blank(stream.Reaction)
			it.ID = element.get("id").id()
			it.ParentID = id(status.idStr, status.id)
			d.tweetUser(&it, element.get("user"))
			it.PublishedAt, _ = moment(oneOf(element.get("timestamp_ms"), element.get("created_at")))
			it.Note = "favorite"
			d.add(&it, value{})
		}
	default:
		d.note(stream.Notice, t.noticeName)
	}
}

// tweetDelete adds a delete notice: {"status":{…},"timestamp_ms":…}, or {"tweet":{…},"event_at":…} in v2.
func (d *Decoder) tweetDelete(v, at value) {
	it := d.blank(stream.Delete)
	for key, m := range v.members {
		switch key {
		case "status", "tweet":
			it.ID = id(m.get("id_str"), m.get("id"))
			it.Author.ID = id(m.get("user_id_str"), m.get("user_id"), m.get("author_id"))
		case "timestamp_ms", "event_at":
			at = m
		}
	}
	it.PublishedAt, _ = moment(at)
	it.Note = "delete"
	d.add(&it, value{})
}

func (d *Decoder) directMessage(v value) {
	it := d.blank(stream.Message)
	var t tweet
	t.read(v)
	it.ID = id(t.idStr, t.id)
	it.PublishedAt = tweetTime(it.ID, t.createdAt)
	d.tweetUser(&it, v.get("sender"))
	it.ParentAuthor = d.v1Account(v.get("recipient"))
	it.Text = fewEntities(d.text(t.text, MaxText))
	d.pair(&it, it.ParentAuthor)
	d.add(&it, t.createdAt)
}

// twitterEvent adds an event of the user stream: {"event":"follow","source":…,"target":…,"target_object":…}.
func (d *Decoder) twitterEvent(v value, t *tweet) {
	what := d.name(t.event)
	it := d.blank(stream.Other)
	it.Note = what
	it.PublishedAt, _ = moment(t.createdAt)
	d.tweetUser(&it, v.get("source"))
	target := d.v1Account(v.get("target"))
	switch what {
	case "favorite", "unfavorite", "favorited_retweet", "retweeted_retweet", "quoted_tweet":
		it.Kind = stream.Reaction
		object := v.get("target_object")
		it.ParentID = id(object.get("id_str"), object.get("id"))
		it.ParentAuthor = target
		if what == "unfavorite" {
			it.Note = "remove favorite"
		}
	case "follow", "unfollow":
		it.Kind = stream.Membership
		it.Wall = target
		it.Joined = 1
		if what == "unfollow" {
			it.Joined = -1
		}
	}
	if it.Kind != stream.Other {
		it.ID = strings.Join([]string{what, it.Author.ID, target.ID, it.ParentID, it.PublishedAt.String()}, ":")
	}
	d.add(&it, value{})
}
