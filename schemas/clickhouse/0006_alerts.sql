-- Alert episodes as the stage roll finds them, why they are, and what became of their messages.

{{range tables "alerts"}}ALTER TABLE {{.}}{{$.OnCluster}}
    ADD COLUMN IF NOT EXISTS id String COMMENT 'Key of the episode in messages: the same for the same episode however often it is computed' AFTER opened_at,
    ADD COLUMN IF NOT EXISTS severity Enum8('none' = 0, 'notice' = 1, 'warning' = 2, 'critical' = 3) COMMENT 'How far the highest window was above the usual' AFTER peak_at,
    ADD COLUMN IF NOT EXISTS mentions Int64 COMMENT 'Mentions by customers in the peak window, labelled or not' AFTER labelled,
    ADD COLUMN IF NOT EXISTS withdrawn Bool COMMENT 'Late records changed the figures such that there was no episode' AFTER threshold,
    ADD COLUMN IF NOT EXISTS partition Int32 COMMENT 'Partition of otklik.panes whose task finds the episodes of the brand' AFTER withdrawn,
    COMMENT COLUMN rule 'Which rule fired: negativity_spike or volume_spike',
    COMMENT COLUMN peak_at 'End of the window with the most of what the rule counts: negatives, or mentions for volume_spike',
    COMMENT COLUMN baseline_negatives 'Usual number in the same hours of the past of what the rule counts: negatives, or mentions for volume_spike',
    COMMENT COLUMN baseline_mad 'Scaled deviation of that number',
    COMMENT COLUMN threshold 'Number above which the window was a spike',
    COMMENT COLUMN evidence 'Not used: see alert_reasons';

{{end}}CREATE TABLE IF NOT EXISTS {{local "alert_reasons"}}{{.OnCluster}}
(
    id String COMMENT 'Key of the episode',
    brand LowCardinality(String) COMMENT 'Brand of the catalogue',
    platform LowCardinality(String) COMMENT 'Social platform; empty for all platforms together',
    rule LowCardinality(String) COMMENT 'Which rule fired: negativity_spike or volume_spike',
    since DateTime64(3, 'UTC') COMMENT 'Begin of the time that is explained',
    until DateTime64(3, 'UTC') COMMENT 'End of it',
    mentions Int64 COMMENT 'Mentions in it of what the rule counts: negatives, or all for volume_spike',
    authors Int64 COMMENT 'Distinct authors of them',
    audience Int64 COMMENT 'Sum of the followers of these authors: an upper bound, not reach',
    products Array(String) COMMENT 'Products that contribute most to the excess over the same time before',
    products_excess Array(Float64) COMMENT 'Mentions of each of products above what was usual',
    words Array(String) COMMENT 'Words that contribute most',
    words_excess Array(Float64) COMMENT 'Mentions with each of words above what was usual',
    voices Array(UInt64) COMMENT 'Authors who contribute most, by the numbers of the view voices',
    voices_excess Array(Float64) COMMENT 'Mentions of each of voices above what was usual',
    conversations Array(UInt64) COMMENT 'Conversations that contribute most, by the numbers of the view voices',
    conversations_excess Array(Float64) COMMENT 'Mentions in each of conversations above what was usual',
    samples Array(String) COMMENT 'Item ids of three telling mentions, most severe and most followed first',
    sample_platforms Array(String) COMMENT 'Platforms of samples',
    revision UInt64 COMMENT 'Grows with every explanation; the highest is the truth',
    written_at DateTime('UTC') DEFAULT now() COMMENT 'When the row was stored; retention counts from here'
)
ENGINE = {{replacing "alert_reasons" "revision"}}
ORDER BY id
COMMENT 'One row is why an alert episode is: what contributes most to the excess';
{{distributed "alert_reasons" "cityHash64(id)"}}

CREATE TABLE IF NOT EXISTS {{local "alert_deliveries"}}{{.OnCluster}}
(
    id String COMMENT 'Key of the episode',
    event LowCardinality(String) COMMENT 'What was told: opened, raised to a severity, cleared or withdrawn',
    destination LowCardinality(String) COMMENT 'Name of the destination in the configuration; kafka for the topic',
    brand LowCardinality(String) COMMENT 'Brand of the catalogue',
    rule LowCardinality(String) COMMENT 'Which rule fired',
    state Enum8('sent' = 1, 'suppressed' = 2, 'failed' = 3) COMMENT 'sent: the receiver has it, once at least; suppressed: the configuration forbids it; failed: given up',
    note String COMMENT 'Why it was suppressed or failed',
    attempts UInt32 COMMENT 'Attempts of the process that settled it',
    at DateTime64(3, 'UTC') COMMENT 'When it was settled',
    revision UInt64 COMMENT 'The latest is the truth',
    written_at DateTime('UTC') DEFAULT now() COMMENT 'When the row was stored; retention counts from here'
)
ENGINE = {{replacing "alert_deliveries" "revision"}}
ORDER BY (id, event, destination)
COMMENT 'One row is what became of one message about an alert episode to one destination';
{{distributed "alert_deliveries" "cityHash64(id)"}}
