package window

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"otklik/stream"
)

// day is a full UTC day; scenarios and models count from it.
const day = 20_000 * stream.Day

// operation is one change that a record makes.
type operation struct {
	apply         *Contribution
	before, after *Contribution
	request       *Request
	sign          int64
}

// entry is one record of the partition: all its changes have one position.
type entry struct {
	operations []operation
	watermark  stream.Time // after it
}

// history draws a random log: contributions, late ones, edits, requests and their answers.
func history(r *rand.Rand, n int) []entry {
	brands, platforms := []string{"mts", "tele2"}, []stream.Platform{stream.VK, stream.Twitter}
	products := [][]string{nil, nil, {"mobile"}, {"home", "mobile"}}
	var (
		log       []entry
		mentions  []Contribution
		requests  []Request
		now       = day + 22*stream.Hour
		watermark stream.Time
	)
	for range n {
		now += stream.Time(r.Int64N(int64(4 * stream.Minute)))
		at := now - stream.Time(r.Int64N(int64(2*stream.Minute)))
		if r.IntN(8) == 0 {
			at -= stream.Time(r.Int64N(int64(30 * stream.Hour))) // late
		}
		var e entry
		switch {
		case r.IntN(6) == 0 && len(mentions) > 0:
			i := r.IntN(len(mentions))
			before, after := mentions[i], mentions[i]
			after.Counts = Counts{Negative: 1, Views: r.Int64N(100)}
			after.Products = products[r.IntN(len(products))]
			mentions[i] = after
			e.operations = append(e.operations, operation{before: &before, after: &after})
		default:
			c := Contribution{
				PublishedAt: at, Brand: brands[r.IntN(2)], Platform: platforms[r.IntN(2)], Products: products[r.IntN(4)],
				Counts: Counts{Positive: 1, Audience: r.Int64N(1000)},
			}
			mentions = append(mentions, c)
			e.operations = append(e.operations, operation{apply: &c})
			if r.IntN(3) == 0 { // the same record asks for an answer
				q := Request{Brand: c.Brand, Platform: c.Platform, At: at}
				requests = append(requests, q)
				e.operations = append(e.operations, operation{request: &q, sign: 1})
			}
		}
		if r.IntN(3) == 0 && len(requests) > 0 { // and answers one, or takes an answer back
			i := r.IntN(len(requests))
			before, after := requests[i], requests[i]
			after.Answered = !before.Answered
			after.Seconds = 0
			if after.Answered {
				after.Seconds = float64(r.IntN(5)) // equal ones are frequent
			}
			requests[i] = after
			e.operations = append(e.operations, operation{request: &before, sign: -1}, operation{request: &after, sign: 1})
		}
		watermark = max(watermark, now-2*stream.Minute)
		e.watermark = watermark
		log = append(log, e)
	}
	return log
}

// recount is the naive model: every pane from all records.
func recount(log []entry) map[Key]*Pane {
	panes := map[Key]*Pane{}
	at := func(g Grain, c *Contribution, product string, pos stream.Position) *Pane {
		k := Key{Grain: g, Start: c.PublishedAt.Truncate(g.Span()), Brand: c.Brand, Platform: c.Platform, Product: product}
		if panes[k] == nil {
			panes[k] = &Pane{Key: k, Partition: 7}
		}
		panes[k].Position = pos
		return panes[k]
	}
	add := func(c *Contribution, sign int64, pos stream.Position) {
		for _, g := range Grains {
			for _, product := range append([]string{""}, c.Products...) {
				at(g, c, product, pos).Add(&c.Counts, sign)
			}
		}
	}
	for i := range log {
		pos := stream.PositionAfter(1, int64(i))
		for _, op := range log[i].operations {
			switch {
			case op.apply != nil:
				add(op.apply, 1, pos)
			case op.request != nil:
				q := op.request
				c := Contribution{PublishedAt: q.At, Brand: q.Brand, Platform: q.Platform, Counts: Counts{Requests: 1, Answered: one(q.Answered)}}
				add(&c, op.sign, pos)
				if !q.Answered {
					continue
				}
				p := at(Minute, &c, "", pos)
				if op.sign > 0 {
					p.Responses = append(p.Responses, q.Seconds)
				} else {
					j := slices.Index(p.Responses, q.Seconds)
					p.Responses = slices.Delete(p.Responses, j, j+1)
				}
			default:
				add(op.before, -1, pos)
				add(op.after, 1, pos)
			}
		}
	}
	for _, p := range panes {
		slices.Sort(p.Responses)
	}
	return panes
}

// table is the table panes: of the rows with one key that with the highest position stays, of equals the last.
type table map[Key]Pane

func (tb table) insert(rows []Pane) {
	for _, row := range rows {
		if old, ok := tb[row.Key]; !ok || row.Position >= old.Position {
			tb[row.Key] = row
		}
	}
}

// lookup answers Missing as a task does.
func (tb table) lookup(s *Store, keys []Key) {
	for _, k := range keys {
		if row, ok := tb[k]; ok {
			s.Restore([]Pane{row})
		} else {
			s.Absent(k)
		}
	}
}

func missing(s *Store, op *operation) []Key {
	switch {
	case op.apply != nil:
		return s.Missing(op.apply, nil)
	case op.request != nil:
		return s.Missing(&Contribution{PublishedAt: op.request.At, Brand: op.request.Brand, Platform: op.request.Platform}, nil)
	default:
		return s.Missing(op.after, s.Missing(op.before, nil))
	}
}

// perform applies one record.
func perform(t *testing.T, s *Store, e *entry, pos stream.Position) {
	t.Helper()
	for _, op := range e.operations {
		switch {
		case op.apply != nil:
			s.Apply(op.apply, pos)
		case op.request != nil:
			if err := s.Respond(op.request, op.sign, pos); err != nil {
				t.Fatal(err)
			}
		default:
			s.Replace(op.before, op.after, pos)
		}
	}
	s.Advance(e.watermark, pos)
}

// Whatever is torn by crashes at whatever moments, the table ends as the recount of the log.
func TestStoreSurvivesTornFlushes(t *testing.T) {
	for seed := range uint64(60) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 1))
			cfg := Config{Grace: time.Duration(seed%3) * time.Minute}.WithDefaults()
			log := history(r, 400)
			rows := table{}
			restart, restartWatermark := 0, stream.Time(0)
			crashes := 0
			for restart < len(log) {
				s := NewStore(7, cfg)
				var live []Pane
				for _, row := range rows {
					if row.End()+span(cfg.Grace) > restartWatermark {
						live = append(live, row)
					}
				}
				s.Restore(live)
				s.Advance(restartWatermark, stream.PositionAfter(1, int64(restart-1)))
				for next := restart; next < len(log); {
					batch := log[next:min(next+1+r.IntN(20), len(log))]
					var keys []Key
					for i := range batch {
						for j := range batch[i].operations {
							keys = append(keys, missing(s, &batch[i].operations[j])...)
						}
					}
					rows.lookup(s, keys)
					for i := range batch {
						perform(t, s, &batch[i], stream.PositionAfter(1, int64(next+i)))
					}
					next += len(batch)
					if r.IntN(3) > 0 && next < len(log) {
						continue
					}
					flushed := s.Flush()
					if crashes < 40 && r.IntN(3) == 0 { // a part of the flush becomes durable
						crashes++
						r.Shuffle(len(flushed), func(i, j int) { flushed[i], flushed[j] = flushed[j], flushed[i] })
						rows.insert(flushed[:r.IntN(len(flushed)+1)])
						break
					}
					rows.insert(flushed)
					restart, restartWatermark = next, batch[len(batch)-1].watermark
					s.Clean()
					s.Evict()
				}
			}
			if crashes == 0 {
				t.Error("the run has not crashed once: it proves nothing")
			}
			want := recount(log)
			last := log[len(log)-1].watermark
			for k, p := range want {
				got, ok := rows[k]
				if !ok {
					t.Fatalf("pane %v is not in the table", k)
				}
				p.Final = k.End()+span(cfg.Grace) <= last
				p.Position = got.Position // a pane that became final has the position of that moment
				if len(got.Responses) == 0 {
					got.Responses = p.Responses[:0:len(p.Responses)]
				}
				if diff := gocmp.Diff(*p, got); diff != "" {
					t.Fatalf("pane %v (-recount +table):\n%s", k, diff)
				}
			}
			if len(rows) != len(want) {
				t.Errorf("the table has %d panes, the recount %d", len(rows), len(want))
			}
		})
	}
}

// A flush that is not known to be durable may not be forgotten: what would be read back is older.
func TestEvictKeepsWhatIsNotDurable(t *testing.T) {
	s := NewStore(0, Config{}.WithDefaults())
	c := Contribution{PublishedAt: day, Brand: "mts", Platform: stream.VK, Counts: Counts{Neutral: 1}}
	s.Apply(&c, 1)
	s.Advance(day+2*stream.Day, 1)
	if n := s.Evict(); n != 0 {
		t.Fatalf("evicted %d panes that were never flushed", n)
	}
	s.Flush()
	if n := s.Evict(); n != 0 {
		t.Fatalf("evicted %d panes of a flush that is under way", n)
	}
	s.Clean()
	if n := s.Evict(); n != 3 || s.Len() != 0 {
		t.Fatalf("evicted %d panes, %d are left, want 3 and 0", n, s.Len())
	}
	if keys := s.Missing(&c, nil); len(keys) != 3 {
		t.Errorf("after eviction %d keys are missing, want 3", len(keys))
	}
}

func TestRespondRefusesWhatCannotBe(t *testing.T) {
	s := NewStore(0, Config{}.WithDefaults())
	q := Request{Brand: "mts", Platform: stream.VK, At: day, Answered: true, Seconds: 5}
	if err := s.Respond(&q, -1, 1); err == nil {
		t.Error("a wait was taken back that had never been counted")
	}
	q.Seconds = -1
	if err := s.Respond(&q, 1, 1); err == nil {
		t.Error("a negative wait was counted")
	}
	if rows := s.Flush(); len(rows) != 0 {
		t.Errorf("refused requests left %v", rows)
	}
}

func TestCountsOf(t *testing.T) {
	base := stream.Mention{
		Item: stream.Item{
			Kind: stream.Repost, Followers: stream.CountOf(10), Likes: stream.CountOf(1), Shares: stream.CountOf(2), Views: stream.CountOf(3),
		},
		Flags: stream.Question | stream.Complaint | stream.NeedsAnswer | stream.Advocacy, Label: stream.Negative, Severity: 2,
	}
	for name, c := range map[string]struct {
		change func(m *stream.Mention)
		want   Counts
	}{
		"customer": {func(*stream.Mention) {}, Counts{
			Negative: 1, Reposts: 1, Questions: 1, Complaints: 1, Severe: 1, Advocacy: 1, NeedsAnswer: 1, Audience: 10, Likes: 1, Shares: 2, Views: 3,
		}},
		"own":    {func(m *stream.Mention) { m.Role = stream.Own }, Counts{Own: 1}},
		"spam":   {func(m *stream.Mention) { m.Role = stream.Spam }, Counts{Spam: 1}},
		"erased": {func(m *stream.Mention) { m.Erased = true }, Counts{}},
		"plain":  {func(m *stream.Mention) { *m = stream.Mention{Severity: 1} }, Counts{Unlabelled: 1}},
	} {
		m := base
		c.change(&m)
		if diff := gocmp.Diff(c.want, CountsOf(&m)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// Add must know every field: a number set in each comes out doubled and then zero.
func TestCountsAddKnowsEveryField(t *testing.T) {
	one := Counts{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18}
	sum := one
	sum.Add(&one, 1)
	if want := (Counts{2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30, 32, 34, 36}); sum != want {
		t.Errorf("sum is %+v", sum)
	}
	sum.Add(&one, -1)
	sum.Add(&one, -1)
	if !sum.Zero() {
		t.Errorf("taken away again, %+v is left", sum)
	}
}

func sortPanes(panes []Pane) {
	slices.SortFunc(panes, func(a, b Pane) int {
		return cmp.Or(cmp.Compare(a.Grain, b.Grain), cmp.Compare(a.Start, b.Start), cmp.Compare(a.Brand, b.Brand),
			cmp.Compare(a.Platform, b.Platform), cmp.Compare(a.Product, b.Product))
	})
}

func BenchmarkStoreApply(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	contributions := make([]Contribution, 4096)
	for i := range contributions {
		contributions[i] = Contribution{
			PublishedAt: stream.Time(r.Int64N(int64(2 * stream.Minute))),
			Brand:       []string{"mts", "beeline", "megafon"}[r.IntN(3)], Platform: stream.Platforms[r.IntN(len(stream.Platforms))],
			Counts: Counts{Neutral: 1, Audience: 100},
		}
		if r.IntN(4) == 0 {
			contributions[i].Products = []string{"mobile"}
		}
	}
	s := NewStore(0, Config{}.WithDefaults())
	b.ReportAllocs()
	n := int64(0)
	for b.Loop() {
		c := contributions[n%int64(len(contributions))]
		n++
		c.PublishedAt += day + stream.Time(n)*10 // 100 mentions a second
		pos := stream.PositionAfter(0, n)
		s.Apply(&c, pos)
		s.Advance(c.PublishedAt-2*stream.Minute, pos)
		if n%1000 == 0 {
			s.Flush()
			s.Clean()
			s.Evict()
		}
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "mentions/s")
}
