package care

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// DefaultQuietGap is how long a conversation rests before its case counts as closed.
const DefaultQuietGap = 72 * time.Hour

// Config says how conversations are measured. Two processes that work on the same tables must agree on it: a change
// of it changes the figures of every case.
type Config struct {
	// QuietGap closes a case: a customer's message that comes this long or longer after the last activity of the
	// conversation starts a new cycle. Default DefaultQuietGap; whole milliseconds.
	QuietGap time.Duration `yaml:"quiet_gap"`

	// Calendar is the schedule of the care desk, by which business time runs. Default: always open.
	Calendar Calendar `yaml:"calendar"`
}

// WithDefaults returns c with every unset field filled in.
func (c Config) WithDefaults() Config {
	if c.QuietGap == 0 {
		c.QuietGap = DefaultQuietGap
	}
	if c.Calendar.Zone == "" {
		c.Calendar.Zone = "UTC"
	}
	return c
}

// Validate reports every fault of c, joined.
func (c Config) Validate() error {
	var errs []error
	if c.QuietGap < time.Millisecond {
		errs = append(errs, fmt.Errorf("quiet_gap %s: must be at least 1ms; the usual value is %s", c.QuietGap, DefaultQuietGap))
	}
	if _, err := c.Calendar.parse(); err != nil {
		errs = append(errs, fmt.Errorf("calendar: %w", err))
	}
	return errors.Join(errs...)
}

// Calendar is the care desk's schedule as it stands in the configuration. A span of opening hours is written
// "09:00-18:00" in the wall time of Zone, end exclusive, "24:00" being midnight at its end; a span that ends at or
// before its start ("22:00-06:00") runs into the next day, also where that day is a holiday. The zero value is always open.
type Calendar struct {
	// Zone is the IANA name of the desk's time zone, such as "Europe/Moscow". Default "UTC".
	Zone string `yaml:"zone"`

	// Hours are the opening hours by weekday: "mon" … "sun" (or the full English name), or a range "mon-fri". Days that
	// are not named are closed; without any, the desk is always open save on Holidays.
	Hours map[string][]string `yaml:"hours"`

	// Holidays are the dates, "2026-01-01", on which no span of Hours begins.
	Holidays []string `yaml:"holidays"`

	// Workdays are single dates with hours of their own, in place of those of their weekday: a working Saturday, a short
	// day before a holiday.
	Workdays map[string][]string `yaml:"workdays"`
}

// span is a piece of a day in minutes after its midnight, wall time; to is over 1440 when it runs into the next day.
type span struct {
	from, to int
}

// date is a calendar day.
type date struct {
	year  int
	month time.Month
	day   int
}

// schedule is a calendar after parsing.
type schedule struct {
	zone   *time.Location
	always bool // open at any time
	week   [7][]span
	dates  map[date][]span // days with hours of their own; no spans on a holiday
}

// hours returns the spans that begin on the day d, in order and without overlap among themselves.
func (s *schedule) hours(d date, weekday time.Weekday) []span {
	if spans, ok := s.dates[d]; ok {
		return spans
	}
	return s.week[weekday]
}

const (
	minutesPerDay = 24 * 60

	// The years that a date of a calendar may have. They bound the tables of a Clock.
	firstYear = 1970
	lastYear  = 2199
)

// parse reads the calendar and reports every fault of it.
func (c *Calendar) parse() (*schedule, error) {
	s := &schedule{dates: make(map[date][]span, len(c.Holidays)+len(c.Workdays))}
	var errs []error

	zone, err := time.LoadLocation(c.Zone)
	if err != nil {
		errs = append(errs, fmt.Errorf("zone %q: %w; use an IANA name such as \"Europe/Moscow\"", c.Zone, err))
	} else if c.Zone == "Local" {
		errs = append(errs, errors.New(`zone "Local": depends on the machine; use an IANA name such as "Europe/Moscow"`))
	}
	s.zone = zone

	var named [7]string
	for _, key := range slices.Sorted(maps.Keys(c.Hours)) {
		days, err := parseWeekdays(key)
		if err != nil {
			errs = append(errs, fmt.Errorf("hours: %w", err))
			continue
		}
		spans, err := parseSpans(c.Hours[key])
		if err != nil {
			errs = append(errs, fmt.Errorf("hours of %s: %w", key, err))
		}
		for _, day := range days {
			if named[day] != "" {
				errs = append(errs, fmt.Errorf("hours: %s is named by both %q and %q; name each day once", day, named[day], key))
			}
			named[day] = key
			s.week[day] = spans
		}
	}
	if len(c.Hours) == 0 {
		for day := range s.week {
			s.week[day] = []span{{0, minutesPerDay}}
		}
		s.always = len(c.Holidays) == 0 && len(c.Workdays) == 0
	}

	for _, text := range c.Holidays {
		d, err := parseDate(text)
		if err != nil {
			errs = append(errs, fmt.Errorf("holidays: %w", err))
			continue
		}
		if _, twice := s.dates[d]; twice {
			errs = append(errs, fmt.Errorf("holidays: %s stands twice", text))
		}
		s.dates[d] = nil
	}
	for _, text := range slices.Sorted(maps.Keys(c.Workdays)) {
		d, err := parseDate(text)
		if err != nil {
			errs = append(errs, fmt.Errorf("workdays: %w", err))
			continue
		}
		if _, twice := s.dates[d]; twice {
			errs = append(errs, fmt.Errorf("workdays: %s is a holiday as well; remove one of the two", text))
		}
		spans, err := parseSpans(c.Workdays[text])
		if err == nil && len(spans) == 0 {
			err = errors.New(`no hours; write them as ["09:00-18:00"], or make the day a holiday`)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("workdays: %s: %w", text, err))
		}
		s.dates[d] = spans
	}
	return s, errors.Join(errs...)
}

// parseWeekdays reads "mon", "Monday" or "mon-fri"; a range may run over the end of the week ("sat-mon").
func parseWeekdays(key string) ([]time.Weekday, error) {
	first, last, isRange := strings.Cut(key, "-")
	from, ok := parseWeekday(first)
	to := from
	if ok && isRange {
		to, ok = parseWeekday(last)
	}
	if !ok {
		return nil, fmt.Errorf(`%q is no weekday; write "mon" … "sun" or a range such as "mon-fri"`, key)
	}
	days := []time.Weekday{from}
	for day := from; day != to; {
		day = (day + 1) % 7
		days = append(days, day)
	}
	return days, nil
}

func parseWeekday(s string) (time.Weekday, bool) {
	s = strings.TrimSpace(s)
	for day := time.Sunday; day <= time.Saturday; day++ {
		name := day.String()
		if strings.EqualFold(s, name) || strings.EqualFold(s, name[:3]) {
			return day, true
		}
	}
	return 0, false
}

// parseSpans reads the hours of one day, sorted and checked for overlap.
func parseSpans(texts []string) ([]span, error) {
	spans := make([]span, 0, len(texts))
	for _, text := range texts {
		from, to, ok := strings.Cut(text, "-")
		start, okStart := parseClock(from)
		end, okEnd := parseClock(to)
		if !ok || !okStart || !okEnd || start == minutesPerDay {
			return nil, fmt.Errorf(`%q is no span of hours; write it as "09:00-18:00"`, text)
		}
		if end <= start {
			end += minutesPerDay
		}
		spans = append(spans, span{start, end})
	}
	slices.SortFunc(spans, func(a, b span) int { return a.from - b.from })
	for i := 1; i < len(spans); i++ {
		if spans[i].from < spans[i-1].to {
			return nil, fmt.Errorf("the spans of %q overlap; join them", texts)
		}
	}
	return spans, nil
}

// parseClock reads "09:00" … "24:00" as minutes after midnight.
func parseClock(s string) (int, bool) {
	hh, mm, ok := strings.Cut(strings.TrimSpace(s), ":")
	if !ok || len(hh) == 0 || len(hh) > 2 || len(mm) != 2 {
		return 0, false
	}
	h, errH := strconv.ParseUint(hh, 10, 8)
	m, errM := strconv.ParseUint(mm, 10, 8)
	minutes := int(h)*60 + int(m)
	if errH != nil || errM != nil || m > 59 || minutes > minutesPerDay {
		return 0, false
	}
	return minutes, true
}

func parseDate(s string) (date, error) {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return date{}, fmt.Errorf(`%q is no date; write it as "2026-01-31"`, s)
	}
	if t.Year() < firstYear || t.Year() > lastYear {
		return date{}, fmt.Errorf("%s lies outside %d … %d", s, firstYear, lastYear)
	}
	return date{t.Year(), t.Month(), t.Day()}, nil
}
