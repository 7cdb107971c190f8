-- contagion_of once more, with the same rows for less: where threads are conversations, only those with a complaint in the range are put together, and the
-- brand, one and the same everywhere, is carried through no step. Half of what it costs is to analyse it.

{{- define "within"}}{{.}} >= {since:DateTime64(3, 'UTC')} AND {{.}} < {until:DateTime64(3, 'UTC')}{{end}}

{{- define "loose"}}(paired OR platform = 'telegram'){{end}}

{{- define "around"}}published_at >= {since:DateTime64(3, 'UTC')} - toIntervalDay(31) AND published_at < {until:DateTime64(3, 'UTC')} + toIntervalDay(31){{end}}

CREATE OR REPLACE VIEW {{view "contagion_of"}}
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
{{definer}} AS WITH
    parents AS (SELECT sipHash64(platform, item_id) AS id, sipHash64(platform, parent_id) AS up FROM {{store "mentions"}}
        WHERE {{template "around"}} AND parent_id != '' AND {{template "loose"}}),
    addressees AS (SELECT sipHash64(platform, item_id) AS id, any(sipHash64(if(author_id = '', concat('item ', item_id), author_id))) AS who, max(erased) AS gone FROM {{store "mentions"}}
        WHERE {{template "around"}} AND role = 'customer' AND (erased OR (platform, item_id) GLOBAL IN (SELECT platform, parent_id FROM {{store "mentions"}}
            WHERE brand = {brand:String} AND {{template "around"}} AND role = 'own' AND answer AND customer_id = ''))
        GROUP BY id),
    said AS (SELECT platform, published_at, sipHash64(platform, item_id) AS id, if(complaint, item_id, '') AS item, sipHash64(platform, parent_id) AS up,
            {{template "loose"}} AS loose, parent_id != '' AS reply, if(loose AND reply, sipHash64(platform, parent_id), 0) AS step,
            sipHash64(platform, thread) AS talk, multiIf(role = 'own', 2, complaint, 1, 0) AS kind,
            if(role = 'own', if(customer_id = '', 0, sipHash64(customer_id)), sipHash64(if(author_id = '', concat('item ', item_id), author_id))) AS who
        FROM {{store "mentions"}} AS m FINAL
        WHERE brand = {brand:String} AND {{template "around"}}
            AND ({{template "loose"}} OR thread GLOBAL IN (SELECT thread FROM {{store "mentions"}} WHERE brand = {brand:String} AND {{template "within" "published_at"}} AND complaint))
            AND (role = 'customer' OR role = 'own' AND answer AND approved AND NOT automatic) AND m.kind != 'repost' AND (complaint OR parent_id != '' OR root_id != '')
        SETTINGS do_not_merge_across_partitions_select_final = 1),
    talks AS (SELECT platform, place, arraySort(groupArray((published_at, item, who, kind))) AS messages
        FROM (SELECT s.platform AS platform, s.published_at AS published_at, s.item AS item, s.kind AS kind,
                multiIf(NOT s.loose, s.talk, p4.up != 0, p4.up, p3.up != 0, p3.up, p2.up != 0, p2.up, s.reply, s.up, s.id) AS place,
                if(s.kind = 2 AND a.id != 0 AND (s.who = 0 OR a.gone), a.who, s.who) AS who
            FROM said AS s
            LEFT ANY JOIN parents AS p2 ON p2.id = s.step
            LEFT ANY JOIN parents AS p3 ON p3.id = p2.up
            LEFT ANY JOIN parents AS p4 ON p4.id = p3.up
            LEFT JOIN addressees AS a ON a.id = s.up)
        GROUP BY platform, place
        HAVING countIf(kind = 1 AND {{template "within" "published_at"}}) > 0 AND uniqExactIf(who, kind < 2) > 1),
    parts AS (SELECT platform, place, arraySplit((m, pause) -> pause >= 259200000, messages, arrayDifference(arrayMap(m -> toUnixTimestamp64Milli(m.1), messages))) AS parts
        FROM talks),
    openings AS (SELECT platform, place, part, arrayFirst(m -> m.4 = 1, part) AS opening
        FROM parts ARRAY JOIN parts AS part),
    opened AS (SELECT platform, place, opening.1 AS opened_at, opening.2 AS opening_item,
            arrayFilter(m -> m.4 = 2 AND m.1 >= opening.1, part) AS answers, arrayFilter(m -> m.4 < 2 AND m.1 >= opening.1 AND m.3 != opening.3, part) AS messages
        FROM openings
        WHERE opening.4 = 1 AND {{template "within" "opening.1"}}),
    joined AS (SELECT platform, place, opened_at, opening_item, answers, if(empty(answers), NULL, answers[1].1) AS first_answer_at,
            arrayFilter((m, nth) -> nth = 1, messages, arrayEnumerateUniq(messages.3)) AS joins
        FROM opened
        WHERE notEmpty(messages)),
    measured AS (SELECT platform, place, opened_at, opening_item, first_answer_at, length(joins) AS joined, joins[-1].1 AS last_join_at,
            toUInt64(arrayCount(j -> arrayExists(a -> a.3 = j.3 AND a.1 >= j.1, answers), joins)) AS answered,
            arrayMap(j -> toFloat64(toUnixTimestamp64Milli(j.1) - toUnixTimestamp64Milli(opened_at)) / 1000, joins) AS delays,
            toUInt64(if(isNull(first_answer_at), 0, arrayCount(j -> j.1 >= first_answer_at, joins))) AS joined_after_answer
        FROM joined)
SELECT toLowCardinality({brand:String}) AS brand, platform, place AS conversation, opened_at, opening_item, joined, answered, answered / joined AS coverage,
    arrayReduce('quantileExactInclusive(0.5)', delays) AS median_join_seconds, toUInt64(arrayCount(d -> d < 3600, delays)) AS joined_first_hour, last_join_at,
    joined / greatest(delays[-1] / 3600, 1) AS joins_per_hour, first_answer_at, toUInt64(joined - joined_after_answer) AS joined_before_answer, joined_after_answer,
    joined_before_answer / greatest((toUnixTimestamp64Milli(ifNull(first_answer_at, last_join_at)) - toUnixTimestamp64Milli(opened_at)) / 3600000, 1) AS joins_per_hour_before,
    if(isNull(first_answer_at), NULL, joined_after_answer / greatest((toUnixTimestamp64Milli(last_join_at) - toUnixTimestamp64Milli(first_answer_at)) / 3600000, 1)) AS joins_per_hour_after
FROM measured
COMMENT 'contagion of one brand and of a range of opened_at, at the cost of that range. Times are in UTC, until is not included. It reads 31 days more on both sides: the rows are those of contagion unless a conversation goes on for longer without a pause of three days, or answers an answer that is older';
