-- How long rows and texts are kept. Applied after the migrations whenever the periods of the configuration change. The
-- clock starts when Otklik stores a row, not at the event: an old firehose that is replayed is kept as long as a new one.

{{range $t := .FigureTables}}ALTER TABLE {{local $t}}{{$.OnCluster}} MODIFY TTL written_at + INTERVAL {{$.FigureDays}} DAY DELETE;

{{end}}ALTER TABLE {{local "mentions"}}{{.OnCluster}} MODIFY COLUMN text TTL written_at + INTERVAL {{.TextDays}} DAY;

ALTER TABLE {{local "mentions"}}{{.OnCluster}} MODIFY COLUMN author_name TTL written_at + INTERVAL {{.TextDays}} DAY;

ALTER TABLE {{local "mentions"}}{{.OnCluster}} MODIFY COLUMN author_handle TTL written_at + INTERVAL {{.TextDays}} DAY;

ALTER TABLE {{local "mentions"}}{{.OnCluster}} MODIFY COLUMN url TTL written_at + INTERVAL {{.TextDays}} DAY;

ALTER TABLE {{local "mentions"}}{{.OnCluster}} MODIFY COLUMN correction_note TTL written_at + INTERVAL {{.TextDays}} DAY;

{{range $c := .ClaimTexts}}ALTER TABLE {{local "claims"}}{{$.OnCluster}} MODIFY COLUMN {{$c}} TTL written_at + INTERVAL {{$.TextDays}} DAY;

{{end}}ALTER TABLE {{local "mentions"}}{{.OnCluster}} MODIFY COLUMN breach_excerpts TTL written_at + INTERVAL {{.TextDays}} DAY;

ALTER TABLE {{local "deadletters"}}{{.OnCluster}} MODIFY COLUMN key TTL written_at + INTERVAL {{.TextDays}} DAY;

ALTER TABLE {{local "deadletters"}}{{.OnCluster}} MODIFY COLUMN payload TTL written_at + INTERVAL {{.TextDays}} DAY;

ALTER TABLE {{local "deadletters"}}{{.OnCluster}} MODIFY COLUMN items TTL written_at + INTERVAL {{.TextDays}} DAY;

ALTER TABLE {{local "deadletters"}}{{.OnCluster}} MODIFY COLUMN detail TTL if(reason = 'rejected_row', toDateTime('2106-01-01 00:00:00', 'UTC'), written_at + INTERVAL {{.TextDays}} DAY);
