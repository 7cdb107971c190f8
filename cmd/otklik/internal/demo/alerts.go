package demo

import (
	"context"
	"fmt"
	"strings"

	"otklik/stream"
	"otklik/stream/alert"
)

// alerts describes the alert episodes of all platforms together: what, since when, why, and on which platforms alone as well.
func (d *demo) alerts(ctx context.Context) (string, error) {
	rows, err := d.stack.ClickHouse.Episodes(ctx, "NOT withdrawn")
	if err != nil {
		return "", err
	}
	store := d.stack.ClickHouse.Writer().Alerts()
	var b strings.Builder
	for i := range rows {
		r := &rows[i]
		if r.Platform != "" {
			continue
		}
		reason, err := store.Explain(ctx, r)
		if err != nil {
			return "", err
		}
		event := alert.Opened
		if r.ClearedAt != 0 {
			event = alert.Cleared
		}
		m := alert.NewMessage(r, event, reason)
		fmt.Fprintf(&b, "\nAlert (%s), from %s UTC: %s.\n", r.Severity, r.OpenedAt.Go().Format("15:04"), m.Summary)
		if also := alone(rows, r); also != "" {
			fmt.Fprintf(&b, "  Also on its own on %s.\n", also)
		}
		for _, s := range reason.Samples {
			fmt.Fprintf(&b, "  %s, %d followers: %s\n", s.Platform, s.Followers, shorten(s.Text))
		}
		claims, err := d.claimsOf(ctx, r)
		if err != nil {
			return "", err
		}
		b.WriteString(claims)
	}
	return b.String(), nil
}

// alone names the platforms that have an episode of their own of the same rule while r lasts.
func alone(rows []alert.Row, r *alert.Row) string {
	var names []string
	for i := range rows {
		o := &rows[i]
		over := o.ClearedAt != 0 && o.ClearedAt < r.OpenedAt || r.ClearedAt != 0 && o.OpenedAt > r.ClearedAt
		if o.Platform != stream.Platform("") && o.Brand == r.Brand && o.Rule == r.Rule && !over {
			names = append(names, string(o.Platform))
		}
	}
	return strings.Join(names, ", ")
}

// longestSample is how much of a text is shown, in letters.
const longestSample = 100

func shorten(text string) string {
	letters := []rune(strings.Join(strings.Fields(text), " "))
	if len(letters) > longestSample {
		letters = append(letters[:longestSample], '…')
	}
	return string(letters)
}
