package care

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"otklik/stream"
)

var (
	office = Calendar{
		Zone: "Europe/Moscow", Hours: map[string][]string{"mon-fri": {"09:00-18:00"}}, Holidays: []string{"2026-01-01"},
		Workdays: map[string][]string{"2026-02-21": {"10:00-14:00"}},
	}
	shifts = Calendar{Zone: "Europe/Berlin", Hours: map[string][]string{"mon-fri": {"13:00-18:00", "08:00-12:30"}, "sat": {"22:00-06:00"}}}
	nights = Calendar{Zone: "Europe/Berlin", Hours: map[string][]string{"mon-sun": {"22:00-06:00"}}, Holidays: []string{"2024-12-24"}}
	allDay = Calendar{Zone: "Europe/Berlin", Hours: map[string][]string{"mon-sun": {"00:00-24:00"}}, Holidays: []string{"2024-12-25"}}
	gap    = Calendar{Zone: "Europe/Berlin", Hours: map[string][]string{"sun": {"01:00-02:30", "02:45-04:00"}}}
)

func TestClockBetween(t *testing.T) {
	for _, tt := range []struct {
		name     string
		calendar Calendar
		from, to string // RFC 3339
		want     string
	}{
		{"always open", Calendar{}, "2019-01-01T00:00:00Z", "2021-01-01T00:00:00Z", "17544h"}, // 2020 is a leap year
		{"within a day", office, "2026-03-02T10:00:00+03:00", "2026-03-02T11:30:00.5+03:00", "1h30m0.5s"},
		{"before opening", office, "2026-03-02T03:00:00+03:00", "2026-03-02T09:10:00+03:00", "10m"},
		{"after closing until next morning", office, "2026-03-02T20:00:00+03:00", "2026-03-03T09:05:00+03:00", "5m"},
		{"over a weekend", office, "2026-03-06T17:00:00+03:00", "2026-03-09T10:00:00+03:00", "2h"},
		{"wholly closed", office, "2026-03-07T00:00:00+03:00", "2026-03-08T23:59:59+03:00", "0s"},
		{"the end is exclusive", office, "2026-03-02T18:00:00+03:00", "2026-03-03T09:00:00+03:00", "0s"},
		{"holiday", office, "2025-12-31T17:00:00+03:00", "2026-01-02T10:00:00+03:00", "2h"},
		{"working Saturday with its own hours", office, "2026-02-21T00:00:00+03:00", "2026-02-22T00:00:00+03:00", "4h"},
		{"leap day", office, "2024-02-28T17:00:00+03:00", "2024-03-01T10:00:00+03:00", "11h"},
		{"the same dates without a leap day", office, "2023-02-27T17:00:00+03:00", "2023-03-01T10:00:00+03:00", "11h"},
		{"Moscow at +04:00", office, "2012-07-02T08:59:00+04:00", "2012-07-02T09:01:00+04:00", "1m"},
		{"Moscow in summer time", office, "2007-07-02T08:59:00+04:00", "2007-07-02T09:01:00+04:00", "1m"},
		{"several spans", shifts, "2024-06-03T00:00:00+02:00", "2024-06-04T00:00:00+02:00", "9h30m"},
		{"between two spans", shifts, "2024-06-03T12:30:00+02:00", "2024-06-03T13:00:00+02:00", "0s"},
		{"over night into Sunday", shifts, "2024-06-08T20:00:00+02:00", "2024-06-09T12:00:00+02:00", "8h"},
		{"a night with 23 hours in its day", shifts, "2024-03-30T20:00:00+01:00", "2024-03-31T12:00:00+02:00", "7h"},
		{"a night with 25 hours in its day", shifts, "2024-10-26T20:00:00+02:00", "2024-10-27T12:00:00+01:00", "9h"},
		{"a day of 23 hours", allDay, "2024-03-31T00:00:00+01:00", "2024-04-01T00:00:00+02:00", "23h"},
		{"a day of 25 hours", allDay, "2024-10-27T00:00:00+02:00", "2024-10-28T00:00:00+01:00", "25h"},
		{"a span that ends in the skipped hour", gap, "2024-03-31T00:00:00+01:00", "2024-03-31T02:59:59.999Z", "2h"},
		{"the same spans on a usual Sunday", gap, "2024-04-07T00:00:00+02:00", "2024-04-08T00:00:00+02:00", "2h45m"},
		{"a span that ends in the hour that comes twice", gap, "2024-10-27T00:00:00+02:00", "2024-10-27T01:00:00Z", "1h45m"},
		{"the night into a holiday is worked, that after it not", nights, "2024-12-23T12:00:00+01:00", "2024-12-25T12:00:00+01:00", "8h"},
		{"nights join without a seam", nights, "2024-06-03T23:00:00+02:00", "2024-06-05T23:00:00+02:00", "16h"},
		{"a far future with its summer time", allDay, "2399-03-28T00:00:00+01:00", "2399-03-29T00:00:00+02:00", "23h"},
		{"year 3000", office, "3000-01-06T00:00:00+03:00", "3000-01-07T00:00:00+03:00", "9h"},
		{"the epoch", office, "1970-01-01T00:00:00Z", "1970-01-02T00:00:00Z", "9h"},
		{"an old time", office, "1900-01-01T00:00:00Z", "1900-01-08T00:00:00Z", "45h"},
		{"year 500", office, "0500-01-01T00:00:00Z", "0500-01-08T00:00:00Z", "45h"},
		{"backwards", office, "2026-03-03T12:00:00Z", "2026-03-02T12:00:00Z", "0s"},
		{"nothing", office, "2026-03-03T12:00:00Z", "2026-03-03T12:00:00Z", "0s"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			want, err := time.ParseDuration(tt.want)
			if err != nil {
				t.Fatal(err)
			}
			clock := compile(t, tt.calendar)
			if got := clock.Between(momentOf(t, tt.from), momentOf(t, tt.to)); got != stream.Time(want.Milliseconds()) {
				t.Errorf("%s … %s: %s, want %s", tt.from, tt.to, time.Duration(got)*time.Millisecond, want)
			}
		})
	}
}

// TestClockAgainstMinutes compares Between with a walk that asks for every minute what the wall clock shows. Spans that
// begin or end inside a change of clocks are left to the table above.
func TestClockAgainstMinutes(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, calendar := range []Calendar{
		office, shifts, nights, allDay,
		{Zone: "America/Sao_Paulo", Hours: map[string][]string{"mon": {"09:00-18:00"}, "sun": {"10:00-24:00"}}},
		{Zone: "Australia/Lord_Howe", Hours: map[string][]string{"sat-mon": {"05:00-23:00"}}}, // half an hour of summer time
		{Zone: "Pacific/Apia", Hours: map[string][]string{"mon-sun": {"08:00-12:00"}}},        // skipped 30 December 2011
		{Zone: "Asia/Kathmandu", Hours: map[string][]string{"fri": {"00:00-24:00"}}},
	} {
		clock := compile(t, calendar)
		check := func(from time.Time, length time.Duration) {
			t.Helper()
			var want stream.Time
			for m := from; m.Before(from.Add(length)); m = m.Add(time.Minute) {
				if openAt(clock.schedule, m) {
					want += stream.Minute
				}
			}
			if got := clock.Between(stream.TimeOf(from), stream.TimeOf(from.Add(length))); got != want {
				t.Fatalf("%s: %s + %s: %d, want %d", calendar.Zone, from, length, got, want)
			}
		}
		for range 10 {
			from := time.Date(2007+rng.IntN(34), time.January, 1, rng.IntN(24), rng.IntN(60), 0, 0, time.UTC).AddDate(0, 0, rng.IntN(366))
			check(from, time.Duration(rng.IntN(6*24*60))*time.Minute)
		}
		for year := 2007; year <= 2040; year++ { // the days on which clocks change somewhere
			for _, month := range []time.Month{time.March, time.April, time.October, time.November} {
				check(time.Date(year, month, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, rng.IntN(28)), 36*time.Hour)
			}
		}
		check(time.Date(2011, time.December, 28, 0, 0, 0, 0, time.UTC), 96*time.Hour)
		check(time.Date(2059, time.December, 30, 0, 0, 0, 0, time.UTC), 96*time.Hour) // over the end of near
		check(time.Date(1999, time.December, 30, 0, 0, 0, 0, time.UTC), 96*time.Hour)
	}
}

// openAt says whether the desk is open at a moment, by what its wall clock shows.
func openAt(s *schedule, at time.Time) bool {
	local := at.In(s.zone)
	minute := local.Hour()*60 + local.Minute()
	today := date{local.Year(), local.Month(), local.Day()}
	for _, p := range s.hours(today, local.Weekday()) {
		if p.from <= minute && minute < p.to {
			return true
		}
	}
	y := time.Date(local.Year(), local.Month(), local.Day()-1, 12, 0, 0, 0, time.UTC)
	for _, p := range s.hours(date{y.Year(), y.Month(), y.Day()}, y.Weekday()) {
		if minute+minutesPerDay < p.to {
			return true
		}
	}
	return false
}

// TestClockAddsUp splits spans of any length and age in two.
func TestClockAddsUp(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for _, calendar := range []Calendar{office, shifts, nights, allDay, {}, {Hours: map[string][]string{"mon": {}}}} {
		clock := compile(t, calendar)
		at := func() stream.Time {
			switch rng.IntN(3) {
			case 0:
				return stream.Time(rng.Int64N(int64(5000*365*stream.Day))) - 2500*365*stream.Day
			case 1:
				return stream.Time(math.MinInt64/4 + rng.Int64N(math.MaxInt64/2))
			default:
				return momentOf(t, "2000-01-01T00:00:00Z") + stream.Time(rng.Int64N(int64(60*365*stream.Day)))
			}
		}
		for range 200 {
			a, b, c := at(), at(), at()
			a, b = min(a, b), max(a, b)
			b, c = min(b, c), max(b, c)
			a, b = min(a, b), max(a, b)
			whole, first, second := clock.Between(a, c), clock.Between(a, b), clock.Between(b, c)
			if whole != first+second || first < 0 || second < 0 || whole > c-a {
				t.Fatalf("%+v: %s … %s … %s: %d, not %d + %d", calendar, a, b, c, whole, first, second)
			}
		}
		for _, to := range []stream.Time{math.MaxInt64, math.MaxInt64 - 1, 0} {
			if got := clock.Between(math.MinInt64, to); got < 0 {
				t.Errorf("%+v: Between(MinInt64, %d) = %d", calendar, to, got)
			}
		}
	}
}

func TestConfigFaults(t *testing.T) {
	for _, tt := range []struct {
		name  string
		cfg   Config
		wants []string // parts of the error; none: valid
	}{
		{"zero", Config{}, nil},
		{"office", Config{Calendar: office}, nil},
		{"full names", Config{Calendar: Calendar{Hours: map[string][]string{"Monday": {"9:00-18:00"}, "SAT-SUN": {}}}}, nil},
		{"negative gap", Config{QuietGap: -time.Hour}, []string{"quiet_gap -1h0m0s", "at least 1ms"}},
		{"unknown zone", Config{Calendar: Calendar{Zone: "Moscow"}}, []string{`zone "Moscow"`, "Europe/Moscow"}},
		{"local zone", Config{Calendar: Calendar{Zone: "Local"}}, []string{"depends on the machine"}},
		{"weekday", Config{Calendar: Calendar{Hours: map[string][]string{"пн": nil}}}, []string{`"пн" is no weekday`}},
		{"range", Config{Calendar: Calendar{Hours: map[string][]string{"mon-": nil}}}, []string{`"mon-" is no weekday`}},
		{"twice", Config{Calendar: Calendar{Hours: map[string][]string{"mon-fri": nil, "fri": nil}}}, []string{"Friday is named by both"}},
		{"span", Config{Calendar: Calendar{Hours: map[string][]string{"mon": {"9-18"}}}}, []string{`hours of mon: "9-18" is no span`}},
		{"hour 25", Config{Calendar: Calendar{Hours: map[string][]string{"mon": {"09:00-25:00"}}}}, []string{"is no span"}},
		{"minute 60", Config{Calendar: Calendar{Hours: map[string][]string{"mon": {"09:00-10:60"}}}}, []string{"is no span"}},
		{"24:30", Config{Calendar: Calendar{Hours: map[string][]string{"mon": {"09:00-24:30"}}}}, []string{"is no span"}},
		{"begins at 24:00", Config{Calendar: Calendar{Hours: map[string][]string{"mon": {"24:00-10:00"}}}}, []string{"is no span"}},
		{"sign", Config{Calendar: Calendar{Hours: map[string][]string{"mon": {"+9:00-10:00"}}}}, []string{"is no span"}},
		{"overlap", Config{Calendar: Calendar{Hours: map[string][]string{"mon": {"09:00-13:00", "12:00-18:00"}}}}, []string{"overlap"}},
		{"date", Config{Calendar: Calendar{Holidays: []string{"2026-02-30"}}}, []string{`"2026-02-30" is no date`}},
		{"far date", Config{Calendar: Calendar{Holidays: []string{"2500-01-01"}}}, []string{"outside 1970 … 2199"}},
		{"holiday twice", Config{Calendar: Calendar{Holidays: []string{"2026-01-01", "2026-01-01"}}}, []string{"stands twice"}},
		{"workday without hours", Config{Calendar: Calendar{Workdays: map[string][]string{"2026-01-03": {}}}}, []string{"no hours"}},
		{"both", Config{Calendar: Calendar{Holidays: []string{"2026-01-03"}, Workdays: map[string][]string{"2026-01-03": {"09:00-10:00"}}}}, []string{"holiday as well"}},
		{
			"all faults at once",
			Config{QuietGap: -1, Calendar: Calendar{Zone: "X", Hours: map[string][]string{"mon": {"x"}, "xyz": nil}, Holidays: []string{"x"}}},
			[]string{"quiet_gap", `zone "X"`, "hours of mon", "xyz", "holidays"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := NewEvaluator(tt.cfg)
			if len(tt.wants) == 0 {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range tt.wants {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q does not say %q", err, want)
				}
			}
		})
	}
}

func TestConfigFromYAML(t *testing.T) {
	const text = `
quiet_gap: 48h
calendar:
  zone: Europe/Moscow
  hours:
    mon-fri: ["09:00-18:00"]
    sat: [10:00-14:00, 15:00-16:00]
  holidays: [2026-01-01, 2026-01-02]
  workdays:
    2026-02-23: [09:00-17:00]
`
	var cfg Config
	if err := yaml.UnmarshalWithOptions([]byte(text), &cfg, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	if err := cfg.WithDefaults().Validate(); err != nil {
		t.Fatal(err)
	}
	clock := compile(t, cfg.Calendar)
	got := clock.Between(momentOf(t, "2026-01-01T00:00:00+03:00"), momentOf(t, "2026-01-05T00:00:00+03:00"))
	if want := 5 * stream.Hour; got != want || cfg.QuietGap != 48*time.Hour {
		t.Errorf("gap %s, %d ms of business, want %d", cfg.QuietGap, got, want)
	}
}

func compile(t testing.TB, c Calendar) *Clock {
	t.Helper()
	if c.Zone == "" {
		c.Zone = "UTC"
	}
	clock, err := c.Compile()
	if err != nil {
		t.Fatal(err)
	}
	return clock
}

func momentOf(t testing.TB, s string) stream.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		t.Fatal(err)
	}
	return stream.Time(at.UnixMilli())
}
