package spike

import (
	"fmt"
	"math"

	"otklik/stream"
)

// Rule names what an episode is about.
type Rule string

// The rules.
const (
	// Negativity is the negativity spike: in n of the last m windows the negatives reach a floor, exceed what the same hours of the
	// past had by k scaled deviations, and the lower confidence bound of their share is above the share of the past.
	Negativity Rule = "negativity_spike"
	// Volume is an unusual number of mentions, whatever they say.
	Volume Rule = "volume_spike"
)

// Rules are all rules.
var Rules = []Rule{Negativity, Volume}

// Severity of an episode, from its highest window.
type Severity uint8

// The severities. The numbers are those of the column alerts.severity.
const (
	Notice   Severity = 1
	Warning  Severity = 2
	Critical Severity = 3
)

// String returns "notice", "warning" or "critical".
func (s Severity) String() string {
	switch s {
	case Notice:
		return "notice"
	case Warning:
		return "warning"
	case Critical:
		return "critical"
	}
	return fmt.Sprintf("severity(%d)", uint8(s))
}

// ParseSeverity reads what String writes.
func ParseSeverity(name string) (Severity, bool) {
	for s := Notice; s <= Critical; s++ {
		if s.String() == name {
			return s, true
		}
	}
	return 0, false
}

// Sensitivity is the one setting of the rules.
type Sensitivity string

// The sensitivities.
const (
	Low    Sensitivity = "low"
	Normal Sensitivity = "normal"
	High   Sensitivity = "high"
)

// Window lengths and confirmation, the same at every sensitivity.
const (
	// Length is the length of the rolling windows that the rules judge; one ends on every minute.
	Length = 5 * stream.Minute
	// needed of the last among windows must be hot for an episode to begin.
	needed, among = 2, 3
	// shareGain is by what factor the lower bound of the negative share must exceed the share of the past: of thousands of mentions the
	// interval is so narrow that any drift would do, and a busy morning is no negativity.
	shareGain = 1.25
	// calm is for how long no window may be warm before an episode has ended.
	calm = 30 * stream.Minute
)

// limits are what a sensitivity means for a rule.
type limits struct {
	floor     int64   // fewer are never a spike
	k         float64 // scaled deviations above the level
	variation float64 // relative variation of hours that is expected before there is history
}

func (s Sensitivity) limits(r Rule) (limits, error) {
	l := limits{floor: 8, k: 4, variation: 0.25}
	switch s {
	case Normal, "":
	case Low:
		l.floor, l.k = 12, 5.2
	case High:
		l.floor, l.k = 5, 3.2
	default:
		return limits{}, fmt.Errorf("sensitivity %q is not known: use low, normal or high", s)
	}
	if r == Volume {
		l.floor, l.k, l.variation = 4*l.floor, 1.35*l.k, 0.6
	}
	return l, nil
}

// Validate reports a sensitivity that is not known.
func (s Sensitivity) Validate() error {
	_, err := s.limits(Negativity)
	return err
}

// Counts is what the rules need of a window or an hour.
type Counts struct {
	Negative int64 // negative mentions
	Labelled int64 // mentions with a label
	Mentions int64 // mentions, labelled or not
}

// of returns the count that a rule judges.
func (c *Counts) of(r Rule) int64 {
	if r == Volume {
		return c.Mentions
	}
	return c.Negative
}

// Baseline is what is usual for a window.
type Baseline struct {
	Level     float64 // count of a window of Length
	Deviation float64 // scaled deviation of such counts
	Share     float64 // negative share of the labelled
	Threshold float64 // count above which a window is hot
}

// Episode is one event: from the window in which it began to the one in which it was over. It is an absolute value: what is told
// later of an episode with the same key replaces it.
type Episode struct {
	Platform stream.Platform // "" for all platforms together
	Rule     Rule
	OpenedAt stream.Time // end of the first hot window: with brand, platform and rule the key

	ClearedAt stream.Time // end of the window with which it was over; 0 while it lasts
	PeakAt    stream.Time // end of the window with the highest count
	Severity  Severity
	Peak      Counts   // of the window at PeakAt
	Baseline  Baseline // of the window at PeakAt
	// Withdrawn: late records have changed the figures such that there was no episode. The other fields are as last told.
	Withdrawn bool
}

// anscombe makes counts comparable: of a Poisson count it has a standard deviation of about 1, whatever the mean (Anscombe, "The
// transformation of Poisson, binomial and negative-binomial data", Biometrika 1948).
func anscombe(x float64) float64 { return 2 * math.Sqrt(max(x, 0)+3.0/8) }

// counted is the inverse of anscombe.
func counted(a float64) float64 { return max(a*a/4-3.0/8, 0) }

// certain is how many standard errors the lower bound of a share lies below it (99.9 %, one-sided): it is asked anew every minute
// on every platform.
const certain = 3.0

// shareLow returns the lower Wilson bound of a share; 0 of nothing.
func shareLow(k, n int64) float64 {
	if n == 0 || k == 0 {
		return 0
	}
	const z = certain
	trials := float64(n)
	p := float64(k) / trials
	centre := p + z*z/(2*trials)
	half := z * math.Sqrt(p*(1-p)/trials+z*z/(4*trials*trials))
	return (centre - half) / (1 + z*z/trials)
}
