package sentiment

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

// The telecom file is of two periods: rows up to this number are of July – August 2014, the others mostly of December 2013 –
// January 2014. Random cross-validation misleads by ten points on it, because posts of one period repeat each other.
const lastOfSummer = 5000

// Validation is a figure of Validate: what was trained without, and how it was labelled.
type Validation struct {
	Name   string
	Report *Report
}

// Validate measures the training on posts of other times and sources than it has seen: the Russian part on each period of
// the telecom file in turn, trained without it; both parts on the last tenth of the other files, trained
// without them.
func Validate(ctx context.Context, dir string, progress func(step string, done float64)) ([]Validation, error) {
	rows, err := readSources(dir)
	if err != nil {
		return nil, fmt.Errorf("validate the sentiment model: %w", err)
	}
	period := func(r *trainingRow) int {
		if !strings.Contains(r.source.file, "telecom") {
			return 0
		}
		n, err := strconv.Atoi(r.ID[strings.LastIndexByte(r.ID, '-')+1:])
		if err != nil || n <= lastOfSummer {
			return 1
		}
		return 2
	}
	var out []Validation
	run := func(names []string, held func(r *trainingRow) int) error {
		var fit []trainingRow
		parts := make([][]Row, len(names))
		for i := range rows {
			if k := held(&rows[i]); k >= 0 {
				parts[k] = append(parts[k], rows[i].Row)
			} else if k == -1 {
				fit = append(fit, rows[i])
			}
		}
		m, err := train(ctx, fit, progress)
		if err != nil {
			return err
		}
		for k, name := range names {
			report, err := Evaluate(m, parts[k])
			if err != nil {
				return err
			}
			out = append(out, Validation{name, report})
		}
		return nil
	}
	for p, name := range []string{"telecom, summer 2014", "telecom, winter 2013/14"} {
		err := run([]string{name}, func(r *trainingRow) int {
			switch {
			case period(r) == p+1:
				return 0
			case r.source.lang != langRussian:
				return -2
			default:
				return -1
			}
		})
		if err != nil {
			return nil, fmt.Errorf("validate the sentiment model: %w", err)
		}
	}
	held := []string{"banks", "rusentitweet", "semeval", "airline"}
	names := []string{"banks, last tenth", "general Russian", "general English", "airlines"}
	count := map[*source]int{}
	for i := range rows {
		count[rows[i].source]++
	}
	seen := map[*source]int{}
	err = run(names, func(r *trainingRow) int {
		seen[r.source]++
		for k, part := range held {
			if strings.Contains(r.source.file, part) && seen[r.source]*10 > count[r.source]*9 {
				return k
			}
		}
		return -1
	})
	if err != nil {
		return nil, fmt.Errorf("validate the sentiment model: %w", err)
	}
	return out, nil
}
