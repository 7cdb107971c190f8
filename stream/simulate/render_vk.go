package simulate

import (
	"strconv"

	"otklik/stream"
)

// VK: events of the Streaming API (HTML texts, no names) and of the Callback API (plain texts).

func (s *Simulator) vkCallback(b []byte, p *post) []byte {
	b = append(b, `{"type":"`...)
	group := int64(0)
	if pl := p.first().place; pl != nil {
		group = -pl.num
	}
	switch p.kind {
	case stream.Comment:
		b = append(b, `wall_reply_new","object":{"id":`...)
		b = appendInt(b, p.num)
		b = append(b, `,"from_id":`...)
		b = append(b, p.author.id...)
		b = append(b, `,"date":`...)
		b = appendSeconds(b, p.at)
		b = append(b, `,"text":`...)
		b = appendASCII(b, p.text)
		b = append(b, `,"post_owner_id":`...)
		b = appendInt(b, vkOwner(p))
		b = append(b, `,"post_id":`...)
		b = appendInt(b, p.first().num)
		if p.parent != nil && p.parent.kind == stream.Comment {
			b = append(b, `,"reply_to_user":`...)
			b = append(b, p.parent.author.id...)
			b = append(b, `,"reply_to_comment":`...)
			b = appendInt(b, p.parent.num)
			b = append(b, `,"parents_stack":[`...)
			b = appendInt(b, p.parent.num)
			b = append(b, ']')
		}
		b = append(b, '}')
	case stream.Repost:
		group = 0
		if pl := p.original.place; pl != nil {
			group = -pl.num
		}
		b = append(b, `wall_repost","object":`...)
		b = vkPost(b, p, `,"copy_history":[`)
		b = vkPost(b, p.original, "")
		b = append(b, `]}`...)
	default:
		b = append(b, `wall_post_new","object":`...)
		b = vkPost(b, p, "")
	}
	b = append(b, `,"group_id":`...)
	b = appendInt(b, group)
	b = append(b, `,"event_id":"`...)
	b = strconv.AppendUint(b, mix(uint64(p.num)), 16)
	return append(b, `","v":"5.131"}`...)
}

// vkPost appends a post; an addition leaves the object open behind it.
func vkPost(b []byte, p *post, addition string) []byte {
	b = append(b, `{"id":`...)
	b = appendInt(b, p.num)
	b = append(b, `,"from_id":`...)
	b = append(b, p.author.id...)
	b = append(b, `,"owner_id":`...)
	b = appendInt(b, vkOwner(p))
	b = append(b, `,"date":`...)
	b = appendSeconds(b, p.at)
	b = append(b, `,"marked_as_ads":0,"post_type":"post","text":`...)
	if p.kind == stream.Repost {
		b = append(b, `""`...)
	} else {
		b = appendASCII(b, p.text)
	}
	b = append(b, `,"can_edit":1,"created_by":`...)
	b = append(b, p.author.id...)
	b = append(b, `,"can_delete":1,"comments":{"count":0}`...)
	if addition != "" {
		return append(b, addition...)
	}
	return append(b, '}')
}

func (s *Simulator) vkStreaming(b []byte, p *post) []byte {
	b = append(b, `{"code":100,"event":{"event_type":"`...)
	kind := "post"
	switch p.kind {
	case stream.Comment:
		kind = "comment"
	case stream.Repost:
		kind = "share"
	default: // a post
	}
	owner := vkOwner(p)
	b = append(b, kind...)
	b = append(b, `","event_id":{"post_owner_id":`...)
	b = appendInt(b, owner)
	b = append(b, `,"post_id":`...)
	b = appendInt(b, p.first().num)
	if p.kind == stream.Comment {
		b = append(b, `,"comment_id":`...)
		b = appendInt(b, p.num)
	}
	if p.kind == stream.Repost {
		b = append(b, `,"shared_post_id":`...)
		b = appendInt(b, p.original.num)
	}
	b = append(b, `},"event_url":"https://vk.com/wall`...)
	b = appendInt(b, owner)
	b = append(b, '_')
	b = appendInt(b, p.first().num)
	if p.kind == stream.Comment {
		b = append(b, `?reply=`...)
		b = appendInt(b, p.num)
	}
	b = append(b, `","text":`...)
	if p.kind == stream.Repost {
		b = append(b, `"","shared_post_text":`...)
	}
	s.inner = appendHTML(s.inner[:0], p.text)
	b = appendString(b, string(s.inner))
	if p.kind == stream.Repost {
		b = append(b, `,"shared_post_creation_time":`...)
		b = appendSeconds(b, p.original.at)
	}
	b = append(b, `,"creation_time":`...)
	b = appendSeconds(b, p.at)
	b = append(b, `,"tags":["all"],"action":"new","action_time":`...)
	b = appendSeconds(b, p.at)
	b = append(b, `,"author":{"id":`...)
	b = append(b, p.author.id...)
	if p.kind == stream.Repost {
		b = append(b, `,"shared_post_author_id":`...)
		b = append(b, p.original.author.id...)
	}
	b = append(b, `,"author_url":"https://vk.com/`...)
	if p.author.num < 0 {
		b = append(b, "club"...)
	} else {
		b = append(b, "id"...)
	}
	b = append(b, p.author.id...)
	return append(b, `","platform":4}}}`...)
}
