package schemas

import (
	"regexp"
	"slices"
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
	Parameters  []Column // what a view asks for, in the order of the first use; without comments
}

var (
	createLine    = regexp.MustCompile(`^CREATE (?:TABLE IF NOT EXISTS|OR REPLACE VIEW) ([A-Za-z0-9_]+)\.([A-Za-z0-9_]+)`)
	columnLine    = regexp.MustCompile(`^    ([a-z0-9_]+) (.+?)(?: DEFAULT [^']+?)? COMMENT '([^']*)'(?: CODEC\([A-Z0-9()]+\))?,?$`)
	alterLine     = regexp.MustCompile(`^ALTER TABLE ([A-Za-z0-9_]+)\.([A-Za-z0-9_]+)`)
	addLine       = regexp.MustCompile(`^    ADD COLUMN IF NOT EXISTS ([a-z0-9_]+) (.+?)(?: DEFAULT [^']+?)? COMMENT '([^']*)' AFTER ([a-z0-9_]+),?$`)
	commentLine   = regexp.MustCompile(`^    COMMENT COLUMN ([a-z0-9_]+) '([^']*)',?$`)
	tableComment  = regexp.MustCompile(`(?m)^COMMENT '([^']*)'$`)
	parameter     = regexp.MustCompile(`\{([a-z_]+):([A-Za-z0-9]+(?:\([^)]*\))?)\}`)
	partitionLine = regexp.MustCompile(`(?m)^PARTITION BY `)
)

// addTables adds the tables and views that a script rendered for one server declares, and changes those that it changes.
func addTables(known []Table, script string) []Table {
	known = slices.Clone(known)
	for _, statement := range split(script) {
		if m := alterLine.FindStringSubmatch(statement); m != nil {
			if i := slices.IndexFunc(known, func(t Table) bool { return !t.View && t.Name == m[2] }); i >= 0 {
				known[i].alter(statement)
			}
			continue
		}
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
		for _, p := range parameter.FindAllStringSubmatch(statement, -1) {
			if c := (Column{Name: p[1], Type: p[2]}); !slices.Contains(t.Parameters, c) {
				t.Parameters = append(t.Parameters, c)
			}
		}
		if i := slices.IndexFunc(known, func(k Table) bool { return t.View && k.View && k.Name == t.Name }); i >= 0 {
			known[i] = t // a later definition of the same view
			continue
		}
		known = append(known, t)
	}
	return known
}

// alter adds the columns and comments of an ALTER TABLE.
func (t *Table) alter(statement string) {
	t.Columns = slices.Clone(t.Columns)
	place := func(name string) int {
		return slices.IndexFunc(t.Columns, func(c Column) bool { return c.Name == name })
	}
	for line := range strings.Lines(statement) {
		line = strings.TrimRight(line, "\n")
		if c := addLine.FindStringSubmatch(line); c != nil {
			t.Columns = slices.Insert(t.Columns, place(c[4])+1, Column{Name: c[1], Type: c[2], Comment: c[3]})
		} else if c := commentLine.FindStringSubmatch(line); c != nil {
			if i := place(c[1]); i >= 0 {
				t.Columns[i].Comment = c[2]
			}
		}
	}
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
