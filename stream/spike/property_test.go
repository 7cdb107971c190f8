package spike

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"

	"otklik/stream"
)

// eventful is a fortnight with three events.
func eventful(rate float64) *script {
	return &script{
		days: 12, rate: rate, negative: 0.2, curve: true, noise: 0.15, monday: 1.3,
		events: []event{
			{at: 7*stream.Day + 14*stream.Hour, length: 90 * stream.Minute, ramp: 10 * stream.Minute, rate: 6 * rate, negative: 0.8},
			{at: 9*stream.Day + 20*stream.Hour, length: 40 * stream.Minute, rate: 9 * rate, negative: 0.05},
			{at: 11*stream.Day + 23*stream.Hour, length: 3 * stream.Hour, ramp: 5 * stream.Minute, rate: 6 * rate, negative: 0.9},
		},
	}
}

// TestReplayGivesTheSameEpisodes feeds the same figures in other steps, late, and with restarts in between: the episodes are the same to
// the last field.
func TestReplayGivesTheSameEpisodes(t *testing.T) {
	for seed := range uint64(4) {
		m := eventful(3).minutes(seed)
		want := m.play(NewWatch(Normal), stream.Minute)
		if len(want) < 3 {
			t.Fatalf("seed %d: %d episodes, want several", seed, len(want))
		}
		t.Run(fmt.Sprint("steps/", seed), func(t *testing.T) {
			for _, step := range []stream.Time{13 * stream.Minute, stream.Hour, stream.Day} {
				if got := m.play(NewWatch(Normal), step); !reflect.DeepEqual(got, want) {
					t.Errorf("steps of %d minutes: %v, want %v", step/stream.Minute, got, want)
				}
			}
		})
		t.Run(fmt.Sprint("late/", seed), func(t *testing.T) {
			if got := late(m, seed); !reflect.DeepEqual(got, want) {
				t.Errorf("late: %v, want %v", got, want)
			}
		})
		t.Run(fmt.Sprint("restarts/", seed), func(t *testing.T) {
			if got := restarted(m, seed); !reflect.DeepEqual(got, want) {
				t.Errorf("with restarts: %v, want %v", got, want)
			}
		})
	}
}

// late plays a series of which a tenth of the minutes comes up to fifteen hours late.
func late(m minutes, seed uint64) []Episode {
	r := rand.New(rand.NewPCG(seed, 8))
	shown := make(minutes, len(m))
	due := map[int][]int{} // minutes by the hour in which they come
	for i := range m {
		if r.Float64() < 0.1 {
			hour := i/60 + 1 + r.IntN(15)
			due[hour] = append(due[hour], i)
			continue
		}
		shown[i] = m[i]
	}
	w := NewWatch(Normal)
	last := map[string]Episode{}
	for hour := range len(m)/60 + 16 {
		at := monday + stream.Time(hour)*stream.Hour
		shown.show(w, "", at, min(at+stream.Hour, m.end()))
		for _, i := range due[hour] {
			shown[i] = m[i]
			minute := monday + stream.Time(i)*stream.Minute
			shown.show(w, "", minute, min(minute+Length, m.end()))
			if over := minute.Truncate(stream.Hour) + stream.Hour; over <= m.end() {
				w.Hour("", over-stream.Hour, shown.sum(over-stream.Hour, over))
			}
		}
		for _, e := range w.Flush(nil, min(at+stream.Hour, m.end())) {
			last[fmt.Sprint(e.Rule, e.OpenedAt)] = e
		}
	}
	return final(last)
}

// restarted plays a series and begins anew from what a store would hold every few hours.
func restarted(m minutes, seed uint64) []Episode {
	r := rand.New(rand.NewPCG(seed, 9))
	last := map[string]Episode{}
	w := NewWatch(Normal)
	for at := monday; at < m.end(); {
		to := min(at+stream.Time(1+r.IntN(500))*stream.Minute, m.end())
		m.show(w, "", at, to)
		for _, e := range w.Flush(nil, to) {
			last[fmt.Sprint(e.Rule, e.OpenedAt)] = e
		}
		at = to
		w = NewWatch(Normal)
		windows, hours := Since(to)
		m.show(w, "", max(monday, hours), min(windows, to))
		w.line("").windows = map[stream.Time]Counts{}
		m.show(w, "", max(monday, windows), to)
		var told []Episode
		for _, e := range last {
			if e.ClearedAt == 0 || e.ClearedAt > windows {
				told = append(told, e)
			}
		}
		w.Restore(to, told)
	}
	return final(last)
}

// TestLateFiguresWithdraw lets an episode begin on figures that turn out to be wrong.
func TestLateFiguresWithdraw(t *testing.T) {
	s := eventful(3)
	s.days, s.events = 8, nil
	m := s.minutes(1)
	w := NewWatch(Normal)
	m.show(w, "", monday, m.end())
	if got := w.Flush(nil, m.end()); len(got) != 0 {
		t.Fatalf("%v, want nothing", got)
	}
	end := m.end() - 5*stream.Hour
	w.Window("", end, Counts{Negative: 300, Labelled: 310, Mentions: 310})
	w.Window("", end+stream.Minute, Counts{Negative: 400, Labelled: 410, Mentions: 410})
	got := w.Flush(nil, m.end())
	if len(got) != 2 || got[0].Rule != Negativity || got[0].OpenedAt != end || got[0].PeakAt != end+stream.Minute || got[0].Withdrawn {
		t.Fatalf("late figures: %v, want both rules from %s", got, end)
	}
	w.Window("", end+stream.Minute, m.sum(end+stream.Minute-Length, end+stream.Minute))
	got = w.Flush(nil, m.end())
	if len(got) != 2 || !got[0].Withdrawn || !got[1].Withdrawn || got[0].OpenedAt != end {
		t.Fatalf("corrected figures: %v, want both withdrawn", got)
	}
	if got := w.Flush(nil, m.end()+stream.Hour); len(got) != 0 {
		t.Errorf("told again: %v", got)
	}
}

// TestNoEpisodeBelowTheFloor draws series that are as unlikely as can be, but small.
func TestNoEpisodeBelowTheFloor(t *testing.T) {
	for _, sensitivity := range []Sensitivity{Low, Normal, High} {
		for seed := range uint64(5) {
			r := rand.New(rand.NewPCG(seed, 10))
			w := NewWatch(sensitivity)
			floor := w.limits[Negativity].floor
			for end := monday; end < monday+stream.Day; end += stream.Minute {
				n := int64(0)
				if r.Float64() < 0.2 {
					n = r.Int64N(floor)
				}
				w.Window("", end, Counts{Negative: n, Labelled: n, Mentions: n})
				for _, e := range w.Flush(nil, end) {
					t.Fatalf("%s, seed %d: %v though no window reaches %d", sensitivity, seed, e, floor)
				}
			}
		}
	}
}

// TestScaleDoesNotMatter multiplies counts and baseline alike: what stands out goes on standing out, what does not still does not.
func TestScaleDoesNotMatter(t *testing.T) {
	for seed := range uint64(3) {
		m := eventful(300).minutes(seed) // what is left to chance in small counts would be scaled up too
		want := m.play(NewWatch(Normal), stream.Hour)
		for _, factor := range []int64{2, 10, 100} {
			scaled := make(minutes, len(m))
			for i, c := range m {
				scaled[i] = Counts{Negative: c.Negative * factor, Labelled: c.Labelled * factor, Mentions: c.Mentions * factor}
			}
			got := scaled.play(NewWatch(Normal), stream.Hour)
			if len(got) != len(want) {
				t.Fatalf("seed %d times %d: %d episodes, want %d: %v", seed, factor, len(got), len(want), got)
			}
			for i := range got {
				if d := got[i].OpenedAt - want[i].OpenedAt; got[i].Rule != want[i].Rule || d > 5*stream.Minute || d < -10*stream.Minute {
					t.Errorf("seed %d times %d: %s at %s, want %s at %s", seed, factor, got[i].Rule, got[i].OpenedAt, want[i].Rule, want[i].OpenedAt)
				}
			}
		}
	}
}

// TestSensitivityOrders checks that a higher sensitivity finds whatever a lower one finds, and no later.
func TestSensitivityOrders(t *testing.T) {
	for seed := range uint64(3) {
		m := eventful(3).minutes(seed)
		low, high := m.play(NewWatch(Low), stream.Hour), m.play(NewWatch(High), stream.Hour)
		for _, l := range low {
			found := false
			for _, h := range high {
				found = found || h.Rule == l.Rule && h.OpenedAt <= l.OpenedAt && (h.ClearedAt == 0 || h.ClearedAt >= l.OpenedAt)
			}
			if !found {
				t.Errorf("seed %d: %s at %s is found with a low sensitivity but not with a high one", seed, l.Rule, l.OpenedAt)
			}
		}
	}
}

func BenchmarkWatch(b *testing.B) {
	m := eventful(10).minutes(1)
	b.ReportAllocs()
	for b.Loop() {
		w := NewWatch(Normal)
		for at := monday; at < m.end(); at += stream.Minute {
			m.show(w, "", at, at+stream.Minute)
			w.Flush(nil, at)
		}
	}
	b.ReportMetric(float64(len(m)*b.N)/b.Elapsed().Seconds(), "windows/s")
}
