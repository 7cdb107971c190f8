package simulate

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"

	"otklik/stream"
	"otklik/stream/brand"
)

// Tweets generates Twitter v1.1 statuses of about 2 KB without end, fast enough to fill a topic for a benchmark: the
// statuses are rendered beforehand, and only ids, times and authors are put into them. It is not safe for concurrent use.
type Tweets struct {
	rng     *rand.Rand
	match   float64
	matched []template
	other   []template
	at      stream.Time // of the next tweet, without the fraction
	part    float64     // fraction of a millisecond
	gap     float64     // milliseconds between two tweets
	n       uint64
	authors uint64
	buf     []byte
}

// template is a rendered status with the places of what changes.
type template struct {
	raw    []byte
	id     []int // of the status, 19 digits
	author []int // 10 digits
	date   int   // of created_at
	millis int   // of timestamp_ms, 13 digits
}

// TweetConfig says which tweets to generate. The zero value of Rate, Authors, Start and Catalogue stands for the default.
type TweetConfig struct {
	Seed       uint64
	MatchShare float64          // share of tweets that name a brand of the catalogue
	Rate       float64          // tweets per second of event time; default 5,000
	Authors    uint64           // default and at most 1,000,000
	Start      stream.Time      // of the first tweet, up to the year 2033; default DefaultDay
	Catalogue  *brand.Catalogue // default brand.Example()
}

// templates is how many statuses are rendered beforehand for each of the two shares.
const templates = 1024

// NewTweets renders the templates.
func NewTweets(cfg TweetConfig) (*Tweets, error) {
	if cfg.Rate == 0 {
		cfg.Rate = 5000
	}
	if cfg.Authors == 0 {
		cfg.Authors = 1_000_000
	}
	switch {
	case !(cfg.MatchShare >= 0 && cfg.MatchShare <= 1):
		return nil, fmt.Errorf("generate tweets: match share is %v: it must be between 0 and 1", cfg.MatchShare)
	case !(cfg.Rate > 0 && cfg.Rate <= 1e7):
		return nil, fmt.Errorf("generate tweets: rate is %v: it must be between 0 and 10000000 tweets a second", cfg.Rate)
	case cfg.Authors > 1_000_000:
		return nil, fmt.Errorf("generate tweets: authors is %d: it must be at most 1000000", cfg.Authors)
	}
	s, err := New(Config{
		Seed: cfg.Seed, Events: 1, Start: cfg.Start, Catalogue: cfg.Catalogue,
		Label: func(string, string, string) stream.Label { return stream.Unlabelled }, // nobody asks for the truth
	})
	if err != nil {
		return nil, err
	}
	t := &Tweets{
		rng: rand.New(rand.NewPCG(cfg.Seed, 0x7477656574)), match: cfg.MatchShare, at: s.cfg.Start, gap: 1000 / cfg.Rate, authors: cfg.Authors,
	}
	for range templates {
		st := s.ru
		if s.chance(0.15) {
			st = s.en
		}
		for _, list := range []*[]template{&t.matched, &t.other} {
			p := s.smallTalk(stream.Twitter, st, s.cfg.Start)
			if list == &t.matched {
				p = s.opinion(stream.Twitter, st, s.cfg.Start, s.brand(0))
			}
			p.parent, p.kind = nil, stream.Post
			s.identify(p)
			tpl, err := newTemplate(s.padded(p), p)
			if err != nil {
				return nil, err
			}
			*list = append(*list, tpl)
		}
	}
	return t, nil
}

// padded renders a status of 2 KB: real ones carry descriptions, links and media that the story does without.
func (s *Simulator) padded(p *post) []byte {
	const size = 2048
	raw := s.tweet(nil, p)
	if short := size - len(raw); short > 0 {
		at := bytes.Index(raw, []byte(`"description":null`)) + len(`"description":`)
		words := strings.Repeat("coffee, trains, photographs of rivers. ", short/39+1)[:short]
		raw = append(raw[:at:at], append([]byte(`"`+words+`"`), raw[at+len("null"):]...)...)
	}
	return raw
}

func newTemplate(raw []byte, p *post) (template, error) {
	t := template{raw: raw, id: places(raw, p.id), author: places(raw, p.author.id)}
	t.date = bytes.Index(raw, []byte(`{"created_at":"`)) + len(`{"created_at":"`)
	t.millis = bytes.Index(raw, []byte(`"timestamp_ms":"`)) + len(`"timestamp_ms":"`)
	if len(p.id) != 19 || len(p.author.id) != 10 || len(t.id) != 2 || len(t.author) != 2 {
		return template{}, fmt.Errorf("generate tweets: the status %s of %s does not fit a template: choose a start between 2016 and 2033", p.id, p.author.id)
	}
	return t, nil
}

// places returns where s stands in raw.
func places(raw []byte, s string) []int {
	var list []int
	for from := 0; ; {
		i := bytes.Index(raw[from:], []byte(s))
		if i < 0 {
			return list
		}
		list = append(list, from+i)
		from += i + len(s)
	}
}

// Next returns the next tweet, valid until the next call, and its event time. Times grow by 1/Rate seconds, ids with them.
func (t *Tweets) Next() ([]byte, stream.Time) {
	list := t.other
	if t.rng.Float64() < t.match {
		list = t.matched
	}
	tpl := &list[t.rng.IntN(len(list))]
	t.buf = append(t.buf[:0], tpl.raw...)
	at := t.at
	var digits [20]byte
	id := strconv.AppendInt(digits[:0], (int64(at)-snowflakeEpoch)<<22|int64(t.n&(1<<22-1)), 10)
	for _, i := range tpl.id {
		copy(t.buf[i:i+19], id)
	}
	author := strconv.AppendInt(digits[:0], 1_000_000_000+int64(t.rng.Uint64N(t.authors))*7919, 10)
	for _, i := range tpl.author {
		copy(t.buf[i:i+10], author)
	}
	at.Go().AppendFormat(t.buf[tpl.date:tpl.date:tpl.date+len(layoutTwitter)], layoutTwitter)
	strconv.AppendInt(t.buf[tpl.millis:tpl.millis:tpl.millis+13], int64(at), 10)
	t.n++
	t.part += t.gap
	whole := stream.Time(t.part)
	t.at += whole
	t.part -= float64(whole)
	return t.buf, at
}
