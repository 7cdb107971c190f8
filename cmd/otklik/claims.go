package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"otklik/cmd/otklik/internal/config"
	"otklik/sinks/clickhouse"
	"otklik/stream"
	"otklik/stream/claim"
)

// newClaimsCommand returns `otklik claims` with its subcommands.
func newClaimsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "claims",
		Short: "List claims, and answer them as the care department",
		Long: `A claim is a negative mention of an own brand whose priority (audience of the author x severity x weight of the product) reaches
claims.threshold of the configuration. Claims go to the topic otklik.claims; a care department's system answers in otklik.claim_status. These
commands are for those who have no such system.`,
		Example: `  otklik claims list --data ./day --state open
  otklik claims show 0123456789abcdef -c otklik.yaml
  otklik claims accept 0123456789abcdef --by anna --note "ticket 4711" -c otklik.yaml
  otklik claims resolve 0123456789abcdef --by anna -c otklik.yaml`,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		Args: cobra.NoArgs,
	}
	cmd.AddCommand(newClaimsListCommand(), newClaimsShowCommand())
	for _, change := range []struct {
		name  string
		state stream.ClaimState
		short string
	}{
		{"accept", stream.ClaimAccepted, "Say that the department has received claims"},
		{"needs-details", stream.ClaimNeedsDetails, "Say that customers have to say more"},
		{"resolve", stream.ClaimResolved, "Say that claims are resolved"},
		{"reject", stream.ClaimRejected, "Say that nothing is done about claims"},
		{"reopen", stream.ClaimReopened, "Say that claims were not resolved after all"},
	} {
		cmd.AddCommand(newClaimsChangeCommand(change.name, change.state, change.short))
	}
	return cmd
}

// The forms of output.
const (
	formatTable = "table"
	formatJSON  = "json"
)

func checkClaimsFormat(cmd *cobra.Command, format string) error {
	if format != formatTable && format != formatJSON {
		return usagef(cmd, "--format %s is not known; use table or json", format)
	}
	return nil
}

// claimsList is what `otklik claims list` shows.
type claimsList struct {
	path, data, format     string
	brand, state, platform string
	limit                  int
	bloggers               bool
}

func newClaimsListCommand() *cobra.Command {
	var l claimsList
	states := make([]string, 0, int(stream.ClaimWithdrawn)+1)
	for s := stream.ClaimOpen; s <= stream.ClaimWithdrawn; s++ {
		states = append(states, s.String())
	}
	cmd := &cobra.Command{
		Use:   "list [-c FILE | --data DIR] [--state S] [--brand B] [--platform P] [--bloggers] [--limit N]",
		Short: "List claims, those of the highest priority first",
		Long: `Lists claims with the three factors of their priority, and since when each is one. Without --state it leaves out those that are withdrawn. Times
are in UTC. The view claims has all of it, with the stages that a claim went through.`,
		Example: `  otklik claims list --data ./day --limit 10
  otklik claims list -c otklik.yaml --state open --brand northair --bloggers
  otklik claims list -c otklik.yaml --format json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case l.limit < 1:
				return usagef(cmd, "--limit must be at least 1")
			case l.state != "" && !slices.Contains(states, l.state):
				return usagef(cmd, "--state %s is not known; use one of %s", l.state, strings.Join(states, ", "))
			case l.platform != "" && !slices.Contains(stream.Platforms, stream.Platform(l.platform)):
				return usagef(cmd, "--platform %s is not known; use one of %v", l.platform, stream.Platforms)
			}
			if err := checkClaimsFormat(cmd, l.format); err != nil {
				return err
			}
			return withClickHouse(cmd, l.path, l.data, func(ctx context.Context, _ *config.Config, ch *clickhouse.Client) error {
				return l.run(ctx, cmd.OutOrStdout(), ch)
			})
		},
	}
	addConfigFlag(cmd, &l.path)
	f := cmd.Flags()
	f.StringVar(&l.data, "data", "", "data `folder` of the demo instead of the configured ClickHouse")
	f.StringVar(&l.brand, "brand", "", "only claims of the brand with this `key`")
	f.StringVar(&l.state, "state", "", "only claims in this `state`: "+strings.Join(states, ", "))
	f.StringVar(&l.platform, "platform", "", "only claims on this `platform`")
	f.BoolVar(&l.bloggers, "bloggers", false, "only claims by bloggers")
	f.IntVar(&l.limit, "limit", 100, "at most this `number` of claims")
	f.StringVarP(&l.format, "format", "f", formatTable, "`form` of the output: table, or json for one object a line")
	return cmd
}

// claimsColumns are the columns that a list shows.
var claimsColumns = []string{
	"id", "state", "brand", "platform", "priority", "audience_factor", "severity_factor", "product_factor", "blogger", "department", "published_at", "text",
}

// claimsText is how the columns are shown in a table.
var claimsText = map[string]string{
	"priority": "round(priority, 1)", "severity_factor": "round(severity_factor, 2)", "blogger": "if(blogger, 'blogger', '')",
	"published_at": "formatDateTime(published_at, '%F %R')", "text": "substringUTF8(text, 1, 80)",
}

// claimsPlain are the columns of an object.
const claimsPlain = "brand, platform, item_id, id, state, department, blogger, priority, audience_factor, severity_factor, product_factor, threshold, product, products, " +
	"severity, followers, published_at, detected_at, opened_at, first_reaction_at, details_requested_at, handed_over_at, resolved_at, last_resolved_at, " +
	"collection_lag_seconds, reaction_seconds, first_reaction_seconds, details_seconds, hand_over_seconds, handling_seconds, first_resolution_seconds, full_resolution_seconds, " +
	"resolved_cycles, reopened_cycles, statuses, note, customer_id, author_handle, text, url, revision"

func (l *claimsList) run(ctx context.Context, w io.Writer, ch *clickhouse.Client) error {
	selected := make([]string, len(claimsColumns))
	for i, name := range claimsColumns {
		selected[i] = "toString(" + name + ")"
		if text, ok := claimsText[name]; ok {
			selected[i] = "toString(" + text + ")"
		}
	}
	if l.format == formatJSON {
		selected = []string{"formatRowNoNewline('JSONEachRow', " + claimsPlain + ")"}
	}
	rows, err := ch.Strings(ctx, "SELECT "+strings.Join(selected, ", ")+" FROM "+ch.Database()+`.claims AS c
		WHERE (? = '' OR c.brand = ?) AND (? = '' OR c.platform = ?) AND if(? = '', c.state != 'withdrawn', toString(c.state) = ?) AND (NOT ? OR c.blogger)
		ORDER BY c.priority DESC, c.published_at, c.id LIMIT `+strconv.Itoa(l.limit), l.brand, l.brand, l.platform, l.platform, l.state, l.state, l.bloggers)
	if err != nil {
		return fmt.Errorf("read claims: %w", err)
	}
	if l.format == formatJSON {
		for _, row := range rows {
			if _, err := fmt.Fprintln(w, row[0]); err != nil {
				return err
			}
		}
		return nil
	}
	if len(rows) == 0 {
		_, err := fmt.Fprintln(w, "no claims")
		return err
	}
	head := []string{"id", "state", "brand", "platform", "priority", "= audience", "x severity", "x product", "", "department", "published", "text"}
	return writeTable(w, slices.Insert(rows, 0, head)...)
}

func newClaimsShowCommand() *cobra.Command {
	var path, data, format string
	cmd := &cobra.Command{
		Use:   "show [-c FILE | --data DIR] ID",
		Short: "Show one claim with its stages and statuses",
		Long: `Shows one claim: the post, the three factors of its priority, the time of each stage of the incident, and every status that the care
department has sent.`,
		Example: `  otklik claims show 0123456789abcdef --data ./day
  otklik claims show 0123456789abcdef -c otklik.yaml --format json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkClaimsFormat(cmd, format); err != nil {
				return err
			}
			return withClickHouse(cmd, path, data, func(ctx context.Context, _ *config.Config, ch *clickhouse.Client) error {
				return showClaim(ctx, cmd.OutOrStdout(), ch, args[0], format)
			})
		},
	}
	addConfigFlag(cmd, &path)
	cmd.Flags().StringVar(&data, "data", "", "data `folder` of the demo instead of the configured ClickHouse")
	cmd.Flags().StringVarP(&format, "format", "f", formatTable, "`form` of the output: table or json")
	return cmd
}

// showClaim prints one claim.
func showClaim(ctx context.Context, w io.Writer, ch *clickhouse.Client, id, format string) error {
	names := strings.Split(claimsPlain, ", ")
	selected := "formatRowNoNewline('JSONEachRow', " + claimsPlain + ")"
	if format == formatTable {
		texts := make([]string, len(names))
		for i, name := range names {
			texts[i] = "toString(" + name + ")"
		}
		selected = strings.Join(texts, ", ")
	}
	rows, err := ch.Strings(ctx, "SELECT "+selected+" FROM "+ch.Database()+".claims WHERE id = ?", id)
	if err != nil {
		return fmt.Errorf("read claim %s: %w", id, err)
	}
	if len(rows) == 0 {
		return fmt.Errorf("there is no claim %s: `otklik claims list` shows the ids", id)
	}
	if format == formatJSON {
		_, err := fmt.Fprintln(w, rows[0][0])
		return err
	}
	var known [][]string
	for i, value := range rows[0] {
		if value != "" {
			known = append(known, []string{names[i], value})
		}
	}
	return writeTable(w, known...)
}

// claimsChange is what the commands that answer claims are given.
type claimsChange struct {
	path, data, by, note, at string
	state                    stream.ClaimState
	wait                     bool
	patience                 time.Duration
}

func newClaimsChangeCommand(name string, state stream.ClaimState, short string) *cobra.Command {
	c := claimsChange{state: state}
	cmd := &cobra.Command{
		Use:   name + " [-c FILE | --data DIR] [--by NAME] [--note TEXT] ID...",
		Short: short,
		Long: short + `: sends the status ` + state.String() + ` of each claim to otklik.claim_status and returns when the tables show it.
Statuses count in the order of their time. Of a data folder, the demo must be running.`,
		Example: `  otklik claims ` + name + ` 0123456789abcdef -c otklik.yaml
  otklik claims ` + name + ` 0123456789abcdef fedcba9876543210 --by anna --note "ticket 4711" --data ./day`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if c.patience <= 0 {
				return usagef(cmd, "--timeout must be longer than 0")
			}
			if c.by == "" {
				c.by = userName(getenvOf(cmd))
			}
			if strings.TrimSpace(c.by) == "" {
				return usagef(cmd, "who says so? Say --by NAME")
			}
			at := stream.TimeOf(time.Now())
			if c.at != "" {
				moment, err := momentFlag(cmd, "at", c.at)
				if err != nil {
					return err
				}
				at = moment
			}
			answers := make([]claim.Answer, len(args))
			values := make([][]byte, len(args))
			for i, id := range args {
				answers[i] = claim.Answer{Claim: id, ClaimStatus: stream.ClaimStatus{State: c.state, By: strings.TrimSpace(c.by), At: at, Note: strings.TrimSpace(c.note)}}
				var err error
				if values[i], err = answers[i].Append(nil); err != nil {
					return err
				}
				if _, err := claim.ParseAnswer(values[i]); err != nil {
					if fault, ok := errors.AsType[*claim.Error](err); ok {
						return usagef(cmd, "%s", fault.Detail)
					}
					return usagef(cmd, "%w", err)
				}
			}
			return withClickHouse(cmd, c.path, c.data, func(ctx context.Context, cfg *config.Config, ch *clickhouse.Client) error {
				return c.run(ctx, cmd, cfg, ch, answers, values)
			})
		},
	}
	addConfigFlag(cmd, &c.path)
	f := cmd.Flags()
	f.StringVar(&c.data, "data", "", "data `folder` of the running demo instead of the configured services")
	f.StringVar(&c.by, "by", "", "`name` of who says so (default: your user name)")
	f.StringVar(&c.note, "note", "", "`text` for people")
	f.StringVar(&c.at, "at", "", "`time` since when it is so, as 2026-03-01T12:00:00+03:00 or 15m for a quarter of an hour ago (default now)")
	f.BoolVar(&c.wait, "wait", true, "return when the tables show it")
	f.DurationVar(&c.patience, "timeout", 2*time.Minute, "longest `time` to wait")
	return cmd
}

func (c *claimsChange) run(ctx context.Context, cmd *cobra.Command, cfg *config.Config, ch *clickhouse.Client, answers []claim.Answer, values [][]byte) error {
	ids := make([]string, len(answers))
	for i := range answers {
		ids[i] = answers[i].Claim
	}
	places, err := ch.ClaimPlaces(ctx, ids)
	if err != nil {
		return err
	}
	known := map[string]stream.MentionName{}
	slack := stream.Time(cfg.Limits.MaxFuture.Milliseconds())
	for i := range places {
		known[places[i].ID] = places[i].MentionName
		if at, published := answers[0].At, places[i].PublishedAt; at < published-slack {
			return usagef(cmd, "nothing was sent: --at is %s, before the mention of claim %s was published at %s", at, places[i].ID, published)
		}
	}
	if at, now := answers[0].At, stream.TimeOf(time.Now()); at > now+slack {
		return usagef(cmd, "nothing was sent: --at is %s, which is yet to come", at)
	}
	for _, id := range ids {
		if _, ok := known[id]; !ok {
			return fmt.Errorf("nothing was sent: there is no claim %s: `otklik claims list` shows the ids", id)
		}
	}
	client, have, err := reachBrokers(ctx, cmd, cfg)
	if err != nil {
		return fmt.Errorf("nothing was sent: %w", err)
	}
	defer client.Close()
	topic := cfg.Kafka.Topics.Statuses
	if have[topic] == 0 {
		return fmt.Errorf("nothing was sent: there is no topic %s yet: `otklik run` makes it", topic)
	}
	out := client.Outbox(topic, have[topic])
	for i := range answers {
		out.Add([]byte(answers[i].Claim), values[i])
	}
	if err := out.Send(ctx); err != nil {
		return fmt.Errorf("send statuses: %w; send them again with the same --at: what has arrived already counts once", err)
	}
	said := "sent"
	if c.wait {
		ctx, cancel := context.WithTimeout(ctx, c.patience)
		defer cancel()
		if err := awaitStatuses(ctx, ch, answers, known); err != nil {
			return err
		}
		said = "sent, and the tables show it"
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s of %d claims: %s\n", c.state, len(answers), said)
	return err
}

// awaitStatuses returns when the claims hold the statuses.
func awaitStatuses(ctx context.Context, ch *clickhouse.Client, answers []claim.Answer, known map[string]stream.MentionName) error {
	waiting := map[string]*stream.ClaimStatus{}
	for i := range answers {
		waiting[answers[i].Claim] = &answers[i].ClaimStatus
	}
	tick := time.NewTicker(300 * time.Millisecond)
	defer tick.Stop()
	late := func() error {
		return fmt.Errorf("all is sent, but the tables do not show %d statuses yet: is `otklik run` at work? (%w)", len(waiting), ctx.Err())
	}
	for {
		names := make([]stream.MentionName, 0, len(waiting))
		for id := range waiting {
			names = append(names, known[id])
		}
		rows, err := ch.Claims(ctx, names)
		if err != nil && ctx.Err() != nil {
			return late()
		}
		if err != nil {
			return fmt.Errorf("all is sent, but whether the tables show it is not known: %w", err)
		}
		for i := range rows {
			want := waiting[rows[i].ID]
			if want != nil && slices.ContainsFunc(rows[i].Statuses, func(s stream.ClaimStatus) bool { return s.Same(want) }) {
				delete(waiting, rows[i].ID)
			}
		}
		if len(waiting) == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return late()
		case <-tick.C:
		}
	}
}
