package care

import (
	"fmt"
	"math"
	"sync"
	"time"

	"otklik/stream"
)

// Clock measures business time: the part of calendar time in which the care desk is open. Make one with
// Calendar.Compile. It never changes and may be used by several goroutines.
//
// It follows the wall clock of the desk's zone: 09:00-18:00 is nine hours on every day, 00:00-24:00 is 23 or 25 hours
// where the clocks change. A wall time that the change skips stands for the moment of the change; one that comes
// twice stands for its first coming.
type Clock struct {
	schedule *schedule

	// near holds every opening of the years nearFrom … nearTo−1, where practically all times lie.
	near    []opening
	days    []int32 // for each UTC day of those years, the index in near of the first opening that ends after its start
	nearDay int64   // the UTC day of days[0], counted from the Unix epoch
	nearEnd stream.Time

	far func() *yearTable // for all other times
}

// opening is a time in which the desk is open, [from, to), with the business time passed before it since the start
// of near.
type opening struct {
	from, to, before stream.Time
}

const (
	nearFrom = 2000
	nearTo   = 2060

	// The Gregorian calendar, and with it the rules of a time zone, repeat after 400 years of whole weeks. Before the
	// oldest rule of a zone (they begin in the 19th century) and after the newest, business time does so too, so two such
	// cycles stand for all others.
	cycleYears = 400
	repeat     = 146_097 * stream.Day
	farFrom    = 1200
	farTo      = lastYear + 1 + cycleYears
)

// Compile reads the calendar and lays out its openings. The error joins every fault of the calendar.
func (c *Calendar) Compile() (*Clock, error) {
	s, err := c.parse()
	if err != nil {
		return nil, fmt.Errorf("compile calendar: %w", err)
	}
	k := &Clock{schedule: s}
	if s.always {
		return k, nil
	}
	k.far = sync.OnceValue(k.layOutFar)
	k.layOutNear()
	return k, nil
}

// Between returns the business milliseconds in [from, to), any years; 0 if to is not after from.
func (k *Clock) Between(from, to stream.Time) stream.Time {
	if to <= from {
		return 0
	}
	if k.schedule.always {
		return elapsed(from, to)
	}
	if k.isNear(from) && k.isNear(to) {
		return k.sinceNear(to) - k.sinceNear(from)
	}
	if business := k.sinceFar(to) - k.sinceFar(from); business >= 0 {
		return business
	}
	return longest // from one end of what a Time can hold to the other
}

// longest is the longest span that a stream.Count can hold, which adds one.
const longest stream.Time = 1<<63 - 2

// elapsed returns the time from one moment to a later one: never below 0, and longest where it overflows.
func elapsed(from, to stream.Time) stream.Time {
	switch d := to - from; {
	case to <= from:
		return 0
	case d < 0 || d > longest:
		return longest
	default:
		return d
	}
}

func (k *Clock) isNear(t stream.Time) bool {
	return t >= stream.Time(k.nearDay)*stream.Day && t < k.nearEnd
}

// sinceNear returns the business time since the start of near. The time t must be near.
func (k *Clock) sinceNear(t stream.Time) stream.Time {
	// A day has as many openings as the configuration gives it: one, two, rarely more.
	for i := int(k.days[int64(t/stream.Day)-k.nearDay]); i < len(k.near); i++ {
		if o := k.near[i]; t < o.to {
			return o.before + max(0, t-o.from)
		}
	}
	return k.near[len(k.near)-1].before + k.near[len(k.near)-1].to - k.near[len(k.near)-1].from
}

func (k *Clock) layOutNear() {
	// One local day more on either side, so that every UTC day is covered whatever the zone.
	first, last := yearDate(nearFrom), yearDate(nearTo)
	k.nearDay = first.Unix() / 86400
	k.nearEnd = stream.TimeOf(last)

	var total stream.Time
	k.walk(first.AddDate(0, 0, -3), last.AddDate(0, 0, 3), func(from, to stream.Time) {
		if n := len(k.near); n > 0 && k.near[n-1].to == from {
			k.near[n-1].to = to
		} else {
			k.near = append(k.near, opening{from: from, to: to, before: total})
		}
		total += to - from
	})
	if len(k.near) == 0 { // a desk that never opens
		k.near = append(k.near, opening{})
	}
	next := 0
	for day := k.nearDay; stream.Time(day)*stream.Day < k.nearEnd; day++ {
		for next < len(k.near)-1 && k.near[next].to <= stream.Time(day)*stream.Day {
			next++
		}
		k.days = append(k.days, int32(next))
	}
}

// walk calls f for every opening that begins on the local days first … last−1 (dates in UTC), in order, without overlap.
func (k *Clock) walk(first, last time.Time, f func(from, to stream.Time)) {
	covered := stream.Time(math.MinInt64)
	clock := wallClock{zone: k.schedule.zone}
	for day := first; day.Before(last); day = day.AddDate(0, 0, 1) {
		spans := k.schedule.hours(date{day.Year(), day.Month(), day.Day()}, day.Weekday())
		for _, s := range spans {
			from := max(covered, clock.moment(day, s.from))
			to := clock.moment(day, s.to)
			if from < to {
				f(from, to)
				covered = to
			}
		}
	}
}

// wallClock translates the wall times of a zone. It remembers the stretch between two changes of the clocks that it was
// last asked about, because asking the zone is slow.
type wallClock struct {
	zone     *time.Location
	east     int64 // seconds east of UTC in [from, to), Unix times
	from, to int64
}

// offset returns the seconds east of UTC that the clocks show at the Unix time.
func (w *wallClock) offset(unix int64) int64 {
	if unix < w.from || unix >= w.to {
		at := time.Unix(unix, 0).In(w.zone)
		_, east := at.Zone()
		w.east, w.from, w.to = int64(east), math.MinInt64, math.MaxInt64
		start, end := at.ZoneBounds()
		if !start.IsZero() {
			w.from = start.Unix()
		}
		if !end.IsZero() {
			w.to = end.Unix()
		}
	}
	return w.east
}

// moment returns when the wall clock shows the given minutes after the midnight of day (a date in UTC). The standard
// library leaves open what time.Date makes of wall times that do not exist or come twice.
func (w *wallClock) moment(day time.Time, minutes int) stream.Time {
	wall := day.Unix() + int64(minutes)*60
	before := w.offset(wall - 86400)
	after := w.offset(wall + 86400)
	first := wall - max(before, after)
	second := wall - min(before, after)
	switch {
	case wall-first == w.offset(first):
		return stream.Time(first) * stream.Second
	case wall-second == w.offset(second):
		return stream.Time(second) * stream.Second
	default: // skipped: second, read with the offset before the change, lies behind it
		return stream.Time(w.from) * stream.Second
	}
}

// yearTable holds the business time passed since the start of farFrom at the start of each year, by UTC. It is made
// at the first time that is not near: such times are mostly faults of a feed.
type yearTable struct {
	before [farTo - farFrom + 1]stream.Time
}

func (k *Clock) layOutFar() *yearTable {
	table := new(yearTable)
	year, total := farFrom, stream.Time(0)
	next := yearStart(year + 1)
	closeYears := func(until stream.Time) {
		for next <= until && year < farTo {
			year++
			table.before[year-farFrom] = total
			next = yearStart(year + 1)
		}
	}
	start, end := yearStart(farFrom), yearStart(farTo)
	k.walk(yearDate(farFrom).AddDate(0, 0, -3), yearDate(farTo).AddDate(0, 0, 3), func(from, to stream.Time) {
		from, to = max(from, start), min(to, end)
		for from < to {
			closeYears(from)
			part := min(to, next)
			total += part - from
			from = part
		}
	})
	closeYears(end)
	return table
}

func yearDate(year int) time.Time { return time.Date(year, time.January, 1, 0, 0, 0, 0, time.UTC) }

func yearStart(year int) stream.Time { return stream.TimeOf(yearDate(year)) }

// sinceFar returns the business time since the start of farFrom (negative before it).
func (k *Clock) sinceFar(t stream.Time) stream.Time {
	table := k.far()
	var passed stream.Time
	if start := yearStart(farFrom); t < start {
		cycles := (start - t + repeat - 1) / repeat
		passed -= cycles * table.before[cycleYears]
		t += cycles * repeat
	} else if end := yearStart(farTo); t >= end {
		cycles := (t-end)/repeat + 1
		passed += cycles * (table.before[farTo-farFrom] - table.before[farTo-farFrom-cycleYears])
		t -= cycles * repeat
	}
	at := time.UnixMilli(int64(t)).UTC()
	year := at.Year()
	start := yearStart(year)
	passed += table.before[year-farFrom]
	k.walk(yearDate(year).AddDate(0, 0, -3), at.AddDate(0, 0, 3).Truncate(24*time.Hour), func(from, to stream.Time) {
		if from, to = max(from, start), min(to, t); from < to {
			passed += to - from
		}
	})
	return passed
}
