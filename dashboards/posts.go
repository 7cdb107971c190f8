package dashboards

// posts is the queue of negative posts for the desk on duty.
func posts() board {
	const (
		pick  = "$__timeFilter(published_at) AND {brand} AND {platform} AND {named} AND label = 'negative' AND severity >= toUInt8OrZero(${severity:singlequote})"
		waits = "$__timeFilter(since) AND {brand} AND {platform}"
		// Claims of the choices at the top, but for the severity: what they are of is in their priority.
		claims = "$__timeFilter(published_at) AND {brand} AND {platform} AND {named} AND state != 'withdrawn'"
	)
	return board{
		key: "posts", from: "now-24h", refresh: "30s",
		variables: []variable{
			sourceVariable(), deskSourceVariable(), brandVariable(true), platformVariable(), productVariable(),
			{name: "severity", values: []string{"0", "1", "2", "3"}, current: "0"},
			{name: "state", values: []string{"all", "waiting", "claims"}, current: "all"},
		},
		panels: []panel{
			{key: "posts.count", kind: number, w: 6, h: 4, cols: []string{"negatives"}, def: "mention", sql: query(`
SELECT count() AS negatives FROM voices WHERE ` + pick)},
			{key: "posts.waiting", kind: number, w: 6, h: 4, cols: []string{"waiting_negative"}, def: "next_response_time", sql: query(`
SELECT count() AS waiting_negative
FROM posts WHERE ` + pick + ` AND (brand, platform, item_id) IN (SELECT brand, platform, item_id FROM waits WHERE ` + waits + ` AND answered_at IS NULL)`)},
			{key: "posts.severe", kind: number, w: 6, h: 4, cols: []string{"severe"}, def: "priority", sql: query(`
SELECT countIf(severity >= 2) AS severe FROM voices WHERE ` + pick)},
			{key: "posts.audience", kind: number, w: 6, h: 4, cols: []string{"audience"}, def: "potential_audience", sql: query(`
SELECT sum(followers) AS audience
FROM (SELECT voice, max(ifNull(followers, 0)) AS followers FROM voices WHERE ` + pick + ` GROUP BY voice)`)},
			{key: "posts.claims", kind: number, w: 6, h: 4, cols: []string{"open_claims"}, def: "priority", sql: query(`
SELECT count() AS open_claims FROM claim_queue WHERE ` + claims + ` AND {open_claim}`)},
			{key: "posts.bloggers", kind: number, w: 6, h: 4, cols: []string{"bloggers"}, def: "priority", sql: query(`
SELECT countIf(blogger) AS bloggers FROM claim_queue WHERE ` + claims + ` AND {open_claim}`)},
			{key: "posts.not_received", kind: number, w: 6, h: 4, cols: []string{"not_received"}, def: "hand_over_time", sql: query(`
SELECT count() AS not_received FROM claim_queue WHERE ` + claims + ` AND {open_claim} AND handed_over_at IS NULL`)},
			{key: "posts.oldest_claim", kind: number, w: 6, h: 4, cols: []string{"oldest_claim"}, def: "hand_over_time", sql: query(`
SELECT dateDiff('second', minOrNull(published_at), $__toTime) AS oldest_claim FROM claim_queue WHERE ` + claims + ` AND {open_claim}`)},
			{
				key: "posts.queue", kind: rows, w: 24, h: 16, def: "priority",
				cols: []string{
					"priority", "audience_factor", "severity_factor", "product_factor", "blogger", "claim_state", "severity", "followers", "waiting", "published_at",
					"brand", "platform", "products", "post", "post_url",
				},
				// The texts of what is shown only: those of all posts of a long range are a hundred times as many.
				sql: query(`
SELECT p.priority AS priority, p.audience_factor AS audience_factor, p.severity_factor AS severity_factor, p.product_factor AS product_factor,
    toUInt8(c.item_id != '' AND c.blogger) AS blogger, if(c.item_id = '', 'none', toString(c.state)) AS claim_state, p.severity AS severity, p.followers AS followers,
    if(w.item_id = '', NULL, ifNull(w.waiting_seconds, toFloat64(dateDiff('second', w.since, $__toTime)))) AS waiting, p.published_at AS published_at,
    p.brand AS brand, p.platform AS platform, arrayStringConcat(p.products, ', ') AS products, substringUTF8(p.text, 1, 300) AS post, p.url AS post_url
FROM (SELECT brand, platform, item_id, published_at, priority, audience_factor, severity_factor, product_factor, severity, followers, products, text, url
      FROM posts WHERE (brand, published_at, platform, item_id) IN (
          SELECT brand, published_at, platform, item_id FROM posts WHERE ` + pick + `
              AND (${state:singlequote} != 'waiting' OR (brand, platform, item_id) IN (SELECT brand, platform, item_id FROM waits WHERE ` + waits + ` AND answered_at IS NULL))
              AND (${state:singlequote} != 'claims' OR (brand, platform, item_id) IN (SELECT brand, platform, item_id FROM claim_queue WHERE ` + claims + ` AND {open_claim}))
          ORDER BY priority DESC, severity DESC, followers DESC NULLS LAST, published_at LIMIT 200)) AS p
LEFT JOIN (SELECT brand, platform, item_id, state, blogger FROM claim_queue WHERE ` + claims + `) AS c USING (brand, platform, item_id)
LEFT JOIN (SELECT brand, platform, item_id, since, waiting_seconds FROM waits WHERE ` + waits + `) AS w USING (brand, platform, item_id)
ORDER BY priority DESC, severity DESC, followers DESC NULLS LAST, published_at`),
			},
			{key: "posts.series", kind: bars, w: 24, h: 8, cols: []string{"severity_3", "severity_2", "severity_1", "severity_0"}, def: "priority", sql: query(`
SELECT $__timeInterval(published_at) AS time, countIf(severity = 3) AS severity_3, countIf(severity = 2) AS severity_2, countIf(severity = 1) AS severity_1,
    countIf(severity = 0) AS severity_0
FROM voices WHERE ` + pick + ` GROUP BY time ORDER BY time`)},
		},
	}
}

// topics is for product managers: which product is complained about, and what grew?
func topics() board {
	const pick = "{grain} AND $__timeFilter(start) AND {brand} AND {platform} AND product != '' AND $__conditionalAll(product IN (${product:singlequote}), $product)"
	return board{
		key: "topics", from: "now-7d", refresh: "1m",
		variables: []variable{sourceVariable(), deskSourceVariable(), brandVariable(false), platformVariable(), productVariable()},
		panels: []panel{
			{
				key: "topics.products", kind: rows, w: 24, h: 9, def: "sentiment_share", drill: "posts",
				cols: []string{"product", "mentions", "positive_share", "negative_share", "negatives", "negatives_before", "negative_growth"},
				sql: query(`
SELECT product, sumIf({mentions}, start >= $__fromTime) AS mentions,
    sumIf(positive, start >= $__fromTime) / nullIf(sumIf({labelled}, start >= $__fromTime), 0) AS positive_share,
    sumIf(negative, start >= $__fromTime) / nullIf(sumIf({labelled}, start >= $__fromTime), 0) AS negative_share,
    sumIf(negative, start >= $__fromTime) AS negatives, sumIf(negative, start < $__fromTime) AS negatives_before,
    100 * (negative_share - negatives_before / nullIf(sumIf({labelled}, start < $__fromTime), 0)) AS negative_growth
FROM panes WHERE {grain} AND start >= $__fromTime - {span} AND start <= $__toTime AND {brand} AND {platform} AND product != ''
    AND $__conditionalAll(product IN (${product:singlequote}), $product)
GROUP BY product HAVING mentions > 0 ORDER BY negatives DESC, product`),
			},
			{
				key: "topics.grew", kind: rows, w: 10, h: 9, def: "mention", drill: "posts", cols: []string{"product", "negatives", "negatives_before", "negatives_growth"},
				sql: query(`
SELECT product, sumIf(negative, start >= $__toTime - toIntervalHour(24)) AS negatives, sumIf(negative, start < $__toTime - toIntervalHour(24)) AS negatives_before,
    negatives - negatives_before AS negatives_growth
FROM panes WHERE grain = '1h' AND start >= $__toTime - toIntervalHour(48) AND start <= $__toTime AND {brand} AND {platform} AND product != ''
GROUP BY product HAVING negatives + negatives_before > 0 ORDER BY negatives_growth DESC, product LIMIT 10`),
			},
			{key: "topics.series", kind: lines, w: 14, h: 9, cols: []string{"negative_share"}, byName: true, more: "product", def: "sentiment_share", drill: "posts", sql: query(`
SELECT time, product, if(n >= 5, m / n, NULL) AS negative_share
FROM (SELECT $__timeInterval(start) AS time, toString(product) AS product, sum(negative) AS m, sum({labelled}) AS n FROM panes WHERE ` + pick + ` GROUP BY time, product)
ORDER BY time, product`)},
			{
				key: "topics.samples", kind: rows, w: 24, h: 12, def: "mention", drill: "posts",
				cols: []string{"product", "published_at", "platform", "severity", "followers", "post", "post_url"},
				sql: query(`
SELECT product, published_at, platform, severity, followers, substringUTF8(text, 1, 300) AS post, url AS post_url
FROM (SELECT arrayJoin(products) AS product, published_at, platform, severity, followers, negative_score, text, url
      FROM posts WHERE $__timeFilter(published_at) AND {brand} AND {platform} AND {named} AND label = 'negative' AND text != '')
WHERE $__conditionalAll(product IN (${product:singlequote}), $product)
ORDER BY product, severity DESC, negative_score DESC, published_at LIMIT 3 BY product LIMIT 60`),
			},
		},
	}
}
