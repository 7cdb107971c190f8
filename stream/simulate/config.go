package simulate

import (
	"errors"
	"fmt"
	"math"
	"time"

	"otklik/stream"
	"otklik/stream/brand"
)

// moscow is the time zone of the story. Moscow has kept UTC+3 all year since October 2014.
const moscow = 3 * stream.Hour

// DefaultDay is midnight of the simulated day in Moscow, 2 March 2026 (a Monday). It is fixed so that the same seed gives
// the same bytes on any day.
var DefaultDay = stream.TimeOf(time.Date(2026, time.March, 2, 0, 0, 0, 0, time.UTC)) - moscow

// Proportions say how bad the delivery is and what the stream is made of. All are shares between 0 and 1.
type Proportions struct {
	Duplicates float64 // of the items, delivered a second time (Twitter and VK: often through the other feed)
	Disorder   float64 // of the items, delivered up to 90 seconds after their time; the rest comes within 2 seconds
	Late       float64 // of the items, delivered hours to three days after their time
	Malformed  float64 // of the records
	Future     float64 // of the records, with a time twenty years ahead
	Edits      float64 // of the questions about brands on Telegram, Mastodon and generic sites, edited later
	Unmatched  float64 // of the items, about no tracked brand
	Spam       float64 // of the items about brands
	Other      float64 // of the records: reactions, joins and leaves, statistics, messages, notices, deletes
}

// DefaultProportions returns the proportions of the demonstration.
func DefaultProportions() Proportions {
	return Proportions{
		Duplicates: 0.02, Disorder: 0.20, Late: 0.005, Malformed: 0.005, Future: 0.0005, Edits: 0.10,
		Unmatched: 0.35, Spam: 0.02, Other: 0.08,
	}
}

// Config says what to simulate. The zero value of every field but Events stands for its default.
type Config struct {
	Seed      uint64           // every seed is another day
	Events    int              // records to deliver
	Start     stream.Time      // midnight in Moscow of the first day; default DefaultDay
	Duration  time.Duration    // of the story, up to 31 days; default 24 hours. Late records come after its end.
	Catalogue *brand.Catalogue // default brand.Example()
	// Proportions of the delivery; default DefaultProportions().
	Proportions *Proportions
	// Label is the classifier of the truth; default: the shipped model.
	Label Labeller
	// Calm leaves the outage of the own brand out: nothing happens on any of the days.
	Calm bool
	// Minutes makes the truth hold the panes of one minute too, not only those of one hour and one day.
	Minutes bool
}

// WithDefaults returns c with its zero fields set to their defaults, except Label.
func (c Config) WithDefaults() Config {
	if c.Start == 0 {
		c.Start = DefaultDay
	}
	if c.Duration == 0 {
		c.Duration = 24 * time.Hour
	}
	if c.Catalogue == nil {
		c.Catalogue = brand.Example()
	}
	if c.Proportions == nil {
		p := DefaultProportions()
		c.Proportions = &p
	}
	return c
}

// Validate reports every fault of a configuration with its defaults set, joined.
func (c Config) Validate() error {
	var faults []error
	if c.Events < 1 {
		faults = append(faults, fmt.Errorf("events is %d: at least 1 record is needed", c.Events))
	}
	if c.Duration < time.Minute || c.Duration > 31*24*time.Hour {
		faults = append(faults, fmt.Errorf("duration is %v: it must be between 1m and 744h", c.Duration))
	}
	earliest := stream.TimeOf(time.Date(2011, time.January, 1, 0, 0, 0, 0, time.UTC))
	latest := stream.TimeOf(time.Date(2040, time.January, 1, 0, 0, 0, 0, time.UTC))
	if c.Start < earliest || c.Start > latest {
		faults = append(faults, fmt.Errorf("start is %v: it must lie between %v and %v, where the platforms' ids carry their time", c.Start, earliest, latest))
	}
	if c.Start%stream.Second != 0 {
		faults = append(faults, fmt.Errorf("start is %v: it must be a full second", c.Start))
	}
	p := c.Proportions
	shares := []struct {
		name  string
		value float64
		most  float64
	}{
		{"duplicates", p.Duplicates, 0.5},
		{"disorder", p.Disorder, 1},
		{"late", p.Late, 0.5},
		{"malformed", p.Malformed, 0.5},
		{"future", p.Future, 0.1},
		{"edits", p.Edits, 1},
		{"unmatched", p.Unmatched, 1},
		{"spam", p.Spam, 1},
		{"other", p.Other, 0.5},
	}
	for _, s := range shares {
		if math.IsNaN(s.value) || s.value < 0 || s.value > s.most {
			faults = append(faults, fmt.Errorf("%s is %v: it must be between 0 and %v", s.name, s.value, s.most))
		}
	}
	if err := c.Catalogue.Validate(); err != nil {
		faults = append(faults, err)
	}
	return errors.Join(faults...)
}
