package firehose

import (
	"otklik/stream"
)

// twitterIncludes holds the objects that a v2 response ships beside its tweets, by id, and the users also by name.
type twitterIncludes struct {
	users, names map[string]userV2
	tweets       map[string]includedTweet
}

// userV2 is what is read of a user. It is found once: a user may have many members and many tweets.
type userV2 struct{ id, username, name, followers value }

// includedTweet is a tweet beside those of the record. Its members are found once, when the first of them refers to it.
type includedTweet struct {
	value value
	read  *tweet // nil: not yet
}

// tweet returns the included tweet with the id; nil if there is none.
func (n *twitterIncludes) tweet(id string) *tweet {
	t, ok := n.tweets[id]
	if ok && t.read == nil {
		t.read = new(tweet)
		t.read.read(t.value)
		n.tweets[id] = t
	}
	return t.read
}

func (n *twitterIncludes) reset() {
	clear(n.users)
	clear(n.names)
	clear(n.tweets)
}

func (n *twitterIncludes) read(v value) {
	if !v.object() {
		return
	}
	if n.users == nil {
		n.users, n.names, n.tweets = map[string]userV2{}, map[string]userV2{}, map[string]includedTweet{}
	}
	for key, list := range v.members {
		switch key {
		case "users":
			for user := range list.elements {
				var u userV2
				for key, m := range user.members {
					switch key {
					case "id":
						u.id = m
					case "username":
						u.username = m
					case "name":
						u.name = m
					case "public_metrics":
						u.followers = m.get("followers_count")
					}
				}
				n.users[u.id.inner()], n.names[u.username.inner()] = u, u
			}
		case "tweets":
			for t := range list.elements {
				n.tweets[t.get("id").inner()] = includedTweet{value: t}
			}
		}
	}
}

// tweetsV2 adds what a v2 response holds: one tweet (streams), several (searches), or a compliance event.
func (d *Decoder) tweetsV2(envelope *tweet) {
	d.includes.read(envelope[theIncludes])
	if envelope[theData].array() {
		n := len(d.items) + len(d.faults)
		for element := range envelope[theData].elements {
			var t tweet
			t.read(element)
			d.anyV2(&t)
		}
		if n == len(d.items)+len(d.faults) {
			d.note(stream.Other, "no tweets")
		}
		return
	}
	var t tweet
	t.read(envelope[theData])
	d.anyV2(&t)
}

func (d *Decoder) anyV2(t *tweet) {
	switch {
	case t[theNotice].name() == "delete":
		d.tweetDelete(t[theNotice], value{})
	case t[theNotice].name() != "" && !t[theID].there():
		d.note(stream.Notice, t[theNotice].name())
	case t[theAction].quoted():
		d.compliance(t)
	case !t[theID].there() && !t[theText].there():
		d.note(stream.Other, "v2 object")
	default:
		d.tweetV2(t)
	}
}

// tweetV2 adds a v2 tweet; its users and the tweets it refers to are looked up in the includes.
func (d *Decoder) tweetV2(t *tweet) {
	it := d.blank(stream.Post)
	it.ID = t[theID].id()
	it.PublishedAt = tweetTime(it.ID, t[theCreatedAt])
	it.Author.ID = t[theAuthor].id()
	if user, ok := d.includes.users[it.Author.ID]; ok && it.Author.ID != "" {
		it.Author.Name, it.AuthorName, it.Followers = d.name(user.username), d.name(user.name), user.followers.count()
	}
	it.URL = d.tweetURL(it.Author.Name, it.ID)
	it.Lang = twitterLang(t[theLang])
	for key, m := range t[theMetrics].members {
		switch key {
		case "like_count":
			it.Likes = m.count()
		case "retweet_count":
			it.Shares = m.count()
		case "impression_count":
			it.Views = m.count()
		}
	}
	var addressed stream.Account
	source := t
	for ref := range t[theReferenced].elements {
		refID := ref.get("id")
		switch kind := ref.get("type"); {
		case kind.is("replied_to"):
			it.Kind = stream.Comment
			it.ParentID = refID.id()
			it.ParentAt = parentTime(&it, snowflake(it.ParentID))
		case kind.is("retweeted"):
			it.Kind = stream.Repost
			it.RepostOf = refID.id()
			if original := d.includes.tweet(refID.inner()); original != nil {
				source = original
				it.RepostAuthor = d.accountV2(original[theAuthor], value{})
			}
		}
	}
	if it.Kind == stream.Repost {
		// Without the original in the includes, its author is the first account that the outer "RT @…:" names.
		if it.RepostAuthor.ID == "" {
			first := t[theEntities].get("mentions").first()
			it.RepostAuthor = d.accountV2(first.get("id"), first.get("username"))
		}
		addressed = it.RepostAuthor
	} else {
		it.ParentAuthor = d.accountV2(t[theReplyUser], value{})
		addressed = it.ParentAuthor
	}
	text, entities := source[theText], source[theEntities]
	for key, m := range source[theNote].members {
		switch key {
		case "text":
			text = m
		case "entities":
			entities = m
		}
	}
	it.Text = fewEntities(d.text(text, MaxText))
	for m := range entities.get("mentions").elements {
		mention(&it, d.accountV2(m.get("id"), m.get("username")))
	}
	if it.ParentAuthor.ID != "" && it.ParentAuthor.Name == "" {
		for _, m := range it.Mentions {
			if m.ID == it.ParentAuthor.ID {
				it.ParentAuthor.Name = m.Name
			}
		}
	}
	d.pair(&it, addressed)
	d.versionV2(&it, t[theHistory])
	if root := t[theConversation].id(); root != it.ID && root != it.OriginID {
		it.RootID = root
	}
	d.add(&it, t[theCreatedAt])
}

// versionV2 makes a tweet that is a later version of another an edit of that one: each version has an id of its own,
// and the history lists them, the first one first.
func (d *Decoder) versionV2(it *stream.Item, history value) {
	first := history.first().id()
	if first == "" || first == it.ID || it.ID == "" || it.PublishedAt == 0 {
		return // without a time of its own it is malformed, whatever the time of the first version
	}
	it.OriginID = first
	it.EditedAt = it.PublishedAt
	it.Kind = stream.Edit
	if at := snowflake(first); at != 0 {
		it.PublishedAt = at
	}
}

// accountV2 completes an account of which the id or the name is known from the includes.
func (d *Decoder) accountV2(number, name value) stream.Account {
	a := stream.Account{ID: number.id(), Name: d.name(name)}
	switch {
	case a.ID != "" && a.Name == "":
		a.Name = d.name(d.includes.users[a.ID].username)
	case a.ID == "" && a.Name != "":
		a.ID = d.includes.names[name.inner()].id.id()
	}
	return a
}

// compliance adds a record of the batch compliance API: {"id","action","created_at","redacted_at","reason"}. Only
// "delete" is known as an action on tweets.
func (d *Decoder) compliance(t *tweet) {
	if !t[theAction].is("delete") {
		d.note(stream.Notice, d.name(t[theAction]))
		return
	}
	it := d.blank(stream.Delete)
	it.ID = id(t[theIDStr], t[theID])
	it.PublishedAt, _ = moment(t[theRedactedAt]) // created_at is the tweet's
	it.Note = "delete"
	d.add(&it, value{})
}
