package simulate

import (
	"otklik/stream"
)

// Facebook page webhooks, YouTube list responses and Telegram updates.

func (s *Simulator) facebook(b []byte, p *post) []byte {
	b = append(b, `{"object":"page","entry":[{"id":"`...)
	b = append(b, p.place.id...)
	b = append(b, `","time":`...)
	b = appendSeconds(b, p.at+stream.Second)
	b = append(b, `,"changes":[{"field":"feed","value":{"from":{"id":"`...)
	b = append(b, p.author.id...)
	b = append(b, `","name":`...)
	b = appendString(b, p.author.name)
	b = append(b, `},"item":"`...)
	switch {
	case p.kind == stream.Comment:
		b = append(b, `comment","comment_id":"`...)
		b = append(b, p.id...)
		b = append(b, `","parent_id":"`...)
		b = append(b, p.parent.id...)
	case p.author.brand != nobody:
		b = append(b, `status`...)
	default:
		b = append(b, `post`...)
	}
	b = append(b, `","verb":"add","post_id":"`...)
	b = append(b, p.first().id...)
	b = append(b, `","created_time":`...)
	b = appendSeconds(b, p.at)
	b = append(b, `,"published":1,"message":`...)
	b = appendASCII(b, p.text)
	return append(b, `}}]}]}`...)
}

func (s *Simulator) youtube(b []byte, p *post) []byte {
	if p.parent != nil {
		b = append(b, `{"kind":"youtube#commentListResponse","etag":"\"sim/`...)
		b = appendToken(b, uint64(p.at), 20)
		b = append(b, `\"","pageInfo":{"resultsPerPage":20},"items":[`...)
		b = s.youtubeComment(b, p)
		return append(b, `]}`...)
	}
	b = append(b, `{"kind":"youtube#commentThreadListResponse","etag":"\"sim/`...)
	b = appendToken(b, uint64(p.at), 20)
	b = append(b, `\"","pageInfo":{"totalResults":1,"resultsPerPage":20},"items":[`...)
	b = s.youtubeThread(b, p)
	if p.broken == whole {
		for len(s.relists) > 0 && len(s.shown) < 5 {
			q := s.relists[0]
			s.relists = s.relists[1:]
			if q.parent != nil || q.deliver > p.deliver && !s.told {
				continue // a reply is not listed here; the comment is not old enough to be listed again
			}
			b = append(b, ',')
			b = s.youtubeThread(b, q)
			s.shown = append(s.shown, q)
		}
	}
	return append(b, `]}`...)
}

func (s *Simulator) youtubeThread(b []byte, p *post) []byte {
	b = append(b, `{"kind":"youtube#commentThread","etag":"\"sim\"","id":"`...)
	b = append(b, p.id...)
	b = append(b, `","snippet":{"channelId":"`...)
	b = append(b, p.place.id...)
	b = append(b, `","videoId":"`...)
	b = append(b, p.place.video...)
	b = append(b, `","topLevelComment":`...)
	b = s.youtubeComment(b, p)
	return append(b, `,"canReply":true,"totalReplyCount":0,"isPublic":true}}`...)
}

func (s *Simulator) youtubeComment(b []byte, p *post) []byte {
	b = append(b, `{"kind":"youtube#comment","etag":"\"sim\"","id":"`...)
	b = append(b, p.id...)
	b = append(b, `","snippet":{"channelId":"`...)
	b = append(b, p.place.id...)
	b = append(b, `","videoId":"`...)
	b = append(b, p.place.video...)
	b = append(b, `","textDisplay":`...)
	s.inner = appendHTML(s.inner[:0], p.text)
	b = appendString(b, string(s.inner))
	b = append(b, `,"textOriginal":`...)
	b = appendString(b, p.text)
	if p.parent != nil {
		b = append(b, `,"parentId":"`...)
		b = append(b, p.first().id...)
		b = append(b, '"')
	}
	b = append(b, `,"authorDisplayName":`...)
	b = appendString(b, p.author.name)
	b = append(b, `,"authorProfileImageUrl":"https://yt3.ggpht.com/a/sim=s48-c-k-c0xffffffff-no-rj-mo","authorChannelUrl":"http://www.youtube.com/channel/`...)
	b = append(b, p.author.id...)
	b = append(b, `","authorChannelId":{"value":"`...)
	b = append(b, p.author.id...)
	b = append(b, `"},"canRate":true,"viewerRating":"none","likeCount":0,"publishedAt":"`...)
	b = appendTime(b, p.at, layoutSeconds)
	b = append(b, `","updatedAt":"`...)
	b = appendTime(b, p.at, layoutSeconds)
	return append(b, `"}}`...)
}

func (s *Simulator) telegram(b []byte, p *post) []byte {
	b = append(b, `{"update_id":`...)
	b = appendInt(b, 700_000_000+p.num)
	if p.kind == stream.Edit {
		b = append(b, `,"edited_message":`...)
	} else {
		b = append(b, `,"message":`...)
	}
	b = s.telegramMessage(b, p, true)
	return append(b, '}')
}

func (s *Simulator) telegramMessage(b []byte, p *post, outer bool) []byte {
	b = append(b, `{"message_id":`...)
	b = appendInt(b, p.num)
	switch {
	case p.author.num < 0: // a chat or channel speaks
		b = append(b, `,"from":{"id":1087968824,"is_bot":true,"first_name":"Group","username":"GroupAnonymousBot"},"sender_chat":`...)
		b = appendTelegramChat(b, &p.author)
	default:
		b = append(b, `,"from":{"id":`...)
		b = append(b, p.author.id...)
		b = append(b, `,"is_bot":`...)
		b = appendBool(b, p.author.automatic)
		b = append(b, `,"first_name":`...)
		b = appendString(b, p.author.name)
		if p.author.handle != "" {
			b = append(b, `,"username":`...)
			b = appendString(b, p.author.handle)
		}
		b = append(b, `,"language_code":"ru"}`...)
	}
	b = append(b, `,"chat":`...)
	b = appendTelegramChat(b, &p.place.account)
	b = append(b, `,"date":`...)
	b = appendSeconds(b, p.at)
	if p.kind == stream.Edit {
		b = append(b, `,"edit_date":`...)
		b = appendSeconds(b, p.editedAt)
	}
	if outer && p.parent != nil {
		b = append(b, `,"reply_to_message":`...)
		b = s.telegramMessage(b, p.parent, false)
	}
	b = append(b, `,"text":`...)
	b = appendString(b, p.text)
	return append(b, '}')
}

func appendTelegramChat(b []byte, a *account) []byte {
	b = append(b, `{"id":`...)
	b = append(b, a.id...)
	b = append(b, `,"title":`...)
	b = appendString(b, a.name)
	if a.handle != "" {
		b = append(b, `,"username":`...)
		b = appendString(b, a.handle)
	}
	return append(b, `,"type":"supergroup"}`...)
}
