package schemas

import (
	"cmp"
	"fmt"
	"strings"
)

// Dictionary returns the generated part of the data dictionary in README.md: every view and table with its columns, as the
// comments of the migrations describe them.
func Dictionary() (string, error) {
	tables, err := Tables()
	if err != nil {
		return "", err
	}
	readers := map[string]string{}
	for _, v := range DeskViews() {
		readers[v] = "analyst, desk"
	}
	for _, v := range dashboardViews {
		readers[v] = "analyst, desk, dashboard"
	}
	var b strings.Builder
	b.WriteString("### Views\n\nWhat readers query, in the database `otklik`.\n")
	for _, t := range tables {
		if t.View {
			section(&b, &t, cmp.Or(readers[t.Name], "analyst"))
		}
	}
	b.WriteString("\n### Storage tables\n\nWhat the engine writes, in the database `otklik_store`; closed to readers. Columns that a view shows too are described there.\n")
	for _, t := range tables {
		if !t.View && t.Name != "migrations" {
			fmt.Fprintf(&b, "- `%s`: %s.\n", t.Name, t.Comment)
		}
	}
	for _, name := range []string{"turns", "progress", "topics", "settings", "migrations"} { // without a view of the same columns
		for i := range tables {
			if !tables[i].View && tables[i].Name == name {
				section(&b, &tables[i], "engine")
			}
		}
	}
	return b.String(), nil
}

func section(b *strings.Builder, t *Table, readers string) {
	fmt.Fprintf(b, "\n#### `%s`\n\n%s. Readers: %s.", t.Name, t.Comment, readers)
	for i, p := range t.Parameters {
		fmt.Fprintf(b, "%s`%s` (`%s`)", map[bool]string{true: " Ask with ", false: ", "}[i == 0], p.Name, p.Type)
	}
	if len(t.Parameters) > 0 {
		b.WriteString(".")
	}
	b.WriteString("\n\n| column | type | meaning |\n|---|---|---|\n")
	for _, c := range t.Columns {
		fmt.Fprintf(b, "| `%s` | `%s` | %s |\n", c.Name, c.Type, strings.ReplaceAll(c.Comment, "|", `\|`))
	}
}
