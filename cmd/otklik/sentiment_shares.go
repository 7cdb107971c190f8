package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"otklik/cmd/otklik/internal/config"
	"otklik/sinks/clickhouse"
	"otklik/stream"
	"otklik/stream/prevalence"
	"otklik/stream/sentiment"
)

// newSentimentSharesCommand returns `otklik sentiment shares`.
func newSentimentSharesCommand() *cobra.Command {
	var path, data, brand, since, until string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "shares [-c FILE | --data DIR]",
		Short: "Estimate the true shares from the labels, their known errors and your corrections",
		Long: `Estimates the true shares of positive, neutral and negative mentions behind the labels of the model, per brand and model, with 95 %
intervals that hold both the noise of the counts and what is not known of the errors of the model.

The errors are those of the model's card, which count as few texts because they differ between kinds of texts, together with the labels
that analysts have given here, each as one text. So a hundred labels of a random sample weigh more than the card. Confirm what is
right as well as correcting what is wrong: labels of which most are corrections say nothing about how often the model errs, and are
not used. Which mentions are labelled by hand may depend on the model's label, but on nothing else.

The value goes only as far from the raw share as the errors are known. On a kind of text that the model was not measured on it is still no
nearer to the truth than the raw share; the interval is what tells more, because that of the raw share is far too narrow there.

The state is ok; too_few: noise alone makes an interval wider than 0.4; weak_matrix: the errors are not known well enough;
misfit: labels like these do not come from such errors; no_matrix: nothing is known of the model.`,
		Example: `  otklik sentiment shares -c otklik.yaml --since 2026-03-01 --until 2026-04-01
  otklik sentiment shares --data ./day --brand northair --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := sharesSpan(cmd, &since, &until); err != nil {
				return err
			}
			return withClickHouse(cmd, path, data, func(ctx context.Context, cfg *config.Config, ch *clickhouse.Client) error {
				classifier, err := cfg.Sentiment.Classifier()
				if err != nil {
					return err
				}
				rows, err := sentimentShares(ctx, ch, classifier, brand, since, until)
				if err != nil {
					return err
				}
				if asJSON {
					encoder := json.NewEncoder(cmd.OutOrStdout())
					encoder.SetIndent("", "  ")
					return encoder.Encode(rows)
				}
				return printShares(cmd.OutOrStdout(), rows)
			})
		},
	}
	addConfigFlag(cmd, &path)
	f := cmd.Flags()
	f.StringVar(&data, "data", "", "data `folder` of the demo instead of the configured ClickHouse")
	f.StringVar(&brand, "brand", "", "only the brand with this `key`")
	f.StringVar(&since, "since", "", "only mentions published at this `time` or later, UTC (default: all)")
	f.StringVar(&until, "until", "", "only mentions published before this `time`, UTC (default: all)")
	f.BoolVar(&asJSON, "json", false, "print an array of objects; shares that are not known are null")
	return cmd
}

// shareRow is the true shares of the mentions of a brand that one model has labelled.
type shareRow struct {
	Brand    string            `json:"brand"`
	Model    string            `json:"model"`
	Labelled prevalence.Counts `json:"labelled"` // by the model: positive, neutral, negative
	Reviewed int64             `json:"reviewed"` // labels of analysts in the matrix of the model
	Note     string            `json:"note,omitempty"`
	State    string            `json:"state"`
	Positive *shareBounds      `json:"positive"`
	Neutral  *shareBounds      `json:"neutral"`
	Negative *shareBounds      `json:"negative"`
	Loyal    *shareBounds      `json:"loyal"`
	Net      *shareBounds      `json:"net_sentiment"`
}

// shareBounds is a share as counted and as estimated.
type shareBounds struct {
	Raw   float64 `json:"raw"`
	Value float64 `json:"value"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
}

// modelErrors is what is known of the errors of a model: its matrix, how many labels of analysts are in it, and why others are not.
type modelErrors struct {
	matrix   *prevalence.Matrix
	reviewed int64
	note     string
}

func sentimentShares(ctx context.Context, ch *clickhouse.Client, classifier *sentiment.Model, brand, since, until string) ([]shareRow, error) {
	known, err := modelsErrors(ctx, ch, classifier)
	if err != nil {
		return nil, err
	}
	lines, err := ch.Strings(ctx, `SELECT brand, model, toString(countIf(model_label = 'positive')), toString(countIf(model_label = 'neutral')),
			toString(countIf(model_label = 'negative')) FROM `+ch.Database()+`.mentions
		WHERE role = 'customer' AND model_label != 'unlabelled' AND (? = '' OR brand = ?)
			AND (? = '' OR published_at >= parseDateTime64BestEffort(?, 3, 'UTC')) AND (? = '' OR published_at < parseDateTime64BestEffort(?, 3, 'UTC'))
		GROUP BY brand, model ORDER BY brand, model`, brand, brand, since, orEpoch(since), until, orEpoch(until))
	if err != nil {
		return nil, fmt.Errorf("read the labels of the mentions: %w", err)
	}
	rows := make([]shareRow, 0, len(lines))
	for _, line := range lines {
		counts, err := countsOf(line[2:])
		if err != nil {
			return nil, err
		}
		errs := known[line[1]]
		e := errs.matrix.Adjust(counts)
		row := shareRow{Brand: line[0], Model: line[1], Labelled: counts, Reviewed: errs.reviewed, Note: errs.note, State: e.State.String()}
		n := float64(counts.Total())
		raw := [3]float64{float64(counts[0]) / n, float64(counts[1]) / n, float64(counts[2]) / n}
		row.Positive = boundsOf(raw[0], e.Positive)
		row.Neutral = boundsOf(raw[1], e.Neutral)
		row.Negative = boundsOf(raw[2], e.Negative)
		row.Loyal = boundsOf(1-raw[2], e.Loyal())
		row.Net = boundsOf(raw[0]-raw[2], e.Net)
		if row.Note == "" && vague(errs.matrix, counts) {
			row.Note = "the intervals are wide because a model errs differently on every kind of text, not for want of mentions: " +
				"label some hundred of a random sample with otklik sentiment label"
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// vague reports whether an interval would stay wider than 30 points if there were a thousand times as many mentions.
func vague(m *prevalence.Matrix, counts prevalence.Counts) bool {
	const many, wide = 1000, 0.3
	for k := range counts {
		counts[k] *= many
	}
	e := m.Adjust(counts)
	return e.State == prevalence.WeakMatrix ||
		slices.ContainsFunc([]prevalence.Share{e.Positive, e.Neutral, e.Negative}, func(s prevalence.Share) bool { return s.High-s.Low > wide })
}

// sharesSpan puts the times of the flags into the form that ClickHouse reads without guessing.
func sharesSpan(cmd *cobra.Command, since, until *string) error {
	var times [2]stream.Time
	for i, f := range []struct {
		name string
		text *string
	}{{"since", since}, {"until", until}} {
		if *f.text == "" {
			continue
		}
		t, err := momentFlag(cmd, f.name, *f.text)
		if err != nil {
			return err
		}
		times[i], *f.text = t, t.Go().Format(time.RFC3339Nano)
	}
	if *since != "" && *until != "" && times[0] >= times[1] {
		return usagef(cmd, "--since does not lie before --until")
	}
	return nil
}

// orEpoch keeps an unset time readable: it is not compared with.
func orEpoch(s string) string {
	if s == "" {
		return "1970-01-01"
	}
	return s
}

// modelsErrors returns what is known of the errors of every model that has labelled mentions here.
func modelsErrors(ctx context.Context, ch *clickhouse.Client, classifier *sentiment.Model) (map[string]modelErrors, error) {
	lines, err := ch.Strings(ctx, `SELECT model, toString(countIf(model_label = 'positive')), toString(countIf(model_label = 'neutral')),
			toString(countIf(model_label = 'negative')) FROM `+ch.Database()+`.mentions
		WHERE role = 'customer' AND model_label != 'unlabelled' GROUP BY model`)
	if err != nil {
		return nil, fmt.Errorf("read the labels of the models: %w", err)
	}
	labels, err := ch.Strings(ctx, `SELECT model, toString(analyst_label), toString(sumIf(mentions, model_label = 'positive')),
			toString(sumIf(mentions, model_label = 'neutral')), toString(sumIf(mentions, model_label = 'negative'))
		FROM `+ch.Database()+`.label_quality WHERE model_label != 'unlabelled' AND analyst_label != 'unlabelled' GROUP BY model, analyst_label`)
	if err != nil {
		return nil, fmt.Errorf("read the labels of analysts: %w", err)
	}
	reviewed := map[string][3]prevalence.Counts{}
	order := map[string]int{"positive": 0, "neutral": 1, "negative": 2}
	for _, line := range labels {
		counts, err := countsOf(line[2:])
		if err != nil {
			return nil, err
		}
		table := reviewed[line[0]]
		table[order[line[1]]] = counts
		reviewed[line[0]] = table
	}
	out := map[string]modelErrors{}
	for _, line := range lines {
		given, err := countsOf(line[1:])
		if err != nil {
			return nil, err
		}
		if out[line[0]], err = errorsOf(classifier, line[0], reviewed[line[0]], given); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// errorsOf puts the card of the model and the labels of analysts together.
func errorsOf(classifier *sentiment.Model, model string, reviewed [3]prevalence.Counts, given prevalence.Counts) (modelErrors, error) {
	card, ok, err := classifier.ErrorTable(model)
	if err != nil {
		return modelErrors{}, err
	}
	labels := reviewed[0].Total() + reviewed[1].Total() + reviewed[2].Total()
	own, refused := prevalence.Review(reviewed, given)
	switch {
	case refused != nil: // the card alone stands; why the labels do not is for the reader to know
		out := modelErrors{note: "labels of analysts are not used: " + refused.Error()}
		if ok {
			out.matrix = prevalence.NewMatrix(model, card)
		}
		return out, nil
	case !ok && labels == 0:
		return modelErrors{note: "nothing is known of the errors of this model: label a random sample with otklik sentiment label"}, nil
	}
	return modelErrors{matrix: prevalence.NewMatrix(model, card.Add(own)), reviewed: labels}, nil
}

func countsOf(fields []string) (c prevalence.Counts, err error) {
	for k := range c {
		if c[k], err = strconv.ParseInt(fields[k], 10, 64); err != nil {
			return c, fmt.Errorf("read counts of labels: %w", err)
		}
	}
	return c, nil
}

// boundsOf returns nil where the share is not known.
func boundsOf(raw float64, s prevalence.Share) *shareBounds {
	if math.IsNaN(s.Value) {
		return nil
	}
	return &shareBounds{Raw: raw, Value: s.Value, Low: s.Low, High: s.High}
}

func printShares(w io.Writer, rows []shareRow) error {
	if len(rows) == 0 {
		_, err := fmt.Fprintln(w, "no labelled mentions")
		return err
	}
	table := [][]string{{"brand", "model", "labelled", "reviewed", "state", "share", "raw %", "adjusted %", "95 % interval"}}
	for i := range rows {
		r := &rows[i]
		head := []string{r.Brand, r.Model, strconv.FormatInt(r.Labelled.Total(), 10), strconv.FormatInt(r.Reviewed, 10), r.State}
		n := float64(r.Labelled.Total())
		for k, s := range []struct {
			name  string
			share *shareBounds
		}{{"positive", r.Positive}, {"neutral", r.Neutral}, {"negative", r.Negative}} {
			if k > 0 {
				head = make([]string, len(head))
			}
			cells := []string{s.name, fmt.Sprintf("%.1f", 100*float64(r.Labelled[k])/n), "–", "–"}
			if s.share != nil {
				cells[2], cells[3] = fmt.Sprintf("%.1f", 100*s.share.Value), fmt.Sprintf("%.1f – %.1f", 100*s.share.Low, 100*s.share.High)
			}
			table = append(table, slices.Concat(head, cells))
		}
	}
	if err := writeTable(w, table...); err != nil {
		return err
	}
	told := map[string]bool{}
	for i := range rows {
		if note := rows[i].Note; note != "" && !told[rows[i].Model] {
			told[rows[i].Model] = true
			if _, err := fmt.Fprintf(w, "%s: %s\n", rows[i].Model, note); err != nil {
				return err
			}
		}
	}
	return nil
}
