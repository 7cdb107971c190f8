-- What readers see: views that hide FINAL, run with the rights of their definer (so a reader needs no grant on a table), and
-- carry the comments of their columns.

{{copy "mentions" "Mentions: one row is one item and one brand that it names, with text and author"}}

{{copy "panes" "Panes: what one partition counts in one window; the views sentiment_1m, sentiment_1h and sentiment_1d add the partitions up"}}

{{copy "rolling" "Rolling windows of a brand, one row for each minute on which they end"}}

{{copy "responses" "Responses: one customer turn that needed an answer with the answer to it, or a further answer; with the customer" "is_deleted"}}

{{copy "cases" "Cases: one cycle of messages about the problem of one customer; with the customer" "is_deleted"}}

{{copy "alerts" "Alert episodes with their evidence"}}

{{copy "claims" "Negative mentions handed over to the care department, with the factors of their priority"}}

{{copy "communities" "Joins, leaves and readings of the counters of communities"}}

{{copy "ledger" "The books: what became of the records of one partition and hour"}}

{{copy "deadletters" "Records that could not be processed, as they were read"}}

{{copy "erasures" "Items that their platform deleted"}}

{{copyAs "response_pairs" "responses" "Responses without the customer, the conversation and the responder" "thread" "response_key" "customer_id" "responder" "is_deleted"}}

{{copyAs "case_states" "cases" "Cases without the customer, the conversation and the responder" "thread" "customer_id" "responder" "is_deleted"}}

{{sentiment "1m" "one minute"}}

{{sentiment "1h" "one hour"}}

{{sentiment "1d" "one UTC day"}}

CREATE OR REPLACE VIEW {{view "response_times"}}
(
    brand LowCardinality(String) COMMENT 'Brand of the catalogue',
    platform LowCardinality(String) COMMENT 'Social platform',
    day Date COMMENT 'UTC day of the request',
    requests UInt64 COMMENT 'Customer turns that needed an answer',
    answered UInt64 COMMENT 'Of requests: answered by the brand',
    answered_share Nullable(Float64) COMMENT 'answered divided by requests',
    median_seconds Nullable(Float64) COMMENT 'Median waiting time of the answered, calendar clock; NULL when none was',
    p90_seconds Nullable(Float64) COMMENT '90th percentile of the waiting time of the answered, calendar clock',
    mean_seconds Nullable(Float64) COMMENT 'Mean waiting time of the answered, calendar clock',
    median_business_seconds Nullable(Float64) COMMENT 'Median waiting time of the answered, business clock of the desk',
    p90_business_seconds Nullable(Float64) COMMENT '90th percentile of the waiting time of the answered, business clock of the desk',
    first_requests UInt64 COMMENT 'Of requests: opened a cycle of a case',
    first_answered UInt64 COMMENT 'Of first_requests: answered by the brand',
    first_median_seconds Nullable(Float64) COMMENT 'Median first response time, calendar clock',
    first_p90_seconds Nullable(Float64) COMMENT '90th percentile of the first response time, calendar clock',
    oldest_unanswered_since Nullable(DateTime64(3, 'UTC')) COMMENT 'Since when the oldest unanswered request of the day waits; NULL when none does'
)
{{definer}} AS SELECT
    brand, platform, toDate(assumeNotNull(waiting_since), 'UTC') AS day,
    count() AS requests,
    countIf(response_id != '') AS answered,
    answered / requests AS answered_share,
    quantileExactInclusiveIfOrNull(0.5)(assumeNotNull(waiting_seconds), waiting_seconds IS NOT NULL) AS median_seconds,
    quantileExactInclusiveIfOrNull(0.9)(assumeNotNull(waiting_seconds), waiting_seconds IS NOT NULL) AS p90_seconds,
    avgOrNull(waiting_seconds) AS mean_seconds,
    quantileExactInclusiveIfOrNull(0.5)(assumeNotNull(business_seconds), business_seconds IS NOT NULL) AS median_business_seconds,
    quantileExactInclusiveIfOrNull(0.9)(assumeNotNull(business_seconds), business_seconds IS NOT NULL) AS p90_business_seconds,
    countIf(is_first) AS first_requests,
    countIf(is_first AND response_id != '') AS first_answered,
    quantileExactInclusiveIfOrNull(0.5)(assumeNotNull(waiting_seconds), is_first AND waiting_seconds IS NOT NULL) AS first_median_seconds,
    quantileExactInclusiveIfOrNull(0.9)(assumeNotNull(waiting_seconds), is_first AND waiting_seconds IS NOT NULL) AS first_p90_seconds,
    minIfOrNull(waiting_since, response_id = '') AS oldest_unanswered_since
FROM {{.Store}}.responses FINAL
WHERE waiting_id != ''
GROUP BY brand, platform, day
COMMENT 'Response times by the UTC day of the request; medians of days do not add up, take response_pairs for longer spans';

CREATE OR REPLACE VIEW {{view "share_of_voice"}}
(
    brand LowCardinality(String) COMMENT 'Brand of the catalogue',
    platform LowCardinality(String) COMMENT 'Social platform',
    day Date COMMENT 'UTC day',
    mentions Int64 COMMENT 'Mentions of the brand by customers',
    all_mentions Int64 COMMENT 'Mentions of all tracked brands by customers on the platform that day',
    share_of_voice Nullable(Float64) COMMENT 'mentions divided by all_mentions; for longer spans divide the sums'
)
{{definer}} AS SELECT b.brand AS brand, t.platform AS platform, t.day AS day, ifNull(o.own_mentions, 0) AS mentions,
    t.all_mentions AS all_mentions, mentions / nullIf(t.all_mentions, 0) AS share_of_voice
FROM (SELECT platform, toDate(start, 'UTC') AS day, sum(positive + neutral + negative + unlabelled) AS all_mentions
      FROM {{.Store}}.panes FINAL WHERE grain = '1d' AND product = '' GROUP BY platform, day) AS t
CROSS JOIN (SELECT DISTINCT brand FROM {{.Store}}.panes WHERE grain = '1d' AND product = '') AS b
LEFT JOIN (SELECT brand, platform, toDate(start, 'UTC') AS day, sum(positive + neutral + negative + unlabelled) AS own_mentions
      FROM {{.Store}}.panes FINAL WHERE grain = '1d' AND product = '' GROUP BY brand, platform, day) AS o
    ON o.brand = b.brand AND o.platform = t.platform AND o.day = t.day
COMMENT 'Share of voice by brand, platform and UTC day; a brand that nobody named has a row with 0';

CREATE OR REPLACE VIEW {{view "audience"}}
(
    brand LowCardinality(String) COMMENT 'Brand of the catalogue',
    platform LowCardinality(String) COMMENT 'Social platform',
    day Date COMMENT 'UTC day',
    mentions UInt64 COMMENT 'Mentions by customers',
    authors UInt64 COMMENT 'Distinct authors of them; an erased mention counts as an author of its own',
    potential_audience Int64 COMMENT 'Sum of the follower counts of the distinct authors: an upper bound, not reach'
)
{{definer}} AS SELECT brand, platform, day, sum(author_mentions) AS mentions, count() AS authors,
    sum(author_followers) AS potential_audience
FROM (SELECT brand, platform, toDate(published_at, 'UTC') AS day, if(author_id = '', concat('item ', item_id), author_id) AS author,
          count() AS author_mentions, max(ifNull(followers, 0)) AS author_followers
      FROM {{.Store}}.mentions FINAL WHERE role = 'customer' GROUP BY brand, platform, day, author)
GROUP BY brand, platform, day
COMMENT 'Potential audience by brand, platform and UTC day; distinct authors of days do not add up';

CREATE OR REPLACE VIEW {{view "community_growth"}}
(
    brand LowCardinality(String) COMMENT 'Brand of the catalogue that the community belongs to',
    platform LowCardinality(String) COMMENT 'Social platform',
    account String COMMENT 'Id of the community',
    day Date COMMENT 'UTC day',
    joined_count UInt64 COMMENT 'Members that joined',
    left_count UInt64 COMMENT 'Members that left',
    members_first Nullable(Int64) COMMENT 'First reading of the members that day; NULL when there was none',
    members_last Nullable(Int64) COMMENT 'Last reading of the members that day; NULL when there was none',
    growth Nullable(Float64) COMMENT 'Joined minus left, divided by members_first; NULL when that is unknown or 0',
    views_last Nullable(Int64) COMMENT 'Last reading of the views that day; NULL when there was none'
)
{{definer}} AS SELECT brand, platform, account, toDate(at, 'UTC') AS day, sum(c.joined_count) AS joined_count, sum(c.left_count) AS left_count,
    argMinIfOrNull(members, at, members IS NOT NULL) AS members_first,
    argMaxIfOrNull(members, at, members IS NOT NULL) AS members_last,
    (toFloat64(joined_count) - toFloat64(left_count)) / nullIf(members_first, 0) AS growth,
    argMaxIfOrNull(views, at, views IS NOT NULL) AS views_last
FROM {{.Store}}.communities AS c FINAL
GROUP BY brand, platform, account, day
COMMENT 'Growth of the communities by UTC day';

CREATE OR REPLACE VIEW {{view "books"}}
(
    stage LowCardinality(String) COMMENT 'Processor: ingest, track or roll',
    hour DateTime64(3, 'UTC') COMMENT 'Hour of the record timestamps',
    records UInt64 COMMENT 'Records read',
    read UInt64 COMMENT 'Items per brand read',
    mentions UInt64 COMMENT 'Became a mention',
    unmatched UInt64 COMMENT 'About no tracked brand',
    duplicates UInt64 COMMENT 'Delivered again by the platform or a producer',
    dead_letters UInt64 COMMENT 'Could not be processed',
    other UInt64 COMMENT 'Reactions, memberships, statistics, messages, notices, deletes and new versions',
    replayed UInt64 COMMENT 'Repeated by a producer of Otklik after a restart; not in read',
    late UInt64 COMMENT 'Of mentions: came after their minute had closed',
    gaps UInt64 COMMENT 'Offsets that retention had removed before they were read',
    balanced Bool COMMENT 'Everything read is accounted for'
)
{{definer}} AS SELECT stage, hour, sum(l.records) AS records, sum(l.read) AS read, sum(l.mentions) AS mentions,
    sum(l.unmatched) AS unmatched, sum(l.duplicates) AS duplicates, sum(l.dead_letters) AS dead_letters, sum(l.other) AS other,
    sum(l.replayed) AS replayed, sum(l.late) AS late, sum(l.gaps) AS gaps,
    countIf(l.read != l.mentions + l.unmatched + l.duplicates + l.dead_letters + l.other) = 0 AS balanced
FROM {{.Store}}.ledger AS l FINAL
GROUP BY stage, hour
COMMENT 'The books of every stage by hour';

CREATE OR REPLACE VIEW {{view "freshness"}}
(
    stage LowCardinality(String) COMMENT 'Processor: ingest, track or roll',
    topic LowCardinality(String) COMMENT 'Topic that is read',
    partition Int32 COMMENT 'Partition that is read',
    next_offset UInt64 COMMENT 'Everything before this offset is durable',
    watermark Nullable(DateTime64(3, 'UTC')) COMMENT 'Everything published before it has been seen; NULL when unknown',
    written_at DateTime('UTC') COMMENT 'When the task last flushed'
)
{{definer}} AS SELECT stage, topic, partition, bitAnd(position, bitShiftLeft(toUInt64(1), 48) - 1) AS next_offset, watermark, written_at
FROM {{.Store}}.progress FINAL
COMMENT 'How far every task has come; freshness is now minus the watermark of the slowest partition that is not idle';

CREATE OR REPLACE VIEW {{view "deadletter_reasons"}}
(
    stage LowCardinality(String) COMMENT 'Processor that gave up: ingest, track or roll',
    topic LowCardinality(String) COMMENT 'Topic the records were read from',
    reason LowCardinality(String) COMMENT 'Short class: malformed_json, no_time, future, rejected_row and so on',
    hour DateTime('UTC') COMMENT 'Hour of the record timestamps',
    records UInt64 COMMENT 'Dead letters',
    redriven UInt64 COMMENT 'Of records: put back into their topic'
)
{{definer}} AS SELECT stage, topic, reason, toStartOfHour(at) AS hour, count() AS records, countIf(redriven_at IS NOT NULL) AS redriven
FROM {{.Store}}.deadletters FINAL
GROUP BY stage, topic, reason, hour
COMMENT 'Dead letters by reason and hour, without their content';
