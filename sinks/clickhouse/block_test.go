package clickhouse_test

import (
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"

	"otklik/sinks/clickhouse"
)

// TestRejectedRowOfManyBlocks: where an insert is sent in many compressed blocks, the server refuses a row of the first while later
// ones are on their way. What it says is read all the same, so that the row is found and not tried for ever.
func TestRejectedRowOfManyBlocks(t *testing.T) {
	var retries atomic.Int64
	s := open(t, func(c *clickhouse.Config) {
		c.Addrs[0] = strings.Replace(c.Addrs[0], "127.0.0.1", "LOCALHOST", 1) // not known for this machine: compressed
		c.OnRetry = func(string, error) { retries.Add(1) }
	})
	exec(t, s, "ALTER TABLE "+storeTable(s, "mentions")+" ADD CONSTRAINT refused CHECK item_id != 'item-0003'")
	const rows = 60_000
	rng := rand.New(rand.NewPCG(1, 2))
	all := mentionRows(0, rows)
	for i := range all {
		noise := make([]byte, 300) // nothing that compression makes smaller, so that the connection is full
		for j := range noise {
			noise[j] = byte(rng.Uint32())
		}
		all[i].Item.Text = hex.EncodeToString(noise)
	}
	if err := s.Flush(t.Context(), &clickhouse.Batch{Mentions: all}); err != nil {
		t.Fatal(err)
	}
	if n := value(t, s, "SELECT toString(count()) FROM "+s.Database()+".mentions"); n != "59999" {
		t.Errorf("%s mentions, want 59999", n)
	}
	t.Logf("%d attempts broke off before the answer of the server was read", retries.Load())
}

// TestTextsInPortions: a large column of texts is sent in portions, some of them across what the buffer holds, and arrives whole.
func TestTextsInPortions(t *testing.T) {
	s := open(t, nil)
	all := mentionRows(0, 9_000)
	for i := range all {
		all[i].Item.Text = strings.Repeat(all[i].Item.Identity()+" ", 1+i%100)
	}
	if err := s.Flush(t.Context(), &clickhouse.Batch{Mentions: all}); err != nil {
		t.Fatal(err)
	}
	got := value(t, s, "SELECT concat(toString(count()), ' ', toString(countIf(text = repeat(concat(item_id, ' '), 1 + toUInt64(extract(item_id, '\\d+')) % 100))), ' ', toString(sum(length(text)))) FROM "+
		s.Database()+".mentions")
	length := 0
	for i := range all {
		length += len(all[i].Item.Text)
	}
	if want := fmt.Sprintf("9000 9000 %d", length); got != want {
		t.Errorf("rows, whole texts, bytes: %s, want %s", got, want)
	}
}
