package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"otklik/stream"
	"otklik/stream/claim"
)

// stolen is a text that becomes a claim.
const stolen = "МТС ужас, связь отвратительная, украли деньги, буду жаловаться"

// TestClaims lists, shows and answers claims, with an engine at work and without, and puts back a status that came before its claim.
func TestClaims(t *testing.T) {
	t.Parallel()
	l := newLabelled(t)
	claims := func(args ...string) (string, error) {
		t.Helper()
		out, _, err := otklik(t, l.env, append(append([]string{"claims"}, args...), "-c", l.file)...)
		return out, err
	}
	must := func(want string, args ...string) string {
		t.Helper()
		out, err := claims(args...)
		if err != nil || !strings.Contains(out, want) {
			t.Errorf("claims %s: %v\n%s\nwant %q", args, err, out, want)
		}
		return out
	}
	refused := func(want string, args ...string) {
		t.Helper()
		if out, err := claims(args...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("claims %s: %v, want %q\n%s", args, err, want, out)
		}
	}
	id := claim.IDOf(&stream.MentionName{Platform: stream.Generic, ItemID: "a", Brand: "mts"})
	must("no claims", "list")
	early := fmt.Sprintf(`{"claim_id":%q,"status":"accepted","at":%q,"by":"desk"}`, id, l.day.Add(10*time.Minute).Format(time.RFC3339))
	l.produce(t, l.Config.Kafka.Topics.Statuses, 1, early, early)
	l.Drain(t) // waits a while for the claim
	l.write(t, "a", stolen, 0)
	l.write(t, "mild", angry, 0)
	l.Drain(t)
	must(id+"  open   mts    generic", "list")
	refused("no claim 0000000000000000", "accept", "--by", "anna", "0000000000000000")
	refused("no claim 0000000000000000", "show", "0000000000000000")
	for _, wrong := range [][]string{
		{"list", "--state", "lost"},
		{"list", "--platform", "icq"},
		{"list", "--limit", "0"},
		{"list", "--format", "xml"},
		{"show", "--format", "xml", id},
		{"accept", "short"},
		{"accept"},
		{"accept", "--timeout", "0s", id},
		{"accept", "--at", "soon", id},
	} {
		_, err := claims(wrong...)
		if _, ok := errors.AsType[*usageError](err); !ok {
			t.Errorf("claims %s: %v, want a usage error", wrong, err)
		}
	}
	if out, _, err := otklik(t, l.env, "deadletters", "redrive", "-c", l.file, "--reason", "unknown_claim", "--yes"); err != nil {
		t.Fatalf("redrive: %v\n%s", err, out)
	}
	l.Drain(t)
	must("['"+l.day.Add(10*time.Minute).Format("2006-01-02T15:04:05.000Z")+" accepted desk']", "show", id)
	refused("yet to come", "resolve", "--by", "anna", "--at", "2126-01-01", id)
	refused("before the mention", "resolve", "--by", "anna", "--at", "2006-01-01", id)
	must("sent\n", "needs-details", "--by", "anna", "--wait=false", "--note", "which number?", id)
	refused("do not show 1 statuses yet", "reopen", "--by", "anna", "--timeout", "1ns", id)

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	e := l.Engine(t, ctx, false)
	var group errgroup.Group
	group.Go(func() error { return e.Run(ctx) })
	must("resolved of 1 claims: sent, and the tables show it", "resolve", "--by", "boris", "--note", "paid back", id)
	cancel()
	if err := group.Wait(); err != nil {
		t.Error(err)
	}
	var listed struct {
		ID, State, Note string
		Statuses        []string
		Priority        float64
		Resolved        int `json:"resolved_cycles"`
	}
	if err := json.Unmarshal([]byte(must(id, "list", "--state", "resolved", "--brand", "mts", "--platform", "generic", "--format", "json")), &listed); err != nil {
		t.Fatal(err)
	}
	if listed.ID != id || listed.State != "resolved" || listed.Note != "paid back" || len(listed.Statuses) != 4 || listed.Priority < 4 || listed.Resolved != 1 {
		t.Errorf("listed %+v", listed)
	}
	must("no claims", "list", "--bloggers")
	report, err := l.ClickHouse.Verify(t.Context())
	if err != nil || !report.OK || report.Claims != 1 {
		t.Errorf("verify: %+v, %v", report, err)
	}
}
