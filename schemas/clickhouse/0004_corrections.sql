-- Corrections of labels by analysts. label is what counts; what the model said stays in model_label, model and the scores. An insert
-- without corrections leaves these columns out, so their defaults must be right for it, and for the rows of before.

{{range tables "mentions"}}ALTER TABLE {{.}}{{$.OnCluster}}
    ADD COLUMN IF NOT EXISTS model_label Enum8('unlabelled' = 0, 'positive' = 1, 'neutral' = 2, 'negative' = 3) DEFAULT label COMMENT 'What the model says; label is the same unless it was corrected' AFTER model,
    ADD COLUMN IF NOT EXISTS corrected_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When an analyst gave the label; NULL where it is that of the model' AFTER model_label,
    ADD COLUMN IF NOT EXISTS corrected_by LowCardinality(String) COMMENT 'Analyst who gave the label; empty where it is that of the model' AFTER corrected_at,
    ADD COLUMN IF NOT EXISTS correction_note String COMMENT 'Why the analyst gave the label; emptied with the text retention or when the platform deletes the item' AFTER corrected_by,
    ADD COLUMN IF NOT EXISTS corrections Array(String) COMMENT 'All corrections in the order of their delivery: time, label and analyst. The newest counts, unless the text is newer' AFTER versions,
    ADD COLUMN IF NOT EXISTS text_since Int64 DEFAULT ifNull(toUnixTimestamp64Milli(edited_at), 0) COMMENT 'Version since which the text is what it is, as in versions' AFTER corrections,
    COMMENT COLUMN label 'Sentiment towards the brand: that of the model, or of an analyst where corrected_at is set; unlabelled where the classifier does not know the language',
    COMMENT COLUMN positive_score 'Calibrated probability of positive, by the model',
    COMMENT COLUMN neutral_score 'Calibrated probability of neutral, by the model',
    COMMENT COLUMN negative_score 'Calibrated probability of negative, by the model',
    COMMENT COLUMN model 'Name and version of the classifier that gave model_label and the scores';

{{end}}
