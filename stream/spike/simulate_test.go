package spike_test

import (
	"math"
	"testing"
	"time"

	"otklik/stream"
	"otklik/stream/simulate"
	"otklik/stream/spike"
)

// outage is the time of day, UTC, at which the simulator's outage of the own brand begins: 15:20 in Moscow.
const outage = 12*stream.Hour + 20*stream.Minute

// simulated plays the simulator's truth through a watch for each brand and returns the episodes by brand.
func simulated(t *testing.T, cfg simulate.Config) map[string][]spike.Episode {
	t.Helper()
	out := map[string][]spike.Episode{}
	for brand, s := range series(t, cfg) {
		out[brand] = s.watch().Flush(nil, s.end)
	}
	return out
}

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

// series returns the figures of the simulator's truth by brand.
func series(t *testing.T, cfg simulate.Config) map[string]*figures {
	t.Helper()
	cfg.Minutes = true
	s, err := simulate.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	for _, ok := s.Next(); ok; _, ok = s.Next() {
	}
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
	for _, cell := range s.Truth().Panes {
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

// evident returns the end of the first window from a time on that anybody would call a spike of negatives: it has eight at least, three
// times the mean of the three hours before that time, and four standard deviations of chance more.
func (f *figures) evident(from stream.Time) stream.Time {
	sum, n := 0.0, 0.0
	for at := from - 3*stream.Hour; at < from; at += stream.Minute {
		sum += float64(f.windows[""][at].Negative)
		n++
	}
	usual := sum / n
	for at := from; at < f.end; at += stream.Minute {
		if c := float64(f.windows[""][at].Negative); c >= 8 && c >= 3*usual && c >= usual+4*math.Sqrt(usual) {
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

// TestSimulatedOutage finds the outage on the first day, with the morning as the only history: within two minutes of the full height of
// its wave, which takes ten minutes to rise; once; and nothing else.
//
// It is told within two minutes of event time after the first window that is evidently a spike where there are enough posts; of small numbers,
// where the window that is evident to the eye has eight to twelve negatives, within seven.
func TestSimulatedOutage(t *testing.T) {
	for events, promptly := range map[int]stream.Time{20_000: 7 * stream.Minute, 100_000: 2 * stream.Minute} {
		for seed := range uint64(3) {
			cfg := simulate.Config{Seed: seed, Events: events, Duration: 24 * time.Hour}.WithDefaults()
			begin := (cfg.Start - outage).Truncate(stream.Day) + outage + stream.Day
			found := 0
			for brand, f := range series(t, cfg) {
				if brand == cfg.Catalogue.Brands[0].Key {
					evident, told := f.evident(begin), f.told(begin-30*stream.Minute)
					t.Logf("%d events, seed %d: evident %d minutes after its begin, told %d minutes after that", events, seed, (evident-begin)/stream.Minute, (told-evident)/stream.Minute)
					if told == 0 || evident == 0 || told < begin || told > evident+promptly {
						t.Errorf("%d events, seed %d: evident at %s, told at %s", events, seed, evident, told)
					}
				}
				for _, e := range f.watch().Flush(nil, f.end) {
					late := e.OpenedAt - begin
					if brand != cfg.Catalogue.Brands[0].Key || late < 0 || late > 90*stream.Minute {
						t.Errorf("%d events, seed %d: false %s of %s on %q at %s: %+v, usual %+v", events, seed, e.Rule, brand, e.Platform, e.OpenedAt, e.Peak, e.Baseline)
					}
					if e.Platform == "" && e.Rule == spike.Negativity {
						found++
						if late > 12*stream.Minute {
							t.Errorf("%d events, seed %d: found %d minutes after its begin", events, seed, late/stream.Minute)
						}
						if d := e.ClearedAt - begin; e.ClearedAt == 0 || d < 2*stream.Hour || d > 4*stream.Hour {
							t.Errorf("%d events, seed %d: over %d minutes after its begin", events, seed, d/stream.Minute)
						}
					}
				}
			}
			if found != 1 {
				t.Errorf("%d events, seed %d: the outage is found %d times", events, seed, found)
			}
		}
	}
}

// TestSimulatedMonth plays thirty days: none of the competitors, who have no outage, has an episode, and the own brand none outside of its
// outages, which come every afternoon and are usual after some days.
func TestSimulatedMonth(t *testing.T) {
	for _, events := range []int{30_000, 120_000} {
		cfg := simulate.Config{Seed: 1, Events: events, Duration: 30 * 24 * time.Hour}.WithDefaults()
		for brand, episodes := range simulated(t, cfg) {
			for _, e := range episodes {
				if late := (e.OpenedAt - outage) % stream.Day; brand != cfg.Catalogue.Brands[0].Key || late > 90*stream.Minute {
					t.Errorf("%d events: false %s of %s on %q at %s: %+v, usual %+v", events, e.Rule, brand, e.Platform, e.OpenedAt, e.Peak, e.Baseline)
				}
			}
		}
	}
}
