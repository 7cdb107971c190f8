package simulate

import (
	"strings"
	"unicode/utf8"

	"otklik/stream"
)

// Twitter v1.1 statuses as the streaming API delivers them, and v2 objects of the filtered stream.

const tweetProfile = `"translator_type":"none","protected":false,"verified":false,`

const tweetLook = `"utc_offset":null,"time_zone":null,"geo_enabled":false,"lang":null,"contributors_enabled":false,"is_translator":false,` +
	`"profile_background_color":"F5F8FA","profile_background_image_url":"","profile_background_image_url_https":"",` +
	`"profile_background_tile":false,"profile_link_color":"1DA1F2","profile_sidebar_border_color":"C0DEED",` +
	`"profile_sidebar_fill_color":"DDEEF6","profile_text_color":"333333","profile_use_background_image":true,` +
	`"profile_image_url":"http:\/\/pbs.twimg.com\/profile_images\/1097500000000000000\/sim_normal.png",` +
	`"profile_image_url_https":"https:\/\/pbs.twimg.com\/profile_images\/1097500000000000000\/sim_normal.png",` +
	`"default_profile":true,"default_profile_image":false,"following":null,"follow_request_sent":null,"notifications":null}`

const tweetSource = `"source":"\u003ca href=\"http:\/\/twitter.com\/download\/android\" rel=\"nofollow\"\u003eTwitter for Android\u003c\/a\u003e"`

// tweetLimit is how many characters a status has before its text is truncated in the compatible form.
const tweetLimit = 140

func (s *Simulator) tweet(b []byte, p *post) []byte {
	b = s.tweetBody(b, p)
	b = append(b, `,"timestamp_ms":"`...)
	b = appendInt(b, int64(p.at))
	return append(b, `"}`...)
}

// tweetBody appends a status without the closing brace.
func (s *Simulator) tweetBody(b []byte, p *post) []byte {
	b = append(b, `{"created_at":"`...)
	b = appendTime(b, p.at, layoutTwitter)
	b = append(b, `","id":`...)
	b = appendInt(b, p.num)
	b = append(b, `,"id_str":"`...)
	b = appendInt(b, p.num)
	b = append(b, `","text":"`...)
	text := p.text
	truncated := false
	switch {
	case p.kind == stream.Repost:
		text = shorten("RT @"+p.original.author.handle+": "+p.original.text, tweetLimit)
	case utf8.RuneCountInString(p.text) > tweetLimit:
		truncated = true
		text = shorten(p.text, tweetLimit-24) + " https://t.co/simulated1"
	}
	b = s.tweetText(b, text)
	b = append(b, `",`...)
	b = append(b, tweetSource...)
	b = append(b, `,"truncated":`...)
	b = appendBool(b, truncated)
	if r := p.parent; r != nil {
		b = append(b, `,"in_reply_to_status_id":`...)
		b = appendInt(b, r.num)
		b = append(b, `,"in_reply_to_status_id_str":"`...)
		b = appendInt(b, r.num)
		b = append(b, `","in_reply_to_user_id":`...)
		b = appendInt(b, r.author.num)
		b = append(b, `,"in_reply_to_user_id_str":"`...)
		b = append(b, r.author.id...)
		b = append(b, `","in_reply_to_screen_name":`...)
		b = appendASCII(b, r.author.handle)
	} else {
		b = append(b, `,"in_reply_to_status_id":null,"in_reply_to_status_id_str":null,"in_reply_to_user_id":null,`+
			`"in_reply_to_user_id_str":null,"in_reply_to_screen_name":null`...)
	}
	b = append(b, `,"user":`...)
	b = appendTwitterUser(b, &p.author)
	b = append(b, `,"geo":null,"coordinates":null,"place":null,"contributors":null`...)
	if p.kind == stream.Repost {
		b = append(b, `,"retweeted_status":`...)
		b = s.tweetBody(b, p.original)
		b = append(b, '}')
	}
	b = append(b, `,"is_quote_status":false`...)
	if truncated {
		b = append(b, `,"extended_tweet":{"full_text":"`...)
		b = s.tweetText(b, p.text)
		b = append(b, `","entities":`...)
		b = appendTwitterEntities(b, p, false)
		b = append(b, '}')
	}
	b = append(b, `,"quote_count":0,"reply_count":0,"retweet_count":0,"favorite_count":0,"entities":`...)
	b = appendTwitterEntities(b, p, p.kind == stream.Repost)
	b = append(b, `,"favorited":false,"retweeted":false,"filter_level":"low","lang":`...)
	return appendString(b, p.lang)
}

func (s *Simulator) tweetText(b []byte, text string) []byte {
	s.inner = appendEntities(s.inner[:0], text)
	return appendASCIIInner(b, string(s.inner))
}

// shorten cuts a text to n characters as Twitter does, with an ellipsis.
func shorten(s string, n int) string {
	for i := range s {
		if n--; n == 0 {
			if utf8.RuneCountInString(s[i:]) == 1 {
				return s
			}
			return s[:i] + "…"
		}
	}
	return s
}

func appendTwitterUser(b []byte, a *account) []byte {
	b = append(b, `{"id":`...)
	b = appendInt(b, a.num)
	b = append(b, `,"id_str":"`...)
	b = append(b, a.id...)
	b = append(b, `","name":`...)
	b = appendASCII(b, a.name)
	b = append(b, `,"screen_name":`...)
	b = appendASCII(b, a.handle)
	b = append(b, `,"location":null,"url":null,"description":null,`...)
	b = append(b, tweetProfile...)
	b = append(b, `"followers_count":`...)
	b = appendInt(b, a.followers)
	b = append(b, `,"friends_count":`...)
	b = appendInt(b, a.followers/3+17)
	b = append(b, `,"listed_count":`...)
	b = appendInt(b, a.followers/90)
	b = append(b, `,"favourites_count":512,"statuses_count":`...)
	b = appendInt(b, 100+a.followers%9000)
	b = append(b, `,"created_at":"Tue Oct 18 12:55:25 +0000 2011",`...)
	return append(b, tweetLook...)
}

// mentionsOf lists the accounts that the text of the post begins with.
func mentionsOf(p *post) []*account {
	switch {
	case p.kind == stream.Repost:
		return []*account{&p.original.author}
	case p.address != nil:
		return []*account{p.address}
	case p.parent != nil && strings.HasPrefix(p.text, "@"+p.parent.author.handle+" "):
		return []*account{&p.parent.author}
	default:
		return nil
	}
}

func appendTwitterEntities(b []byte, p *post, repost bool) []byte {
	b = append(b, `{"hashtags":[],"urls":[],"user_mentions":[`...)
	for i, a := range mentionsOf(p) {
		if i > 0 {
			b = append(b, ',')
		}
		start := int64(0)
		if repost {
			start = 3
		}
		b = append(b, `{"screen_name":`...)
		b = appendASCII(b, a.handle)
		b = append(b, `,"name":`...)
		b = appendASCII(b, a.name)
		b = append(b, `,"id":`...)
		b = appendInt(b, a.num)
		b = append(b, `,"id_str":"`...)
		b = append(b, a.id...)
		b = append(b, `","indices":[`...)
		b = appendInt(b, start)
		b = append(b, ',')
		b = appendInt(b, start+int64(utf8.RuneCountInString(a.handle))+1)
		b = append(b, `]}`...)
	}
	return append(b, `],"symbols":[]}`...)
}

func appendBool(b []byte, v bool) []byte {
	if v {
		return append(b, "true"...)
	}
	return append(b, "false"...)
}

func (s *Simulator) tweetV2(b []byte, p *post) []byte {
	b = append(b, `{"data":`...)
	b = s.tweetV2Data(b, p)
	b = append(b, `,"includes":{"users":[`...)
	b = appendTwitterUserV2(b, &p.author)
	seen := p.author.id
	for _, a := range mentionsOf(p) {
		if a.id != seen {
			b = append(b, ',')
			b = appendTwitterUserV2(b, a)
		}
	}
	b = append(b, ']')
	if p.kind == stream.Repost {
		b = append(b, `,"tweets":[`...)
		b = s.tweetV2Data(b, p.original)
		b = append(b, ']')
	}
	return append(b, `},"matching_rules":[{"id":"1377649934414049282","tag":"all"}]}`...)
}

func (s *Simulator) tweetV2Data(b []byte, p *post) []byte {
	b = append(b, `{"author_id":"`...)
	b = append(b, p.author.id...)
	b = append(b, `","conversation_id":"`...)
	b = append(b, p.first().id...)
	b = append(b, `","id":"`...)
	b = append(b, p.id...)
	b = append(b, `","edit_history_tweet_ids":["`...)
	b = append(b, p.id...)
	b = append(b, `"],"created_at":"`...)
	b = appendTime(b, p.at.Truncate(stream.Second), layoutMillis) // v2 states seconds; the id has the milliseconds
	b = append(b, `","text":`...)
	text := p.text
	if p.kind == stream.Repost {
		text = shorten("RT @"+p.original.author.handle+": "+p.original.text, tweetLimit)
	}
	s.inner = appendEntities(s.inner[:0], text)
	b = appendString(b, string(s.inner))
	if p.parent != nil {
		b = append(b, `,"in_reply_to_user_id":"`...)
		b = append(b, p.parent.author.id...)
		b = append(b, `","referenced_tweets":[{"type":"replied_to","id":"`...)
		b = append(b, p.parent.id...)
		b = append(b, `"}]`...)
	} else if p.kind == stream.Repost {
		b = append(b, `,"referenced_tweets":[{"type":"retweeted","id":"`...)
		b = append(b, p.original.id...)
		b = append(b, `"}]`...)
	}
	if list := mentionsOf(p); len(list) > 0 {
		b = append(b, `,"entities":{"mentions":[`...)
		for i, a := range list {
			if i > 0 {
				b = append(b, ',')
			}
			start := int64(0)
			if p.kind == stream.Repost {
				start = 3
			}
			b = append(b, `{"start":`...)
			b = appendInt(b, start)
			b = append(b, `,"end":`...)
			b = appendInt(b, start+int64(utf8.RuneCountInString(a.handle))+1)
			b = append(b, `,"username":`...)
			b = appendString(b, a.handle)
			b = append(b, `,"id":"`...)
			b = append(b, a.id...)
			b = append(b, `"}`...)
		}
		b = append(b, `]}`...)
	}
	b = append(b, `,"reply_settings":"everyone","possibly_sensitive":false,"source":"Twitter for Android","lang":`...)
	b = appendString(b, p.lang)
	return append(b, `,"public_metrics":{"retweet_count":0,"reply_count":0,"like_count":0,"quote_count":0}}`...)
}

func appendTwitterUserV2(b []byte, a *account) []byte {
	b = append(b, `{"id":"`...)
	b = append(b, a.id...)
	b = append(b, `","name":`...)
	b = appendString(b, a.name)
	b = append(b, `,"username":`...)
	b = appendString(b, a.handle)
	b = append(b, `,"created_at":"2015-12-25T18:50:44.000Z","verified":false,"protected":false,"public_metrics":{"followers_count":`...)
	b = appendInt(b, a.followers)
	b = append(b, `,"following_count":`...)
	b = appendInt(b, a.followers/3+17)
	b = append(b, `,"tweet_count":`...)
	b = appendInt(b, 100+a.followers%9000)
	b = append(b, `,"listed_count":`...)
	b = appendInt(b, a.followers/90)
	return append(b, `}}`...)
}
