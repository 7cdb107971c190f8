// Package schemas holds the ClickHouse schema of Otklik: numbered migrations, reading views, users and grants, and the
// generator of the data dictionary in README.md. It speaks SQL text only; the connection is handed to it.
//
// Storage tables live in the database Store(database), reading views in the database itself. Whoever reads figures reads
// views; only the engine touches the tables.
package schemas

import (
	"bytes"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/template"
)

//go:embed clickhouse/*.sql
var files embed.FS

// Conn is what this package needs of a ClickHouse connection; *clickhouse.Client of sinks/clickhouse is one.
type Conn interface {
	// Exec runs one statement that returns nothing.
	Exec(ctx context.Context, statement string, args ...any) error
	// Strings runs a query and returns its rows with every value as text; NULL is the empty string.
	Strings(ctx context.Context, query string, args ...any) ([][]string, error)
}

// DefaultDatabase is the database of the reading views when none is configured.
const DefaultDatabase = "otklik"

// Store returns the name of the database that holds the storage tables of the views in database.
func Store(database string) string { return database + "_store" }

// Retention says how long rows and texts are kept, in days counted from the moment Otklik stored the row (not from the
// event, so an old firehose that is replayed is kept as long as a new one).
type Retention struct {
	FigureDays int // rows: mentions without their text, panes, responses, cases, books
	TextDays   int // texts, names and addresses of mentions, contents of dead letters
}

// DefaultRetention keeps figures for five years and texts for one.
var DefaultRetention = Retention{FigureDays: 5 * 365, TextDays: 365}

// maxRetentionDays keeps written_at plus the period inside ClickHouse's DateTime, which ends in 2106.
const maxRetentionDays = 50 * 365

func (r Retention) validate() error {
	var errs []error
	for _, p := range []struct {
		name string
		days int
	}{{"figures", r.FigureDays}, {"texts", r.TextDays}} {
		if p.days < 1 || p.days > maxRetentionDays {
			errs = append(errs, fmt.Errorf("retention of %s is %d days: give 1 to %d", p.name, p.days, maxRetentionDays))
		}
	}
	return errors.Join(errs...)
}

// Options of Migrate. The zero value means the database otklik on one server with DefaultRetention.
type Options struct {
	Database  string    // of the reading views; "" is DefaultDatabase
	Cluster   string    // name of a ClickHouse cluster: Replicated engines and Distributed tables; "" for one server
	Definer   string    // user whose rights the views have; "" is the user that migrates
	Retention Retention // zero is DefaultRetention
	DryRun    bool      // only say what would be done
}

// WithDefaults returns o with every unset field set.
func (o Options) WithDefaults() Options {
	if o.Database == "" {
		o.Database = DefaultDatabase
	}
	if o.Retention == (Retention{}) {
		o.Retention = DefaultRetention
	}
	return o
}

// identifier is what may stand unquoted in SQL; names that are configured go through it before they reach a statement.
var identifier = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// clusterName also allows the dashes that operators like in cluster names.
var clusterName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]*$`)

func (o Options) validate() error {
	var errs []error
	if !identifier.MatchString(o.Database) {
		errs = append(errs, fmt.Errorf("database %q: use letters, digits and underscores", o.Database))
	}
	if o.Definer != "" && !identifier.MatchString(o.Definer) {
		errs = append(errs, fmt.Errorf("definer %q: use letters, digits and underscores", o.Definer))
	}
	if o.Cluster != "" && !clusterName.MatchString(o.Cluster) {
		errs = append(errs, fmt.Errorf("cluster %q: use letters, digits, dashes and underscores", o.Cluster))
	}
	return errors.Join(append(errs, o.Retention.validate())...)
}

// migration is one numbered file, rendered for a set of options.
type migration struct {
	version    int
	name       string
	checksum   string // of the statements as rendered with the zero options, so that options do not change it
	statements []string
}

// figureTables are the tables whose rows are dropped at the end of the retention of figures.
var figureTables = []string{
	"mentions", "panes", "rolling", "responses", "cases", "turns", "alerts", "alert_reasons", "alert_deliveries", "claims", "communities", "ledger", "erasures", "deadletters",
}

// claimTexts are the columns of claims that are emptied at the end of the retention of texts.
var claimTexts = []string{"text", "author_name", "author_handle", "url", "notes"}

// render executes one file of the folder clickhouse. known are the tables that earlier files and this one create.
func render(file string, o Options, known []Table) (string, error) {
	root := template.New(file).Option("missingkey=error")
	sub := func(name string, data any) (string, error) {
		var b bytes.Buffer
		if err := root.ExecuteTemplate(&b, name, data); err != nil {
			return "", err
		}
		return b.String(), nil
	}
	onCluster := ""
	if o.Cluster != "" {
		onCluster = " ON CLUSTER `" + o.Cluster + "`"
	}
	store := Store(o.Database)
	local := func(table string) string {
		if o.Cluster != "" {
			return store + "." + table + "_local"
		}
		return store + "." + table
	}
	duplicate := func(view, table, comment string, omit ...string) (string, error) {
		i := slices.IndexFunc(known, func(t Table) bool { return t.Name == table })
		if i < 0 {
			return "", fmt.Errorf("view %s: no table %s", view, table)
		}
		columns := slices.Clone(known[i].Columns)
		for _, name := range omit {
			at := slices.IndexFunc(columns, func(c Column) bool { return c.Name == name })
			if at < 0 {
				return "", fmt.Errorf("view %s: table %s has no column %s", view, table, name)
			}
			columns = slices.Delete(columns, at, at+1)
		}
		return sub("copy", map[string]any{
			"View": view, "Table": table, "Comment": comment, "Columns": columns, "Partitioned": known[i].Partitioned,
		})
	}
	root.Funcs(template.FuncMap{
		"local": local,
		"store": func(table string) string { return store + "." + table },
		"tables": func(table string) []string { // what a change of columns has to change
			if o.Cluster != "" {
				return []string{local(table), store + "." + table}
			}
			return []string{local(table)}
		},
		"view": func(name string) string { return o.Database + "." + name + onCluster },
		"definer": func() string {
			if o.Definer == "" {
				return "DEFINER = CURRENT_USER SQL SECURITY DEFINER"
			}
			return "DEFINER = " + o.Definer + " SQL SECURITY DEFINER"
		},
		"replacing": func(table, version string) string {
			if o.Cluster != "" {
				return fmt.Sprintf("ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/%s/%s', '{replica}', %s)", store, table, version)
			}
			return "ReplacingMergeTree(" + version + ")"
		},
		"distributed": func(table, key string) string {
			if o.Cluster == "" {
				return ""
			}
			return fmt.Sprintf("\nCREATE TABLE IF NOT EXISTS %s.%s%s AS %s\nENGINE = Distributed('%s', '%s', '%s_local', %s);\n",
				store, table, onCluster, local(table), o.Cluster, store, table, key)
		},
		"counts": func() (string, error) { return sub("counts", nil) },
		"copy": func(table, comment string, omit ...string) (string, error) {
			return duplicate(table, table, comment, omit...)
		},
		"copyAs": duplicate,
		"sentiment": func(grain, length string) (string, error) {
			return sub("sentiment", map[string]string{"Grain": grain, "Length": length})
		},
	})
	for _, name := range []string{"partials.sql", file} {
		text, err := files.ReadFile("clickhouse/" + name)
		if err != nil {
			return "", err
		}
		t := root
		if name != file {
			t = root.New(name)
		}
		if _, err := t.Parse(string(text)); err != nil {
			return "", err
		}
	}
	var b bytes.Buffer
	err := root.Execute(&b, map[string]any{
		"Store": store, "Views": o.Database, "OnCluster": onCluster,
		"FigureTables": figureTables, "ClaimTexts": claimTexts, "FigureDays": o.Retention.FigureDays, "TextDays": o.Retention.TextDays,
	})
	return b.String(), err
}

// migrations renders every numbered file in order. File 0000 holds the record of migrations and is the first.
func migrations(o Options) ([]migration, error) {
	names, err := fs.Glob(files, "clickhouse/[0-9]*.sql")
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	var out []migration
	var known []Table
	for i, path := range names {
		name := strings.TrimPrefix(path, "clickhouse/")
		version, err := strconv.Atoi(name[:strings.IndexByte(name, '_')])
		if err != nil || version != i {
			return nil, fmt.Errorf("migration %s: numbers must run without a gap, want %04d", name, i)
		}
		plain, err := render(name, Options{}.WithDefaults(), known)
		if err != nil {
			return nil, fmt.Errorf("migration %s: %w", name, err)
		}
		known = addTables(known, plain)
		text, err := render(name, o, known)
		if err != nil {
			return nil, fmt.Errorf("migration %s: %w", name, err)
		}
		out = append(out, migration{
			version: version, name: name, checksum: checksum(split(plain)), statements: split(text),
		})
	}
	return out, nil
}

func checksum(statements []string) string {
	h := sha256.New()
	for _, s := range statements {
		h.Write([]byte(s))
		h.Write([]byte{0})
	}
	return hex.EncodeToString(h.Sum(nil))
}

// split cuts a script into statements at semicolons outside of quotes, and drops comment lines.
func split(script string) []string {
	var out []string
	var b strings.Builder
	quote := byte(0)
	flush := func() {
		if s := strings.TrimSpace(b.String()); s != "" {
			out = append(out, s)
		}
		b.Reset()
	}
	for i := 0; i < len(script); i++ {
		c := script[i]
		switch {
		case quote != 0:
			if c == '\\' && i+1 < len(script) {
				b.WriteByte(c)
				i++
				c = script[i]
			} else if c == quote {
				quote = 0
			}
		case c == '\'' || c == '`':
			quote = c
		case c == '-' && strings.HasPrefix(script[i:], "--"):
			for i < len(script) && script[i] != '\n' {
				i++
			}
			c = '\n'
		case c == ';':
			flush()
			continue
		}
		b.WriteByte(c)
	}
	flush()
	return out
}
