package simulate

import "otklik/stream"

// render appends the record of the post in the format of its platform and feed.
func (s *Simulator) render(b []byte, p *post) []byte {
	if isSignal(p.kind) {
		return s.renderSignal(b, p)
	}
	switch p.platform {
	case stream.Twitter:
		if p.feed == feedSecond {
			return s.tweetV2(b, p)
		}
		return s.tweet(b, p)
	case stream.VK:
		if p.feed == feedSecond {
			return s.vkStreaming(b, p)
		}
		return s.vkCallback(b, p)
	case stream.Facebook:
		return s.facebook(b, p)
	case stream.YouTube:
		return s.youtube(b, p)
	case stream.Telegram:
		return s.telegram(b, p)
	case stream.Bluesky:
		return s.bluesky(b, p)
	case stream.Mastodon:
		return s.mastodon(b, p)
	case stream.Reddit:
		return s.reddit(b, p)
	case stream.LiveJournal:
		return s.livejournal(b, p)
	default:
		return s.generic(b, p)
	}
}

// isSignal reports whether the kind is no text of anybody.
func isSignal(k stream.Kind) bool {
	switch k {
	case stream.Post, stream.Comment, stream.Repost, stream.Edit:
		return false
	default:
		return true
	}
}

// reason is the dead letter's reason, as the decoders name it.
func (d broken) reason() string {
	if d == doubled {
		return "trailing_data"
	}
	return "malformed_json"
}

// damage breaks a record. n makes the place of a cut differ from record to record.
func damage(b []byte, how broken, n uint64) []byte {
	switch how {
	case cut:
		return b[:1+mix(n)%uint64(len(b)-1)]
	case doubled:
		return append(b, b...)
	default:
		return append(b[:0], "upstream connect error or disconnect/reset before headers"...)
	}
}
