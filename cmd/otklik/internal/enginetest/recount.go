package enginetest

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"otklik/cmd/otklik/internal/config"
	"otklik/schemas"
	"otklik/sinks/clickhouse"
	"otklik/stream"
	"otklik/stream/care"
	"otklik/stream/prevalence"
	"otklik/stream/sentiment"
	"otklik/stream/task"
	"otklik/stream/window"
)

// Recount fails the test unless the tables that the truth does not state follow from those that it does: responses and
// cases from the turns, cell by cell, and every rolling window from the panes of its minutes.
func Recount(t testing.TB, ctx context.Context, ch *clickhouse.Client, cfg *config.Config) {
	t.Helper()
	recountCare(t, ctx, ch, cfg)
	recountRolling(t, ctx, ch)
	recountAdjusted(t, ctx, ch)
}

// everything is the end of a range of times without an end: 1 January 2200.
const everything stream.Time = 7_258_118_400_000

func recountCare(t testing.TB, ctx context.Context, ch *clickhouse.Client, cfg *config.Config) {
	t.Helper()
	evaluator, err := care.NewEvaluator(cfg.Care)
	if err != nil {
		t.Fatal(err)
	}
	threads := map[care.Key][]care.Turn{}
	for n := range cfg.Kafka.Topics.Partitions.Mentions {
		err := ch.EachTurn(ctx, int32(n), 0, math.MaxUint64, func(r *task.TurnRow) error {
			threads[r.Key] = append(threads[r.Key], r.Turn)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	var wantResponses, wantCases []string
	for key, turns := range threads {
		responses, cases := evaluator.Evaluate(key, turns)
		for i := range responses {
			r := &responses[i]
			wantResponses = append(wantResponses, fmt.Sprintf("%s|%s|%s|%s|%s|%s|%s|%s|%t|%t|%t", r.Brand, r.Platform, r.Thread, r.ID,
				r.RequestID, r.ResponseID, r.WaitingID, seconds(r.Waiting), r.Approved, r.Automatic, r.First))
		}
		for i := range cases {
			c := &cases[i]
			wantCases = append(wantCases, fmt.Sprintf("%s|%s|%s|%s|%d|%s|%s|%s|%s|%s|%d|%d|%s", c.Brand, c.Platform, c.Thread, c.ID, c.Cycle,
				sqlTime(c.OpenedAt), sqlTime(c.FirstResponseAt), sqlTime(c.LastCustomerAt), sqlTime(c.LastAnswerAt),
				sqlTime(c.UnansweredSince), c.Messages, c.Answers, c.Responder))
		}
	}
	store := schemas.Store(ch.Database())
	diff(t, "responses against the turns", query(t, ctx, ch, `SELECT brand, platform, thread, response_key, request_id, response_id, waiting_id,
			ifNull(toString(round(waiting_seconds * 1000)), ''), approved, automatic, is_first FROM `+store+`.responses FINAL`, nil), wantResponses)
	diff(t, "cases against the turns", query(t, ctx, ch, `SELECT brand, platform, thread, case_id, cycle, toString(opened_at),
			ifNull(toString(first_response_at), ''), ifNull(toString(last_customer_at), ''), ifNull(toString(last_answer_at), ''),
			ifNull(toString(unanswered_since), ''), messages, answers, responder FROM `+store+`.cases FINAL`, nil), wantCases)
}

// seconds is how ClickHouse prints a span in milliseconds, "" for none.
func seconds(n stream.Count) string {
	if !n.Known() {
		return ""
	}
	return strconv.FormatInt(n.Value(), 10)
}

// series is what the rolling windows add up: the minutes of a brand on one platform, or on all of them ("").
type series struct {
	brand    string
	platform stream.Platform
}

func recountRolling(t testing.TB, ctx context.Context, ch *clickhouse.Client) {
	t.Helper()
	minutes, err := ch.MinutePanes(ctx, nil, 0, everything)
	if err != nil {
		t.Fatal(err)
	}
	cells := map[series]map[stream.Time]*window.Pane{}
	head := map[string]stream.Time{}
	for i := range minutes {
		p := &minutes[i]
		head[p.Brand] = max(head[p.Brand], p.Start+stream.Minute)
		for _, key := range []series{{p.Brand, p.Platform}, {p.Brand, ""}} {
			if cells[key] == nil {
				cells[key] = map[stream.Time]*window.Pane{}
			}
			sum := cells[key][p.Start]
			if sum == nil {
				sum = &window.Pane{}
				cells[key][p.Start] = sum
			}
			sum.Counts.Add(&p.Counts, 1)
			sum.Responses = append(sum.Responses, p.Responses...)
		}
	}
	want := map[string]bool{}
	// Tens of thousands of rows: the server puts the columns together.
	shown := query(t, ctx, ch, `SELECT arrayStringConcat([toString(brand), toString(platform), toString(window_seconds), toString(toUnixTimestamp64Milli(at)),
			toString(positive), toString(neutral), toString(negative), toString(unlabelled), toString(own), toString(spam), toString(reposts), toString(questions),
			toString(severe), toString(audience), toString(requests), toString(answered), toString(isNotNull(response_median_seconds))], '|')
			FROM `+schemas.Store(ch.Database())+`.rolling FINAL`, nil)
	for key, minutes := range cells {
		for _, length := range window.Windows {
			for _, line := range windows(key, minutes, length, head[key.brand]) {
				want[line] = true
			}
		}
	}
	var wrong []string
	missing := len(want)
	for _, line := range shown {
		if want[line] {
			missing--
			delete(want, line)
			continue
		}
		fields := strings.Split(line, "|")
		at, err := strconv.ParseInt(fields[3], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case stream.Time(at) > head[fields[0]]: // shown because the watermark of others went on
		case !zero(fields[4:]): // a row that had once been shown and has become empty stays as zeros
			wrong = append(wrong, "got  "+line)
		}
	}
	for line := range want {
		wrong = append(wrong, "want "+line)
	}
	if len(wrong) > 0 {
		slices.SortFunc(wrong, func(a, b string) int { return strings.Compare(a[5:], b[5:]) })
		t.Errorf("rolling windows against the panes: %d rows, %d missing or different:\n%s", len(shown), missing, strings.Join(wrong[:min(10, len(wrong))], "\n"))
	}
}

// recountAdjusted holds the adjusted shares of every rolling window against those that follow from its counts, to the last digit. What
// stands in many windows is looked at once.
func recountAdjusted(t testing.TB, ctx context.Context, ch *clickhouse.Client) {
	t.Helper()
	columns := make([]string, 0, 12)
	for _, share := range []string{"positive_share", "neutral_share", "negative_share", "net_sentiment"} {
		for _, bound := range []string{"", "_low", "_high"} {
			columns = append(columns, "ifNull(toString(adjusted_"+share+bound+"), 'nan')")
		}
	}
	states := map[string]int{}
	for _, line := range query(t, ctx, ch, `SELECT DISTINCT adjusted_by, toString(positive), toString(neutral), toString(negative), toString(adjusted_state), `+strings.Join(columns, ", ")+
		` FROM `+schemas.Store(ch.Database())+`.rolling FINAL`, nil) {
		fields := strings.Split(line, "|")
		var counts prevalence.Counts
		for k := range counts {
			var err error
			if counts[k], err = strconv.ParseInt(fields[1+k], 10, 64); err != nil {
				t.Fatal(err)
			}
		}
		matrix, err := sentiment.Errors(fields[0])
		if err != nil {
			t.Fatal(err)
		}
		want := matrix.Adjust(counts)
		states[want.State.String()]++
		if want.State.String() != fields[4] {
			t.Fatalf("adjusted share of %v by %q: %s, want %s", counts, fields[0], fields[4], want.State)
		}
		for k, share := range []prevalence.Share{want.Positive, want.Neutral, want.Negative, want.Net} {
			for b, value := range []float64{share.Value, share.Low, share.High} {
				got, err := strconv.ParseFloat(fields[5+3*k+b], 64)
				if err != nil {
					t.Fatal(err)
				}
				if got != value && !(math.IsNaN(got) && math.IsNaN(value)) {
					t.Fatalf("adjusted shares of %v by %q: %s, want %+v", counts, fields[0], line, want)
				}
			}
		}
	}
	t.Logf("states of the adjusted shares that differ: %v", states)
	db := ch.Database()
	for _, grain := range []string{"1h", "1d"} {
		diff(t, "adjusted_"+grain+" against sentiment_"+grain, query(t, ctx, ch, `SELECT toString(a.start), a.brand, a.platform, toString(a.labelled), toString(a.mentions),
				ifNull(toString(a.negative_share), '') FROM `+db+`.adjusted_`+grain+` AS a WHERE a.platform != '' AND a.mentions > 0`, nil),
			query(t, ctx, ch, `SELECT toString(s.start), s.brand, s.platform, toString(s.labelled), toString(s.mentions), ifNull(toString(s.negative_share), '')
				FROM `+db+`.sentiment_`+grain+` AS s INNER JOIN (SELECT DISTINCT start, brand FROM `+db+`.adjusted_`+grain+`) AS over ON over.start = s.start AND over.brand = s.brand
				WHERE s.product = '' AND s.mentions > 0`, nil))
	}
}

func zero(fields []string) bool {
	return !slices.ContainsFunc(fields, func(f string) bool { return f != "0" && f != "false" })
}

// windows returns the rows that are not all zero of one series and length, up to the end of the newest minute.
func windows(key series, minutes map[stream.Time]*window.Pane, length, head stream.Time) []string {
	starts := make([]stream.Time, 0, len(minutes))
	for start := range minutes {
		starts = append(starts, start)
	}
	slices.Sort(starts)
	var lines []string
	var counts window.Counts
	answers, first, last := 0, 0, 0
	var at stream.Time
	for first < len(starts) {
		if first == last { // the window is empty: on to the next minute
			at = starts[last] + stream.Minute
		} else {
			at += stream.Minute
		}
		if at > head {
			break
		}
		for ; last < len(starts) && starts[last] < at; last++ {
			p := minutes[starts[last]]
			counts.Add(&p.Counts, 1)
			answers += len(p.Responses)
		}
		for ; first < last && starts[first] < at-length; first++ {
			p := minutes[starts[first]]
			counts.Add(&p.Counts, -1)
			answers -= len(p.Responses)
		}
		if counts.Zero() {
			continue
		}
		bit := 0
		if answers > 0 {
			bit = 1
		}
		lines = append(lines, fmt.Sprintf("%s|%s|%d|%d|%d|%d|%d|%d|%d|%d|%d|%d|%d|%d|%d|%d|%d", key.brand, key.platform, length/stream.Second, at,
			counts.Positive, counts.Neutral, counts.Negative, counts.Unlabelled, counts.Own, counts.Spam, counts.Reposts, counts.Questions,
			counts.Severe, counts.Audience, counts.Requests, counts.Answered, bit))
	}
	return lines
}
