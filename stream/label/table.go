package label

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"otklik/stream"
)

// Row is one line of a table of labels.
type Row struct {
	Line int // in the file, from 1
	Message
}

// columns are those of a table without a header, in their order.
var columns = []string{"platform", "item_id", "brand", "label", "note"}

// maxLine bounds a line of a table.
const maxLine = 1 << 20

// maxFaults is how many faults of a table are named.
const maxFaults = 20

// ReadTable reads tab-separated lines with the columns platform, item_id, brand, label and note. The last may be left out, and with
// a first line of these names the columns may stand in any order. Every row is said by base.By at base.At, and an empty
// brand is base.Brand. All faults are reported in one error, each with its line; then no row is returned.
func ReadTable(r io.Reader, base Message) ([]Row, error) {
	t := table{base: base, order: columns, seen: map[stream.MentionName]int{}}
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLine)
	n := 0
	for lines.Scan() {
		n++
		text := strings.TrimSuffix(lines.Text(), "\r")
		if n == 1 {
			text = strings.TrimPrefix(text, "\ufeff")
		}
		if strings.TrimSpace(text) == "" {
			continue
		}
		if n == 1 && t.header(text) {
			if twice := repeated(t.order); twice != "" {
				return nil, fmt.Errorf("line 1: two columns are called %s: keep one", twice)
			}
			continue
		}
		t.row(n, strings.Split(text, "\t"))
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) {
		return nil, fmt.Errorf("line %d is longer than a megabyte: write one mention a line", n+1)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("line %d: %w", n+1, err)
	}
	if len(t.faults) > maxFaults {
		t.faults = append(t.faults[:maxFaults], fmt.Errorf("and %d more faults", len(t.faults)-maxFaults))
	}
	if len(t.faults) > 0 {
		return nil, errors.Join(t.faults...)
	}
	return t.rows, nil
}

// table is a table that is being read.
type table struct {
	base   Message
	order  []string
	rows   []Row
	seen   map[stream.MentionName]int // line by mention
	faults []error
}

// header takes a line over as the header if it is one: a line of names of columns.
func (t *table) header(text string) bool {
	names := strings.Split(strings.ToLower(text), "\t")
	for i := range names {
		names[i] = strings.TrimSpace(names[i])
		if !slices.Contains(columns, names[i]) {
			return false
		}
	}
	t.order = names
	return true
}

// repeated returns the first name that stands twice, "" if none does.
func repeated(names []string) string {
	for i, name := range names {
		if slices.Contains(names[:i], name) {
			return name
		}
	}
	return ""
}

func (t *table) faultf(line int, format string, args ...any) {
	t.faults = append(t.faults, fmt.Errorf("line %d: %s", line, fmt.Sprintf(format, args...)))
}

func (t *table) row(line int, values []string) {
	if len(values) > len(t.order) {
		t.faultf(line, "%d columns, more than the %d of %s", len(values), len(t.order), strings.Join(t.order, ", "))
		return
	}
	m := t.base
	var text string
	for i, value := range values {
		value = strings.TrimSpace(value)
		switch t.order[i] {
		case "platform":
			m.Platform = stream.Platform(strings.ToLower(value))
		case "item_id":
			m.ItemID = value
		case "brand":
			if value != "" {
				m.Brand = value
			}
		case "label":
			text = strings.ToLower(value)
		case "note":
			m.Note = value
		}
	}
	var ok bool
	if m.Label, ok = stream.ParseLabel(text); !ok {
		t.faultf(line, "label is %q: write positive, neutral, negative or unlabelled", text)
	}
	for _, fault := range m.faults() {
		t.faultf(line, "%s", fault)
	}
	if before, twice := t.seen[m.MentionName]; twice {
		t.faultf(line, "the same mention as in line %d: keep one", before)
	}
	t.seen[m.MentionName] = line
	t.rows = append(t.rows, Row{Line: line, Message: m})
}
