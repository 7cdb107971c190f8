-- The storage tables. They live in a database of their own ({{.Store}}); readers are given the views of 0002 instead, which
-- hide FINAL. Every column stands on one line with its COMMENT last: the data dictionary is generated from these lines.
--
-- Rows are absolute values with the position up to which they follow their partition; ReplacingMergeTree keeps the highest
-- position. So no expression in ORDER BY or PARTITION BY may ever change for a row.

CREATE DATABASE IF NOT EXISTS {{.Store}}{{.OnCluster}};

CREATE DATABASE IF NOT EXISTS {{.Views}}{{.OnCluster}};

CREATE TABLE IF NOT EXISTS {{local "mentions"}}{{.OnCluster}}
(
    brand LowCardinality(String) COMMENT 'Brand of the catalogue that the item names',
    published_at DateTime64(3, 'UTC') COMMENT 'When the platform says the first version was published',
    platform LowCardinality(String) COMMENT 'Social platform: twitter, vk, facebook, youtube, telegram, bluesky, mastodon, reddit, livejournal, generic',
    item_id String COMMENT 'Identity of the item on its platform, the same for all its versions',
    version_id String COMMENT 'Platform id of this version; differs from item_id where an edit gets an id of its own',
    kind LowCardinality(String) COMMENT 'post, comment, repost or edit',
    role Enum8('customer' = 0, 'own' = 1, 'spam' = 2) COMMENT 'Whose voice: only customers count in shares',
    via UInt8 COMMENT 'How the item names the brand, a sum of 1 text, 2 account, 4 reply, 8 wall, 16 author, 32 repost',
    label Enum8('unlabelled' = 0, 'positive' = 1, 'neutral' = 2, 'negative' = 3) COMMENT 'Sentiment towards the brand; unlabelled where the classifier does not know the language',
    positive_score Float32 COMMENT 'Calibrated probability of positive',
    neutral_score Float32 COMMENT 'Calibrated probability of neutral',
    negative_score Float32 COMMENT 'Calibrated probability of negative',
    model LowCardinality(String) COMMENT 'Name and version of the classifier',
    products Array(LowCardinality(String)) COMMENT 'Products of the catalogue that the item names, sorted',
    severity UInt8 COMMENT '0 none to 3 most severe, from the words of the catalogue',
    question Bool COMMENT 'Asks something',
    complaint Bool COMMENT 'Complains: negative and about the service, or severe',
    needs_answer Bool COMMENT 'A message of a customer that the brand ought to answer',
    approved Bool COMMENT 'Own voice: by an account that the catalogue approves for answers',
    automatic Bool COMMENT 'Own voice: by an automatic responder or with an automatic text',
    advocacy Bool COMMENT 'A customer spreads the official presence of the brand',
    author_id String COMMENT 'Platform id of the author, or its pseudonym; empty when unknown or erased',
    author_handle String COMMENT 'Handle of the author without @; empty when unknown or erased',
    author_name String COMMENT 'Display name of the author; emptied with the text retention, empty when unknown or erased',
    followers Nullable(Int64) COMMENT 'Followers of the author when the item was delivered; NULL when not stated',
    community Bool COMMENT 'The author is a community, page or channel, not a person',
    bot Bool COMMENT 'The platform says that the author is a bot',
    customer_id String COMMENT 'Author id of the customer whose conversation this belongs to; for answers the customer answered; empty when unknown or erased',
    thread String COMMENT 'Thread key: equal for a message of a customer and the answer of the brand to it',
    paired Bool COMMENT 'The platform has no conversation id: thread is the pair customer and brand',
    parent_id String COMMENT 'Item that this one answers',
    parent_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When the parent was published; NULL when unknown',
    parent_author_id String COMMENT 'Author id of the parent; empty when unknown or erased',
    parent_author_handle String COMMENT 'Handle of the author of the parent; empty when unknown or erased',
    root_id String COMMENT 'First item of the thread',
    repost_of String COMMENT 'Original of a repost',
    repost_author_id String COMMENT 'Author id of the reposted original; empty when unknown or erased',
    repost_author_handle String COMMENT 'Handle of the author of the reposted original; empty when unknown or erased',
    wall_id String COMMENT 'Id of the community, page or channel on whose wall the item stands',
    wall_handle String COMMENT 'Handle of the community, page or channel on whose wall the item stands',
    mentioned_ids Array(String) COMMENT 'Ids of the accounts that the text names by mark-up; empty when erased',
    mentioned_handles Array(String) COMMENT 'Handles of the accounts that the text names by mark-up, in the order of mentioned_ids; empty when erased',
    text String COMMENT 'Plain text; emptied with the text retention or when the platform deletes the item' CODEC(ZSTD(1)),
    lang LowCardinality(String) COMMENT 'BCP 47 language as the platform states it; empty when it does not',
    url String COMMENT 'Address of the item; empty when unknown or erased' CODEC(ZSTD(1)),
    likes Nullable(Int64) COMMENT 'Likes when the item was delivered; NULL when not stated',
    shares Nullable(Int64) COMMENT 'Shares when the item was delivered; NULL when not stated',
    views Nullable(Int64) COMMENT 'Views when the item was delivered; NULL when not stated',
    edited_at Nullable(DateTime64(3, 'UTC')) COMMENT 'Version: when it was edited; NULL for the original',
    versions Array(Int64) COMMENT 'Versions that were delivered: the time of each edit in milliseconds since 1970, and 0 for the original',
    received_at DateTime64(3, 'UTC') COMMENT 'Record timestamp in the raw firehose',
    source_topic LowCardinality(String) COMMENT 'Raw topic that brought this version',
    source_partition Int32 COMMENT 'Raw partition that brought this version',
    source_offset Int64 COMMENT 'Offset in the raw partition of the record that brought this version',
    source_index Int32 COMMENT 'Place of the mention among those of its record',
    partition Int32 COMMENT 'Partition of otklik.mentions',
    first_position UInt64 COMMENT 'Position of the record that brought the mention for the first time',
    position UInt64 COMMENT 'Position of the record that brought this version; the highest is the truth',
    erased Bool COMMENT 'Deleted on the platform: text, author, handles and address are gone, label and counts stay',
    written_at DateTime('UTC') DEFAULT now() COMMENT 'When the row was stored; retention counts from here',
    INDEX item item_id TYPE bloom_filter(0.001) GRANULARITY 2,
    INDEX written written_at TYPE minmax GRANULARITY 1
)
ENGINE = {{replacing "mentions" "position"}}
PARTITION BY toYYYYMM(published_at)
ORDER BY (brand, published_at, platform, item_id)
-- Sixty columns as sixty files make small inserts and their merges dear: up to this size a part is one file (measured with
-- inserts of 20,000 rows: 9 to 10 instead of 12 to 16 CPU-seconds of the server per million rows).
SETTINGS min_bytes_for_wide_part = 134217728
COMMENT 'One row is one item and one brand that it names';
{{distributed "mentions" "cityHash64(platform, item_id, brand)"}}

CREATE TABLE IF NOT EXISTS {{local "panes"}}{{.OnCluster}}
(
    grain Enum8('1m' = 0, '1h' = 1, '1d' = 2) COMMENT 'Length of the window',
    brand LowCardinality(String) COMMENT 'Brand of the catalogue',
    start DateTime64(3, 'UTC') COMMENT 'First moment of the window, aligned to the Unix epoch; days are UTC days',
    platform LowCardinality(String) COMMENT 'Social platform',
    product LowCardinality(String) COMMENT 'Empty: every mention; else the mentions of that product, which never add up to the whole',
    partition Int32 COMMENT 'Partition of otklik.mentions that contributes these counts',
{{counts}}
    responses Array(Float64) COMMENT 'Waiting times in seconds of the answered requests, in no order; 1m panes without product only',
    is_final Bool COMMENT 'The watermark has passed the end of the window and the grace',
    position UInt64 COMMENT 'How far the row follows its partition; the highest is the truth',
    written_at DateTime('UTC') DEFAULT now() COMMENT 'When the row was stored; retention counts from here'
)
ENGINE = {{replacing "panes" "position"}}
PARTITION BY toYYYYMM(start)
ORDER BY (grain, brand, start, platform, product, partition)
COMMENT 'One row is what one partition counts in one window for a brand on a platform, for one product or for all';
{{distributed "panes" "cityHash64(brand, start)"}}

CREATE TABLE IF NOT EXISTS {{local "rolling"}}{{.OnCluster}}
(
    brand LowCardinality(String) COMMENT 'Brand of the catalogue',
    platform LowCardinality(String) COMMENT 'Social platform; empty for all platforms together',
    window_seconds UInt32 COMMENT 'Length of the rolling window in seconds: 300, 3600 or 86400',
    at DateTime64(3, 'UTC') COMMENT 'First moment after the window, on a full minute',
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
    response_median_seconds Nullable(Float64) COMMENT 'Median waiting time of the answered requests of the window; NULL when there is none',
    response_p90_seconds Nullable(Float64) COMMENT '90th percentile of the waiting time of the answered requests of the window; NULL when there is none',
    is_final Bool COMMENT 'Every pane of the window is final',
    revision UInt64 COMMENT 'Position in otklik.panes of the newest partial in it; the highest is the truth',
    written_at DateTime('UTC') DEFAULT now() COMMENT 'When the row was stored; retention counts from here'
)
ENGINE = {{replacing "rolling" "revision"}}
PARTITION BY toYYYYMM(at)
ORDER BY (brand, window_seconds, platform, at)
COMMENT 'One row is a rolling window of a brand that ends on one minute';
{{distributed "rolling" "cityHash64(brand, at)"}}

CREATE TABLE IF NOT EXISTS {{local "responses"}}{{.OnCluster}}
(
    brand LowCardinality(String) COMMENT 'Brand of the catalogue',
    platform LowCardinality(String) COMMENT 'Social platform',
    thread String COMMENT 'Thread key of the conversation',
    response_key String COMMENT 'Key of the row in its thread: waiting_id, or response_id where nothing waited',
    customer_id String COMMENT 'Author id of the customer; empty when unknown or erased',
    request_id String COMMENT 'Message that the platform says was answered; empty when it does not say',
    request_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When that message was published; NULL when unknown',
    response_id String COMMENT 'Answer of the brand; empty while unanswered',
    response_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When the answer was published; NULL while unanswered',
    direct_seconds Nullable(Float64) COMMENT 'response_at minus request_at, calendar clock; NULL when either is unknown',
    waiting_id String COMMENT 'Earliest customer message that was unanswered; empty where nothing waited',
    waiting_since Nullable(DateTime64(3, 'UTC')) COMMENT 'When that message was published: the time a request is counted at; NULL where nothing waited',
    waiting_seconds Nullable(Float64) COMMENT 'response_at minus waiting_since, calendar clock; NULL while unanswered',
    business_seconds Nullable(Float64) COMMENT 'The same wait on the business clock of the desk; NULL while unanswered',
    responder String COMMENT 'Author id of the answer: an official account',
    approved Bool COMMENT 'The answer is by an account that the catalogue approves',
    automatic Bool COMMENT 'The answer is automatic: it never ends a wait',
    is_first Bool COMMENT 'The wait opens a cycle of a case: its time is a first response time',
    position UInt64 COMMENT 'How far the row follows its partition; the highest is the truth',
    is_deleted UInt8 COMMENT '1: withdrawn, a late message changed the pairing',
    written_at DateTime('UTC') DEFAULT now() COMMENT 'When the row was stored; retention counts from here',
    INDEX waiting waiting_id TYPE bloom_filter(0.01) GRANULARITY 4,
    INDEX request request_id TYPE bloom_filter(0.01) GRANULARITY 4
)
ENGINE = {{replacing "responses" "position, is_deleted"}}
ORDER BY (brand, platform, thread, response_key)
COMMENT 'One row is one customer turn that needed an answer with the answer of the brand to it, or a further answer';
{{distributed "responses" "cityHash64(platform, thread, brand)"}}

CREATE TABLE IF NOT EXISTS {{local "cases"}}{{.OnCluster}}
(
    brand LowCardinality(String) COMMENT 'Brand of the catalogue',
    platform LowCardinality(String) COMMENT 'Social platform',
    thread String COMMENT 'Thread key of the conversation',
    case_id String COMMENT 'Item id of the opening message: the key of the case in its thread',
    customer_id String COMMENT 'Author id of the customer; empty when unknown or erased',
    cycle UInt32 COMMENT '1 for the first case of the customer in the thread, 2 after a quiet gap, and so on',
    opened_at DateTime64(3, 'UTC') COMMENT 'When the opening message was published',
    first_response_at Nullable(DateTime64(3, 'UTC')) COMMENT 'First answer by an approved account, automatic ones apart; NULL until answered',
    first_response_seconds Nullable(Float64) COMMENT 'First response time on the calendar clock; NULL until answered',
    first_business_seconds Nullable(Float64) COMMENT 'First response time on the business clock of the desk; NULL until answered',
    last_customer_at Nullable(DateTime64(3, 'UTC')) COMMENT 'Last message of the customer',
    last_answer_at Nullable(DateTime64(3, 'UTC')) COMMENT 'Last answer of the brand; NULL when there is none',
    unanswered_since Nullable(DateTime64(3, 'UTC')) COMMENT 'Earliest unanswered customer message; NULL when nothing waits',
    quiet_at Nullable(DateTime64(3, 'UTC')) COMMENT 'Last activity plus the quiet gap: the case is closed when the watermark passes it',
    messages UInt32 COMMENT 'Messages of the customer',
    answers UInt32 COMMENT 'Answers that end a wait',
    responder String COMMENT 'Author id of the first answer: an official account',
    position UInt64 COMMENT 'How far the row follows its partition; the highest is the truth',
    is_deleted UInt8 COMMENT '1: withdrawn, a late message changed the chain',
    written_at DateTime('UTC') DEFAULT now() COMMENT 'When the row was stored; retention counts from here'
)
ENGINE = {{replacing "cases" "position, is_deleted"}}
ORDER BY (brand, platform, thread, case_id)
COMMENT 'One row is one cycle of messages about the problem of one customer with one brand';
{{distributed "cases" "cityHash64(platform, thread, brand)"}}

CREATE TABLE IF NOT EXISTS {{local "turns"}}{{.OnCluster}}
(
    partition Int32 COMMENT 'Partition of otklik.mentions',
    thread String COMMENT 'Thread key of the conversation',
    brand LowCardinality(String) COMMENT 'Brand of the catalogue',
    platform LowCardinality(String) COMMENT 'Social platform',
    at DateTime64(3, 'UTC') COMMENT 'When the message was published',
    item_id String COMMENT 'Identity of the item',
    author_id String COMMENT 'Author id; a pseudonym once the item was erased and its conversation is over',
    customer_id String COMMENT 'Customer whose conversation it is; empty when unknown',
    parent_id String COMMENT 'Message that this one answers',
    parent_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When the parent was published; NULL when unknown',
    own Bool COMMENT 'By an official account of the brand',
    flags UInt16 COMMENT 'Sum of 4 needs an answer, 8 approved, 16 automatic',
    position UInt64 COMMENT 'Position of the record that brought it first',
    written_at DateTime('UTC') DEFAULT now() COMMENT 'When the row was stored; retention counts from here',
    INDEX item item_id TYPE bloom_filter(0.001) GRANULARITY 2
)
ENGINE = {{replacing "turns" "position"}}
PARTITION BY toYYYYMM(at)
ORDER BY (partition, sipHash64(thread), brand, platform, thread, at, item_id)
COMMENT 'One row is one message of a conversation as the engine restores it; not for readers';
{{distributed "turns" "cityHash64(platform, thread, brand)"}}

CREATE TABLE IF NOT EXISTS {{local "alerts"}}{{.OnCluster}}
(
    brand LowCardinality(String) COMMENT 'Brand of the catalogue',
    platform LowCardinality(String) COMMENT 'Social platform; empty for all platforms together',
    rule LowCardinality(String) COMMENT 'Which rule fired, for example negativity_spike',
    opened_at DateTime64(3, 'UTC') COMMENT 'End of the window in which the episode began: with brand, platform and rule its key',
    cleared_at Nullable(DateTime64(3, 'UTC')) COMMENT 'End of the window in which it cleared; NULL while it lasts',
    peak_at Nullable(DateTime64(3, 'UTC')) COMMENT 'End of the window with the most negatives',
    negatives Int64 COMMENT 'Negative mentions in the peak window',
    labelled Int64 COMMENT 'Labelled mentions in the peak window',
    negative_share Nullable(Float64) COMMENT 'Negative divided by labelled in the peak window',
    negative_share_low Nullable(Float64) COMMENT 'Lower 95 % Wilson bound of negative_share',
    baseline_negatives Nullable(Float64) COMMENT 'Median of negatives in the same hours of the past',
    baseline_mad Nullable(Float64) COMMENT 'Scaled median absolute deviation of negatives in the same hours of the past',
    baseline_share Nullable(Float64) COMMENT 'Negative share in the same hours of the past',
    threshold Nullable(Float64) COMMENT 'Count of negatives above which the window was a spike',
    evidence Array(String) COMMENT 'Item ids of telling mentions, most severe first',
    revision UInt64 COMMENT 'Grows with every change of the episode; the highest is the truth',
    written_at DateTime('UTC') DEFAULT now() COMMENT 'When the row was stored; retention counts from here'
)
ENGINE = {{replacing "alerts" "revision"}}
ORDER BY (brand, platform, rule, opened_at)
COMMENT 'One row is one alert episode with its evidence';
{{distributed "alerts" "cityHash64(brand, platform)"}}

CREATE TABLE IF NOT EXISTS {{local "claims"}}{{.OnCluster}}
(
    brand LowCardinality(String) COMMENT 'Brand of the catalogue',
    platform LowCardinality(String) COMMENT 'Social platform',
    item_id String COMMENT 'Identity of the negative mention that was handed over',
    published_at DateTime64(3, 'UTC') COMMENT 'When the mention was published',
    product LowCardinality(String) COMMENT 'Product with the highest weight that the mention names; empty when none',
    audience_factor Float64 COMMENT 'Audience band of the author, first factor of the priority',
    severity_factor Float64 COMMENT 'Severity, second factor of the priority',
    product_factor Float64 COMMENT 'Weight of the product, third factor of the priority',
    priority Float64 COMMENT 'Product of the three factors',
    department LowCardinality(String) COMMENT 'Who received the claim',
    first_reaction_at Nullable(DateTime64(3, 'UTC')) COMMENT 'First reaction of the brand in the thread; NULL when there was none',
    handed_over_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When the department received the claim; NULL while it waits',
    position UInt64 COMMENT 'How far the row follows its partition; the highest is the truth',
    written_at DateTime('UTC') DEFAULT now() COMMENT 'When the row was stored; retention counts from here'
)
ENGINE = {{replacing "claims" "position"}}
ORDER BY (brand, platform, item_id)
COMMENT 'One row is one negative mention handed over to the care department';
{{distributed "claims" "cityHash64(platform, item_id, brand)"}}

CREATE TABLE IF NOT EXISTS {{local "communities"}}{{.OnCluster}}
(
    brand LowCardinality(String) COMMENT 'Brand of the catalogue that the community belongs to',
    platform LowCardinality(String) COMMENT 'Social platform',
    account String COMMENT 'Id of the community',
    at DateTime64(3, 'UTC') COMMENT 'When it happened or was read',
    event_id String COMMENT 'Identity of the event, so that a repeated one replaces itself',
    members Nullable(Int64) COMMENT 'Members of the community; NULL when not stated',
    joined_count UInt32 COMMENT 'Members that joined',
    left_count UInt32 COMMENT 'Members that left',
    views Nullable(Int64) COMMENT 'Views; NULL when not stated',
    position UInt64 COMMENT 'How far the row follows its partition; the highest is the truth',
    written_at DateTime('UTC') DEFAULT now() COMMENT 'When the row was stored; retention counts from here'
)
ENGINE = {{replacing "communities" "position"}}
PARTITION BY toYYYYMM(at)
ORDER BY (brand, platform, account, at, event_id)
COMMENT 'One row is a join, a leave or a reading of the counters of a community';
{{distributed "communities" "cityHash64(brand, platform, account)"}}

CREATE TABLE IF NOT EXISTS {{local "ledger"}}{{.OnCluster}}
(
    stage LowCardinality(String) COMMENT 'Processor: ingest, track or roll',
    topic LowCardinality(String) COMMENT 'Topic that was read',
    partition Int32 COMMENT 'Partition that was read',
    hour DateTime64(3, 'UTC') COMMENT 'Hour of the record timestamps',
    records UInt64 COMMENT 'Records read',
    read UInt64 COMMENT 'Items per brand read; always mentions + unmatched + duplicates + dead_letters + other',
    mentions UInt64 COMMENT 'Became a mention',
    unmatched UInt64 COMMENT 'About no tracked brand',
    duplicates UInt64 COMMENT 'Delivered again by the platform or a producer',
    dead_letters UInt64 COMMENT 'Could not be processed',
    other UInt64 COMMENT 'Reactions, memberships, statistics, messages, notices, deletes and new versions',
    replayed UInt64 COMMENT 'Repeated by a producer of Otklik after a restart; not in read',
    late UInt64 COMMENT 'Of mentions: came after their minute had closed',
    gaps UInt64 COMMENT 'Offsets that retention had removed before they were read',
    position UInt64 COMMENT 'How far the row follows its partition; the highest is the truth',
    written_at DateTime('UTC') DEFAULT now() COMMENT 'When the row was stored; retention counts from here'
)
ENGINE = {{replacing "ledger" "position"}}
ORDER BY (stage, topic, partition, hour)
COMMENT 'One row is one page of the books: what became of the records of one partition and hour';
{{distributed "ledger" "cityHash64(stage, topic, partition)"}}

CREATE TABLE IF NOT EXISTS {{local "progress"}}{{.OnCluster}}
(
    stage LowCardinality(String) COMMENT 'Processor: ingest, track or roll',
    topic LowCardinality(String) COMMENT 'Topic that is read',
    partition Int32 COMMENT 'Partition that is read',
    position UInt64 COMMENT 'Everything up to here is durable; the highest is the truth',
    watermark Nullable(DateTime64(3, 'UTC')) COMMENT 'Watermark of the task at position; NULL when unknown',
    source_topics Array(LowCardinality(String)) COMMENT 'Upstream partitions followed: topics',
    source_partitions Array(Int32) COMMENT 'Upstream partitions followed: numbers',
    source_offsets Array(Int64) COMMENT 'Highest offset seen of each upstream partition',
    source_indexes Array(Int32) COMMENT 'Place in the record at that offset',
    source_event_times Array(Int64) COMMENT 'Highest event time of each upstream partition, milliseconds since the Unix epoch, 0 unknown',
    written_at DateTime('UTC') DEFAULT now() COMMENT 'When the row was stored'
)
ENGINE = {{replacing "progress" "position"}}
ORDER BY (stage, topic, partition)
COMMENT 'One row is how far a task has come: where it restarts';
{{distributed "progress" "cityHash64(stage, topic, partition)"}}

CREATE TABLE IF NOT EXISTS {{local "erasures"}}{{.OnCluster}}
(
    platform LowCardinality(String) COMMENT 'Social platform',
    item_id String COMMENT 'Identity of the item that the platform deleted',
    at DateTime64(3, 'UTC') COMMENT 'When the platform says it was deleted, or the record timestamp',
    position UInt64 COMMENT 'Position of the record that said so; the highest is the truth',
    written_at DateTime('UTC') DEFAULT now() COMMENT 'When the row was stored; retention counts from here',
    INDEX written written_at TYPE minmax GRANULARITY 1
)
ENGINE = {{replacing "erasures" "position"}}
ORDER BY (platform, item_id)
COMMENT 'One row is one item that its platform deleted: text and author of its mentions are erased';
{{distributed "erasures" "cityHash64(platform, item_id)"}}

CREATE TABLE IF NOT EXISTS {{local "deadletters"}}{{.OnCluster}}
(
    stage LowCardinality(String) COMMENT 'Processor that gave up: ingest, track or roll',
    topic LowCardinality(String) COMMENT 'Topic the record was read from',
    partition Int32 COMMENT 'Partition the record was read from',
    source_offset Int64 COMMENT 'Offset of the record',
    source_index Int32 COMMENT 'Place of the item in its record',
    reason LowCardinality(String) COMMENT 'Short class: malformed_json, no_time, future, rejected_row and so on',
    detail String COMMENT 'What exactly was wrong',
    at DateTime64(3, 'UTC') COMMENT 'Record timestamp',
    key String COMMENT 'Key of the record; emptied with the text retention',
    payload String COMMENT 'The record as it was read; emptied with the text retention' CODEC(ZSTD(3)),
    redriven_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When it was put back into its topic; NULL when it was not',
    revision UInt64 COMMENT '0 as written, 1 once redriven; the highest is the truth',
    written_at DateTime('UTC') DEFAULT now() COMMENT 'When the row was stored; retention counts from here'
)
ENGINE = {{replacing "deadletters" "revision"}}
PARTITION BY toYYYYMM(at)
ORDER BY (stage, topic, partition, source_offset, source_index, at)
COMMENT 'One row is one record, or one item of it, that could not be processed';
{{distributed "deadletters" "cityHash64(topic, partition, source_offset)"}}

CREATE TABLE IF NOT EXISTS {{local "topics"}}{{.OnCluster}}
(
    topic LowCardinality(String) COMMENT 'Kafka topic',
    partitions UInt32 COMMENT 'Partitions it had when it was last seen',
    epoch UInt16 COMMENT 'Grows when the topic is begun anew; the upper 16 bits of every position',
    version UInt64 COMMENT 'epoch, then partitions: the highest is the truth',
    written_at DateTime('UTC') DEFAULT now() COMMENT 'When the row was stored'
)
ENGINE = {{replacing "topics" "version"}}
ORDER BY topic
COMMENT 'One row is one Kafka topic as the engine knows it; a change of a keyed one is refused';
{{distributed "topics" "cityHash64(topic)"}}

CREATE TABLE IF NOT EXISTS {{local "settings"}}{{.OnCluster}}
(
    name LowCardinality(String) COMMENT 'Name of the setting',
    value String COMMENT 'Value or fingerprint; two configurations that disagree are refused',
    changed_at DateTime64(3, 'UTC') COMMENT 'When it was written; the latest is the truth'
)
ENGINE = {{replacing "settings" "changed_at"}}
ORDER BY name
COMMENT 'One row is one setting that every process must agree on';
{{distributed "settings" "cityHash64(name)"}}
