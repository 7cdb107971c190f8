package remote

import (
	"errors"
	"testing"
	"time"
)

// TestBreaker goes through the life of a breaker, with times in seconds.
func TestBreaker(t *testing.T) {
	var told []string
	b := &breaker{limit: 3, coolDown: 10 * time.Second, turned: func(err error) {
		if err == nil {
			told = append(told, "closed")
			return
		}
		told = append(told, "open: "+err.Error())
	}}
	at := func(s int) time.Time { return time.Unix(int64(s), 0) }
	fault := errors.New("fault")
	for n, step := range []struct {
		at      int
		ask     bool // whether a request is asked for
		allowed bool
		end     verdict // of a request, if none is asked for
	}{
		{0, true, true, 0},
		{0, true, true, 0},
		{0, true, true, 0},
		{0, true, true, 0},
		{1, false, false, failed},
		{1, false, false, failed},
		{2, false, false, succeeded}, // a success begins the row anew
		{3, false, false, failed},
		{3, false, false, failed},
		{3, true, true, 0},
		{4, false, false, failed}, // the third in a row
		{5, true, false, 0},
		{13, true, false, 0},
		{14, true, true, 0},
		{14, true, false, 0}, // one request, not two
		{15, false, false, failed},
		{24, true, false, 0},
		{25, true, true, 0},
		{26, false, false, abandoned}, // by a rebalance: the next one may try at once
		{26, true, true, 0},
		{27, false, false, succeeded},
		{27, true, true, 0},
		{27, true, true, 0},
		{28, false, false, failed},
		{28, true, true, 0},
	} {
		if step.ask {
			if got := b.allow(at(step.at)); got != step.allowed {
				t.Fatalf("step %d at %d s: allowed %t, want %t", n, step.at, got, step.allowed)
			}
			continue
		}
		b.done(at(step.at), step.end, fault)
	}
	if len(told) != 2 || told[0] != "open: fault" || told[1] != "closed" {
		t.Errorf("told %v", told)
	}
}
