package dashboards

import "strings"

// The queries are put together from these parts. {name} in a query is replaced by the part of that name; Grafana's own
// variables and macros begin with a dollar sign.
var parts = map[string]string{
	// grain picks the panes by the length of the range: minutes up to six hours, hours up to two weeks, days beyond.
	"grain": "grain = multiIf(dateDiff('second', $__fromTime, $__toTime) <= 21600, '1m', dateDiff('second', $__fromTime, $__toTime) <= 1209600, '1h', '1d')",
	"span":  "toIntervalSecond(dateDiff('second', $__fromTime, $__toTime))",

	"brand":    "$__conditionalAll(brand IN (${brand:singlequote}), $brand)",
	"platform": "$__conditionalAll(platform IN (${platform:singlequote}), $platform)",
	// product chooses rows of panes; All stands for the rows that count every mention.
	"product": "product IN (${product:singlequote})",
	// named chooses single posts by product.
	"named": "$__conditionalAll(hasAny(products, [${product:singlequote}]), $product)",

	// together chooses rolling rows: of the platform where one is chosen, else of all together, because shares of several do not add up.
	"together": "platform = if($__conditionalAll(1 = 0, $platform) OR length([${platform:singlequote}]) != 1, '', " +
		"arrayStringConcat(CAST([${platform:singlequote}], 'Array(String)')))",

	"labelled": "(positive + neutral + negative)",
	"mentions": "(positive + neutral + negative + unlabelled)",

	// seconds is the wait on the clock that the dashboard's variable chooses.
	"seconds": "if(${clock:singlequote} = 'business', business_seconds, waiting_seconds)",
	"sla":     "(60 * toFloat64OrZero(${sla:singlequote}))",
	"target":  "(toFloat64OrZero(${target:singlequote}) / 100)",
	"zone":    "if(lower(${__timezone:singlequote}) IN ('utc', 'browser', ''), 'UTC', ${__timezone:singlequote})",
	"minimum": "30",

	// adjusted are the raw and the adjusted shares of hours up to two weeks, of days beyond.
	"adjusted": "({adjusted_columns} FROM adjusted_1h WHERE dateDiff('second', $__fromTime, $__toTime) <= 1209600 AND $__timeFilter(start) AND {brand} AND {together}\n" +
		"      UNION ALL {adjusted_columns} FROM adjusted_1d WHERE dateDiff('second', $__fromTime, $__toTime) > 1209600 AND $__timeFilter(start) AND {brand} AND {together})",
	"adjusted_columns": "SELECT start, labelled, loyal_share, adjusted_loyal_share, adjusted_loyal_share_low, adjusted_loyal_share_high, state",
	// last_day are the rolling windows of 24 hours that end in the last day of the range.
	"last_day": "rolling WHERE window_seconds = 86400 AND at >= $__toTime - toIntervalHour(24) AND at <= $__toTime AND {brand} AND {together}",

	// wilson is the 95 % Wilson score interval, as in the views; sign is -1 for the lower bound and 1 for the upper.
	"wilson": "(k, n, sign) -> (k / n + 3.841458820694124 / (2 * n) + sign * 1.959963984540054 * " +
		"sqrt(greatest((k / n) * (1 - k / n) / n + 3.841458820694124 / (4 * n * n), 0))) / (1 + 3.841458820694124 / n) AS wilson",

	"open_claim": "state IN ('open', 'accepted', 'needs_details', 'reopened')",

	// of_episode chooses the reasons of the alert episode that the dashboard chooses.
	"of_episode": "id IN (SELECT id FROM alerts WHERE {episode} = ${episode:singlequote})",

	// An incident lasts from an hour before its alert until it cleared; without one it is the range of the dashboard.
	"episode":        "concat(brand, '|', platform, '|', rule, '|', toString(toUnixTimestamp64Milli(opened_at)))",
	"incident_since": "(SELECT ifNull(maxOrNull(opened_at) - toIntervalHour(1), toDateTime64($__fromTime, 3, 'UTC')) FROM alerts WHERE {episode} = ${episode:singlequote})",
	"incident_until": "(SELECT ifNull(maxOrNull(ifNull(cleared_at, toDateTime64($__toTime, 3, 'UTC'))), toDateTime64($__toTime, 3, 'UTC')) FROM alerts WHERE {episode} = ${episode:singlequote})",
	"incident":       "published_at >= {incident_since} AND published_at <= {incident_until}",
}

// query fills in the parts of a query.
func query(sql string) string {
	for range 3 { // parts hold parts
		for name, part := range parts {
			sql = strings.ReplaceAll(sql, "{"+name+"}", part)
		}
	}
	return strings.TrimSpace(sql)
}

var alertAnnotation = query(`
SELECT opened_at AS time, ifNull(cleared_at, $__toTime) AS timeEnd, concat(brand, if(platform = '', '', concat(' ', platform))) AS title,
    concat(toString(negatives), ' / ', toString(labelled)) AS text, rule AS tags
FROM alerts
WHERE {brand} AND opened_at <= $__toTime AND ifNull(cleared_at, $__toTime) >= $__fromTime
ORDER BY time LIMIT 200`)

// modelAnnotation marks where another classifier begins to label most mentions of an hour, beyond two weeks of a day.
var modelAnnotation = query(`
SELECT time, brand AS title, concat(before, ' → ', model) AS text
FROM (SELECT time, brand, model, lagInFrame(model) OVER (PARTITION BY brand ORDER BY time ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS before
      FROM (SELECT time, brand, argMax(model, labelled) AS model
            FROM (SELECT if(dateDiff('second', $__fromTime, $__toTime) <= 1209600, hour, toStartOfDay(hour)) AS time, toString(brand) AS brand, toString(model) AS model,
                      sum(mentions) AS labelled
                  FROM label_models WHERE $__timeFilter(hour) AND {brand} GROUP BY time, brand, model)
            GROUP BY time, brand))
WHERE before != '' AND before != model
ORDER BY time LIMIT 200`)

var quarterAnnotation = query(`
SELECT toDateTime(quarter, 'UTC') AS time, concat('Q', toString(toQuarter(quarter)), ' ', toString(toYear(quarter))) AS text
FROM (SELECT arrayJoin(arrayMap(i -> addQuarters(toStartOfQuarter($__fromTime), i), range(13))) AS quarter)
WHERE quarter > $__fromTime AND quarter <= $__toTime
ORDER BY time`)
