package sentiment

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"sync"

	"otklik/stream/prevalence"
)

// Confusion is how a classifier errs: its labels on texts that it was not trained on, one set of counts per kind of text.
type Confusion struct {
	Model string           `json:"model"` // Classifier.Name
	Sets  []prevalence.Set `json:"sets"`
}

//go:embed confusion.json
var shippedConfusion []byte

var loadConfusion = sync.OnceValues(func() (Confusion, error) { return ReadConfusion(bytes.NewReader(shippedConfusion)) })

// Errors returns the confusion matrix of the classifier of that name, from the counts in its card: each text was labelled by a model that had
// seen neither the text nor its time. The texts behind the matrix are few, because the sets disagree (prevalence.Pool). It is nil for a
// classifier that was not measured so: an external one.
func Errors(model string) (*prevalence.Matrix, error) {
	table, ok, err := ErrorTable(model)
	if err != nil || !ok {
		return nil, err
	}
	return prevalence.NewMatrix(model, table), nil
}

// ErrorTable returns the table that Errors is made of, to add more to it; an empty one and false if the classifier was not measured.
func ErrorTable(model string) (prevalence.Table, bool, error) {
	c, err := loadConfusion()
	if err != nil {
		return prevalence.Table{}, false, fmt.Errorf("load the confusion matrix of the built-in model: %w", err)
	}
	if c.Model != model {
		return prevalence.Table{}, false, nil // another classifier errs in a way of its own
	}
	return prevalence.Pool(c.Sets), true, nil
}

// ConfusionOf returns what the validations of a training say about the model of that name.
func ConfusionOf(model string, list []Validation) Confusion {
	c := Confusion{Model: model}
	for _, v := range list {
		s := prevalence.Set{Name: v.Name}
		for i := range v.Report.Confusion {
			for k, n := range v.Report.Confusion[i] {
				s.Counts[i][k] = int64(n)
			}
		}
		c.Sets = append(c.Sets, s)
	}
	return c
}

// ReadConfusion reads what Write writes.
func ReadConfusion(r io.Reader) (Confusion, error) {
	var c Confusion
	d := json.NewDecoder(r)
	d.DisallowUnknownFields()
	if err := d.Decode(&c); err != nil {
		return Confusion{}, fmt.Errorf("read confusion counts: %w", err)
	}
	for _, s := range c.Sets {
		for i := range s.Counts {
			for _, n := range s.Counts[i] {
				if n < 0 {
					return Confusion{}, fmt.Errorf("read confusion counts: set %q counts %d texts: write them anew with otklik sentiment train --confusion", s.Name, n)
				}
			}
		}
	}
	return c, nil
}

// Write writes the counts as JSON, the same bytes for the same counts: in a set one row per true label, in it one number per label
// given, both in the order positive, neutral, negative.
func (c Confusion) Write(w io.Writer) error {
	model, err := json.Marshal(c.Model)
	if err != nil {
		return fmt.Errorf("write confusion counts: %w", err)
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "{\n  \"model\": %s,\n  \"sets\": [", model)
	for i, s := range c.Sets {
		row, err := json.Marshal(s)
		if err != nil {
			return fmt.Errorf("write confusion counts: %w", err)
		}
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "\n    %s", row)
	}
	b.WriteString("\n  ]\n}\n")
	if _, err := w.Write(b.Bytes()); err != nil {
		return fmt.Errorf("write confusion counts: %w", err)
	}
	return nil
}
