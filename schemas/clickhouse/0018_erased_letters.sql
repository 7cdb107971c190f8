-- Deletes reach dead letters. A dead letter names the items that it holds, as far as they can be made out, and a delete of one of them empties
-- it. What was stored before names none: its contents go with the text retention, or it names its items once it is put back.

{{range tables "deadletters"}}ALTER TABLE {{.}}{{$.OnCluster}}
    ADD COLUMN IF NOT EXISTS platform LowCardinality(String) COMMENT 'Social platform of items; empty when they are claims' AFTER payload,
    ADD COLUMN IF NOT EXISTS items Array(String) COMMENT 'Item ids that the payload holds, as far as they can be made out: a delete of one of them erases the dead letter. A payload without any id goes with the text retention alone. Of a broken payload some may name something else; emptied with the text retention' AFTER platform,
    ADD COLUMN IF NOT EXISTS erased Bool COMMENT 'The platform deleted an item that it holds: key and payload are gone, and it cannot be put back' AFTER items,
    COMMENT COLUMN detail 'What exactly was wrong; emptied with the text retention or when the platform deletes an item, but for rejected rows',
    COMMENT COLUMN key 'Key of the record; emptied with the text retention or when the platform deletes an item in it',
    COMMENT COLUMN payload 'The record as it was read; emptied with the text retention or when the platform deletes an item in it';

{{end}}
{{copy "deadletters" "Records that could not be processed, as they were read, until the platform deletes what they hold"}}

CREATE OR REPLACE VIEW {{view "deadletter_reasons"}}
(
    stage LowCardinality(String) COMMENT 'Processor that gave up: ingest, track or roll',
    topic LowCardinality(String) COMMENT 'Topic the records were read from',
    reason LowCardinality(String) COMMENT 'Short class: malformed_json, no_time, future, rejected_row and so on',
    hour DateTime('UTC') COMMENT 'Hour of the record timestamps',
    records UInt64 COMMENT 'Dead letters',
    redriven UInt64 COMMENT 'Of records: put back into their topic',
    erased UInt64 COMMENT 'Of records: emptied, because the platform deleted an item in them'
)
{{definer}} AS SELECT stage, topic, reason, toStartOfHour(at) AS hour, count() AS records, countIf(redriven_at IS NOT NULL) AS redriven, countIf(d.erased) AS erased
FROM {{.Store}}.deadletters AS d FINAL
GROUP BY stage, topic, reason, hour
COMMENT 'Dead letters by reason and hour, without their content';
