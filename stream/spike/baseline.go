package spike

import (
	"math"
	"slices"

	"otklik/stream"
)

// How far the baseline looks back, and how strongly it shrinks.
const (
	week         = 7 * stream.Day
	pastWeeks    = 8   // weeks of which the same hour of the week counts
	pastDays     = 14  // days of which the same hour of the day counts
	recentHours  = 3   // hours that stand for the level while there is nothing better
	spreadHours  = 168 // hours whose residuals give the variation
	weekShrink   = 2.0 // the hour of the day weighs as much as two weeks of the hour of the week
	dayShrink    = 1.0 // recent hours weigh as much as one day of the hour of the day
	spreadShrink = 12  // the expected variation weighs as much as twelve hours
	shareShrink  = 8   // the expected share weighs as much as eight labelled mentions
	usualShare   = 0.25
	inHour       = 1.5 // variance of five minutes relative to their hour's, both relative
	windowsPer   = 12  // windows of Length in an hour
	// settleIn is how close to a window the first hour may end: an event must not be its own baseline.
	settleIn = 10 * stream.Minute
	// fewestWindows before the rules work in the first hour.
	fewestWindows = 4
	// What the last hour says of a window: how much of it must be known, how much its windows are expected to vary beyond chance, and by how
	// many times the needed deviations a window must exceed them.
	fewestRecent    = 6
	recentVariation = 0.15
	suddenly        = 1.15
)

// residual is how far an hour was from what its past made expect, in units of anscombe.
type residual struct{ deviation, level float64 }

// past is the hours of one line as one rule sees them, with what was derived of them.
type past struct {
	rule      Rule
	residuals map[stream.Time]residual
	scratch   []float64
	last      struct { // the baseline that was computed last: the same for all windows of an hour
		hour, end stream.Time
		known     bool
		Baseline
	}
}

// forget drops what depends on an hour.
func (p *past) forget(hour stream.Time) {
	p.last.known = false
	for h := range p.residuals {
		if h >= hour {
			delete(p.residuals, h)
		}
	}
}

// drop forgets what lies before an hour.
func (p *past) drop(before stream.Time) {
	for h := range p.residuals {
		if h < before {
			delete(p.residuals, h)
		}
	}
}

// level returns the usual count of an hour, transformed by anscombe, from the hours in [first full hour, end); ok is false when
// there is none.
func (p *past) level(l *line, hour, end stream.Time) (float64, bool) {
	begin := l.first + stream.Hour // the first hour is not whole
	collect := func(step stream.Time, n int) []float64 {
		p.scratch = p.scratch[:0]
		for i := 1; i <= n; i++ {
			h := hour - stream.Time(i)*step
			if h < begin {
				break
			}
			if h < end {
				c := l.hours[h]
				p.scratch = append(p.scratch, anscombe(float64(c.of(p.rule))))
			}
		}
		return p.scratch
	}
	out, known := 0.0, false
	last := min(hour, end)
	shift := (hour - last) / stream.Hour // the recent hours end where history ends
	if x := collect(stream.Hour, recentHours+int(shift)); len(x) > 0 {
		out, known = median(x), true
	}
	if x := collect(stream.Day, pastDays); len(x) > 0 {
		n := float64(len(x))
		out, known = (n*median(x)+dayShrink*out)/(n+dayShrink), true
	}
	if x := collect(week, pastWeeks); len(x) > 0 {
		n := float64(len(x))
		out, known = (n*median(x)+weekShrink*out)/(n+weekShrink), true
	}
	return out, known
}

// variation returns the squared relative variation of hours around their level: that of the last week beyond what chance does
// to counts, shrunk to what is expected before there is history.
func (p *past) variation(l *line, end stream.Time, expected float64) float64 {
	begin := max(l.first+2*stream.Hour, end-spreadHours*stream.Hour)
	p.scratch = p.scratch[:0]
	var deviations []float64
	sum := 0.0
	for h := begin; h < end; h += stream.Hour {
		r, ok := p.residuals[h]
		if !ok {
			level, known := p.level(l, h, h)
			if !known {
				continue
			}
			c := l.hours[h]
			r = residual{deviation: math.Abs(anscombe(float64(c.of(p.rule))) - level), level: counted(level)}
			p.residuals[h] = r
		}
		deviations = append(deviations, r.deviation)
		sum += r.level
	}
	n := float64(len(deviations))
	if n == 0 {
		return expected * expected
	}
	spread := 1.4826 * median(deviations)
	found := max(spread*spread-1, 0) / max(sum/n, 1)
	return (n*found + spreadShrink*expected*expected) / (n + spreadShrink)
}

// share returns the negative share of the labelled mentions of the week before end, shrunk to a usual one.
func (l *line) share(end stream.Time) float64 {
	var negative, labelled int64
	for h := max(l.first, end-spreadHours*stream.Hour); h < end; h += stream.Hour {
		c := l.hours[h]
		negative += c.Negative
		labelled += c.Labelled
	}
	return (float64(negative) + shareShrink*usualShare) / (float64(labelled) + shareShrink)
}

// beginning returns the level of the first hour from its own windows, transformed by anscombe, and the share in them.
func (p *past) beginning(l *line, at stream.Time) (level, share float64, ok bool) {
	p.scratch = p.scratch[:0]
	var sum Counts
	for end := at - settleIn; end-Length >= l.begun && len(p.scratch) < 2*windowsPer; end -= Length {
		c := l.window(end)
		p.scratch = append(p.scratch, float64(c.of(p.rule)))
		sum.Negative += c.Negative
		sum.Labelled += c.Labelled
	}
	if len(p.scratch) < fewestWindows {
		return 0, 0, false
	}
	share = (float64(sum.Negative) + shareShrink*usualShare) / (float64(sum.Labelled) + shareShrink)
	return anscombe(windowsPer * median(p.scratch)), share, true
}

// baseline returns what is usual for the window that ends at a time, from the hours that were over at since; ok is false while nothing
// is known.
func (p *past) baseline(l *line, at, since stream.Time, lim *limits) (Baseline, bool) {
	hour, end := (at - 1).Truncate(stream.Hour), (since - 1).Truncate(stream.Hour)
	if p.last.known && p.last.hour == hour && p.last.end == end {
		return p.last.Baseline, true
	}
	level, lasting := p.level(l, hour, end)
	share := l.share(end)
	if !lasting {
		var known bool
		if level, share, known = p.beginning(l, since); !known {
			return Baseline{}, false
		}
	}
	mean := counted(level) / windowsPer
	deviation := math.Sqrt(1 + inHour*p.variation(l, end, lim.variation)*mean)
	b := Baseline{
		Level: mean, Deviation: deviation * math.Sqrt(max(mean, 3.0/8)), Share: share,
		Threshold: counted(anscombe(mean) + lim.k*deviation),
	}
	if lasting {
		p.last.hour, p.last.end, p.last.known, p.last.Baseline = hour, end, true, b
	}
	return b, true
}

// sudden returns the count of negatives that is k scaled deviations above the mean of the hour that ended settleIn before a window. Hours
// of a first day differ much and make the usual deviation wide; what has tripled within minutes does not belong to any of them. ok
// is false while too little of that hour is known.
func (l *line) sudden(at stream.Time, k float64) (threshold float64, ok bool) {
	sum, n := 0.0, 0.0
	for end := at - settleIn; n < windowsPer && end-Length >= l.begun; end -= Length {
		sum += float64(l.window(end).Negative)
		n++
	}
	if n < fewestRecent {
		return 0, false
	}
	mean := (sum + 0.5) / n
	deviation := math.Sqrt(1 + 1/n + recentVariation*recentVariation*mean)
	return counted(anscombe(mean) + k*deviation), true
}

// excess returns by how many scaled deviations a count exceeds the baseline.
func (b *Baseline) excess(count int64) float64 {
	deviation := b.Deviation / math.Sqrt(max(b.Level, 3.0/8))
	return (anscombe(float64(count)) - anscombe(b.Level)) / deviation
}

// median sorts x and returns its median; x is not empty.
func median(x []float64) float64 {
	slices.Sort(x)
	n := len(x)
	if n%2 == 1 {
		return x[n/2]
	}
	return (x[n/2-1] + x[n/2]) / 2
}
