package spike

import (
	"bufio"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"otklik/stream"
)

// monday is midnight of a Monday.
var monday = stream.TimeOf(time.Date(2026, time.March, 2, 0, 0, 0, 0, time.UTC))

// minutes are the figures of a line by minute, from monday on.
type minutes []Counts

func (m minutes) sum(from, to stream.Time) Counts {
	var c Counts
	for i := max(0, int((from-monday)/stream.Minute)); i < min(len(m), int((to-monday)/stream.Minute)); i++ {
		c.Negative += m[i].Negative
		c.Labelled += m[i].Labelled
		c.Mentions += m[i].Mentions
	}
	return c
}

func (m minutes) end() stream.Time { return monday + stream.Time(len(m))*stream.Minute }

// show tells the watch the windows and hours that hold any of the minutes [from, to), as they are at a time.
func (m minutes) show(w *Watch, platform stream.Platform, from, to stream.Time) {
	for end := from + stream.Minute; end <= to; end += stream.Minute {
		if c := m.sum(end-Length, end); c != (Counts{}) {
			w.Window(platform, end, c)
		}
		if end%stream.Hour == 0 {
			if c := m.sum(end-stream.Hour, end); c != (Counts{}) {
				w.Hour(platform, end-stream.Hour, c)
			}
		}
	}
}

// play feeds a series in steps and returns the episodes as last told, and how often each was told.
func (m minutes) play(w *Watch, step stream.Time) []Episode {
	last := map[string]Episode{}
	for at := monday; at < m.end(); at += step {
		m.show(w, "", at, min(at+step, m.end()))
		for _, e := range w.Flush(nil, min(at+step, m.end())) {
			last[fmt.Sprint(e.Platform, e.Rule, e.OpenedAt)] = e
		}
	}
	return final(last)
}

func final(last map[string]Episode) []Episode {
	var out []Episode
	for _, e := range last {
		if !e.Withdrawn {
			out = append(out, e)
		}
	}
	slices.SortFunc(out, func(a, b Episode) int {
		return int(a.OpenedAt-b.OpenedAt)*4 + strings.Compare(string(a.Rule), string(b.Rule))
	})
	return out
}

// poisson draws a count. For large means the normal approximation will do.
func poisson(r *rand.Rand, mean float64) int64 {
	if mean > 50 {
		return int64(max(0, math.Round(mean+math.Sqrt(mean)*r.NormFloat64())))
	}
	limit, product, n := math.Exp(-mean), r.Float64(), int64(0)
	for product > limit {
		product *= r.Float64()
		n++
	}
	return n
}

// script is a scenario in a text file: directives, one a line, then what is expected.
//
//	calm days=21 rate=4 negative=0.2 curve=day noise=0.2   mentions a minute at the usual hour and their negative share
//	weekday=monday times=1.8                               days of the week that are busier
//	event at=15d10h for=90m ramp=10m rate=5 negative=0.7   so many mentions a minute more
//	silence at=15d10h for=5h                               nothing at all
//	expect negativity_spike at=15d10h within=4m lasts=1h..3h severity=warning..critical
//	expect nothing
type script struct {
	days           float64
	rate, negative float64
	curve          bool
	noise          float64
	monday         float64
	events         []event
	expect         []expectation
}

type event struct {
	at, length, ramp stream.Time
	rate, negative   float64
	silence          bool
}

type expectation struct {
	rule            Rule
	at, within      stream.Time
	least, most     stream.Time
	lowest, highest Severity
}

func span(t *testing.T, s string) stream.Time {
	t.Helper()
	total := stream.Time(0)
	for s != "" {
		i := strings.IndexAny(s, "dhm")
		n, err := strconv.Atoi(s[:max(i, 0)])
		if err != nil {
			t.Fatalf("duration %q: %v", s, err)
		}
		total += stream.Time(n) * map[byte]stream.Time{'d': stream.Day, 'h': stream.Hour, 'm': stream.Minute}[s[i]]
		s = s[i+1:]
	}
	return total
}

func parse(t *testing.T, name string) *script {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	s := &script{monday: 1}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) == 0 || strings.HasPrefix(fields[0], "#") {
			continue
		}
		args := map[string]string{}
		for _, f := range fields[1:] {
			if k, v, ok := strings.Cut(f, "="); ok {
				args[k] = v
			}
		}
		number := func(key string) float64 {
			x, err := strconv.ParseFloat(args[key], 64)
			if err != nil && args[key] != "" {
				t.Fatalf("%s: %q: %v", name, lines.Text(), err)
			}
			return x
		}
		switch fields[0] {
		case "calm":
			s.days, s.rate, s.negative, s.noise, s.curve = number("days"), number("rate"), number("negative"), number("noise"), args["curve"] == "day"
			s.monday = max(1, number("monday"))
		case "event", "silence":
			s.events = append(s.events, event{
				at: span(t, args["at"]), length: span(t, args["for"]), ramp: span(t, args["ramp"]),
				rate: number("rate"), negative: number("negative"), silence: fields[0] == "silence",
			})
		case "expect":
			if fields[1] == "nothing" {
				continue
			}
			e := expectation{rule: Rule(fields[1]), at: span(t, args["at"]), within: span(t, args["within"]), lowest: Notice, highest: Critical, most: 1 << 40}
			if least, most, ok := strings.Cut(args["lasts"], ".."); ok {
				e.least, e.most = span(t, least), span(t, most)
			}
			if lowest, highest, ok := strings.Cut(args["severity"], ".."); ok {
				e.lowest, _ = ParseSeverity(lowest)
				e.highest, _ = ParseSeverity(highest)
			}
			s.expect = append(s.expect, e)
		default:
			t.Fatalf("%s: %q is no directive", name, fields[0])
		}
	}
	return s
}

// hourly is how busy the hours of a day are.
var hourly = [24]float64{.4, .3, .2, .15, .15, .2, .4, .8, 1.1, 1.3, 1.4, 1.5, 1.5, 1.5, 1.5, 1.5, 1.6, 1.7, 1.8, 1.9, 1.8, 1.6, 1.2, .7}

// minutes draws the series of a script.
func (s *script) minutes(seed uint64) minutes {
	r := rand.New(rand.NewPCG(seed, 5))
	out := make(minutes, int(s.days*24*60))
	mood := 0.0
	for i := range out {
		at := stream.Time(i) * stream.Minute
		rate := s.rate
		if s.curve {
			h := int(at / stream.Hour % 24)
			part := float64(at%stream.Hour) / float64(stream.Hour)
			rate *= hourly[h]*(1-part) + hourly[(h+1)%24]*part
		}
		if at/stream.Day%7 == 0 {
			rate *= s.monday
		}
		mood = 0.97*mood + 0.03*r.NormFloat64()*8 // a slow drift with a standard deviation of about 1
		rate *= math.Exp(s.noise * mood)
		draw := func(rate, negative float64) {
			n, k := poisson(r, rate*(1-negative)), poisson(r, rate*negative)
			unlabelled := n / 10
			out[i].Negative += k
			out[i].Labelled += k + n - unlabelled
			out[i].Mentions += k + n
		}
		draw(rate, s.negative)
		for _, e := range s.events {
			if at < e.at || at >= e.at+e.length {
				continue
			}
			if e.silence {
				out[i] = Counts{}
				continue
			}
			height := 1.0
			if e.ramp > 0 {
				height = min(1, float64(at-e.at)/float64(e.ramp))
			}
			draw(e.rate*height, e.negative)
		}
	}
	return out
}

func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			s := parse(t, file)
			for seed := range uint64(5) {
				got := s.minutes(seed).play(NewWatch(Normal), 7*stream.Minute)
				check(t, seed, s.expect, got)
			}
		})
	}
}

func check(t *testing.T, seed uint64, want []expectation, got []Episode) {
	t.Helper()
	used := map[int]bool{}
	for _, e := range want {
		i := slices.IndexFunc(got, func(g Episode) bool {
			at := g.OpenedAt - monday
			return g.Rule == e.rule && at >= e.at && at <= e.at+e.within
		})
		if i < 0 {
			t.Errorf("seed %d: no %s within %d minutes of %s", seed, e.rule, e.within/stream.Minute, monday+e.at)
			continue
		}
		used[i] = true
		g := got[i]
		if length := g.ClearedAt - g.OpenedAt; g.ClearedAt != 0 && (length < e.least || length > e.most) {
			t.Errorf("seed %d: %s lasts %d minutes", seed, e.rule, length/stream.Minute)
		}
		if g.Severity < e.lowest || g.Severity > e.highest {
			t.Errorf("seed %d: %s at %s is %s", seed, e.rule, g.OpenedAt, g.Severity)
		}
	}
	for i, g := range got {
		if !used[i] {
			t.Errorf("seed %d: false %s %s at %s until %s: %+v, usual %+v", seed, g.Severity, g.Rule, g.OpenedAt, g.ClearedAt, g.Peak, g.Baseline)
		}
	}
}
