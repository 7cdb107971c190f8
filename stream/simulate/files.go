package simulate

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"otklik/stream"
)

// TruthFile is the name of the ground truth in the folder of a simulation.
const TruthFile = "truth.json"

// FileName returns the name of the file that holds the records of a platform, one a line, in the order of delivery.
func FileName(p stream.Platform) string { return string(p) + ".jsonl" }

// WriteFiles plays the simulation into a folder, which is created if need be: a file for every platform, and the truth
// last, so that a folder with a truth is complete. Files of an earlier simulation are replaced. progress is told the
// number of records written, now and then; it may be nil.
func (s *Simulator) WriteFiles(ctx context.Context, dir string, progress func(records int)) (*Truth, error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("write simulation: %w", err)
	}
	truthPath := filepath.Join(dir, TruthFile)
	if err := os.Remove(truthPath); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("write simulation: remove the former truth: %w", err)
	}
	if err := s.writeRecords(ctx, dir, progress); err != nil {
		return nil, err
	}
	truth := s.Truth()
	f, err := os.Create(truthPath)
	if err != nil {
		return nil, fmt.Errorf("write simulation: %w", err)
	}
	if err := errors.Join(truth.WriteJSON(f), f.Close()); err != nil {
		return nil, fmt.Errorf("write simulation: %s: %w", truthPath, err)
	}
	return truth, nil
}

func (s *Simulator) writeRecords(ctx context.Context, dir string, progress func(int)) (err error) {
	const often = 1000 // records between two looks at the context
	writers := map[stream.Platform]*bufio.Writer{}
	var files []*os.File
	defer func() {
		for _, f := range files {
			err = errors.Join(err, f.Close())
		}
	}()
	for _, p := range stream.Platforms {
		f, err := os.Create(filepath.Join(dir, FileName(p)))
		if err != nil {
			return fmt.Errorf("write simulation: %w", err)
		}
		files = append(files, f)
		writers[p] = bufio.NewWriterSize(f, 1<<17)
	}
	n := 0
	for r, ok := s.Next(); ok; r, ok = s.Next() {
		w := writers[r.Platform]
		if _, err := w.Write(r.Value); err != nil {
			return fmt.Errorf("write simulation: %s: %w", FileName(r.Platform), err)
		}
		if err := w.WriteByte('\n'); err != nil {
			return fmt.Errorf("write simulation: %s: %w", FileName(r.Platform), err)
		}
		if n++; n%often == 0 {
			if err := ctx.Err(); err != nil {
				return fmt.Errorf("write simulation: stopped after %d records, the folder %s is incomplete: %w", n, dir, err)
			}
			if progress != nil {
				progress(n)
			}
		}
	}
	for _, p := range stream.Platforms {
		if err := writers[p].Flush(); err != nil {
			return fmt.Errorf("write simulation: %s: %w", FileName(p), err)
		}
	}
	if progress != nil {
		progress(n)
	}
	return nil
}
