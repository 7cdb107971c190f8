package firehose

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"otklik/stream"
)

// TestDecodeViewsIsDecode has both decode the same records: the same items and errors, and views hold until the next record.
func TestDecodeViewsIsDecode(t *testing.T) {
	t.Parallel()
	for _, platform := range stream.Platforms {
		owning, err := New(platform)
		if err != nil {
			t.Fatal(err)
		}
		viewing, err := New(platform)
		if err != nil {
			t.Fatal(err)
		}
		var viewed []stream.Item
		for _, record := range viewRecords(t, platform) {
			want, wantErr := owning.Decode(bytes.Clone(record), 1_700_000_000_000, nil)
			var gotErr error
			viewed, gotErr = viewing.DecodeViews(record, 1_700_000_000_000, viewed[:0])
			if diff := cmp.Diff(want, viewed, cmpopts.EquateEmpty()); diff != "" {
				t.Fatalf("%s %s\nviews differ:\n%s", platform, record, diff)
			}
			if fmt.Sprint(wantErr) != fmt.Sprint(gotErr) {
				t.Fatalf("%s %s\nerror %v instead of %v", platform, record, gotErr, wantErr)
			}
		}
	}
}

// viewRecords returns records of a platform: those of the tests, and what they are run together and cut.
func viewRecords(t *testing.T, platform stream.Platform) [][]byte {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", string(platform)+"*.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	records := [][]byte{nil, []byte("[]"), []byte(`{"a":`)}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		for line := range bytes.Lines(data) {
			if line = bytes.TrimSpace(line); len(line) > 0 {
				records = append(records, line, line[:len(line)/2], append(append(append([]byte("["), line...), ','), append(bytes.Clone(line), ']')...))
			}
		}
	}
	return records
}
