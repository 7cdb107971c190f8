-- What readers see of alert episodes.

CREATE OR REPLACE VIEW {{view "alerts"}}
(
    brand LowCardinality(String) COMMENT 'Brand of the catalogue',
    platform LowCardinality(String) COMMENT 'Social platform; empty for all platforms together',
    rule LowCardinality(String) COMMENT 'Which rule fired: negativity_spike or volume_spike',
    opened_at DateTime64(3, 'UTC') COMMENT 'End of the window in which the episode began: with brand, platform and rule its key',
    id String COMMENT 'Key of the episode in messages',
    cleared_at Nullable(DateTime64(3, 'UTC')) COMMENT 'End of the window in which it cleared; NULL while it lasts',
    peak_at Nullable(DateTime64(3, 'UTC')) COMMENT 'End of the window with the most of what the rule counts: negatives, or mentions for volume_spike',
    severity LowCardinality(String) COMMENT 'How far the highest window was above the usual: notice, warning or critical',
    negatives Int64 COMMENT 'Negative mentions in the peak window',
    labelled Int64 COMMENT 'Labelled mentions in the peak window',
    mentions Int64 COMMENT 'Mentions by customers in the peak window, labelled or not',
    negative_share Nullable(Float64) COMMENT 'Negative divided by labelled in the peak window',
    negative_share_low Nullable(Float64) COMMENT 'Lower 95 % Wilson bound of negative_share',
    baseline_negatives Nullable(Float64) COMMENT 'Usual number in the same hours of the past of what the rule counts',
    baseline_mad Nullable(Float64) COMMENT 'Scaled deviation of that number',
    baseline_share Nullable(Float64) COMMENT 'Negative share in the past',
    threshold Nullable(Float64) COMMENT 'Number above which the window was a spike',
    factor Nullable(Float64) COMMENT 'How many times the usual the peak was',
    revision UInt64 COMMENT 'Grows with every change of the episode'
)
{{definer}} AS SELECT brand, platform, rule, opened_at, id, cleared_at, peak_at, toString(severity) AS severity, negatives, labelled, mentions,
    negative_share, negative_share_low, baseline_negatives, baseline_mad, baseline_share, threshold,
    if(rule = 'volume_spike', mentions, negatives) / greatest(assumeNotNull(baseline_negatives), 1 / 12) AS factor, revision
FROM {{store "alerts"}} FINAL
WHERE NOT withdrawn
COMMENT 'Alert episodes, without those that late records have withdrawn';

{{copy "alert_reasons" "Why alert episodes are: what contributes most to their excess"}}

{{copy "alert_deliveries" "What became of the messages about alert episodes"}}
