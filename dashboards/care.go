package dashboards

// careDesk is for the head of support: do we answer, and fast enough?
func careDesk() board {
	const pick = "$__timeFilter(since) AND {brand} AND {platform}"
	waiting := func(column, quantile, which string) string {
		return query("SELECT quantileExactInclusiveOrNull(" + quantile + ")({seconds}) AS " + column + "\nFROM waits WHERE " + pick + " AND " + which)
	}
	return board{
		key: "care", from: "now-7d", refresh: "1m",
		variables: []variable{
			sourceVariable(), deskSourceVariable(), brandVariable(false), platformVariable(), clockVariable(),
			{name: "sla", values: []string{"15", "30", "60", "120", "240", "1440"}, current: "60"},
		},
		panels: []panel{
			{key: "care.first_median", kind: number, w: 6, h: 4, cols: []string{"first_median"}, def: "first_response_time", sql: waiting("first_median", "0.5", "is_first")},
			{key: "care.first_p90", kind: number, w: 6, h: 4, cols: []string{"first_p90"}, def: "first_response_time", sql: waiting("first_p90", "0.9", "is_first")},
			{key: "care.sla", kind: number, w: 6, h: 4, cols: []string{"sla_attainment"}, def: "sla_attainment", drill: "posts", sql: query(`
SELECT countIf({seconds} <= {sla}) / nullIf(countIf({seconds} IS NOT NULL OR since <= $__toTime - toIntervalSecond({sla})), 0) AS sla_attainment
FROM waits WHERE ` + pick)},
			{key: "care.oldest", kind: number, w: 6, h: 4, cols: []string{"oldest_waiting"}, def: "reporting_of_times", drill: "posts", sql: query(`
SELECT dateDiff('second', minOrNull(since), $__toTime) AS oldest_waiting
FROM waits WHERE ` + pick + ` AND answered_at IS NULL`)},
			{key: "care.next_median", kind: number, w: 6, h: 4, cols: []string{"next_median"}, def: "next_response_time", sql: waiting("next_median", "0.5", "NOT is_first")},
			{key: "care.next_p90", kind: number, w: 6, h: 4, cols: []string{"next_p90"}, def: "next_response_time", sql: waiting("next_p90", "0.9", "NOT is_first")},
			{key: "care.rate", kind: number, w: 6, h: 4, cols: []string{"response_rate"}, def: "response_rate", sql: query(`
SELECT countIf(waiting_seconds <= 86400) / nullIf(count(), 0) AS response_rate
FROM waits WHERE ` + pick + ` AND since <= $__toTime - toIntervalHour(24)`)},
			{key: "care.open", kind: number, w: 6, h: 4, cols: []string{"open_requests"}, def: "reporting_of_times", drill: "posts", sql: query(`
SELECT count() AS open_requests
FROM waits WHERE ` + pick + ` AND answered_at IS NULL`)},

			{key: "care.series", kind: lines, w: 12, h: 8, cols: []string{"median_seconds", "p90_seconds"}, def: "reporting_of_times", sql: query(`
SELECT $__timeInterval(since) AS time, quantileExactInclusiveOrNull(0.5)({seconds}) AS median_seconds, quantileExactInclusiveOrNull(0.9)({seconds}) AS p90_seconds
FROM waits WHERE ` + pick + ` GROUP BY time ORDER BY time`)},
			{key: "care.requests", kind: bars, w: 12, h: 8, cols: []string{"requests", "answered"}, def: "response_rate", sql: query(`
SELECT $__timeInterval(since) AS time, count() AS requests, countIf(answered_at IS NOT NULL) AS answered
FROM waits WHERE ` + pick + ` GROUP BY time ORDER BY time`)},
			{key: "care.distribution", kind: groups, w: 12, h: 8, cols: []string{"wait_band", "first_requests", "all_requests"}, def: "first_response_time", sql: query(`
SELECT toString(multiIf({seconds} <= 900, 1, {seconds} <= 3600, 2, {seconds} <= 14400, 3, {seconds} <= 86400, 4, 5)) AS wait_band,
    countIf(is_first) AS first_requests, count() AS all_requests
FROM waits WHERE ` + pick + ` AND {seconds} IS NOT NULL
GROUP BY wait_band ORDER BY wait_band`)},
			{key: "care.ages", kind: groups, w: 12, h: 8, cols: []string{"age_band", "open_requests"}, def: "case", drill: "posts", sql: query(`
SELECT toString(multiIf(age <= 3600, 1, age <= 14400, 2, age <= 86400, 3, age <= 259200, 4, 5)) AS age_band, count() AS open_requests
FROM (SELECT dateDiff('second', assumeNotNull(unanswered_since), $__toTime) AS age FROM case_states
      WHERE unanswered_since IS NOT NULL AND $__timeFilter(unanswered_since) AND {brand} AND {platform})
GROUP BY age_band ORDER BY age_band`)},
			{
				key: "care.platforms", kind: rows, w: 16, h: 8, def: "reporting_of_times",
				cols: []string{"platform", "requests", "answered", "first_median", "median_seconds", "p90_seconds", "sla_attainment", "oldest_waiting"},
				sql: query(`
SELECT platform, count() AS requests, countIf(answered_at IS NOT NULL) AS answered,
    quantileExactInclusiveOrNull(0.5)(if(is_first, {seconds}, NULL)) AS first_median,
    quantileExactInclusiveOrNull(0.5)({seconds}) AS median_seconds, quantileExactInclusiveOrNull(0.9)({seconds}) AS p90_seconds,
    countIf({seconds} <= {sla}) / nullIf(countIf({seconds} IS NOT NULL OR since <= $__toTime - toIntervalSecond({sla})), 0) AS sla_attainment,
    dateDiff('second', minOrNullIf(since, answered_at IS NULL), $__toTime) AS oldest_waiting
FROM waits WHERE ` + pick + ` GROUP BY platform ORDER BY requests DESC, platform`),
			},
			{key: "care.came_back", kind: number, w: 8, h: 4, cols: []string{"came_back"}, def: "case", sql: query(`
SELECT countIf(cycle > 1) / nullIf(count(), 0) AS came_back
FROM case_states WHERE $__timeFilter(opened_at) AND {brand} AND {platform}`)},
			{key: "care.answered", kind: number, w: 8, h: 4, cols: []string{"answered"}, def: "reporting_of_times", sql: query(`
SELECT countIf(answered_at IS NOT NULL) AS answered
FROM waits WHERE ` + pick)},
			{
				key: "care.week", kind: rows, w: 24, h: 9, def: "first_response_time", cols: []string{"weekday"},
				sql: query("SELECT toString(toDayOfWeek(since, 0, {zone})) AS weekday" + hours() + "\nFROM waits WHERE " + pick + "\nGROUP BY weekday ORDER BY weekday"),
			},
			{
				key: "care.waiting", kind: rows, w: 24, h: 9, def: "reporting_of_times",
				cols: []string{"waiting_since", "waiting", "platform", "severity", "followers", "post", "post_url"},
				sql: query(`
SELECT w.since AS waiting_since, dateDiff('second', w.since, $__toTime) AS waiting, w.platform AS platform, p.severity AS severity, p.followers AS followers,
    substringUTF8(p.text, 1, 200) AS post, p.url AS post_url
FROM (SELECT brand, platform, item_id, since FROM waits WHERE ` + pick + ` AND answered_at IS NULL ORDER BY since LIMIT 50) AS w
LEFT JOIN (SELECT brand, platform, item_id, severity, followers, text, url FROM posts
      WHERE $__timeFilter(published_at) AND {brand} AND {platform} AND needs_answer) AS p USING (brand, platform, item_id)
ORDER BY waiting_since`),
			},
		},
	}
}

// hours are the columns 00 to 23: the median wait of the requests of that hour.
func hours() string {
	var b []byte
	for h := range 24 {
		two := string([]byte{byte('0' + h/10), byte('0' + h%10)})
		b = append(b, ",\n    quantileExactInclusiveOrNull(0.5)(if(toHour(since, {zone}) = "+two+", {seconds}, NULL)) AS `"+two+"`"...)
	}
	return string(b)
}
