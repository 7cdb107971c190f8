package care

import (
	"fmt"
	"slices"
	"testing"

	"otklik/stream"
)

func TestBookEvict(t *testing.T) {
	book := NewBook(mustEvaluator(t, Config{}))
	for i := range 100 {
		book.Apply(benchKey(i), benchTurn(i, 0))
	}
	if n := book.Evict(1 << 62); n != 0 || book.Len() != 100 {
		t.Fatalf("%d unflushed threads evicted, %d left", n, book.Len())
	}
	book.Flush()
	late := benchTurn(7, 2)
	book.Apply(benchKey(7), late) // unflushed again
	before := benchTurn(50, 0).At
	if n := book.Evict(before); n != 49 || book.Len() != 51 {
		t.Fatalf("%d threads evicted, %d left; want 49 and 51", n, book.Len())
	}
	for i := range 100 {
		if want := i == 7 || i >= 50; book.Has(benchKey(i)) != want || book.HasTurn(benchKey(i), benchTurn(i, 0).ItemID) != want {
			t.Errorf("thread %d: held %v, want %v", i, !want, want)
		}
	}
	if responses, _, turns := book.Flush(); len(turns) != 1 || turns[0].ItemID != late.ItemID || turns[0].Key != benchKey(7) || len(responses) != 0 {
		t.Errorf("flushed %+v and %+v, want the late turn alone: it waits behind the first one", responses, turns)
	}
}

// TestBookKeysApart holds threads that share all but one part of the key.
func TestBookKeysApart(t *testing.T) {
	book := NewBook(mustEvaluator(t, Config{}))
	var keys []Key
	for _, platform := range []stream.Platform{stream.VK, stream.Twitter} {
		for _, brand := range []string{"mts", "", "tele2"} {
			for _, thread := range []string{"", "1", "12"} {
				keys = append(keys, Key{platform, brand, thread})
			}
		}
	}
	for i, key := range keys {
		if book.Has(key) {
			t.Fatalf("%+v is held before it began", key)
		}
		book.Apply(key, Turn{ItemID: fmt.Sprint(i), At: 1, Flags: stream.NeedsAnswer})
	}
	for i, key := range keys {
		for j := range keys {
			if book.HasTurn(key, fmt.Sprint(j)) != (i == j) {
				t.Errorf("%+v: turn %d held: %v", key, j, i != j)
			}
		}
	}
	responses, cases, turns := book.Flush()
	if len(responses) != len(keys) || len(cases) != len(keys) || len(turns) != len(keys) {
		t.Fatalf("%d responses, %d cases, %d turns; want %d of each", len(responses), len(cases), len(turns), len(keys))
	}
	for i := range keys {
		if responses[i].Key != keys[i] || cases[i].Key != keys[i] || turns[i].Key != keys[i] {
			t.Errorf("row %d has another key than %+v", i, keys[i])
		}
	}
}

// TestBookHashChain forces all threads into one chain and takes them out of its beginning, middle and end.
func TestBookHashChain(t *testing.T) {
	for _, gone := range [][]int{{0}, {1}, {2}, {0, 1}, {1, 2}, {0, 2}, {0, 1, 2}, {}} {
		book := NewBook(mustEvaluator(t, Config{}))
		var chain *thread
		for i := range 3 {
			turn := benchTurn(i, 0)
			if slices.Contains(gone, i) {
				turn.At = 1
			}
			book.Apply(benchKey(i), turn)
		}
		book.Flush()
		for _, th := range book.threads {
			th.next = chain
			chain = th
		}
		book.threads = map[uint64]*thread{0: chain}
		if n := book.Evict(2); n != len(gone) {
			t.Fatalf("%v: %d evicted", gone, n)
		}
		left := 0
		for th := book.threads[0]; th != nil; th = th.next {
			left++
			if th.last < 2 {
				t.Errorf("%v: an old thread is left", gone)
			}
		}
		if left != 3-len(gone) || book.Len() != left {
			t.Errorf("%v: %d left, Len %d", gone, left, book.Len())
		}
	}
}

func ExampleBook() {
	evaluator, err := NewEvaluator(Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	book := NewBook(evaluator)
	key := Key{Platform: stream.VK, Brand: "mts", Thread: "wall-1_2"}
	book.Apply(key, Turn{ItemID: "1", At: 1_000, Author: "anna", Customer: "anna", Flags: stream.NeedsAnswer, Position: stream.PositionAfter(0, 0)})
	change := book.Apply(key, Turn{ItemID: "2", At: 61_000, Author: "agent", Own: true, ParentID: "1", Flags: stream.Approved, Position: stream.PositionAfter(0, 1)})
	fmt.Println("one response changed:", len(change.Removed), len(change.Added))
	responses, cases, turns := book.Flush()
	fmt.Println(responses[0].WaitingID, "waited", responses[0].Waiting.Value(), "ms for", responses[0].ResponseID)
	fmt.Println(len(cases), "case,", len(turns), "turns")
	// Output:
	// one response changed: 1 1
	// 1 waited 60000 ms for 2
	// 1 case, 2 turns
}
