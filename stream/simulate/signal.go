package simulate

import (
	"strconv"

	"otklik/stream"
)

// Signals are what a firehose carries beside texts. They count as "other" in the books.

// The signals by platform; the renderer knows what each looks like.
const (
	signalLimit     = "limit"
	signalDelete    = "delete"
	signalLike      = "like"
	signalJoin      = "join"
	signalLeave     = "leave"
	signalMessage   = "message"
	signalService   = "service"
	signalVideo     = "video"
	signalChannel   = "channel"
	signalFollow    = "follow"
	signalFilters   = "filters"
	signalUnknown   = "unknown"
	signalHeartbeat = "identity"
)

var signals = map[stream.Platform][]string{
	stream.Twitter:  {signalLimit, signalDelete, signalDelete},
	stream.VK:       {signalLike, signalLike, signalLike, signalJoin, signalLeave, signalMessage, signalService},
	stream.Facebook: {signalLike, signalLike, signalMessage, signalUnknown, signalDelete},
	stream.YouTube:  {signalVideo, signalChannel},
	stream.Telegram: {signalLike, signalMessage, signalUnknown},
	stream.Bluesky:  {signalLike, signalLike, signalLike, signalFollow, signalHeartbeat, signalDelete},
	stream.Mastodon: {signalFilters, signalDelete},
}

// signalKinds are the kinds under which the simulator books them.
var signalKinds = map[string]stream.Kind{
	signalLimit: stream.Notice, signalDelete: stream.Delete, signalLike: stream.Reaction, signalJoin: stream.Membership,
	signalLeave: stream.Membership, signalMessage: stream.Message, signalService: stream.Notice, signalVideo: stream.Statistics,
	signalChannel: stream.Statistics, signalFollow: stream.Other, signalFilters: stream.Notice, signalUnknown: stream.Other,
	signalHeartbeat: stream.Other,
}

// signal is a record that is no text. A platform without any sends a VK like instead.
func (s *Simulator) signal(pl stream.Platform, t stream.Time) *post {
	if len(signals[pl]) == 0 {
		pl = stream.VK
	}
	p := &post{platform: pl, at: precise(pl, t), author: s.somebody(pl), note: s.pick(signals[pl])}
	p.original = s.target(pl, p.note == signalDelete, t)
	if p.original == nil && (p.note == signalLike || p.note == signalDelete) {
		p.note = map[stream.Platform]string{
			stream.Twitter: signalLimit, stream.VK: signalService, stream.Facebook: signalUnknown, stream.Telegram: signalUnknown,
			stream.Bluesky: signalHeartbeat, stream.Mastodon: signalFilters,
		}[pl]
	}
	p.kind = signalKinds[p.note]
	if own := s.own(pl); own != nil {
		p.place = &place{account: *own}
	} else {
		p.place = s.neutral(pl)
	}
	if p.kind == stream.Delete {
		p.author = p.original.author
		p.original.changing = true // gone: nobody edits it any more
	}
	return p
}

// own returns an official account of the own brand, which is whose community and channel the firehose includes.
func (s *Simulator) own(pl stream.Platform) *account {
	for i := range s.brands {
		if list := s.brands[i].accounts[pl]; s.brands[i].own && len(list) > 0 {
			return &list[0]
		}
	}
	return nil
}

// target is a recent post that is liked or taken away; nil if there is none. What is taken away has surely been delivered
// and is not going to be edited.
func (s *Simulator) target(pl stream.Platform, gone bool, t stream.Time) *post {
	o := s.recent[pl].draw(s.rng)
	if o == nil || o.at >= t || o.kind == stream.Repost {
		return nil
	}
	if gone && (o.changing || o.author.brand != nobody || o.deliver > t || o.at+10*stream.Minute > t) {
		return nil
	}
	return o
}

// renderSignal needs no truth beyond its kind.
func (s *Simulator) renderSignal(b []byte, p *post) []byte {
	switch p.platform {
	case stream.Twitter:
		if p.note == signalDelete {
			b = append(b, `{"delete":{"status":{"id":`...)
			b = append(b, p.original.id...)
			b = append(b, `,"id_str":"`...)
			b = append(b, p.original.id...)
			b = append(b, `","user_id":`...)
			b = append(b, p.original.author.id...)
			b = append(b, `,"user_id_str":"`...)
			b = append(b, p.original.author.id...)
			b = append(b, `"},"timestamp_ms":"`...)
			b = appendInt(b, int64(p.at))
			return append(b, `"}}`...)
		}
		b = append(b, `{"limit":{"track":`...)
		b = appendInt(b, int64(s.serial%5000))
		b = append(b, `,"timestamp_ms":"`...)
		b = appendInt(b, int64(p.at))
		return append(b, `"}}`...)
	case stream.VK:
		return s.vkSignal(b, p)
	case stream.Facebook:
		return s.facebookSignal(b, p)
	case stream.YouTube:
		return s.youtubeSignal(b, p)
	case stream.Telegram:
		return s.telegramSignal(b, p)
	case stream.Bluesky:
		return s.blueskySignal(b, p)
	default:
		if p.note == signalDelete {
			b = append(b, `{"stream":["public"],"event":"delete","payload":"`...)
			b = append(b, p.original.id...)
			return append(b, `"}`...)
		}
		return append(b, `{"stream":["user"],"event":"filters_changed"}`...)
	}
}

func (s *Simulator) vkSignal(b []byte, p *post) []byte {
	group := p.place.num
	if group < 0 {
		group = -group
	}
	switch p.note {
	case signalService:
		return append(b, `{"code":300,"service_message":{"message":"The server will be restarted","service_code":3000}}`...)
	case signalLike:
		b = append(b, `{"type":"like_add","object":{"liker_id":`...)
		b = append(b, p.author.id...)
		b = append(b, `,"object_type":"`...)
		if p.original.kind == stream.Comment {
			b = append(b, "comment"...)
		} else {
			b = append(b, "post"...)
		}
		b = append(b, `","object_owner_id":`...)
		b = appendInt(b, vkOwner(p.original))
		b = append(b, `,"object_id":`...)
		b = appendInt(b, p.original.num)
		b = append(b, `,"thread_reply_id":0,"post_id":`...)
		b = appendInt(b, p.original.first().num)
		b = append(b, '}')
	case signalJoin:
		b = append(b, `{"type":"group_join","object":{"user_id":`...)
		b = append(b, p.author.id...)
		b = append(b, `,"join_type":"join"}`...)
	case signalLeave:
		b = append(b, `{"type":"group_leave","object":{"user_id":`...)
		b = append(b, p.author.id...)
		b = append(b, `,"self":1}`...)
	default:
		b = append(b, `{"type":"message_new","object":{"message":{"date":`...)
		b = appendSeconds(b, p.at)
		b = append(b, `,"from_id":`...)
		b = append(b, p.author.id...)
		b = append(b, `,"id":`...)
		b = appendInt(b, p.num)
		b = append(b, `,"out":0,"peer_id":`...)
		b = append(b, p.author.id...)
		b = append(b, `,"text":`...)
		b = appendASCII(b, "Добрый день!")
		b = append(b, `,"conversation_message_id":1,"fwd_messages":[],"important":false,"random_id":0,"attachments":[],"is_hidden":false},`+
			`"client_info":{"keyboard":true,"lang_id":0}}`...)
	}
	b = append(b, `,"group_id":`...)
	b = appendInt(b, group)
	b = append(b, `,"event_id":"`...)
	b = strconv.AppendUint(b, mix(uint64(p.num)), 16)
	return append(b, `","v":"5.131"}`...)
}

func (s *Simulator) facebookSignal(b []byte, p *post) []byte {
	page := p.place.id
	if p.original != nil {
		page = p.original.place.id
	}
	b = append(b, `{"object":"page","entry":[{"id":"`...)
	b = append(b, page...)
	b = append(b, `","time":`...)
	if p.note == signalMessage {
		b = appendInt(b, int64(p.at)+300)
		b = append(b, `,"messaging":[{"sender":{"id":"`...)
		b = append(b, p.author.id...)
		b = append(b, `"},"recipient":{"id":"`...)
		b = append(b, page...)
		b = append(b, `"},"timestamp":`...)
		b = appendInt(b, int64(p.at))
		b = append(b, `,"message":{"mid":"m_`...)
		b = appendInt(b, p.num)
		return append(b, `","text":"hello"}}]}]}`...)
	}
	b = appendSeconds(b, p.at)
	if p.note == signalUnknown {
		return append(b, `,"changes":[{"field":"parking"}]}]}`...)
	}
	b = append(b, `,"changes":[{"field":"feed","value":{"item":"`...)
	switch o := p.original; {
	case p.note == signalLike:
		b = append(b, `reaction","verb":"add","reaction_type":"like","post_id":"`...)
		b = append(b, o.first().id...)
		if o.kind == stream.Comment {
			b = append(b, `","comment_id":"`...)
			b = append(b, o.id...)
		}
		b = append(b, `","parent_id":"`...)
		b = append(b, o.first().id...)
	case o.kind == stream.Comment:
		b = append(b, `comment","verb":"remove","comment_id":"`...)
		b = append(b, o.id...)
		b = append(b, `","post_id":"`...)
		b = append(b, o.first().id...)
		b = append(b, `","parent_id":"`...)
		b = append(b, o.first().id...)
	default:
		b = append(b, `post","verb":"remove","post_id":"`...)
		b = append(b, o.id...)
	}
	b = append(b, `","created_time":`...)
	b = appendSeconds(b, p.at)
	b = append(b, `,"from":{"id":"`...)
	b = append(b, p.author.id...)
	b = append(b, `","name":`...)
	b = appendString(b, p.author.name)
	return append(b, `}}}]}]}`...)
}

func (s *Simulator) youtubeSignal(b []byte, p *post) []byte {
	if p.note == signalVideo {
		b = append(b, `{"kind":"youtube#videoListResponse","etag":"\"sim\"","pageInfo":{"totalResults":1,"resultsPerPage":1},"items":[{"kind":"youtube#video","etag":"\"sim\"","id":"`...)
		b = appendToken(b, uint64(p.num), 11)
		b = append(b, `","statistics":{"viewCount":"`...)
		b = appendInt(b, 1000+int64(s.serial))
		return append(b, `","likeCount":"93","favoriteCount":"0","commentCount":"12"}}]}`...)
	}
	b = append(b, `{"kind":"youtube#channelListResponse","etag":"sim","pageInfo":{"totalResults":1,"resultsPerPage":1},"items":[{"kind":"youtube#channel","etag":"sim","id":"`...)
	b = append(b, p.place.id...)
	b = append(b, `","statistics":{"viewCount":"`...)
	b = appendInt(b, 1_000_000+int64(s.serial))
	return append(b, `","subscriberCount":"25400","hiddenSubscriberCount":false,"videoCount":"412"}}]}`...)
}

func (s *Simulator) telegramSignal(b []byte, p *post) []byte {
	b = append(b, `{"update_id":`...)
	b = appendInt(b, 700_000_000+int64(s.serial))
	switch p.note {
	case signalUnknown:
		return append(b, `,"new_update_kind":{"some_field":1}}`...)
	case signalMessage:
		b = append(b, `,"message":{"message_id":`...)
		b = appendInt(b, p.num)
		b = append(b, `,"from":{"id":`...)
		b = append(b, p.author.id...)
		b = append(b, `,"is_bot":false,"first_name":"A"},"chat":{"id":`...)
		b = append(b, p.author.id...)
		b = append(b, `,"first_name":"A","type":"private"},"date":`...)
		b = appendSeconds(b, p.at)
		return append(b, `,"text":"hello"}}`...)
	}
	b = append(b, `,"message_reaction":{"chat":`...)
	b = appendTelegramChat(b, &p.original.place.account)
	b = append(b, `,"message_id":`...)
	b = appendInt(b, p.original.num)
	b = append(b, `,"user":{"id":`...)
	b = append(b, p.author.id...)
	b = append(b, `,"is_bot":false,"first_name":"A"},"date":`...)
	b = appendSeconds(b, p.at)
	return append(b, `,"old_reaction":[],"new_reaction":[{"type":"emoji","emoji":"👍"}]}}`...)
}

// appendJetstream begins an event of Jetstream.
func appendJetstream(b []byte, p *post, micros int64) []byte {
	b = append(b, `{"did":"`...)
	b = append(b, p.author.id...)
	b = append(b, `","time_us":`...)
	return appendInt(b, micros)
}

func (s *Simulator) blueskySignal(b []byte, p *post) []byte {
	switch p.note {
	case signalHeartbeat:
		b = appendJetstream(b, p, int64(p.at)*1000)
		b = append(b, `,"kind":"identity","identity":{"did":"`...)
		b = append(b, p.author.id...)
		b = append(b, `","handle":"someone.bsky.example","seq":`...)
		b = appendInt(b, int64(s.serial))
		b = append(b, `,"time":"`...)
		b = appendTime(b, p.at, layoutMillis)
		return append(b, `"}}`...)
	case signalDelete:
		b = appendJetstream(b, p, int64(p.at)*1000)
		b = append(b, `,"kind":"commit","commit":{"rev":"`...)
		b = appendTID(b, p.at, s.serial)
		b = append(b, `","operation":"delete","collection":"app.bsky.feed.post","rkey":"`...)
		b = append(b, blueskyKey(p.original.id)...)
		return append(b, `"}}`...)
	}
	b = appendJetstream(b, p, int64(p.at)*1000)
	b = append(b, `,"kind":"commit","commit":{"rev":"`...)
	b = appendTID(b, p.at, s.serial)
	b = append(b, `","operation":"create","collection":"app.bsky.`...)
	if p.note == signalFollow {
		b = append(b, `graph.follow`...)
	} else {
		b = append(b, `feed.like`...)
	}
	b = append(b, `","rkey":"`...)
	b = appendTID(b, p.at, s.serial)
	b = append(b, `","record":{"$type":"app.bsky.`...)
	if p.note == signalFollow {
		b = append(b, `graph.follow","createdAt":"`...)
		b = appendTime(b, p.at, layoutMillis)
		b = append(b, `","subject":"`...)
		b = append(b, p.place.id...)
		if p.place.id == "" {
			b = append(b, `did:plc:nobody`...)
		}
		b = append(b, `"}`...)
	} else {
		b = append(b, `feed.like","createdAt":"`...)
		b = appendTime(b, p.at, layoutMillis)
		b = append(b, `","subject":`...)
		b = appendRef(b, p.original)
		b = append(b, '}')
	}
	b = append(b, `,"cid":"`...)
	b = appendCID(b, p.author.id)
	return append(b, `"}}`...)
}
