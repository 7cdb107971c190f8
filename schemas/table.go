package schemas

import (
	"regexp"
	"strings"
)

// Column is one column of a table or view as the migrations declare it.
type Column struct {
	Name    string
	Type    string // ClickHouse type
	Comment string
}

// Table is one table or view as the migrations declare it.
type Table struct {
	Name        string
	View        bool
	Comment     string
	Partitioned bool // has a PARTITION BY, always of columns that never change for a row
	Columns     []Column
}

var (
	createLine    = regexp.MustCompile(`^CREATE (?:TABLE IF NOT EXISTS|OR REPLACE VIEW) ([A-Za-z0-9_]+)\.([A-Za-z0-9_]+)`)
	columnLine    = regexp.MustCompile(`^    ([a-z0-9_]+) (.+?)(?: DEFAULT [^']+?)? COMMENT '([^']*)'(?: CODEC\([A-Z0-9()]+\))?,?$`)
	tableComment  = regexp.MustCompile(`(?m)^COMMENT '([^']*)'$`)
	partitionLine = regexp.MustCompile(`(?m)^PARTITION BY `)
)

// addTables adds the tables and views that a script rendered for one server declares.
func addTables(known []Table, script string) []Table {
	for _, statement := range split(script) {
		m := createLine.FindStringSubmatch(statement)
		if m == nil {
			continue
		}
		t := Table{
			Name:        m[2],
			View:        strings.HasPrefix(statement, "CREATE OR REPLACE VIEW"),
			Partitioned: partitionLine.MatchString(statement),
		}
		if c := tableComment.FindStringSubmatch(statement); c != nil {
			t.Comment = c[1]
		}
		for line := range strings.Lines(statement) {
			if c := columnLine.FindStringSubmatch(strings.TrimRight(line, "\n")); c != nil {
				t.Columns = append(t.Columns, Column{Name: c[1], Type: c[2], Comment: c[3]})
			}
		}
		known = append(known, t)
	}
	return known
}

// Tables returns the storage tables and the reading views of the schema with their columns, in the order of the
// migrations.
func Tables() ([]Table, error) {
	all, err := migrations(Options{}.WithDefaults())
	if err != nil {
		return nil, err
	}
	var out []Table
	for _, m := range all {
		out = addTables(out, strings.Join(m.statements, ";\n"))
	}
	return out, nil
}
