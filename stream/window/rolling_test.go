package window

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"otklik/stream"
)

// sameNumbers compares floating-point numbers to the last digit, NaN equal to NaN.
var sameNumbers = cmpopts.EquateNaNs()

// partials draws a log of otklik.panes: minute panes that grow by revisions, of several partitions, in event order but
// for some that are late by hours or days, and some that lose what they had.
func partials(r *rand.Rand, n int, step stream.Time) []Pane {
	type slot struct {
		partition int32
		platform  stream.Platform
		minute    stream.Time
	}
	state := map[slot]*Pane{}
	var (
		slots []slot
		log   []Pane
		now   = day + 3*stream.Hour
		pos   stream.Position
	)
	for range n {
		now += stream.Time(r.Int64N(int64(2*step) + 1))
		at := now - stream.Time(r.Int64N(int64(3*stream.Minute)))
		switch r.IntN(30) {
		case 0:
			at -= stream.Time(r.Int64N(int64(5 * stream.Hour)))
		case 1:
			at -= stream.Time(r.Int64N(int64(70 * stream.Hour)))
		}
		sl := slot{int32(r.IntN(3)), []stream.Platform{stream.VK, stream.Twitter}[r.IntN(2)], at.Truncate(stream.Minute)}
		if len(slots) > 0 && r.IntN(4) == 0 {
			sl = slots[max(0, len(slots)-1-r.IntN(20))]
		}
		p := state[sl]
		if p == nil {
			p = &Pane{Partition: sl.partition, Key: Key{Grain: Minute, Start: sl.minute, Brand: "mts", Platform: sl.platform}}
			state[sl] = p
			slots = append(slots, sl)
		}
		pos++
		p.Position = pos
		switch r.IntN(6) {
		case 0:
			p.Counts, p.Responses = Counts{}, nil
		case 1:
			p.Counts.Own++
		default:
			p.Counts.Add(&Counts{Positive: r.Int64N(2), Neutral: r.Int64N(3), Negative: r.Int64N(2), Views: r.Int64N(50)}, 1)
			if r.IntN(2) == 0 {
				p.Counts.Requests++
				p.Counts.Answered++
				p.Responses = append(p.Responses, math.Round(r.ExpFloat64()*900))
			}
		}
		row := *p
		row.Responses = slices.Clone(p.Responses)
		log = append(log, row)
	}
	return log
}

// naiveRow sums a window from the newest partial of every source, without any of the machinery.
func naiveRow(key RollingKey, latest map[[3]any]Pane, final stream.Time) (row RollingRow, responses []float64) {
	row.RollingKey = key
	for _, p := range latest {
		if p.Start >= key.At-key.Window && p.Start < key.At && (key.Platform == "" || p.Platform == key.Platform) {
			row.Counts.Add(&p.Counts, 1)
			responses = append(responses, p.Responses...)
		}
	}
	row.judge(nil)
	row.Final = key.At <= final
	slices.Sort(responses)
	return row, responses
}

// checkQuantile holds a sketch's answer against the exact one: the value of rank ⌊q(n−1)⌋ within 1 %.
func checkQuantile(t *testing.T, key RollingKey, got float64, responses []float64, q float64) {
	t.Helper()
	if len(responses) == 0 {
		if !math.IsNaN(got) {
			t.Fatalf("%v: quantile %v of no responses is %v", key, q, got)
		}
		return
	}
	want := responses[int(q*float64(len(responses)-1))]
	if math.Abs(got-want) > accuracy*want*(1+1e-9) {
		t.Fatalf("%v: quantile %v is %v, exactly %v", key, q, got, want)
	}
}

type rollingTable map[RollingKey]RollingRow

func (tb rollingTable) insert(rows []RollingRow) {
	for _, row := range rows {
		if old, ok := tb[row.RollingKey]; !ok || row.Revision >= old.Revision {
			tb[row.RollingKey] = row
		}
	}
}

// rollingRun drives a Rolling through a log as a task does, with crashes of which the pane table knows more than
// the restart point, and returns the table rolling at the end.
func rollingRun(log []Pane, r *rand.Rand, crash bool) rollingTable {
	cfg := Config{}.WithDefaults()
	rows := rollingTable{}
	panes := map[[3]any]Pane{} // the table panes: track is ahead of roll
	known := 0
	learn := func(to int) {
		for ; known < min(to, len(log)); known++ {
			p := log[known]
			panes[[3]any{p.Partition, p.Platform, p.Start}] = p
		}
	}
	between := func(from, to stream.Time) (found []Pane) {
		for _, p := range panes {
			if p.Start >= from && p.Start < to {
				found = append(found, p)
			}
		}
		return found
	}
	newest := stream.Time(0)
	restart, restartWatermark := 0, stream.Time(0)
	for restart < len(log) {
		learn(restart + r.IntN(30))
		rolling := NewRolling("mts", cfg)
		rolling.Restore(restartWatermark, between(rolling.Since(restartWatermark), math.MaxInt64), stream.PositionAfter(0, int64(restart-1)))
		watermark := restartWatermark
		for next := restart; next < len(log); {
			for range min(1+r.IntN(25), len(log)-next) {
				p := log[next]
				revision := stream.PositionAfter(0, int64(next))
				learn(next + 1 + r.IntN(3))
				if from, to := rolling.Missing(p.Start); from < to {
					rolling.Load(from, to, between(from, to), revision)
				}
				rolling.Apply(&p, revision)
				next++
				newest = max(newest, p.Start)
				watermark = max(watermark, newest-5*stream.Minute)
			}
			rolling.Advance(watermark)
			shown := rolling.Flush(nil)
			if crash && r.IntN(6) == 0 && next < len(log) {
				r.Shuffle(len(shown), func(i, j int) { shown[i], shown[j] = shown[j], shown[i] })
				rows.insert(shown[:r.IntN(len(shown)+1)])
				break
			}
			rows.insert(shown)
			restart, restartWatermark = next, watermark
		}
	}
	return rows
}

// checkRolling holds a table against the naive recount of every key that can have a row.
func checkRolling(t *testing.T, log []Pane, rows rollingTable) {
	t.Helper()
	latest := map[[3]any]Pane{}
	newest, oldest := stream.Time(0), stream.Time(math.MaxInt64)
	for _, p := range log {
		latest[[3]any{p.Partition, p.Platform, p.Start}] = p
		newest, oldest = max(newest, p.Start), min(oldest, p.Start)
	}
	final := (newest - 5*stream.Minute).Truncate(stream.Minute)
	checked := 0
	for _, platform := range []stream.Platform{"", stream.VK, stream.Twitter} {
		for _, length := range Windows {
			for at := oldest; at <= newest+stream.Minute; at += 7 * stream.Minute {
				key := RollingKey{Brand: "mts", Platform: platform, Window: length, At: at}
				want, responses := naiveRow(key, latest, final)
				got, ok := rows[key]
				if !ok {
					if !want.Counts.Zero() {
						t.Fatalf("%+v has no row, but counts %+v", key, want.Counts)
					}
					continue
				}
				checked++
				checkQuantile(t, key, got.ResponseMedian, responses, 0.5)
				checkQuantile(t, key, got.ResponseP90, responses, 0.9)
				want.ResponseMedian, want.ResponseP90, want.Revision = got.ResponseMedian, got.ResponseP90, got.Revision
				if diff := gocmp.Diff(want, got, sameNumbers); diff != "" {
					t.Fatalf("%+v (-naive +rolling):\n%s", key, diff)
				}
			}
		}
	}
	if checked < 100 {
		t.Fatalf("only %d rows were checked", checked)
	}
}

func TestRollingEqualsTheNaiveRecount(t *testing.T) {
	for seed := range uint64(3) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 2))
			log := partials(r, 200, 4*stream.Minute)
			checkRolling(t, log, rollingRun(log, r, false))
		})
	}
}

func TestRollingSurvivesCrashes(t *testing.T) {
	for seed := range uint64(8) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 3))
			log := partials(r, 120, 4*stream.Minute)
			checkRolling(t, log, rollingRun(log, r, true))
		})
	}
}

// The same partials in any order give the same rows to the last digit, quantiles included.
func TestRollingDoesNotDependOnOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	log := partials(r, 120, 2*stream.Minute)
	end := stream.Time(0)
	latest := map[[3]any]Pane{}
	for _, p := range log {
		latest[[3]any{p.Partition, p.Platform, p.Start}] = p
		end = max(end, p.Start)
	}
	rowsOf := func(panes []Pane, flushEvery int) rollingTable {
		rolling := NewRolling("mts", Config{}.WithDefaults())
		rows := rollingTable{}
		for i := range panes {
			rolling.Apply(&panes[i], 1)
			if flushEvery > 0 && i%flushEvery == 0 {
				rows.insert(rolling.Flush(nil))
			}
		}
		rolling.Advance(end + 2*stream.Day)
		rows.insert(rolling.Flush(nil))
		maps := rollingTable{}
		for k, row := range rows {
			if !row.Counts.Zero() { // a row that was shown once and emptied since is all zero; elsewhere it is not there
				maps[k] = row
			}
		}
		return maps
	}
	want := rowsOf(log, 0)
	if len(want) < 1000 {
		t.Fatalf("only %d rows", len(want))
	}
	for i := range 3 {
		shuffled := slices.Clone(log)
		r.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		if diff := gocmp.Diff(want, rowsOf(shuffled, 40*i), sameNumbers); diff != "" {
			t.Fatalf("shuffled, flushed every %d (-in order +shuffled):\n%.2000s", 40*i, diff)
		}
	}
	final := make([]Pane, 0, len(latest))
	for _, p := range latest {
		final = append(final, p)
	}
	if diff := gocmp.Diff(want, rowsOf(final, 0), sameNumbers); diff != "" {
		t.Fatalf("newest partials alone (-all +newest):\n%.2000s", diff)
	}
}

// Rows are shown when they change and only then, and memory stays bounded.
func TestRollingShowsOnlyWhatChanges(t *testing.T) {
	r := NewRolling("mts", Config{}.WithDefaults())
	pane := func(minute, n int64, pos stream.Position) *Pane {
		return &Pane{
			Key:      Key{Grain: Minute, Start: day + stream.Time(minute)*stream.Minute, Brand: "mts", Platform: stream.VK},
			Counts:   Counts{Neutral: n},
			Position: pos,
		}
	}
	if !r.Apply(pane(0, 1, 5), 1) {
		t.Error("the first partial changed nothing")
	}
	if rows := r.Flush(nil); len(rows) != 2*len(Windows) {
		t.Errorf("%d rows of one minute, want one per window for the platform and for all", len(rows))
	}
	if r.Apply(pane(0, 9, 5), 2) || r.Apply(pane(0, 9, 4), 3) || r.Apply(pane(0, 1, 6), 4) {
		t.Error("a partial with a lower or equal position, or with the same content, changed something")
	}
	if rows := r.Flush(nil); len(rows) != 0 {
		t.Errorf("nothing changed, but %d rows are shown", len(rows))
	}
	r.Apply(pane(0, 0, 7), 5)
	rows := r.Flush(nil)
	if len(rows) != 2*len(Windows) || !rows[0].Counts.Zero() {
		t.Errorf("an emptied minute shows %d rows, first %+v; want its rows, now all zero", len(rows), rows)
	}
	r.Advance(day + 10*stream.Minute)
	rows = r.Flush(nil)
	if len(rows) != 2*(5+10+10) {
		t.Errorf("the watermark shows %d rows, want those of the ten final minutes whose windows hold the emptied one", len(rows))
	}
	r.Apply(pane(20, 1, 8), 6)
	r.Advance(day + 365*stream.Day)
	rows = r.Flush(nil)
	filled := slices.DeleteFunc(slices.Clone(rows), func(row RollingRow) bool { return row.Counts.Zero() })
	if want := 2 * (5 + 60 + 1440); len(filled) != want {
		t.Errorf("a minute and a year without anything give %d rows, want %d", len(filled), want)
	}
	for _, row := range rows {
		if !row.Final {
			t.Fatalf("%+v is not final", row.RollingKey)
		}
	}
	if n := len(r.all.hours) + len(r.lines) - 1; n != 0 {
		t.Errorf("%d hours and platforms are kept a year later", n)
	}
	if from, to := r.Missing(day); from >= to {
		t.Error("a minute of last year is not missing")
	}
}

// A day of 3 brands on 10 platforms from 4 partitions, every minute of each filled, in event order.
func BenchmarkRollingDay(b *testing.B) {
	for _, every := range []int{1, 60} {
		b.Run(fmt.Sprintf("flush every %d minutes", every), func(b *testing.B) {
			b.ReportAllocs()
			rowCount := 0
			for b.Loop() {
				rowCount = 0
				for _, brand := range []string{"mts", "beeline", "megafon"} {
					rowCount += benchmarkDay(brand, every)
				}
			}
			b.ReportMetric(float64(3*1440*40*b.N)/b.Elapsed().Seconds(), "partials/s")
			b.ReportMetric(float64(rowCount*b.N)/b.Elapsed().Seconds(), "rows/s")
			b.ReportMetric(float64(rowCount), "rows/day")
		})
	}
}

func benchmarkDay(brand string, every int) (rowCount int) {
	rolling := NewRolling(brand, Config{MaxDisorder: 2 * time.Minute}.WithDefaults())
	rolling.Restore(day, nil, 1)
	revision := stream.Position(1)
	var rows []RollingRow
	p := Pane{Key: Key{Grain: Minute, Brand: brand}, Counts: Counts{Positive: 1, Neutral: 3, Negative: 2, Audience: 1000, Requests: 2, Answered: 2}}
	for minute := range 1440 {
		p.Start = day + stream.Time(minute)*stream.Minute
		p.Responses = []float64{float64(60 + minute%700), float64(300 + minute%900)}
		for partition := range int32(4) {
			for _, p.Platform = range stream.Platforms {
				revision++
				p.Partition, p.Position = partition, revision
				rolling.Apply(&p, revision)
			}
		}
		if (minute+1)%every == 0 {
			rolling.Advance(p.Start - 2*stream.Minute)
			rows = rolling.Flush(rows[:0])
			rowCount += len(rows)
		}
	}
	return rowCount
}
