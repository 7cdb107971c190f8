{{- define "counts"}}    positive Int64 COMMENT 'Positive mentions by customers',
    neutral Int64 COMMENT 'Neutral mentions by customers',
    negative Int64 COMMENT 'Negative mentions by customers',
    unlabelled Int64 COMMENT 'Mentions by customers in a language that the classifier does not know',
    own Int64 COMMENT 'Posts by official accounts of the brand, kept apart from shares',
    spam Int64 COMMENT 'Spam, kept apart from shares',
    reposts Int64 COMMENT 'Reposts by customers',
    questions Int64 COMMENT 'Mentions by customers that ask something',
    complaints Int64 COMMENT 'Mentions by customers that complain',
    severe Int64 COMMENT 'Mentions by customers with severity 2 or 3',
    advocacy Int64 COMMENT 'Mentions by customers that spread the official presence of the brand',
    needs_answer Int64 COMMENT 'Messages of customers that the brand ought to answer',
    audience Int64 COMMENT 'Sum of the followers of the authors over mentions: gross, an author counts each time',
    likes Int64 COMMENT 'Likes of the mentions of customers when they were delivered',
    shares Int64 COMMENT 'Shares of the mentions of customers when they were delivered',
    views Int64 COMMENT 'Views of the mentions of customers when they were delivered',
    requests Int64 COMMENT 'Customer turns that needed an answer, by the time of the request',
    answered Int64 COMMENT 'Of requests: answered by the brand',
{{- end}}

{{- define "copy"}}CREATE OR REPLACE VIEW {{view .View}}
(
{{range $i, $c := .Columns}}{{if $i}},
{{end}}    {{$c.Name}} {{$c.Type}} COMMENT '{{$c.Comment}}'{{end}}
)
{{definer}} AS SELECT {{range $i, $c := .Columns}}{{if $i}}, {{end}}{{$c.Name}}{{end}}
FROM {{store .Table}} FINAL{{if .Partitioned}}
SETTINGS do_not_merge_across_partitions_select_final = 1{{end}}
COMMENT '{{.Comment}}';
{{- end}}

{{- define "sentiment"}}CREATE OR REPLACE VIEW {{view (printf "sentiment_%s" .Grain)}}
(
    start DateTime64(3, 'UTC') COMMENT 'First moment of the window',
    brand LowCardinality(String) COMMENT 'Brand of the catalogue',
    platform LowCardinality(String) COMMENT 'Social platform',
    product LowCardinality(String) COMMENT 'Empty: every mention; else the mentions of that product, which never add up to the whole',
    mentions Int64 COMMENT 'Mentions by customers: labelled and unlabelled',
    labelled Int64 COMMENT 'Of mentions: positive, neutral or negative; the denominator of the shares',
{{counts}}
    positive_share Nullable(Float64) COMMENT 'Positive divided by labelled; NULL when nothing was labelled',
    positive_share_low Nullable(Float64) COMMENT 'Lower 95 % Wilson bound of positive_share',
    positive_share_high Nullable(Float64) COMMENT 'Upper 95 % Wilson bound of positive_share',
    neutral_share Nullable(Float64) COMMENT 'Neutral divided by labelled; NULL when nothing was labelled',
    neutral_share_low Nullable(Float64) COMMENT 'Lower 95 % Wilson bound of neutral_share',
    neutral_share_high Nullable(Float64) COMMENT 'Upper 95 % Wilson bound of neutral_share',
    negative_share Nullable(Float64) COMMENT 'Negative divided by labelled; NULL when nothing was labelled',
    negative_share_low Nullable(Float64) COMMENT 'Lower 95 % Wilson bound of negative_share',
    negative_share_high Nullable(Float64) COMMENT 'Upper 95 % Wilson bound of negative_share',
    loyal_share Nullable(Float64) COMMENT 'Positive and neutral divided by labelled; NULL when nothing was labelled',
    loyal_share_low Nullable(Float64) COMMENT 'Lower 95 % Wilson bound of loyal_share',
    loyal_share_high Nullable(Float64) COMMENT 'Upper 95 % Wilson bound of loyal_share',
    net_sentiment Nullable(Float64) COMMENT 'Positive minus negative, divided by labelled; NULL when nothing was labelled',
    net_sentiment_polar Nullable(Float64) COMMENT 'Positive minus negative, divided by positive plus negative; NULL when there is neither',
    coverage Nullable(Float64) COMMENT 'Labelled divided by mentions; NULL when there are none',
    is_final Bool COMMENT 'Every partition has closed the window'
)
{{definer}} AS WITH
    (k, n) -> k / n AS ratio,
    (k, n, sign) -> (k / n + 3.841458820694124 / (2 * n) + sign * 1.959963984540054 * sqrt(greatest((k / n) * (1 - k / n) / n + 3.841458820694124 / (4 * n * n), 0)))
        / (1 + 3.841458820694124 / n) AS wilson,
    nullIf(labelled, 0) AS base
SELECT start, brand, platform, product,
    labelled + unlabelled AS mentions,
    positive + neutral + negative AS labelled,
    sum(p.positive) AS positive, sum(p.neutral) AS neutral, sum(p.negative) AS negative, sum(p.unlabelled) AS unlabelled,
    sum(p.own) AS own, sum(p.spam) AS spam, sum(p.reposts) AS reposts, sum(p.questions) AS questions,
    sum(p.complaints) AS complaints, sum(p.severe) AS severe, sum(p.advocacy) AS advocacy, sum(p.needs_answer) AS needs_answer,
    sum(p.audience) AS audience, sum(p.likes) AS likes, sum(p.shares) AS shares, sum(p.views) AS views,
    sum(p.requests) AS requests, sum(p.answered) AS answered,
    ratio(positive, base) AS positive_share, wilson(positive, base, -1) AS positive_share_low, wilson(positive, base, 1) AS positive_share_high,
    ratio(neutral, base) AS neutral_share, wilson(neutral, base, -1) AS neutral_share_low, wilson(neutral, base, 1) AS neutral_share_high,
    ratio(negative, base) AS negative_share, wilson(negative, base, -1) AS negative_share_low, wilson(negative, base, 1) AS negative_share_high,
    ratio(positive + neutral, base) AS loyal_share, wilson(positive + neutral, base, -1) AS loyal_share_low,
    wilson(positive + neutral, base, 1) AS loyal_share_high,
    (positive - negative) / base AS net_sentiment,
    (positive - negative) / nullIf(positive + negative, 0) AS net_sentiment_polar,
    labelled / nullIf(mentions, 0) AS coverage,
    min(p.is_final) AS is_final
FROM {{store "panes"}} AS p FINAL
WHERE p.grain = '{{.Grain}}'
GROUP BY start, brand, platform, product
SETTINGS do_not_merge_across_partitions_select_final = 1
COMMENT 'Sentiment of a brand on a platform in windows of {{.Length}}, all partitions together';
{{- end}}
