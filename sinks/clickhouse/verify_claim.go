package clickhouse

import (
	"context"
	"fmt"
)

// maxClaimFaults is how many claims that are not the recount a report names.
const maxClaimFaults = 10

// verifyClaims recounts the claims from the mentions: every negative mention by a customer whose priority reaches its stored threshold has
// exactly one that is not withdrawn, with the same factors, and no other mention has. The severity factor of those mentions is computed anew
// from the columns that it is made of; audience and product factor are what the configuration gave when the row was written, so
// they are compared between the two tables.
func (c *Client) verifyClaims(ctx context.Context, r *Report) error {
	from := fmt.Sprintf(`FROM (
		SELECT brand, platform, item_id, max(wanted) AS wants, sum(there) AS has, uniqExact(factors) AS kinds, max(wrong) AS false_factor FROM (
			SELECT brand, platform, item_id, 1 AS wanted, 0 AS there, [audience_factor, severity_factor, product_factor] AS factors,
				severity_factor != (1 + severity) * ((1 + if(corrected_at IS NOT NULL, 1, least(greatest(ifNotFinite(toFloat64(negative_score), 0), 0), 1))) / 2) AS wrong
			FROM %s FINAL
			WHERE role = 'customer' AND label = 'negative' AND claim_threshold > 0 AND audience_factor * severity_factor * product_factor >= claim_threshold AND published_at >= %[3]s
			UNION ALL
			SELECT brand, platform, item_id, 0, 1, [audience_factor, severity_factor, product_factor], priority != audience_factor * severity_factor * product_factor
			FROM %[2]s FINAL WHERE id != '' AND state != 'withdrawn' AND published_at >= %[3]s)
		GROUP BY brand, platform, item_id)`, c.table("mentions"), c.table("claims"), literal(r.Since))
	const differs = "(has != wants OR kinds > 1 OR false_factor)"
	err := c.conn.QueryRow(restoring(ctx), "SELECT toUInt64(sum(has)), countIf("+differs+") "+from).Scan(&r.Claims, &r.ClaimMismatches)
	if err != nil || r.ClaimMismatches == 0 {
		return err
	}
	return c.each(restoring(ctx), func(scan func(...any) error) error {
		var brand, platform, item string
		var wants, has, kinds uint64
		var wrong bool
		if err := scan(&brand, &platform, &item, &wants, &has, &kinds, &wrong); err != nil {
			return err
		}
		var what string
		switch {
		case has == 0:
			what = "has the priority of a claim and none"
		case wants == 0:
			what = "has a claim without the priority for it"
		case has > 1:
			what = fmt.Sprintf("has %d claims", has)
		case kinds > 1:
			what = "has a claim with other factors than its own"
		default:
			what = "has a claim, and a priority that is not the product of its factors, or a severity factor that is not the formula"
		}
		r.Faults = append(r.Faults, fmt.Sprintf("%s %s of %s %s", platform, item, brand, what))
		return nil
	}, fmt.Sprintf("SELECT brand, platform, item_id, toUInt64(wants), toUInt64(has), toUInt64(kinds), toBool(false_factor) %s WHERE %s ORDER BY brand, platform, item_id LIMIT %d",
		from, differs, maxClaimFaults))
}
