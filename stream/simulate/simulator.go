package simulate

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"otklik/stream"
	"otklik/stream/brand"
)

// Record is one raw record in the order of delivery.
type Record struct {
	Platform    stream.Platform
	Value       []byte      // raw JSON, valid until the next call of Next
	EventTime   stream.Time // of the item in it; of a malformed record that of the item it was made from
	DeliveredAt stream.Time // when the platform delivers it: event time plus its delay; grows from record to record
}

// Simulator plays the story. It is not safe for concurrent use.
type Simulator struct {
	cfg      Config
	share    Proportions
	rng      *rand.Rand
	end      stream.Time
	curve    *curve
	brands   []troupe
	products []string // keys of all products that texts can name
	official map[string]bool
	ru, en   *stage
	lines    map[lineKey][]line

	planned   int // records delivered or promised
	jitter    float64
	now       stream.Time
	serial    uint64
	order     uint64
	events    queue
	outbox    queue
	items     int // published, to keep the share of those about no brand
	unmatched int
	told      bool // everything has happened; the outbox is emptied
	replies   int  // of official accounts, automatic ones apart

	recent  map[stream.Platform]*memory
	crowd   map[stream.Platform]uint64 // people on the platform
	relists []*post                    // YouTube comments to be listed again
	labels  map[labelKey]stream.Label
	truth   *ledger
	buf     []byte
	inner   []byte
	shown   []*post // the items of the record that Next returned last
}

type lineKey struct {
	stage *stage
	mood  mood
}

// line is a phrase of a mood; with a product its term is already in it.
type line struct {
	text    string
	product int
}

// New prepares a simulation. It fails if the configuration is invalid, or if the catalogue's terms are so general
// that no phrase of the simulator is free of them.
func New(cfg Config) (*Simulator, error) {
	cfg = cfg.WithDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("simulate: %w", err)
	}
	if cfg.Label == nil {
		label, err := shippedLabeller(cfg.Catalogue)
		if err != nil {
			return nil, fmt.Errorf("simulate: %w", err)
		}
		cfg.Label = label
	}
	s := &Simulator{
		cfg:      cfg,
		share:    *cfg.Proportions,
		rng:      rand.New(rand.NewPCG(cfg.Seed, 0x6f746b6c696b)),
		end:      cfg.Start + stream.Time(cfg.Duration.Milliseconds()),
		outbox:   queue{delivery: true},
		now:      cfg.Start,
		official: map[string]bool{},
		lines:    map[lineKey][]line{},
		recent:   map[stream.Platform]*memory{},
		crowd:    map[stream.Platform]uint64{},
		labels:   map[labelKey]stream.Label{},
		truth:    newLedger(len(cfg.Catalogue.Brands)),
	}
	s.curve = newCurve(cfg.Start, cfg.Duration, s.wave)
	for _, p := range stream.Platforms {
		s.recent[p] = &memory{}
		s.crowd[p] = uint64(max(60, float64(cfg.Events)*platformShare(p)/5))
	}
	if err := s.casting(); err != nil {
		return nil, fmt.Errorf("simulate: %w", err)
	}
	s.jitter = s.rng.Float64()
	return s, nil
}

// casting reads the catalogue.
func (s *Simulator) casting() error {
	c := s.cfg.Catalogue
	t := termsOf(c)
	var err error
	if s.ru, err = russian.fit(c, t); err != nil {
		return err
	}
	if s.en, err = english.fit(c, t); err != nil {
		return err
	}
	index := map[string]int{}
	for i := range c.Brands {
		b := &c.Brands[i]
		tr := troupe{key: b.Key, own: b.Own, desk: desks[i%len(desks)], accounts: map[stream.Platform][]account{}, weight: 1}
		if b.Own {
			tr.weight = 2.2
		}
		if tr.names = namesOf(b, i, t); len(tr.names) == 0 {
			return fmt.Errorf("brand %q has no alias that can stand in a text: add one without * or @, which no other brand or product shares", b.Key)
		}
		for _, p := range stream.Platforms {
			for _, a := range b.Accounts[p] {
				acc, ok := officialAccount(p, a, b.Name, i)
				if !ok {
					continue
				}
				tr.accounts[p] = append(tr.accounts[p], acc)
				s.official[string(p)+acc.id] = true
				s.official[string(p)+"@"+strings.ToLower(acc.handle)] = true
			}
		}
		for _, list := range [][]brand.Product{c.Products, b.Products} {
			for i := range list {
				pr := product{key: list[i].Key, terms: t.sayable(&list[i])}
				if len(pr.terms) == 0 {
					continue
				}
				if _, ok := index[pr.key]; !ok {
					index[pr.key] = len(s.products)
					s.products = append(s.products, pr.key)
				}
				tr.products = append(tr.products, pr)
			}
		}
		s.brands = append(s.brands, tr)
	}
	s.write(t, index)
	return nil
}

// namesOf returns what the i-th brand is called in texts.
func namesOf(b *brand.Brand, i int, t *terms) []string {
	var names []string
	for _, alias := range spellings(b) {
		name, ok := literal(alias)
		if !ok || t.ambiguous(name, i, b) {
			continue
		}
		names = append(names, name)
		if strings.ContainsAny(name, " -") || len([]rune(name)) < 3 {
			continue
		}
		names = append(names, strings.ToUpper(name), "#"+name)
	}
	return names
}

// sayable returns the terms of the product that name it and nothing else.
func (t *terms) sayable(p *brand.Product) []string {
	var list []string
	for _, term := range p.Terms {
		if w, ok := literal(term); ok && t.clean(w, p.Key) {
			list = append(list, w)
		}
	}
	return list
}

// write makes the lines of every mood: the plain ones, and those about the products that all brands share. Products of one
// brand alone stay out, because in the texts of the others they would name nothing.
func (s *Simulator) write(t *terms, index map[string]int) {
	common := map[string]bool{}
	for i := range s.cfg.Catalogue.Products {
		common[s.cfg.Catalogue.Products[i].Key] = true
	}
	for _, st := range []*stage{s.ru, s.en} {
		for m := range moods {
			k := lineKey{st, m}
			for _, text := range st.plain[m] {
				s.lines[k] = append(s.lines[k], line{text, allProducts})
			}
			for _, pr := range s.brands[0].products {
				if !common[pr.key] {
					continue
				}
				for _, term := range plainNames(pr.terms, st.lang) {
					for _, text := range st.product[m] {
						text = strings.ReplaceAll(text, "{P}", term)
						if t.clean(strings.ReplaceAll(text, "{B}", "·"), pr.key) {
							s.lines[k] = append(s.lines[k], line{text, index[pr.key]})
						}
					}
				}
			}
		}
	}
}

// plainNames returns the first two terms in the script of the language. A catalogue begins with the plain name of a
// product; what follows are inflected and colloquial forms.
func plainNames(terms []string, lang string) []string {
	var list []string
	for _, term := range terms {
		if sameScript(term, lang) {
			list = append(list, term)
		}
	}
	return list[:min(2, len(list))]
}

// spellings returns the aliases of the brand, first its display name if that is one of them.
func spellings(b *brand.Brand) []string {
	for _, alias := range b.Aliases {
		if w, ok := literal(alias); ok && slices.Equal(words(w), words(b.Name)) {
			return append([]string{b.Name}, b.Aliases...)
		}
	}
	return b.Aliases
}

// ambiguous reports whether the name of the i-th brand also names another brand or product, or is vetoed.
func (t *terms) ambiguous(name string, i int, b *brand.Brand) bool {
	ws := words(name)
	for other, list := range t.aliases {
		if other != i && holds(ws, list) {
			return true
		}
	}
	return holds(ws, patternsOf(b.Vetoes...), t.severity, t.spam, t.automatic, t.questions) || !t.freeOfProducts(ws, "")
}

// officialAccount turns an account of the catalogue into one that can act. What the catalogue leaves out is made up, except
// where the platform's records name accounts only by what is missing.
func officialAccount(p stream.Platform, a brand.Account, name string, index int) (account, bool) {
	out := account{
		id: a.ID, handle: strings.TrimPrefix(strings.TrimSpace(a.Name), "@"), name: name, brand: index,
		approved: a.Approved, automatic: a.Automatic, followers: 250_000,
	}
	switch p {
	case stream.Twitter, stream.Mastodon, stream.Telegram:
		if out.handle == "" && p != stream.Telegram {
			out.handle = "official_" + strconv.Itoa(index)
		}
		if out.id == "" {
			h := int64(mix(uint64(len(out.handle))+uint64(index)<<8) >> 24)
			out.id = strconv.FormatInt(h, 10)
		}
	case stream.VK, stream.Facebook, stream.YouTube, stream.Bluesky:
		if out.id == "" {
			return account{}, false // their records carry no handles
		}
	case stream.Reddit:
		if out.handle == "" {
			return account{}, false
		}
		if out.id == "" {
			out.id = "t2_" + strings.ToLower(strings.ReplaceAll(out.handle, "_", ""))
		}
	case stream.LiveJournal:
		if out.handle == "" {
			out.handle = out.id
		}
		out.id = out.handle
	case stream.Generic:
		if out.id == "" {
			out.id = out.handle
		}
	}
	switch p {
	case stream.Twitter, stream.Mastodon, stream.Telegram, stream.VK, stream.Facebook:
		n, err := strconv.ParseInt(out.id, 10, 64)
		if err != nil {
			return account{}, false // not an id that this platform could send
		}
		out.num = n
	default: // its ids are not numbers
	}
	return out, true
}

// Next returns the next record in the order of delivery, and false after the last one.
func (s *Simulator) Next() (Record, bool) {
	for {
		if p := s.outbox.head(); p != nil && (s.told || p.deliver <= s.now) {
			return s.deliver(s.outbox.take()), true
		}
		if s.told {
			return Record{}, false
		}
		s.told = !s.step()
	}
}

// step lets the next thing happen, in the order of event time. It returns false when the story is over.
func (s *Simulator) step() bool {
	next := s.end
	if s.planned < s.cfg.Events {
		q := (float64(s.planned) + s.jitter) / float64(s.cfg.Events)
		next = max(s.now, s.curve.at(q))
	}
	if p := s.events.head(); p != nil && (p.when() <= next || s.planned >= s.cfg.Events) {
		s.now = max(s.now, p.when())
		s.publish(s.events.take())
		return true
	}
	if s.planned >= s.cfg.Events {
		return false
	}
	s.now = next
	s.jitter = s.rng.Float64()
	s.planned++
	s.publish(s.primary(next))
	return true
}

// promise schedules a post that another one brings about, if the day still holds it.
func (s *Simulator) promise(p *post) bool {
	if s.planned >= s.cfg.Events || p.when() >= s.end {
		return false
	}
	s.planned++
	s.order++
	p.order = s.order
	s.events.put(p)
	return true
}

// publish lets a post appear on its platform: it gets its id, counts in the truth, is sent out, and is reacted to.
func (s *Simulator) publish(p *post) {
	switch p.kind {
	case stream.Post, stream.Comment, stream.Repost:
		s.identify(p)
		for i := range p.namings {
			p.namings[i].label = s.label(p, p.namings[i].brand)
		}
		future := p.at > s.end // a dead letter
		if !future {
			s.change(p)
		}
		s.send(p)
		if future {
			return
		}
		s.count(p, +1)
		s.judge(p)
		s.items++
		if len(p.namings) == 0 {
			s.unmatched++
		}
		s.recent[p.platform].keep(p)
		s.react(p)
		for i := range p.namings {
			s.hear(p, &p.namings[i])
		}
	case stream.Edit:
		for i := range p.namings {
			p.namings[i].label = s.label(p, p.namings[i].brand)
		}
		before := p.original
		s.count(before, -1)
		s.count(p, +1)
		s.send(p)
	default:
		s.identify(p)
		s.send(p)
	}
}

// send puts the post on its way, sometimes twice, sometimes late, sometimes with a broken copy.
func (s *Simulator) send(p *post) {
	item := p.kind == stream.Post || p.kind == stream.Comment || p.kind == stream.Repost
	arrival := max(p.when(), s.now)
	if p.at > s.end {
		arrival = s.now
	}
	switch u := s.rng.Float64(); {
	case p.changing || p.kind == stream.Edit:
		// The versions of an item come in their order.
		p.deliver = arrival + 100 + stream.Time(s.rng.Int64N(int64(2*stream.Second-100)))
	case item && u < s.share.Late:
		p.deliver = arrival + stream.Hour + stream.Time(s.rng.Int64N(int64(71*stream.Hour)))
	case u < s.share.Late+s.share.Disorder:
		p.deliver = arrival + stream.Time(s.rng.Int64N(int64(90*stream.Second)))
	default:
		p.deliver = arrival + 100 + stream.Time(s.rng.Int64N(int64(2*stream.Second-100)))
	}
	s.post(p)
	if p.at > s.end {
		return
	}
	if item && !p.changing && s.planned < s.cfg.Events && s.rng.Float64() < s.share.Duplicates {
		c := *p
		c.copied = true
		c.deliver += 500 + stream.Time(s.rng.Int64N(int64(10*stream.Minute)))
		if s.twoFeeds(p) && s.rng.IntN(2) == 0 {
			c.feed = 1 - p.feed
		}
		if p.platform == stream.YouTube && s.rng.IntN(2) == 0 {
			s.relists = append(s.relists, &c) // polling lists it again beside the next comment
		} else {
			s.planned++
			s.post(&c)
		}
	}
	if s.planned < s.cfg.Events && s.rng.Float64() < s.share.Malformed {
		c := *p
		c.broken = 1 + broken(s.rng.IntN(int(brokens-1)))
		c.deliver += stream.Time(s.rng.Int64N(int64(5 * stream.Second)))
		s.planned++
		s.post(&c)
	}
}

func (s *Simulator) post(p *post) {
	s.order++
	p.order = s.order
	s.outbox.put(p)
}

// twoFeeds reports whether the post can come through both feeds of its platform with the same content. A VK answer
// names the comment it answers in the Callback API alone.
func (s *Simulator) twoFeeds(p *post) bool {
	switch p.platform {
	case stream.Twitter:
		return true
	case stream.VK:
		r := p.first()
		return p.author.brand == nobody && p.kind != stream.Repost && r.place != nil && r.place.brand != nobody
	default:
		return false
	}
}

// deliver renders the post and writes the books.
func (s *Simulator) deliver(p *post) Record {
	s.shown = append(s.shown[:0], p)
	s.buf = s.render(s.buf[:0], p)
	b := s.truth.page(p.platform)
	b.Records++
	if p.broken != whole {
		s.buf = damage(s.buf, p.broken, p.order)
		s.shown = s.shown[:0]
		b.Read++
		b.DeadLetters++
		s.truth.reasons[p.broken.reason()]++
		return Record{p.platform, s.buf, p.at, p.deliver}
	}
	for _, q := range s.shown {
		s.book(b, q)
	}
	return Record{p.platform, s.buf, p.at, p.deliver}
}

// book writes what became of an item.
func (s *Simulator) book(b *Books, p *post) {
	n := max(1, int64(len(p.namings)))
	b.Read += n
	switch {
	case p.at > s.end:
		b.DeadLetters += n
		s.truth.reasons["future"] += n
	case p.kind != stream.Post && p.kind != stream.Comment && p.kind != stream.Repost:
		b.Other += n
	case len(p.namings) == 0:
		b.Unmatched++
	case p.copied:
		b.Duplicates += n
	default:
		b.Mentions += n
	}
}
