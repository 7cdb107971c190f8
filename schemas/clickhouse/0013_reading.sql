-- What dashboards ask over long times.

-- Past months become one part, a day after they were last written to. A month in one part is read with FINAL as fast as without; the months that are written to
-- keep to the size of merges.
ALTER TABLE {{local "mentions"}}{{.OnCluster}} MODIFY SETTING min_age_to_force_merge_seconds = 86400, min_age_to_force_merge_on_partition_only = 1;

ALTER TABLE {{local "panes"}}{{.OnCluster}} MODIFY SETTING min_age_to_force_merge_seconds = 86400, min_age_to_force_merge_on_partition_only = 1;

ALTER TABLE {{local "rolling"}}{{.OnCluster}} MODIFY SETTING min_age_to_force_merge_seconds = 86400, min_age_to_force_merge_on_partition_only = 1;

CREATE OR REPLACE VIEW {{view "label_models"}}
(
    brand LowCardinality(String) COMMENT 'Brand of the catalogue',
    hour DateTime('UTC') COMMENT 'Hour in which the mentions were published',
    model LowCardinality(String) COMMENT 'Name and version of the classifier',
    mentions UInt64 COMMENT 'Mentions by customers that it labelled'
)
{{definer}} AS SELECT brand, toStartOfHour(published_at) AS hour, model, count() AS mentions
FROM {{store "mentions"}} FINAL
WHERE role = 'customer' AND model != ''
GROUP BY brand, hour, model
SETTINGS do_not_merge_across_partitions_select_final = 1
COMMENT 'Which classifier labelled how many mentions of an hour: where another one labels most, shares are not comparable with those before';

CREATE OR REPLACE VIEW {{view "claim_queue"}}
(
    brand LowCardinality(String) COMMENT 'Brand of the catalogue',
    platform LowCardinality(String) COMMENT 'Social platform',
    item_id String COMMENT 'Identity of the negative mention that is handed over',
    id String COMMENT 'Key of the claim in messages: the same for the same mention however often it is computed',
    published_at DateTime64(3, 'UTC') COMMENT 'When the mention was published',
    state Enum8('open' = 0, 'accepted' = 1, 'needs_details' = 2, 'resolved' = 3, 'rejected' = 4, 'reopened' = 5, 'withdrawn' = 6) COMMENT 'Where it stands, as in claim_states',
    department LowCardinality(String) COMMENT 'Who receives the claim',
    blogger Bool COMMENT 'The author has at least as many followers as claims.blogger says',
    priority Float64 COMMENT 'Product of the three factors',
    audience_factor Float64 COMMENT 'Audience band of the author, first factor of the priority',
    severity_factor Float64 COMMENT 'Severity and certainty, second factor of the priority',
    product_factor Float64 COMMENT 'Weight of the product, third factor of the priority',
    products Array(String) COMMENT 'Products of the catalogue that the mention names, sorted',
    handed_over_at Nullable(DateTime64(3, 'UTC')) COMMENT 'First accepted of the department: when it has received the claim; NULL while it waits',
    resolved_at Nullable(DateTime64(3, 'UTC')) COMMENT 'First resolved of the department; NULL while there is none'
)
{{definer}} AS SELECT brand, platform, item_id, id, published_at, state, department, blogger, priority, audience_factor, severity_factor, product_factor, products,
    handed_over_at, resolved_at
FROM {{store "claims"}} FINAL
COMMENT 'Claims as they wait and where they stand, without text, author and conversation: claim_states without what has to be looked up in conversations, so it answers at once';
