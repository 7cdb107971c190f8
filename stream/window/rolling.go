package window

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"otklik/stream"
	"otklik/stream/prevalence"
)

// longest is the longest of Windows.
const longest = stream.Day

// Rolling keeps the rolling windows of one brand: the counts of [At−window, At) for every full minute At, every platform
// and all platforms together. It is fed with the partials that track produces (otklik.panes) and gives rows of the table
// rolling. It is not safe for concurrent use.
//
// A partial is absolute: of those of one source partition, platform and minute the one with the highest position
// counts, so replaying them changes nothing. Rows depend on the partials alone and not on their order: counts are whole
// numbers, and quantiles come from sketches whose bins are.
//
// A task uses it so, also for a brand that it meets for the first time:
//
//	r.Restore(watermark of the restart point, minute panes from r.Since(watermark) on, position of the restart point)
//	for each partial: if from, to := r.Missing(minute); from < to { r.Load(from, to, panes of that range, …) }; r.Apply
//	for each watermark: r.Advance
//	for each flush: rows = r.Flush(rows)
//
// Memory holds two days; Flush drops what is older.
type Rolling struct {
	brand  string
	errors *prevalence.Matrix // of the classifier; nil: not known
	grace  stream.Time
	retain stream.Time // how far behind the watermark memory reaches

	all   *line
	lines []*line // all first, then the platforms in order

	watermark stream.Time
	newest    stream.Time // end of the newest minute seen
	head      stream.Time // the last At of which rows have been shown
	final     stream.Time // the last At that has been shown as final

	// Hours from horizon on are complete in memory; before it only those in loaded are.
	horizon stream.Time
	loaded  map[stream.Time]bool

	scratch total
	spans   []interval
}

type interval struct{ from, to stream.Time } // both belong to it

// NewRolling returns the windows of a brand. The configuration must be valid.
func NewRolling(brand string, cfg Config) *Rolling {
	r := &Rolling{
		brand: brand,
		grace: span(cfg.Grace),
		// An answer revises the minute of its request, mostly within a day: the windows that hold it reach a day further
		// back. Two days in memory spare it a query.
		retain: 2*longest + span(cfg.MaxDisorder) + span(cfg.Grace),
		all:    newLine(""),
		loaded: make(map[stream.Time]bool),
	}
	r.lines = []*line{r.all}
	return r
}

// Brand returns the brand.
func (r *Rolling) Brand() string { return r.brand }

// AdjustBy sets the confusion matrix of the classifier, by which the adjusted shares of all rows from now on are estimated. Without it
// their state is prevalence.NoMatrix.
func (r *Rolling) AdjustBy(m *prevalence.Matrix) { r.errors = m }

// Since returns the start of the first minute that Restore needs for a restart at the watermark.
func (r *Rolling) Since(watermark stream.Time) stream.Time {
	return max(0, watermark-r.retain).Truncate(stream.Hour)
}

// Restore begins at a restart point: panes are the rows of the table panes with grain 1m and product "" of all source
// partitions from Since(watermark) on, revision is the position in otklik.panes at which reading goes on. Rows up
// to the watermark count as shown.
func (r *Rolling) Restore(watermark stream.Time, panes []Pane, revision stream.Position) {
	r.watermark = max(r.watermark, watermark)
	r.horizon = r.Since(watermark)
	r.head = max(r.head, watermark.Truncate(stream.Minute))
	r.final = max(r.final, r.finalTo())
	r.load(panes, revision)
}

// Missing returns the range of time [from, to) that must be loaded before a partial of the minute can be applied: the
// windows that hold the minute reach back to minutes that memory has dropped. from == to when nothing is missing.
func (r *Rolling) Missing(minute stream.Time) (from, to stream.Time) {
	first := max(0, minute+stream.Minute-longest).Truncate(stream.Hour)
	for start := first; start < min(minute+longest, r.horizon); start += stream.Hour {
		if !r.loaded[start] {
			if from == 0 && to == 0 {
				from = start
			}
			to = start + stream.Hour
		}
	}
	return from, to
}

// Load takes what Missing asked for into memory until the next Flush: the rows of the table panes with grain 1m and
// product "" of all source partitions in [from, to); revision is the position in otklik.panes of the record that asks.
func (r *Rolling) Load(from, to stream.Time, panes []Pane, revision stream.Position) {
	for start := from.Truncate(stream.Hour); start < to; start += stream.Hour {
		r.loaded[start] = true
	}
	r.load(panes, revision)
}

func (r *Rolling) load(panes []Pane, revision stream.Position) {
	for i := range panes {
		r.apply(&panes[i], revision, true)
	}
}

// Apply takes a partial, read at the given position of otklik.panes, and reports whether it changed a figure. Panes
// other than those of minutes with product "" have no part in the windows. Response times beyond 10¹² seconds count as that,
// negative ones as 0; no source gives any.
func (r *Rolling) Apply(p *Pane, revision stream.Position) bool { return r.apply(p, revision, false) }

func (r *Rolling) apply(p *Pane, revision stream.Position, load bool) bool {
	if p.Brand != r.brand {
		panic(fmt.Sprintf("window: pane of brand %q applied to the windows of %q", p.Brand, r.brand))
	}
	if p.Grain != Minute || p.Product != "" {
		return false
	}
	l := r.line(p.Platform)
	_, c := l.cell(p.Start)
	i := slices.IndexFunc(c.parts, func(o part) bool { return o.partition == p.Partition })
	if i < 0 {
		i = len(c.parts)
		c.parts = append(c.parts, part{partition: p.Partition, loaded: load})
	}
	old := &c.parts[i]
	fresh := old.position == 0
	if !fresh && old.position.Covers(p.Position) {
		// What was loaded may have been ahead of the log: rows shown before do not hold it yet. They do not have to be
		// shown before the record that brought it is here.
		if load || !old.loaded || old.position != p.Position {
			return false
		}
	}
	r.newest = max(r.newest, p.Start+stream.Minute)
	responses := binsOf(p.Responses)
	gain := p.Counts
	gain.Add(&old.counts, -1)
	added, removed := difference(responses, old.responses)
	same := gain.Zero() && len(added) == 0 && len(removed) == 0
	silent := load && fresh
	caughtUp := old.loaded && !load
	old.position, old.counts, old.responses, old.loaded = p.Position, p.Counts, responses, load
	if same && !caughtUp && !load {
		return false
	}
	l.change(p.Start, &gain, added, removed, revision, silent)
	r.all.change(p.Start, &gain, added, removed, revision, silent)
	if load { // rows that are not zero may have been shown, of this state or of one before it
		l.show(p.Start)
		r.all.show(p.Start)
	}
	return true
}

// difference returns the values that only a has and those that only b has; both are ascending multisets.
func difference(a, b []bin) (onlyA, onlyB []bin) {
	for len(a) > 0 && len(b) > 0 {
		switch {
		case a[0] == b[0]:
			a, b = a[1:], b[1:]
		case a[0] < b[0]:
			onlyA, a = append(onlyA, a[0]), a[1:]
		default:
			onlyB, b = append(onlyB, b[0]), b[1:]
		}
	}
	return append(onlyA, a...), append(onlyB, b...)
}

func (r *Rolling) line(platform stream.Platform) *line {
	i, ok := slices.BinarySearchFunc(r.lines[1:], platform, func(l *line, p stream.Platform) int {
		return strings.Compare(string(l.platform), string(p))
	})
	if !ok {
		r.lines = slices.Insert(r.lines, 1+i, newLine(platform))
	}
	return r.lines[1+i]
}

// Advance moves the watermark: rows whose At and grace it passes are shown once more as final. It never goes back.
func (r *Rolling) Advance(watermark stream.Time) { r.watermark = max(r.watermark, watermark) }

// finalTo returns the last At that is final.
func (r *Rolling) finalTo() stream.Time {
	return max(0, r.watermark-r.grace).Truncate(stream.Minute)
}

// Flush appends to dst the rows whose content or finality has changed since the last flush, and those of the minutes
// that have begun since, up to the head: the end of the newest minute seen, or the watermark if that is later. A row that is
// all zero is left out, unless it may have been shown when it was not: an edit or a withdrawn answer took everything away. Then it drops what memory need not hold any more.
func (r *Rolling) Flush(dst []RollingRow) []RollingRow {
	head := max(r.head, r.newest, r.watermark.Truncate(stream.Minute))
	final := max(r.final, r.finalTo())
	for _, l := range r.lines {
		for _, length := range Windows {
			r.spans = r.spans[:0]
			for _, minute := range l.changed {
				r.spans = append(r.spans, interval{minute + stream.Minute, min(minute+length, head)})
			}
			r.spans = append(r.spans, interval{r.head + stream.Minute, head}, interval{r.final + stream.Minute, final})
			dst = r.show(dst, l, length, final)
		}
	}
	for _, l := range r.lines {
		l.settle()
	}
	r.head, r.final = head, final
	r.drop()
	return dst
}

// show appends the rows of one line and window length whose At lies in r.spans.
func (r *Rolling) show(dst []RollingRow, l *line, length, final stream.Time) []RollingRow {
	slices.SortFunc(r.spans, func(a, b interval) int { return int(a.from - b.from) })
	done := stream.Time(math.MinInt64) // everything up to it is shown
	for _, s := range r.spans {
		for at := max(s.from, done+stream.Minute); at <= s.to; at += stream.Minute {
			l.window(&r.scratch, at-length, at)
			if !r.scratch.found { // step over the gap
				next, ok := l.next(at)
				if !ok {
					break
				}
				at = next
				continue
			}
			if r.scratch.counts.Zero() && !r.scratch.shown {
				continue
			}
			row := RollingRow{
				RollingKey: RollingKey{Brand: r.brand, Platform: l.platform, Window: length, At: at},
				Counts:     r.scratch.counts,
				Final:      at <= final,
				Revision:   r.scratch.revision,
			}
			row.judge(r.errors)
			row.ResponseMedian, row.ResponseP90 = r.scratch.quantiles()
			dst = append(dst, row)
		}
		done = max(done, s.to)
	}
	return dst
}

// drop forgets the hours that no row in waiting needs, and everything loaded for late partials.
func (r *Rolling) drop() {
	horizon := max(r.horizon, r.Since(r.watermark))
	if horizon == r.horizon && len(r.loaded) == 0 {
		return
	}
	r.horizon = horizon
	clear(r.loaded)
	for _, l := range r.lines {
		l.drop(func(start stream.Time) bool { return start < horizon })
	}
	r.lines = slices.DeleteFunc(r.lines, func(l *line) bool { return l != r.all && len(l.starts) == 0 })
}
