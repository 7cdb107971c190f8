package demo

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/zeebo/xxh3"

	"otklik/stream"
	"otklik/stream/alert"
	"otklik/stream/claim"
)

// topClaims is how many claims are shown under an alert.
const topClaims = 3

// claimsOf describes the claims about the mentions of an episode: how many, by how many bloggers, and those of the highest priority with
// its three factors. "" without any.
func (d *demo) claimsOf(ctx context.Context, r *alert.Row) (string, error) {
	until := r.ClearedAt
	if until == 0 {
		until = stream.TimeOf(time.Now())
	}
	from := " FROM " + d.stack.ClickHouse.Database() + ".claims WHERE brand = ? AND state != 'withdrawn' AND published_at >= fromUnixTimestamp64Milli(toInt64(?), 'UTC') - INTERVAL 5 MINUTE " +
		"AND published_at < fromUnixTimestamp64Milli(toInt64(?), 'UTC')"
	counts, err := d.stack.ClickHouse.Strings(ctx, "SELECT toString(count()), toString(countIf(blogger))"+from, r.Brand, int64(r.OpenedAt), int64(until))
	if err != nil {
		return "", err
	}
	if len(counts) == 0 || counts[0][0] == "0" {
		return "", nil
	}
	top, err := d.stack.ClickHouse.Strings(ctx, "SELECT toString(round(priority, 1)), toString(audience_factor), toString(round(severity_factor, 2)), toString(product_factor), platform, "+
		"if(blogger, ', blogger', ''), toString(state), id, text"+from+" ORDER BY priority DESC, published_at, id LIMIT "+strconv.Itoa(topClaims), r.Brand, int64(r.OpenedAt), int64(until))
	if err != nil {
		return "", err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "  Claims for the care department: %s, %s by bloggers. The highest priorities, as audience x severity x product:\n", counts[0][0], counts[0][1])
	for _, c := range top {
		fmt.Fprintf(&b, "    %s = %s x %s x %s, %s%s, %s, %s: %s\n", c[0], c[1], c[2], c[3], c[4], c[5], c[6], c[7], shorten(c[8]))
	}
	return b.String(), nil
}

// department is who answers claims in the demo.
const department = "care department of the demo"

// answerClaims plays the care department: it answers every claim that has no status yet, and waits until the tables show it.
func (d *demo) answerClaims(ctx context.Context) error {
	rows, err := d.stack.ClickHouse.Strings(ctx, "SELECT id, toString(toUnixTimestamp64Milli(ifNull(first_reaction_at, published_at))) FROM "+d.stack.ClickHouse.Database()+
		".claims WHERE state = 'open' ORDER BY id")
	if err != nil || len(rows) == 0 {
		return err
	}
	topic := d.stack.Config.Kafka.Topics.Statuses
	out := d.stack.Kafka.Outbox(topic, d.stack.Config.Kafka.Topics.Partitions.Statuses)
	now := stream.TimeOf(time.Now())
	for _, r := range rows {
		since, err := strconv.ParseInt(r[1], 10, 64)
		if err != nil {
			return fmt.Errorf("claim %s: %w", r[0], err)
		}
		for _, s := range handling(r[0], stream.Time(since)) {
			if s.At > now {
				break // the day is over, but not what follows from it
			}
			a := claim.Answer{Claim: r[0], ClaimStatus: s}
			value, err := a.Append(nil)
			if err != nil {
				return err
			}
			out.Add([]byte(r[0]), value)
		}
	}
	if err := out.Send(ctx); err != nil {
		return err
	}
	return d.drain(ctx)
}

// handling returns what the department says of a claim to which the brand reacted at a time. It follows from the id alone.
func handling(id string, reaction stream.Time) []stream.ClaimStatus {
	h := xxh3.HashString(id)
	draw := func(low, high stream.Time) stream.Time {
		h = h*6364136223846793005 + 1442695040888963407 // Knuth's MMIX generator
		return low + stream.Time(h>>33)%(high-low)
	}
	var out []stream.ClaimStatus
	at := reaction
	say := func(state stream.ClaimState, low, high stream.Time) {
		at += draw(low, high)
		out = append(out, stream.ClaimStatus{State: state, By: department, At: at})
	}
	if draw(0, 10) < 6 {
		say(stream.ClaimNeedsDetails, 2*stream.Minute, 15*stream.Minute)
	}
	say(stream.ClaimAccepted, 3*stream.Minute, 40*stream.Minute)
	if draw(0, 20) == 0 {
		say(stream.ClaimRejected, 30*stream.Minute, 2*stream.Hour)
		return out
	}
	say(stream.ClaimResolved, 30*stream.Minute, 6*stream.Hour)
	if draw(0, 10) == 0 {
		say(stream.ClaimReopened, 20*stream.Minute, 2*stream.Hour)
		say(stream.ClaimResolved, 20*stream.Minute, 3*stream.Hour)
	}
	return out
}

// claimsLine counts the claims for the live view.
func (d *demo) claimsLine(ctx context.Context) (string, error) {
	rows, err := d.stack.ClickHouse.Strings(ctx, "SELECT toString(count()), toString(countIf(blogger)) FROM "+d.stack.ClickHouse.Database()+".claim_states WHERE state != 'withdrawn'")
	if err != nil || len(rows) == 0 {
		return "", err
	}
	return fmt.Sprintf("%s claims for the care department, %s by bloggers", rows[0][0], rows[0][1]), nil
}
