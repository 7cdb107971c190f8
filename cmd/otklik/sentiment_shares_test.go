package main

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"otklik/sinks/clickhouse"
	"otklik/sinks/sinktest"
	"otklik/stream"
	"otklik/stream/sentiment"
)

// sharesModel is a classifier of which nothing is known but what analysts say.
const sharesModel = "external/1"

// sharesRows are 6,000 mentions of which 20 % are truly positive, 50 % neutral and 30 % negative; every classifier errs in a third of them.
func sharesRows(r *rand.Rand, builtIn string) []stream.MentionRow {
	labels := []stream.Label{stream.Positive, stream.Neutral, stream.Negative}
	var rows []stream.MentionRow
	for n := range 6000 {
		m := sinktest.Mention(n, stream.PositionAfter(0, int64(n)))
		truth := 1
		switch x := r.Float64(); {
		case x < 0.2:
			truth = 0
		case x < 0.5:
			truth = 2
		}
		given := truth
		if r.IntN(3) == 0 {
			given = (truth + 1 + r.IntN(2)) % 3
		}
		m.Role, m.Label, m.ModelLabel = stream.Customer, labels[given], labels[given]
		m.Versions, m.TextSince, m.Corrections = nil, 0, nil
		reviewed := false
		switch n % 3 {
		case 0:
			m.Brand, m.Model = "sampled", sharesModel
			reviewed = r.IntN(4) == 0
		case 1: // people only look for errors
			m.Brand, m.Model = "hunted", "external/2"
			reviewed = given != truth
		default:
			m.Brand, m.Model = "plain", builtIn
		}
		if reviewed {
			m.Label = labels[truth]
			m.Corrections = []stream.Correction{{Label: labels[truth], By: "anna", At: sinktest.Base + stream.Hour}}
		}
		rows = append(rows, m)
	}
	return rows
}

func TestSentimentShares(t *testing.T) {
	_, ch := migrated(t)
	model, err := sentiment.Default()
	if err != nil {
		t.Fatal(err)
	}
	if err := ch.Writer().Flush(t.Context(), &clickhouse.Batch{Mentions: sharesRows(rand.New(rand.NewPCG(1, 1)), model.Name())}); err != nil {
		t.Fatal(err)
	}
	rows, err := sentimentShares(t.Context(), ch, model, "", "2026-03-01", "")
	if err != nil {
		t.Fatal(err)
	}
	byBrand := map[string]shareRow{}
	for _, row := range rows {
		byBrand[row.Brand] = row
	}
	if len(byBrand) != 3 {
		t.Fatalf("%d rows: %+v", len(rows), rows)
	}
	sampled := byBrand["sampled"]
	if sampled.State != "ok" || sampled.Reviewed < 300 || sampled.Labelled.Total() != 2000 {
		t.Fatalf("sampled: %+v", sampled)
	}
	for name, s := range map[string]struct {
		share *shareBounds
		truth float64
	}{"positive": {sampled.Positive, 0.2}, "neutral": {sampled.Neutral, 0.5}, "negative": {sampled.Negative, 0.3}, "loyal": {sampled.Loyal, 0.7}, "net": {sampled.Net, -0.1}} {
		if s.share.Low > s.truth || s.truth > s.share.High || s.share.Value < s.share.Low || s.share.Value > s.share.High {
			t.Errorf("%s is %+v, in truth %.2f", name, *s.share, s.truth)
		}
	}
	if raw, adjusted := sampled.Neutral.Raw-0.5, sampled.Neutral.Value-0.5; raw > -0.05 || adjusted < raw/2 {
		t.Errorf("neutral is off by %.3f as counted and by %.3f as estimated", raw, adjusted)
	}
	if h := byBrand["hunted"]; h.State != "no_matrix" || h.Negative != nil || !strings.Contains(h.Note, "confirm what is right") {
		t.Errorf("only errors were labelled: %+v", h)
	}
	if p := byBrand["plain"]; p.State != "ok" || p.Reviewed != 0 || p.Negative == nil || p.Negative.High-p.Negative.Low < 0.2 || !strings.Contains(p.Note, "not for want of mentions") {
		t.Errorf("the card alone: %+v", p)
	}
	if sampled.Note != "" {
		t.Errorf("with labels of analysts: %q", sampled.Note)
	}
	var out bytes.Buffer
	if err := printShares(&out, rows); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"95 % interval", "hunted", "no_matrix", "external/2: labels of analysts are not used"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the table does not show %q:\n%s", want, out.String())
		}
	}
	if none, err := sentimentShares(t.Context(), ch, model, "sampled", "2027-01-01", ""); err != nil || len(none) != 0 {
		t.Errorf("mentions of next year: %v, %v", none, err)
	}
}

// TestSentimentSharesTimes: times that are none, or that hold nothing, are refused before anything is asked.
func TestSentimentSharesTimes(t *testing.T) {
	for _, args := range [][]string{{"--since", "foo"}, {"--until", "1"}, {"--since", "2026-03-02", "--until", "2026-03-01T23:00:00Z"}} {
		_, _, err := otklik(t, nil, append([]string{"sentiment", "shares"}, args...)...)
		if _, ok := errors.AsType[*usageError](err); !ok {
			t.Errorf("shares %v: %v, want a usage error", args, err)
		}
	}
	since, until := "2026-03-01T12:00:00+03:00", ""
	if err := sharesSpan(newSentimentSharesCommand(), &since, &until); err != nil || since != "2026-03-01T09:00:00Z" || until != "" {
		t.Errorf("since %q, until %q: %v", since, until, err)
	}
}
