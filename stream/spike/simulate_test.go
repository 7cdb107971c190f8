package spike_test

import (
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
	cfg.Minutes = true
	s, err := simulate.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	for _, ok := s.Next(); ok; _, ok = s.Next() {
	}
	type key struct {
		brand    string
		platform stream.Platform
	}
	windows, hours := map[key]map[stream.Time]spike.Counts{}, map[key]map[stream.Time]spike.Counts{}
	end := stream.Time(0)
	add := func(all map[key]map[stream.Time]spike.Counts, k key, at stream.Time, c *simulate.Counts) {
		if all[k] == nil {
			all[k] = map[stream.Time]spike.Counts{}
		}
		x := all[k][at]
		x.Negative += c.Negative
		x.Labelled += c.Labelled()
		x.Mentions += c.Labelled() + c.Unlabelled
		all[k][at] = x
	}
	for _, cell := range s.Truth().Panes {
		if cell.Product != "" {
			continue
		}
		for _, k := range []key{{cell.Brand, cell.Platform}, {cell.Brand, ""}} {
			switch cell.Grain {
			case "1m":
				for at := cell.Start + stream.Minute; at <= cell.Start+spike.Length; at += stream.Minute {
					add(windows, k, at, &cell.Counts)
				}
				end = max(end, cell.Start+stream.Minute)
			case "1h":
				add(hours, k, cell.Start, &cell.Counts)
			}
		}
	}
	out := map[string][]spike.Episode{}
	watches := map[string]*spike.Watch{}
	for k, list := range windows {
		w := watches[k.brand]
		if w == nil {
			w = spike.NewWatch(spike.Normal)
			watches[k.brand] = w
		}
		for at, c := range list {
			w.Window(k.platform, at, c)
		}
		for at, c := range hours[k] {
			w.Hour(k.platform, at, c)
		}
	}
	for brand, w := range watches {
		out[brand] = w.Flush(nil, end)
	}
	return out
}

// TestSimulatedOutage finds the outage on the first day, with the morning as the only history: within two minutes of the full height of
// its wave, which takes ten minutes to rise; once; and nothing else.
func TestSimulatedOutage(t *testing.T) {
	for _, events := range []int{20_000, 100_000} {
		for seed := range uint64(3) {
			cfg := simulate.Config{Seed: seed, Events: events, Duration: 24 * time.Hour}.WithDefaults()
			begin := (cfg.Start - outage).Truncate(stream.Day) + outage + stream.Day
			found := 0
			for brand, episodes := range simulated(t, cfg) {
				for _, e := range episodes {
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
