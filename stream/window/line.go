package window

import (
	"math"
	"slices"

	"github.com/DataDog/sketches-go/ddsketch"
	"github.com/DataDog/sketches-go/ddsketch/mapping"
	"github.com/DataDog/sketches-go/ddsketch/store"

	"otklik/stream"
)

// accuracy is the relative accuracy of the response quantiles.
const accuracy = 0.01

// responseBins maps a response time to its bin, the same for all sketches.
var responseBins = newMapping()

func newMapping() *mapping.LogarithmicMapping {
	m, err := mapping.NewLogarithmicMapping(accuracy)
	if err != nil {
		panic("window: " + err.Error()) // the accuracy is a constant
	}
	return m
}

// bin is the number of a bin of a sketch: a response time, to within the accuracy. Minutes keep bins instead of
// seconds because the logarithm costs more than everything else that a row does with a response.
type bin int32

const (
	// noWait is the bin of an answer within the same millisecond, which no logarithm has.
	noWait = bin(math.MinInt32)
	// longestWait in seconds keeps a nonsensical wait from stretching the sketches.
	longestWait  = 1e12
	shortestWait = 1e-3
)

// binsOf returns the bins of response times in seconds, ascending.
func binsOf(seconds []float64) []bin {
	if len(seconds) == 0 {
		return nil
	}
	bins := make([]bin, len(seconds))
	for i, s := range seconds {
		if s >= shortestWait {
			bins[i] = bin(responseBins.Index(min(s, longestWait)))
		} else {
			bins[i] = noWait
		}
	}
	slices.Sort(bins)
	return bins
}

// newSketch returns an empty DDSketch (Masson, Rim, Lee: "DDSketch: a fast and fully-mergeable quantile sketch with
// relative-error guarantees", VLDB 2019). Its bins hold whole numbers and never collapse, so that the order in which
// values are added or sketches merged leaves no trace in a quantile.
func newSketch() *ddsketch.DDSketch {
	return ddsketch.NewDDSketch(responseBins, store.NewDenseStore(), store.NewDenseStore())
}

// line is the minutes of a brand on one platform, or on all of them together, with the sums of their hours.
type line struct {
	platform stream.Platform
	hours    map[stream.Time]*hour
	starts   []stream.Time // the keys of hours, ascending
	changed  []stream.Time // minutes that differ from what the last flush showed
	base     base
}

type hour struct {
	cells    [60]*cell
	sums     sums
	answers  int                // responses in all cells
	sketch   *ddsketch.DDSketch // of the responses; nil when there are none or it is to be made anew
	revision stream.Position
}

// sums is what adds up over minutes.
type sums struct {
	counts Counts
	found  bool // there is at least one minute
	shown  bool // rows that are not all zero may have been shown of one of them
}

type cell struct {
	counts    Counts
	responses []bin
	revision  stream.Position
	parts     []part // what each source partition contributes; none in the line of all platforms
	changed   bool
	shown     bool // rows of it that are not all zero may have been shown
}

type part struct {
	partition int32
	loaded    bool // from the table, and its record may not have been read yet
	position  stream.Position
	counts    Counts
	responses []bin // ascending
}

// base is the sum over whole hours that the rows of an hour have in common.
type base struct {
	from, to stream.Time
	valid    bool
	total
}

// total is the content of a window.
type total struct {
	sums
	revision stream.Position
	answers  int
	sketch   *ddsketch.DDSketch
}

func (t *total) reset() {
	t.sums, t.revision, t.answers = sums{}, 0, 0
	if t.sketch == nil {
		t.sketch = newSketch()
	}
	t.sketch.Clear()
}

func newLine(platform stream.Platform) *line {
	return &line{platform: platform, hours: make(map[stream.Time]*hour)}
}

// cell returns the cell of a minute, which it creates.
func (l *line) cell(minute stream.Time) (*hour, *cell) {
	start := minute.Truncate(stream.Hour)
	h := l.hours[start]
	if h == nil {
		h = new(hour)
		l.hours[start] = h
		i, _ := slices.BinarySearch(l.starts, start)
		l.starts = slices.Insert(l.starts, i, start)
	}
	i := (minute - start) / stream.Minute
	if h.cells[i] == nil {
		h.cells[i] = new(cell)
		h.sums.found = true
		l.touch(minute)
	}
	return h, h.cells[i]
}

// touch forgets the common sum if the minute is in it.
func (l *line) touch(minute stream.Time) {
	if l.base.from <= minute && minute < l.base.to {
		l.base.valid = false
	}
}

// change adds what a minute has gained (and lost) to the line.
func (l *line) change(minute stream.Time, gain *Counts, added, removed []bin, revision stream.Position, silent bool) {
	h, c := l.cell(minute)
	c.counts.Add(gain, 1)
	h.sums.counts.Add(gain, 1)
	if len(added) > 0 || len(removed) > 0 {
		for _, b := range removed {
			i := slices.Index(c.responses, b)
			last := len(c.responses) - 1
			c.responses[i] = c.responses[last]
			c.responses = c.responses[:last]
		}
		c.responses = append(c.responses, added...)
		h.answers += len(added) - len(removed)
		h.sketch = nil
	}
	c.revision = max(c.revision, revision)
	h.revision = max(h.revision, revision)
	l.touch(minute)
	if !silent && !c.changed {
		c.changed = true
		l.changed = append(l.changed, minute)
	}
}

// settle is called when the changed minutes have been shown.
func (l *line) settle() {
	for _, minute := range l.changed {
		_, c := l.cell(minute)
		c.changed = false
		if !c.counts.Zero() {
			l.show(minute)
		}
	}
	l.changed = l.changed[:0]
}

// show notes that rows of the minute that are not all zero may have been shown.
func (l *line) show(minute stream.Time) {
	if h, c := l.cell(minute); !c.shown {
		c.shown, h.sums.shown = true, true
		l.touch(minute)
	}
}

// drop forgets the hours for which gone returns true.
func (l *line) drop(gone func(start stream.Time) bool) {
	l.starts = slices.DeleteFunc(l.starts, func(start stream.Time) bool {
		if !gone(start) {
			return false
		}
		delete(l.hours, start)
		l.touch(start)
		return true
	})
}

// next returns the first minute at or after from that the line has a cell for.
func (l *line) next(from stream.Time) (stream.Time, bool) {
	i, _ := slices.BinarySearch(l.starts, from.Truncate(stream.Hour))
	for ; i < len(l.starts); i++ {
		start := l.starts[i]
		for j, c := range l.hours[start].cells {
			if minute := start + stream.Time(j)*stream.Minute; c != nil && minute >= from {
				return minute, true
			}
		}
	}
	return 0, false
}

// window makes t the content of [from, to), both on full minutes. Whole hours come from the sum that is kept for the
// rows of the same hour, so a row costs at most two hours of minutes.
func (l *line) window(t *total, from, to stream.Time) {
	t.reset()
	first, last := (from + stream.Hour - 1).Truncate(stream.Hour), to.Truncate(stream.Hour)
	if first >= last {
		l.minutes(t, from, to)
		return
	}
	l.minutes(t, from, first)
	l.whole(first, last)
	t.add(&l.base.sums, l.base.revision)
	if l.base.answers > 0 {
		t.merge(l.base.sketch, l.base.answers)
	}
	l.minutes(t, last, to)
}

func (l *line) minutes(t *total, from, to stream.Time) {
	for start := from.Truncate(stream.Hour); start < to; start += stream.Hour {
		h := l.hours[start]
		if h == nil {
			continue
		}
		for i := (max(from, start) - start) / stream.Minute; i < (min(to, start+stream.Hour)-start)/stream.Minute; i++ {
			c := h.cells[i]
			if c == nil {
				continue
			}
			t.counts.Add(&c.counts, 1)
			t.found = true
			t.shown = t.shown || c.shown
			t.revision = max(t.revision, c.revision)
			t.observe(c.responses)
		}
	}
}

// whole makes base the sum of the hours in [from, to).
func (l *line) whole(from, to stream.Time) {
	b := &l.base
	if b.valid && b.from == from && b.to == to {
		return
	}
	b.reset()
	b.from, b.to, b.valid = from, to, true
	i, _ := slices.BinarySearch(l.starts, from)
	for ; i < len(l.starts) && l.starts[i] < to; i++ {
		h := l.hours[l.starts[i]]
		b.add(&h.sums, h.revision)
		if h.answers == 0 {
			continue
		}
		if h.sketch == nil {
			own := total{sketch: newSketch()}
			for _, c := range h.cells {
				if c != nil {
					own.observe(c.responses)
				}
			}
			h.sketch = own.sketch
		}
		b.merge(h.sketch, h.answers)
	}
}

func (t *total) add(s *sums, revision stream.Position) {
	t.counts.Add(&s.counts, 1)
	t.found = t.found || s.found
	t.shown = t.shown || s.shown
	t.revision = max(t.revision, revision)
}

func (t *total) observe(responses []bin) {
	if len(responses) == 0 {
		return
	}
	positive := t.sketch.GetPositiveValueStore()
	for _, b := range responses {
		if b != noWait {
			positive.Add(int(b))
		} else if err := t.sketch.Add(0); err != nil {
			panic("window: " + err.Error()) // a sketch takes 0 whatever its mapping
		}
	}
	t.answers += len(responses)
}

func (t *total) merge(s *ddsketch.DDSketch, answers int) {
	if err := t.sketch.MergeWith(s); err != nil {
		panic("window: " + err.Error()) // all sketches have one mapping
	}
	t.answers += answers
}

// quantiles returns the median and the 90th percentile of the responses in seconds, NaN when there are none.
func (t *total) quantiles() (median, p90 float64) {
	if t.answers == 0 {
		return math.NaN(), math.NaN()
	}
	q, err := t.sketch.GetValuesAtQuantiles([]float64{0.5, 0.9})
	if err != nil {
		panic("window: " + err.Error()) // the sketch is not empty and the quantiles are constants
	}
	return q[0], q[1]
}
