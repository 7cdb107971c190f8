package enginetest_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"otklik/cmd/otklik/internal/enginetest"
	"otklik/stream"
)

// TestBotFlood: hundreds of deliveries of the same three complaints are no wave of complaints. Forty complaints by forty people are one.
func TestBotFlood(t *testing.T) {
	t.Parallel()
	s := enginetest.New(t, nil)
	s.Engine(t, t.Context(), false) // makes the topics
	begin := time.Now().UTC().Add(-48 * time.Hour).Truncate(24 * time.Hour).Add(8 * time.Hour)
	const angry, calm = "МТС отвратительно работает, нет связи, ужас", "Спасибо, МТС, приятно удивили, всё отлично"
	var list []string
	n := 0
	say := func(text string, at time.Time) string {
		n++
		return post(fmt.Sprint("p", n), fmt.Sprint("u", n), text, at)
	}
	for minute := range 6 * 60 { // a calm day: six posts in five minutes, one of them angry
		at := begin.Add(time.Duration(minute) * time.Minute)
		text := calm
		if minute%5 == 0 {
			text = angry
		}
		list = append(list, say(text, at), say(calm, at.Add(20*time.Second)))
	}
	flood, wave := begin.Add(4*time.Hour), begin.Add(5*time.Hour+30*time.Minute)
	bots := []string{say(angry, flood), say(angry, flood.Add(time.Minute)), say(angry, flood.Add(2*time.Minute))}
	for range 200 {
		list = append(list, bots...)
	}
	for i := range 40 {
		list = append(list, say(strings.Replace(angry, "ужас", fmt.Sprint("ужас ", i), 1), wave.Add(time.Duration(i)*6*time.Second)))
	}
	send(t, s, stream.Generic, list...)
	s.Drain(t)
	db := s.ClickHouse.Database()
	if got := scalar(t, s, "SELECT toString(count()) FROM "+db+".mentions"); got != fmt.Sprint(n) {
		t.Errorf("%s mentions, want %d", got, n)
	}
	if got := scalar(t, s, "SELECT toString(sum(duplicates)) FROM "+db+".books"); got != fmt.Sprint(3*199) {
		t.Errorf("%s duplicates, want %d", got, 3*199)
	}
	for _, e := range episodes(t, s) {
		if e.OpenedAt < stream.TimeOf(wave) || e.OpenedAt > stream.TimeOf(wave.Add(10*time.Minute)) {
			t.Errorf("a flood of duplicates is an episode: %+v", e)
		}
	}
	if got := scalar(t, s, "SELECT toString(count()) FROM "+db+".alerts WHERE rule = 'negativity_spike' AND platform = ''"); got != "1" {
		t.Errorf("%s episodes of the wave, want 1", got)
	}
	report, err := s.ClickHouse.Verify(t.Context())
	if err != nil || !report.OK {
		t.Errorf("verify: %+v, %v", report, err)
	}
}
