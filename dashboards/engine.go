package dashboards

// engine is for the engineer: is everything read, in time, and accounted for?
func engine() board {
	const pick = "$__timeFilter(hour)"
	series := func(key string, w uint32, cols []string, sql string) panel {
		return panel{key: key, kind: bars, w: w, h: 8, cols: cols, sql: query(sql)}
	}
	metric := func(key string, col, promql, legend string) panel {
		return panel{key: key, kind: lines, w: 12, h: 8, cols: []string{col}, promql: promql, legend: legend}
	}
	return board{
		key: "engine", from: "now-24h", refresh: "30s",
		variables: []variable{sourceVariable(), {name: prometheusVariable, plugin: "prometheus"}},
		panels: []panel{
			{key: "engine.freshness", kind: number, w: 6, h: 4, cols: []string{"freshness"}, def: "freshness", sql: query(freshnessSQL)},
			{key: "engine.balance", kind: number, w: 6, h: 4, cols: []string{"balance"}, sql: query(`
SELECT toUInt8(min(balanced)) AS balance FROM books WHERE ` + pick)},
			{key: "engine.dead", kind: number, w: 6, h: 4, cols: []string{"dead_letters"}, sql: query(`
SELECT sum(dead_letters) AS dead_letters FROM books WHERE ` + pick)},
			{key: "engine.gaps", kind: number, w: 6, h: 4, cols: []string{"gaps"}, sql: query(`
SELECT sum(gaps) AS gaps FROM books WHERE ` + pick)},
			{
				key: "engine.records", kind: bars, w: 12, h: 8, cols: []string{"records"}, byName: true, more: "stage", sql: query(`
SELECT toDateTime(hour) AS time, toString(stage) AS stage, sum(records) AS records FROM books WHERE ` + pick + ` GROUP BY time, stage ORDER BY time, stage`),
			},
			series("engine.fate", 12, []string{"duplicates", "dead_letters", "replayed", "late"}, `
SELECT toDateTime(hour) AS time, sum(duplicates) AS duplicates, sum(dead_letters) AS dead_letters, sum(replayed) AS replayed, sum(late) AS late
FROM books WHERE `+pick+` GROUP BY time ORDER BY time`),
			{
				key: "engine.books", kind: rows, w: 24, h: 6,
				cols: []string{"stage", "records", "read", "mentions", "unmatched", "duplicates", "dead_letters", "other", "replayed", "late", "gaps", "balance"},
				sql: query(`
SELECT stage, sum(b.records) AS records, sum(b.read) AS read, sum(b.mentions) AS mentions, sum(b.unmatched) AS unmatched, sum(b.duplicates) AS duplicates,
    sum(b.dead_letters) AS dead_letters, sum(b.other) AS other, sum(b.replayed) AS replayed, sum(b.late) AS late, sum(b.gaps) AS gaps,
    toUInt8(min(b.balanced)) AS balance
FROM books AS b WHERE ` + pick + ` GROUP BY stage ORDER BY stage`),
			},
			{
				key: "engine.tasks", kind: rows, w: 24, h: 10, def: "freshness", cols: []string{"stage", "topic", "partition", "next_offset", "watermark", "behind", "flushed_ago"},
				sql: query(`
SELECT stage, topic, partition, next_offset, watermark, dateDiff('second', watermark, $__toTime) AS behind, dateDiff('second', written_at, $__toTime) AS flushed_ago
FROM freshness ORDER BY behind DESC NULLS LAST, stage, topic, partition`),
			},
			{key: "engine.reasons", kind: rows, w: 12, h: 8, cols: []string{"stage", "topic", "reason", "dead_letters", "redriven"}, sql: query(`
SELECT stage, topic, reason, sum(records) AS dead_letters, sum(r.redriven) AS redriven
FROM deadletter_reasons AS r WHERE ` + pick + ` GROUP BY stage, topic, reason ORDER BY dead_letters DESC, topic, reason LIMIT 50`)},
			{key: "engine.topics", kind: rows, w: 12, h: 8, cols: []string{"topic", "records", "dead_letters", "silence"}, sql: query(`
SELECT topic, sumIf(l.records, hour >= $__fromTime) AS records, sumIf(l.dead_letters, hour >= $__fromTime) AS dead_letters,
    greatest(dateDiff('second', maxIf(hour, l.records > 0) + toIntervalHour(1), $__toTime), 0) AS silence
FROM ledger AS l WHERE stage = 'ingest' AND hour >= $__fromTime - toIntervalDay(7) AND hour <= $__toTime
GROUP BY topic ORDER BY silence DESC, topic`)},
			heading("engine.metrics"),
			metric("engine.lag", "lag", "sum by (stage, topic) (otklik_consumer_lag_records)", "{{stage}} {{topic}}"),
			metric("engine.flush", "flush_p99", "histogram_quantile(0.99, sum by (stage, le) (rate(otklik_flush_duration_seconds_bucket[$__rate_interval])))", "{{stage}}"),
			metric("engine.restore", "restore_p99", "histogram_quantile(0.99, sum by (stage, le) (rate(otklik_restore_duration_seconds_bucket[$__rate_interval])))", "{{stage}}"),
			metric("engine.retries", "retries", "sum by (target) (rate(otklik_retries_total[$__rate_interval]))", "{{target}}"),
			heading("engine.external"),
			metric("engine.external_texts", "texts", "sum(rate(otklik_classifier_texts_total[$__rate_interval]))", "otklik"),
			metric("engine.external_fallbacks", "fallbacks", "sum by (reason) (rate(otklik_classifier_fallbacks_total[$__rate_interval]))", "{{reason}}"),
			metric("engine.external_time", "request_p99", "histogram_quantile(0.99, sum by (result, le) (rate(otklik_classifier_request_duration_seconds_bucket[$__rate_interval])))", "{{result}}"),
			metric("engine.external_alone", "left_alone", "sum(otklik_classifier_left_alone)", "otklik"),
		},
	}
}

// freshnessSQL takes the tasks that flushed within ten minutes of the newest flush: the others are idle.
const freshnessSQL = `
SELECT dateDiff('second', minIf(watermark, written_at >= newest - toIntervalMinute(10)), $__toTime) AS freshness
FROM (SELECT watermark, written_at, max(written_at) OVER () AS newest FROM freshness WHERE watermark IS NOT NULL)`
