package dashboards

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"otklik/dashboards/clickhouse"
)

// rule is one alert rule: a base query with one row per label, of which three figures are taken.
type rule struct {
	key      string // in the catalogue, and anchor of the runbook
	severity string // critical or warning
	board    string // key of the dashboard to look at
	panel    string // key of the panel
	window   int64  // seconds before the evaluation that $__fromTime stands for
	label    string // column that tells instances apart: brand, stage or topic
	// base returns label, figure, baseline and since (seconds since the Unix epoch). {own} restricts it to the brands of the options.
	base    string
	above   bool // fires above the limit, else below it
	limit   float64
	pending string // how long it must hold
}

// rules are all alert rules. target is the loyal share to reach, 0 to 1.
func rules(target float64) []rule {
	return []rule{
		{
			key: "spike", severity: "critical", board: "crisis", panel: "crisis.what", window: day, label: "brand", above: true, limit: 0, pending: "0s", base: `
SELECT brand, toFloat64(max(negatives)) AS figure, max(baseline_negatives) AS baseline, toFloat64(toUnixTimestamp(min(opened_at))) AS since
FROM alerts WHERE rule LIKE 'negativity%' AND opened_at >= $__fromTime AND opened_at <= $__toTime AND (cleared_at IS NULL OR cleared_at > $__toTime){own}
GROUP BY brand`,
		},
		{
			// More requests missed in two hours than three times the usual number. A request without answer is overdue once the desk has
			// answered others an hour later: at night it is not at work.
			key: "sla", severity: "warning", board: "care", panel: "care.sla", window: 7 * day, label: "brand", above: false, limit: 0.5, pending: "10m", base: `
SELECT brand, met / due AS figure, met_before / nullIf(due_before, 0) AS baseline, toFloat64(toUnixTimestamp(oldest)) AS since
FROM (SELECT brand, countIf(now_here AND is_due) AS due, countIf(now_here AND is_due AND in_time) AS met,
          countIf(NOT now_here AND is_due) AS due_before, countIf(NOT now_here AND is_due AND in_time) AS met_before,
          dateDiff('second', min(at), $__toTime) / 7200 - 1 AS windows_before, minIf(at, now_here) AS oldest
      FROM (SELECT brand, w.since AS at, w.since >= $__toTime - toIntervalHour(2) AS now_here, ifNull(business_seconds <= 3600, false) AS in_time,
                business_seconds IS NOT NULL OR w.since <= max(answered_at) OVER (PARTITION BY brand) - toIntervalHour(1) AS is_due
            FROM waits AS w WHERE w.since >= $__fromTime AND w.since <= $__toTime{own})
      GROUP BY brand)
WHERE due - met >= 20 AND due - met > 3 * (due_before - met_before) / greatest(windows_before, 1)`,
		},
		{
			key: "oldest", severity: "warning", board: "care", panel: "care.waiting", window: 3 * day, label: "brand", above: true, limit: day, pending: "10m", base: `
SELECT brand, toFloat64(dateDiff('second', minIf(w.since, answered_at IS NULL), $__toTime)) AS figure,
    quantileExactInclusiveOrNull(0.5)(waiting_seconds) AS baseline, toFloat64(toUnixTimestamp(minIf(w.since, answered_at IS NULL))) AS since
FROM waits AS w WHERE w.since >= $__fromTime AND w.since <= $__toTime AND is_first{own}
GROUP BY brand
HAVING countIf(answered_at IS NULL) > 0`,
		},
		{
			key: "share", severity: "warning", board: "reputation", panel: "reputation.loyal", window: 8 * day, label: "brand", above: false, limit: target, pending: "30m", base: `
WITH {wilson}
SELECT brand, k / n AS figure, k_before / nullIf(n_before, 0) AS baseline, toFloat64(toUnixTimestamp($__toTime - toIntervalHour(24))) AS since
FROM (SELECT brand, sumIf(positive + neutral, start >= $__toTime - toIntervalHour(24)) AS k, sumIf({labelled}, start >= $__toTime - toIntervalHour(24)) AS n,
          sumIf(positive + neutral, start < $__toTime - toIntervalHour(24)) AS k_before, sumIf({labelled}, start < $__toTime - toIntervalHour(24)) AS n_before
      FROM panes WHERE grain = '1h' AND start >= $__fromTime AND start <= $__toTime AND product = ''{own} GROUP BY brand)
WHERE n >= 100 AND wilson(k, n, 1) < ` + strconv.FormatFloat(target, 'g', -1, 64),
		},
		{
			// Only where a department says what it receives: without that every claim would be late.
			key: "claims", severity: "warning", board: "posts", panel: "posts.not_received", window: 3 * day, label: "brand", above: true, limit: 4 * hour, pending: "10m", base: `
SELECT brand, toFloat64(dateDiff('second', minIf(published_at, waits_here), $__toTime)) AS figure,
    quantileExactInclusiveOrNull(0.5)(toFloat64(dateDiff('second', published_at, handed_over_at))) AS baseline, toFloat64(toUnixTimestamp(minIf(published_at, waits_here))) AS since
FROM (SELECT brand, published_at, handed_over_at, {open_claim} AND handed_over_at IS NULL AS waits_here
      FROM claim_queue WHERE published_at >= $__fromTime AND published_at <= $__toTime AND state != 'withdrawn'{own})
GROUP BY brand
HAVING countIf(waits_here) > 0 AND countIf(handed_over_at IS NOT NULL) > 0`,
		},
		{
			key: "breach", severity: "critical", board: "care", panel: "care.breaches", window: 8 * day, label: "brand", above: true, limit: 0, pending: "0s", base: `
SELECT brand, toFloat64(sumIf(confidential, day >= toDate($__toTime - toIntervalDay(1), 'UTC'))) AS figure,
    sumIf(confidential, day < toDate($__toTime - toIntervalDay(1), 'UTC')) / 7 AS baseline,
    toFloat64(toUnixTimestamp(toDateTime(minIf(day, confidential > 0 AND day >= toDate($__toTime - toIntervalDay(1), 'UTC')), 'UTC'))) AS since
FROM compliance_1d WHERE day >= toDate($__fromTime, 'UTC') AND day <= toDate($__toTime, 'UTC'){own}
GROUP BY brand`,
		},
		{
			key: "silence", severity: "critical", board: "engine", panel: "engine.topics", window: 8 * day, label: "topic", above: true, limit: 2 * hour, pending: "5m", base: `
SELECT topic, toFloat64(greatest(dateDiff('second', last_hour + toIntervalHour(1), $__toTime), 0)) AS figure, read_records / hours AS baseline,
    toFloat64(toUnixTimestamp(last_hour + toIntervalHour(1))) AS since
FROM (SELECT topic, max(hour) AS last_hour, sum(records) AS read_records, 1 + dateDiff('hour', min(hour), max(hour)) AS hours
      FROM ledger WHERE stage = 'ingest' AND hour >= $__fromTime AND hour <= $__toTime AND records > 0 GROUP BY topic)
WHERE baseline >= 5`,
		},
		{
			key: "freshness", severity: "critical", board: "engine", panel: "engine.tasks", window: hour, label: "stage", above: true, limit: 15 * minute, pending: "5m", base: `
SELECT stage, toFloat64(dateDiff('second', min(mark), $__toTime)) AS figure, toFloat64(count()) AS baseline, toFloat64(toUnixTimestamp(min(mark))) AS since
FROM (SELECT stage, assumeNotNull(watermark) AS mark, written_at, max(written_at) OVER () AS newest FROM freshness WHERE watermark IS NOT NULL)
WHERE written_at >= newest - toIntervalMinute(10)
GROUP BY stage`,
		},
		{
			key: "balance", severity: "critical", board: "engine", panel: "engine.books", window: 7 * day, label: "stage", above: true, limit: 0, pending: "5m", base: `
SELECT stage, toFloat64(countIf(NOT balanced)) AS figure, toFloat64(count()) AS baseline, toFloat64(toUnixTimestamp(minIf(hour, NOT balanced))) AS since
FROM books WHERE hour >= $__fromTime AND hour <= $__toTime
GROUP BY stage`,
		},
		{
			key: "deadletters", severity: "warning", board: "engine", panel: "engine.reasons", window: 7 * day, label: "topic", above: true, limit: 0.03, pending: "10m", base: `
SELECT topic, dead / items AS figure, dead_before / nullIf(items_before, 0) AS baseline, toFloat64(toUnixTimestamp($__toTime - toIntervalHour(2))) AS since
FROM (SELECT topic, sumIf(dead_letters, hour >= $__toTime - toIntervalHour(2)) AS dead, sumIf(read, hour >= $__toTime - toIntervalHour(2)) AS items,
          sumIf(dead_letters, hour < $__toTime - toIntervalHour(2)) AS dead_before, sumIf(read, hour < $__toTime - toIntervalHour(2)) AS items_before
      FROM ledger WHERE stage = 'ingest' AND hour >= $__fromTime AND hour <= $__toTime GROUP BY topic)
WHERE items >= 100 AND (items_before < 100 OR figure > 2 * baseline)`,
		},
	}
}

// The names of the expressions of a rule; its summary and the notifications refer to them.
const (
	nameFigure   = "figure"
	nameBaseline = "baseline"
	nameSince    = "since"
	nameFiring   = "firing"
)

// baselineFigure finds the baseline in a summary.
var baselineFigure = regexp.MustCompile(`\{\{[^{}]*\$(values\.` + nameBaseline + `\.Value)[^{}]*\}\}`)

// expressionUID is Grafana's data source of server-side expressions.
const expressionUID = "__expr__"

// The file form of alert provisioning; it differs from the HTTP form that the SDK knows
// (https://grafana.com/docs/grafana/latest/alerting/set-up/provision-alerting-resources/file-provisioning/).
type (
	alertFile struct {
		APIVersion int          `yaml:"apiVersion"`
		Groups     []alertGroup `yaml:"groups"`
	}
	alertGroup struct {
		OrgID    int         `yaml:"orgId"`
		Name     string      `yaml:"name"`
		Folder   string      `yaml:"folder"`
		Interval string      `yaml:"interval"` // must divide by ten seconds
		Rules    []alertRule `yaml:"rules"`
	}
	alertRule struct {
		UID          string            `yaml:"uid"`
		Title        string            `yaml:"title"`
		Condition    string            `yaml:"condition"`
		For          string            `yaml:"for"`
		NoDataState  string            `yaml:"noDataState"`
		ExecErrState string            `yaml:"execErrState"`
		DashboardUID string            `yaml:"dashboardUid"`
		PanelID      int64             `yaml:"panelId"`
		Annotations  map[string]string `yaml:"annotations"`
		Labels       map[string]string `yaml:"labels"`
		Data         []alertQuery      `yaml:"data"`
	}
	alertQuery struct {
		RefID             string         `yaml:"refId"`
		DatasourceUID     string         `yaml:"datasourceUid"`
		RelativeTimeRange relativeRange  `yaml:"relativeTimeRange"`
		Model             map[string]any `yaml:"model"`
	}
	relativeRange struct {
		From int64 `yaml:"from"`
		To   int64 `yaml:"to"`
	}
)

// groupName is the evaluation group that holds the rules.
const groupName = "otklik"

// interval is how often the rules are evaluated.
const interval = "1m"

// build returns the rule in one language.
func (r *rule) build(w *printer, o Options) (alertRule, error) {
	title, summary := w.alert(r.key)
	if strings.Contains(title, "$") {
		return alertRule{}, fmt.Errorf("alert %s: provisioning would expand the $ of its title", r.key)
	}
	// A baseline is NULL while there is no past to compare with; Grafana makes it NaN, which alone differs from itself.
	summary = baselineFigure.ReplaceAllString(summary, "{{ if eq $$$1 $$$1 }}$0{{ else }}"+w.word("alert_no_baseline")+"{{ end }}")
	base := r.base
	own := ""
	if len(o.Brands) > 0 && r.label == "brand" {
		own = " AND brand IN ('" + strings.Join(o.Brands, "', '") + "')"
	}
	base = query(strings.ReplaceAll(base, "{own}", own))
	link := "/d/" + uid(r.board) + "?from=now-24h&to=now"
	if r.label == "brand" {
		link += "&var-brand={{ $labels.brand }}"
	}
	out := alertRule{
		UID: uid(r.key), Title: title, Condition: nameFiring, For: r.pending, NoDataState: "OK", ExecErrState: "Error",
		DashboardUID: uid(r.board), PanelID: int64(panelID(r.panel)),
		Annotations: map[string]string{
			"summary": summary, "dashboard": link, "runbook_url": o.Runbook + "#" + r.key,
			"__dashboardUid__": uid(r.board), "__panelId__": strconv.FormatUint(uint64(panelID(r.panel)), 10),
		},
		Labels: map[string]string{"severity": r.severity, "source": "otklik"},
	}
	for _, f := range []struct{ ref, column string }{{"A", nameFigure}, {"B", nameBaseline}, {"C", nameSince}} {
		out.Data = append(out.Data, alertQuery{
			RefID: f.ref, DatasourceUID: DatasourceUID, RelativeTimeRange: relativeRange{From: r.window},
			Model: map[string]any{
				"datasource": map[string]any{"type": clickhouse.Plugin, "uid": DatasourceUID}, "refId": f.ref, "editorType": "sql", "format": int(clickhouse.Table),
				"queryType": "table", "pluginVersion": clickhouse.PluginVersion, "intervalMs": 60_000, "maxDataPoints": 1000,
				"rawSql": "SELECT toString(" + r.label + ") AS " + r.label + ", " + f.column + " FROM (\n" + base + "\n)",
			},
		})
	}
	expression := func(ref string, model map[string]any) {
		model["refId"], model["datasource"] = ref, map[string]any{"type": expressionUID, "uid": expressionUID}
		out.Data = append(out.Data, alertQuery{RefID: ref, DatasourceUID: expressionUID, Model: model})
	}
	for _, f := range []struct{ ref, of string }{{nameFigure, "A"}, {nameBaseline, "B"}, {nameSince, "C"}} {
		expression(f.ref, map[string]any{"type": "reduce", "reducer": "last", "expression": f.of})
	}
	comparison := "lt"
	if r.above {
		comparison = "gt"
	}
	expression(nameFiring, map[string]any{
		"type": "threshold", "expression": nameFigure,
		"conditions": []any{map[string]any{"evaluator": map[string]any{"type": comparison, "params": []any{r.limit}}}},
	})
	return out, nil
}
