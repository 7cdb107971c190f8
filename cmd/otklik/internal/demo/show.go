package demo

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"otklik/sinks/clickhouse"
	"otklik/stream/brand"
	"otklik/stream/window"
)

// figures are the figures of one brand over everything that the data folder holds.
type figures struct {
	brand                                           string
	positive, neutral, negative, unlabelled, others int64 // others: mentions of all tracked brands
	requests, answered                              int64
	median, p90                                     float64 // seconds; of the answered
}

func (f *figures) labelled() int64 { return f.positive + f.neutral + f.negative }
func (f *figures) mentions() int64 { return f.labelled() + f.unlabelled }

// load reads the figures of all brands of the catalogue, in its order.
func load(ctx context.Context, ch *clickhouse.Client, catalogue *brand.Catalogue) ([]figures, error) {
	byBrand := map[string]*figures{}
	all := make([]figures, len(catalogue.Brands))
	for i := range catalogue.Brands {
		all[i].brand = catalogue.Brands[i].Key
		byBrand[all[i].brand] = &all[i]
	}
	rows, err := ch.Strings(ctx, `SELECT brand, sum(positive), sum(neutral), sum(negative), sum(unlabelled), sum(requests), sum(answered)
		FROM `+ch.Database()+`.panes WHERE grain = '1d' AND product = '' GROUP BY brand`)
	if err != nil {
		return nil, fmt.Errorf("read the figures: %w", err)
	}
	var total int64
	for _, row := range rows {
		f := byBrand[row[0]]
		if f == nil {
			continue // of an earlier catalogue
		}
		for i, to := range []*int64{&f.positive, &f.neutral, &f.negative, &f.unlabelled, &f.requests, &f.answered} {
			if *to, err = strconv.ParseInt(row[1+i], 10, 64); err != nil {
				return nil, fmt.Errorf("read the figures: %w", err)
			}
		}
		total += f.mentions()
	}
	rows, err = ch.Strings(ctx, `SELECT brand, quantileExactInclusive(0.5)(assumeNotNull(waiting_seconds)),
			quantileExactInclusive(0.9)(assumeNotNull(waiting_seconds))
		FROM `+ch.Database()+`.responses WHERE waiting_id != '' AND waiting_seconds IS NOT NULL GROUP BY brand`)
	if err != nil {
		return nil, fmt.Errorf("read the response times: %w", err)
	}
	for _, row := range rows {
		f := byBrand[row[0]]
		if f == nil {
			continue
		}
		for i, to := range []*float64{&f.median, &f.p90} {
			if *to, err = strconv.ParseFloat(row[1+i], 64); err != nil {
				return nil, fmt.Errorf("read the response times: %w", err)
			}
		}
	}
	for i := range all {
		all[i].others = total
	}
	return all, nil
}

// live is the table shown while the feed plays.
func live(all []figures, catalogue *brand.Catalogue) string {
	t := newTable()
	t.AppendHeader(table.Row{"brand", "mentions", "positive", "neutral", "negative", "net", "waiting", "answered"})
	for i := range all {
		f := &all[i]
		t.AppendRow(table.Row{
			displayName(catalogue, f.brand), f.mentions(), percent(f.positive, f.labelled()), percent(f.neutral, f.labelled()),
			percent(f.negative, f.labelled()), net(f), f.requests - f.answered, f.answered,
		})
	}
	return t.Render()
}

// summary is the table shown at the end: shares of the labelled mentions with their 95 % Wilson intervals, net sentiment, share of
// voice, and median and 90th percentile of the response times with the number of requests answered.
func summary(all []figures, catalogue *brand.Catalogue) string {
	t := newTable()
	t.AppendHeader(table.Row{
		"brand", "mentions", "positive, %", "neutral, %", "negative, %", "net", "voice", "response", "p90", "answered",
	})
	for i := range all {
		f := &all[i]
		t.AppendRow(table.Row{
			displayName(catalogue, f.brand), f.mentions(), bounds(f.positive, f.labelled()), bounds(f.neutral, f.labelled()),
			bounds(f.negative, f.labelled()), net(f), percent(f.mentions(), f.others), duration(f.median, f.answered),
			duration(f.p90, f.answered), fmt.Sprintf("%d of %d", f.answered, f.requests),
		})
	}
	return t.Render()
}

func newTable() table.Writer {
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.Style().Format.Header = text.FormatDefault
	var right []table.ColumnConfig
	for n := 2; n <= 10; n++ {
		right = append(right, table.ColumnConfig{Number: n, Align: text.AlignRight, AlignHeader: text.AlignRight})
	}
	t.SetColumnConfigs(right)
	return t
}

func displayName(catalogue *brand.Catalogue, key string) string {
	b := catalogue.Brand(key)
	if b == nil || b.Name == "" {
		return key
	}
	if b.Own {
		return b.Name + " (ours)"
	}
	return b.Name
}

func percent(n, of int64) string {
	if of == 0 {
		return "–"
	}
	return fmt.Sprintf("%.1f %%", 100*float64(n)/float64(of))
}

// bounds is a share with its 95 % Wilson interval.
func bounds(n, of int64) string {
	if of == 0 {
		return "–"
	}
	s := window.Wilson(n, of)
	return fmt.Sprintf("%.1f [%.1f–%.1f]", 100*s.Value, 100*s.Low, 100*s.High)
}

func net(f *figures) string {
	if f.labelled() == 0 {
		return "–"
	}
	return fmt.Sprintf("%+.3f", float64(f.positive-f.negative)/float64(f.labelled()))
}

func duration(seconds float64, of int64) string {
	if of == 0 {
		return "–"
	}
	d := time.Duration(seconds * float64(time.Second)).Round(time.Second)
	if d < time.Hour {
		return d.String()
	}
	return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
}

// screen shows a block of text that changes: redrawn in place on a terminal, and elsewhere printed now and then.
type screen struct {
	out      io.Writer
	terminal bool
	lines    int
	printed  time.Time
}

// quiet is the time between two blocks where there is no terminal.
const quiet = 15 * time.Second

func (s *screen) draw(block string) error {
	if !s.terminal {
		if time.Since(s.printed) < quiet {
			return nil
		}
		s.printed = time.Now()
		_, err := fmt.Fprintln(s.out, block)
		return err
	}
	up := ""
	if s.lines > 0 {
		up = fmt.Sprintf("\x1b[%dA\x1b[J", s.lines)
	}
	s.lines = strings.Count(block, "\n") + 1
	_, err := fmt.Fprintln(s.out, up+block)
	return err
}

// clear removes the block from a terminal.
func (s *screen) clear() error {
	if !s.terminal || s.lines == 0 {
		return nil
	}
	_, err := fmt.Fprintf(s.out, "\x1b[%dA\x1b[J", s.lines)
	s.lines = 0
	return err
}
