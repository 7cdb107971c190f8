package spike

import (
	"math/bits"
	"slices"
	"strings"

	"otklik/stream"
)

// reach is how far behind the watermark late figures still raise or withdraw episodes; what is older is decided.
const reach = stream.Day

// before is how much of the windows before the reach is kept, for what they say about the first windows in it.
const before = stream.Hour

// Watch follows one brand, on every platform and on all together, and finds the episodes of all rules. It is fed with absolute figures:
// windows and hours that replace what was said of them before. The episodes depend on the figures alone, not on when they came:
// a window is judged once the watermark has passed its end, and judged again when a figure changes that it depends on. Only
// figures that are late by more than a day find the windows decided.
//
// It is not safe for concurrent use.
type Watch struct {
	limits    map[Rule]limits
	lines     map[stream.Platform]*line
	watermark stream.Time
	dropped   stream.Time // up to where drop has been
}

// line is the figures of one platform, or of all together.
type line struct {
	platform stream.Platform
	begun    stream.Time // start of the first minute with a mention
	first    stream.Time // the hour of it
	windows  map[stream.Time]Counts
	hours    map[stream.Time]Counts
	machines []*machine // one for each rule
	newest   stream.Time
}

func (l *line) window(end stream.Time) Counts { return l.windows[end] }

// state is what a machine carries from one window to the next.
type state struct {
	at     stream.Time // the last window judged
	hits   uint8       // which of the last windows were hot, the newest in the lowest bit
	open   bool
	warm   stream.Time // the last warm window of the open episode
	opened stream.Time // of the episode that is open, or was last
	now    Episode     // the open episode
}

// machine judges the windows of a line by one rule.
type machine struct {
	past
	limits

	state  state
	marks  []state                 // the states at the ends of hours, ascending, back to the reach
	redo   stream.Time             // windows from here on are to be judged again; 0 for none
	found  []Episode               // that are over and were opened after the first mark
	told   map[stream.Time]Episode // by OpenedAt: what Flush said last
	tested stream.Time             // windows before this one were judged by others
}

// NewWatch returns a watch that has seen nothing. The sensitivity must be valid.
func NewWatch(s Sensitivity) *Watch {
	w := &Watch{limits: map[Rule]limits{}, lines: map[stream.Platform]*line{}}
	for _, r := range Rules {
		l, err := s.limits(r)
		if err != nil {
			panic("spike: " + err.Error()) // the configuration validates it
		}
		w.limits[r] = l
	}
	return w
}

// Since returns the ends of the first window and the begin of the first hour that Restore needs for a restart at the watermark.
func Since(watermark stream.Time) (windows, hours stream.Time) {
	from := max(0, watermark-reach).Truncate(stream.Hour)
	return max(0, from-before-settleIn-stream.Hour-Length), max(0, from-pastWeeks*week-stream.Day)
}

// Restore begins at a restart point. The figures back to Since(watermark) must have been given, and episodes are those told that lasted
// beyond the first of the windows. It is called once, before Flush.
func (w *Watch) Restore(watermark stream.Time, episodes []Episode) {
	w.watermark = watermark
	if watermark == 0 {
		return
	}
	from := max(0, watermark-reach).Truncate(stream.Hour) - before
	for i := range episodes {
		w.line(episodes[i].Platform)
	}
	for _, l := range w.lines {
		for _, m := range l.machines {
			m.state.at = from
			m.tested = from
			for i := range episodes {
				e := episodes[i]
				if e.Platform != l.platform || e.Rule != m.rule {
					continue
				}
				m.told[e.OpenedAt] = e
				if e.OpenedAt > from || e.Withdrawn || e.ClearedAt != 0 && e.ClearedAt <= from {
					continue
				}
				m.state.open, m.state.opened, m.state.now, m.state.warm = true, e.OpenedAt, e, from
				if e.ClearedAt != 0 {
					m.state.warm = min(from, e.ClearedAt-calm)
				}
				m.state.now.ClearedAt = 0
			}
			m.marks = []state{m.state}
			m.redo = from + stream.Minute
		}
	}
}

func (w *Watch) line(p stream.Platform) *line {
	l := w.lines[p]
	if l == nil {
		l = &line{platform: p, windows: map[stream.Time]Counts{}, hours: map[stream.Time]Counts{}}
		for _, r := range Rules {
			l.machines = append(l.machines, &machine{
				past:   past{rule: r, residuals: map[stream.Time]residual{}},
				limits: w.limits[r],
				told:   map[stream.Time]Episode{},
			})
		}
		w.lines[p] = l
	}
	return l
}

// Window says what the window [end−Length, end) of a platform, "" for all, holds; end is a full minute. Windows that are never
// mentioned hold nothing.
func (w *Watch) Window(platform stream.Platform, end stream.Time, c Counts) {
	l := w.line(platform)
	if l.windows[end] == c {
		return
	}
	l.windows[end] = c
	l.begin(end - stream.Minute)
	l.newest = max(l.newest, end)
	for _, m := range l.machines {
		m.again(end)
	}
}

// Hour says what the hour that begins at start holds. An hour may be told before it is over, and again.
func (w *Watch) Hour(platform stream.Platform, start stream.Time, c Counts) {
	l := w.line(platform)
	if l.hours[start] == c {
		return
	}
	l.hours[start] = c
	l.begin(start)
	for _, m := range l.machines {
		m.forget(start)
		m.again(start + stream.Hour + stream.Minute) // the windows of the later hours
	}
}

// begin takes note that there was something at a minute.
func (l *line) begin(minute stream.Time) {
	if l.begun != 0 && l.begun <= minute {
		return
	}
	l.begun = minute
	l.first = minute.Truncate(stream.Hour)
	for _, m := range l.machines {
		m.forget(0)
		m.again(minute)
	}
}

func (m *machine) again(from stream.Time) {
	if m.redo == 0 || from < m.redo {
		m.redo = from
	}
}

// Flush moves the watermark, judges what can be judged, and appends to dst the episodes that are new or have changed since the last
// flush, ordered by platform, rule and begin.
func (w *Watch) Flush(dst []Episode, watermark stream.Time) []Episode {
	w.watermark = max(w.watermark, watermark)
	until := w.watermark.Truncate(stream.Minute)
	at := len(dst)
	for _, l := range w.lines {
		for _, m := range l.machines {
			m.run(l, until)
			dst = m.tell(dst, l.platform)
		}
	}
	slices.SortFunc(dst[at:], func(a, b Episode) int {
		if c := strings.Compare(string(a.Platform), string(b.Platform)); c != 0 {
			return c
		}
		if c := strings.Compare(string(a.Rule), string(b.Rule)); c != 0 {
			return c
		}
		return int(a.OpenedAt - b.OpenedAt)
	})
	w.drop()
	return dst
}

// run judges the windows up to until, from the first on that a change may have touched.
func (m *machine) run(l *line, until stream.Time) {
	if m.redo != 0 && m.redo <= m.state.at {
		m.rewind(m.redo)
	}
	m.redo = 0
	for m.state.at < until {
		next := max(m.state.at+stream.Minute, l.begun)
		if !m.state.open && m.state.hits == 0 {
			// Empty windows cannot begin an episode: step over them.
			if next > l.newest {
				m.state.at = until
				break
			}
			if _, ok := l.windows[next]; !ok && m.state.at.Truncate(stream.Hour) != until.Truncate(stream.Hour) {
				next = m.following(l, next, until)
			}
		}
		if next > until {
			m.state.at = until
			break
		}
		if h := m.state.at.Truncate(stream.Hour); next.Truncate(stream.Hour) > h {
			m.marks = append(m.marks, m.state)
		}
		m.judge(l, next)
	}
}

// following returns the end of the first window at or after next that holds something, until+1 when there is none by then.
func (m *machine) following(l *line, next, until stream.Time) stream.Time {
	for next <= until {
		if _, ok := l.windows[next]; ok {
			return next
		}
		next += stream.Minute
	}
	return until + 1
}

// rewind goes back to the last mark before a window, or to the oldest.
func (m *machine) rewind(to stream.Time) {
	n := len(m.marks)
	for n > 1 && m.marks[n-1].at >= to {
		n--
	}
	if n == 0 {
		m.state = state{}
	} else {
		m.state = m.marks[n-1]
		m.marks = m.marks[:n-1]
		if n == 1 { // the oldest stays: there is nothing before it
			m.marks = append(m.marks, m.state)
		}
	}
	at := m.state.at
	m.found = slices.DeleteFunc(m.found, func(e Episode) bool { return e.ClearedAt > at })
}

// judge applies the rule to the window that ends at a time.
func (m *machine) judge(l *line, at stream.Time) {
	s := &m.state
	s.at = at
	c := l.window(at)
	count := c.of(m.rule)
	since := at
	if s.open && at-s.opened < m.memory(l) {
		since = s.opened // an event is not its own baseline
	}
	hot, warm := false, false
	var b Baseline
	if 2*count >= m.floor {
		var known bool
		if b, known = m.baseline(l, at, since, &m.limits); known {
			excess := b.excess(count)
			warm = excess >= m.k/2
			hot = excess >= m.k
			if m.rule == Negativity && warm && !hot {
				if threshold, recent := l.sudden(at, suddenly*m.k); recent && float64(count) > threshold {
					hot, b.Threshold = true, threshold
				}
			}
			hot = hot && count >= m.floor && (m.rule != Negativity || shareLow(c.Negative, c.Labelled) > shareGain*b.Share)
		}
	}
	s.hits = s.hits << 1 & (1<<among - 1)
	if hot {
		s.hits |= 1
	}
	if !s.open && hot && bits.OnesCount8(s.hits) >= needed {
		s.open = true
		s.opened = at - stream.Time(bits.Len8(s.hits)-1)*stream.Minute
		s.now = Episode{Platform: l.platform, Rule: m.rule, OpenedAt: s.opened}
	}
	if !s.open {
		return
	}
	if hot && (s.now.PeakAt == 0 || count > s.now.Peak.of(m.rule)) {
		s.now.PeakAt, s.now.Peak, s.now.Baseline = at, c, b
		s.now.Severity = max(s.now.Severity, m.severity(b.excess(count)))
	}
	if warm {
		s.warm = at
	}
	if at-s.warm >= calm {
		s.now.ClearedAt = at
		m.found = append(m.found, s.now)
		s.open, s.hits, s.now = false, 0, Episode{}
	}
}

// memory returns for how long an episode is kept out of its own baseline. Without a day before it, the level of the hours before it
// says little about those that come.
func (m *machine) memory(l *line) stream.Time {
	if m.state.opened-l.first < 2*stream.Day {
		return 3 * stream.Hour
	}
	return stream.Day
}

// severity of a window by its excess, which is at least k.
func (m *machine) severity(excess float64) Severity {
	switch {
	case excess >= 3*m.k:
		return Critical
	case excess >= 1.75*m.k:
		return Warning
	default:
		return Notice
	}
}

// tell appends what differs from what was told, and withdraws what is no more.
func (m *machine) tell(dst []Episode, platform stream.Platform) []Episode {
	seen := map[stream.Time]bool{}
	each := func(e Episode) {
		seen[e.OpenedAt] = true
		if m.told[e.OpenedAt] != e {
			m.told[e.OpenedAt] = e
			dst = append(dst, e)
		}
	}
	if len(m.found) == 0 && !m.state.open && len(m.told) == 0 {
		return dst
	}
	for i := range m.found {
		each(m.found[i])
	}
	if m.state.open {
		each(m.state.now)
	}
	for opened, e := range m.told {
		if seen[opened] || e.Withdrawn || opened <= m.tested {
			continue
		}
		e.Platform, e.Withdrawn = platform, true
		m.told[opened] = e
		dst = append(dst, e)
	}
	return dst
}

// drop forgets what no late figure within the reach needs.
func (w *Watch) drop() {
	from := max(0, w.watermark-reach).Truncate(stream.Hour) - before
	if from <= w.dropped {
		return
	}
	w.dropped = from
	windows, hours := Since(w.watermark)
	for platform, l := range w.lines {
		for _, m := range l.machines {
			n := 0
			for n+1 < len(m.marks) && m.marks[n+1].at <= from {
				n++
			}
			m.marks = slices.Delete(m.marks, 0, n)
			if len(m.marks) > 0 {
				oldest := m.marks[0].at
				m.tested = max(m.tested, oldest)
				m.found = slices.DeleteFunc(m.found, func(e Episode) bool { return e.ClearedAt <= oldest })
				for opened, e := range m.told {
					if opened <= oldest && (e.Withdrawn || e.ClearedAt != 0 && e.ClearedAt <= oldest) {
						delete(m.told, opened)
					}
				}
			}
		}
		for end := range l.windows {
			if end < windows {
				delete(l.windows, end)
			}
		}
		for h := range l.hours {
			if h < hours {
				delete(l.hours, h)
			}
		}
		for _, m := range l.machines {
			m.past.drop(hours)
		}
		if len(l.windows) == 0 && len(l.hours) == 0 {
			delete(w.lines, platform)
		}
	}
}
