package window

import (
	"cmp"
	"slices"
	"time"

	"otklik/stream"
)

// Mark is how far one source has come: the highest event time seen from it.
type Mark struct {
	Source    stream.Partition
	EventTime stream.Time
	Idle      bool // the source itself has said so, see ObserveWatermark
}

// Tracker computes the watermark of a task: the time before which it expects no more events. It is the lowest, over the
// sources that are not idle, of the highest event time of the source minus MaxDisorder, and it never goes back.
//
// When nothing comes any more from any source, there is nothing to wait for: once all of them have been silent for IdleAfter and
// Grace, the watermark is the highest event time seen, and never later. Minutes that ended before the last event become final then,
// not only when somebody writes again.
//
// The idea and the idle sources are those of the Dataflow model (Akidau et al. 2015) as Flink implements it. Idleness goes
// by the wall clock, so when exactly a window becomes final may differ between two runs; what it counts never does.
type Tracker struct {
	disorder  stream.Time
	idleAfter time.Duration
	restAfter time.Duration
	merging   bool // the sources state watermarks
	sources   []source
	index     map[stream.Partition]int
	last      int // index of the source of the last event: most come in runs
	watermark stream.Time
	stale     bool // a source has moved that may have held the watermark back
	resting   bool // nothing is expected from any source
}

type source struct {
	Mark
	seen bool      // EventTime is set
	at   time.Time // of the last sign of life, by the wall clock
	idle bool
}

// NewTracker returns a tracker without sources. The configuration must be valid.
func NewTracker(cfg Config) *Tracker {
	return &Tracker{
		disorder: span(cfg.MaxDisorder), idleAfter: cfg.IdleAfter, restAfter: cfg.IdleAfter + cfg.Grace, index: make(map[stream.Partition]int),
	}
}

// NewMerger returns a tracker whose sources state their watermarks (ObserveWatermark). One that says nothing more is left out when it is
// idle, but that all of them are silent does not mean that nothing comes: they may have stopped. So the watermark goes to
// the highest of theirs only when all of them have said that they are idle.
func NewMerger(cfg Config) *Tracker {
	t := NewTracker(cfg)
	t.merging = true
	return t
}

func (t *Tracker) source(p stream.Partition) *source {
	if t.last < len(t.sources) && t.sources[t.last].Source == p {
		return &t.sources[t.last]
	}
	i, ok := t.index[p]
	if !ok {
		i = len(t.sources)
		t.sources = append(t.sources, source{Mark: Mark{Source: p}})
		t.index[p] = i
	}
	t.last = i
	return &t.sources[i]
}

// Observe notes an event of the source, read at the wall-clock time now.
func (t *Tracker) Observe(src stream.Partition, event stream.Time, now time.Time) {
	s := t.source(src)
	s.at = now
	if s.idle || !s.seen || event > s.EventTime {
		if !s.seen || event > s.EventTime {
			s.EventTime = event
		}
		s.seen, s.idle = true, false
		t.stale = true
	}
}

// ObserveWatermark notes that the source itself has stated its watermark, as the partitions of otklik.mentions do in
// otklik.panes: MaxDisorder is in it already. An idle source is left out until it states otherwise.
func (t *Tracker) ObserveWatermark(src stream.Partition, watermark stream.Time, idle bool, now time.Time) {
	t.Observe(src, watermark+t.disorder, now)
	s := t.source(src)
	s.Idle = idle
	if idle {
		s.idle = true
		t.stale = true
	}
}

// Expect announces a source of which nothing has been seen yet: the watermark waits for its first event until it
// becomes idle.
func (t *Tracker) Expect(src stream.Partition, now time.Time) {
	if s := t.source(src); !s.seen {
		s.at = now
		t.stale = true
	}
}

// Forget removes a source that is not read any more.
func (t *Tracker) Forget(src stream.Partition) {
	i, ok := t.index[src]
	if !ok {
		return
	}
	t.sources = slices.Delete(t.sources, i, i+1)
	delete(t.index, src)
	for j := i; j < len(t.sources); j++ {
		t.index[t.sources[j].Source] = j
	}
	t.stale = true
}

// Tick lets the sources go idle that have given no sign of life for IdleAfter.
func (t *Tracker) Tick(now time.Time) {
	for i := range t.sources {
		if s := &t.sources[i]; !s.idle && now.Sub(s.at) >= t.idleAfter {
			s.idle = true
			t.stale = true
		}
	}
	if resting := t.rests(now); resting != t.resting {
		t.resting, t.stale = resting, true
	}
}

// rests reports whether nothing is expected from any source.
func (t *Tracker) rests(now time.Time) bool {
	return !slices.ContainsFunc(t.sources, func(s source) bool {
		if t.merging {
			return !s.idle || !s.Idle
		}
		return !s.idle || now.Sub(s.at) < t.restAfter
	})
}

// Watermark returns the time before which no more events are expected; 0 while it is unknown. While all sources are
// idle, and not yet silent for long enough, it stays where it is.
func (t *Tracker) Watermark() stream.Time {
	if !t.stale {
		return t.watermark
	}
	t.stale = false
	var lowest stream.Time
	found := false
	for i := range t.sources {
		s := &t.sources[i]
		if s.idle {
			continue
		}
		if !s.seen {
			return t.watermark // announced and awaited
		}
		if low := s.EventTime - t.disorder; !found || low < lowest {
			lowest, found = low, true
		}
	}
	if !found && t.resting {
		lowest = t.highest()
	}
	t.watermark = max(t.watermark, lowest)
	return t.watermark
}

// highest returns the highest event time of all sources, or the highest of the watermarks that they have stated; 0 without any.
func (t *Tracker) highest() stream.Time {
	var highest stream.Time
	for i := range t.sources {
		if s := &t.sources[i]; s.seen {
			highest = max(highest, s.EventTime)
		}
	}
	if t.merging && highest > 0 {
		highest -= t.disorder
	}
	return highest
}

// Idle reports whether every source is idle (also when there is none).
func (t *Tracker) Idle() bool {
	return !slices.ContainsFunc(t.sources, func(s source) bool { return !s.idle })
}

// Marks returns how far each source has come, in the order of topic and partition: what Restore takes.
func (t *Tracker) Marks() []Mark {
	marks := make([]Mark, 0, len(t.sources))
	for i := range t.sources {
		if t.sources[i].seen {
			marks = append(marks, t.sources[i].Mark)
		}
	}
	slices.SortFunc(marks, func(a, b Mark) int {
		return cmp.Or(cmp.Compare(a.Source.Topic, b.Source.Topic), cmp.Compare(a.Source.Number, b.Source.Number))
	})
	return marks
}

// Restore takes up where another tracker had come: its watermark and its marks. Every source counts as alive at now, unless it has said
// that it is idle.
func (t *Tracker) Restore(watermark stream.Time, marks []Mark, now time.Time) {
	t.watermark = max(t.watermark, watermark)
	for _, m := range marks {
		t.Observe(m.Source, m.EventTime, now)
		if m.Idle {
			s := t.source(m.Source)
			s.Idle, s.idle = true, true
		}
	}
}
