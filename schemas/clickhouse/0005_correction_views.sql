-- Corrections for readers.

{{copy "mentions" "Mentions: one row is one item and one brand that it names, with text and author" "text_since"}}

CREATE OR REPLACE VIEW {{view "label_quality"}}
(
    brand LowCardinality(String) COMMENT 'Brand of the catalogue',
    lang LowCardinality(String) COMMENT 'BCP 47 language as the platform states it; empty when it does not',
    model LowCardinality(String) COMMENT 'Name and version of the classifier',
    model_label Enum8('unlabelled' = 0, 'positive' = 1, 'neutral' = 2, 'negative' = 3) COMMENT 'What the model said',
    analyst_label Enum8('unlabelled' = 0, 'positive' = 1, 'neutral' = 2, 'negative' = 3) COMMENT 'What an analyst said; the same where the model was confirmed',
    mentions UInt64 COMMENT 'Mentions of customers with both labels'
)
{{definer}} AS SELECT brand, lang, model, model_label, label AS analyst_label, count() AS mentions
FROM {{store "mentions"}} FINAL
WHERE role = 'customer' AND corrected_at IS NOT NULL
GROUP BY brand, lang, model, model_label, analyst_label
SETTINGS do_not_merge_across_partitions_select_final = 1
COMMENT 'Confusion matrix of the classifier by the labels of analysts. It measures the classifier only where analysts also confirm what is right: label a random sample';
