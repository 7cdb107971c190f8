package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"otklik/cmd/otklik/internal/config"
	"otklik/cmd/otklik/internal/redrive"
	"otklik/sinks/clickhouse"
	"otklik/stream"
	"otklik/stream/firehose"
	"otklik/stream/ingest"
)

// newDeadLettersCommand returns `otklik deadletters`.
func newDeadLettersCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "deadletters",
		Short: "Look at what could not be processed, and put it back after a fix",
		Long: `A record, or one item of it, that cannot be processed never stops the stream: it becomes a dead letter, with the reason, and
stands in the table deadletters and in the topic of the dead letters. list shows them by reason, redrive puts the
records back into their topics.`,
		Example: `  otklik deadletters list -c otklik.yaml
  otklik deadletters redrive -c otklik.yaml --reason future --dry-run`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newDeadLettersListCommand(), newRedriveCommand())
	return cmd
}

// letterFlags choose dead letters.
type letterFlags struct {
	path, data, platform, since, until string
	again                              bool
}

func (l *letterFlags) add(cmd *cobra.Command) {
	addConfigFlag(cmd, &l.path)
	f := cmd.Flags()
	f.StringVar(&l.data, "data", "", "data `folder` of the demo instead of the configured ClickHouse")
	f.StringVar(&l.platform, "platform", "", "only records of this `platform`")
	f.StringVar(&l.since, "since", "", "only records from this `time` on: 2026-03-02, 2026-03-02T15:04:05Z or 24h (ago)")
	f.StringVar(&l.until, "until", "", "only records before this `time`")
}

// filter returns what the flags choose; the topic depends on the configuration.
func (l *letterFlags) filter(cmd *cobra.Command, cfg *config.Config, now time.Time) (f clickhouse.DeadLetterFilter, err error) {
	f.Redriven = l.again
	if l.platform != "" {
		topic, ok := cfg.Kafka.Topics.Firehose[stream.Platform(l.platform)]
		if !ok {
			return f, usagef(cmd, "there is no platform %q; use one of %v", l.platform, stream.Platforms)
		}
		f.Topic = topic
	}
	for _, bound := range []struct {
		flag, text string
		to         *stream.Time
	}{{"since", l.since, &f.Since}, {"until", l.until, &f.Until}} {
		if bound.text == "" {
			continue
		}
		at, ok := parseMoment(bound.text, now)
		if !ok {
			return f, usagef(cmd, "--%s %q is no time; write 2026-03-02, 2026-03-02T15:04:05Z, or 24h for a day ago", bound.flag, bound.text)
		}
		*bound.to = stream.TimeOf(at)
	}
	return f, nil
}

// parseMoment reads a time, a date (UTC) or a span before now.
func parseMoment(text string, now time.Time) (time.Time, bool) {
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, true
		}
	}
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		return now.Add(-ago), true
	}
	return time.Time{}, false
}

// newDeadLettersListCommand returns `otklik deadletters list`.
func newDeadLettersListCommand() *cobra.Command {
	var l letterFlags
	var reason string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list [-c FILE | --data DIR]",
		Short: "Show dead letters by reason, with an example each",
		Long: `Groups the dead letters that wait by stage, topic and reason, the largest group first, and shows the newest of each group as
its example. Contents are dropped with the retention of texts (privacy.text_days), or when the platform deletes an item in them; the
counts stay.`,
		Example: `  otklik deadletters list -c otklik.yaml
  otklik deadletters list --data ./day --platform vk --since 24h
  otklik deadletters list --reason future --all --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withClickHouse(cmd, l.path, l.data, func(ctx context.Context, cfg *config.Config, ch *clickhouse.Client) error {
				filter, err := l.filter(cmd, cfg, time.Now())
				if err != nil {
					return err
				}
				filter.Reason = reason
				groups, err := ch.DeadLetterGroups(ctx, filter)
				if err != nil {
					return err
				}
				if asJSON {
					return writeGroupsJSON(cmd.OutOrStdout(), groups)
				}
				return writeGroups(cmd.OutOrStdout(), groups)
			})
		},
	}
	l.add(cmd)
	f := cmd.Flags()
	f.StringVar(&reason, "reason", "", "only this `reason`")
	f.BoolVar(&l.again, "all", false, "count those that were put back, too")
	f.BoolVar(&asJSON, "json", false, "print an array of objects")
	return cmd
}

// exampleWidth is how many characters of a payload and of a detail are shown.
const exampleWidth = 160

func writeGroups(w io.Writer, groups []clickhouse.DeadLetterGroup) error {
	if len(groups) == 0 {
		_, err := fmt.Fprintln(w, "no dead letters")
		return err
	}
	for i := range groups {
		g := &groups[i]
		redriven := ""
		if g.Redriven > 0 {
			redriven = fmt.Sprintf(", %d of them put back", g.Redriven)
		}
		if g.Erased > 0 {
			redriven += fmt.Sprintf(", %d erased", g.Erased)
		}
		payload := oneLine(string(g.Example.Payload))
		if g.Example.Erased {
			payload = "(erased: the platform deleted an item in it)"
		}
		_, err := fmt.Fprintf(w, "%s: %d in %s (%s)%s, %s to %s\n  %s\n    %s\n    %s\n", g.Reason, g.Count, g.Topic, g.Stage, redriven, g.First, g.Last,
			g.Example.Source, oneLine(g.Example.Detail), payload)
		if err != nil {
			return err
		}
	}
	return nil
}

// oneLine cuts a text to a line that is safe on a terminal.
func oneLine(text string) string {
	var b strings.Builder
	n := 0
	for _, r := range text {
		if n == exampleWidth {
			b.WriteString("…")
			break
		}
		if unicode.IsSpace(r) || !unicode.IsPrint(r) {
			r = ' '
		}
		b.WriteRune(r)
		n++
	}
	return b.String()
}

// letterGroup is a group in JSON.
type letterGroup struct {
	Stage    stream.Stage `json:"stage"`
	Topic    string       `json:"topic"`
	Reason   string       `json:"reason"`
	Count    uint64       `json:"count"`
	Redriven uint64       `json:"redriven"`
	Erased   uint64       `json:"erased"` // emptied, because the platform deleted an item in them
	First    time.Time    `json:"first"`
	Last     time.Time    `json:"last"`
	Example  struct {
		Source  string `json:"source"`
		Detail  string `json:"detail"`
		Payload string `json:"payload"` // as a whole; what is not UTF-8 is replaced
		Erased  bool   `json:"erased,omitempty"`
	} `json:"example"`
}

func writeGroupsJSON(w io.Writer, groups []clickhouse.DeadLetterGroup) error {
	out := make([]letterGroup, len(groups))
	for i := range groups {
		g := &groups[i]
		out[i] = letterGroup{
			Stage: g.Stage, Topic: g.Topic, Reason: g.Reason, Count: g.Count, Redriven: g.Redriven, Erased: g.Erased, First: g.First.Go(), Last: g.Last.Go(),
		}
		out[i].Example.Source, out[i].Example.Detail = g.Example.Source.String(), g.Example.Detail
		out[i].Example.Erased = g.Example.Erased
		out[i].Example.Payload = strings.ToValidUTF8(string(g.Example.Payload), "\ufffd")
	}
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(out)
}

// newRedriveCommand returns `otklik deadletters redrive`.
func newRedriveCommand() *cobra.Command {
	var l letterFlags
	var o redrive.Options
	var yes bool
	cmd := &cobra.Command{
		Use:   "redrive [-c FILE | --data DIR] [--reason R]",
		Short: "Put the records of dead letters back into their topics",
		Long: `Puts raw records back into the topic and partition that they were read from, with their timestamps, so that the engine reads
them again: what is good now lands in the panes of its own time and revises them; what is still broken becomes a dead
letter again. In the books a record counts each time it is read.

A record with several broken elements is put back once. Its elements that were good all along come again and count as
duplicates. A dead letter is marked once its record is durable; a redrive that is interrupted may put up to 1,000 records
back twice, and their mentions then count as duplicates, once in the figures.

Only records of the raw topics are put back. What ` + "`list`" + ` shows of otklik.mentions and otklik.panes stays where it is: its
mentions would be taken for repetitions, and its partials are outdated. The same goes for rows that ClickHouse refused
(rejected_row). Records whose contents the retention of texts has dropped cannot come back, nor can those that hold an item which
its platform has deleted: they were erased, the good elements beside it included, and are counted.

A topic whose own retention is shorter than the age of the records may drop them before they are read: let the engine run
meanwhile. With --again even what was put back before is put back.`,
		Example: `  otklik deadletters redrive -c otklik.yaml --reason future --dry-run
  otklik deadletters redrive -c otklik.yaml --reason future --platform vk --yes
  otklik deadletters redrive --data ./day --since 2026-03-02 --limit 10`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.Limit < 0 {
				return usagef(cmd, "--limit must not be negative")
			}
			return withClickHouse(cmd, l.path, l.data, func(ctx context.Context, cfg *config.Config, ch *clickhouse.Client) error {
				filter, err := l.filter(cmd, cfg, time.Now())
				if err != nil {
					return err
				}
				o.Topic, o.Since, o.Until, o.Again = filter.Topic, filter.Since, filter.Until, filter.Redriven
				return redriveLetters(ctx, cmd, cfg, ch, o, yes)
			})
		},
	}
	l.add(cmd)
	f := cmd.Flags()
	f.StringSliceVar(&o.Reasons, "reason", nil, "only records with a dead letter of this `reason`; may be repeated")
	f.IntVar(&o.Limit, "limit", 0, "at most this `number` of records")
	f.BoolVar(&l.again, "again", false, "put back what was put back before, too")
	f.BoolVar(&o.DryRun, "dry-run", false, "only say what would be put back")
	f.BoolVarP(&yes, "yes", "y", false, "do not ask")
	return cmd
}

// redriveLetters counts, asks and puts back.
func redriveLetters(ctx context.Context, cmd *cobra.Command, cfg *config.Config, ch *clickhouse.Client, o redrive.Options, yes bool) error {
	client, have, err := reachBrokers(ctx, cmd, cfg)
	if err != nil {
		return fmt.Errorf("redrive: %w", err)
	}
	defer client.Close()
	o.Topics = map[string]int{}
	o.Hold = map[string]func(*stream.DeadLetter){cfg.Kafka.Topics.Labels: ingest.HoldCorrections, cfg.Kafka.Topics.Statuses: ingest.HoldStatuses}
	for platform, topic := range cfg.Kafka.Topics.Firehose {
		o.Topics[topic] = have[topic]
		decoder, err := firehose.New(platform)
		if err != nil {
			return fmt.Errorf("redrive: %w", err)
		}
		o.Hold[topic] = func(l *stream.DeadLetter) { ingest.HoldItems(l, platform, decoder) }
	}
	o.Topics[cfg.Kafka.Topics.Labels] = have[cfg.Kafka.Topics.Labels]
	o.Topics[cfg.Kafka.Topics.Statuses] = have[cfg.Kafka.Topics.Statuses]
	ask := !o.DryRun && !yes
	count := o
	count.DryRun = true
	if o.DryRun || ask {
		plan, err := redrive.Run(ctx, ch, client, count)
		if err != nil {
			return err
		}
		if err := writeSummary(cmd.OutOrStdout(), "to put back", plan); err != nil {
			return err
		}
		if o.DryRun || plan.Records == 0 {
			return nil
		}
		agreed, err := confirm(cmd, "Put them back? [y/N] ")
		if err != nil {
			return err
		}
		if !agreed {
			return usagef(cmd, "nothing was put back; answer y, or give --yes")
		}
	}
	done, err := redrive.Run(ctx, ch, client, o)
	if err != nil {
		if done.Records > 0 {
			return fmt.Errorf("%w (%d records were put back before; run it again for the rest)", err, done.Records)
		}
		return err
	}
	return writeSummary(cmd.OutOrStdout(), "put back", done)
}

func writeSummary(w io.Writer, what string, s redrive.Summary) error {
	_, err := fmt.Fprintf(w, "%s: %d records with %d dead letters\n", what, s.Records, s.Letters)
	for _, rest := range []struct {
		n    int
		what string
	}{
		{s.NotRaw, "dead letters stay: no records of a raw topic"},
		{s.Emptied, "dead letters stay: their contents are gone"},
		{s.Erased, "dead letters stay: erased, because the platform deleted an item in them"},
	} {
		if err == nil && rest.n > 0 {
			_, err = fmt.Fprintf(w, "%d %s\n", rest.n, rest.what)
		}
	}
	return err
}

// confirm asks a question on the error output and reads the answer.
func confirm(cmd *cobra.Command, question string) (bool, error) {
	if _, err := fmt.Fprint(cmd.ErrOrStderr(), question); err != nil {
		return false, err
	}
	answer := bufio.NewScanner(cmd.InOrStdin())
	if !answer.Scan() {
		return false, answer.Err()
	}
	return slices.Contains([]string{"y", "yes", "д", "да"}, strings.ToLower(strings.TrimSpace(answer.Text()))), nil
}
