package care

import (
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"otklik/stream"
)

// FuzzEvaluate makes a thread of any bytes, six a turn, and checks that Evaluate agrees with the naive rules, that any
// order of the turns gives the same rows, and that a book that gets them one by one comes to the same rows.
func FuzzEvaluate(f *testing.F) {
	f.Add([]byte("\x00\x01\x00\x00\x08\x00\x01\x02\x01\x00\x31\x01"), uint64(1))
	f.Add([]byte("\x05\x01\x03\x00\x31\x01\x03\x01\x05\x00\x31\x01\x04\x02\x04\x01\x31\x00"), uint64(2))
	f.Add([]byte("\x00\x00\x00\x00\x00\x00"), uint64(3))
	evaluator := mustEvaluator(f, deskConfig)
	key := Key{Platform: stream.Generic, Brand: "brand", Thread: "thread"}
	names := []string{"", "anna", "boris", "brand", "vera"}
	f.Fuzz(func(t *testing.T, data []byte, seed uint64) {
		var turns []Turn
		known := map[string]bool{}
		for ; len(data) >= 6 && len(turns) < 120; data = data[6:] {
			turn := Turn{
				ItemID:   string('a' + rune(data[0]%64)),
				At:       benchStart + stream.Time(data[1])*stream.Hour/2,
				ParentID: []string{"", string('a' + rune(data[2]%64))}[data[4]&1],
				Own:      data[4]&2 != 0,
				Flags:    stream.Flags(data[4]>>2) & (stream.NeedsAnswer | stream.Approved | stream.Automatic),
				Author:   names[int(data[3])%len(names)],
				Customer: names[int(data[3]/8)%len(names)],
				Position: position(len(turns)),
			}
			if data[5] != 0 {
				turn.ParentAt = benchStart + stream.Time(data[5])*stream.Hour/2
			}
			if !known[turn.ItemID] {
				known[turn.ItemID] = true
				turns = append(turns, turn)
			}
		}
		responses, cases := evaluator.Evaluate(key, turns)
		wantResponses, wantCases := naive(deskConfig, evaluator.clock, key, turns)
		if d := cmp.Diff(wantResponses, responses, cmpopts.EquateEmpty()); d != "" {
			t.Fatalf("responses (-naive +evaluate):\n%s", d)
		}
		if d := cmp.Diff(wantCases, cases, cmpopts.EquateEmpty()); d != "" {
			t.Fatalf("cases (-naive +evaluate):\n%s", d)
		}
		rng := rand.New(rand.NewPCG(seed, 0))
		shuffled := append([]Turn(nil), turns...)
		rng.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		againResponses, againCases := evaluator.Evaluate(key, shuffled)
		if d := cmp.Diff(responses, againResponses) + cmp.Diff(cases, againCases); d != "" {
			t.Fatalf("another order:\n%s", d)
		}
		book := NewBook(evaluator)
		sums := map[Response]int{}
		for i, turn := range shuffled {
			turn.Position = position(i)
			change := book.Apply(key, turn)
			for _, r := range change.Removed {
				r.Position = 0
				sums[r]--
			}
			for _, r := range change.Added {
				r.Position = 0
				sums[r]++
			}
		}
		for _, r := range responses {
			r.Position = 0
			sums[r]--
		}
		for r, n := range sums {
			if n != 0 {
				t.Fatalf("the book counts %+d of %+v", n, r)
			}
		}
	})
}

// FuzzPack checks that a thread comes back from its packed form.
func FuzzPack(f *testing.F) {
	f.Add("thread", "1", "anna", "anna", "0", int64(1), int64(0), uint64(1), uint16(1), true)
	f.Add("", "", "", "", "", int64(-1), int64(-1<<63), ^uint64(0), ^uint16(0), false)
	f.Fuzz(func(t *testing.T, thread, id, author, customer, parent string, at, parentAt int64, pos uint64, flags uint16, own bool) {
		want := Turn{
			ItemID: id, Author: author, Customer: customer, ParentID: parent, At: stream.Time(at),
			ParentAt: stream.Time(parentAt), Position: stream.Position(pos), Flags: stream.Flags(flags), Own: own,
		}
		g := newGraph(stream.Hour)
		g.insert(&want)
		var p packer
		p.begin(thread)
		p.node(&g.nodes[0])
		p.node(&g.nodes[0])
		var u unpacker
		if got := u.begin(string(p.buf)); got != thread {
			t.Fatalf("thread %q, want %q", got, thread)
		}
		for range 2 {
			var got Turn
			if !u.turn(&got) || got != want {
				t.Fatalf("%+v, want %+v", got, want)
			}
		}
		if u.turn(new(Turn)) {
			t.Fatal("a third turn")
		}
	})
}
