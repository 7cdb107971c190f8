package window

import "otklik/stream"

// severeFrom is the severity from which a mention counts as severe.
const severeFrom = 2

// CountsOf returns what one mention adds to its panes. A delete notice adds nothing. Requests and Answered are not
// known from a mention alone: Store.Respond counts them.
func CountsOf(m *stream.Mention) Counts {
	var c Counts
	switch {
	case m.Erased:
		return c
	case m.Role == stream.Own:
		c.Own = 1
		return c
	case m.Role == stream.Spam:
		c.Spam = 1
		return c
	}
	switch m.Label {
	case stream.Positive:
		c.Positive = 1
	case stream.Neutral:
		c.Neutral = 1
	case stream.Negative:
		c.Negative = 1
	default:
		c.Unlabelled = 1
	}
	c.Reposts = one(m.Item.Kind == stream.Repost)
	c.Questions = one(m.Has(stream.Question))
	c.Complaints = one(m.Has(stream.Complaint))
	c.Severe = one(m.Severity >= severeFrom)
	c.Advocacy = one(m.Has(stream.Advocacy))
	c.NeedsAnswer = one(m.Has(stream.NeedsAnswer))
	c.Audience = m.Item.Followers.Value()
	c.Likes = m.Item.Likes.Value()
	c.Shares = m.Item.Shares.Value()
	c.Views = m.Item.Views.Value()
	return c
}

func one(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// Add adds o, sign times: 1 adds it and −1 takes it away.
func (c *Counts) Add(o *Counts, sign int64) {
	c.Positive += sign * o.Positive
	c.Neutral += sign * o.Neutral
	c.Negative += sign * o.Negative
	c.Unlabelled += sign * o.Unlabelled
	c.Own += sign * o.Own
	c.Spam += sign * o.Spam
	c.Reposts += sign * o.Reposts
	c.Questions += sign * o.Questions
	c.Complaints += sign * o.Complaints
	c.Severe += sign * o.Severe
	c.Advocacy += sign * o.Advocacy
	c.NeedsAnswer += sign * o.NeedsAnswer
	c.Audience += sign * o.Audience
	c.Likes += sign * o.Likes
	c.Shares += sign * o.Shares
	c.Views += sign * o.Views
	c.Requests += sign * o.Requests
	c.Answered += sign * o.Answered
}

// Labelled returns the number of mentions that carry a label: the denominator of every share.
func (c *Counts) Labelled() int64 { return c.Positive + c.Neutral + c.Negative }

// Mentions returns the number of mentions by customers, labelled or not.
func (c *Counts) Mentions() int64 { return c.Labelled() + c.Unlabelled }

// Zero reports whether nothing is counted.
func (c *Counts) Zero() bool { return *c == Counts{} }

// Contribution is what one mention adds to the panes, and all that is needed to take it away again when an edit
// replaces it.
type Contribution struct {
	PublishedAt stream.Time // of the first version: an edit does not move a mention
	Brand       string
	Platform    stream.Platform
	Products    []string // each at most once
	Counts      Counts
}

// ContributionOf returns what m adds. For an edit the caller sets PublishedAt to that of the first version. Products
// is shared with m.
func ContributionOf(m *stream.Mention) Contribution {
	return Contribution{
		PublishedAt: m.Item.PublishedAt,
		Brand:       m.Brand,
		Platform:    m.Item.Platform,
		Products:    m.Products,
		Counts:      CountsOf(m),
	}
}
