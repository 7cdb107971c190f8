package enginetest

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"otklik/sinks/clickhouse"
	"otklik/stream"
	"otklik/stream/simulate"
)

// Compare fails the test unless verify holds and the tables show the truth, cell by cell: the books, the panes of every grain
// that the truth states, the responses, and the dead letters by reason.
func Compare(t testing.TB, ctx context.Context, ch *clickhouse.Client, truth *simulate.Truth) {
	t.Helper()
	report, err := ch.Verify(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if !report.OK {
		t.Errorf("verify does not hold: %v, %d of %d cells", report.Faults, report.PaneMismatches, report.PaneCells)
		for i := range report.Differences {
			t.Errorf("  %s", report.Differences[i].String())
		}
	}
	got := simulate.Books{
		Records: int64(report.Records), Read: int64(report.Read), Mentions: int64(report.Mentions), Unmatched: int64(report.Unmatched),
		Duplicates: int64(report.Duplicates), DeadLetters: int64(report.DeadLetters), Other: int64(report.Other),
	}
	if got != truth.Verify {
		t.Errorf("books\n got %+v\nwant %+v", got, truth.Verify)
	}
	db := ch.Database()
	diff(t, "panes", query(t, ctx, ch, `SELECT grain, toString(start), brand, platform, product, sum(positive), sum(neutral), sum(negative), sum(unlabelled),
			sum(own), sum(spam), sum(reposts), sum(questions), sum(severe), sum(needs_answer) FROM `+db+`.panes
		GROUP BY grain, start, brand, platform, product
		HAVING sum(positive) + sum(neutral) + sum(negative) + sum(unlabelled) + sum(own) + sum(spam) > 0`,
		func(row []string) bool { return row[0] != "1m" || hasMinutes(truth) }), panes(truth))
	diff(t, "responses", query(t, ctx, ch, `SELECT brand, platform, customer_id, request_id, ifNull(toString(request_at), ''), response_id,
			ifNull(toString(response_at), ''), ifNull(toString(round(direct_seconds * 1000)), ''), waiting_id, ifNull(toString(waiting_since), ''),
			ifNull(toString(round(waiting_seconds * 1000)), ''), responder, toString(toUInt8(approved)), toString(toUInt8(automatic))
		FROM `+db+`.responses`, nil), responses(truth, erased(t, ctx, ch)))
	diff(t, "rules of communication", query(t, ctx, ch, `SELECT brand, sum(answers), sum(unapproved), sum(confidential), sum(compliant) FROM `+db+`.compliance_1d GROUP BY brand`, nil),
		conduct(truth))
	diff(t, "dead letters", query(t, ctx, ch, `SELECT reason, toString(count()) FROM `+db+`.deadletters GROUP BY reason`, nil), reasons(truth))
}

func hasMinutes(truth *simulate.Truth) bool {
	return slices.ContainsFunc(truth.Panes, func(c simulate.Cell) bool { return c.Grain == "1m" })
}

// query returns the rows of a query as lines, sorted.
func query(t testing.TB, ctx context.Context, ch *clickhouse.Client, sql string, keep func([]string) bool) []string {
	t.Helper()
	rows, err := ch.Strings(ctx, sql)
	if err != nil {
		t.Fatal(err)
	}
	lines := make([]string, 0, len(rows))
	for _, row := range rows {
		if keep == nil || keep(row) {
			lines = append(lines, strings.Join(row, "|"))
		}
	}
	slices.Sort(lines)
	return lines
}

// diff compares two sorted lists of lines and names the first ten on either side only.
func diff(t testing.TB, what string, got, want []string) {
	t.Helper()
	slices.Sort(want)
	var only []string
	i, j := 0, 0
	for i < len(got) || j < len(want) {
		switch {
		case j == len(want) || i < len(got) && got[i] < want[j]:
			only = append(only, "got  "+got[i])
			i++
		case i == len(got) || want[j] < got[i]:
			only = append(only, "want "+want[j])
			j++
		default:
			i, j = i+1, j+1
		}
	}
	if len(only) > 0 {
		t.Errorf("%s: %d rows, want %d; %d differ:\n%s", what, len(got), len(want), len(only), strings.Join(only[:min(10, len(only))], "\n"))
	}
}

// sqlTime is how ClickHouse prints a DateTime64(3,'UTC').
func sqlTime(t stream.Time) string {
	if t == 0 {
		return ""
	}
	return t.Go().Format("2006-01-02 15:04:05.000")
}

func panes(truth *simulate.Truth) []string {
	lines := make([]string, 0, len(truth.Panes))
	for i := range truth.Panes {
		c := &truth.Panes[i]
		if c.Positive+c.Neutral+c.Negative+c.Unlabelled+c.Own+c.Spam == 0 {
			continue
		}
		line := make([]string, 0, 15)
		line = append(line, c.Grain, sqlTime(c.Start), c.Brand, string(c.Platform), c.Product)
		for _, n := range []int64{
			c.Positive, c.Neutral, c.Negative, c.Unlabelled, c.Own, c.Spam, c.Reposts, c.Questions, c.Severe, c.Counts.Requests,
		} {
			line = append(line, strconv.FormatInt(n, 10))
		}
		lines = append(lines, strings.Join(line, "|"))
	}
	return lines
}

// erased returns the items that their platform has deleted, as "platform|item": whose customers the tables do not name any more.
func erased(t testing.TB, ctx context.Context, ch *clickhouse.Client) map[string]bool {
	t.Helper()
	gone := map[string]bool{}
	for _, line := range query(t, ctx, ch, `SELECT platform, item_id FROM `+ch.Database()+`.erasures`, nil) {
		gone[line] = true
	}
	return gone
}

func responses(truth *simulate.Truth, gone map[string]bool) []string {
	lines := make([]string, 0, len(truth.Responses))
	ms := func(n *int64) string {
		if n == nil {
			return ""
		}
		return strconv.FormatInt(*n, 10)
	}
	bit := func(b bool) string {
		if b {
			return "1"
		}
		return "0"
	}
	for i := range truth.Responses {
		r := truth.Responses[i]
		if gone[string(r.Platform)+"|"+r.WaitingID] || gone[string(r.Platform)+"|"+r.RequestID] {
			r.Customer = ""
		}
		lines = append(lines, strings.Join([]string{
			r.Brand, string(r.Platform), r.Customer, r.RequestID, sqlTime(r.RequestAt), r.ResponseID, sqlTime(r.ResponseAt), ms(r.DirectMS),
			r.WaitingID, sqlTime(r.WaitingSince), ms(r.WaitingMS), r.Responder, bit(r.Approved), bit(r.Automatic),
		}, "|"))
	}
	return lines
}

func conduct(truth *simulate.Truth) []string {
	var lines []string
	for i := range truth.Brands {
		if b := &truth.Brands[i]; b.Answers > 0 {
			lines = append(lines, fmt.Sprintf("%s|%d|%d|%d|%d", b.Brand, b.Answers, b.Unapproved, b.Confidential, b.Compliant))
		}
	}
	return lines
}

func reasons(truth *simulate.Truth) []string {
	lines := make([]string, 0, len(truth.DeadLetters))
	for _, r := range truth.DeadLetters {
		lines = append(lines, fmt.Sprintf("%s|%d", r.Reason, r.Count))
	}
	return lines
}
