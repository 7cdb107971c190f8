package stream

import (
	"strconv"
	"time"
)

// Time is a moment in milliseconds since the Unix epoch, UTC. The zero value means "unknown".
//
// The engine uses it instead of time.Time because it is eight bytes without a pointer, compares with <,
// and is exactly what ClickHouse's DateTime64(3,'UTC') stores.
type Time int64

// Common spans of Time, in milliseconds.
const (
	Second Time = 1000
	Minute Time = 60 * Second
	Hour   Time = 60 * Minute
	Day    Time = 24 * Hour
)

// timeLayout is RFC 3339 in UTC with exactly three decimals.
const timeLayout = "2006-01-02T15:04:05.000Z"

// TimeOf converts t to milliseconds; a zero time.Time gives 0 (unknown).
func TimeOf(t time.Time) Time {
	if t.IsZero() {
		return 0
	}
	return Time(t.UnixMilli())
}

// Go returns t as a time.Time in UTC; the zero Time gives the zero time.Time.
func (t Time) Go() time.Time {
	if t == 0 {
		return time.Time{}
	}
	return time.UnixMilli(int64(t)).UTC()
}

// Truncate returns the start of the span of the given length that holds t, aligned to the Unix epoch.
func (t Time) Truncate(span Time) Time {
	r := t % span
	if r < 0 {
		r += span
	}
	return t - r
}

// String returns t as RFC 3339 UTC with milliseconds, or "unknown" for the zero value.
func (t Time) String() string {
	if t == 0 {
		return "unknown"
	}
	return t.Go().Format(timeLayout)
}

// MarshalJSON writes t as an RFC 3339 string in UTC with milliseconds, or null when unknown.
func (t Time) MarshalJSON() ([]byte, error) {
	if t == 0 {
		return []byte("null"), nil
	}
	return strconv.AppendQuote(nil, t.String()), nil
}

// UnmarshalJSON reads what MarshalJSON writes; any RFC 3339 time is accepted.
func (t *Time) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		*t = 0
		return nil
	}
	s, err := strconv.Unquote(string(b))
	if err != nil {
		return err
	}
	parsed, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return err
	}
	*t = TimeOf(parsed)
	return nil
}
