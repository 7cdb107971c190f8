package claim_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"otklik/stream"
	"otklik/stream/brand"
	"otklik/stream/claim"
)

func policy(t *testing.T, change func(*claim.Config)) *claim.Policy {
	t.Helper()
	cfg := claim.DefaultConfig()
	if change != nil {
		change(&cfg)
	}
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	catalogue, err := brand.Parse([]byte(`
brands:
  - {key: alpha, name: Alpha, own: true, aliases: [alpha], products: [{key: sea, name: Sea, terms: [sea], weight: 2}]}
  - {key: beta, name: Beta, aliases: [beta]}
products:
  - {key: air, name: Air, terms: [air], weight: 1.5}
  - {key: rail, name: Rail, terms: [rail], weight: 0.7}
  - {key: road, name: Road, terms: [road]}
`))
	if err != nil {
		t.Fatal(err)
	}
	return claim.NewPolicy(cfg, catalogue)
}

// negative is a negative mention by a customer of Alpha.
func negative(followers int64, severity uint8, score float32, products ...string) stream.MentionRow {
	return stream.MentionRow{Mention: stream.Mention{
		Item: stream.Item{
			Platform: stream.Twitter, ID: "7", PublishedAt: 1000, Thread: "t", Followers: stream.CountOf(followers), Text: "Alpha is late",
			Author: stream.Account{ID: "u", Name: "handle"},
		},
		Brand: "alpha", Label: stream.Negative, Scores: stream.Scores{Negative: score}, Severity: severity, Products: products, ReceivedAt: 3000,
	}, Position: 5}
}

func TestFactors(t *testing.T) {
	p := policy(t, nil)
	for _, c := range []struct {
		name    string
		mention stream.MentionRow
		want    stream.Factors
	}{
		{"plain", negative(999, 0, 1), stream.Factors{Audience: 1, Severity: 1, Product: 1, Threshold: 4}},
		{"bands begin with their number", negative(1000, 0, 1), stream.Factors{Audience: 2, Severity: 1, Product: 1, Threshold: 4}},
		{"third band", negative(99_999, 3, 0.5, "air"), stream.Factors{Audience: 3, Severity: 3, Product: 1.5, Threshold: 4}},
		{"highest band", negative(5_000_000, 1, 0, "rail"), stream.Factors{Audience: 5, Severity: 1, Product: 0.7, Threshold: 4}},
		{"unknown audience", negative(-1, 2, 1), stream.Factors{Audience: 1, Severity: 3, Product: 1, Threshold: 4}},
		{"the heaviest product counts", negative(0, 0, 1, "air", "rail", "sea"), stream.Factors{Audience: 1, Severity: 1, Product: 2, Threshold: 4}},
		{"a light one does not hide a usual one", negative(0, 0, 1, "rail", "road"), stream.Factors{Audience: 1, Severity: 1, Product: 1, Threshold: 4}},
		{"a product that is gone", negative(0, 0, 1, "space"), stream.Factors{Audience: 1, Severity: 1, Product: 1, Threshold: 4}},
	} {
		if got := p.Factors(&c.mention); got != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
	m := negative(2000, 0, 0.1)
	m.Corrections = []stream.Correction{{Label: stream.Negative, By: "anna", At: 2000}}
	if got := p.Factors(&m).Severity; got != 1 {
		t.Errorf("an analyst is certain: severity factor %v, want 1", got)
	}
	m.Brand = "beta"
	if f := p.Factors(&m); f.Threshold != 0 || f.Claims() || f.Priority() == 0 {
		t.Errorf("a competitor's mention has a priority and is no claim: %+v", f)
	}
	for _, change := range []func(*stream.MentionRow){
		func(m *stream.MentionRow) { m.Label = stream.Neutral },
		func(m *stream.MentionRow) { m.Role = stream.Own },
		func(m *stream.MentionRow) { m.Role = stream.Spam },
	} {
		m := negative(1_000_000, 3, 1)
		change(&m)
		if f := p.Factors(&m); f != (stream.Factors{}) {
			t.Errorf("%s %s has factors: %+v", m.Role, m.Label, f)
		}
	}
	off := policy(t, func(c *claim.Config) { c.Threshold = 0 })
	m = negative(1_000_000, 3, 1)
	if f := off.Factors(&m); f.Claims() || f.Priority() != 20 {
		t.Errorf("without a threshold: %+v", f)
	}
}

// TestMonotone: nothing that makes a mention weigh more ever lowers its priority.
func TestMonotone(t *testing.T) {
	p := policy(t, nil)
	rng := rand.New(rand.NewPCG(1, 2))
	weights := []string{"rail", "road", "air", "sea"} // growing
	for range 20_000 {
		a := negative(rng.Int64N(300_000)-1, uint8(rng.IntN(4)), rng.Float32(), weights[rng.IntN(4)])
		b := a
		switch rng.IntN(4) {
		case 0:
			b.Item.Followers = stream.CountOf(max(0, a.Item.Followers.Value()) + rng.Int64N(300_000))
		case 1:
			b.Severity = a.Severity + uint8(rng.IntN(int(4-a.Severity)))
		case 2:
			b.Scores.Negative += (1 - a.Scores.Negative) * rng.Float32()
		case 3:
			n := slices.Index(weights, a.Products[0])
			b.Products = []string{weights[n+rng.IntN(4-n)]}
		}
		fa, fb := p.Factors(&a), p.Factors(&b)
		if fb.Priority() < fa.Priority() {
			t.Fatalf("%+v of %+v is lower than %+v of %+v", fb, b.Mention, fa, a.Mention)
		}
		if fa.Audience < 1 || fa.Severity < 0.5 || fa.Severity > 4 || fa.Product <= 0 {
			t.Fatalf("out of bounds: %+v", fa)
		}
	}
}

func TestConfigFaults(t *testing.T) {
	cfg := claim.Config{
		Threshold: -1, Bands: []claim.Band{{0, 0}, {10, 5}, {10, 4}}, Blogger: 0, Departments: map[string]string{"air": ""},
	}
	err := cfg.Validate()
	if err == nil {
		t.Fatal("no fault")
	}
	for _, want := range []string{
		"threshold: -1", "bands[0].factor", "bands[0].followers", "bands[2]: does not lie above", "blogger: 0", "department: is empty", "departments.air",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in:\n%v", want, err)
		}
	}
}

// TestLife follows one claim through versions of its mention.
func TestLife(t *testing.T) {
	p := policy(t, func(c *claim.Config) { c.Departments = map[string]string{"air": "network"} })
	m := negative(20_000, 2, 0.8, "air")
	m.Factors = p.Factors(&m)
	r := p.Open(&m, 3000)
	if r.Revision != 1 || !r.Blogger || r.Department != "network" || r.Product != "air" || r.State() != stream.ClaimOpen || r.ID != claim.IDOf(&r.MentionName) || len(r.ID) != 16 {
		t.Errorf("opened: %+v", r)
	}
	if same, changed := p.Follow(&r, &m); changed || same.Revision != 1 {
		t.Error("the same version changes nothing")
	}
	m.Item.EditedAt, m.Item.Text, m.Position, m.ReceivedAt = 4000, "Alpha and the air", 9, 5000
	edited, changed := p.Follow(&r, &m)
	if !changed || edited.Text != m.Item.Text || edited.Revision != 2 || edited.Position != 9 || edited.ReceivedAt != 3000 || edited.VersionAt != 1000 {
		t.Errorf("edited: %+v", edited)
	}
	m.Label, m.Item.Text, m.Position = stream.Positive, "Alpha is fine", 12
	m.Factors = p.Factors(&m)
	withdrawn, changed := p.Follow(&edited, &m)
	if !changed || withdrawn.State() != stream.ClaimWithdrawn || withdrawn.Text != "Alpha and the air" || withdrawn.Factors != edited.Factors || withdrawn.Revision != 3 {
		t.Errorf("withdrawn: %+v", withdrawn)
	}
	if _, changed := p.Follow(&withdrawn, &m); changed {
		t.Error("withdrawn twice")
	}
	answered, ok := withdrawn.Apply(&stream.ClaimStatus{State: stream.ClaimAccepted, By: "desk", At: 6000}, 13)
	if !ok || answered.State() != stream.ClaimWithdrawn || answered.First(stream.ClaimAccepted) != 6000 {
		t.Errorf("answered: %+v", answered)
	}
	m.Label, m.Position = stream.Negative, 14
	m.Factors = p.Factors(&m)
	if again, changed := p.Follow(&answered, &m); !changed || again.State() != stream.ClaimAccepted || again.Revision != 5 || again.Text != "Alpha is fine" {
		t.Errorf("negative again: %+v", again)
	}
}

// An erased claim goes on, but what people wrote does not come back, whatever comes late.
func TestErasedStaysErased(t *testing.T) {
	p := policy(t, nil)
	m := negative(20_000, 2, 0.8, "air")
	m.Factors = p.Factors(&m)
	r := p.Open(&m, 3000)
	r.Erase()
	if same, changed := p.Follow(&r, &m); changed {
		t.Errorf("the text of a version that it had makes another claim of it: %+v", same)
	}
	m.Item.EditedAt, m.Item.Text, m.Position, m.Products = 4000, "Alpha and the sea", 9, []string{"sea"}
	m.Factors = p.Factors(&m)
	edited, changed := p.Follow(&r, &m)
	if answered, ok := edited.Apply(&stream.ClaimStatus{State: stream.ClaimAccepted, By: "desk", At: 6000, Note: "the author of the post is"}, 13); !ok || answered.Statuses[0].Note != "" {
		t.Errorf("answered: %+v", answered)
	}
	if !changed || edited.Product != "sea" || edited.Revision != 2 || edited.Text != "" || edited.Author != (stream.Account{}) || !edited.Erased {
		t.Errorf("edited: %+v", edited)
	}
}

// TestStatusesInAnyOrder: whatever the order of delivery and however often, the claim comes to the same.
func TestStatusesInAnyOrder(t *testing.T) {
	at := func(n int, state stream.ClaimState) stream.ClaimStatus {
		return stream.ClaimStatus{State: state, By: "desk", At: stream.Time(n) * stream.Minute}
	}
	all := []stream.ClaimStatus{
		at(1, stream.ClaimNeedsDetails), at(2, stream.ClaimAccepted), at(5, stream.ClaimResolved), at(6, stream.ClaimResolved), at(7, stream.ClaimReopened),
		at(8, stream.ClaimAccepted), at(9, stream.ClaimResolved), at(9, stream.ClaimRejected),
	}
	rng := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		r := claim.Row{Revision: 1}
		order := slices.Concat(all, all[:4])
		rng.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		for i := range order {
			next, applied := r.Apply(&order[i], stream.Position(i+1))
			if repeated := slices.Contains(order[:i], order[i]); applied == repeated {
				t.Fatalf("status %d of %v: applied %t", i, order, applied)
			}
			r = next
		}
		resolved, reopened := r.Cycles()
		got := fmt.Sprint(r.State(), len(r.Statuses), r.Revision, resolved, reopened, r.First(stream.ClaimAccepted), r.LastResolved())
		want := fmt.Sprint(stream.ClaimRejected, 8, 9, []stream.Time{5 * stream.Minute, 9 * stream.Minute}, []stream.Time{7 * stream.Minute, 0}, 2*stream.Minute, 9*stream.Minute)
		if got != want {
			t.Fatalf("%v\ngot  %s\nwant %s", order, got, want)
		}
	}
}

func TestStatusText(t *testing.T) {
	s := stream.ClaimStatus{State: stream.ClaimNeedsDetails, By: "Anna B.", At: 1_700_000_000_123}
	back, err := stream.ParseClaimStatus(s.String())
	if err != nil || !back.Same(&s) {
		t.Errorf("%v, %v", back, err)
	}
	if _, err := stream.ParseClaimStatus("yesterday accepted anna"); err == nil {
		t.Error("no time, and no error")
	}
}
