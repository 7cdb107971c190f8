package task

import (
	"testing"
	"time"

	"otklik/stream"
	"otklik/stream/kafka"
)

// TestLedgerGap counts what retention has removed once, whether or not records came behind it, and tells the metrics.
func TestLedgerGap(t *testing.T) {
	const hour = 5 * stream.Hour
	for _, test := range []struct {
		name  string
		batch kafka.Batch
	}{
		{"before records", kafka.Batch{Gap: 7, Next: 9, Records: []stream.Record{{Offset: 8, Timestamp: hour + 1}}, At: time.Unix(1, 0)}},
		{"nothing is left", kafka.Batch{Gap: 7, Next: 9, At: (hour + 1).Go()}},
	} {
		t.Run(test.name, func(t *testing.T) {
			l, seen := NewLedger(stream.StageIngest, stream.Partition{}), stream.Books{}
			pos := stream.PositionAfter(0, 8)
			l.Gap(&test.batch, pos, &seen)
			rows := l.Flush()
			if len(rows) != 1 || rows[0].Hour != hour || rows[0].Gaps != 7 || rows[0].Position != pos || seen.Gaps != 7 {
				t.Fatalf("%+v, seen %+v", rows, seen)
			}
			again := NewLedger(stream.StageIngest, stream.Partition{})
			again.Restore(rows)
			again.Gap(&test.batch, pos, &seen)
			if rows := again.Flush(); len(rows) != 0 {
				t.Errorf("a replay counts it again: %+v", rows)
			}
		})
	}
}
