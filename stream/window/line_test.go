package window

import (
	"math/rand/v2"
	"testing"

	"otklik/stream"
)

// A window read between changes is the sum of its minutes, whatever sums are kept from the windows read before it.
func TestLineKeepsNoStaleSums(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 6))
	l := newLine(stream.VK)
	minutes := map[stream.Time]*total{}
	var got total
	for i := range 4000 {
		minute := day + stream.Time(r.IntN(5*60))*stream.Minute
		if r.IntN(3) == 0 {
			gain := Counts{Neutral: r.Int64N(3), Audience: r.Int64N(100)}
			waits := binsOf([]float64{float64(r.IntN(1000))})
			l.change(minute, &gain, waits, nil, stream.Position(i+1), false)
			m := minutes[minute]
			if m == nil {
				m = new(total)
				m.reset()
				minutes[minute] = m
			}
			m.add(&sums{counts: gain, found: true}, stream.Position(i+1))
			m.observe(waits)
		}
		if r.IntN(50) == 0 {
			l.settle()
		}
		if r.IntN(200) == 0 {
			gone := day + stream.Time(r.IntN(4))*stream.Hour
			l.drop(func(start stream.Time) bool { return start == gone })
			for at := gone; at < gone+stream.Hour; at += stream.Minute {
				delete(minutes, at)
			}
		}
		from := day + stream.Time(r.IntN(2))*stream.Minute // the same hours again and again
		to := from + 4*stream.Hour
		l.window(&got, from, to)
		var want total
		want.reset()
		for at := from; at < to; at += stream.Minute {
			if m := minutes[at]; m != nil {
				want.add(&m.sums, 0)
				want.merge(m.sketch, m.answers)
			}
		}
		if got.counts != want.counts || got.found != want.found || got.answers != want.answers {
			t.Fatalf("step %d: window of %d counts %+v (%d answers), its minutes %+v (%d answers)", i, from-day, got.counts, got.answers, want.counts, want.answers)
		}
		if want.answers == 0 {
			continue
		}
		gotMedian, gotP90 := got.quantiles()
		wantMedian, wantP90 := want.quantiles()
		if gotMedian != wantMedian || gotP90 != wantP90 {
			t.Fatalf("step %d: median %v and p90 %v, of its minutes %v and %v", i, gotMedian, gotP90, wantMedian, wantP90)
		}
	}
}

// Waits that have no logarithm, or one out of all proportion, have a bin all the same.
func TestBinsOf(t *testing.T) {
	var sum total
	sum.reset()
	sum.observe(binsOf([]float64{0, 0, 0, 0.0004, 1e300, 60}))
	median, p90 := sum.quantiles()
	if median != 0 || p90 < 59 || p90 > 61 {
		t.Errorf("median %v and p90 %v of four answers at once, a minute and an age, want 0 and 60", median, p90)
	}
}
