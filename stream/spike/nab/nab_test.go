package nab

import (
	"math"
	"testing"
	"time"
)

func flat(rows int, alarms ...int) Series {
	s := Series{Scores: make([]float64, rows), Windows: [][2]int{{1000, 1099}, {2000, 2099}}}
	for _, row := range alarms {
		s.Scores[row] = 1
	}
	return s
}

func TestEvaluate(t *testing.T) {
	const rows = 10_000
	for _, c := range []struct {
		name   string
		alarms []int
		want   float64
	}{
		{"never", nil, 0},
		{"perfect", []int{1000, 2000}, 100},
		{"perfect, told twice", []int{1000, 1001, 1099, 2000}, 100},
		{"one of two", []int{2000}, 50},
		{"in probation", []int{1000, 2000, 100, 749}, 100},
		{"false before the first window", []int{1000, 2000, 800}, 100 - 100*0.11/4},
		{"false far behind", []int{1000, 2000, 9000}, 100 - 100*0.11/4},
		{"false right behind costs little", []int{1000, 2000, 1100}, 100 + 100*0.11/4*(2/(1+math.Exp(5.0/99))-1)},
		{"in the middle", []int{1050, 2000}, 50 + 50*(1+(2/(1+math.Exp(-5*0.5))-1)/(2/(1+math.Exp(-5))-1))/2},
	} {
		o := Evaluate([]Series{flat(rows, c.alarms...)}, 1)
		if math.Abs(o.Score-c.want) > 1e-9 {
			t.Errorf("%s: score %v, want %v", c.name, o.Score, c.want)
		}
	}
}

func TestBest(t *testing.T) {
	s := flat(10_000)
	s.Scores[1000], s.Scores[2000], s.Scores[5000], s.Scores[5001] = 0.7, 0.8, 0.6, 0.9
	threshold, o := Best([]Series{s})
	if threshold != 0.7 || o.Found != 2 || o.False != 1 {
		t.Errorf("best threshold %v finds %d with %d false, want 0.7, 2, 1", threshold, o.Found, o.False)
	}
	if threshold, o := Best([]Series{flat(10_000)}); !math.IsInf(threshold, 1) || o.Score != 0 {
		t.Errorf("best of no alarm: %v at %v, want 0 at +Inf", o.Score, threshold)
	}
}

func TestRows(t *testing.T) {
	begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var at []time.Time
	for i := range 10 {
		at = append(at, begin.Add(time.Duration(i)*time.Minute))
	}
	got := Rows(at, [][2]time.Time{{begin.Add(90 * time.Second), begin.Add(5 * time.Minute)}})
	if got[0] != [2]int{2, 5} {
		t.Errorf("rows %v, want 2 to 5", got[0])
	}
}
