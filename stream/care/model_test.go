package care

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"otklik/stream"
)

var deskConfig = Config{
	QuietGap: 10 * time.Hour,
	Calendar: Calendar{
		Zone:     "Europe/Berlin",
		Hours:    map[string][]string{"mon-fri": {"09:00-12:30", "13:00-18:00"}, "sat": {"22:00-06:00"}},
		Holidays: []string{"2024-04-01"},
	},
}

// randomThread makes a thread of n turns with everything that goes wrong: equal times, skewed clocks, parents that are
// missing, late, own, circular or the turn itself, customers without id, brands that talk to themselves.
func randomThread(rng *rand.Rand, n int) []Turn {
	start := stream.TimeOf(time.Date(2024, time.March, 29, 20, 0, 0, 0, time.UTC)) // before a change of clocks and a holiday
	customers := []string{"anna", "boris", "vera", "gleb", ""}[:1+rng.IntN(5)]
	step := []stream.Time{stream.Second, stream.Minute, stream.Hour, 4 * stream.Hour}[rng.IntN(4)]
	stated, floating := rng.Float64(), rng.Float64()
	id := func(k int) string { return fmt.Sprintf("%04d", (k*3701)%10007) } // ids say nothing about the order
	turns := make([]Turn, n)
	at := start
	for i := range turns {
		at += stream.Time(rng.IntN(4)) * step
		t := Turn{ItemID: id(i), At: at - stream.Time(rng.IntN(2)*rng.IntN(3))*step, Author: customers[rng.IntN(len(customers))]}
		if rng.IntN(2) == 0 {
			t.Flags |= stream.NeedsAnswer
		}
		if rng.IntN(5) == 0 {
			t.Flags |= stream.Question
		}
		if rng.IntN(5) < 2 {
			t.Own, t.Author, t.Flags = true, []string{"brand", "agent"}[rng.IntN(2)], 0
			if rng.IntN(5) > 0 {
				t.Flags |= stream.Approved
			}
			if rng.IntN(5) == 0 {
				t.Flags |= stream.Automatic
			}
			if rng.Float64() < stated {
				t.Customer = append([]string{"dora"}, customers...)[rng.IntN(1+len(customers))]
			}
			if rng.Float64() > floating {
				t.ParentID = id(max(0, i+2-rng.IntN(8)))
				if rng.IntN(3) == 0 {
					t.ParentAt = t.At - stream.Time(rng.IntN(5)-1)*step
				}
			}
		} else {
			t.Customer = t.Author
			if rng.IntN(2) == 0 {
				t.ParentID = id(rng.IntN(n + 2))
			}
		}
		turns[i] = t
	}
	return turns
}

func position(offset int) stream.Position { return stream.PositionAfter(1, int64(offset)) }

func TestEvaluateAgainstModel(t *testing.T) {
	evaluator := mustEvaluator(t, deskConfig)
	key := Key{Platform: stream.VK, Brand: "mts", Thread: "t"}
	for seed := range uint64(1000) {
		rng := rand.New(rand.NewPCG(seed, 1))
		turns := randomThread(rng, 1+rng.IntN(60))
		if seed%50 == 0 {
			turns = randomThread(rng, 500)
		}
		rng.Shuffle(len(turns), func(i, j int) { turns[i], turns[j] = turns[j], turns[i] })
		for i := range turns {
			turns[i].Position = position(i)
		}
		wantResponses, wantCases := naive(deskConfig, evaluator.clock, key, turns)
		responses, cases := evaluator.Evaluate(key, turns)
		if d := cmp.Diff(wantResponses, responses, cmpopts.EquateEmpty()); d != "" {
			t.Fatalf("seed %d: responses (-naive +evaluate):\n%s\n%s", seed, d, script(turns))
		}
		if d := cmp.Diff(wantCases, cases, cmpopts.EquateEmpty()); d != "" {
			t.Fatalf("seed %d: cases (-naive +evaluate):\n%s\n%s", seed, d, script(turns))
		}
		for _, r := range responses {
			if r.WaitingID != "" && r.ResponseID != "" && r.Waiting.Value() < 0 {
				t.Fatalf("seed %d: negative wait: %+v", seed, r)
			}
		}
	}
}

// tables is what ClickHouse keeps: of each row the version with the highest position, the last one written on a tie.
type tables struct {
	responses map[[2]string]Response
	cases     map[[2]string]Case
	turns     map[string][]Turn // by thread
}

func (s *tables) write(t *testing.T, responses []Response, cases []Case) {
	t.Helper()
	for _, r := range responses {
		k := [2]string{r.Thread, r.ID}
		if old, ok := s.responses[k]; !ok || r.Position >= old.Position {
			if ok && r.Position == old.Position && r != old {
				t.Fatalf("two versions of one response at one position:\n%+v\n%+v", old, r)
			}
			s.responses[k] = r
		}
	}
	for _, c := range cases {
		k := [2]string{c.Thread, c.ID}
		if old, ok := s.cases[k]; !ok || c.Position >= old.Position {
			if ok && c.Position == old.Position && c != old {
				t.Fatalf("two versions of one case at one position:\n%+v\n%+v", old, c)
			}
			s.cases[k] = c
		}
	}
}

// TestBookAgainstModel drives a book the way a task does: a log of turns with duplicates, flushes at random moments,
// some of them torn by a crash between any two of their steps and made good by a replay, threads evicted and fetched
// again. In the end the tables must hold exactly the rows of all turns, and the changes must add up to them.
func TestBookAgainstModel(t *testing.T) {
	evaluator := mustEvaluator(t, deskConfig)
	for seed := range uint64(150) {
		rng := rand.New(rand.NewPCG(seed, 2))
		type entry struct {
			key  Key
			turn Turn
		}
		var log []entry
		for th := range 1 + rng.IntN(6) {
			key := Key{Platform: stream.Twitter, Brand: []string{"mts", "tele2"}[th%2], Thread: fmt.Sprint(th)}
			length := 1 + rng.IntN(45)
			if seed%10 == 0 && th == 0 {
				length = 600 // a conversation that goes on from a resume
			}
			for _, turn := range randomThread(rng, length) {
				log = append(log, entry{key, turn})
				if rng.IntN(10) == 0 {
					log = append(log, entry{key, turn}) // delivered twice
				}
			}
		}
		if rng.IntN(4) == 0 {
			rng.Shuffle(len(log), func(i, j int) { log[i], log[j] = log[j], log[i] })
		} else {
			for i := range log { // bounded disorder
				j := min(len(log)-1, i+rng.IntN(6))
				log[i], log[j] = log[j], log[i]
			}
		}
		for i := range log {
			log[i].turn.Position = position(i)
		}

		store := tables{map[[2]string]Response{}, map[[2]string]Case{}, map[string][]Turn{}}
		book := NewBook(evaluator)
		restart := 0                  // the offset up to which everything is durable
		sums := map[Response]int{}    // by the changes, since the beginning
		durable := map[Response]int{} // the same at restart
		plain := func(r Response) Response { r.Position = 0; return r }
		for i := 0; i < len(log); i++ {
			e := log[i]
			if !book.Has(e.key) {
				book.Restore(e.key, store.turns[e.key.Thread])
			}
			known := book.HasTurn(e.key, e.turn.ItemID)
			change := book.Apply(e.key, e.turn)
			if change.Known != known || known && len(change.Removed)+len(change.Added) > 0 {
				t.Fatalf("seed %d: known=%v, change %+v", seed, known, change)
			}
			if !book.HasTurn(e.key, e.turn.ItemID) {
				t.Fatalf("seed %d: turn %s is not in the book", seed, e.turn.ItemID)
			}
			for _, r := range change.Removed {
				sums[plain(r)]--
			}
			for _, r := range change.Added {
				sums[plain(r)]++
			}
			switch rng.IntN(12) {
			case 0: // a whole flush
				responses, cases, turns := book.Flush()
				store.write(t, responses, cases)
				for _, row := range turns {
					store.turns[row.Thread] = append(store.turns[row.Thread], row.Turn)
				}
				restart, durable = i+1, maps.Clone(sums)
			case 2: // eviction, also of threads in use: they stay until they are flushed
				held := book.Len()
				if n := book.Evict(log[rng.IntN(len(log))].turn.At); book.Len() != held-n {
					t.Fatalf("seed %d: %d of %d evicted, %d left", seed, n, held, book.Len())
				}
			case 1: // a flush torn by a crash, then a replay
				responses, cases, turns := book.Flush()
				store.write(t, responses[:rng.IntN(len(responses)+1)], cases[:rng.IntN(len(cases)+1)])
				_ = turns // remembered beyond the restart point: ignored on restore
				book = NewBook(evaluator)
				i, sums = restart-1, maps.Clone(durable)
			}
		}
		responses, cases, _ := book.Flush()
		store.write(t, responses, cases)

		all := map[Key][]Turn{}
		for _, e := range log {
			if !slices.ContainsFunc(all[e.key], func(t Turn) bool { return t.ItemID == e.turn.ItemID }) {
				all[e.key] = append(all[e.key], e.turn)
			}
		}
		want := map[Response]int{}
		live := 0
		for key, turns := range all {
			wantResponses, wantCases := naive(deskConfig, evaluator.clock, key, turns)
			for _, r := range wantResponses {
				want[plain(r)]++
				if got := store.responses[[2]string{key.Thread, r.ID}]; plain(got) != plain(r) {
					t.Fatalf("seed %d thread %s: response in the table %+v, want %+v", seed, key.Thread, got, r)
				}
			}
			for _, c := range wantCases {
				got := store.cases[[2]string{key.Thread, c.ID}]
				got.Position = c.Position
				if got != c {
					t.Fatalf("seed %d thread %s: case in the table (-want +got):\n%s", seed, key.Thread, cmp.Diff(c, got))
				}
			}
			live += len(wantResponses) + len(wantCases)
		}
		for _, r := range store.responses {
			if !r.Deleted {
				live--
			}
		}
		for _, c := range store.cases {
			if !c.Deleted {
				live--
			}
		}
		if live != 0 {
			t.Fatalf("seed %d: the tables hold %d rows too many", seed, -live)
		}
		for r, n := range sums {
			if n == 0 {
				delete(sums, r)
			}
		}
		if d := cmp.Diff(want, sums); d != "" {
			t.Fatalf("seed %d: the changes do not add up (-want +got):\n%s", seed, d)
		}
	}
}

func mustEvaluator(t testing.TB, cfg Config) *Evaluator {
	t.Helper()
	e, err := NewEvaluator(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// script writes turns the way testdata does, for a failing seed to become a scenario.
func script(turns []Turn) string {
	var b strings.Builder
	for _, t := range turns {
		fmt.Fprintf(&b, "%+v\n", t)
	}
	return b.String()
}
