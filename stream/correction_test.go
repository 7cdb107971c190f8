package stream

import "testing"

func TestCorrectionLine(t *testing.T) {
	for _, c := range []Correction{
		{Label: Negative, By: "anna", At: 1772463845123},
		{Label: Unlabelled, By: "Anna  from the desk", At: 1},
		{Label: Positive, By: "", At: -1},
	} {
		got, err := ParseCorrection(c.String())
		if err != nil || got != c {
			t.Errorf("%q is read as %+v, %v", c.String(), got, err)
		}
	}
	for _, bad := range []string{"", "2026-03-02T15:04:05.000Z", "2026-03-02T15:04:05.000Z negative", "2026-03-02T15:04:05.000Z angry anna", "yesterday negative anna"} {
		if c, err := ParseCorrection(bad); err == nil {
			t.Errorf("%q is read as %+v", bad, c)
		}
	}
}

func TestCorrected(t *testing.T) {
	at := func(l Label, at Time) Correction { return Correction{Label: l, By: "a", At: at} }
	for _, test := range []struct {
		name  string
		since Time
		list  []Correction
		want  Label
		ok    bool
	}{
		{name: "none"},
		{name: "one", list: []Correction{at(Negative, 5)}, want: Negative, ok: true},
		{name: "the newest", list: []Correction{at(Negative, 5), at(Positive, 9), at(Neutral, 7)}, want: Positive, ok: true},
		{name: "the last of equals", list: []Correction{at(Negative, 5), at(Positive, 5)}, want: Positive, ok: true},
		{name: "of another text", since: 6, list: []Correction{at(Negative, 5)}},
		{name: "since the text", since: 5, list: []Correction{at(Negative, 5)}, want: Negative, ok: true},
	} {
		r := MentionRow{TextSince: test.since, Corrections: test.list}
		if c, ok := r.Corrected(); ok != test.ok || c.Label != test.want {
			t.Errorf("%s: %v, %t", test.name, c.Label, ok)
		}
	}
}
