package simulate

import (
	"strconv"

	"otklik/stream"
)

// naming is one brand that a post names, with everything that the simulator knows about the mention.
type naming struct {
	brand    int // index into Simulator.brands
	role     stream.Role
	directed bool // speaks to the brand: mentions or answers an official account, or stands on its wall
	products []int
	label    stream.Label
}

// feed is a variant of a platform's format.
type feed uint8

const (
	feedFirst  feed = iota // Twitter v1.1, VK Callback, YouTube threads, Mastodon WebSocket, RSS flat, Reddit API
	feedSecond             // Twitter v2, VK Streaming, RSS as gofeed, Reddit dump
)

// place is where a post stands when it is not its author's own page: a wall, page, chat, video, subreddit or site.
type place struct {
	account        // the owner; brand is nobody unless it is an official account
	video   string // YouTube
}

// post is one item on its way, with all that its renderer and the truth need. It is rendered when it is delivered, so
// that held-back items cost little.
type post struct {
	platform stream.Platform
	kind     stream.Kind
	feed     feed
	id       string // as the decoder must give it
	num      int64  // the number in id, where there is one
	thread   string // equal for all posts of a conversation; "" on platforms that pair customer and brand
	at       stream.Time
	editedAt stream.Time
	author   account
	text     string // plain text as the decoder must give it
	lang     string
	parent   *post
	root     *post // first post of the thread; nil for itself
	original *post // of a repost
	place    *place
	address  *account // official account mentioned by mark-up at the start of the text
	namings  []naming
	severe   bool
	question bool
	note     string // of kinds that are not texts: which event

	// The life of the post in the story; not rendered.
	mood     mood
	deliver  stream.Time
	order    uint64 // ties in time are broken by the order of creation
	copied   bool   // a second delivery of an item
	broken   broken // a malformed copy of an item
	turn     int    // how many times its author has come back already
	canned   bool   // an automatic text, whoever sends it
	leaks    bool   // an answer that tells a telephone number
	replied  bool   // an answer that ends waits is promised, so it needs one whatever its label
	changing bool   // an edit of it is on its way, so it must not be deleted
}

// broken says what is wrong with a record.
type broken uint8

const (
	whole   broken = iota
	cut            // ends in the middle
	doubled        // two objects run together
	garbled        // not JSON at all
	brokens
)

// when returns when the post happens: an edit happens when it is made.
func (p *post) when() stream.Time {
	if p.editedAt != 0 {
		return p.editedAt
	}
	return p.at
}

// first returns the first post of the thread.
func (p *post) first() *post {
	if p.root != nil {
		return p.root
	}
	return p
}

// snowflakeEpoch is the start of Twitter's ids, Unix milliseconds.
const snowflakeEpoch = 1288834974657

// identify gives the post its id and thread. It needs platform, kind, at, place, parent and root.
func (s *Simulator) identify(p *post) {
	s.serial++
	n := s.serial
	var buf [96]byte
	b := buf[:0]
	switch p.platform {
	case stream.Twitter:
		p.num = (int64(p.at)-snowflakeEpoch)<<22 | int64(n&(1<<22-1))
		b = appendInt(b, p.num)
	case stream.VK:
		p.num = int64(n)
		owner := vkOwner(p)
		b = appendInt(b, owner)
		b = append(b, '_')
		b = appendInt(b, p.num)
		p.thread = strconv.FormatInt(owner, 10) + "_" + strconv.FormatInt(p.first().num, 10)
	case stream.Facebook:
		p.num = 900_000_000_000_000 + int64(n)
		if p.kind == stream.Comment {
			b = appendInt(b, p.first().num)
		} else {
			b = append(b, p.place.id...)
		}
		b = append(b, '_')
		b = appendInt(b, p.num)
	case stream.YouTube:
		if p.parent != nil {
			b = append(b, p.first().id...)
			b = append(b, '.')
			b = appendToken(b, mix(n), 22)
		} else {
			b = append(b, "Ugx"...)
			b = appendToken(b, mix(n), 16)
			b = append(b, "4AaABAg"...)
		}
	case stream.Telegram:
		p.num = int64(n)
		b = append(b, p.place.id...)
		b = append(b, '_')
		b = appendInt(b, p.num)
		p.thread = p.place.id
	case stream.Bluesky:
		b = append(b, "at://"...)
		b = append(b, p.author.id...)
		b = append(b, '/')
		b = append(b, blueskyCollection(p.kind)...)
		b = append(b, '/')
		b = appendTID(b, p.at, n)
	case stream.Mastodon:
		p.num = int64(p.at)<<16 | int64(n&(1<<16-1))
		b = appendInt(b, p.num)
	case stream.Reddit:
		if p.kind == stream.Comment {
			b = append(b, "t1_"...)
		} else {
			b = append(b, "t3_"...)
		}
		b = appendBase36(b, 1_000_000_000+n)
	case stream.LiveJournal:
		b = append(b, "https://"...)
		b = append(b, p.author.handle...)
		b = append(b, ".livejournal.com/"...)
		b = appendInt(b, int64(n))
		b = append(b, ".html"...)
	case stream.Generic:
		b = append(b, p.place.id...)
		b = append(b, '-')
		b = appendInt(b, int64(n))
	}
	p.id = string(b)
	switch p.platform {
	case stream.Facebook, stream.YouTube, stream.Bluesky, stream.Reddit, stream.LiveJournal, stream.Generic:
		p.thread = p.first().id
	default: // pairs customer and brand
	}
}

// vkOwner returns the owner id of the wall that the post stands on.
func vkOwner(p *post) int64 {
	switch r := p.first(); {
	case r.place != nil:
		return r.place.num
	default:
		return r.author.num
	}
}

// appendTID appends an AT Protocol timestamp id: 53 bits of microseconds and a clock id of 10 bits in sortable base32
// (atproto.com/specs/tid).
func appendTID(b []byte, t stream.Time, n uint64) []byte {
	return appendBase32(b, uint64(t)*1000<<10|n&1023, 13)
}

// precise cuts t to the precision in which the platform states times.
func precise(p stream.Platform, t stream.Time) stream.Time {
	switch p {
	case stream.Twitter, stream.Bluesky, stream.Mastodon, stream.Generic:
		return t
	default:
		return t.Truncate(stream.Second)
	}
}
