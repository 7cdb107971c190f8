-- Shares with the errors of the classifier taken out, beside the raw ones. Rows of before keep the state no_matrix. The beginning of an hour or a day is its
-- end minus a constant, because a condition on it then reads only the rows of that time.

{{range tables "rolling"}}ALTER TABLE {{.}}{{$.OnCluster}}
    ADD COLUMN IF NOT EXISTS adjusted_state Enum8('no_matrix' = 0, 'ok' = 1, 'too_few' = 2, 'weak_matrix' = 3, 'misfit' = 4) COMMENT 'Whether the adjusted shares stand; if not they are NULL. too_few: noise alone makes an interval wider than 0.4. weak_matrix: the errors of the classifier are not known well enough. misfit: labels like these do not come from its confusion matrix. no_matrix: it has none' AFTER net_sentiment_polar,
    ADD COLUMN IF NOT EXISTS adjusted_by LowCardinality(String) COMMENT 'Classifier whose confusion matrix the shares are adjusted by; empty without one' AFTER adjusted_state,
    ADD COLUMN IF NOT EXISTS adjusted_positive_share Nullable(Float64) COMMENT 'Positive share with the errors of the classifier taken out' AFTER adjusted_by,
    ADD COLUMN IF NOT EXISTS adjusted_positive_share_low Nullable(Float64) COMMENT 'Lower 95 % bound of adjusted_positive_share: noise of the counts and errors of the classifier' AFTER adjusted_positive_share,
    ADD COLUMN IF NOT EXISTS adjusted_positive_share_high Nullable(Float64) COMMENT 'Upper 95 % bound of adjusted_positive_share' AFTER adjusted_positive_share_low,
    ADD COLUMN IF NOT EXISTS adjusted_neutral_share Nullable(Float64) COMMENT 'Neutral share with the errors of the classifier taken out' AFTER adjusted_positive_share_high,
    ADD COLUMN IF NOT EXISTS adjusted_neutral_share_low Nullable(Float64) COMMENT 'Lower 95 % bound of adjusted_neutral_share' AFTER adjusted_neutral_share,
    ADD COLUMN IF NOT EXISTS adjusted_neutral_share_high Nullable(Float64) COMMENT 'Upper 95 % bound of adjusted_neutral_share' AFTER adjusted_neutral_share_low,
    ADD COLUMN IF NOT EXISTS adjusted_negative_share Nullable(Float64) COMMENT 'Negative share with the errors of the classifier taken out; 1 minus it is the adjusted loyal share' AFTER adjusted_neutral_share_high,
    ADD COLUMN IF NOT EXISTS adjusted_negative_share_low Nullable(Float64) COMMENT 'Lower 95 % bound of adjusted_negative_share' AFTER adjusted_negative_share,
    ADD COLUMN IF NOT EXISTS adjusted_negative_share_high Nullable(Float64) COMMENT 'Upper 95 % bound of adjusted_negative_share' AFTER adjusted_negative_share_low,
    ADD COLUMN IF NOT EXISTS adjusted_net_sentiment Nullable(Float64) COMMENT 'Adjusted positive minus adjusted negative share' AFTER adjusted_negative_share_high,
    ADD COLUMN IF NOT EXISTS adjusted_net_sentiment_low Nullable(Float64) COMMENT 'Lower 95 % bound of adjusted_net_sentiment' AFTER adjusted_net_sentiment,
    ADD COLUMN IF NOT EXISTS adjusted_net_sentiment_high Nullable(Float64) COMMENT 'Upper 95 % bound of adjusted_net_sentiment' AFTER adjusted_net_sentiment_low;

{{end}}
{{copy "rolling" "Rolling windows of a brand, one row for each minute on which they end"}}

{{define "adjusted"}}CREATE OR REPLACE VIEW {{view (printf "adjusted_%s" .)}}
(
    start DateTime64(3, 'UTC') COMMENT 'First moment of the window',
    brand LowCardinality(String) COMMENT 'Brand of the catalogue',
    platform LowCardinality(String) COMMENT 'Social platform; empty for all platforms together',
    mentions Int64 COMMENT 'Mentions by customers: labelled and unlabelled',
    labelled Int64 COMMENT 'Of mentions: positive, neutral or negative',
    positive Int64 COMMENT 'Positive mentions by customers',
    neutral Int64 COMMENT 'Neutral mentions by customers',
    negative Int64 COMMENT 'Negative mentions by customers',
    state Enum8('no_matrix' = 0, 'ok' = 1, 'too_few' = 2, 'weak_matrix' = 3, 'misfit' = 4) COMMENT 'Whether the adjusted shares stand: adjusted_state of rolling; if not they are NULL',
    adjusted_by LowCardinality(String) COMMENT 'Classifier whose confusion matrix the shares are adjusted by; empty without one',
    positive_share Nullable(Float64) COMMENT 'Positive divided by labelled, as in sentiment_{{.}}',
    adjusted_positive_share Nullable(Float64) COMMENT 'Positive share with the errors of the classifier taken out',
    adjusted_positive_share_low Nullable(Float64) COMMENT 'Lower 95 % bound of adjusted_positive_share: noise of the counts and errors of the classifier',
    adjusted_positive_share_high Nullable(Float64) COMMENT 'Upper 95 % bound of adjusted_positive_share',
    neutral_share Nullable(Float64) COMMENT 'Neutral divided by labelled',
    adjusted_neutral_share Nullable(Float64) COMMENT 'Neutral share with the errors of the classifier taken out',
    adjusted_neutral_share_low Nullable(Float64) COMMENT 'Lower 95 % bound of adjusted_neutral_share',
    adjusted_neutral_share_high Nullable(Float64) COMMENT 'Upper 95 % bound of adjusted_neutral_share',
    negative_share Nullable(Float64) COMMENT 'Negative divided by labelled',
    adjusted_negative_share Nullable(Float64) COMMENT 'Negative share with the errors of the classifier taken out',
    adjusted_negative_share_low Nullable(Float64) COMMENT 'Lower 95 % bound of adjusted_negative_share',
    adjusted_negative_share_high Nullable(Float64) COMMENT 'Upper 95 % bound of adjusted_negative_share',
    loyal_share Nullable(Float64) COMMENT 'Positive and neutral divided by labelled',
    adjusted_loyal_share Nullable(Float64) COMMENT 'Loyal share with the errors of the classifier taken out',
    adjusted_loyal_share_low Nullable(Float64) COMMENT 'Lower 95 % bound of adjusted_loyal_share',
    adjusted_loyal_share_high Nullable(Float64) COMMENT 'Upper 95 % bound of adjusted_loyal_share',
    net_sentiment Nullable(Float64) COMMENT 'Positive minus negative, divided by labelled',
    adjusted_net_sentiment Nullable(Float64) COMMENT 'Adjusted positive minus adjusted negative share',
    adjusted_net_sentiment_low Nullable(Float64) COMMENT 'Lower 95 % bound of adjusted_net_sentiment',
    adjusted_net_sentiment_high Nullable(Float64) COMMENT 'Upper 95 % bound of adjusted_net_sentiment',
    is_final Bool COMMENT 'Every pane of the window is final'
)
{{definer}} AS SELECT at - toIntervalSecond({{if eq . "1h"}}3600{{else}}86400{{end}}) AS start, brand, platform,
    positive + neutral + negative + unlabelled AS mentions, positive + neutral + negative AS labelled, positive, neutral, negative,
    adjusted_state AS state, adjusted_by,
    positive_share, adjusted_positive_share, adjusted_positive_share_low, adjusted_positive_share_high,
    neutral_share, adjusted_neutral_share, adjusted_neutral_share_low, adjusted_neutral_share_high,
    negative_share, adjusted_negative_share, adjusted_negative_share_low, adjusted_negative_share_high,
    loyal_share, 1 - adjusted_negative_share AS adjusted_loyal_share, 1 - adjusted_negative_share_high AS adjusted_loyal_share_low,
    1 - adjusted_negative_share_low AS adjusted_loyal_share_high,
    net_sentiment, adjusted_net_sentiment, adjusted_net_sentiment_low, adjusted_net_sentiment_high, is_final
FROM {{store "rolling"}} FINAL
WHERE window_seconds = {{if eq . "1h"}}3600 AND at = toStartOfHour(at){{else}}86400 AND at = toStartOfDay(at){{end}}
SETTINGS do_not_merge_across_partitions_select_final = 1
COMMENT 'Raw and adjusted shares of {{if eq . "1h"}}whole hours{{else}}whole UTC days{{end}}: the rows of rolling that end with one. One that is not over yet is in rolling alone';
{{- end}}{{template "adjusted" "1h"}}

{{template "adjusted" "1d"}}
