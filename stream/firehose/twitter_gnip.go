package firehose

import (
	"strings"

	"otklik/stream"
)

// activity adds a tweet in the form of an activity stream, as Gnip and the enterprise APIs wrote it: body, actor,
// verb ("post", "share" for a retweet, "delete"), object, postedTime.
func (d *Decoder) activity(v value) {
	var a activity
	a.read(v)
	it := d.blank(stream.Post)
	it.ID = lastSegment(a.id)
	it.PublishedAt = tweetTime(it.ID, a.postedTime)
	if a.verb.is("delete") {
		it.Kind = stream.Delete
		it.Note = "delete"
		if object := a.object.get("id"); object.stated() {
			it.ID = lastSegment(object)
		}
		d.add(&it, value{})
		return
	}
	for key, m := range a.actor.members {
		switch key {
		case "id":
			it.Author.ID = lastSegment(m)
		case "preferredUsername":
			it.Author.Name = d.name(m)
		case "displayName":
			it.AuthorName = d.name(m)
		case "followersCount":
			it.Followers = m.count()
		}
	}
	it.URL = d.tweetURL(it.Author.Name, it.ID)
	it.Lang = twitterLang(a.lang)
	it.Likes, it.Shares = a.likes.count(), a.shares.count()
	var addressed stream.Account
	if a.verb.is("share") {
		var o activity
		o.read(a.object)
		it.Kind = stream.Repost
		it.RepostOf = lastSegment(o.id)
		it.RepostAuthor = stream.Account{ID: lastSegment(o.actor.get("id")), Name: d.name(o.actor.get("preferredUsername"))}
		addressed = it.RepostAuthor
		d.activityText(&it, &o)
	} else {
		d.activityText(&it, &a)
		// inReplyTo is an address: http://twitter.com/NAME/statuses/ID.
		if link := a.reply.get("link"); link.quoted() {
			parts := strings.Split(strings.TrimRight(d.name(link), "/"), "/")
			it.Kind = stream.Comment
			it.ParentID = parts[len(parts)-1]
			it.ParentAt = parentTime(&it, snowflake(it.ParentID))
			if len(parts) >= 3 {
				it.ParentAuthor.Name = parts[len(parts)-3]
			}
			for _, m := range it.Mentions {
				if strings.EqualFold(m.Name, it.ParentAuthor.Name) {
					it.ParentAuthor = m
				}
			}
			addressed = it.ParentAuthor
		}
	}
	d.pair(&it, addressed)
	d.add(&it, a.postedTime)
}

// activity holds the members of one activity.
type activity struct {
	id, verb, postedTime, body, long, actor, object, entities, lang, likes, shares, reply value
}

func (a *activity) read(v value) {
	for key, m := range v.members {
		switch key {
		case "id":
			a.id = m
		case "verb":
			a.verb = m
		case "postedTime":
			a.postedTime = m
		case "body":
			a.body = m
		case "long_object":
			a.long = m
		case "actor":
			a.actor = m
		case "object":
			a.object = m
		case "twitter_entities":
			a.entities = m
		case "twitter_lang":
			a.lang = m
		case "favoritesCount":
			a.likes = m
		case "retweetCount":
			a.shares = m
		case "inReplyTo":
			a.reply = m
		}
	}
}

// activityText reads the whole text of an activity and the accounts it names.
func (d *Decoder) activityText(it *stream.Item, a *activity) {
	text, entities := a.body, a.entities
	for key, m := range a.long.members {
		switch key {
		case "body":
			text = m
		case "twitter_entities":
			entities = m
		}
	}
	it.Text = fewEntities(d.text(text, MaxText))
	for m := range entities.get("user_mentions").elements {
		mention(it, d.v1Account(m))
	}
}

// lastSegment returns what follows the last colon of an id: "tag:search.twitter.com,2005:123" names 123.
func lastSegment(v value) string {
	s := v.id()
	return s[strings.LastIndexByte(s, ':')+1:]
}
