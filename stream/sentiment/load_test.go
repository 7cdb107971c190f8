package sentiment

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"otklik/stream/prevalence"
)

func writeFile(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestLoad(t *testing.T) {
	dir := ownFiles(t)
	model := ownTraining(t, dir).Model
	path := filepath.Join(dir, "model.bin")
	if _, err := Load(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
	whole := model.Encode()
	for want, b := range map[string][]byte{
		"damaged":     whole[:len(whole)/2],
		"not a senti": []byte("OTKLIKSENT1\nanother version"),
		" bytes: not": make([]byte, maxModelFile+1),
	} {
		writeFile(t, path, b)
		if _, err := Load(path); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	writeFile(t, path, whole)
	counts := Confusion{Model: model.Name(), Sets: []prevalence.Set{{Name: "own", Counts: [3]prevalence.Counts{{80, 10, 10}, {5, 90, 5}, {10, 10, 80}}}}}
	for name, known := range map[string]bool{"": false, "another": false, model.Name(): true} {
		if counts.Model = name; name != "" {
			var b bytes.Buffer
			if err := counts.Write(&b); err != nil {
				t.Fatal(err)
			}
			writeFile(t, path+ConfusionSuffix, b.Bytes())
		}
		m, err := Load(path)
		if err != nil || m.Name() != model.Name() {
			t.Fatalf("loaded %v, %v", m, err)
		}
		matrix, err := ErrorsOf(m)
		if err != nil || matrix != nil != known {
			t.Errorf("the counts are of %q: %v, %v", name, matrix, err)
		}
		state := matrix.Adjust(prevalence.Counts{200, 500, 300}).State
		if known != (state != prevalence.NoMatrix) {
			t.Errorf("the counts are of %q: %s", name, state)
		}
		if _, ok, err := m.ErrorTable(m.Name()); ok != known || err != nil {
			t.Errorf("the table of %q: %v, %v", name, ok, err)
		}
		if err := os.RemoveAll(path + ConfusionSuffix); err != nil {
			t.Fatal(err)
		}
	}
	writeFile(t, path+ConfusionSuffix, []byte("{"))
	if _, err := Load(path); err == nil || !strings.Contains(err.Error(), ConfusionSuffix) {
		t.Errorf("damaged counts: %v", err)
	}
	if m, err := ErrorsOf(defaultModel(t)); m == nil || err != nil {
		t.Errorf("the built-in model: %v, %v", m, err)
	}
	if _, ok, err := defaultModel(t).ErrorTable(defaultModel(t).Name()); !ok || err != nil {
		t.Errorf("the table of the built-in model: %v, %v", ok, err)
	}
	if table, ok, err := defaultModel(t).ErrorTable("external/1"); ok || err != nil || table != (prevalence.Table{}) {
		t.Errorf("the table of a classifier that nobody measured: %v, %v, %v", table, ok, err)
	}
}
