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

// tweet holds the members of one status, v1.1 or v2, and of the stream messages that stand in its place, by field.
type tweet [tweetFields]value

// The fields of a tweet, and of its author.
const (
	_ uint8 = iota // what nobody reads
	theID
	theIDStr
	theCreatedAt
	theTimestampMS
	theText
	theFullText
	theExtended
	theNote
	theEntities
	theLang
	theUser
	theAuthor // v2: the id
	theReplyID
	theReplyIDStr
	theReplyUser
	theReplyUserStr
	theReplyTo
	theRetweeted
	theLikes
	theShares
	theReferenced // v2
	theMetrics
	theHistory
	theConversation
	theData // v2 envelope
	theIncludes
	theErrors
	theAction // v2 compliance
	theRedactedAt
	theBody // Gnip
	theActor
	thePostedTime
	theStatuses // REST search, site streams, problems
	theForUser
	theStatus
	theDetail
	theEvent
	theNotice // what makes it a stream message without a status
	theScreenName
	theName
	theFollowers
	tweetFields
)

// fieldsOfTwitter says which field a member is. Where several are one, the last one in the text counts.
var fieldsOfTwitter = map[string]uint8{
	"id": theID, "id_str": theIDStr, "created_at": theCreatedAt, "timestamp_ms": theTimestampMS,
	"text": theText, "full_text": theFullText, "extended_tweet": theExtended, "note_tweet": theNote, "entities": theEntities, "lang": theLang,
	"user": theUser, "author_id": theAuthor,
	"in_reply_to_status_id": theReplyID, "in_reply_to_status_id_str": theReplyIDStr,
	"in_reply_to_user_id": theReplyUser, "in_reply_to_user_id_str": theReplyUserStr, "in_reply_to_screen_name": theReplyTo,
	"retweeted_status": theRetweeted, "favorite_count": theLikes, "retweet_count": theShares,
	"referenced_tweets": theReferenced, "public_metrics": theMetrics, "edit_history_tweet_ids": theHistory, "conversation_id": theConversation,
	"data": theData, "includes": theIncludes, "errors": theErrors, "error": theErrors,
	"action": theAction, "redacted_at": theRedactedAt,
	"body": theBody, "actor": theActor, "postedTime": thePostedTime,
	"statuses": theStatuses, "results": theStatuses, "tweet_create_events": theStatuses, "message": theStatus, "tweet": theStatus,
	"for_user": theForUser, "for_user_str": theForUser, "for_user_id": theForUser, "detail": theDetail, "event": theEvent,
	"delete": theNotice, "limit": theNotice, "scrub_geo": theNotice, "status_withheld": theNotice, "user_withheld": theNotice,
	"disconnect": theNotice, "warning": theNotice, "friends": theNotice, "friends_str": theNotice, "direct_message": theNotice,
	"control": theNotice, "info": theNotice, "user_update": theNotice, "tweet_delete_events": theNotice, "favorite_events": theNotice,
	"follow_events": theNotice, "direct_message_events": theNotice,
	"screen_name": theScreenName, "name": theName, "followers_count": theFollowers,
}

// read notes where the members of a status, or of a message that stands in its place, are; nothing is decoded yet.
func (t *tweet) read(v value) {
	v.spread(t[:])
	t[0] = value{}
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
	case t[theData].stated():
		d.tweetsV2(&t)
	case t[theBody].there() || t[theActor].object() || t[thePostedTime].there():
		d.activity(v)
	case t[theAction].quoted() && (t[theID].there() || t[theIDStr].there()):
		d.compliance(&t)
	case t[theStatuses].array():
		n := len(d.items) + len(d.faults)
		for element := range t[theStatuses].elements {
			d.tweet(element)
		}
		if n == len(d.items)+len(d.faults) {
			d.note(stream.Other, "no statuses")
		}
	case t[theStatus].object() && t[theForUser].there():
		d.tweet(t[theStatus]) // a site stream wraps every message
	case t[theEvent].quoted():
		d.twitterEvent(v, &t)
	case t[theNotice].name() != "" && !t[theText].there() && !t[theFullText].there():
		d.twitterNotice(&t)
	case t[theErrors].filled(), t[theDetail].quoted():
		d.errorResponse(v)
	case t[theAuthor].there() || t[theHistory].there() || t[theReferenced].there():
		d.tweetV2(&t)
	case t[theID].there() || t[theIDStr].there() || t[theText].there() || t[theFullText].there():
		d.tweetV1(&t)
	case t[theIncludes].there():
		d.note(stream.Other, "includes only")
	}
}

// tweetV1 adds a v1.1 status.
func (d *Decoder) tweetV1(t *tweet) {
	it := d.blank(stream.Post)
	it.ID = id(t[theIDStr], t[theID])
	stated := oneOf(t[theTimestampMS], t[theCreatedAt])
	it.PublishedAt = tweetTime(it.ID, stated)
	d.tweetUser(&it, t[theUser])
	it.Lang = twitterLang(t[theLang])
	it.Likes, it.Shares = t[theLikes].count(), t[theShares].count()
	it.URL = d.tweetURL(it.Author.Name, it.ID)

	var addressed stream.Account
	if t[theRetweeted].object() {
		var o tweet
		o.read(t[theRetweeted])
		it.Kind = stream.Repost
		it.RepostOf = id(o[theIDStr], o[theID])
		it.RepostAuthor = d.v1Account(o[theUser])
		addressed = it.RepostAuthor
		d.tweetText(&it, &o)
	} else {
		d.tweetText(&it, t)
		it.ParentID = id(t[theReplyIDStr], t[theReplyID])
		it.ParentAuthor = stream.Account{ID: id(t[theReplyUserStr], t[theReplyUser]), Name: d.name(t[theReplyTo])}
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
	text, entities := oneOf(t[theFullText], t[theText]), t[theEntities]
	if t[theExtended].object() {
		for key, m := range t[theExtended].members {
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
	for field, m := range v.fields {
		switch field {
		case theID:
			number = m
		case theIDStr:
			str = m
		case theScreenName:
			name = m
		}
		if str.stated() && name.there() {
			break // what follows is longer than what has been read
		}
	}
	return stream.Account{ID: id(str, number), Name: d.name(name)}
}

// tweetUser reads the author of a v1.1 status.
func (d *Decoder) tweetUser(it *stream.Item, v value) {
	var number, str value
	for field, m := range v.fields {
		switch field {
		case theID:
			number = m
		case theIDStr:
			str = m
		case theScreenName:
			it.Author.Name = d.name(m)
		case theName:
			it.AuthorName = d.name(m)
		case theFollowers:
			it.Followers = m.count()
		}
		if str.stated() && it.Author.Name != "" && it.AuthorName != "" && it.Followers.Known() {
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
	switch t[theNotice].name() {
	case "delete":
		d.tweetDelete(t[theNotice], t[theTimestampMS])
	case "tweet_delete_events":
		for element := range t[theNotice].elements {
			d.tweetDelete(element, value{})
		}
	case "direct_message":
		d.directMessage(t[theNotice])
	case "favorite_events":
		for element := range t[theNotice].elements {
			var status tweet
			status.read(element.get("favorited_status"))
			it := d.blank(stream.Reaction)
			it.ID = element.get("id").id()
			it.ParentID = id(status[theIDStr], status[theID])
			d.tweetUser(&it, element.get("user"))
			it.PublishedAt, _ = moment(oneOf(element.get("timestamp_ms"), element.get("created_at")))
			it.Note = "favorite"
			d.add(&it, value{})
		}
	default:
		d.note(stream.Notice, t[theNotice].name())
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
	it.ID = id(t[theIDStr], t[theID])
	it.PublishedAt = tweetTime(it.ID, t[theCreatedAt])
	d.tweetUser(&it, v.get("sender"))
	it.ParentAuthor = d.v1Account(v.get("recipient"))
	it.Text = fewEntities(d.text(t[theText], MaxText))
	d.pair(&it, it.ParentAuthor)
	d.add(&it, t[theCreatedAt])
}

// twitterEvent adds an event of the user stream: {"event":"follow","source":…,"target":…,"target_object":…}.
func (d *Decoder) twitterEvent(v value, t *tweet) {
	what := d.name(t[theEvent])
	it := d.blank(stream.Other)
	it.Note = what
	it.PublishedAt, _ = moment(t[theCreatedAt])
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
