package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"otklik/cmd/otklik/internal/config"
	"otklik/sinks/clickhouse"
	"otklik/stream"
	"otklik/stream/brand"
	"otklik/stream/sentiment"
)

// notAdaptedError is a model that was not taken: the process ends with a status of its own.
type notAdaptedError struct{ err error }

// Error returns why, and that nothing has changed.
func (e *notAdaptedError) Error() string { return e.err.Error() + "; nothing was written" }

// Unwrap returns why.
func (e *notAdaptedError) Unwrap() error { return e.err }

// adaptFlags are the flags of `otklik sentiment adapt`.
type adaptFlags struct {
	path, data, base, out, settings string
	holdBack                        float64
	recent                          string
	corrections                     int
	revert                          bool
}

// newAdaptCommand returns `otklik sentiment adapt`.
func newAdaptCommand() *cobra.Command {
	var a adaptFlags
	cmd := &cobra.Command{
		Use:   "adapt [-c FILE | --data DIR] --base DIR --out FILE",
		Short: "Train the model on your corrections too, and take it only if it is better",
		Long: `Trains the model anew from the training files of --base, the labels that analysts have given here (each counts as four posts of those files)
and recent mentions that the model in use is sure of (a probability of at least 0.8; the training labels them itself, at the weight of posts
without labels). A part of the corrections, chosen by a hash of the text so that copies stay together, is held back from the training.

The new model is taken only if the mean F1 of positive and negative on the corrections held back has grown by more than noise: the 95 % interval
of the difference, by a paired bootstrap, lies above zero. On the training files it may lose two points at most. Otherwise nothing is
written and the exit status is 3, as it is when there are too few corrections. Confirm what is right as well as correcting what is wrong: a
model that has only seen errors is compared on errors only.

FILE gets the model, FILE.confusion.json the counts of its errors (for the adjusted shares) and FILE.md its card. What was in use before is
kept as FILE.previous, and --revert swaps the two. No text of a mention is written to any file: a model holds hashed weights.

Without --base there is no adaptation: a model file does not say how sure its weights are, and corrections alone would make it forget. The
files are named in stream/sentiment/MODEL.md. The training takes as long as otklik sentiment train.`,
		Example: `  otklik sentiment adapt -c otklik.yaml --base ../data/sentiment --out model.bin
  otklik sentiment adapt -c otklik.yaml --base ../data/sentiment --out model.bin --recent 7d --min-corrections 200
  otklik sentiment adapt --out model.bin --revert`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if a.revert {
				return revertModel(cmd.OutOrStdout(), a.out)
			}
			return a.run(cmd)
		},
	}
	addConfigFlag(cmd, &a.path)
	f := cmd.Flags()
	f.StringVar(&a.data, "data", "", "data `folder` of the demo instead of the configured ClickHouse")
	f.StringVar(&a.base, "base", "", "`folder` of the training files, as for train")
	f.StringVar(&a.out, "out", "", "model `file` to write (required)")
	f.Float64Var(&a.holdBack, "hold-back", 0.3, "`share` of the corrections to compare on")
	f.StringVar(&a.recent, "recent", "30d", "`time` before the newest mention from which mentions are recent, such as 30d or 12h; 0 takes none")
	f.IntVar(&a.corrections, "min-corrections", 50, "fewer corrections than this `number` are not enough")
	f.StringVar(&a.settings, "settings", "", "settings of the training (default: those of the built-in model)")
	f.BoolVar(&a.revert, "revert", false, "put the previous model back")
	cobra.CheckErr(cmd.MarkFlagRequired("out"))
	cmd.MarkFlagsMutuallyExclusive("revert", "base")
	return cmd
}

// parseDays reads a duration that may be given in days.
func parseDays(s string) (time.Duration, error) {
	if days, ok := bytes.CutSuffix([]byte(s), []byte("d")); ok {
		n, err := strconv.ParseUint(string(days), 10, 16)
		if err != nil {
			return 0, fmt.Errorf("%q is not a number of days; write it as 30d", s)
		}
		return time.Duration(n) * 24 * time.Hour, nil
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 {
		return 0, fmt.Errorf("%q is not a time; write it as 30d or 12h", s)
	}
	return d, nil
}

func (a *adaptFlags) run(cmd *cobra.Command) error {
	recent, err := parseDays(a.recent)
	switch {
	case err != nil:
		return usagef(cmd, "--recent: %w", err)
	case !(a.holdBack > 0 && a.holdBack < 1):
		return usagef(cmd, "--hold-back must be between 0 and 1")
	case a.corrections < 1:
		return usagef(cmd, "--min-corrections must be at least 1")
	case a.base == "":
		return usagef(cmd, "--base is missing: a model is adapted by training it anew on the files that it was made of, and corrections alone would make it forget them; "+
			"name the folder that holds the files of stream/sentiment/MODEL.md")
	}
	if err := writableModel(a.out); err != nil {
		return err
	}
	set, err := loadSentimentSettings(a.settings)
	if err != nil {
		return err
	}
	o := sentiment.AdaptOptions{Base: a.base, Settings: set, HoldBack: a.holdBack, MinCorrections: a.corrections}
	var cfg *config.Config
	err = withClickHouse(cmd, a.path, a.data, func(ctx context.Context, c *config.Config, ch *clickhouse.Client) error {
		cfg = c
		if o.Old, err = c.Sentiment.Classifier(); err != nil {
			return err
		}
		return readExamples(ctx, ch, c.Brands, recent, &o)
	})
	if err != nil {
		return err
	}
	w := cmd.OutOrStdout()
	if _, err := fmt.Fprintf(w, "read the texts and labels of %d corrections and the texts of %d recent mentions from %s; in use is %s\n",
		len(o.Corrections), len(o.Recent), cfg.ClickHouse.Database, o.Old.Name()); err != nil {
		return err
	}
	progress := newStepBar(cmd.ErrOrStderr())
	result, err := sentiment.Adapt(cmd.Context(), o, progress.step)
	progress.finish()
	if errors.Is(err, sentiment.ErrTooFewCorrections) {
		return &notAdaptedError{err}
	}
	if err != nil {
		return err
	}
	if err := printAdaptation(w, o.Old.Name(), result); err != nil {
		return err
	}
	if !result.Accepted {
		return &notAdaptedError{fmt.Errorf("the model is not taken: %s", result.Reason)}
	}
	if err := storeModel(a.out, cfg.Sentiment.ModelFile, o.Old, result); err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, `%s: %s
kept what was in use as %s%s; otklik sentiment adapt --out %s --revert puts it back
put the key model of the section sentiment into the configuration:
sentiment.model: %s
then stop all processes, and tell the database with otklik migrate -c FILE --adopt-config
`, a.out, result.Model.Name(), a.out, previousSuffix, a.out, pathInConfig(cfg.File(), a.out))
	return err
}

// pathInConfig returns the path as it stands in a configuration file, whose folder it begins in.
func pathInConfig(file, path string) string {
	if file == "" {
		return path
	}
	folder, err := filepath.Abs(filepath.Dir(file))
	whole, errPath := filepath.Abs(path)
	if err != nil || errPath != nil {
		return path
	}
	if rel, err := filepath.Rel(folder, whole); err == nil && filepath.IsLocal(rel) {
		return rel
	}
	return whole
}

func printAdaptation(w io.Writer, old string, a *sentiment.Adaptation) error {
	files := "what it loses on the training files is not known: the model in use was not measured on the same ones"
	if !math.IsNaN(a.Loss) {
		files = fmt.Sprintf("on the training files it changes by %+.1f points on average", -100*a.Loss)
	}
	_, err := fmt.Fprintf(w, `learnt from %d corrections and %d recent mentions; compared on %d corrections held back; left out %d texts in other languages
macro F1 of positive and negative on the corrections held back, with the 95 %% interval of the difference:
  %-28s  %5.1f %%
  %-28s  %5.1f %%
  difference                    %+5.1f points  (%+.1f – %+.1f)
%s
`, a.Learnt, a.Recent, a.HeldBack, a.Skipped, old, 100*a.Old.MacroF1PN, a.Model.Name(), 100*a.New.MacroF1PN,
		100*a.Gain, 100*a.GainInterval.Low, 100*a.GainInterval.High, files)
	return err
}

// The recent mentions that are read: those that the model is sure of, a sample that depends on their names alone.
const (
	sureScore = "0.8"
	maxRecent = "20000"
)

// readExamples reads the corrections and the recent mentions. Times count back from the newest mention, so that an archive can be read.
func readExamples(ctx context.Context, ch *clickhouse.Client, brands *brand.Catalogue, recent time.Duration, o *sentiment.AdaptOptions) error {
	matcher, err := brand.NewMatcher(brands)
	if err != nil {
		return fmt.Errorf("read the brand catalogue: %w", err)
	}
	const columns = "SELECT platform, item_id, brand, lang, text, toString(label) FROM "
	const usable = ".mentions WHERE role = 'customer' AND text != '' AND label != 'unlabelled' AND "
	lines, err := ch.Strings(ctx, columns+ch.Database()+usable+"corrected_at IS NOT NULL ORDER BY platform, item_id, brand")
	if err != nil {
		return fmt.Errorf("read corrected labels: %w", err)
	}
	if o.Corrections, err = examplesOf(matcher, lines, true); err != nil || recent == 0 {
		return err
	}
	lines, err = ch.Strings(ctx, columns+ch.Database()+usable+"corrected_at IS NULL AND greatest(positive_score, neutral_score, negative_score) >= "+sureScore+
		" AND published_at > (SELECT max(published_at) FROM "+ch.Database()+".mentions) - toIntervalSecond("+strconv.FormatInt(int64(recent/time.Second), 10)+
		") ORDER BY cityHash64(platform, item_id, brand), platform, item_id, brand LIMIT "+maxRecent)
	if err != nil {
		return fmt.Errorf("read recent mentions: %w", err)
	}
	o.Recent, err = examplesOf(matcher, lines, false)
	return err
}

// examplesOf makes examples of rows; the catalogue says where the names of their brands stand.
func examplesOf(matcher *brand.Matcher, lines [][]string, labelled bool) ([]sentiment.Example, error) {
	var s brand.Scratch
	out := make([]sentiment.Example, 0, len(lines))
	for _, line := range lines {
		e := sentiment.Example{ID: line[0] + "/" + line[1] + "/" + line[2], Lang: line[3], Text: line[4], Target: sentiment.Target{Company: true}}
		if labelled {
			label, ok := stream.ParseLabel(line[5])
			if !ok {
				return nil, fmt.Errorf("read corrected labels: %s has the label %q", e.ID, line[5])
			}
			e.Label = label
		}
		for _, hit := range matcher.Match(&stream.Item{Platform: stream.Platform(line[0]), Kind: stream.Post, Text: e.Text}, &s) {
			if hit.Brand.Key == line[2] {
				e.Target.Spans = append(e.Target.Spans, hit.Spans...)
			} else {
				e.Target.Others = append(e.Target.Others, hit.Spans...)
			}
		}
		out = append(out, e)
	}
	return out, nil
}

// What stands beside a model file, and the name of the model before.
const (
	cardSuffix     = ".md"
	previousSuffix = ".previous"
)

// writableModel refuses to overwrite what is no model, before the training and not after it.
func writableModel(out string) error {
	if _, err := os.Stat(filepath.Dir(out)); err != nil {
		return fmt.Errorf("--out: %w; make the folder first", err)
	}
	if _, err := sentiment.Load(out); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("--out would overwrite a file that is no whole model; name another, or remove it: %w", err)
	}
	return nil
}

// modelFiles are the contents of a model file and of those beside it; nil where there is none.
type modelFiles struct{ model, confusion, card []byte }

func readModelFiles(path string) (f modelFiles, err error) {
	for suffix, to := range map[string]*[]byte{"": &f.model, sentiment.ConfusionSuffix: &f.confusion, cardSuffix: &f.card} {
		b, e := os.ReadFile(path + suffix)
		if e != nil && !errors.Is(e, fs.ErrNotExist) {
			err = errors.Join(err, e)
		}
		*to = b
	}
	return f, err
}

// write writes the files, the model last: counts that are of another model are not used, so an interruption does no harm.
func (f *modelFiles) write(path string) error {
	for _, x := range []struct {
		path    string
		content []byte
	}{{path + sentiment.ConfusionSuffix, f.confusion}, {path + cardSuffix, f.card}, {path, f.model}} {
		var err error
		if x.content == nil {
			if err = os.Remove(x.path); errors.Is(err, fs.ErrNotExist) {
				err = nil
			}
		} else {
			err = writeWhole(x.path, x.content)
		}
		if err != nil {
			return fmt.Errorf("write the model: %w", err)
		}
	}
	return nil
}

// storeModel writes the new model to out and keeps what was there, or else the model in use, as the previous one.
func storeModel(out, inUse string, old *sentiment.Model, a *sentiment.Adaptation) error {
	before, err := readModelFiles(out)
	if err == nil && before.model == nil && inUse != "" {
		before, err = readModelFiles(inUse)
	}
	if err != nil {
		return fmt.Errorf("keep the model in use: %w", err)
	}
	if before.model == nil {
		before = modelFiles{model: old.Encode()}
	}
	if err := before.write(out + previousSuffix); err != nil {
		return err
	}
	var counts bytes.Buffer
	if err := a.Confusion().Write(&counts); err != nil {
		return err
	}
	return (&modelFiles{model: a.Model.Encode(), confusion: counts.Bytes(), card: a.Card(old.Name())}).write(out)
}

// revertModel swaps the model and the previous one.
func revertModel(w io.Writer, out string) error {
	previous, err := sentiment.Load(out + previousSuffix)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no previous model: %w; to return to the built-in one remove sentiment.model from the configuration", err)
	}
	if err != nil {
		return err
	}
	back, err := readModelFiles(out + previousSuffix)
	if err != nil {
		return fmt.Errorf("read the previous model: %w", err)
	}
	current, err := readModelFiles(out)
	if err != nil {
		return fmt.Errorf("read the model: %w", err)
	}
	if err := back.write(out); err != nil {
		return err
	}
	if current.model != nil {
		if err := current.write(out + previousSuffix); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintf(w, "%s: %s again; restart all processes after otklik migrate -c FILE --adopt-config\n", out, previous.Name())
	return err
}
