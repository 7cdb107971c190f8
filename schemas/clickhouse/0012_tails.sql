-- What a topic that was deleted, made again and filled is told by: the last record that was applied.

{{range tables "progress"}}ALTER TABLE {{.}}{{$.OnCluster}}
    ADD COLUMN IF NOT EXISTS last_offset Int64 COMMENT 'Offset of the last record before position that was applied' AFTER position,
    ADD COLUMN IF NOT EXISTS last_hash UInt64 COMMENT 'Hash of that record, by which a topic that was made again is recognised; 0 unknown' AFTER last_offset;

{{end}}
