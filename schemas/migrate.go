package schemas

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Applied is what Migrate did, or would do, about one migration.
type Applied struct {
	Version    int    // 0 is the retention, which is applied again whenever its periods change
	Name       string // of the file
	New        bool   // false: it was there already
	Statements []string
}

// ErrSchema is wrapped by every refusal to work on a schema that does not match this binary.
var ErrSchema = errors.New("schema does not match this binary")

// Migrate brings the schema up to this binary and returns every migration in order. It is safe to repeat and to race:
// every statement is idempotent and only what is recorded as applied is skipped. It refuses, wrapping ErrSchema, when a
// recorded migration is not the one of this binary or when the schema is newer.
func Migrate(ctx context.Context, conn Conn, o Options) ([]Applied, error) {
	o = o.WithDefaults()
	if err := o.validate(); err != nil {
		return nil, fmt.Errorf("migrate: %w", err)
	}
	all, err := migrations(o)
	if err != nil {
		return nil, fmt.Errorf("migrate: %w", err)
	}
	if !o.DryRun {
		if err := run(ctx, conn, all[0]); err != nil {
			return nil, err
		}
	}
	recorded, err := record(ctx, conn, o.Database)
	if err != nil {
		return nil, err
	}
	if err := compare(recorded, all, o.Database); err != nil {
		return nil, err
	}
	var out []Applied
	for _, m := range all[1:] {
		_, done := recorded[m.version]
		if !done && !o.DryRun {
			if err := apply(ctx, conn, o.Database, m); err != nil {
				return out, err
			}
		}
		out = append(out, Applied{Version: m.version, Name: m.name, New: !done, Statements: m.statements})
	}
	text, err := render("retention.sql", o, nil)
	if err != nil {
		return out, fmt.Errorf("migrate: %w", err)
	}
	r := migration{name: fmt.Sprintf("retention: figures %d days, texts %d days", o.Retention.FigureDays, o.Retention.TextDays), statements: split(text)}
	r.checksum = checksum(r.statements)
	same := recorded[0].checksum == r.checksum
	if !same && !o.DryRun {
		if err := apply(ctx, conn, o.Database, r); err != nil {
			return out, err
		}
	}
	return append(out, Applied{Name: r.name, New: !same, Statements: r.statements}), nil
}

// Check reports, wrapping ErrSchema and with the remedy, when the schema in database is not the one of this binary.
func Check(ctx context.Context, conn Conn, database string) error {
	o := Options{Database: database}.WithDefaults()
	if err := o.validate(); err != nil {
		return fmt.Errorf("check schema: %w", err)
	}
	all, err := migrations(o)
	if err != nil {
		return fmt.Errorf("check schema: %w", err)
	}
	recorded, err := record(ctx, conn, o.Database)
	if err != nil {
		return err
	}
	if err := compare(recorded, all, o.Database); err != nil {
		return err
	}
	for _, m := range all[1:] {
		if _, ok := recorded[m.version]; !ok {
			return fmt.Errorf("%w: database %s lacks migration %s; run `otklik migrate`", ErrSchema, o.Database, m.name)
		}
	}
	return nil
}

func run(ctx context.Context, conn Conn, m migration) error {
	for i, s := range m.statements {
		if err := conn.Exec(ctx, s); err != nil {
			return fmt.Errorf("migrate: %s, statement %d: %w", m.name, i+1, err)
		}
	}
	return nil
}

func apply(ctx context.Context, conn Conn, database string, m migration) error {
	if err := run(ctx, conn, m); err != nil {
		return err
	}
	err := conn.Exec(ctx, fmt.Sprintf("INSERT INTO %s.migrations SELECT %d, %s, '%s', now64(3)",
		Store(database), m.version, quote(m.name), m.checksum))
	if err != nil {
		return fmt.Errorf("migrate: record %s: %w", m.name, err)
	}
	return nil
}

type recordRow struct{ name, checksum string }

// record reads what was applied; a schema that does not exist yet is an empty record.
func record(ctx context.Context, conn Conn, database string) (map[int]recordRow, error) {
	there, err := conn.Strings(ctx, fmt.Sprintf("SELECT count() FROM system.tables WHERE database = '%s' AND name = 'migrations'", Store(database)))
	if err != nil {
		return nil, fmt.Errorf("read schema version: %w", err)
	}
	out := map[int]recordRow{}
	if len(there) != 1 || there[0][0] == "0" {
		return out, nil
	}
	rows, err := conn.Strings(ctx, fmt.Sprintf("SELECT version, name, checksum FROM %s.migrations FINAL", Store(database)))
	if err != nil {
		return nil, fmt.Errorf("read schema version: %w", err)
	}
	for _, r := range rows {
		version, err := strconv.Atoi(r[0])
		if err != nil {
			return nil, fmt.Errorf("read schema version: %w", err)
		}
		out[version] = recordRow{name: r[1], checksum: r[2]}
	}
	return out, nil
}

// compare refuses a record that this binary did not or could not write.
func compare(recorded map[int]recordRow, all []migration, database string) error {
	newest := all[len(all)-1].version
	for version, r := range recorded {
		switch {
		case version == 0:
		case version > newest:
			return fmt.Errorf("%w: database %s has migration %s, this binary knows up to %04d; install the otklik that wrote it or a later one",
				ErrSchema, database, r.name, newest)
		case all[version].checksum != r.checksum:
			return fmt.Errorf("%w: database %s has another %s than this binary (checksum %.12s, here %.12s); "+
				"use the otklik that created the database, or migrate into a new one",
				ErrSchema, database, r.name, r.checksum, all[version].checksum)
		}
	}
	return nil
}

// quote writes s as a ClickHouse string literal.
func quote(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}
