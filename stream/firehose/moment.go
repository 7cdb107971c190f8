package firehose

import (
	"math"
	"net/mail"
	"strconv"
	"strings"
	"time"

	"otklik/stream"
)

// The bounds of a believable time: before 1990 there was nothing to post to (and an epoch of 0 means "unset"), after
// 2200 the unit has been mistaken.
const (
	earliest = stream.Time(631152000000)
	latest   = stream.Time(7258118400000)
)

// maxClockSkew is how far a client's clock may run ahead of the platform's before the platform's is believed.
const maxClockSkew = 5 * stream.Minute

// epoch reads a Unix time. The unit follows from the size, because no platform's seconds reach 1e11 (the year 5138)
// and no platform's milliseconds lie below it (1973): seconds with or without a fraction, milliseconds, microseconds
// or nanoseconds.
func epoch(s string) (stream.Time, bool) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		f, err := strconv.ParseFloat(s, 64)
		if err != nil || math.IsNaN(f) || math.Abs(f) >= 1e11 {
			return 0, false
		}
		return believable(stream.Time(math.Round(f * 1000)))
	}
	switch {
	case n < 1e11:
		n *= 1000
	case n < 1e14:
	case n < 1e17:
		n /= 1000
	default:
		n /= 1_000_000
	}
	return believable(stream.Time(n))
}

// digits returns the position of the first byte at or after i that is no decimal digit.
func digits(s string, i int) int {
	for i < len(s) && '0' <= s[i] && s[i] <= '9' {
		i++
	}
	return i
}

func believable(t stream.Time) (stream.Time, bool) {
	if t < earliest || t > latest {
		return 0, false
	}
	return t, true
}

// moment reads a time in any of the forms the platforms use: a Unix time as a number or a string, RFC 3339 with any
// number of decimals (also with an offset without a colon, or without a zone, which is UTC), Twitter's
// "Wed May 22 12:20:02 +0000 2019", and the RFC 822 / 1123 forms of feeds. It reports false for a stated time that
// cannot be read and for an absent one alike; stated tells them apart.
func moment(v value) (stream.Time, bool) {
	s := v.inner()
	if len(s) < 8 || len(s) > 64 {
		return 0, false
	}
	if v.number() {
		return epoch(s)
	}
	s = strings.TrimSpace(s)
	if t, ok := twitterTime(s); ok {
		return t, true
	}
	if len(s) > 10 && s[4] == '-' && s[7] == '-' {
		return isoTime(s)
	}
	if digits(s, 0) == len(s) || digits(s, 0) > 8 {
		return epoch(s)
	}
	if len(s) == 10 && s[4] == '-' {
		return layouts(s, time.DateOnly)
	}
	return mailTime(s)
}

// isoTime reads RFC 3339 and its relatives.
func isoTime(s string) (stream.Time, bool) {
	if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
		return believable(stream.TimeOf(t))
	}
	// "…+0000" (Facebook), a space instead of the T, a lower-case t or z, no zone at all.
	b := []byte(strings.ToUpper(s))
	if b[10] == ' ' {
		b[10] = 'T'
	}
	return layouts(strings.ReplaceAll(string(b), " ", ""),
		"2006-01-02T15:04:05Z0700", "2006-01-02T15:04:05Z07:00", "2006-01-02T15:04:05", "2006-01-02T15:04Z07:00", "2006-01-02T15:04", "2006-01-02T15:04:05Z07")
}

func layouts(s string, candidates ...string) (stream.Time, bool) {
	for _, layout := range candidates {
		if t, err := time.Parse(layout, s); err == nil {
			return believable(stream.TimeOf(t))
		}
	}
	return 0, false
}

// zones are the names of zones that feeds still write: those of RFC 822, and Moscow's. time.Parse gives any other name
// an offset of zero without a word, so a name that is not here makes the time unreadable.
var zones = map[string]string{
	"GMT": "+0000", "UT": "+0000", "UTC": "+0000", "Z": "+0000",
	"EST": "-0500", "EDT": "-0400", "CST": "-0600", "CDT": "-0500", "MST": "-0700", "MDT": "-0600", "PST": "-0800", "PDT": "-0700",
	"MSK": "+0300", "MSD": "+0400",
}

// mailTime reads the RFC 822, 1123 and 5322 forms: "Sat, 20 Jan 2018 21:13:37 GMT".
func mailTime(s string) (stream.Time, bool) {
	space := strings.LastIndexByte(s, ' ')
	if space < 0 {
		return 0, false
	}
	if c := s[space+1]; 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' {
		offset, ok := zones[strings.ToUpper(s[space+1:])]
		if !ok {
			return 0, false
		}
		s = s[:space+1] + offset
	}
	t, err := mail.ParseDate(s)
	if err != nil {
		return 0, false
	}
	return believable(stream.TimeOf(t))
}

const months = "JanFebMarAprMayJunJulAugSepOctNovDec"

// twitterTime reads "Wed May 22 12:20:02 +0000 2019" by position: it is the time of every v1.1 status.
func twitterTime(s string) (stream.Time, bool) {
	if len(s) != 30 || s[3] != ' ' || s[7] != ' ' || s[13] != ':' || s[19] != ' ' {
		return 0, false
	}
	month := strings.Index(months, s[4:7])
	day, ok1 := number2(s[8:])
	hour, ok2 := number2(s[11:])
	minute, ok3 := number2(s[14:])
	second, ok4 := number2(s[17:])
	century, ok5 := number2(s[26:])
	year, ok6 := number2(s[28:])
	if month < 0 || month%3 != 0 || !ok1 || !ok2 || !ok3 || !ok4 || !ok5 || !ok6 ||
		day < 1 || day > 31 || hour > 23 || minute > 59 || second > 60 {
		return 0, false
	}
	oh, ok1 := number2(s[21:])
	om, ok2 := number2(s[23:])
	if !ok1 || !ok2 || s[20] != '+' && s[20] != '-' {
		return 0, false
	}
	t := time.Date(century*100+year, time.Month(month/3+1), day, hour, minute, second, 0, time.UTC)
	offset := time.Duration(oh*60+om) * time.Minute
	if s[20] == '+' {
		offset = -offset
	}
	return believable(stream.TimeOf(t.Add(offset)))
}

func number2(s string) (int, bool) {
	a, b := s[0]-'0', s[1]-'0'
	return int(a)*10 + int(b), a <= 9 && b <= 9
}

// Twitter's snowflakes replaced the running number on 4 November 2010, when that had nearly reached 3e10; the first
// snowflakes were larger. See https://github.com/twitter-archive/snowflake: 41 bits of milliseconds since
// 2010-11-04T01:42:54.657Z above 22 bits of worker and sequence.
const (
	firstSnowflake = 30_000_000_000
	twitterEpoch   = 1288834974657
)

// snowflake returns the time that a Twitter id carries, or 0 for the running numbers before November 2010.
func snowflake(id string) stream.Time {
	n, err := strconv.ParseUint(id, 10, 63)
	if err != nil || n < firstSnowflake {
		return 0
	}
	t, _ := believable(stream.Time(n>>22) + twitterEpoch)
	return t
}

// mastodonSnowflake returns the time that a Mastodon status id carries (48 bits of Unix milliseconds above 16 bits of
// sequence, since version 2.0 of 2017), or 0 for the running numbers before and of other servers.
func mastodonSnowflake(id string) stream.Time {
	n, err := strconv.ParseUint(id, 10, 63)
	if err != nil {
		return 0
	}
	const firstOfMastodon = 1483228800000 // 2017-01-01
	if t, ok := believable(stream.Time(n >> 16)); ok && t >= firstOfMastodon {
		return t
	}
	return 0
}

// tid returns the time that the record key of an AT protocol record carries, or 0 for another kind of key:
// 13 characters of base 32, holding 53 bits of microseconds above 10 bits of clock (https://atproto.com/specs/tid).
func tid(rkey string) stream.Time {
	const alphabet = "234567abcdefghijklmnopqrstuvwxyz"
	if len(rkey) != 13 {
		return 0
	}
	var n uint64
	for i := range len(rkey) {
		digit := strings.IndexByte(alphabet, rkey[i])
		if digit < 0 || i == 0 && digit > 15 { // the highest bit is always 0
			return 0
		}
		n = n<<5 | uint64(digit)
	}
	t, _ := believable(stream.Time(n >> 10 / 1000))
	return t
}
