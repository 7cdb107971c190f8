package dashboards

// crisis is one incident: what, since when, who, and what did we do about it? It lasts as long as the chosen alert episode, or as
// the range of the dashboard where none is chosen.
func crisis() board {
	const (
		pick  = "{incident} AND {brand} AND {platform}"
		waits = "since >= {incident_since} AND since <= {incident_until} AND {brand} AND {platform}"
		worst = pick + " AND state != 'withdrawn' ORDER BY priority DESC, published_at, item_id LIMIT 20"
		// Complaints of the incident that other customers joined.
		spread = "contagion_of(brand = ${brand:singlequote}, since = {incident_since}, until = {incident_until} + toIntervalMillisecond(1))\nWHERE {platform}"
	)
	return board{
		key: "crisis", from: "now-24h", refresh: "30s",
		variables: []variable{
			sourceVariable(), deskSourceVariable(), brandVariable(false), platformVariable(),
			{name: "episode", sql: query(`
SELECT {episode} AS value, concat(brand, ' ', if(platform = '', '', concat(platform, ' ')), formatDateTime(opened_at, '%Y-%m-%d %H:%i UTC')) AS text
FROM alerts WHERE {brand} AND opened_at <= $__toTime AND ifNull(cleared_at, $__toTime) >= $__fromTime
ORDER BY opened_at DESC LIMIT 100`)},
		},
		panels: []panel{
			{
				key: "crisis.what", kind: rows, w: 24, h: 4, def: "negativity_spike",
				cols: []string{
					"brand", "platform", "rule", "opened_at", "peak_at", "cleared_at", "lasted", "negatives", "labelled", "negative_share", "baseline_negatives", "baseline_share",
				},
				sql: query(`
SELECT brand, platform, rule, opened_at, peak_at, cleared_at, dateDiff('second', opened_at, ifNull(cleared_at, toDateTime64($__toTime, 3, 'UTC'))) AS lasted,
    negatives, labelled, negative_share, baseline_negatives, baseline_share
FROM alerts WHERE {episode} = ${episode:singlequote}`),
			},
			{key: "crisis.reason_products", kind: rows, w: 5, h: 8, def: "negativity_spike", cols: []string{"product", "excess"}, sql: query(reasons("product", "products"))},
			{key: "crisis.reason_words", kind: rows, w: 5, h: 8, def: "negativity_spike", cols: []string{"word", "excess"}, sql: query(reasons("word", "words"))},
			{
				key: "crisis.reason_voices", kind: rows, w: 7, h: 8, def: "negativity_spike", cols: []string{"voice", "excess", "negatives", "followers"},
				sql: query(`
SELECT toString(r.voice) AS voice, r.excess AS excess, v.negatives AS negatives, v.followers AS followers
FROM (` + reasons("voice", "voices") + `) AS r
LEFT JOIN (SELECT voice, countIf(label = 'negative') AS negatives, max(followers) AS followers FROM voices WHERE ` + pick + ` GROUP BY voice) AS v ON v.voice = r.voice
ORDER BY excess DESC, voice`),
			},
			{
				key: "crisis.reason_conversations", kind: rows, w: 7, h: 8, def: "negativity_spike", cols: []string{"conversation", "excess", "authors", "negatives"},
				sql: query(`
SELECT toString(r.conversation) AS conversation, r.excess AS excess, v.authors AS authors, v.negatives AS negatives
FROM (` + reasons("conversation", "conversations") + `) AS r
LEFT JOIN (SELECT conversation, uniqExact(voice) AS authors, countIf(label = 'negative') AS negatives FROM voices WHERE ` + pick + ` GROUP BY conversation) AS v
    ON v.conversation = r.conversation
ORDER BY excess DESC, conversation`),
			},
			{key: "crisis.negatives", kind: number, w: 6, h: 4, cols: []string{"negatives"}, def: "mention", drill: "posts", sql: query(`
SELECT countIf(label = 'negative') AS negatives FROM voices WHERE ` + pick)},
			{key: "crisis.authors", kind: number, w: 6, h: 4, cols: []string{"authors"}, def: "mention", sql: query(`
SELECT uniqExactIf(voice, label = 'negative') AS authors FROM voices WHERE ` + pick)},
			{key: "crisis.threads", kind: number, w: 6, h: 4, cols: []string{"threads"}, def: "case", sql: query(`
SELECT uniqExactIf(conversation, label = 'negative') AS threads FROM voices WHERE ` + pick)},
			{key: "crisis.audience", kind: number, w: 6, h: 4, cols: []string{"audience"}, def: "potential_audience", sql: query(`
SELECT sum(followers) AS audience
FROM (SELECT voice, max(ifNull(followers, 0)) AS followers FROM voices WHERE ` + pick + ` AND label = 'negative' GROUP BY voice)`)},
			{key: "crisis.joined", kind: number, w: 6, h: 4, cols: []string{"joined"}, def: "parallel_work", sql: query(`
SELECT sum(n) AS joined FROM (SELECT joined AS n FROM ` + spread + `)`)},
			{key: "crisis.parallel", kind: number, w: 6, h: 4, cols: []string{"parallel_share"}, def: "parallel_work", sql: query(`
SELECT sum(answered) / nullIf(sum(joined), 0) AS parallel_share FROM ` + spread)},
			{key: "crisis.claims", kind: number, w: 6, h: 4, cols: []string{"claims"}, def: "priority", drill: "posts", sql: query(`
SELECT count() AS claims FROM claim_queue WHERE ` + pick + ` AND state != 'withdrawn'`)},
			{key: "crisis.received", kind: number, w: 6, h: 4, cols: []string{"received_share"}, def: "hand_over_time", drill: "care", sql: query(`
SELECT countIf(handed_over_at IS NOT NULL) / nullIf(count(), 0) AS received_share FROM claim_queue WHERE ` + pick + ` AND state != 'withdrawn'`)},

			{key: "crisis.timeline", kind: bars, w: 24, h: 8, cols: []string{"negatives", "answers"}, def: "negativity_spike", drill: "posts", sql: query(`
SELECT time, sum(negative) AS negatives, sum(answer) AS answers
FROM (SELECT $__timeInterval(published_at) AS time, 1 AS negative, 0 AS answer FROM voices WHERE ` + pick + ` AND label = 'negative'
      UNION ALL
      SELECT $__timeInterval(assumeNotNull(answered_at)) AS time, 0 AS negative, 1 AS answer FROM waits WHERE ` + waits + `
          AND answered_at IS NOT NULL AND answered_at <= {incident_until})
GROUP BY time ORDER BY time`)},
			{
				key: "crisis.phases", kind: rows, w: 10, h: 6, def: "first_response_time", cols: []string{"phase", "negatives", "labelled", "negative_share", "per_hour"},
				sql: query(`
WITH (SELECT min(answered_at) FROM waits WHERE ` + waits + ` AND answered_at IS NOT NULL) AS answer
SELECT toString(if(answer IS NULL OR published_at < answer, 1, 2)) AS phase, countIf(label = 'negative') AS negatives, countIf(label != 'unlabelled') AS labelled,
    negatives / nullIf(labelled, 0) AS negative_share, 3600 * negatives / greatest(dateDiff('second', min(published_at), max(published_at)), 60) AS per_hour
FROM voices WHERE ` + pick + ` GROUP BY phase ORDER BY phase`),
			},
			{
				key: "crisis.products", kind: rows, w: 14, h: 6, def: "mention", drill: "posts", cols: []string{"product", "negatives", "labelled", "negative_share"},
				sql: query(`
SELECT arrayJoin(if(empty(products), [''], products)) AS product, countIf(label = 'negative') AS negatives, countIf(label != 'unlabelled') AS labelled,
    negatives / nullIf(labelled, 0) AS negative_share
FROM voices WHERE ` + pick + ` GROUP BY product HAVING negatives > 0 ORDER BY negatives DESC, product LIMIT 10`),
			},
			{
				key: "crisis.contagion", kind: rows, w: 24, h: 8, def: "parallel_work",
				cols: []string{
					"opened_at", "platform", "joined", "joined_before", "joined_after", "before_per_hour", "after_per_hour", "join_median", "coverage",
				},
				sql: query(`
SELECT opened_at, platform, joined, joined_before_answer AS joined_before, joined_after_answer AS joined_after, joins_per_hour_before AS before_per_hour,
    joins_per_hour_after AS after_per_hour, median_join_seconds AS join_median, coverage
FROM ` + spread + `
ORDER BY joined DESC, opened_at LIMIT 20`),
			},
			{
				key: "crisis.claim_list", kind: rows, w: 24, h: 8, def: "priority",
				cols: []string{
					"priority", "audience_factor", "severity_factor", "product_factor", "blogger", "claim_state", "handed_over_at", "resolved_at", "published_at", "platform", "post", "post_url",
				},
				sql: query(`
SELECT c.priority AS priority, c.audience_factor AS audience_factor, c.severity_factor AS severity_factor, c.product_factor AS product_factor, toUInt8(c.blogger) AS blogger,
    toString(c.state) AS claim_state, c.handed_over_at AS handed_over_at, c.resolved_at AS resolved_at, c.published_at AS published_at, c.platform AS platform,
    substringUTF8(p.text, 1, 300) AS post, p.url AS post_url
FROM (SELECT brand, published_at, platform, item_id, priority, audience_factor, severity_factor, product_factor, blogger, state, handed_over_at, resolved_at
      FROM claim_queue WHERE ` + worst + `) AS c
LEFT JOIN (SELECT brand, published_at, platform, item_id, text, url FROM posts
    WHERE (brand, published_at, platform, item_id) IN (SELECT brand, published_at, platform, item_id FROM claim_queue WHERE ` + worst + `)) AS p
    USING (brand, published_at, platform, item_id)
ORDER BY priority DESC, published_at`),
			},
			{
				key: "crisis.starters", kind: rows, w: 24, h: 8, def: "mention", cols: []string{"published_at", "platform", "severity", "followers", "post", "post_url"},
				sql: query(`
SELECT published_at, platform, severity, followers, substringUTF8(text, 1, 300) AS post, url AS post_url
FROM posts WHERE ` + pick + ` AND label = 'negative' ORDER BY published_at, item_id LIMIT 10`),
			},
			{
				key: "crisis.loudest", kind: rows, w: 24, h: 8, def: "potential_audience", cols: []string{"followers", "severity", "published_at", "platform", "post", "post_url"},
				sql: query(`
SELECT followers, severity, published_at, platform, substringUTF8(text, 1, 300) AS post, url AS post_url
FROM posts WHERE ` + pick + ` AND label = 'negative' ORDER BY followers DESC NULLS LAST, severity DESC, published_at LIMIT 10`),
			},
			{
				key: "crisis.conversations", kind: rows, w: 24, h: 8, def: "case", cols: []string{"published_at", "platform", "authors", "negatives", "posts", "last_at", "post", "post_url"},
				sql: query(`
SELECT min(at) AS published_at, any(place) AS platform, uniqExact(voice) AS authors, countIf(label = 'negative') AS negatives, count() AS posts,
    max(at) AS last_at, substringUTF8(argMin(text, at), 1, 200) AS post, argMin(url, at) AS post_url
FROM (SELECT published_at AS at, platform AS place, voice, label, conversation, text, url FROM posts WHERE ` + pick + `)
GROUP BY conversation HAVING negatives > 0 ORDER BY authors DESC, posts DESC, published_at LIMIT 20`),
			},
		},
	}
}

// reasons unfolds one of the lists of why the chosen episode is: what contributes to the excess over the same time before, and how much.
func reasons(column, list string) string {
	return `
SELECT reason.1 AS ` + column + `, reason.2 AS excess
FROM (SELECT arrayJoin(arrayZip(` + list + `, ` + list + `_excess)) AS reason FROM alert_reasons WHERE {of_episode})
ORDER BY excess DESC, ` + column
}
