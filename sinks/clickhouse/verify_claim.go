package clickhouse

import (
	"context"
	"fmt"
)

// maxClaimFaults is how many claims that are not the recount a report names.
const maxClaimFaults = 10

// verifyClaims recounts the claims: every negative mention by a customer whose stored priority reaches its stored threshold has one that is
// not withdrawn, and no other mention has.
func (c *Client) verifyClaims(ctx context.Context, r *Report) error {
	from := fmt.Sprintf(`FROM (
			SELECT brand, platform, item_id, 1 AS wanted, 0 AS there FROM %s FINAL
			WHERE role = 'customer' AND label = 'negative' AND claim_threshold > 0 AND audience_factor * severity_factor * product_factor >= claim_threshold AND published_at >= %[3]s
			UNION ALL
			SELECT brand, platform, item_id, 0, toUInt8(state != 'withdrawn') FROM %[2]s FINAL WHERE id != '' AND published_at >= %[3]s)
		GROUP BY brand, platform, item_id`, c.table("mentions"), c.table("claims"), literal(r.Since))
	err := c.conn.QueryRow(restoring(ctx), "SELECT sum(has), countIf(has != wants) FROM (SELECT max(wanted) AS wants, max(there) AS has "+from+")").
		Scan(&r.Claims, &r.ClaimMismatches)
	if err != nil || r.ClaimMismatches == 0 {
		return err
	}
	return c.each(restoring(ctx), func(scan func(...any) error) error {
		var brand, platform, item string
		var wants, has uint8
		if err := scan(&brand, &platform, &item, &wants, &has); err != nil {
			return err
		}
		what := "has a claim without the priority for it"
		if wants > has {
			what = "has the priority of a claim and none"
		}
		r.Faults = append(r.Faults, fmt.Sprintf("%s %s of %s %s", platform, item, brand, what))
		return nil
	}, fmt.Sprintf("SELECT brand, platform, item_id, max(wanted) AS wants, max(there) AS has %s HAVING wants != has ORDER BY brand, platform, item_id LIMIT %d",
		from, maxClaimFaults))
}
