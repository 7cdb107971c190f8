package sentiment

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"otklik/stream/prevalence"
)

// ConfusionSuffix is what the name of a model file has added to it for the file of its confusion counts (Confusion.Write) beside it.
const ConfusionSuffix = ".confusion.json"

// maxModelFile bounds what is read as a model: a wrong path must not load a disk image.
const maxModelFile = 64 << 20

// Load reads a model file, and the counts of its errors from the file beside it (path + ConfusionSuffix). Without that file, or with one that
// counts for another model, nothing is known of the errors: ErrorsOf is nil. Its error names the file and what is wrong with it.
func Load(path string) (*Model, error) {
	info, err := os.Stat(path)
	if err == nil && info.Size() > maxModelFile {
		err = fmt.Errorf("%s has %d bytes: %w", path, info.Size(), errModelFile)
	}
	if err != nil {
		return nil, fmt.Errorf("read the sentiment model: %w", err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the sentiment model: %w", err)
	}
	m, err := Decode(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	b, err = os.ReadFile(path + ConfusionSuffix)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return m, nil
	case err != nil:
		return nil, fmt.Errorf("read the errors of the sentiment model: %w", err)
	}
	c, err := ReadConfusion(bytes.NewReader(b))
	if err != nil {
		return nil, fmt.Errorf("%s%s: %w", path, ConfusionSuffix, err)
	}
	if c.Model == m.name {
		m.confusion = &c
	}
	return m, nil
}

// ErrorsOf is Errors of the classifier, from the counts beside its file if it was loaded from one.
func ErrorsOf(c Classifier) (*prevalence.Matrix, error) {
	if m, ok := c.(*Model); ok && m.confusion != nil {
		return prevalence.NewMatrix(m.name, prevalence.Pool(m.confusion.Sets)), nil
	}
	return Errors(c.Name())
}

// ErrorTable is the function of that name for the model that was loaded from a file; it knows the built-in model too.
func (m *Model) ErrorTable(model string) (prevalence.Table, bool, error) {
	if m.confusion != nil && m.name == model {
		return prevalence.Pool(m.confusion.Sets), true, nil
	}
	return ErrorTable(model)
}
