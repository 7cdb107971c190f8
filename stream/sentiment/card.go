package sentiment

import (
	"bufio"
	"bytes"
	"cmp"
	_ "embed"
	"fmt"
	"os"
	"slices"
	"strings"
	"text/template"

	"otklik/stream"
	"otklik/stream/brand"
)

// HardScore is how many posts of a category of hard ones a classifier labels as a careful reader does.
type HardScore struct {
	Category     string
	Right, Posts int
}

// Share is the share of the posts that are labelled right.
func (h HardScore) Share() float64 { return ratio(float64(h.Right), float64(h.Posts)) }

// HardScores labels the posts of a TSV file with the columns id, lang, category, brand, label, text, reason, each for its
// brand of the example catalogue, and returns the scores by category, the worst first. Its error names the line.
func HardScores(c Classifier, path string) ([]HardScore, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read the hard posts: %w", err)
	}
	defer f.Close() // only read
	matcher, err := brand.NewMatcher(brand.Example())
	if err != nil {
		return nil, fmt.Errorf("read the hard posts: %w", err)
	}
	in := bufio.NewScanner(f)
	var matching brand.Scratch
	var s Scratch
	scores := map[string]*HardScore{}
	for line := 1; in.Scan(); line++ {
		if line == 1 {
			continue
		}
		r := strings.SplitN(in.Text(), "\t", 7)
		if len(r) != 7 {
			return nil, fmt.Errorf("read the hard posts of %s: line %d has %d columns, expected 7", path, line, len(r))
		}
		want, ok := stream.ParseLabel(r[4])
		if !ok {
			return nil, fmt.Errorf("read the hard posts of %s: line %d has the label %q", path, line, r[4])
		}
		target := Target{Company: r[3] != ""}
		for _, hit := range matcher.Match(&stream.Item{Platform: stream.Twitter, Kind: stream.Post, Text: r[5]}, &matching) {
			if hit.Brand.Key == r[3] {
				target.Spans = hit.Spans
			} else {
				target.Others = append(target.Others, hit.Spans...)
			}
		}
		h := scores[r[2]]
		if h == nil {
			h = &HardScore{Category: r[2]}
			scores[r[2]] = h
		}
		h.Posts++
		if label, _ := c.Classify(r[5], "", target, &s); label == want {
			h.Right++
		}
	}
	if err := in.Err(); err != nil {
		return nil, fmt.Errorf("read the hard posts of %s: %w", path, err)
	}
	out := make([]HardScore, 0, len(scores))
	for _, h := range scores {
		out = append(out, *h)
	}
	slices.SortFunc(out, func(a, b HardScore) int {
		return cmp.Or(cmp.Compare(a.Share(), b.Share()), cmp.Compare(a.Category, b.Category))
	})
	return out, nil
}

// byLanguage puts the validations of each language together, in the order of languageNames. Their posts count alike, so that a large file tells
// more than a small one.
func byLanguage(list []Validation) []Validation {
	var out []Validation
	for l, code := range languageCodes {
		sum := Validation{Name: languageNames[l], Lang: code, Report: &Report{}}
		for _, v := range list {
			if v.Lang != code {
				continue
			}
			sum.Report.Rows += v.Report.Rows
			for truth := range classes {
				for given := range classes {
					sum.Report.Confusion[truth][given] += v.Report.Confusion[truth][given]
				}
			}
		}
		if sum.Report.Rows > 0 {
			sum.Report.summarise()
			out = append(out, sum)
		}
	}
	return out
}

// languageNames are for the reader of the card.
var languageNames = [languages]string{langRussian: "Russian", langEnglish: "English"}

//go:embed card.tmpl
var cardTemplate string

// Card returns the model's card in Markdown: what it is, its data, what was measured, and what it is bad at.
func (t *Training) Card(hard []HardScore) ([]byte, error) {
	tmpl, err := template.New("card").Funcs(template.FuncMap{
		"percent": func(v float64) string { return fmt.Sprintf("%.1f", 100*v) },
		"between": func(i Interval) string { return fmt.Sprintf("%.1f–%.1f", 100*i.Low, 100*i.High) },
		"three":   func(v float64) string { return fmt.Sprintf("%.3f", v) },
		"label":   func(c int) string { return labelOf[c].String() },
		"bits":    func(table int) uint { return tableBits[table] },
		"weight": func(m map[string]float64, file string) string {
			if m[file] == 0 {
				return "–"
			}
			return fmt.Sprint(m[file])
		},
	}).Parse(cardTemplate)
	if err != nil {
		return nil, fmt.Errorf("write the model's card: %w", err)
	}
	var b bytes.Buffer
	err = tmpl.Execute(&b, map[string]any{
		"Model": t.Model, "Settings": t.settings, "Files": t.Files, "Held": t.Held, "ByLanguage": byLanguage(t.Held), "Hard": hard, "Moods": int(moods),
		"Size": fmt.Sprintf("%.1f", float64(len(t.Model.Encode()))/1e6),
	})
	if err != nil {
		return nil, fmt.Errorf("write the model's card: %w", err)
	}
	return b.Bytes(), nil
}
