package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"otklik/stream"
	"otklik/stream/brand"
	"otklik/stream/sentiment"
)

// newSentimentCommand returns `otklik sentiment` with its subcommands.
func newSentimentCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "sentiment",
		Short: "Explain, correct, measure and train the labels of the model",
		Long: `The model that labels mentions is built into this program. These commands train one from labelled texts, measure the
training on times that it has not seen, and measure a model on texts of your own.`,
		Example: `  otklik sentiment train --data ../data/sentiment --out model.bin
  otklik sentiment eval --data posts.tsv --model model.bin
  otklik sentiment explain --brand mts "МТС, почему опять не работает интернет?"`,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		Args: cobra.NoArgs,
	}
	cmd.AddCommand(newSentimentTrainCommand(), newSentimentValidateCommand(), newSentimentEvalCommand(), newSentimentExplainCommand())
	cmd.AddCommand(newLabelCommand(), newLabelsCommand(), newSentimentSharesCommand(), newAdaptCommand())
	return cmd
}

func newSentimentTrainCommand() *cobra.Command {
	var data, out, card, hard, confusion, settings string
	var without []string
	cmd := &cobra.Command{
		Use:   "train --data DIR --out FILE",
		Short: "Train the model from labelled texts",
		Long: `Reads the training files of DIR and writes a model file, and its card if you ask for one. The same files and settings give the
same model, byte for byte (on one processor architecture). The model holds hashed weights only, no text.`,
		Example: `  otklik sentiment train --data ../data/sentiment --out model.bin
  otklik sentiment train --data ../data/sentiment --out model.bin --card MODEL.md --hard stream/sentiment/testdata/hard.tsv
  otklik sentiment train --data ../data/sentiment --out free.bin --without en_airline_train.tsv`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			set, err := loadSentimentSettings(settings)
			if err != nil {
				return err
			}
			for _, file := range without {
				if err := set.Without(file); err != nil {
					return err
				}
			}
			progress := newStepBar(cmd.ErrOrStderr())
			t, err := sentiment.Train(cmd.Context(), data, set, progress.step)
			progress.finish()
			if err != nil {
				return err
			}
			if err := writeWhole(out, t.Model.Encode()); err != nil {
				return fmt.Errorf("write the model: %w", err)
			}
			if card != "" {
				if err := writeSentimentCard(t, card, hard); err != nil {
					return err
				}
			}
			if confusion != "" {
				if err := writeSentimentConfusion(t, confusion); err != nil {
					return err
				}
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: %s\n", out, t.Model.Name())
			return err
		},
	}
	cmd.Flags().StringVar(&data, "data", "", "folder of the training files (required)")
	cmd.Flags().StringVar(&out, "out", "", "file to write (required)")
	cmd.Flags().StringVar(&card, "card", "", "Markdown file to write the model's card to")
	cmd.Flags().StringVar(&confusion, "confusion", "", "JSON file to write the counts of its errors to, for the adjusted shares")
	cmd.Flags().StringVar(&hard, "hard", "", "TSV file of hard posts whose scores stand in the card")
	cmd.Flags().StringVar(&settings, "settings", "", "settings of the training (default: those of the built-in model)")
	cmd.Flags().StringSliceVar(&without, "without", nil, "training `file` to leave out, because of its licence for example")
	cobra.CheckErr(cmd.MarkFlagRequired("data"))
	cobra.CheckErr(cmd.MarkFlagRequired("out"))
	return cmd
}

func loadSentimentSettings(path string) (*sentiment.Settings, error) {
	if path == "" {
		return sentiment.DefaultSettings()
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the settings of the training: %w", err)
	}
	return sentiment.ParseSettings(b)
}

func writeSentimentCard(t *sentiment.Training, path, hard string) error {
	var scores []sentiment.HardScore
	if hard != "" {
		var err error
		if scores, err = sentiment.HardScores(t.Model, hard); err != nil {
			return err
		}
	}
	text, err := t.Card(scores)
	if err != nil {
		return err
	}
	if err := writeWhole(path, text); err != nil {
		return fmt.Errorf("write the model's card: %w", err)
	}
	return nil
}

func writeSentimentConfusion(t *sentiment.Training, path string) error {
	var b bytes.Buffer
	if err := sentiment.ConfusionOf(t.Model.Name(), t.Held).Write(&b); err != nil {
		return err
	}
	if err := writeWhole(path, b.Bytes()); err != nil {
		return fmt.Errorf("write the errors of the model: %w", err)
	}
	return nil
}

func newSentimentValidateCommand() *cobra.Command {
	var data, settings string
	cmd := &cobra.Command{
		Use:   "validate --data DIR",
		Short: "Measure the training on posts of times that it has not seen",
		Long: `Trains twice, each time without a period or a part of the files of DIR, and prints how the models label what they have not
seen. Settings of the training are chosen by these figures.`,
		Example: `  otklik sentiment validate --data ../data/sentiment
  otklik sentiment validate --data ../data/sentiment --settings mine.yaml`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			set, err := loadSentimentSettings(settings)
			if err != nil {
				return err
			}
			progress := newStepBar(cmd.ErrOrStderr())
			list, err := sentiment.ValidateWith(cmd.Context(), data, set, progress.step)
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
	cmd.Flags().StringVar(&settings, "settings", "", "settings of the training (default: those of the built-in model)")
	cobra.CheckErr(cmd.MarkFlagRequired("data"))
	return cmd
}

func newSentimentExplainCommand() *cobra.Command {
	var name, model, lang, catalogue string
	var most int
	cmd := &cobra.Command{
		Use:   "explain [--brand KEY] TEXT",
		Short: "Show what in a text speaks for its label and against it",
		Long: `Labels the text for a brand and prints what weighed most, both ways. The weight is what a word, two words in a row or the look
of the text adds to the label's score, less the mean of what it adds to the other labels'. Without --brand the text is about nobody
in particular.`,
		Example: `  otklik sentiment explain --brand mts "МТС, почему опять не работает интернет?"
  otklik sentiment explain --brand acme --catalogue brands.yaml "Thanks Acme, works again"`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if most < 0 {
				return usagef(cmd, "--top must be at least 0")
			}
			if catalogue != "" && name == "" {
				return usagef(cmd, "--catalogue needs --brand: whom is the text about?")
			}
			m, err := loadSentimentModel(model)
			if err != nil {
				return err
			}
			target, err := sentimentTarget(args[0], name, catalogue)
			if err != nil {
				return err
			}
			return printExplanation(cmd.OutOrStdout(), m.Explain(args[0], lang, target), most)
		},
	}
	cmd.Flags().StringVar(&name, "brand", "", "key of a brand of the catalogue, or a name as it stands in the text")
	cmd.Flags().StringVar(&catalogue, "catalogue", "", "brand catalogue (default: the example catalogue)")
	cmd.Flags().StringVar(&lang, "lang", "", "the platform's word for the language, a hint")
	cmd.Flags().StringVar(&model, "model", "", "model file (default: the built-in one)")
	cmd.Flags().IntVar(&most, "top", 12, "how many reasons to print")
	return cmd
}

// sentimentTarget finds the names of the brand and of others in the text: by the catalogue, or else by the name itself.
func sentimentTarget(text, name, path string) (sentiment.Target, error) {
	if name == "" {
		return sentiment.Target{}, nil
	}
	c := brand.Example()
	if path != "" {
		b, err := os.ReadFile(path)
		if err != nil {
			return sentiment.Target{}, fmt.Errorf("read the brand catalogue: %w", err)
		}
		if c, err = brand.Parse(b); err != nil {
			return sentiment.Target{}, fmt.Errorf("read the brand catalogue %s: %w", path, err)
		}
	}
	m, err := brand.NewMatcher(c)
	if err != nil {
		return sentiment.Target{}, fmt.Errorf("read the brand catalogue: %w", err)
	}
	target := sentiment.Target{Company: true}
	var s brand.Scratch
	for _, hit := range m.Match(&stream.Item{Platform: stream.Twitter, Kind: stream.Post, Text: text}, &s) {
		if hit.Brand.Key == name {
			target.Spans = hit.Spans
		} else {
			target.Others = append(target.Others, hit.Spans...)
		}
	}
	if len(target.Spans) == 0 {
		if i := strings.Index(text, name); i >= 0 {
			target.Spans = []brand.Span{{Start: i, End: i + len(name)}}
		} else if c.Brand(name) == nil {
			return sentiment.Target{}, fmt.Errorf("the catalogue has no brand with the key %q, and the text does not hold it: write a key, or the name as it stands in the text", name)
		}
	}
	return target, nil
}

func printExplanation(w io.Writer, e sentiment.Explanation, most int) error {
	if e.Part == "" {
		_, err := fmt.Fprintln(w, "unlabelled: the text is in no language that the model knows")
		return err
	}
	_, err := fmt.Fprintf(w, "%s: positive %.2f, neutral %.2f, negative %.2f (%s)\n", e.Label, e.Scores.Positive, e.Scores.Neutral, e.Scores.Negative, e.Part)
	for _, sign := range []struct {
		head string
		sign float64
	}{{"speaks for " + e.Label.String(), 1}, {"speaks against " + e.Label.String(), -1}} {
		left := most
		for _, r := range e.Reasons {
			if err != nil || left == 0 {
				break
			}
			if r.Weight*sign.sign <= 0 {
				continue
			}
			if left == most {
				_, err = fmt.Fprintf(w, "%s:\n", sign.head)
			}
			left--
			if err == nil {
				_, err = fmt.Fprintf(w, "  %+6.2f  %s\n", r.Weight, strings.TrimSpace(r.What+"  "+r.Text))
			}
		}
	}
	return err
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
			if len(rows) == 0 {
				return fmt.Errorf("%s holds no labelled texts: give lines with id, lang, target, label and text below a header with these names", data)
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
	return sentiment.Load(path)
}

func printReport(w io.Writer, name string, r *sentiment.Report) error {
	p := func(v float64, i sentiment.Interval) string {
		return fmt.Sprintf("%5.1f %%  (%.1f – %.1f)", 100*v, 100*i.Low, 100*i.High)
	}
	i := &r.Intervals
	_, err := fmt.Fprintf(w, `%s: %d texts, %.0f texts/s, coverage %.1f %%
                                       with 95 %% intervals
  macro F1 of positive and negative  %s
  micro F1 of positive and negative  %s
  macro F1 of the three classes      %s
  macro recall                       %s
  accuracy                           %s
  calibration error                  %s
  class      precision  recall  F1     given: positive  neutral  negative
`, name, r.Rows, r.TextsPerSecond, 100*r.Coverage, p(r.MacroF1PN, i.MacroF1PN), p(r.MicroF1PN, i.MicroF1PN), p(r.MacroF1, i.MacroF1),
		p(r.MacroRecall, i.MacroRecall), p(r.Accuracy, i.Accuracy), p(r.ECE, i.ECE))
	for n, c := range r.Classes {
		if err == nil {
			_, err = fmt.Fprintf(w, "  %-9s  %9.3f  %6.3f  %.3f  %15d  %7d  %8d\n", c.Label, c.Precision, c.Recall, c.F1,
				r.Confusion[n][0], r.Confusion[n][1], r.Confusion[n][2])
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
