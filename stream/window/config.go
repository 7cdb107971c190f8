package window

import (
	"errors"
	"fmt"
	"time"

	"otklik/stream"
)

// Config says how long windows wait. The zero value of a field means its default.
type Config struct {
	// MaxDisorder is how much older than the newest event of its source an event may be and still be in time: the
	// watermark trails the newest event by it. Default 2 minutes.
	MaxDisorder time.Duration
	// Grace is how long after its end, in event time, a window stays provisional. Default 0.
	Grace time.Duration
	// IdleAfter is how long, by the wall clock, a source may be silent before the watermark stops waiting for it.
	// Default 30 seconds.
	IdleAfter time.Duration
}

// WithDefaults returns c with its zero fields set.
func (c Config) WithDefaults() Config {
	if c.MaxDisorder == 0 {
		c.MaxDisorder = 2 * time.Minute
	}
	if c.IdleAfter == 0 {
		c.IdleAfter = 30 * time.Second
	}
	return c
}

// Validate reports every field that cannot be.
func (c Config) Validate() error {
	var faults []error
	for _, f := range []struct {
		name  string
		value time.Duration
		least time.Duration
	}{
		{"max disorder", c.MaxDisorder, 0}, {"grace", c.Grace, 0}, {"idle after", c.IdleAfter, time.Millisecond},
	} {
		if f.value < f.least || f.value > 7*24*time.Hour {
			faults = append(faults, fmt.Errorf("window: %s is %v: choose a duration from %v to 7 days", f.name, f.value, f.least))
		}
	}
	return errors.Join(faults...)
}

// span converts a duration of event time.
func span(d time.Duration) stream.Time { return stream.Time(d.Milliseconds()) }
