-- The priority of negative mentions with its factors, and claims as the stage track keeps them.

{{range tables "mentions"}}ALTER TABLE {{.}}{{$.OnCluster}}
    ADD COLUMN IF NOT EXISTS audience_factor Float64 COMMENT 'Band of the followers of the author, first factor of the priority of a negative mention by a customer; 0 for others' AFTER severity,
    ADD COLUMN IF NOT EXISTS severity_factor Float64 COMMENT 'Second factor: (1 + severity) times (1 + certainty) / 2, where certainty is negative_score, or 1 where an analyst says so; 0 for others' AFTER audience_factor,
    ADD COLUMN IF NOT EXISTS product_factor Float64 COMMENT 'Third factor: weight of the heaviest product that is named, 1 without one; 0 for others' AFTER severity_factor,
    ADD COLUMN IF NOT EXISTS claim_threshold Float64 COMMENT 'Priority from which on the mention is a claim, as it was configured when the row was written; 0 never, as for competitors' AFTER product_factor,
    ADD COLUMN IF NOT EXISTS priority Float64 DEFAULT audience_factor * severity_factor * product_factor COMMENT 'Product of the three factors; 0 for what is not negative or not by a customer' AFTER claim_threshold;

{{end}}
{{range tables "claims"}}ALTER TABLE {{.}}{{$.OnCluster}}
    ADD COLUMN IF NOT EXISTS id String COMMENT 'Key of the claim in messages: the same for the same mention however often it is computed' AFTER item_id,
    ADD COLUMN IF NOT EXISTS detected_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When the platform delivered the version that made it a claim: record timestamp' AFTER published_at,
    ADD COLUMN IF NOT EXISTS version_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When that version was published: published_at, or when it was edited' AFTER published_at,
    ADD COLUMN IF NOT EXISTS opened_at Nullable(DateTime64(3, 'UTC')) COMMENT 'Record timestamp of what made it a claim: as detected_at, or that of a correction by an analyst' AFTER detected_at,
    ADD COLUMN IF NOT EXISTS products Array(String) COMMENT 'Products of the catalogue that the mention names, sorted' AFTER product,
    ADD COLUMN IF NOT EXISTS severity UInt8 COMMENT '0 none to 3 most severe, from the words of the catalogue' AFTER products,
    ADD COLUMN IF NOT EXISTS followers Nullable(Int64) COMMENT 'Followers of the author when the mention was delivered; NULL when not stated' AFTER severity,
    ADD COLUMN IF NOT EXISTS blogger Bool COMMENT 'The author has at least as many followers as claims.blogger says' AFTER followers,
    ADD COLUMN IF NOT EXISTS threshold Float64 COMMENT 'Priority from which on a mention became a claim when the row was written' AFTER priority,
    ADD COLUMN IF NOT EXISTS state Enum8('open' = 0, 'accepted' = 1, 'needs_details' = 2, 'resolved' = 3, 'rejected' = 4, 'reopened' = 5, 'withdrawn' = 6) COMMENT 'Where it stands: as the newest status of the department says; open before the first; withdrawn when the mention was corrected or edited such that it is no claim' AFTER department,
    ADD COLUMN IF NOT EXISTS details_requested_at Nullable(DateTime64(3, 'UTC')) COMMENT 'First needs_details of the department; NULL while there is none' AFTER first_reaction_at,
    ADD COLUMN IF NOT EXISTS resolved_at Nullable(DateTime64(3, 'UTC')) COMMENT 'First resolved of the department; NULL while there is none' AFTER handed_over_at,
    ADD COLUMN IF NOT EXISTS last_resolved_at Nullable(DateTime64(3, 'UTC')) COMMENT 'Last resolved of the department; NULL while there is none' AFTER resolved_at,
    ADD COLUMN IF NOT EXISTS resolutions Array(Int64) COMMENT 'When it was resolved, once for each cycle, in milliseconds since 1970' AFTER last_resolved_at,
    ADD COLUMN IF NOT EXISTS reopenings Array(Int64) COMMENT 'When the department first reopened it after each of resolutions, in milliseconds since 1970; 0 never' AFTER resolutions,
    ADD COLUMN IF NOT EXISTS reopen_seconds UInt32 COMMENT 'For how long after a resolution a message of the customer counts as reopening: claims.reopen_within when it was opened' AFTER reopenings,
    ADD COLUMN IF NOT EXISTS statuses Array(String) COMMENT 'All statuses of the department in the order of their time: time, state and who' AFTER reopen_seconds,
    ADD COLUMN IF NOT EXISTS notes Array(String) COMMENT 'Notes of statuses; emptied with the text retention or when the platform deletes the item' AFTER statuses,
    ADD COLUMN IF NOT EXISTS thread String COMMENT 'Thread key of the conversation' AFTER notes,
    ADD COLUMN IF NOT EXISTS customer_id String COMMENT 'Author id of the mention, or its pseudonym; empty when unknown or erased' AFTER thread,
    ADD COLUMN IF NOT EXISTS author_handle String COMMENT 'Handle of the author without @; empty when unknown or erased' AFTER customer_id,
    ADD COLUMN IF NOT EXISTS author_name String COMMENT 'Display name of the author; emptied with the text retention, empty when unknown or erased' AFTER author_handle,
    ADD COLUMN IF NOT EXISTS text String COMMENT 'Plain text of the mention; emptied with the text retention or when the platform deletes the item' AFTER author_name,
    ADD COLUMN IF NOT EXISTS lang LowCardinality(String) COMMENT 'BCP 47 language as the platform states it; empty when it does not' AFTER text,
    ADD COLUMN IF NOT EXISTS url String COMMENT 'Address of the mention; empty when unknown or erased' AFTER lang,
    ADD COLUMN IF NOT EXISTS revision UInt32 COMMENT '1 when it was opened; grows with every change of the claim' AFTER url,
    ADD COLUMN IF NOT EXISTS partition Int32 COMMENT 'Partition of otklik.mentions' AFTER revision,
    COMMENT COLUMN item_id 'Identity of the negative mention that is handed over',
    COMMENT COLUMN severity_factor 'Severity and certainty, second factor of the priority',
    COMMENT COLUMN department 'Who receives the claim',
    COMMENT COLUMN first_reaction_at 'Not used: see the view claims',
    COMMENT COLUMN handed_over_at 'First accepted of the department: when it has received the claim; NULL while it waits';

{{end}}ALTER TABLE {{local "claims"}}{{.OnCluster}} ADD INDEX IF NOT EXISTS claim id TYPE bloom_filter(0.001) GRANULARITY 1;

{{copy "mentions" "Mentions: one row is one item and one brand that it names, with text and author" "text_since"}}

-- What became of claims. An answer counts from the mention on; one that names the mention as what it answers counts whatever the clocks say.

{{define "claim_stages"}}FROM (SELECT brand, platform, item_id, id, published_at, state, department, blogger, priority, audience_factor, severity_factor, product_factor, threshold, product, products,
    severity, followers, version_at, detected_at, opened_at, details_requested_at, handed_over_at, resolved_at, last_resolved_at, resolutions, reopenings, reopen_seconds, statuses, notes,
    thread, customer_id, author_handle, author_name, text, lang, url, revision FROM {{store "claims"}} FINAL) AS c
LEFT JOIN (
    SELECT k.brand AS brand, k.platform AS platform, k.item_id AS item_id, minOrNull(a.response_at) AS reaction_at
    FROM (SELECT brand, platform, thread, item_id, published_at FROM {{store "claims"}} FINAL) AS k
    INNER JOIN (SELECT brand, platform, thread, response_at, waiting_id, request_id FROM {{store "responses"}} FINAL
        WHERE approved AND NOT automatic AND response_at IS NOT NULL AND (brand, platform, thread) GLOBAL IN (SELECT brand, platform, thread FROM {{store "claims"}})) AS a
        ON a.brand = k.brand AND a.platform = k.platform AND a.thread = k.thread
    WHERE a.response_at >= k.published_at OR k.item_id IN (a.waiting_id, a.request_id)
    GROUP BY brand, platform, item_id) AS r ON r.brand = c.brand AND r.platform = c.platform AND r.item_id = c.item_id
LEFT JOIN (
    SELECT o.brand AS brand, o.platform AS platform, o.item_id AS item_id, groupArray(toUnixTimestamp64Milli(t.at)) AS messages
    FROM (SELECT brand, platform, thread, item_id, author_id FROM {{store "turns"}} FINAL
        WHERE NOT own AND (partition, sipHash64(thread)) GLOBAL IN (SELECT partition, sipHash64(thread) FROM {{store "claims"}} WHERE notEmpty(resolutions))
            AND (brand, platform, item_id) GLOBAL IN (SELECT brand, platform, item_id FROM {{store "claims"}} WHERE notEmpty(resolutions))) AS o
    INNER JOIN (SELECT brand, platform, thread, author_id, at FROM {{store "turns"}} FINAL
        WHERE NOT own AND (partition, sipHash64(thread)) GLOBAL IN (SELECT partition, sipHash64(thread) FROM {{store "claims"}} WHERE notEmpty(resolutions))) AS t
        ON t.brand = o.brand AND t.platform = o.platform AND t.thread = o.thread AND t.author_id = o.author_id
    GROUP BY brand, platform, item_id) AS w ON w.brand = c.brand AND w.platform = c.platform AND w.item_id = c.item_id
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

CREATE OR REPLACE VIEW {{view "claims_1d"}}
(
    brand LowCardinality(String) COMMENT 'Brand of the catalogue',
    platform LowCardinality(String) COMMENT 'Social platform',
    department LowCardinality(String) COMMENT 'Who receives the claims',
    day Date COMMENT 'UTC day on which the mentions were published',
    claims UInt64 COMMENT 'Claims that are not withdrawn: what all other columns count',
    withdrawn UInt64 COMMENT 'Claims that were withdrawn beside them',
    bloggers UInt64 COMMENT 'Of claims: by bloggers',
    reacted UInt64 COMMENT 'Of claims: the brand has reacted in the thread',
    handed_over UInt64 COMMENT 'Of claims: the department has received them',
    resolved UInt64 COMMENT 'Of claims: resolved at least once',
    waiting UInt64 COMMENT 'Of claims: neither resolved nor rejected as they stand',
    median_collection_lag_seconds Nullable(Float64) COMMENT 'Time from publication to delivery, median of those that have one; NULL when none has',
    p90_collection_lag_seconds Nullable(Float64) COMMENT 'Time from publication to delivery, 90th percentile of those that have one; NULL when none has',
    median_reaction_seconds Nullable(Float64) COMMENT 'Time from delivery to the first reaction, median of those that have one; NULL when none has',
    p90_reaction_seconds Nullable(Float64) COMMENT 'Time from delivery to the first reaction, 90th percentile of those that have one; NULL when none has',
    median_hand_over_seconds Nullable(Float64) COMMENT 'Hand-over time, median of those that have one; NULL when none has',
    p90_hand_over_seconds Nullable(Float64) COMMENT 'Hand-over time, 90th percentile of those that have one; NULL when none has',
    median_first_resolution_seconds Nullable(Float64) COMMENT 'First resolution time, median of those that have one; NULL when none has',
    p90_first_resolution_seconds Nullable(Float64) COMMENT 'First resolution time, 90th percentile of those that have one; NULL when none has',
    median_full_resolution_seconds Nullable(Float64) COMMENT 'Full resolution time, median of those that have one; NULL when none has',
    p90_full_resolution_seconds Nullable(Float64) COMMENT 'Full resolution time, 90th percentile of those that have one; NULL when none has',
    resolved_cycles UInt64 COMMENT 'How often claims were resolved',
    reopened_cycles UInt64 COMMENT 'Of resolved_cycles: followed by a message of the customer, or reopened by the department',
    reopen_rate Nullable(Float64) COMMENT 'reopened_cycles divided by resolved_cycles; for longer spans divide the sums'
)
{{definer}} AS SELECT brand,
    platform,
    department,
    toDate(published_at, 'UTC') AS day,
    countIf(state != 'withdrawn') AS claims,
    countIf(state = 'withdrawn') AS withdrawn,
    countIf(blogger AND state != 'withdrawn') AS bloggers,
    countIf(first_reaction_at IS NOT NULL AND state != 'withdrawn') AS reacted,
    countIf(handed_over_at IS NOT NULL AND state != 'withdrawn') AS handed_over,
    countIf(resolved_at IS NOT NULL AND state != 'withdrawn') AS resolved,
    countIf(state IN ('open', 'accepted', 'needs_details', 'reopened')) AS waiting,
    quantileExactInclusiveIfOrNull(0.5)(assumeNotNull(collection_lag_seconds), collection_lag_seconds IS NOT NULL AND state != 'withdrawn') AS median_collection_lag_seconds,
    quantileExactInclusiveIfOrNull(0.9)(assumeNotNull(collection_lag_seconds), collection_lag_seconds IS NOT NULL AND state != 'withdrawn') AS p90_collection_lag_seconds,
    quantileExactInclusiveIfOrNull(0.5)(assumeNotNull(reaction_seconds), reaction_seconds IS NOT NULL AND state != 'withdrawn') AS median_reaction_seconds,
    quantileExactInclusiveIfOrNull(0.9)(assumeNotNull(reaction_seconds), reaction_seconds IS NOT NULL AND state != 'withdrawn') AS p90_reaction_seconds,
    quantileExactInclusiveIfOrNull(0.5)(assumeNotNull(hand_over_seconds), hand_over_seconds IS NOT NULL AND state != 'withdrawn') AS median_hand_over_seconds,
    quantileExactInclusiveIfOrNull(0.9)(assumeNotNull(hand_over_seconds), hand_over_seconds IS NOT NULL AND state != 'withdrawn') AS p90_hand_over_seconds,
    quantileExactInclusiveIfOrNull(0.5)(assumeNotNull(first_resolution_seconds), first_resolution_seconds IS NOT NULL AND state != 'withdrawn') AS median_first_resolution_seconds,
    quantileExactInclusiveIfOrNull(0.9)(assumeNotNull(first_resolution_seconds), first_resolution_seconds IS NOT NULL AND state != 'withdrawn') AS p90_first_resolution_seconds,
    quantileExactInclusiveIfOrNull(0.5)(assumeNotNull(full_resolution_seconds), full_resolution_seconds IS NOT NULL AND state != 'withdrawn') AS median_full_resolution_seconds,
    quantileExactInclusiveIfOrNull(0.9)(assumeNotNull(full_resolution_seconds), full_resolution_seconds IS NOT NULL AND state != 'withdrawn') AS p90_full_resolution_seconds,
    sumIf(s.resolved_cycles, state != 'withdrawn') AS resolved_cycles,
    sumIf(s.reopened_cycles, state != 'withdrawn') AS reopened_cycles,
    reopened_cycles / nullIf(resolved_cycles, 0) AS reopen_rate
FROM {{.Views}}.claim_states AS s
GROUP BY brand, platform, department, day
COMMENT 'Claims by the UTC day of their mention; medians of days do not add up, take claim_states for longer spans';

-- Posts with their priority.

CREATE OR REPLACE VIEW {{view "posts"}}
(
    brand LowCardinality(String) COMMENT 'Brand of the catalogue that the item names',
    published_at DateTime64(3, 'UTC') COMMENT 'When the platform says the first version was published',
    platform LowCardinality(String) COMMENT 'Social platform',
    item_id String COMMENT 'Identity of the item on its platform, the same for all its versions',
    kind LowCardinality(String) COMMENT 'post, comment, repost or edit',
    label Enum8('unlabelled' = 0, 'positive' = 1, 'neutral' = 2, 'negative' = 3) COMMENT 'Sentiment towards the brand; unlabelled where the classifier does not know the language',
    negative_score Float32 COMMENT 'Calibrated probability of negative',
    products Array(LowCardinality(String)) COMMENT 'Products of the catalogue that the item names, sorted',
    severity UInt8 COMMENT '0 none to 3 most severe, from the words of the catalogue',
    priority Float64 COMMENT 'Product of the three factors; 0 for what is not negative',
    audience_factor Float64 COMMENT 'Band of the followers of the author, first factor of the priority',
    severity_factor Float64 COMMENT 'Severity and certainty, second factor of the priority',
    product_factor Float64 COMMENT 'Weight of the heaviest product that is named, third factor of the priority',
    question Bool COMMENT 'Asks something',
    complaint Bool COMMENT 'Complains: negative and about the service, or severe',
    needs_answer Bool COMMENT 'A message that the brand ought to answer',
    followers Nullable(Int64) COMMENT 'Followers of the author when the item was delivered; NULL when not stated',
    voice UInt64 COMMENT 'Tells authors apart without naming them; an erased item is a voice of its own',
    conversation UInt64 COMMENT 'Tells conversations apart without naming their people',
    text String COMMENT 'Plain text; emptied with the text retention or when the platform deletes the item',
    lang LowCardinality(String) COMMENT 'BCP 47 language as the platform states it; empty when it does not',
    url String COMMENT 'Address of the item; empty when unknown or erased'
)
{{definer}} AS SELECT brand, published_at, platform, item_id, kind, label, negative_score, products, severity, priority, audience_factor,
    severity_factor, product_factor, question, complaint,
    needs_answer, followers, sipHash64(platform, if(author_id = '', concat('item ', item_id), author_id)) AS voice,
    sipHash64(platform, thread) AS conversation, text, lang, url
FROM {{store "mentions"}} FINAL
WHERE role = 'customer'
SETTINGS do_not_merge_across_partitions_select_final = 1
COMMENT 'Mentions by customers with text and address and without author: what the desk reads. The only view with texts that dashboards may read';
