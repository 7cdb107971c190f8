package simulate

import (
	"math"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"otklik/stream"
	"otklik/stream/brand"
)

// platformShares is how the posts divide over the platforms.
var platformShares = []struct {
	platform stream.Platform
	share    float64
	english  float64 // share of posts in English
}{
	{stream.Twitter, 0.33, 0.15},
	{stream.VK, 0.25, 0},
	{stream.Telegram, 0.12, 0.02},
	{stream.YouTube, 0.07, 0.10},
	{stream.Facebook, 0.06, 0.05},
	{stream.Bluesky, 0.05, 0.50},
	{stream.Mastodon, 0.04, 0.40},
	{stream.Reddit, 0.03, 0.60},
	{stream.LiveJournal, 0.02, 0},
	{stream.Generic, 0.03, 0},
}

func platformShare(p stream.Platform) float64 {
	for _, s := range platformShares {
		if s.platform == p {
			return s.share
		}
	}
	return 0
}

func (s *Simulator) pick(list []string) string { return list[s.rng.IntN(len(list))] }

// name draws a name of a brand, mostly the display name.
func (s *Simulator) name(brand int) string {
	if s.chance(0.6) {
		return s.brands[brand].names[0]
	}
	return s.pick(s.brands[brand].names)
}

func (s *Simulator) chance(p float64) bool { return s.rng.Float64() < p }

// somebody draws a person of the platform; few write much, most write once.
func (s *Simulator) somebody(p stream.Platform) account {
	u := s.rng.Float64()
	n := uint64(u * u * float64(s.crowd[p]))
	for {
		a := person(p, n)
		if !s.official[string(p)+a.id] && !s.official[string(p)+"@"+a.handle] {
			return a
		}
		n += s.crowd[p]
	}
}

// blogger draws a person whom many follow.
func (s *Simulator) blogger(p stream.Platform) account {
	best := s.somebody(p)
	for range 40 {
		if a := s.somebody(p); a.followers > best.followers {
			best = a
		}
	}
	return best
}

// primary is what happens next of itself, not as an answer to something.
func (s *Simulator) primary(t stream.Time) *post {
	u := s.rng.Float64()
	pl, st := stream.Twitter, s.ru
	for _, ps := range platformShares {
		if u < ps.share {
			pl = ps.platform
			if u < ps.share*ps.english {
				st = s.en
			}
			break
		}
		u -= ps.share
	}
	switch u := s.rng.Float64(); {
	case u < s.share.Future:
		return s.opinion(pl, st, s.now+20*365*stream.Day, s.brand(0))
	case u < s.share.Future+s.share.Other:
		return s.signal(pl, t)
	}
	if s.chance(s.digression()) {
		return s.smallTalk(pl, st, t)
	}
	h := s.wave(t)
	b := s.brand(h)
	switch u := s.rng.Float64(); {
	case u < 0.006:
		if p := s.announcement(pl, st, t, b); p != nil {
			return p
		}
	case u < 0.006+0.08+0.06*h:
		if p := s.repost(pl, t); p != nil {
			return p
		}
	case u < 0.12+0.06*h && len(s.brands) > 1:
		return s.comparison(pl, st, t, b)
	}
	return s.opinion(pl, st, t, b)
}

// digression is how probably the next primary item is about no brand: the stated share, corrected for the conversations
// that posts about brands bring about.
func (s *Simulator) digression() float64 {
	share := s.share.Unmatched
	if share == 0 || share == 1 || s.items == 0 {
		return share
	}
	const gain = 8
	return share + gain*(share-float64(s.unmatched)/float64(s.items))
}

// brand draws a brand; while the wave is high mostly the own one.
func (s *Simulator) brand(wave float64) int {
	sum := 0.0
	weight := func(i int) float64 {
		if s.brands[i].own {
			return s.brands[i].weight * (1 + 6*wave)
		}
		return s.brands[i].weight
	}
	for i := range s.brands {
		sum += weight(i)
	}
	u := s.rng.Float64() * sum
	for i := range s.brands {
		if u -= weight(i); u < 0 {
			return i
		}
	}
	return len(s.brands) - 1
}

// draft is a post by somebody at a time, on a platform, in a language.
func (s *Simulator) draft(pl stream.Platform, st *stage, t stream.Time, kind stream.Kind) *post {
	p := &post{platform: pl, kind: kind, at: precise(pl, t), author: s.somebody(pl), lang: st.lang}
	if pl == stream.Twitter && s.chance(0.3) || pl == stream.VK || pl == stream.LiveJournal && s.chance(0.5) ||
		pl == stream.Reddit && s.chance(0.5) || pl == stream.YouTube && s.chance(0.3) {
		p.feed = feedSecond
	}
	return p
}

// smallTalk is about no tracked brand.
func (s *Simulator) smallTalk(pl stream.Platform, st *stage, t stream.Time) *post {
	p := s.draft(pl, st, t, stream.Post)
	p.text = s.pick(st.chatter)
	p.question = strings.Contains(p.text, "?")
	s.settle(p, nobody)
	if s.chance(0.25) {
		s.join(p, nil)
	}
	return p
}

// opinion is what a customer says about a brand.
func (s *Simulator) opinion(pl stream.Platform, st *stage, t stream.Time, b int) *post {
	p := s.draft(pl, st, t, stream.Post)
	h := 0.0
	if s.brands[b].own {
		h = s.wave(t)
	}
	n := naming{brand: b}
	var core string
	switch u := s.rng.Float64(); {
	case s.chance(s.share.Spam) && len(st.spamTerms) > 0:
		n.role = stream.Spam
		core = strings.ReplaceAll(s.pick(st.spam), "{S}", s.pick(st.spamTerms))
	case s.chance(0.85 * h):
		p.mood = complaint
		core = s.pick(st.outage)
		core, n.products = s.fill(st, complaint, core)
		if s.chance(0.05) {
			p.author = s.blogger(pl)
		}
	default:
		switch {
		case u < 0.24:
			p.mood = praise
		case u < 0.58:
			p.mood = remark
		case u < 0.82:
			p.mood = complaint
		default:
			p.mood = ask
		}
		list := s.lines[lineKey{st, p.mood}]
		l := list[s.rng.IntN(len(list))]
		core = l.text
		if l.product != allProducts {
			n.products = []int{l.product}
		}
	}
	if n.role == stream.Customer {
		core = begin(s.pick(st.openers), core)
		if p.mood == complaint && len(st.severeTerms) > 0 && s.chance(0.05+0.1*h) {
			core += ". " + strings.ReplaceAll(s.pick(st.severe), "{S}", s.pick(st.severeTerms))
			p.severe = true
		} else {
			core = end(core, s.pick(st.closers))
		}
	}
	p.text = strings.ReplaceAll(core, "{B}", s.name(b))
	p.namings = []naming{n}
	to := nobody
	if s.chance(0.55) && n.role == stream.Customer {
		to = b
	}
	s.settle(p, to)
	s.finish(p)
	return p
}

// begin puts an opener before a phrase, which goes on in lower case after a comma.
func begin(opener, phrase string) string {
	if strings.HasSuffix(opener, ", ") {
		first, n := utf8.DecodeRuneInString(phrase)
		if next, _ := utf8.DecodeRuneInString(phrase[n:]); unicode.IsLower(next) || next == ' ' {
			return opener + string(unicode.ToLower(first)) + phrase[n:]
		}
	}
	return opener + phrase
}

// end puts a closer behind a phrase, without a full stop after a question.
func end(phrase, closer string) string {
	if strings.HasPrefix(closer, ". ") && (strings.HasSuffix(phrase, "?") || strings.HasSuffix(phrase, "!")) {
		closer = closer[1:]
	}
	return phrase + closer
}

// fill puts a product into an outage phrase that asks for one.
func (s *Simulator) fill(st *stage, m mood, text string) (string, []int) {
	if !strings.Contains(text, "{P}") {
		return text, nil
	}
	list := s.lines[lineKey{st, m}]
	l := list[s.rng.IntN(len(list))]
	if l.product == allProducts {
		return l.text, nil
	}
	return l.text, []int{l.product}
}

// comparison names two brands.
func (s *Simulator) comparison(pl stream.Platform, st *stage, t stream.Time, b int) *post {
	p := s.draft(pl, st, t, stream.Post)
	o := (b + 1 + s.rng.IntN(len(s.brands)-1)) % len(s.brands)
	p.text = strings.NewReplacer("{B}", s.name(b), "{O}", s.name(o)).Replace(s.pick(st.versus))
	p.namings = []naming{{brand: b}, {brand: o}}
	s.settle(p, nobody)
	s.finish(p)
	return p
}

// settle puts the post somewhere: on the wall of the brand's official account or addressed to it (to is its index), or
// where the brand has no say (to is nobody).
func (s *Simulator) settle(p *post, to int) {
	var acc *account
	if to != nobody {
		if list := s.brands[to].accounts[p.platform]; len(list) > 0 {
			if a := &list[s.rng.IntN(len(list))]; !a.automatic {
				acc = a
			}
		}
	}
	switch p.platform {
	case stream.Twitter, stream.Mastodon, stream.Bluesky:
		if acc != nil {
			p.address = acc
		}
	case stream.VK:
		switch {
		case acc != nil && acc.num < 0:
			p.place = &place{account: *acc}
			if s.chance(0.6) {
				p.feed = feedFirst
			}
		case s.chance(0.3):
			p.place = s.neutral(p.platform)
		}
	case stream.Facebook, stream.YouTube, stream.Telegram:
		if acc != nil && (p.platform != stream.Telegram || acc.num < 0) {
			p.place = &place{account: *acc}
		} else {
			p.place = s.neutral(p.platform)
		}
		if p.platform == stream.YouTube {
			p.kind = stream.Comment
			p.place.video = string(appendToken(nil, mix(uint64(s.rng.IntN(40)))+mix(uint64(len(p.place.id)+p.place.brand+9)), 11))
		}
	case stream.Reddit, stream.Generic:
		p.place = s.neutral(p.platform)
	case stream.LiveJournal: // a journal is its author's own place
	}
	if p.address != nil {
		p.text = "@" + p.address.handle + " " + p.text
	}
	if acc != nil && (p.address != nil || p.place != nil && p.place.brand == to) {
		for i := range p.namings {
			if p.namings[i].brand == to {
				p.namings[i].directed = true
			}
		}
	}
}

// neutral is a page, chat, channel or site that belongs to no tracked brand.
func (s *Simulator) neutral(pl stream.Platform) *place {
	n := uint64(s.rng.IntN(50))
	a := account{brand: nobody}
	switch pl {
	case stream.VK:
		a.num = -(70_000_000 + int64(n)*7)
		a.name = "Подслушано " + lastNames[n%12]
	case stream.Facebook:
		a.num = 100_000_000_000_000 + int64(n)*11
		a.name = "Городская лента"
	case stream.Telegram:
		a.num = -(1_001_500_000_000 + int64(n)*19)
		a.handle = "chat_" + handleWords[n%uint64(len(handleWords))]
		a.name = "Соседский чат"
	case stream.YouTube:
		a.id = string(appendToken([]byte("UC"), mix(n+1<<40), 22))
		a.name = "Обзоры и прогулки"
		return &place{account: a}
	case stream.Reddit:
		a.handle = []string{"AskARussian", "moscow", "gadgets", "travel", "rusAskReddit"}[n%5]
		a.id = "t5_" + string(appendBase36(nil, 30_000+n%5))
		return &place{account: a}
	case stream.Generic:
		a.id = []string{"forum.example", "otzyv.example", "blog.example"}[n%3]
		return &place{account: a}
	default: // its posts stand in no place
	}
	a.id = string(appendInt(nil, a.num))
	return &place{account: a}
}

// finish works out what follows from the final text.
func (s *Simulator) finish(p *post) { p.question = strings.Contains(p.text, "?") }

// join makes the post a comment under an earlier one, or under one that nobody has seen.
func (s *Simulator) join(p, under *post) {
	if under == nil {
		under = s.draft(p.platform, s.ru, p.at-stream.Time(s.rng.Int64N(int64(20*stream.Hour)))-stream.Minute, stream.Post)
		under.place = p.place
		if p.platform == stream.LiveJournal || p.platform == stream.YouTube {
			return
		}
		s.identify(under)
	}
	p.kind = stream.Comment
	p.parent, p.root = under, under.first()
	if p.root.place != nil {
		p.place = p.root.place
	}
}

// announcement is a post of the brand itself; nil where the brand does not post.
func (s *Simulator) announcement(pl stream.Platform, st *stage, t stream.Time, b int) *post {
	list := s.brands[b].accounts[pl]
	switch pl {
	case stream.Telegram, stream.YouTube, stream.Reddit, stream.Generic:
		return nil // there the brand only answers
	default: // there it also posts
	}
	if len(list) == 0 || list[0].automatic {
		return nil
	}
	a := &list[0]
	p := &post{platform: pl, kind: stream.Post, at: precise(pl, t), author: *a, lang: st.lang}
	p.text = strings.ReplaceAll(s.pick(st.news), "{B}", s.name(b))
	p.namings = []naming{{brand: b, role: stream.Own}}
	if pl == stream.VK || pl == stream.Facebook {
		p.place = &place{account: *a}
	}
	if pl == stream.VK && a.num > 0 {
		p.feed = feedSecond
	}
	s.finish(p)
	return p
}

// repost spreads something recent; nil if there is nothing that can be.
func (s *Simulator) repost(pl stream.Platform, t stream.Time) *post {
	switch pl {
	case stream.Twitter, stream.VK, stream.Mastodon, stream.Bluesky:
	default:
		return nil
	}
	o := s.recent[pl].draw(s.rng)
	if o == nil || o.kind == stream.Repost || o.parent != nil || o.author.brand != nobody && !o.author.approved || o.at >= t {
		return nil
	}
	return s.spread(o, t)
}

// spread is the repost of one post.
func (s *Simulator) spread(o *post, t stream.Time) *post {
	p := s.draft(o.platform, s.ru, t, stream.Repost)
	p.original, p.lang, p.text, p.severe, p.question = o, o.lang, o.text, o.severe, o.question
	if o.platform == stream.VK && o.place != nil && o.place.brand != nobody && s.chance(0.5) {
		p.feed = feedFirst
	}
	if o.platform == stream.Bluesky {
		// The record names nothing but the address of the original, which tells who wrote that.
		p.text, p.lang, p.severe, p.question = "", "", false, false
	}
	for _, n := range o.namings {
		if o.platform == stream.Bluesky && n.role != stream.Own {
			continue
		}
		if o.platform == stream.Bluesky {
			n.products = nil
		}
		if n.role == stream.Own {
			n.role = stream.Customer
		}
		p.namings = append(p.namings, n)
	}
	return p
}

// react lets others answer a post that has just appeared.
func (s *Simulator) react(p *post) {
	switch {
	case p.kind == stream.Repost:
		return
	case p.author.brand != nobody && p.parent == nil:
		s.followNews(p)
	case p.author.brand != nobody:
		s.followAnswer(p)
	default:
		s.serve(p)
	}
}

// span draws a time between two.
func (s *Simulator) span(from, to stream.Time) stream.Time {
	return from + stream.Time(s.rng.Int64N(int64(to-from)))
}

// serve is the desk's reaction to a customer.
func (s *Simulator) serve(p *post) {
	if len(p.namings) != 1 || p.namings[0].role != stream.Customer {
		return
	}
	n := &p.namings[0]
	b := &s.brands[n.brand]
	if !n.directed {
		switch p.platform {
		case stream.Reddit, stream.Generic:
		case stream.Twitter, stream.Mastodon, stream.Bluesky:
			if !s.chance(0.2) {
				return
			}
		default:
			return
		}
	}
	wanted := 1.0
	if p.mood == praise || p.mood == remark {
		wanted = 0.15
	}
	if r := b.robot(p.platform); r != nil && n.directed && s.chance(0.2*wanted) {
		s.reply(p, r, s.pick(s.script(p).robots), s.span(5*stream.Second, 40*stream.Second), true)
	}
	who := b.official(p.platform)
	if who == nil {
		if who = b.stranger(p.platform); who != nil && s.chance(0.4*wanted) {
			s.reply(p, who, s.pick(s.script(p).answers), s.span(2*stream.Minute, 3*stream.Hour), false)
		}
		return
	}
	if list := b.accounts[p.platform]; s.chance(0.3) { // another agent of the desk
		if a := &list[s.rng.IntN(len(list))]; a.approved && !a.automatic {
			who = a
		}
	}
	if p.turn == 0 && wanted == 1 && s.chance(0.1) {
		s.comeBack(p, p, s.script(p).nags, s.span(5*stream.Minute, 50*stream.Minute), ask)
	}
	if !s.chance(b.desk.answers * wanted) {
		return
	}
	delay := float64(b.desk.median) * math.Exp(0.9*s.rng.NormFloat64())
	if b.own {
		delay *= 1 + 2*s.wave(p.at)
	}
	at := p.at + max(25*stream.Second, stream.Time(delay))
	switch d := timeOfDay(at); {
	case d < b.desk.opens:
		at += b.desk.opens - d + s.span(0, 90*stream.Minute)
	case d >= b.desk.closes:
		at += stream.Day - d + b.desk.opens + s.span(0, 90*stream.Minute)
	}
	s.reply(p, who, s.pick(s.script(p).answers), at-p.at, false)
}

func (s *Simulator) script(p *post) *stage {
	if p.lang == "en" {
		return s.en
	}
	return s.ru
}

// reply promises an answer of an official account.
func (s *Simulator) reply(to *post, who *account, text string, after stream.Time, robot bool) {
	a := &post{
		platform: to.platform, kind: stream.Comment, at: precise(to.platform, to.at+after), author: *who, lang: to.lang,
		place: to.place, parent: to, root: to.first(), text: text, canned: robot,
		namings: []naming{{brand: who.brand, role: stream.Own}},
	}
	if !robot {
		s.leak(a)
	}
	switch to.platform {
	case stream.LiveJournal:
		return // comments are not in the feed
	case stream.YouTube:
		a.parent = to.first() // replies hang under the first comment, whomever they answer
	case stream.Twitter, stream.Mastodon:
		a.text = "@" + to.author.handle + " " + a.text
	default: // the parent says whom it answers
	}
	s.finish(a)
	if s.promise(a) && a.author.approved && !a.automatic() {
		a.parent.replied = true
	}
}

// leakEvery is which answer tells a telephone number of the desk. It is not drawn, so that the story is the same with and without rules of
// communication.
const leakEvery = 60

// leak adds a telephone number to some answers, where the catalogue forbids to tell one.
func (s *Simulator) leak(a *post) {
	s.replies++
	numbers := s.script(a).numbers
	if s.replies%leakEvery != leakEvery/2 || len(numbers) == 0 || !slices.Contains(s.cfg.Catalogue.Confidential.Shipped, brand.RulePhone) {
		return
	}
	a.leaks = true
	a.text += numbers[0]
}

// comeBack promises a further message of a customer.
func (s *Simulator) comeBack(first, to *post, list []string, after stream.Time, m mood) {
	n := first.namings[0]
	st := s.script(first)
	text := strings.ReplaceAll(s.pick(list), "{B}", s.name(n.brand))
	p := &post{
		platform: first.platform, kind: stream.Comment, at: precise(first.platform, to.at+after), author: first.author, lang: st.lang,
		place: first.place, parent: to, root: first.first(), text: text, mood: m, turn: first.turn + 1, feed: first.feed,
		namings: []naming{{brand: n.brand, directed: n.directed}},
	}
	switch p.platform {
	case stream.Twitter, stream.Mastodon:
		p.text = "@" + to.author.handle + " " + p.text
		p.namings[0].directed = to.author.brand == n.brand
		if to == first && first.address != nil {
			p.text = "@" + first.address.handle + " " + strings.ReplaceAll(s.pick(list), "{B}", s.name(n.brand))
			p.address = first.address
			p.namings[0].directed = true
		}
	case stream.Bluesky, stream.Generic:
		p.namings[0].directed = to.author.brand == n.brand
	case stream.YouTube:
		p.parent = first.first()
	case stream.LiveJournal:
		return
	default: // a message on the brand's own page stays directed
	}
	s.finish(p)
	s.promise(p)
}

// followAnswer is what comes after an answer: its second part, thanks, or the next complaint.
func (s *Simulator) followAnswer(a *post) {
	request := a.parent
	if a.automatic() || request.author.brand != nobody || len(request.namings) == 0 {
		return
	}
	if request.turn > 3 {
		return
	}
	st := s.script(request)
	switch u := s.rng.Float64(); {
	case u < 0.08 && a.author.approved && a.turn == 0:
		f := *a
		f.id, f.turn, f.leaks = "", 1, false
		f.text = s.pick(st.further)
		if a.platform == stream.Twitter || a.platform == stream.Mastodon {
			f.text = "@" + request.author.handle + " " + f.text
		}
		f.at = precise(f.platform, a.at+s.span(40*stream.Second, 2*stream.Minute))
		s.promise(&f)
	case u < 0.42:
		s.comeBack(request, a, st.thanks, s.span(2*stream.Minute, 30*stream.Minute), praise)
	case u < 0.55:
		s.comeBack(request, a, st.nags, s.span(3*stream.Minute, 60*stream.Minute), complaint)
	}
}

// followNews lets customers comment on and share a post of the brand.
func (s *Simulator) followNews(p *post) {
	b := p.namings[0].brand
	if p.platform == stream.VK || p.platform == stream.Facebook {
		for range s.rng.IntN(5) {
			st := s.script(p)
			list := s.lines[lineKey{st, mood(s.rng.IntN(int(moods)))}]
			l := list[s.rng.IntN(len(list))]
			c := s.draft(p.platform, st, p.at+s.span(stream.Minute, 3*stream.Hour), stream.Comment)
			c.text = strings.ReplaceAll(l.text, "{B}", s.name(b))
			c.mood = ask
			c.namings = []naming{{brand: b, directed: true}}
			if l.product != allProducts {
				c.namings[0].products = []int{l.product}
			}
			s.join(c, p)
			s.finish(c)
			s.promise(c)
		}
	}
	switch p.platform {
	case stream.Twitter, stream.VK, stream.Mastodon, stream.Bluesky:
		for range s.rng.IntN(4) {
			s.promise(s.spread(p, p.at+s.span(stream.Minute, 2*stream.Hour)))
		}
	default: // has no reposts
	}
}

// change lets an author edit a post some minutes later, where platforms tell both times. Only questions are edited, and
// they stay questions: the brand ought to answer them whatever the classifier makes of either version, so the response
// times do not depend on which version is read first.
func (s *Simulator) change(p *post) {
	switch p.platform {
	case stream.Telegram, stream.Mastodon, stream.Generic:
	default:
		return
	}
	if len(p.namings) == 0 || p.author.brand != nobody || !p.question || p.kind == stream.Repost || !s.chance(s.share.Edits) {
		return
	}
	e := *p
	e.kind, e.original = stream.Edit, p
	e.editedAt = precise(p.platform, p.at+s.span(4*stream.Minute, 40*stream.Minute))
	e.text = end(strings.TrimRight(p.text, ". "), ". "+s.pick(s.script(p).details))
	e.namings = append([]naming(nil), p.namings...)
	p.changing = s.promise(&e)
}
