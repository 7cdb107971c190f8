package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"otklik/cmd/otklik/internal/config"
	"otklik/sinks/clickhouse"
	"otklik/stream"
	"otklik/stream/label"
)

// labelFlags are the flags of `otklik sentiment label`.
type labelFlags struct {
	path, data, brand, by string
	dryRun, wait          bool
	patience              time.Duration
}

// newLabelCommand returns `otklik sentiment label`.
func newLabelCommand() *cobra.Command {
	var l labelFlags
	cmd := &cobra.Command{
		Use:   "label [-c FILE | --data DIR] TABLE.tsv|-",
		Short: "Correct the labels of mentions",
		Long: `Reads tab-separated lines with the columns platform, item_id, brand, label and, if you like, note, as the view mentions names
them; label is positive, neutral, negative or unlabelled. A first line with these names may put the columns in another order. With
--brand the column brand may be empty or missing.

Every line is checked first, also whether its mention exists; if one is wrong, nothing is sent. A correction is a new version of its
mention and revises the windows that count it; what the model said stays beside it. Give the label of the model again where it is
right: only then does the view label_quality measure the model.`,
		Example: `  otklik sentiment label -c otklik.yaml --by anna monday.tsv
  printf 'twitter\t1234567890\tnorthair\tnegative\tirony\n' | otklik sentiment label -c otklik.yaml --wait -
  otklik sentiment label --data ./day --brand northair --dry-run monday.tsv`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if l.patience <= 0 {
				return usagef(cmd, "--timeout must be longer than 0")
			}
			if l.by == "" {
				l.by = userName(getenvOf(cmd))
			}
			if strings.TrimSpace(l.by) == "" {
				return usagef(cmd, "who gives the labels? Say --by NAME")
			}
			rows, err := l.read(cmd, args[0])
			if err != nil {
				return err
			}
			if len(rows) == 0 {
				_, err := fmt.Fprintln(cmd.OutOrStdout(), "no labels")
				return err
			}
			return withClickHouse(cmd, l.path, l.data, func(ctx context.Context, cfg *config.Config, ch *clickhouse.Client) error {
				return l.run(ctx, cmd, cfg, ch, rows)
			})
		},
	}
	addConfigFlag(cmd, &l.path)
	f := cmd.Flags()
	f.StringVar(&l.data, "data", "", "data `folder` of the demo instead of the configured services")
	f.StringVar(&l.brand, "brand", "", "`key` of the brand of lines that name none")
	f.StringVar(&l.by, "by", "", "`name` of who gives the labels (default: your user name)")
	f.BoolVar(&l.dryRun, "dry-run", false, "only check")
	f.BoolVar(&l.wait, "wait", false, "return when the tables show the labels")
	f.DurationVar(&l.patience, "timeout", 2*time.Minute, "longest `time` to wait")
	return cmd
}

// userName returns the name of who runs the program, "" if nobody knows.
func userName(getenv func(string) string) string {
	if u, err := user.Current(); err == nil && u.Username != "" {
		return u.Username
	}
	return getenv("USER")
}

// read reads the table.
func (l *labelFlags) read(cmd *cobra.Command, path string) ([]label.Row, error) {
	in := cmd.InOrStdin()
	if path != "-" {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("read the labels: %w", err)
		}
		in = bytes.NewReader(text)
	}
	rows, err := label.ReadTable(in, label.Message{
		MentionName: stream.MentionName{Brand: l.brand},
		Correction:  stream.Correction{By: strings.TrimSpace(l.by), At: stream.TimeOf(time.Now())},
	})
	if err != nil {
		return nil, fmt.Errorf("%s: nothing was sent:\n%w", path, err)
	}
	return rows, nil
}

func (l *labelFlags) run(ctx context.Context, cmd *cobra.Command, cfg *config.Config, ch *clickhouse.Client, rows []label.Row) error {
	places, err := findMentions(ctx, cfg, ch, rows)
	if err != nil {
		return fmt.Errorf("nothing was sent:\n%w", err)
	}
	if l.dryRun {
		_, err := fmt.Fprintf(cmd.OutOrStdout(), "%d labels are good; nothing was sent\n", len(rows))
		return err
	}
	if err := sendLabels(ctx, cmd, cfg, rows); err != nil {
		return err
	}
	if !l.wait {
		_, err := fmt.Fprintf(cmd.OutOrStdout(), "%d labels sent\n", len(rows))
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, l.patience)
	defer cancel()
	if err := awaitLabels(ctx, cmd.ErrOrStderr(), ch, rows, places); err != nil {
		return err
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "%d labels sent, and the tables show them\n", len(rows))
	return err
}

// faultsShown is how many faults of a table are named.
const faultsShown = 20

// findMentions returns where the mentions of the rows are, row by row. Rows about brands, mentions or voices that have no label are
// reported together.
func findMentions(ctx context.Context, cfg *config.Config, ch *clickhouse.Client, rows []label.Row) ([]stream.MentionPlace, error) {
	names := make([]stream.MentionName, len(rows))
	for i := range rows {
		names[i] = rows[i].MentionName
	}
	found, err := ch.Places(ctx, names)
	if err != nil {
		return nil, err
	}
	places := make(map[stream.MentionName]stream.MentionPlace, len(found))
	for i := range found {
		places[found[i].MentionName] = found[i]
	}
	var faults []error
	out := make([]stream.MentionPlace, len(rows))
	for i := range rows {
		r := &rows[i]
		place, ok := places[r.MentionName]
		switch {
		case cfg.Brands.Brand(r.Brand) == nil:
			faults = append(faults, fmt.Errorf("line %d: the catalogue has no brand %q: write its key", r.Line, r.Brand))
		case !ok:
			faults = append(faults, fmt.Errorf("line %d: there is no mention of %s in %s %s", r.Line, r.Brand, r.Platform, r.ItemID))
		case place.Role != stream.Customer:
			faults = append(faults, fmt.Errorf("line %d: %s %s is %s: only mentions by customers have labels", r.Line, r.Platform, r.ItemID, place.Role))
		}
		out[i] = place
	}
	if len(faults) > faultsShown {
		faults = append(faults[:faultsShown], fmt.Errorf("and %d more faults", len(faults)-faultsShown))
	}
	return out, errors.Join(faults...)
}

// labelBatch is how many labels are sent at once.
const labelBatch = 500

// sendLabels appends the rows to the topic of the corrections.
func sendLabels(ctx context.Context, cmd *cobra.Command, cfg *config.Config, rows []label.Row) error {
	client, have, err := reachBrokers(ctx, cmd, cfg)
	if err != nil {
		return fmt.Errorf("send labels: %w", err)
	}
	defer client.Close()
	topic := cfg.Kafka.Topics.Labels
	if have[topic] == 0 {
		return fmt.Errorf("send labels: there is no topic %s yet: `otklik run` makes it", topic)
	}
	out := client.Outbox(topic, have[topic])
	bar := labelBar(cmd.ErrOrStderr(), "send", len(rows))
	for some := range slices.Chunk(rows, labelBatch) {
		for i := range some {
			m := &some[i].Message
			value, err := label.Append(nil, m)
			if err != nil {
				return err
			}
			out.Add([]byte(string(m.Platform)+":"+m.ItemID+":"+m.Brand), value)
		}
		if err := out.Send(ctx); err != nil {
			return fmt.Errorf("send labels: %w; send the whole table again: what has arrived already counts once", err)
		}
		_ = bar.Add(len(some)) // a terminal that cannot show progress is no reason to stop
	}
	return bar.Finish()
}

func labelBar(w io.Writer, what string, n int) *progressbar.ProgressBar {
	return progressbar.NewOptions(n, progressbar.OptionSetWriter(w), progressbar.OptionSetDescription(what),
		progressbar.OptionShowCount(), progressbar.OptionOnCompletion(func() { fmt.Fprintln(w) }))
}

// awaitLabels returns when the rows of the mentions hold the corrections.
func awaitLabels(ctx context.Context, w io.Writer, ch *clickhouse.Client, rows []label.Row, places []stream.MentionPlace) error {
	waiting := make(map[stream.MentionName]stream.Correction, len(rows))
	published := make(map[stream.MentionName]stream.Time, len(rows))
	for i := range rows {
		waiting[rows[i].MentionName], published[rows[i].MentionName] = rows[i].Correction, places[i].PublishedAt
	}
	bar := labelBar(w, "wait", len(rows))
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	late := func() error {
		return fmt.Errorf("all labels are sent, but the tables do not show %d of them yet: is `otklik run` at work? (%w)", len(waiting), ctx.Err())
	}
	for {
		keys := make([]stream.IdentityKey, 0, len(waiting))
		for name := range waiting {
			keys = append(keys, stream.IdentityKey{Platform: name.Platform, ItemID: name.ItemID, Brand: name.Brand, PublishedAt: published[name]})
		}
		shown, err := ch.Mentions(ctx, keys)
		if err != nil && ctx.Err() != nil {
			return late()
		}
		if err != nil {
			return fmt.Errorf("all labels are sent, but whether the tables show them is not known: %w", err)
		}
		for i := range shown {
			r := &shown[i]
			name := stream.MentionName{Platform: r.Item.Platform, ItemID: r.Item.Identity(), Brand: r.Brand}
			want := waiting[name]
			if slices.ContainsFunc(r.Corrections, func(c stream.Correction) bool { return c.Same(&want) }) {
				delete(waiting, name)
			}
		}
		_ = bar.Set(len(rows) - len(waiting)) // a terminal that cannot show progress is no reason to stop
		if len(waiting) == 0 {
			return bar.Finish()
		}
		select {
		case <-ctx.Done():
			return late()
		case <-tick.C:
		}
	}
}

// newLabelsCommand returns `otklik sentiment labels`.
func newLabelsCommand() *cobra.Command {
	var path, data, brand string
	var limit int
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "labels [-c FILE | --data DIR]",
		Short: "Show corrected labels beside what the model said",
		Long: `Lists the mentions whose label an analyst has given, the newest corrections first, with the label of the model. How often
they agree, by brand, language and model, is in the view label_quality.`,
		Example: `  otklik sentiment labels -c otklik.yaml --brand northair --limit 20
  otklik sentiment labels --data ./day --json
  otklik sql "SELECT * FROM label_quality"`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if limit < 1 {
				return usagef(cmd, "--limit must be at least 1")
			}
			return withClickHouse(cmd, path, data, func(ctx context.Context, _ *config.Config, ch *clickhouse.Client) error {
				rows, err := ch.Strings(ctx, "SELECT "+strings.Join(labelColumns, ", ")+" FROM "+ch.Database()+
					".mentions WHERE corrected_at IS NOT NULL AND (? = '' OR brand = ?) ORDER BY corrected_at DESC, platform, item_id, brand LIMIT "+strconv.Itoa(limit), brand, brand)
				if err != nil {
					return fmt.Errorf("read corrected labels: %w", err)
				}
				if asJSON {
					return writeLabelsJSON(cmd.OutOrStdout(), rows)
				}
				return writeLabels(cmd.OutOrStdout(), rows)
			})
		},
	}
	addConfigFlag(cmd, &path)
	f := cmd.Flags()
	f.StringVar(&data, "data", "", "data `folder` of the demo instead of the configured ClickHouse")
	f.StringVar(&brand, "brand", "", "only mentions of the brand with this `key`")
	f.IntVar(&limit, "limit", 100, "at most this `number` of mentions")
	f.BoolVar(&asJSON, "json", false, "print an array of objects")
	return cmd
}

// labelColumns are the columns of the view mentions that `labels` shows.
var labelColumns = []string{
	"toString(corrected_at) AS corrected", "corrected_by", "brand", "platform", "item_id", "model_label", "label", "model", "correction_note",
}

// labelNames are their names.
var labelNames = []string{"corrected_at", "corrected_by", "brand", "platform", "item_id", "model_label", "label", "model", "note"}

func writeLabels(w io.Writer, rows [][]string) error {
	if len(rows) == 0 {
		_, err := fmt.Fprintln(w, "no corrected labels")
		return err
	}
	return writeTable(w, slices.Insert(rows, 0, labelNames)...)
}

func writeLabelsJSON(w io.Writer, rows [][]string) error {
	out := make([]map[string]string, len(rows))
	for i, row := range rows {
		out[i] = make(map[string]string, len(row))
		for n, value := range row {
			out[i][labelNames[n]] = value
		}
	}
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(out)
}
