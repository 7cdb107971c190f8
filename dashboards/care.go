package dashboards

// careDesk is for the head of support: do we answer, and fast enough?
func careDesk() board {
	const (
		pick   = "$__timeFilter(since) AND {brand} AND {platform}"
		days   = "day >= toDate($__fromTime, 'UTC') AND day <= toDate($__toTime, 'UTC') AND {brand} AND {platform}"
		claims = "$__timeFilter(published_at) AND {brand} AND {platform} AND state != 'withdrawn'"
	)
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

			heading("care.claims_row"),
			{key: "care.claims", kind: number, w: 6, h: 4, cols: []string{"claims"}, def: "priority", drill: "posts", sql: query(`
SELECT count() AS claims FROM claim_queue WHERE ` + claims)},
			{key: "care.claims_open", kind: number, w: 6, h: 4, cols: []string{"open_claims"}, def: "priority", drill: "posts", sql: query(`
SELECT count() AS open_claims FROM claim_queue WHERE ` + claims + ` AND {open_claim}`)},
			{key: "care.hand_over", kind: number, w: 6, h: 4, cols: []string{"hand_over_median"}, def: "hand_over_time", sql: query(`
SELECT quantileExactInclusiveOrNull(0.5)(hand_over_seconds) AS hand_over_median FROM claim_states WHERE ` + claims)},
			{key: "care.reopen", kind: number, w: 6, h: 4, cols: []string{"reopen_rate"}, def: "reopen_rate", sql: query(`
SELECT sum(reopened_cycles) / nullIf(sum(resolved_cycles), 0) AS reopen_rate FROM claim_states WHERE ` + claims)},
			{
				key: "care.stages", kind: rows, w: 12, h: 9, def: "resolution_time", cols: []string{"claim_stage", "reached", "median_seconds", "p90_seconds"},
				sql: query(`
SELECT stage.1 AS claim_stage, count(stage.2) AS reached, quantileExactInclusiveOrNull(0.5)(stage.2) AS median_seconds, quantileExactInclusiveOrNull(0.9)(stage.2) AS p90_seconds
FROM (SELECT arrayJoin([('1', collection_lag_seconds), ('2', reaction_seconds), ('3', details_seconds), ('4', hand_over_seconds), ('5', handling_seconds),
          ('6', first_resolution_seconds), ('7', full_resolution_seconds)]) AS stage
      FROM claim_states WHERE ` + claims + `)
GROUP BY claim_stage ORDER BY claim_stage`),
			},
			{key: "care.claims_series", kind: bars, w: 12, h: 9, cols: []string{"claims", "handed_over", "resolved"}, def: "hand_over_time", drill: "posts", sql: query(`
SELECT $__timeInterval(published_at) AS time, count() AS claims, countIf(handed_over_at IS NOT NULL) AS handed_over, countIf(resolved_at IS NOT NULL) AS resolved
FROM claim_queue WHERE ` + claims + ` GROUP BY time ORDER BY time`)},
			{
				key: "care.departments", kind: rows, w: 24, h: 6, def: "hand_over_time",
				cols: []string{"department", "claims", "bloggers", "not_received", "open_claims", "handed_over", "resolved", "oldest_claim"},
				sql: query(`
SELECT department, count() AS claims, countIf(blogger) AS bloggers, countIf({open_claim} AND handed_over_at IS NULL) AS not_received, countIf({open_claim}) AS open_claims,
    countIf(handed_over_at IS NOT NULL) AS handed_over, countIf(resolved_at IS NOT NULL) AS resolved,
    dateDiff('second', minOrNullIf(published_at, {open_claim}), $__toTime) AS oldest_claim
FROM claim_queue WHERE ` + claims + ` GROUP BY department ORDER BY claims DESC, department`),
			},

			heading("care.compliance_row"),
			{key: "care.compliance", kind: number, w: 6, h: 4, cols: []string{"policy_compliance"}, def: "policy_compliance", sql: query(`
SELECT sum(compliant) / nullIf(sum(answers), 0) AS policy_compliance FROM compliance_1d WHERE ` + days)},
			{key: "care.brand_answers", kind: number, w: 6, h: 4, cols: []string{"answers"}, def: "policy_compliance", sql: query(`
SELECT sum(c.answers) AS answers FROM compliance_1d AS c WHERE ` + days)},
			{key: "care.unapproved", kind: number, w: 6, h: 4, cols: []string{"unapproved"}, def: "policy_compliance", sql: query(`
SELECT sum(c.unapproved) AS unapproved FROM compliance_1d AS c WHERE ` + days)},
			{key: "care.confidential", kind: number, w: 6, h: 4, cols: []string{"confidential"}, def: "policy_compliance", sql: query(`
SELECT sum(c.confidential) AS confidential FROM compliance_1d AS c WHERE ` + days)},
			{key: "care.compliance_series", kind: lines, w: 8, h: 9, cols: []string{"policy_compliance"}, def: "policy_compliance", sql: query(`
SELECT toDateTime(day, 'UTC') AS time, sum(compliant) / nullIf(sum(answers), 0) AS policy_compliance FROM compliance_1d WHERE ` + days + ` GROUP BY time ORDER BY time`)},
			{
				key: "care.breaches", kind: rows, w: 16, h: 9, def: "policy_compliance",
				cols: []string{"broken_at", "breach_rule", "account", "platform", "stands", "excerpt", "post_url"},
				sql: query(`
SELECT broken_at, toString(rule) AS breach_rule, account, platform, toUInt8(stands) AS stands, substringUTF8(c.excerpt, 1, 300) AS excerpt, link AS post_url
FROM compliance AS c WHERE $__timeFilter(broken_at) AND {brand} AND {platform} ORDER BY broken_at DESC, item_id, breach_rule LIMIT 100`),
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
