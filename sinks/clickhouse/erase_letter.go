package clickhouse

import (
	"context"
	"fmt"
)

// eraseLetters empties the dead letters that hold an erased item and returns how many it found; one that holds several counts for each. Their
// detail goes too, because it may show the beginning of the record; that of a refused row never does, and verify reads it.
func (e *Eraser) eraseLetters(ctx context.Context) (int, error) {
	searches, err := e.letterSearches(ctx)
	if err != nil || len(searches) == 0 {
		return 0, err
	}
	m := mutation{
		table: "deadletters",
		set:   "key = '', payload = '', detail = if(reason = " + quote(reasonRejected) + ", detail, ''), erased = true",
		where: "NOT erased AND arrayExists(item -> (platform, item) IN (%s), items)",
	}
	return e.mutate(ctx, m, func() ([]found, error) { return e.findLetters(ctx, searches) })
}

// letterSearch is where one search looks: the condition on dead letters, and the query of what they may hold.
type letterSearch struct{ letters, items string }

// letterSearches returns what is to be searched: nothing when neither erasures nor dead letters are new. A letter with the platform "" holds
// claims, and is erased with the items of those: the claim may come later than the letter and the erasure, so all such letters are looked at.
func (e *Eraser) letterSearches(ctx context.Context) ([]letterSearch, error) {
	c := e.client
	since, everything := e.since()
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
	if letters > 0 && !everything { // few against many: those of the erasures that they could be about
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
	return e.found(ctx, queries)
}
