-- What became of claims, read fast: the time of the mention is a key of what is looked up, so that filters on it and on the brand reach the claims that
-- conversations are joined with; answers are found by their thread alone, since a set of three columns costs more than reading them, and messages are read
-- once. An answer counts from the mention on; one that names the mention as what it answers counts whatever the clocks say.

{{define "claim_stages"}}FROM (SELECT brand, platform, item_id, id, published_at, state, department, blogger, priority, audience_factor, severity_factor, product_factor, threshold, product, products,
    severity, followers, version_at, detected_at, opened_at, details_requested_at, handed_over_at, resolved_at, last_resolved_at, resolutions, reopenings, reopen_seconds, statuses, notes,
    thread, customer_id, author_handle, author_name, text, lang, url, revision FROM {{store "claims"}} FINAL) AS c
LEFT JOIN (
    SELECT k.brand AS brand, k.platform AS platform, k.item_id AS item_id, k.published_at AS published_at, minOrNull(a.response_at) AS reaction_at
    FROM (SELECT brand, platform, thread, response_at, waiting_id, request_id FROM {{store "responses"}} FINAL
        WHERE approved AND NOT automatic AND response_at IS NOT NULL AND thread GLOBAL IN (SELECT thread FROM {{store "claims"}})) AS a
    INNER JOIN (SELECT brand, platform, thread, item_id, published_at FROM {{store "claims"}} FINAL) AS k
        ON a.brand = k.brand AND a.platform = k.platform AND a.thread = k.thread
    WHERE a.response_at >= k.published_at OR k.item_id IN (a.waiting_id, a.request_id)
    GROUP BY brand, platform, item_id, published_at) AS r
    ON r.brand = c.brand AND r.platform = c.platform AND r.item_id = c.item_id AND r.published_at = c.published_at
LEFT JOIN (
    SELECT l.brand AS brand, l.platform AS platform, l.item_id AS item_id, l.published_at AS published_at, groupArrayArray(t.messages) AS messages
    FROM (SELECT brand, platform, thread, author_id, groupArray(item_id) AS items, groupArray(toUnixTimestamp64Milli(at)) AS messages FROM {{store "turns"}} FINAL
        WHERE NOT own AND (partition, sipHash64(thread)) GLOBAL IN (SELECT partition, sipHash64(thread) FROM {{store "claims"}} WHERE notEmpty(resolutions))
        GROUP BY brand, platform, thread, author_id) AS t
    INNER JOIN (SELECT brand, platform, thread, item_id, published_at FROM {{store "claims"}} FINAL WHERE notEmpty(resolutions)) AS l
        ON t.brand = l.brand AND t.platform = l.platform AND t.thread = l.thread
    WHERE has(t.items, l.item_id)
    GROUP BY brand, platform, item_id, published_at) AS w
    ON w.brand = c.brand AND w.platform = c.platform AND w.item_id = c.item_id AND w.published_at = c.published_at
SETTINGS do_not_merge_across_partitions_select_final = 1
{{- end}}CREATE OR REPLACE VIEW {{view "claims"}}
(
    brand LowCardinality(String) COMMENT 'Brand of the catalogue',
    platform LowCardinality(String) COMMENT 'Social platform',
    item_id String COMMENT 'Identity of the negative mention that is handed over',
    id String COMMENT 'Key of the claim in messages: the same for the same mention however often it is computed',
    published_at DateTime64(3, 'UTC') COMMENT 'When the mention was published',
    state Enum8('open' = 0, 'accepted' = 1, 'needs_details' = 2, 'resolved' = 3, 'rejected' = 4, 'reopened' = 5, 'withdrawn' = 6) COMMENT 'Where it stands: as the newest status of the department says; open before the first; withdrawn when the mention was corrected or edited such that it is no claim',
    department LowCardinality(String) COMMENT 'Who receives the claim',
    blogger Bool COMMENT 'The author has at least as many followers as claims.blogger says',
    priority Float64 COMMENT 'Product of the three factors',
    audience_factor Float64 COMMENT 'Audience band of the author, first factor of the priority',
    severity_factor Float64 COMMENT 'Severity and certainty, second factor of the priority',
    product_factor Float64 COMMENT 'Weight of the product, third factor of the priority',
    threshold Float64 COMMENT 'Priority from which on a mention became a claim when the row was written',
    product LowCardinality(String) COMMENT 'Product with the highest weight that the mention names; empty when none',
    products Array(String) COMMENT 'Products of the catalogue that the mention names, sorted',
    severity UInt8 COMMENT '0 none to 3 most severe, from the words of the catalogue',
    followers Nullable(Int64) COMMENT 'Followers of the author when the mention was delivered; NULL when not stated',
    version_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When that version was published: published_at, or when it was edited',
    detected_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When the platform delivered the version that made it a claim: record timestamp',
    opened_at Nullable(DateTime64(3, 'UTC')) COMMENT 'Record timestamp of what made it a claim: as detected_at, or that of a correction by an analyst',
    first_reaction_at Nullable(DateTime64(3, 'UTC')) COMMENT 'First approved, not automatic answer of the brand in the thread since the mention; NULL when there is none',
    details_requested_at Nullable(DateTime64(3, 'UTC')) COMMENT 'First needs_details of the department; NULL while there is none',
    handed_over_at Nullable(DateTime64(3, 'UTC')) COMMENT 'First accepted of the department: when it has received the claim; NULL while it waits',
    resolved_at Nullable(DateTime64(3, 'UTC')) COMMENT 'First resolved of the department; NULL while there is none',
    last_resolved_at Nullable(DateTime64(3, 'UTC')) COMMENT 'Last resolved of the department; NULL while there is none',
    collection_lag_seconds Nullable(Float64) COMMENT 'version_at to detected_at: how long the platform and its collection took, which is nobody at the desk',
    reaction_seconds Nullable(Float64) COMMENT 'detected_at to first_reaction_at, 0 where the reaction came first; NULL without one',
    first_reaction_seconds Nullable(Float64) COMMENT 'published_at to first_reaction_at, as the customer felt it; NULL without one',
    details_seconds Nullable(Float64) COMMENT 'First reaction to details_requested_at, 0 where that came first; NULL without one of the two',
    hand_over_seconds Nullable(Float64) COMMENT 'First reaction to handed_over_at, 0 where that came first: the hand-over time; NULL without one of the two',
    handling_seconds Nullable(Float64) COMMENT 'handed_over_at to resolved_at, 0 where that came first; NULL without one of the two',
    first_resolution_seconds Nullable(Float64) COMMENT 'published_at to resolved_at: the first resolution time; NULL while it is not resolved',
    full_resolution_seconds Nullable(Float64) COMMENT 'published_at to last_resolved_at: the full resolution time; NULL while it is not resolved',
    resolved_cycles UInt64 COMMENT 'How often it was resolved',
    reopened_cycles UInt64 COMMENT 'Of resolved_cycles: followed by a message of the customer within reopen_seconds, or reopened by the department',
    statuses Array(String) COMMENT 'All statuses of the department in the order of their time: time, state and who',
    note String COMMENT 'Note of the newest status; emptied with the text retention or when the platform deletes the item',
    thread String COMMENT 'Thread key of the conversation',
    customer_id String COMMENT 'Author id of the mention, or its pseudonym; empty when unknown or erased',
    author_handle String COMMENT 'Handle of the author without @; empty when unknown or erased',
    author_name String COMMENT 'Display name of the author; emptied with the text retention, empty when unknown or erased',
    text String COMMENT 'Plain text of the mention; emptied with the text retention or when the platform deletes the item',
    lang LowCardinality(String) COMMENT 'BCP 47 language as the platform states it; empty when it does not',
    url String COMMENT 'Address of the mention; empty when unknown or erased',
    revision UInt32 COMMENT '1 when it was opened; grows with every change of the claim'
)
{{definer}} AS SELECT c.brand AS brand, c.platform AS platform, c.item_id AS item_id, c.id AS id, c.published_at AS published_at, c.state AS state,
    c.department AS department, c.blogger AS blogger, c.priority AS priority, c.audience_factor AS audience_factor,
    c.severity_factor AS severity_factor, c.product_factor AS product_factor, c.threshold AS threshold, c.product AS product,
    c.products AS products, c.severity AS severity, c.followers AS followers, c.version_at AS version_at, c.detected_at AS detected_at,
    c.opened_at AS opened_at, r.reaction_at AS first_reaction_at, c.details_requested_at AS details_requested_at,
    c.handed_over_at AS handed_over_at, c.resolved_at AS resolved_at, c.last_resolved_at AS last_resolved_at,
    dateDiff('millisecond', c.version_at, c.detected_at) * (c.detected_at > c.version_at) / 1000 AS collection_lag_seconds,
    dateDiff('millisecond', c.detected_at, r.reaction_at) * (r.reaction_at > c.detected_at) / 1000 AS reaction_seconds,
    dateDiff('millisecond', c.published_at, r.reaction_at) * (r.reaction_at > c.published_at) / 1000 AS first_reaction_seconds,
    dateDiff('millisecond', r.reaction_at, c.details_requested_at) * (c.details_requested_at > r.reaction_at) / 1000 AS details_seconds,
    dateDiff('millisecond', r.reaction_at, c.handed_over_at) * (c.handed_over_at > r.reaction_at) / 1000 AS hand_over_seconds,
    dateDiff('millisecond', c.handed_over_at, c.resolved_at) * (c.resolved_at > c.handed_over_at) / 1000 AS handling_seconds,
    dateDiff('millisecond', c.published_at, c.resolved_at) * (c.resolved_at > c.published_at) / 1000 AS first_resolution_seconds,
    dateDiff('millisecond', c.published_at, c.last_resolved_at) * (c.last_resolved_at > c.published_at) / 1000 AS full_resolution_seconds,
    length(c.resolutions) AS resolved_cycles,
    arrayCount((t, back) -> back > 0 OR arrayExists(m -> m > t AND m <= t + toInt64(c.reopen_seconds) * 1000, w.messages), c.resolutions, c.reopenings) AS reopened_cycles,
    c.statuses AS statuses, if(empty(c.notes), '', c.notes[-1]) AS note, c.thread AS thread, c.customer_id AS customer_id,
    c.author_handle AS author_handle, c.author_name AS author_name, c.text AS text, c.lang AS lang, c.url AS url, c.revision AS revision
{{template "claim_stages"}}
COMMENT 'Claims: one row is one negative mention handed over to the care department, with its text and author, the factors of its priority and the stages that it went through';

CREATE OR REPLACE VIEW {{view "claim_states"}}
(
    brand LowCardinality(String) COMMENT 'Brand of the catalogue',
    platform LowCardinality(String) COMMENT 'Social platform',
    item_id String COMMENT 'Identity of the negative mention that is handed over',
    id String COMMENT 'Key of the claim in messages: the same for the same mention however often it is computed',
    published_at DateTime64(3, 'UTC') COMMENT 'When the mention was published',
    state Enum8('open' = 0, 'accepted' = 1, 'needs_details' = 2, 'resolved' = 3, 'rejected' = 4, 'reopened' = 5, 'withdrawn' = 6) COMMENT 'Where it stands: as the newest status of the department says; open before the first; withdrawn when the mention was corrected or edited such that it is no claim',
    department LowCardinality(String) COMMENT 'Who receives the claim',
    blogger Bool COMMENT 'The author has at least as many followers as claims.blogger says',
    priority Float64 COMMENT 'Product of the three factors',
    audience_factor Float64 COMMENT 'Audience band of the author, first factor of the priority',
    severity_factor Float64 COMMENT 'Severity and certainty, second factor of the priority',
    product_factor Float64 COMMENT 'Weight of the product, third factor of the priority',
    threshold Float64 COMMENT 'Priority from which on a mention became a claim when the row was written',
    product LowCardinality(String) COMMENT 'Product with the highest weight that the mention names; empty when none',
    products Array(String) COMMENT 'Products of the catalogue that the mention names, sorted',
    severity UInt8 COMMENT '0 none to 3 most severe, from the words of the catalogue',
    followers Nullable(Int64) COMMENT 'Followers of the author when the mention was delivered; NULL when not stated',
    version_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When that version was published: published_at, or when it was edited',
    detected_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When the platform delivered the version that made it a claim: record timestamp',
    opened_at Nullable(DateTime64(3, 'UTC')) COMMENT 'Record timestamp of what made it a claim: as detected_at, or that of a correction by an analyst',
    first_reaction_at Nullable(DateTime64(3, 'UTC')) COMMENT 'First approved, not automatic answer of the brand in the thread since the mention; NULL when there is none',
    details_requested_at Nullable(DateTime64(3, 'UTC')) COMMENT 'First needs_details of the department; NULL while there is none',
    handed_over_at Nullable(DateTime64(3, 'UTC')) COMMENT 'First accepted of the department: when it has received the claim; NULL while it waits',
    resolved_at Nullable(DateTime64(3, 'UTC')) COMMENT 'First resolved of the department; NULL while there is none',
    last_resolved_at Nullable(DateTime64(3, 'UTC')) COMMENT 'Last resolved of the department; NULL while there is none',
    collection_lag_seconds Nullable(Float64) COMMENT 'version_at to detected_at: how long the platform and its collection took, which is nobody at the desk',
    reaction_seconds Nullable(Float64) COMMENT 'detected_at to first_reaction_at, 0 where the reaction came first; NULL without one',
    first_reaction_seconds Nullable(Float64) COMMENT 'published_at to first_reaction_at, as the customer felt it; NULL without one',
    details_seconds Nullable(Float64) COMMENT 'First reaction to details_requested_at, 0 where that came first; NULL without one of the two',
    hand_over_seconds Nullable(Float64) COMMENT 'First reaction to handed_over_at, 0 where that came first: the hand-over time; NULL without one of the two',
    handling_seconds Nullable(Float64) COMMENT 'handed_over_at to resolved_at, 0 where that came first; NULL without one of the two',
    first_resolution_seconds Nullable(Float64) COMMENT 'published_at to resolved_at: the first resolution time; NULL while it is not resolved',
    full_resolution_seconds Nullable(Float64) COMMENT 'published_at to last_resolved_at: the full resolution time; NULL while it is not resolved',
    resolved_cycles UInt64 COMMENT 'How often it was resolved',
    reopened_cycles UInt64 COMMENT 'Of resolved_cycles: followed by a message of the customer within reopen_seconds, or reopened by the department',
    voice UInt64 COMMENT 'Tells authors apart without naming them, by the same number as in voices; an erased mention is a voice of its own',
    conversation UInt64 COMMENT 'Tells conversations apart, by the same number as in voices',
    revision UInt32 COMMENT '1 when it was opened; grows with every change of the claim'
)
{{definer}} AS SELECT c.brand AS brand, c.platform AS platform, c.item_id AS item_id, c.id AS id, c.published_at AS published_at, c.state AS state,
    c.department AS department, c.blogger AS blogger, c.priority AS priority, c.audience_factor AS audience_factor,
    c.severity_factor AS severity_factor, c.product_factor AS product_factor, c.threshold AS threshold, c.product AS product,
    c.products AS products, c.severity AS severity, c.followers AS followers, c.version_at AS version_at, c.detected_at AS detected_at,
    c.opened_at AS opened_at, r.reaction_at AS first_reaction_at, c.details_requested_at AS details_requested_at,
    c.handed_over_at AS handed_over_at, c.resolved_at AS resolved_at, c.last_resolved_at AS last_resolved_at,
    dateDiff('millisecond', c.version_at, c.detected_at) * (c.detected_at > c.version_at) / 1000 AS collection_lag_seconds,
    dateDiff('millisecond', c.detected_at, r.reaction_at) * (r.reaction_at > c.detected_at) / 1000 AS reaction_seconds,
    dateDiff('millisecond', c.published_at, r.reaction_at) * (r.reaction_at > c.published_at) / 1000 AS first_reaction_seconds,
    dateDiff('millisecond', r.reaction_at, c.details_requested_at) * (c.details_requested_at > r.reaction_at) / 1000 AS details_seconds,
    dateDiff('millisecond', r.reaction_at, c.handed_over_at) * (c.handed_over_at > r.reaction_at) / 1000 AS hand_over_seconds,
    dateDiff('millisecond', c.handed_over_at, c.resolved_at) * (c.resolved_at > c.handed_over_at) / 1000 AS handling_seconds,
    dateDiff('millisecond', c.published_at, c.resolved_at) * (c.resolved_at > c.published_at) / 1000 AS first_resolution_seconds,
    dateDiff('millisecond', c.published_at, c.last_resolved_at) * (c.last_resolved_at > c.published_at) / 1000 AS full_resolution_seconds,
    length(c.resolutions) AS resolved_cycles,
    arrayCount((t, back) -> back > 0 OR arrayExists(m -> m > t AND m <= t + toInt64(c.reopen_seconds) * 1000, w.messages), c.resolutions, c.reopenings) AS reopened_cycles,
    sipHash64(c.platform, if(c.customer_id = '', concat('item ', c.item_id), c.customer_id)) AS voice,
    sipHash64(c.platform, c.thread) AS conversation, c.revision AS revision
{{template "claim_stages"}}
COMMENT 'Claims without text, author, customer and conversation';
