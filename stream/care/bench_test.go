package care

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"strconv"
	"testing"
	"time"

	"otklik/stream"
)

var benchStart = stream.TimeOf(time.Date(2026, time.March, 2, 8, 0, 0, 0, time.UTC))

// benchTurn makes the k-th turn of a small thread: question, answer, thanks.
func benchTurn(thread, k int) Turn {
	customer := strconv.Itoa(1_000_000_000 + thread)
	t := Turn{
		ItemID:   strconv.Itoa(1_130_000_000_000_000_000 + thread*10 + k),
		At:       benchStart + stream.Time(thread)*10 + stream.Time(k)*stream.Hour,
		Author:   customer,
		Customer: customer,
		Flags:    stream.NeedsAnswer,
		Position: position(3*thread + k),
	}
	if k == 1 {
		t.Own, t.Author, t.Flags = true, "25623489", stream.Approved
		t.ParentID = strconv.Itoa(1_130_000_000_000_000_000 + thread*10)
		t.ParentAt = benchStart + stream.Time(thread)*10
	}
	return t
}

func benchKey(thread int) Key {
	return Key{Platform: stream.Twitter, Brand: "mts", Thread: strconv.Itoa(1_000_000_000+thread) + "+mts"}
}

// BenchmarkBookMemory reports the live heap per open thread for a million threads of one to three turns.
func BenchmarkBookMemory(b *testing.B) {
	const threads = 1_000_000
	evaluator := mustEvaluator(b, officeConfig)
	for b.Loop() {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		book := NewBook(evaluator)
		for i := range threads {
			key := benchKey(i)
			for k := range 1 + i%3 {
				book.Apply(key, benchTurn(i, k))
			}
			if i%10_000 == 0 {
				book.Flush()
			}
		}
		book.Flush()
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/threads, "B/thread")
		start := time.Now()
		if n := book.Evict(0); n != 0 {
			b.Fatalf("%d threads evicted", n)
		}
		b.ReportMetric(float64(time.Since(start).Milliseconds()), "ms/evict")
		runtime.KeepAlive(book)
	}
}

var officeConfig = Config{Calendar: office}

// BenchmarkApplyShort applies turns of threads of three turns, with a flush every 10,000 turns.
func BenchmarkApplyShort(b *testing.B) {
	book := NewBook(mustEvaluator(b, officeConfig))
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		thread := i / 3 % 100_000
		book.Apply(Key{Platform: stream.Twitter, Brand: "mts", Thread: "t"}, Turn{}) // known: the cost of a duplicate is in it
		book.Apply(benchKey(thread), benchTurn(thread, i%3))
		if i++; i%10_000 == 0 {
			book.Flush()
		}
		if i%300_000 == 0 {
			book.Evict(1 << 62)
		}
	}
}

// BenchmarkApplyLong applies the turns of one long thread in a bounded disorder; an operation is the whole thread.
func BenchmarkApplyLong(b *testing.B) {
	for _, n := range []int{1_000, 10_000} {
		for _, shape := range []struct {
			name      string
			customers int
			floating  int // percent of the answers that do not say whom they address
		}{
			{"viral", n / 3, 0},
			{"viral-floating", n / 3, 30},
			{"one-customer", 1, 0},
		} {
			b.Run(fmt.Sprintf("%s/turns=%d", shape.name, n), func(b *testing.B) {
				rng := rand.New(rand.NewPCG(7, 7))
				turns := make([]Turn, n)
				for i := range turns {
					customer := strconv.Itoa(rng.IntN(shape.customers))
					t := Turn{ItemID: strconv.Itoa(i), At: benchStart + stream.Time(i)*stream.Second, Author: customer, Customer: customer, Flags: stream.NeedsAnswer}
					if i%2 == 1 {
						t.Own, t.Author, t.Customer, t.Flags = true, "brand", "", stream.Approved
						if rng.IntN(100) >= shape.floating {
							t.ParentID = strconv.Itoa(i - 1 - 2*rng.IntN(1+min(20, i/2)))
						}
					}
					turns[i] = t
				}
				for i := range turns {
					j := min(n-1, i+rng.IntN(6))
					turns[i], turns[j] = turns[j], turns[i]
				}
				for i := range turns {
					turns[i].Position = position(i)
				}
				evaluator := mustEvaluator(b, officeConfig)
				b.ReportAllocs()
				for b.Loop() {
					book := NewBook(evaluator)
					for i := range turns {
						book.Apply(Key{Thread: "viral"}, turns[i])
						if i%1000 == 0 {
							book.Flush()
						}
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/turn")
			})
		}
	}
}

func BenchmarkEvaluate(b *testing.B) {
	evaluator := mustEvaluator(b, deskConfig)
	turns := randomThread(rand.New(rand.NewPCG(1, 1)), 20)
	b.ReportAllocs()
	for b.Loop() {
		evaluator.Evaluate(Key{}, turns)
	}
}

func BenchmarkRestore(b *testing.B) {
	book := NewBook(mustEvaluator(b, officeConfig))
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		thread := i % 100_000
		book.Restore(benchKey(thread), []Turn{benchTurn(thread, 0), benchTurn(thread, 1)})
		i++
	}
}

func BenchmarkClockBetween(b *testing.B) {
	clock := compile(b, office)
	b.ReportAllocs()
	i := stream.Time(0)
	for b.Loop() {
		clock.Between(benchStart+i%(365*stream.Day), benchStart+i%(365*stream.Day)+5*stream.Hour)
		i += 7_654_321
	}
}

func BenchmarkCompile(b *testing.B) {
	for b.Loop() {
		compile(b, shifts)
	}
}
