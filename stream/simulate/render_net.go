package simulate

import (
	"strconv"
	"strings"

	"otklik/stream"
)

// Bluesky Jetstream, Mastodon streaming, Reddit, LiveJournal and the generic format.

func blueskyCollection(k stream.Kind) string {
	switch k {
	case stream.Repost:
		return "app.bsky.feed.repost"
	case stream.Reaction:
		return "app.bsky.feed.like"
	default:
		return "app.bsky.feed.post"
	}
}

// blueskyKey returns the last part of the address of a record.
func blueskyKey(id string) string { return id[strings.LastIndexByte(id, '/')+1:] }

func appendCID(b []byte, id string) []byte {
	h := uint64(1)
	for i := range len(id) {
		h = mix(h ^ uint64(id[i]))
	}
	b = append(b, "bafyrei"...)
	for range 4 {
		h = mix(h)
		b = appendBase32(b, h, 13)
	}
	return b
}

// appendCommit appends the start of a Jetstream line up to the record.
func (s *Simulator) appendCommit(b []byte, p *post, operation string) []byte {
	key := blueskyKey(p.id)
	b = appendJetstream(b, p, int64(p.when())*1000+417)
	b = append(b, `,"kind":"commit","commit":{"rev":"`...)
	b = append(b, key...)
	b = append(b, `","operation":"`...)
	b = append(b, operation...)
	b = append(b, `","collection":"`...)
	b = append(b, blueskyCollection(p.kind)...)
	b = append(b, `","rkey":"`...)
	b = append(b, key...)
	return append(b, '"')
}

func appendRef(b []byte, p *post) []byte {
	b = append(b, `{"cid":"`...)
	b = appendCID(b, p.id)
	b = append(b, `","uri":"`...)
	b = append(b, p.id...)
	return append(b, `"}`...)
}

func (s *Simulator) bluesky(b []byte, p *post) []byte {
	b = s.appendCommit(b, p, "create")
	b = append(b, `,"record":{"$type":"`...)
	b = append(b, blueskyCollection(p.kind)...)
	b = append(b, `","createdAt":"`...)
	b = appendTime(b, p.at, layoutMillis)
	b = append(b, '"')
	if p.kind == stream.Repost {
		b = append(b, `,"subject":`...)
		b = appendRef(b, p.original)
	} else {
		if p.address != nil {
			b = append(b, `,"facets":[{"features":[{"$type":"app.bsky.richtext.facet#mention","did":"`...)
			b = append(b, p.address.id...)
			b = append(b, `"}],"index":{"byteEnd":`...)
			b = appendInt(b, int64(len(p.address.handle)+1))
			b = append(b, `,"byteStart":0}}]`...)
		}
		b = append(b, `,"langs":[`...)
		b = appendString(b, p.lang)
		b = append(b, ']')
		if p.parent != nil {
			b = append(b, `,"reply":{"parent":`...)
			b = appendRef(b, p.parent)
			b = append(b, `,"root":`...)
			b = appendRef(b, p.first())
			b = append(b, '}')
		}
		b = append(b, `,"text":`...)
		b = appendString(b, p.text)
	}
	b = append(b, `},"cid":"`...)
	b = appendCID(b, p.id)
	return append(b, `"}}`...)
}

const mastodonServer = "social.example"

func (s *Simulator) mastodon(b []byte, p *post) []byte {
	event := "update"
	if p.kind == stream.Edit {
		event = "status.update"
	}
	b = append(b, `{"stream":["public"],"event":"`...)
	b = append(b, event...)
	b = append(b, `","payload":`...)
	payload := s.mastodonStatus(make([]byte, 0, 2048), p)
	b = appendString(b, string(payload))
	return append(b, '}')
}

func (s *Simulator) mastodonStatus(b []byte, p *post) []byte {
	b = append(b, `{"id":"`...)
	b = append(b, p.id...)
	b = append(b, `","created_at":"`...)
	b = appendTime(b, p.at, layoutMillis)
	if p.parent != nil {
		b = append(b, `","in_reply_to_id":"`...)
		b = append(b, p.parent.id...)
		b = append(b, `","in_reply_to_account_id":"`...)
		b = append(b, p.parent.author.id...)
		b = append(b, '"')
	} else {
		b = append(b, `","in_reply_to_id":null,"in_reply_to_account_id":null`...)
	}
	b = append(b, `,"sensitive":false,"spoiler_text":"","visibility":"public","language":`...)
	b = appendString(b, p.lang)
	b = append(b, `,"uri":"https://`+mastodonServer+`/users/`...)
	b = append(b, p.author.handle...)
	b = append(b, `/statuses/`...)
	b = append(b, p.id...)
	b = append(b, `","url":"https://`+mastodonServer+`/@`...)
	b = append(b, p.author.handle...)
	b = append(b, '/')
	b = append(b, p.id...)
	b = append(b, `","replies_count":0,"reblogs_count":0,"favourites_count":0,"edited_at":`...)
	if p.kind == stream.Edit {
		b = append(b, '"')
		b = appendTime(b, p.editedAt, layoutMillis)
		b = append(b, '"')
	} else {
		b = append(b, "null"...)
	}
	b = append(b, `,"content":`...)
	var mentions []*account
	if p.kind == stream.Repost {
		b = append(b, `""`...)
	} else {
		mentions = mentionsOf(p)
		html := append(make([]byte, 0, 512), "<p>"...)
		text := p.text
		for _, a := range mentions {
			text = strings.TrimPrefix(text, "@"+a.handle)
			html = append(html, `<span class="h-card"><a href="https://`+mastodonServer+`/@`...)
			html = append(html, a.handle...)
			html = append(html, `" class="u-url mention">@<span>`...)
			html = append(html, a.handle...)
			html = append(html, `</span></a></span>`...)
		}
		html = appendHTML(html, text)
		html = append(html, "</p>"...)
		b = appendString(b, string(html))
	}
	b = append(b, `,"reblog":`...)
	if p.kind == stream.Repost {
		b = s.mastodonStatus(b, p.original)
	} else {
		b = append(b, "null"...)
	}
	b = append(b, `,"account":{"id":"`...)
	b = append(b, p.author.id...)
	b = append(b, `","username":`...)
	b = appendString(b, p.author.handle)
	b = append(b, `,"acct":`...)
	b = appendString(b, p.author.handle)
	b = append(b, `,"display_name":`...)
	b = appendString(b, p.author.name)
	b = append(b, `,"locked":false,"bot":false,"group":false,"created_at":"2018-08-18T00:00:00.000Z","note":"","followers_count":`...)
	b = appendInt(b, p.author.followers)
	b = append(b, `,"following_count":41,"statuses_count":1844,"last_status_at":"2026-03-01","emojis":[],"fields":[]},"media_attachments":[],"mentions":[`...)
	for i, a := range mentions {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"id":"`...)
		b = append(b, a.id...)
		b = append(b, `","username":`...)
		b = appendString(b, a.handle)
		b = append(b, `,"url":"https://`+mastodonServer+`/@`...)
		b = append(b, a.handle...)
		b = append(b, `","acct":`...)
		b = appendString(b, a.handle)
		b = append(b, '}')
	}
	return append(b, `],"tags":[],"emojis":[],"card":null,"poll":null}`...)
}

func (s *Simulator) reddit(b []byte, p *post) []byte {
	kind, listed := "t3", p.feed == feedFirst
	if p.kind == stream.Comment {
		kind = "t1"
	}
	if listed {
		b = append(b, `{"kind":"Listing","data":{"modhash":null,"dist":1,"children":[{"kind":"`...)
		b = append(b, kind...)
		b = append(b, `","data":`...)
	}
	short := p.id[3:]
	b = append(b, `{"subreddit":`...)
	b = appendASCII(b, p.place.handle)
	b = append(b, `,"subreddit_id":"`...)
	b = append(b, p.place.id...)
	b = append(b, `","id":"`...)
	b = append(b, short...)
	b = append(b, `","name":"`...)
	b = append(b, p.id...)
	b = append(b, `","author":`...)
	b = appendASCII(b, p.author.handle)
	b = append(b, `,"author_fullname":"`...)
	b = append(b, p.author.id...)
	b = append(b, `","created_utc":`...)
	b = appendSeconds(b, p.at)
	if listed {
		b = append(b, ".0"...)
	}
	b = append(b, `,"edited":false,"score":1,"ups":1,"downs":0,"permalink":"\/r\/`...)
	b = append(b, p.place.handle...)
	b = append(b, `\/comments\/`...)
	b = append(b, p.first().id[3:]...)
	if kind == "t1" {
		b = append(b, `\/_\/`...)
		b = append(b, short...)
	}
	b = append(b, `\/",`...)
	s.inner = appendEntities(s.inner[:0], p.text)
	text := string(s.inner)
	if kind == "t1" {
		b = append(b, `"link_id":"`...)
		b = append(b, p.first().id...)
		b = append(b, `","parent_id":"`...)
		b = append(b, p.parent.id...)
		b = append(b, `","replies":"","body":`...)
		b = appendASCII(b, text)
	} else {
		b = append(b, `"num_comments":0,"is_self":true,"upvote_ratio":1.0,"view_count":null,"title":`...)
		b = appendASCII(b, text)
		b = append(b, `,"selftext":""`...)
	}
	b = append(b, '}')
	if listed {
		b = append(b, `}],"after":null,"before":null}}`...)
	}
	return b
}

func (s *Simulator) livejournal(b []byte, p *post) []byte {
	if p.feed == feedFirst {
		b = append(b, `{"guid":"`...)
		b = append(b, p.id...)
		b = append(b, `","pubDate":"`...)
		b = appendTime(b, p.at, layoutRSS)
		b = append(b, `","author":`...)
		b = appendString(b, p.author.handle)
		b = append(b, `,"link":"`...)
		b = append(b, p.id...)
		b = append(b, `","description":`...)
		s.inner = appendHTML(s.inner[:0], p.text)
		b = appendString(b, string(s.inner))
		b = append(b, `,"comments":"`...)
		b = append(b, p.id...)
		return append(b, `","lj:security":"public","lj:reply-count":"0"}`...)
	}
	b = append(b, `{"description":`...)
	s.inner = appendHTML(s.inner[:0], p.text)
	b = appendString(b, string(s.inner))
	b = append(b, `,"link":"`...)
	b = append(b, p.id...)
	b = append(b, `","links":["`...)
	b = append(b, p.id...)
	b = append(b, `"],"published":"`...)
	b = appendTime(b, p.at, layoutRSS)
	b = append(b, `","publishedParsed":"`...)
	b = appendTime(b, p.at, layoutSeconds)
	b = append(b, `","author":{"name":`...)
	b = appendString(b, p.author.handle)
	b = append(b, `},"guid":"`...)
	b = append(b, p.id...)
	return append(b, `","extensions":{"lj":{"security":[{"name":"security","value":"public"}],"reply-count":[{"name":"reply-count","value":"0"}]}}}`...)
}

func (s *Simulator) generic(b []byte, p *post) []byte {
	b = append(b, `{"id":"`...)
	b = append(b, p.id...)
	b = append(b, `","published_at":"`...)
	b = appendTime(b, p.at, layoutMillis)
	if p.kind == stream.Edit {
		b = append(b, `","edited_at":"`...)
		b = appendTime(b, p.editedAt, layoutMillis)
	}
	b = append(b, `","kind":"`...)
	switch {
	case p.parent != nil:
		b = append(b, "comment"...)
	default:
		b = append(b, "post"...)
	}
	b = append(b, `","author":{"id":"`...)
	b = append(b, p.author.id...)
	b = append(b, `","name":`...)
	b = appendString(b, p.author.handle)
	b = append(b, `,"followers":`...)
	b = strconv.AppendInt(b, p.author.followers, 10)
	b = append(b, `},"text":`...)
	b = appendString(b, p.text)
	b = append(b, `,"lang":`...)
	b = appendString(b, p.lang)
	b = append(b, `,"url":"https://`...)
	b = append(b, p.place.id...)
	b = append(b, '/')
	b = append(b, p.id...)
	b = append(b, '"')
	if p.parent != nil {
		b = append(b, `,"parent_id":"`...)
		b = append(b, p.parent.id...)
		b = append(b, `","parent_author":{"id":"`...)
		b = append(b, p.parent.author.id...)
		b = append(b, `"},"root_id":"`...)
		b = append(b, p.first().id...)
		b = append(b, '"')
	}
	return append(b, '}')
}
