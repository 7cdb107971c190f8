package sentiment

import (
	"bufio"
	"compress/gzip"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"otklik/stream"
	"otklik/stream/brand"
)

// Row is one labelled text: a row of the TSV form "id lang target label text" with a header line.
type Row struct {
	ID, Lang, Target, Text string
	Label                  stream.Label
}

// ReadFile reads a TSV file, gzipped if its name ends in ".gz". Rows without a label are left out.
func ReadFile(path string) ([]Row, error) {
	rows, err := readAll(path)
	return labelledOnly(rows), err
}

func labelledOnly(rows []Row) []Row {
	return slices.DeleteFunc(rows, func(r Row) bool { return r.Label == stream.Unlabelled })
}

// readAll is ReadFile with the rows that have no label, which are stream.Unlabelled.
func readAll(path string) (rows []Row, err error) {
	f, err := os.Open(path) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, fmt.Errorf("read labelled texts: %w", err)
	}
	defer f.Close() // only read
	var r io.Reader = f
	if strings.HasSuffix(path, ".gz") {
		if r, err = gzip.NewReader(f); err != nil {
			return nil, fmt.Errorf("read labelled texts of %s: %w", path, err)
		}
	}
	rows, err = readRows(r)
	if err != nil {
		return nil, fmt.Errorf("read labelled texts of %s: %w", path, err)
	}
	return rows, nil
}

// ReadRows reads the TSV form from r, without the rows that have no label. Its error names the line.
func ReadRows(r io.Reader) ([]Row, error) {
	rows, err := readRows(r)
	return labelledOnly(rows), err
}

// maxLine is the longest line of a file of labelled texts, in bytes.
const maxLine = 16 << 20

func readRows(r io.Reader) ([]Row, error) {
	const header = "id\tlang\ttarget\tlabel\ttext"
	in := bufio.NewScanner(r)
	in.Buffer(nil, maxLine)
	var rows []Row
	for line := 1; in.Scan(); line++ {
		if line == 1 {
			if first := strings.TrimPrefix(in.Text(), "\ufeff"); first != header { // programs of offices write a byte order mark
				return nil, fmt.Errorf("line 1 is %.80q: expected the header %q", first, header)
			}
			continue
		}
		f := strings.SplitN(in.Text(), "\t", 5)
		if len(f) != 5 {
			return nil, fmt.Errorf("line %d has %d columns, expected 5", line, len(f))
		}
		label, ok := stream.ParseLabel(f[3])
		if f[3] == "" {
			label, ok = stream.Unlabelled, true
		} else if label == stream.Unlabelled {
			ok = false
		}
		if !ok {
			return nil, fmt.Errorf("line %d: the label %q is not positive, neutral or negative", line, f[3])
		}
		rows = append(rows, Row{ID: f[0], Lang: f[1], Target: f[2], Label: label, Text: f[4]})
	}
	if errors.Is(in.Err(), bufio.ErrTooLong) {
		return nil, fmt.Errorf("line %d is longer than %d MiB: is this a file of labelled texts?", len(rows)+2, maxLine>>20)
	}
	return rows, in.Err()
}

//go:embed targets.yaml
var targetsYAML []byte

// targeter finds the names of a row's target: a brand of its catalogue, or else the target's own words in the text.
type targeter struct {
	matcher *brand.Matcher
	scratch brand.Scratch
	own     []brand.Span
	others  []brand.Span
}

// newTargeter uses the brands that the training files are labelled for.
func newTargeter() (*targeter, error) {
	c, err := brand.Parse(targetsYAML)
	if err != nil {
		return nil, fmt.Errorf("read the targets of the training files: %w", err)
	}
	m, err := brand.NewMatcher(c)
	if err != nil {
		return nil, fmt.Errorf("read the targets of the training files: %w", err)
	}
	return &targeter{matcher: m}, nil
}

// target returns the target of a row; it is valid until the next call.
func (t *targeter) target(row *Row) Target {
	t.own, t.others = t.own[:0], t.others[:0]
	if row.Target == "" {
		return Target{}
	}
	item := stream.Item{Platform: stream.Twitter, Kind: stream.Post, Text: row.Text}
	for _, h := range t.matcher.Match(&item, &t.scratch) {
		if h.Brand.Key == row.Target {
			t.own = append(t.own, h.Spans...)
		} else {
			t.others = append(t.others, h.Spans...)
		}
	}
	if len(t.own) == 0 {
		for at := 0; ; {
			i := strings.Index(row.Text[at:], row.Target)
			if i < 0 {
				break
			}
			t.own = append(t.own, brand.Span{Start: at + i, End: at + i + len(row.Target)})
			at += i + len(row.Target)
		}
	}
	return Target{Spans: t.own, Others: t.others, Company: true}
}
