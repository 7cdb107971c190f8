package clickhouse

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/ClickHouse/ch-go/proto"
)

// TestDictionary reads back what a dictionary has written, with places of one, two and four bytes.
func TestDictionary(t *testing.T) {
	for _, words := range []int{0, 1, near, 254, 255, 300, 65_534, 65_535, 70_000} {
		d := &dictionary{words: []string{""}, index: map[string]uint32{}}
		for range 2 { // the second time with what the first has left behind
			want := []string{""}
			for i := range words {
				w := fmt.Sprintf("word %d", i)
				want = append(want, w, w, "word 0")
			}
			for _, w := range want {
				d.add(w)
			}
			var to proto.Buffer
			d.put(&to)
			d.reset()
			column := new(proto.ColStr).LowCardinality()
			if err := column.DecodeColumn(proto.NewReader(bytes.NewReader(to.Buf)), len(want)); err != nil {
				t.Fatalf("%d words: %v", words, err)
			}
			for i, w := range want {
				if got := column.Row(i); got != w {
					t.Fatalf("%d words: row %d is %q, want %q", words, i, got, w)
				}
			}
		}
	}
}
