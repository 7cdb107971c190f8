package simulate

import (
	"sort"
	"time"

	"otklik/stream"
)

// hourly is how busy social media are by the hour of the day in Moscow, relative to each other.
var hourly = [24]float64{
	0.50, 0.32, 0.22, 0.17, 0.17, 0.24, 0.48, 0.85, 1.18, 1.42, 1.52, 1.56,
	1.55, 1.53, 1.55, 1.58, 1.62, 1.70, 1.82, 1.90, 1.86, 1.66, 1.25, 0.82,
}

// The outage of the own brand, times of day in Moscow.
const (
	outageStart = 15*stream.Hour + 20*stream.Minute
	outageEnd   = 16*stream.Hour + 50*stream.Minute
	outageCalm  = 18*stream.Hour + 30*stream.Minute // the wave has ebbed away
	outageBoost = 1.1                               // how much more is written at its height, relative to a usual hour
)

// timeOfDay returns the time of day in Moscow.
func timeOfDay(t stream.Time) stream.Time {
	d := (t + moscow) % stream.Day
	if d < 0 {
		d += stream.Day
	}
	return d
}

// wave returns how high the wave of the outage is, 0 … 1; always 0 on calm days.
func (s *Simulator) wave(t stream.Time) float64 {
	if s.cfg.Calm {
		return 0
	}
	return wave(t)
}

// wave is the wave of the outage by the time of day.
func wave(t stream.Time) float64 {
	switch d := timeOfDay(t); {
	case d < outageStart:
		return 0
	case d < outageStart+10*stream.Minute:
		return float64(d-outageStart) / float64(10*stream.Minute)
	case d < outageEnd:
		return 1
	case d < outageCalm:
		return float64(outageCalm-d) / float64(outageCalm-outageEnd)
	default:
		return 0
	}
}

// curve is the cumulative number of posts at the end of each minute of the story, scaled to 1.
type curve struct {
	start stream.Time
	sums  []float64
}

func newCurve(start stream.Time, d time.Duration, wave func(stream.Time) float64) *curve {
	n := int(d / time.Minute)
	c := &curve{start: start, sums: make([]float64, n)}
	sum := 0.0
	for i := range c.sums {
		t := start + stream.Time(i)*stream.Minute
		day := timeOfDay(t)
		h := int(day / stream.Hour)
		part := float64(day%stream.Hour) / float64(stream.Hour)
		sum += hourly[h]*(1-part) + hourly[(h+1)%24]*part + outageBoost*wave(t)
		c.sums[i] = sum
	}
	for i := range c.sums {
		c.sums[i] /= sum
	}
	return c
}

// at returns the time by which the share q of all posts is written.
func (c *curve) at(q float64) stream.Time {
	i := sort.SearchFloat64s(c.sums, q)
	if i == len(c.sums) {
		i--
	}
	low := 0.0
	if i > 0 {
		low = c.sums[i-1]
	}
	part := (q - low) / (c.sums[i] - low)
	return c.start + stream.Time((float64(i)+min(max(part, 0), 1))*float64(stream.Minute))
}
