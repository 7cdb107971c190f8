package sentiment

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"otklik/stream/brand"
)

// trainingFolder is where the training files lie beside the repository.
var trainingFolder = filepath.Join("..", "..", "..", "shared", "data", "sentiment")

// BenchmarkTrainingPosts classifies the posts of the training files, each for its brand, and beside it splits them into words that
// are looked up in a map: a measure of the machine to compare with.
func BenchmarkTrainingPosts(b *testing.B) {
	for _, name := range []string{"ru_sentirueval2016_telecom_train.tsv", "ru_rusentitweet_train.tsv", "en_airline_train.tsv"} {
		rows, err := ReadFile(filepath.Join(trainingFolder, name))
		if errors.Is(err, os.ErrNotExist) {
			b.Skip("the training files are not there")
		}
		if err != nil {
			b.Fatal(err)
		}
		t, err := newTargeter()
		if err != nil {
			b.Fatal(err)
		}
		n := 0
		targets := make([]Target, len(rows))
		words := map[string]int{}
		for i := range rows {
			n += len(rows[i].Text)
			target := t.target(&rows[i])
			target.Spans = append([]brand.Span(nil), target.Spans...)
			target.Others = append([]brand.Span(nil), target.Others...)
			targets[i] = target
			for w := range strings.FieldsSeq(rows[i].Text) {
				words[w]++
			}
		}
		run := func(name string, each func(i int)) {
			b.Run(name, func(b *testing.B) {
				b.SetBytes(int64(n / len(rows)))
				b.ReportAllocs()
				i := 0
				for b.Loop() {
					each(i)
					if i++; i == len(rows) {
						i = 0
					}
				}
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "texts/s")
			})
		}
		m := defaultModel(b)
		var s Scratch
		short := strings.TrimSuffix(name, ".tsv")
		run(short, func(i int) { m.Classify(rows[i].Text, rows[i].Lang, targets[i], &s) })
		sum := 0
		run(short+"/words", func(i int) {
			for w := range strings.FieldsSeq(rows[i].Text) {
				sum += words[w]
			}
		})
	}
}
