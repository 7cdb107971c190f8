package simulate

import "otklik/stream"

// The oracle of response times. It is deliberately simpler than stream/care and shares nothing with it: the story
// happens in the order of event time, and an answer is promised when its request appears, so one open wait per customer
// and conversation is all that there is to remember.

// needsAnswer is the rule for messages that the brand ought to answer: a customer's post or comment that speaks to the
// brand, is negative or asks; except a positive one that asks nothing.
func needsAnswer(p *post, n *naming) bool {
	if n.role != stream.Customer || p.kind == stream.Repost {
		return false
	}
	if n.label == stream.Positive && !p.question {
		return false
	}
	return n.directed || n.label == stream.Negative || p.question
}

// waitKey names a customer's conversation with a brand. Where a platform has no conversation id the customer and the
// brand are the conversation and thread is "".
type waitKey struct {
	brand    int
	platform stream.Platform
	thread   string
	customer string
}

// wait is the state of a conversation: the earliest customer message since the last answer that ended a wait.
type wait struct {
	id         string // "" when nothing waits
	since      stream.Time
	answeredAt stream.Time // of the last answer that ended a wait
}

// hear takes note of a turn of a conversation.
func (s *Simulator) hear(p *post, n *naming) {
	if p.kind == stream.Repost || n.role == stream.Spam {
		return
	}
	if n.role == stream.Own {
		if p.parent != nil {
			s.respond(p, n)
		}
		return
	}
	k := waitKey{n.brand, p.platform, p.thread, p.author.id}
	if needsAnswer(p, n) || p.replied {
		s.await(k, p)
	}
}

// await notes that the customer's message needs an answer, if it is the first since the last answer.
func (s *Simulator) await(k waitKey, p *post) {
	w := s.truth.waits[k]
	if w.id == "" {
		s.truth.requests[k.brand]++
	} else if w.since < p.at || w.since == p.at && w.id < p.id {
		return
	}
	w.id, w.since = p.id, p.at
	s.truth.waits[k] = w
}

// respond notes an answer of the brand: the direct pair always, the waiting pair if it ends a wait.
func (s *Simulator) respond(p *post, n *naming) {
	request := p.parent
	k := waitKey{n.brand, p.platform, p.thread, request.author.id}
	direct := int64(p.at - request.at)
	row := Response{
		Brand: s.brands[n.brand].key, Platform: p.platform, Customer: request.author.id,
		RequestID: request.id, RequestAt: request.at, DirectMS: &direct,
		ResponseID: p.id, ResponseAt: p.at, Responder: p.author.id,
		Approved: p.author.approved, Automatic: p.automatic(),
	}
	if row.Approved && !row.Automatic {
		if w := s.truth.waits[k]; w.answeredAt < request.at {
			s.await(k, request) // the platform says that it was answered, so it needed an answer
		}
		w := s.truth.waits[k]
		if w.id != "" {
			waiting := int64(p.at - w.since)
			row.WaitingID, row.WaitingSince, row.WaitingMS = w.id, w.since, &waiting
			s.truth.answered[n.brand]++
		}
		s.truth.waits[k] = wait{answeredAt: p.at}
	}
	s.truth.rows = append(s.truth.rows, row)
}

// automatic reports whether the post is an automatic reply.
func (p *post) automatic() bool { return p.author.automatic || p.canned }
