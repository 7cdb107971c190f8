-- The record of what was applied. Run before every migration and never recorded itself.

CREATE DATABASE IF NOT EXISTS {{.Store}}{{.OnCluster}};

CREATE TABLE IF NOT EXISTS {{local "migrations"}}{{.OnCluster}}
(
    version UInt32 COMMENT 'Number of the migration; 0 is the retention',
    name String COMMENT 'Name of its file',
    checksum String COMMENT 'SHA-256 of its statements; another one for the same number is refused',
    applied_at DateTime64(3, 'UTC') COMMENT 'When it was applied; the latest is the truth'
)
ENGINE = {{replacing "migrations" "applied_at"}}
ORDER BY version
COMMENT 'One row is one migration of the schema that was applied';
{{distributed "migrations" "cityHash64(version)"}}
