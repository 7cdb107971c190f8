package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"otklik/stream/spike"
	"otklik/stream/spike/nab"
)

// newSpikeCommand returns `otklik spike` with its subcommands.
func newSpikeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "spike",
		Short: "Score the anomalies of a series of counts",
		Long:  `Runs the detector of unusual counts on series in files. How it works stands in stream/spike/DESIGN.md.`,
		Example: `  otklik spike score mentions.csv
  otklik spike nab NAB/realTweets`,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		Args: cobra.NoArgs,
	}
	cmd.AddCommand(newSpikeScoreCommand(), newSpikeNABCommand())
	return cmd
}

func newSpikeScoreCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "score FILE.csv",
		Short: "Print a score for every row of a series",
		Long: `Reads an evenly spaced series of counts as lines "timestamp,value" (a header is optional; "-" is the standard input) and prints
"timestamp,anomaly_score" for every row, timestamps as they were.

A score depends on its own row and those before it alone. It is 0 but at the onset of an episode and where an episode grows much
beyond what was told of it. Above 0 it is L / (L + 7.2), where L is the natural logarithm of the number of rows in which an
episode as high is expected once: from 0.5 on, once in 1,340 rows, which is five days of five-minute rows.`,
		Example: `  otklik spike score mentions.csv
  otklik spike score - <mentions.csv | awk -F, '$2 >= 0.5'`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			in := cmd.InOrStdin()
			if args[0] != "-" {
				file, err := os.Open(args[0])
				if err != nil {
					return fmt.Errorf("spike score: %w", err)
				}
				defer func() { err = errors.Join(err, file.Close()) }()
				in = file
			}
			out := bufio.NewWriterSize(cmd.OutOrStdout(), 1<<16)
			if err := scoreSeries(in, out); err != nil {
				return fmt.Errorf("spike score: %s:%w", args[0], errors.Join(err, out.Flush()))
			}
			return out.Flush()
		},
	}
}

// scoreSeries scores the rows of a CSV file. Its errors begin with the number of the line.
func scoreSeries(in io.Reader, out *bufio.Writer) error {
	scorer := spike.NewScorer()
	if _, err := out.WriteString("timestamp,anomaly_score\n"); err != nil {
		return fmt.Errorf("0: %w", err)
	}
	return eachRow(in, func(timestamp []byte, value float64) error {
		line := append(out.AvailableBuffer(), timestamp...)
		line = append(line, ',')
		line = strconv.AppendFloat(line, scorer.Add(value), 'f', -1, 64)
		_, err := out.Write(append(line, '\n'))
		return err
	})
}

// maxCount is the highest count of a row: up to it every whole number is exact.
const maxCount = 1 << 53

// eachRow calls f for every row "timestamp,value" of a CSV file; a first line that names its columns is a header. The timestamp is
// valid during the call only. Errors begin with the number of the line.
func eachRow(in io.Reader, f func(timestamp []byte, value float64) error) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 1<<16), 1<<20)
	number := 0
	for lines.Scan() {
		number++
		line := lines.Bytes()
		if number == 1 {
			line = bytes.TrimPrefix(line, []byte("\ufeff"))
		}
		line = bytes.TrimSpace(line)
		if len(line) == 0 {
			continue
		}
		comma := bytes.LastIndexByte(line, ',')
		if comma < 0 {
			return fmt.Errorf(`%d: no comma: give lines "timestamp,value"`, number)
		}
		if columns := bytes.Count(unquoted(line[:comma]), []byte(",")) + 2; columns > 2 {
			return fmt.Errorf(`%d: %d columns: give lines "timestamp,value"`, number, columns)
		}
		text := string(bytes.Trim(line[comma+1:], `" `))
		value, err := strconv.ParseFloat(text, 64)
		switch {
		case err != nil && number == 1 && isHeader(line[:comma], text):
			continue
		case err != nil || math.IsNaN(value) || value < 0 || value > maxCount:
			return fmt.Errorf("%d: %.80q is no count: give a number from 0 to %d; a row without one has to be left out or filled", number, text, maxCount)
		}
		if err := f(line[:comma], value); err != nil {
			return fmt.Errorf("%d: %w", number, err)
		}
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) {
		return fmt.Errorf(`%d: longer than a megabyte: give lines "timestamp,value"`, number+1)
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("%d: %w", number+1, err)
	}
	return nil
}

// unquoted returns what stands behind a timestamp in quotes; a timestamp without them as it is.
func unquoted(timestamp []byte) []byte {
	if rest, ok := bytes.CutPrefix(timestamp, []byte(`"`)); ok {
		if _, behind, ok := bytes.Cut(rest, []byte(`"`)); ok {
			return behind
		}
	}
	return timestamp
}

// isHeader tells names of columns from a first row whose value is missing or wrong: names begin with a letter.
func isHeader(timestamp []byte, value string) bool {
	first, _ := utf8.DecodeRune(bytes.TrimLeft(timestamp, `"# `))
	second, _ := utf8.DecodeRuneInString(value)
	return unicode.IsLetter(first) && unicode.IsLetter(second)
}

func newSpikeNABCommand() *cobra.Command {
	var threshold float64
	cmd := &cobra.Command{
		Use:   "nab FOLDER",
		Short: "Measure the scores on labelled series of the Numenta Anomaly Benchmark",
		Long: `Scores every series of the folder that has labelled windows in its combined_windows.json and prints the score of the benchmark's
standard profile: 100 is perfect, 0 a detector that never alarms. One threshold serves all series: the best of these, or
the one that --threshold gives.`,
		Example: `  otklik spike nab NAB/realTweets
  otklik spike nab --threshold 0.5 NAB/realTweets`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if math.IsNaN(threshold) {
				return usagef(cmd, "--threshold NaN is no score: give a number such as 0.5")
			}
			series, err := readNAB(args[0])
			if err != nil {
				return fmt.Errorf("spike nab: %w", err)
			}
			if !cmd.Flags().Changed("threshold") {
				threshold, _ = nab.Best(series)
			}
			return printNAB(cmd.OutOrStdout(), series, threshold)
		},
	}
	cmd.Flags().Float64Var(&threshold, "threshold", 0, "score from which a row is an alarm (default the best)")
	return cmd
}

const nabTime = "2006-01-02 15:04:05"

// readNAB reads and scores the labelled series of a folder of the benchmark.
func readNAB(folder string) ([]nab.Series, error) {
	text, err := os.ReadFile(filepath.Join(folder, "combined_windows.json"))
	if err != nil {
		return nil, fmt.Errorf("%w; give a folder with series and the labels of the benchmark", err)
	}
	var labels map[string][][2]string
	if err := json.Unmarshal(text, &labels); err != nil {
		return nil, fmt.Errorf("combined_windows.json: %w; give the labels of the benchmark as they are", err)
	}
	var out []nab.Series
	for name, windows := range labels {
		name = filepath.Base(name)
		data, err := os.ReadFile(filepath.Join(folder, name))
		if errors.Is(err, os.ErrNotExist) {
			continue // labels of a series that is kept elsewhere
		}
		if err != nil {
			return nil, err
		}
		s := nab.Series{Name: strings.TrimSuffix(name, ".csv")}
		var at []time.Time
		scorer := spike.NewScorer()
		err = eachRow(bytes.NewReader(data), func(timestamp []byte, value float64) error {
			t, err := time.Parse(nabTime, string(timestamp))
			if err == nil && len(at) > 0 && t.Before(at[len(at)-1]) {
				err = fmt.Errorf("%s is before the row above: sort the rows by time", timestamp)
			}
			at = append(at, t)
			s.Scores = append(s.Scores, scorer.Add(value))
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("%s:%w", name, err)
		}
		var times [][2]time.Time
		for _, w := range windows {
			begin, err := time.Parse(nabTime, w[0]) // fractions of a second may follow
			if err != nil {
				return nil, fmt.Errorf("combined_windows.json: %w", err)
			}
			end, err := time.Parse(nabTime, w[1])
			if err != nil {
				return nil, fmt.Errorf("combined_windows.json: %w", err)
			}
			if end.Before(begin) {
				return nil, fmt.Errorf("combined_windows.json: a window of %s ends at %s, before it begins at %s", name, w[1], w[0])
			}
			times = append(times, [2]time.Time{begin, end})
		}
		s.Windows = nab.Rows(at, times)
		out = append(out, s)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s has none of the series that its combined_windows.json names", folder)
	}
	slices.SortFunc(out, func(a, b nab.Series) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

func printNAB(out io.Writer, series []nab.Series, threshold float64) error {
	line := func(name string, o nab.Outcome) error {
		_, err := fmt.Fprintf(out, "%-24s %6.2f   %d of %d windows, %d false alarms\n", name, o.Score, o.Found, o.Windows, o.False)
		return err
	}
	if _, err := fmt.Fprintf(out, "threshold %.4f\n", threshold); err != nil {
		return err
	}
	for i := range series {
		if err := line(series[i].Name, nab.Evaluate(series[i:i+1], threshold)); err != nil {
			return err
		}
	}
	return line("all", nab.Evaluate(series, threshold))
}
