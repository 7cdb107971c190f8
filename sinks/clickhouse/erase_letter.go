package clickhouse

import (
	"context"
	"fmt"
	"strings"

	driver "github.com/ClickHouse/clickhouse-go/v2"
)

// eraseLetters empties the dead letters that hold an erased item and returns how many it found; one that holds several counts for each. Their
// detail goes too, because it may show the beginning of the record; that of a refused row never does, and verify reads it.
func (e *Eraser) eraseLetters(ctx context.Context) (int, error) {
	c := e.client
	searches, err := e.letterSearches(ctx)
	if err != nil || len(searches) == 0 {
		return 0, err
	}
	rows := 0
	for {
		items, err := e.findLetters(ctx, searches)
		if err != nil {
			return rows, err
		}
		for some := range portions(items, eraseItems, (*found).size) {
			names := make([]string, len(some))
			for i, f := range some {
				names[i] = "(" + quote(f.platform) + ", " + quote(f.item) + ")"
				rows += int(f.rows)
			}
			err := c.conn.Exec(driver.Context(ctx, driver.WithSettings(driver.Settings{"mutations_sync": 2})),
				fmt.Sprintf("ALTER TABLE %s%s UPDATE key = '', payload = '', detail = if(reason = %s, detail, ''), erased = true "+
					"WHERE NOT erased AND arrayExists(item -> (platform, item) IN (%s), items)",
					c.local("deadletters"), c.onCluster(), quote(reasonRejected), strings.Join(names, ", ")))
			if err != nil {
				return rows, err
			}
		}
		if len(items) < findLimit {
			return rows, nil
		}
	}
}

// letterSearch is where one search looks: the condition on dead letters, and the query of what they may hold.
type letterSearch struct{ letters, items string }

// letterSearches returns what is to be searched: nothing when neither erasures nor dead letters are new. A letter with the platform "" holds
// claims, and is erased with the items of those: the claim may come later than the letter and the erasure, so all such letters are looked at.
func (e *Eraser) letterSearches(ctx context.Context) ([]letterSearch, error) {
	c := e.client
	since := "1"
	if !e.seen.IsZero() {
		since = fmt.Sprintf("written_at >= toDateTime(%d, 'UTC')", e.seen.Add(-eraseOverlap).Unix())
	}
	const claims = "platform = ''"
	erased := "SELECT platform, item_id FROM " + c.table("erasures") + " WHERE "
	open := " FROM " + c.table("deadletters") + " WHERE NOT erased AND notEmpty(items) AND "
	var erasures, letters, about uint64
	err := c.conn.QueryRow(ctx, "SELECT (SELECT count() FROM "+c.table("erasures")+" WHERE "+since+"), (SELECT count()"+open+since+"), (SELECT count()"+open+claims+")").
		Scan(&erasures, &letters, &about)
	if err != nil {
		return nil, err
	}
	var out []letterSearch
	if erasures > 0 {
		out = append(out, letterSearch{"1", erased + since})
	}
	if letters > 0 && since != "1" { // few against many: those of the erasures that they could be about
		out = append(out, letterSearch{since, erased + "(platform, item_id) GLOBAL IN (SELECT platform, arrayJoin(items)" + open + since + ")"})
	}
	if about > 0 {
		named := " FROM " + c.table("claims") + " AS named WHERE named.id GLOBAL IN (SELECT arrayJoin(items)" + open + claims + ")"
		out = append(out, letterSearch{claims, "SELECT '' AS platform, named.id AS item_id" + named + " AND (named.platform, named.item_id) GLOBAL IN (" +
			erased + "(platform, item_id) GLOBAL IN (SELECT named.platform, named.item_id" + named + "))"})
	}
	return out, nil
}

// findLetters returns items that dead letters which are not erased hold.
func (e *Eraser) findLetters(ctx context.Context, searches []letterSearch) ([]found, error) {
	c := e.client
	queries := make([]string, len(searches))
	for i, s := range searches {
		queries[i] = fmt.Sprintf("SELECT platform, item, count() AS rows FROM (SELECT platform, arrayJoin(items) AS item FROM %s "+
			"WHERE NOT erased AND notEmpty(items) AND %s) WHERE (platform, item) GLOBAL IN (%s) GROUP BY platform, item", c.table("deadletters"), s.letters, s.items)
	}
	var out []found
	err := c.each(ctx, func(scan func(...any) error) error {
		var f found
		if err := scan(&f.platform, &f.item, &f.rows); err != nil {
			return err
		}
		out = append(out, f)
		return nil
	}, fmt.Sprintf("SELECT platform, item, max(rows) FROM (%s) GROUP BY platform, item LIMIT %d", strings.Join(queries, " UNION ALL "), findLimit))
	return out, err
}
