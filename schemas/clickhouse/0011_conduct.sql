-- Rules of communication, and how complaints spread in a conversation. An insert without breaches leaves their columns out, so their
-- defaults must be right for it. Rows of before were not judged: they are no answers.

{{range tables "mentions"}}ALTER TABLE {{.}}{{$.OnCluster}}
    ADD COLUMN IF NOT EXISTS answer Bool COMMENT 'Own voice: answers a customer' AFTER advocacy,
    ADD COLUMN IF NOT EXISTS breach_rules Array(LowCardinality(String)) COMMENT 'Rules of communication that the delivered versions of an answer broke: unapproved_account, confidential_term, phone_number, contract_number, internal_address or a key of the catalogue' AFTER text_since,
    ADD COLUMN IF NOT EXISTS breach_versions Array(Int64) COMMENT 'Version that broke each of breach_rules, as in versions' AFTER breach_rules,
    ADD COLUMN IF NOT EXISTS breach_excerpts Array(String) COMMENT 'What each of breach_versions said, with everything confidential masked; emptied with the text retention or when the platform deletes the item' AFTER breach_versions;

{{end}}
{{copy "mentions" "Mentions: one row is one item and one brand that it names, with text and author" "text_since"}}

-- A breach is never taken back: every newer row of a mention has those of the older ones, so that the newest row with breaches is its
-- newest row, and FINAL over all mentions is not needed.
CREATE OR REPLACE VIEW {{view "compliance"}}
(
    brand LowCardinality(String) COMMENT 'Brand of the catalogue',
    platform LowCardinality(String) COMMENT 'Social platform',
    item_id String COMMENT 'Answer that broke the rule',
    rule LowCardinality(String) COMMENT 'Rule that was broken: unapproved_account, confidential_term, phone_number, contract_number, internal_address or a key of the catalogue',
    account String COMMENT 'Official account that answered: its handle, or its id',
    automatic Bool COMMENT 'By an automatic responder or with an automatic text',
    published_at DateTime64(3, 'UTC') COMMENT 'When the answer was published',
    broken_at DateTime64(3, 'UTC') COMMENT 'When the first version that broke the rule was published',
    edited_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When the answer was last edited; NULL when it was not',
    stands Bool COMMENT 'The newest version still breaks the rule; an edit corrects the figure of the day, and the breach stays listed',
    erased Bool COMMENT 'Deleted on the platform',
    excerpt String COMMENT 'What the last version that broke the rule said, with everything confidential masked',
    link String COMMENT 'Address of the answer; empty when unknown or erased'
)
{{definer}} AS SELECT brand, platform, item_id, rule, any(if(author_handle != '', author_handle, author_id)) AS account, any(m.automatic) AS automatic,
    any(m.published_at) AS published_at, if(min(version) = 0, published_at, fromUnixTimestamp64Milli(min(version), 'UTC')) AS broken_at, any(m.edited_at) AS edited_at,
    max(version) = ifNull(toUnixTimestamp64Milli(edited_at), 0) AS stands, any(m.erased) AS erased, argMax(said, version) AS excerpt, any(url) AS link
FROM (SELECT * FROM {{store "mentions"}} WHERE notEmpty(breach_rules) ORDER BY position DESC LIMIT 1 BY brand, published_at, platform, item_id) AS m
ARRAY JOIN breach_rules AS rule, breach_versions AS version, arrayResize(breach_excerpts, length(breach_rules)) AS said
GROUP BY brand, platform, item_id, rule
COMMENT 'Answers of brands that broke a rule of communication: one row is one answer and one rule. What was confidential is not in it';

CREATE OR REPLACE VIEW {{view "compliance_1d"}}
(
    brand LowCardinality(String) COMMENT 'Brand of the catalogue',
    platform LowCardinality(String) COMMENT 'Social platform',
    day Date COMMENT 'UTC day on which the answers were published',
    answers UInt64 COMMENT 'Answers to customers by official accounts',
    automatic UInt64 COMMENT 'Of answers: by automatic responders or with automatic texts',
    unapproved UInt64 COMMENT 'Of answers: by accounts that are neither approved nor declared automatic',
    confidential UInt64 COMMENT 'Of answers: the newest version breaks a rule about what must not be told',
    compliant UInt64 COMMENT 'Of answers: the newest version breaks no rule',
    corrected UInt64 COMMENT 'Of compliant: an earlier version broke a rule',
    policy_compliance Nullable(Float64) COMMENT 'Policy compliance: compliant divided by answers; for longer spans divide the sums'
)
{{definer}} AS SELECT brand, platform, toDate(published_at, 'UTC') AS day, count() AS answers, countIf(m.automatic) AS automatic,
    countIf(has(broken, 'unapproved_account')) AS unapproved, countIf(notEmpty(arrayFilter(r -> r != 'unapproved_account', broken))) AS confidential,
    countIf(empty(broken)) AS compliant, countIf(empty(broken) AND notEmpty(breach_rules)) AS corrected, compliant / nullIf(answers, 0) AS policy_compliance
FROM (SELECT brand, platform, published_at, automatic, breach_rules,
          arrayFilter((r, v) -> v = ifNull(toUnixTimestamp64Milli(edited_at), 0), breach_rules, breach_versions) AS broken
      FROM {{store "mentions"}} FINAL WHERE role = 'own' AND answer
      SETTINGS do_not_merge_across_partitions_select_final = 1) AS m
GROUP BY brand, platform, day
COMMENT 'Policy compliance by brand, platform and UTC day: answers by approved accounts without anything confidential, divided by all answers';

{{define "up"}}(SELECT c.id AS id, if(p.up = 0, c.up, p.up) AS up FROM {{.}} AS c LEFT JOIN {{.}} AS p ON p.id = c.up)
{{- end}}

{{- define "episodes"}}WITH
    parents AS (SELECT sipHash64(platform, item_id) AS id, any(sipHash64(platform, parent_id)) AS up FROM {{store "mentions"}}
        WHERE parent_id != '' AND (paired OR platform = 'telegram') GROUP BY id),
    grandparents AS {{template "up" "parents"}},
    roots AS {{template "up" "grandparents"}},
    addressees AS (SELECT sipHash64(platform, item_id) AS id, any(sipHash64(if(author_id = '', concat('item ', item_id), author_id))) AS who, max(erased) AS gone FROM {{store "mentions"}}
        WHERE role = 'customer' AND (erased OR (platform, item_id) GLOBAL IN (SELECT platform, parent_id FROM {{store "mentions"}} WHERE role = 'own' AND answer AND customer_id = ''))
        GROUP BY id),
    said AS (SELECT brand, platform, published_at, sipHash64(platform, item_id) AS id, if(complaint, item_id, '') AS item, sipHash64(platform, parent_id) AS up,
            paired OR platform = 'telegram' AS loose, sipHash64(platform, thread) AS talk, multiIf(role = 'own', 2, complaint, 1, 0) AS kind,
            if(role = 'own', if(customer_id = '', 0, sipHash64(customer_id)), sipHash64(if(author_id = '', concat('item ', item_id), author_id))) AS who
        FROM {{store "mentions"}} AS m FINAL
        WHERE (role = 'customer' OR role = 'own' AND answer AND approved AND NOT automatic) AND m.kind != 'repost' AND (complaint OR parent_id != '' OR root_id != '')
        SETTINGS do_not_merge_across_partitions_select_final = 1)
SELECT brand, platform, place, arrayFirst(m -> m.4 = 1, part) AS opening, opening.1 AS opened_at, opening.2 AS opening_item,
    arrayFilter(m -> m.4 = 2 AND m.1 >= opened_at, part) AS answers, if(empty(answers), NULL, answers[1].1) AS first_answer_at,
    arrayFilter(m -> m.4 < 2 AND m.1 >= opened_at AND m.3 != opening.3, part) AS messages,
    arrayFilter((m, nth) -> nth = 1, messages, arrayEnumerateUniq(messages.3)) AS joins,
    arrayCount(j -> arrayExists(a -> a.3 = j.3 AND a.1 >= j.1, answers), joins) AS joins_answered,
    arrayMap(j -> toFloat64(toUnixTimestamp64Milli(j.1) - toUnixTimestamp64Milli(opened_at)) / 1000, joins) AS delays,
    if(isNull(first_answer_at), 0, arrayCount(j -> j.1 >= first_answer_at, joins)) AS joins_after
FROM (SELECT brand, platform, place, arraySort(groupArray((published_at, item, who, kind))) AS messages,
          arraySplit((m, pause) -> pause >= 259200000, messages, arrayDifference(arrayMap(m -> toUnixTimestamp64Milli(m.1), messages))) AS parts
      FROM (SELECT s.brand AS brand, s.platform AS platform, s.published_at AS published_at, s.item AS item, s.kind AS kind,
                multiIf(NOT s.loose, s.talk, r.up != 0, r.up, s.id) AS place, if(s.kind = 2 AND a.id != 0 AND (s.who = 0 OR a.gone), a.who, s.who) AS who
            FROM said AS s
            LEFT JOIN roots AS r ON r.id = s.id
            LEFT JOIN addressees AS a ON a.id = s.up)
      GROUP BY brand, platform, place
      HAVING countIf(kind = 1) > 0 AND uniqExactIf(who, kind < 2) > 1)
ARRAY JOIN parts AS part
WHERE opening.4 = 1 AND notEmpty(joins)
{{- end}}

CREATE OR REPLACE VIEW {{view "contagion"}}
(
    brand LowCardinality(String) COMMENT 'Brand of the catalogue',
    platform LowCardinality(String) COMMENT 'Social platform',
    conversation UInt64 COMMENT 'Tells conversations apart without naming their people; where threads are conversations, by the same number as in voices',
    opened_at DateTime64(3, 'UTC') COMMENT 'When the complaint that opened it was published',
    opening_item String COMMENT 'Item id of that complaint',
    joined UInt64 COMMENT 'Customers who joined: wrote in the conversation after the complaint, its author apart',
    answered UInt64 COMMENT 'Of joined: got an own answer by an approved account, automatic ones apart',
    coverage Float64 COMMENT 'Parallel-work coverage: answered divided by joined',
    median_join_seconds Float64 COMMENT 'Median time from the complaint to the first message of those who joined',
    joined_first_hour UInt64 COMMENT 'Of joined: within an hour of the complaint',
    last_join_at DateTime64(3, 'UTC') COMMENT 'When the last customer joined',
    joins_per_hour Float64 COMMENT 'joined divided by the hours from the complaint to last_join_at, at least one hour',
    first_answer_at Nullable(DateTime64(3, 'UTC')) COMMENT 'First answer of the brand to anybody in the conversation after the complaint; NULL when there is none',
    joined_before_answer UInt64 COMMENT 'Of joined: before first_answer_at, all without one',
    joined_after_answer UInt64 COMMENT 'Of joined: at or after first_answer_at',
    joins_per_hour_before Float64 COMMENT 'joined_before_answer divided by the hours from the complaint to first_answer_at (without one to last_join_at), at least one hour',
    joins_per_hour_after Nullable(Float64) COMMENT 'joined_after_answer divided by the hours from first_answer_at to last_join_at, at least one hour; NULL without an answer'
)
{{definer}} AS SELECT brand, platform, place AS conversation, e.opened_at AS opened_at, opening_item,
    length(joins) AS joined, joins_answered AS answered, answered / joined AS coverage, arrayReduce('quantileExactInclusive(0.5)', delays) AS median_join_seconds,
    arrayCount(d -> d < 3600, delays) AS joined_first_hour, joins[-1].1 AS last_join_at, joined / greatest(delays[-1] / 3600, 1) AS joins_per_hour,
    e.first_answer_at AS first_answer_at, joined - joins_after AS joined_before_answer, joins_after AS joined_after_answer,
    joined_before_answer / greatest((toUnixTimestamp64Milli(ifNull(e.first_answer_at, last_join_at)) - toUnixTimestamp64Milli(opened_at)) / 3600000, 1) AS joins_per_hour_before,
    if(isNull(e.first_answer_at), NULL, joins_after / greatest((toUnixTimestamp64Milli(last_join_at) - toUnixTimestamp64Milli(e.first_answer_at)) / 3600000, 1)) AS joins_per_hour_after
FROM ({{template "episodes"}}) AS e
COMMENT 'How complaints spread: one row is one complaint in a conversation that other customers joined. A pause of three days ends it; the next complaint there opens another';

CREATE OR REPLACE VIEW {{view "contagion_1d"}}
(
    brand LowCardinality(String) COMMENT 'Brand of the catalogue',
    platform LowCardinality(String) COMMENT 'Social platform',
    day Date COMMENT 'UTC day of the complaints',
    threads UInt64 COMMENT 'Complaints that other customers joined',
    joined UInt64 COMMENT 'Customers who joined, counted once for each complaint',
    answered UInt64 COMMENT 'Of joined: got an own answer by an approved account, automatic ones apart',
    coverage Float64 COMMENT 'Parallel-work coverage: answered divided by joined; for longer spans divide the sums',
    median_join_seconds Float64 COMMENT 'Median time from the complaint to the first message of those who joined',
    joined_first_hour UInt64 COMMENT 'Of joined: within an hour of the complaint',
    joined_before_answer UInt64 COMMENT 'Of joined: before the first answer of the brand in the conversation, all without one',
    joined_after_answer UInt64 COMMENT 'Of joined: after it'
)
{{definer}} AS SELECT brand, platform, toDate(opened_at, 'UTC') AS day, count() AS threads, sum(length(joins)) AS joined, sum(joins_answered) AS answered,
    answered / joined AS coverage, quantileExactInclusiveArray(0.5)(delays) AS median_join_seconds, sum(arrayCount(d -> d < 3600, delays)) AS joined_first_hour,
    joined - joined_after_answer AS joined_before_answer, sum(joins_after) AS joined_after_answer
FROM ({{template "episodes"}}) AS e
GROUP BY brand, platform, day
COMMENT 'How complaints spread, by brand, platform and UTC day of the complaint';
