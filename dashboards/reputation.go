package dashboards

// reputation is for management: liked more or less than before and than the competitors?
func reputation() board {
	const pick = "{grain} AND $__timeFilter(start) AND {brand} AND {platform} AND product = ''"
	return board{
		key: "reputation", from: "now-7d", refresh: "1m", quarters: true, models: true,
		variables: []variable{sourceVariable(), brandVariable(false), platformVariable(), {name: "target", box: true, current: targetText}},
		panels: []panel{
			{key: "reputation.loyal", kind: number, w: 6, h: 4, cols: []string{"loyal_share"}, def: "loyal_share", drill: "topics", sql: query(`
SELECT sum(positive + neutral) / nullIf(sum({labelled}), 0) AS loyal_share
FROM panes WHERE ` + pick)},
			{key: "reputation.growth", kind: number, w: 6, h: 4, cols: []string{"loyal_growth"}, def: "loyal_share", drill: "topics", sql: query(`
SELECT 100 * (sumIf(positive + neutral, start >= $__fromTime) / nullIf(sumIf({labelled}, start >= $__fromTime), 0)
    - sumIf(positive + neutral, start < $__fromTime) / nullIf(sumIf({labelled}, start < $__fromTime), 0)) AS loyal_growth
FROM panes WHERE {grain} AND start >= $__fromTime - {span} AND start <= $__toTime AND {brand} AND {platform} AND product = ''`)},
			{key: "reputation.net", kind: number, w: 6, h: 4, cols: []string{"net_sentiment"}, def: "net_sentiment", drill: "topics", sql: query(`
SELECT (sum(positive) - sum(negative)) / nullIf(sum({labelled}), 0) AS net_sentiment
FROM panes WHERE ` + pick)},
			{key: "reputation.alerts", kind: number, w: 6, h: 4, cols: []string{"open_alerts"}, def: "negativity_spike", drill: "crisis", sql: query(`
SELECT count() AS open_alerts
FROM alerts WHERE {brand} AND opened_at <= $__toTime AND (cleared_at IS NULL OR cleared_at > $__toTime)`)},

			{key: "reputation.target", kind: number, w: 6, h: 4, cols: []string{"target_gap"}, def: "loyal_share", sql: query(`
SELECT 100 * (sum(positive + neutral) / nullIf(sum({labelled}), 0) - {target}) AS target_gap
FROM panes WHERE ` + pick)},
			{key: "reputation.voice", kind: number, w: 6, h: 4, cols: []string{"share_of_voice"}, def: "share_of_voice", drill: "competitors", sql: query(`
SELECT sumIf({mentions}, {brand}) / nullIf(sum({mentions}), 0) AS share_of_voice
FROM panes WHERE {grain} AND $__timeFilter(start) AND {platform} AND product = ''`)},
			{key: "reputation.audience", kind: number, w: 6, h: 4, cols: []string{"audience"}, def: "potential_audience", drill: "communities", sql: query(`
SELECT sum(followers) AS audience
FROM (SELECT voice, max(ifNull(followers, 0)) AS followers FROM voices WHERE $__timeFilter(published_at) AND {brand} AND {platform} GROUP BY voice)`)},
			{key: "reputation.worst", kind: number, w: 6, h: 4, cols: []string{"worst_product"}, def: "sentiment_share", drill: "topics", sql: query(`
SELECT concat(product, ' ', toString(round(100 * sum(negative) / sum({labelled}))), ' %') AS worst_product
FROM panes WHERE {grain} AND $__timeFilter(start) AND {brand} AND {platform} AND product != ''
GROUP BY product HAVING sum({labelled}) >= {minimum}
ORDER BY sum(negative) / sum({labelled}) DESC, product LIMIT 1`)},

			{
				key: "reputation.shares", kind: lines, w: 24, h: 9, def: "sentiment_share", drill: "posts",
				cols: []string{
					"positive_share", "neutral_share", "negative_share", "positive_low", "positive_high", "neutral_low", "neutral_high", "negative_low", "negative_high",
				},
				sql: query(`
WITH {wilson}
SELECT time, p / n AS positive_share, u / n AS neutral_share, m / n AS negative_share,
    wilson(p, n, -1) AS positive_low, wilson(p, n, 1) AS positive_high, wilson(u, n, -1) AS neutral_low, wilson(u, n, 1) AS neutral_high,
    wilson(m, n, -1) AS negative_low, wilson(m, n, 1) AS negative_high
FROM (SELECT $__timeInterval(start) AS time, sum(positive) AS p, sum(neutral) AS u, sum(negative) AS m, nullIf(p + u + m, 0) AS n
      FROM panes WHERE ` + pick + ` GROUP BY time)
ORDER BY time`),
			},
			{key: "reputation.adjusted", kind: number, w: 6, h: 8, cols: []string{"adjusted_loyal"}, def: "loyal_share", sql: query(`
SELECT if(adjusted_state = 'ok', concat(toString(round(100 * (1 - adjusted_negative_share), 1)), ' % (', toString(round(100 * (1 - adjusted_negative_share_high), 1)), '–',
        toString(round(100 * (1 - adjusted_negative_share_low), 1)), ')'), toString(adjusted_state)) AS adjusted_loyal
FROM {last_day} ORDER BY at DESC LIMIT 1`)},
			{
				key: "reputation.adjusted_series", kind: lines, w: 18, h: 8, def: "loyal_share",
				cols: []string{"loyal_share", "adjusted_loyal_share", "adjusted_loyal_share_low", "adjusted_loyal_share_high"},
				sql: query(`
SELECT toDateTime(start) AS time, loyal_share, adjusted_loyal_share, adjusted_loyal_share_low, adjusted_loyal_share_high
FROM {adjusted} ORDER BY time`),
			},
			{
				key: "reputation.adjusted_windows", kind: rows, w: 24, h: 7, def: "loyal_share",
				cols: []string{"start", "labelled", "loyal_share", "adjusted_loyal_share", "adjusted_loyal_share_low", "adjusted_loyal_share_high", "adjusted_state"},
				sql: query(`
SELECT start, labelled, loyal_share, adjusted_loyal_share, adjusted_loyal_share_low, adjusted_loyal_share_high, toString(state) AS adjusted_state
FROM {adjusted} WHERE labelled > 0 ORDER BY start DESC LIMIT 200`),
			},
			{key: "reputation.net_series", kind: lines, w: 12, h: 8, cols: []string{"net_now", "net_previous"}, def: "net_sentiment", drill: "posts", sql: query(`
SELECT $__timeInterval(if(start < $__fromTime, start + {span}, start)) AS time,
    (sumIf(positive, start >= $__fromTime) - sumIf(negative, start >= $__fromTime)) / nullIf(sumIf({labelled}, start >= $__fromTime), 0) AS net_now,
    (sumIf(positive, start < $__fromTime) - sumIf(negative, start < $__fromTime)) / nullIf(sumIf({labelled}, start < $__fromTime), 0) AS net_previous
FROM panes WHERE {grain} AND start >= $__fromTime - {span} AND start <= $__toTime AND {brand} AND {platform} AND product = ''
GROUP BY time ORDER BY time`)},
			{
				key: "reputation.voice_series", kind: lines, w: 12, h: 8, cols: []string{"share_of_voice"}, byName: true, more: "brand",
				def: "share_of_voice", drill: "competitors", sql: query(voiceSeries),
			},
			{
				key: "reputation.products", kind: rows, w: 14, h: 9, def: "sentiment_share", drill: "topics",
				cols: []string{"product", "labelled", "loyal_share", "growth_points", "negative_share"},
				sql: query(`
SELECT product, sumIf({labelled}, start >= $__fromTime) AS labelled,
    sumIf(positive + neutral, start >= $__fromTime) / nullIf(labelled, 0) AS loyal_share,
    100 * (loyal_share - sumIf(positive + neutral, start < $__fromTime) / nullIf(sumIf({labelled}, start < $__fromTime), 0)) AS growth_points,
    sumIf(negative, start >= $__fromTime) / nullIf(labelled, 0) AS negative_share
FROM panes WHERE {grain} AND start >= $__fromTime - {span} AND start <= $__toTime AND {brand} AND {platform} AND product != ''
GROUP BY product HAVING labelled > 0 ORDER BY negative_share DESC, product`),
			},
			{
				key: "reputation.open_alerts", kind: rows, w: 10, h: 9, def: "negativity_spike", drill: "crisis",
				cols: []string{"opened_at", "platform", "rule", "negatives", "baseline_negatives"},
				sql: query(`
SELECT opened_at, platform, rule, negatives, baseline_negatives
FROM alerts WHERE {brand} AND opened_at <= $__toTime AND (cleared_at IS NULL OR cleared_at > $__toTime)
ORDER BY opened_at DESC LIMIT 50`),
			},
		},
	}
}

// targetText is what the dashboards hold for Options.Target until it is known.
const targetText = "@target@"

const voiceSeries = `
SELECT time, brand, mentions / nullIf(sum(mentions) OVER (PARTITION BY time), 0) AS share_of_voice
FROM (SELECT $__timeInterval(start) AS time, toString(brand) AS brand, sum({mentions}) AS mentions
      FROM panes WHERE {grain} AND $__timeFilter(start) AND {platform} AND product = '' GROUP BY time, brand)
ORDER BY time, brand`

// competitors is the same for all brands, side by side.
func competitors() board {
	const pick = "{grain} AND $__timeFilter(start) AND {brand} AND {platform} AND product = ''"
	perBrand := func(column, figure string) string {
		return query(`
SELECT time, brand, if(n >= {minimum}, ` + figure + `, NULL) AS ` + column + `
FROM (SELECT $__timeInterval(start) AS time, toString(brand) AS brand, sum(positive) AS p, sum(neutral) AS u, sum(negative) AS m, p + u + m AS n
      FROM panes WHERE ` + pick + ` GROUP BY time, brand)
ORDER BY time, brand`)
	}
	return board{
		key: "competitors", from: "now-7d", refresh: "1m", quarters: true, models: true,
		variables: []variable{sourceVariable(), competitorVariable(), platformVariable()},
		panels: []panel{
			{
				key: "competitors.table", kind: rows, w: 24, h: 7, def: "sentiment_share", drill: "reputation",
				cols: []string{
					"brand", "mentions", "share_of_voice", "loyal_share", "loyal_low", "loyal_high", "net_sentiment", "negative_share", "median_seconds", "response_rate", "few",
				},
				sql: query(`
WITH {wilson}
SELECT brand, mentions, mentions / nullIf(everything, 0) AS share_of_voice, if(n >= {minimum}, k / n, NULL) AS loyal_share,
    if(n >= {minimum}, wilson(k, n, -1), NULL) AS loyal_low, if(n >= {minimum}, wilson(k, n, 1), NULL) AS loyal_high,
    if(n >= {minimum}, (p - m) / n, NULL) AS net_sentiment, if(n >= {minimum}, m / n, NULL) AS negative_share,
    median_seconds, response_rate, n < {minimum} AS few
FROM (SELECT brand, sum(positive) AS p, sum(negative) AS m, sum(positive + neutral) AS k, sum({labelled}) AS n, sum({mentions}) AS mentions
      FROM panes WHERE ` + pick + ` GROUP BY brand) AS figures
CROSS JOIN (SELECT sum({mentions}) AS everything FROM panes WHERE {grain} AND $__timeFilter(start) AND {platform} AND product = '') AS whole
LEFT JOIN (SELECT brand, quantileExactInclusiveOrNull(0.5)(waiting_seconds) AS median_seconds,
          countIf(waiting_seconds <= 86400 AND since <= $__toTime - toIntervalHour(24)) / nullIf(countIf(since <= $__toTime - toIntervalHour(24)), 0) AS response_rate
      FROM waits WHERE $__timeFilter(since) AND {brand} AND {platform} GROUP BY brand) AS care USING (brand)
ORDER BY mentions DESC, brand`),
			},
			{
				key: "competitors.adjusted", kind: rows, w: 24, h: 6, def: "loyal_share", drill: "reputation",
				cols: []string{"brand", "until", "labelled", "loyal_share", "adjusted_loyal_share", "adjusted_loyal_share_low", "adjusted_loyal_share_high", "adjusted_state"},
				sql: query(`
SELECT brand, at AS until, positive + neutral + negative AS labelled, loyal_share, 1 - adjusted_negative_share AS adjusted_loyal_share,
    1 - adjusted_negative_share_high AS adjusted_loyal_share_low, 1 - adjusted_negative_share_low AS adjusted_loyal_share_high, toString(adjusted_state) AS adjusted_state
FROM {last_day} ORDER BY brand, at DESC LIMIT 1 BY brand`),
			},
			{key: "competitors.loyal", kind: lines, w: 12, h: 8, cols: []string{"loyal_share"}, byName: true, more: "brand", def: "loyal_share", drill: "reputation", sql: perBrand("loyal_share", "(p + u) / n")},
			{key: "competitors.net", kind: lines, w: 12, h: 8, cols: []string{"net_sentiment"}, byName: true, more: "brand", def: "net_sentiment", drill: "reputation", sql: perBrand("net_sentiment", "(p - m) / n")},
			{key: "competitors.negative", kind: lines, w: 12, h: 8, cols: []string{"negative_share"}, byName: true, more: "brand", def: "sentiment_share", drill: "posts", sql: perBrand("negative_share", "m / n")},
			{key: "competitors.voice", kind: lines, w: 12, h: 8, cols: []string{"share_of_voice"}, byName: true, more: "brand", def: "share_of_voice", sql: query(voiceSeries)},
			{key: "competitors.index", kind: lines, w: 24, h: 8, cols: []string{"mention_index"}, byName: true, more: "brand", def: "mention", sql: query(`
SELECT time, brand, mentions / nullIf(avg(mentions) OVER (PARTITION BY brand), 0) AS mention_index
FROM (SELECT $__timeInterval(start) AS time, toString(brand) AS brand, sum({mentions}) AS mentions
      FROM panes WHERE ` + pick + ` GROUP BY time, brand)
ORDER BY time, brand`)},
		},
	}
}
