package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"otklik/stream/sentiment"
)

// newSentimentCommand returns `otklik sentiment` with its subcommands.
func newSentimentCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "sentiment",
		Short: "Train and measure the sentiment model",
		Long: `The model that labels mentions is built into this program. These commands train one from labelled texts, measure the
training on times that it has not seen, and measure a model on texts of your own.`,
		Example: `  otklik sentiment train --data ../data/sentiment --out model.bin
  otklik sentiment eval --data posts.tsv --model model.bin`,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		Args: cobra.NoArgs,
	}
	cmd.AddCommand(newSentimentTrainCommand(), newSentimentValidateCommand(), newSentimentEvalCommand())
	return cmd
}

func newSentimentTrainCommand() *cobra.Command {
	var data, out string
	cmd := &cobra.Command{
		Use:   "train --data DIR --out FILE",
		Short: "Train the model from labelled texts",
		Long: `Reads the training files of DIR and writes a model file. The same files give the same model, byte for byte (on one
processor architecture). The model holds hashed weights only, no text.`,
		Example: `  otklik sentiment train --data ../data/sentiment --out model.bin`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			progress := newStepBar(cmd.ErrOrStderr())
			m, err := sentiment.Train(cmd.Context(), data, progress.step)
			progress.finish()
			if err != nil {
				return err
			}
			if err := writeWhole(out, m.Encode()); err != nil {
				return fmt.Errorf("write the model: %w", err)
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: %s\n", out, m.Name())
			return err
		},
	}
	cmd.Flags().StringVar(&data, "data", "", "folder of the training files (required)")
	cmd.Flags().StringVar(&out, "out", "", "file to write (required)")
	cobra.CheckErr(cmd.MarkFlagRequired("data"))
	cobra.CheckErr(cmd.MarkFlagRequired("out"))
	return cmd
}

func newSentimentValidateCommand() *cobra.Command {
	var data string
	cmd := &cobra.Command{
		Use:   "validate --data DIR",
		Short: "Measure the training on posts of times that it has not seen",
		Long: `Trains several times, each time without a period or a part of the files of DIR, and prints how the model labels what it
has not seen. Settings of the training are chosen by these figures.`,
		Example: `  otklik sentiment validate --data ../data/sentiment`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			progress := newStepBar(cmd.ErrOrStderr())
			list, err := sentiment.Validate(cmd.Context(), data, progress.step)
			progress.finish()
			if err != nil {
				return err
			}
			for _, v := range list {
				if err := printReport(cmd.OutOrStdout(), v.Name, v.Report); err != nil {
					return err
				}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&data, "data", "", "folder of the training files (required)")
	cobra.CheckErr(cmd.MarkFlagRequired("data"))
	return cmd
}

func newSentimentEvalCommand() *cobra.Command {
	var data, model string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "eval --data FILE.tsv[.gz]",
		Short: "Measure the model on labelled texts",
		Long: `Labels the texts of a TSV file with the columns id, lang, target, label, text, each for its target, and compares with
their labels. A text in a language that the model does not know counts as neutral and lowers the coverage.`,
		Example: `  otklik sentiment eval --data posts.tsv
  otklik sentiment eval --data posts.tsv.gz --json
  otklik sentiment eval --data posts.tsv --model my-model.bin`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			m, err := loadSentimentModel(model)
			if err != nil {
				return err
			}
			rows, err := sentiment.ReadFile(data)
			if err != nil {
				return err
			}
			report, err := sentiment.Evaluate(m, rows)
			if err != nil {
				return err
			}
			if asJSON {
				enc := json.NewEncoder(cmd.OutOrStdout())
				enc.SetIndent("", "  ")
				return enc.Encode(report)
			}
			return printReport(cmd.OutOrStdout(), m.Name(), report)
		},
	}
	cmd.Flags().StringVar(&data, "data", "", "labelled texts, gzipped if the name ends in .gz (required)")
	cmd.Flags().StringVar(&model, "model", "", "model file (default: the built-in one)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cobra.CheckErr(cmd.MarkFlagRequired("data"))
	return cmd
}

func loadSentimentModel(path string) (*sentiment.Model, error) {
	if path == "" {
		return sentiment.Default()
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the model: %w", err)
	}
	m, err := sentiment.Decode(b)
	if err != nil {
		return nil, fmt.Errorf("read the model %s: %w", path, err)
	}
	return m, nil
}

func printReport(w io.Writer, name string, r *sentiment.Report) error {
	_, err := fmt.Fprintf(w, `%s: %d texts
  macro F1 of positive and negative %.3f, micro %.3f; of three classes %.3f
  macro recall %.3f, accuracy %.3f, calibration error %.3f, coverage %.3f, %.0f texts/s
`, name, r.Rows, r.MacroF1PN, r.MicroF1PN, r.MacroF1, r.MacroRecall, r.Accuracy, r.ECE, r.Coverage, r.TextsPerSecond)
	for _, c := range r.Classes {
		if err == nil {
			_, err = fmt.Fprintf(w, "  %-9s precision %.3f  recall %.3f  F1 %.3f\n", c.Label, c.Precision, c.Recall, c.F1)
		}
	}
	return err
}

// writeWhole writes a file so that nobody ever sees half of it.
func writeWhole(path string, b []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Chmod(f.Name(), 0o644) //nolint:gosec // a model is for everybody to read
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name()) // the first error counts
	}
	return err
}

// stepBar shows named steps, one bar each.
type stepBar struct {
	w    io.Writer
	bar  *progressbar.ProgressBar
	name string
}

func newStepBar(w io.Writer) *stepBar { return &stepBar{w: w} }

func (s *stepBar) step(name string, done float64) {
	if s.bar == nil || name != s.name {
		s.finish()
		s.name = name
		s.bar = progressbar.NewOptions(100, progressbar.OptionSetWriter(s.w), progressbar.OptionSetDescription(name),
			progressbar.OptionSetPredictTime(true), progressbar.OptionOnCompletion(func() { fmt.Fprintln(s.w) }))
	}
	_ = s.bar.Set(int(done * 100)) // a terminal that cannot show progress is no reason to stop
}

func (s *stepBar) finish() {
	if s.bar != nil && !s.bar.IsFinished() {
		_ = s.bar.Finish()
	}
	s.bar = nil
}
