package spike_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"otklik/stream"
	"otklik/stream/simulate"
	"otklik/stream/spike"
	"otklik/stream/window"
)

// outage is the time of day, UTC, at which the simulator's outage of the own brand begins: 15:20 in Moscow.
const outage = 12*stream.Hour + 20*stream.Minute

// figures are those of one brand.
type figures struct {
	windows, hours map[stream.Platform]map[stream.Time]spike.Counts
	end            stream.Time
}

// watch returns a watch that has been told everything and has judged nothing.
func (f *figures) watch() *spike.Watch {
	w := spike.NewWatch(spike.Normal)
	for platform, list := range f.windows {
		for at, c := range list {
			w.Window(platform, at, c)
		}
		for at, c := range f.hours[platform] {
			w.Hour(platform, at, c)
		}
	}
	return w
}

// play returns the truth of a simulation.
func play(t *testing.T, cfg simulate.Config) *simulate.Truth {
	t.Helper()
	cfg.Minutes = true
	s, err := simulate.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	for _, ok := s.Next(); ok; _, ok = s.Next() {
	}
	return s.Truth()
}

// series returns the figures of the simulator's truth by brand.
func series(t *testing.T, cfg simulate.Config) map[string]*figures {
	t.Helper()
	truth := play(t, cfg)
	out := map[string]*figures{}
	end := stream.Time(0)
	add := func(all map[stream.Platform]map[stream.Time]spike.Counts, p stream.Platform, at stream.Time, c *simulate.Counts) {
		if all[p] == nil {
			all[p] = map[stream.Time]spike.Counts{}
		}
		x := all[p][at]
		x.Negative += c.Negative
		x.Labelled += c.Labelled()
		x.Mentions += c.Labelled() + c.Unlabelled
		all[p][at] = x
	}
	for _, cell := range truth.Panes {
		if cell.Product != "" {
			continue
		}
		f := out[cell.Brand]
		if f == nil {
			f = &figures{windows: map[stream.Platform]map[stream.Time]spike.Counts{}, hours: map[stream.Platform]map[stream.Time]spike.Counts{}}
			out[cell.Brand] = f
		}
		for _, p := range []stream.Platform{cell.Platform, ""} {
			switch cell.Grain {
			case "1m":
				for at := cell.Start + stream.Minute; at <= cell.Start+spike.Length; at += stream.Minute {
					add(f.windows, p, at, &cell.Counts)
				}
				end = max(end, cell.Start+stream.Minute)
			case "1h":
				add(f.hours, p, cell.Start, &cell.Counts)
			}
		}
	}
	for _, f := range out {
		f.end = end
	}
	return out
}

// TestFiguresAreThoseOfRolling: what the tests below feed to the watch is what roll does: the rolling windows of the minute panes.
func TestFiguresAreThoseOfRolling(t *testing.T) {
	cfg := simulate.Config{Seed: 1, Events: 10_000}
	want := series(t, cfg)
	rolling := map[string]*window.Rolling{}
	for position, cell := range play(t, cfg).Panes {
		if cell.Grain != "1m" || cell.Product != "" {
			continue
		}
		if rolling[cell.Brand] == nil {
			rolling[cell.Brand] = window.NewRolling(cell.Brand, window.Config{}.WithDefaults())
		}
		rolling[cell.Brand].Apply(&window.Pane{
			Key:    window.Key{Grain: window.Minute, Start: cell.Start, Brand: cell.Brand, Platform: cell.Platform},
			Counts: window.Counts{Positive: cell.Positive, Neutral: cell.Neutral, Negative: cell.Negative, Unlabelled: cell.Unlabelled},
		}, stream.Position(position+1))
	}
	for brand, r := range rolling {
		f := want[brand]
		r.Advance(f.end + stream.Hour)
		compared := 0
		for _, row := range r.Flush(nil) {
			got := spike.Counts{Negative: row.Negative, Labelled: row.Labelled(), Mentions: row.Mentions()}
			expected := f.windows[row.Platform][row.At]
			switch {
			case row.Window == stream.Hour && row.At%stream.Hour == 0:
				expected = f.hours[row.Platform][row.At-stream.Hour]
			case row.Window != spike.Length:
				continue
			}
			if compared++; got != expected {
				t.Fatalf("%s on %q, %d ms to %s: %+v, want %+v", brand, row.Platform, row.Window, row.At, got, expected)
			}
		}
		if compared < 1000 {
			t.Errorf("%s: %d windows compared", brand, compared)
		}
	}
}

// evident returns the end of the first window from a time on in which a spike of negatives can be told from a busy quarter of an hour: it has
// eight at least, four standard deviations of chance more than the mean of the three hours before that time, and a share that is
// above 1.25 times that of the day before it, at three standard errors. 0: there is none.
func (f *figures) evident(from stream.Time) stream.Time {
	usual, n := 0.0, 0.0
	for at := from - 3*stream.Hour + stream.Minute; at <= from; at += stream.Minute {
		usual += float64(f.windows[""][at].Negative)
		n++
	}
	usual /= n
	var before spike.Counts
	for at := from - stream.Day; at <= from; at += spike.Length {
		before.Negative += f.windows[""][at].Negative
		before.Labelled += f.windows[""][at].Labelled
	}
	share := 1.25 * float64(before.Negative) / float64(before.Labelled)
	for at := from; at < f.end; at += stream.Minute {
		c := f.windows[""][at]
		k, trials := float64(c.Negative), float64(c.Labelled)
		// The score test, which Wilson's bounds invert.
		if k >= 8 && k > usual+4*math.Sqrt(usual) && k-trials*share > 3*math.Sqrt(trials*share*(1-share)) {
			return at
		}
	}
	return 0
}

// told returns the watermark at which a spike of negatives of all platforms is told for the first time.
func (f *figures) told(from stream.Time) stream.Time {
	w := f.watch()
	for at := from; at < f.end; at += stream.Minute {
		for _, e := range w.Flush(nil, at) {
			if e.Platform == "" && e.Rule == spike.Negativity && !e.Withdrawn {
				return at
			}
		}
	}
	return 0
}

// promptly is how much event time may pass between the window in which a crisis is evident and the watermark at which it is told.
const promptly = 2 * stream.Minute

// crisis checks that an outage that begins at a time is found promptly and once, and that there is nothing else.
func crisis(t *testing.T, what string, brands map[string]*figures, own string, begin stream.Time) {
	t.Helper()
	found := 0
	for brand, f := range brands {
		if brand == own {
			evident, told := f.evident(begin), f.told(begin-30*stream.Minute)
			t.Logf("%s: evident %d minutes after its begin, told %d minutes after that", what, (evident-begin)/stream.Minute, (told-evident)/stream.Minute)
			if told == 0 || evident == 0 || told < begin || told > evident+promptly {
				t.Errorf("%s: evident at %s, told at %s", what, evident, told)
			}
		}
		for _, e := range f.watch().Flush(nil, f.end) {
			late := e.OpenedAt - begin
			if brand != own || late < 0 || late > 90*stream.Minute {
				t.Errorf("%s: false %s of %s on %q at %s: %+v, usual %+v", what, e.Rule, brand, e.Platform, e.OpenedAt, e.Peak, e.Baseline)
			}
			if e.Platform == "" && e.Rule == spike.Negativity {
				found++
				if late > 13*stream.Minute {
					t.Errorf("%s: found %d minutes after its begin", what, late/stream.Minute)
				}
				if d := e.ClearedAt - begin; e.ClearedAt == 0 || d < 2*stream.Hour || d > 4*stream.Hour {
					t.Errorf("%s: over %d minutes after its begin", what, d/stream.Minute)
				}
			}
		}
	}
	if found != 1 {
		t.Errorf("%s: the outage is found %d times", what, found)
	}
}

// TestSimulatedOutage finds the outage on the first day, with the morning as the only history: promptly, once, and nothing else.
func TestSimulatedOutage(t *testing.T) {
	for _, size := range []struct {
		events int
		seeds  uint64
	}{{20_000, 8}, {100_000, 3}} {
		for seed := range size.seeds {
			cfg := simulate.Config{Seed: seed, Events: size.events, Duration: 24 * time.Hour}.WithDefaults()
			crisis(t, fmt.Sprintf("%d posts, seed %d", size.events, seed), series(t, cfg), cfg.Catalogue.Brands[0].Key, outageOf(cfg.Start))
		}
	}
}

// outageOf returns when the outage of the day that begins at a time in Moscow begins.
func outageOf(day stream.Time) stream.Time {
	return (day - outage).Truncate(stream.Day) + outage + stream.Day
}

// TestSimulatedCalm plays thirty days on which nothing happens: no brand has an episode. With 20,000 posts a day there is an outage on the
// day after them, which is found promptly and once.
func TestSimulatedCalm(t *testing.T) {
	for _, month := range []struct {
		events int // of thirty days
		seeds  []uint64
	}{{30_000, []uint64{1, 2, 3}}, {120_000, []uint64{1, 2}}, {600_000, []uint64{1}}} {
		for _, seed := range month.seeds {
			cfg := simulate.Config{Seed: seed, Events: month.events, Duration: 30 * 24 * time.Hour, Calm: true}.WithDefaults()
			brands := series(t, cfg)
			if len(brands) != len(cfg.Catalogue.Brands) {
				t.Fatalf("%d brands", len(brands))
			}
			for brand, f := range brands {
				for _, e := range f.watch().Flush(nil, f.end) {
					t.Errorf("%d posts, seed %d: false %s of %s on %q at %s: %+v, usual %+v", month.events, seed, e.Rule, brand, e.Platform, e.OpenedAt, e.Peak, e.Baseline)
				}
			}
			if month.events < 600_000 {
				continue
			}
			last := simulate.Config{Seed: seed, Events: month.events / 30, Start: cfg.Start + 30*stream.Day}
			for brand, f := range series(t, last) {
				brands[brand].add(f)
			}
			crisis(t, "after a calm month", brands, cfg.Catalogue.Brands[0].Key, outageOf(last.Start))
		}
	}
}

// add puts later figures to f.
func (f *figures) add(later *figures) {
	for _, of := range []func(*figures) map[stream.Platform]map[stream.Time]spike.Counts{
		func(f *figures) map[stream.Platform]map[stream.Time]spike.Counts { return f.windows },
		func(f *figures) map[stream.Platform]map[stream.Time]spike.Counts { return f.hours },
	} {
		for platform, list := range of(later) {
			for at, c := range list {
				x := of(f)[platform][at]
				x.Negative += c.Negative
				x.Labelled += c.Labelled
				x.Mentions += c.Mentions
				of(f)[platform][at] = x
			}
		}
	}
	f.end = max(f.end, later.end)
}

// TestSimulatedMonth plays thirty days with an outage every afternoon: the competitors, who have none, have no episode, and the own brand none
// outside of its outages, which are usual after some days.
func TestSimulatedMonth(t *testing.T) {
	for _, events := range []int{30_000, 120_000} {
		cfg := simulate.Config{Seed: 1, Events: events, Duration: 30 * 24 * time.Hour}.WithDefaults()
		for brand, f := range series(t, cfg) {
			for _, e := range f.watch().Flush(nil, f.end) {
				if late := (e.OpenedAt - outage) % stream.Day; brand != cfg.Catalogue.Brands[0].Key || late > 90*stream.Minute {
					t.Errorf("%d events: false %s of %s on %q at %s: %+v, usual %+v", events, e.Rule, brand, e.Platform, e.OpenedAt, e.Peak, e.Baseline)
				}
			}
		}
	}
}
