package ingest_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"otklik/stream"
	"otklik/stream/ingest"
	"otklik/stream/kafka"
	"otklik/stream/task"
	"otklik/stream/wire"
)

// claimsFrom is a store in which a claim can be found from a moment on.
type claimsFrom struct {
	id    string
	since time.Time
}

func (c claimsFrom) ClaimPlaces(_ context.Context, ids []string) ([]stream.ClaimPlace, error) {
	for _, id := range ids {
		if id == c.id && !time.Now().Before(c.since) {
			return []stream.ClaimPlace{{ID: id, MentionPlace: stream.MentionPlace{
				MentionName: stream.MentionName{Platform: stream.VK, ItemID: "7", Brand: "mts"}, Thread: "vk:1_2", PublishedAt: stream.TimeOf(time.Now()),
			}}}, nil
		}
	}
	return nil, nil
}

func (claimsFrom) Refused(context.Context, stream.Source, stream.Source, []string) (map[int64]bool, error) {
	return map[int64]bool{}, nil
}

// refusals keeps the dead letters that were made durable at once.
type refusals struct{ letters []stream.DeadLetter }

func (r *refusals) Send(_ context.Context, letters []stream.DeadLetter) error {
	r.letters = append(r.letters, letters...)
	return nil
}

func (r *refusals) Flush(context.Context, *task.Rows) error { return nil }

// TestStatusWaitsForItsClaim: a status that is faster than the row of its claim finds it; one without a claim is a dead letter after ten
// seconds at most, whatever time its producer wrote into the record.
func TestStatusWaitsForItsClaim(t *testing.T) {
	const id = "00000000000000ab"
	for _, c := range []struct {
		name     string
		recorded time.Duration // time of the record, from now
		appears  time.Duration // of the claim, from now
		least    time.Duration // how long Process may take
		most     time.Duration
		found    bool
	}{
		{"the claim is there", 0, 0, 0, 0, true},
		{"the claim comes later", 0, 3 * time.Second, 3 * time.Second, 4 * time.Second, true},
		{"no claim", 0, time.Hour, 10 * time.Second, 11 * time.Second, false},
		{"no claim, read late", -4 * time.Minute, time.Hour, 0, 0, false},
		{"no claim, a clock that is ahead", 5 * time.Hour, time.Hour, 10 * time.Second, 11 * time.Second, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				out, seen, refused := &outbox{}, &observer{}, &refusals{}
				cfg := ingest.Config{Sink: refused, Dead: refused}
				proc := ingest.NewStatuses(cfg, stream.Partition{Topic: "otklik.claim_status"}, claimsFrom{id, began.Add(c.appears)}, out, seen)
				at := began.Add(c.recorded)
				value := fmt.Appendf(nil, `{"claim_id":%q,"status":"accepted","at":%q,"by":"care"}`, id, began.UTC().Format(time.RFC3339))
				records := []stream.Record{{Partition: stream.Partition{Topic: "otklik.claim_status"}, Offset: 4, Timestamp: stream.TimeOf(at), Value: value}}
				if err := proc.Process(t.Context(), kafka.Batch{Records: records, Next: 5}); err != nil {
					t.Fatal(err)
				}
				if took := time.Since(began); took < c.least || took > c.most {
					t.Errorf("took %s, want %s to %s", took, c.least, c.most)
				}
				if c.found {
					var m stream.Mention
					if len(out.sent) != 1 || len(refused.letters) != 0 || seen.books.Mentions != 1 {
						t.Fatalf("%d messages, %d dead letters, books %+v", len(out.sent), len(refused.letters), seen.books)
					}
					if err := wire.ParseMention(out.sent[0].value, &m); err != nil || m.Claim == nil || m.Item.Thread != "vk:1_2" || m.Claim.State != stream.ClaimAccepted {
						t.Errorf("message %+v, %v", m, err)
					}
					return
				}
				if len(out.sent) != 0 || len(refused.letters) != 1 || refused.letters[0].Reason != "unknown_claim" || seen.books.DeadLetters != 1 {
					t.Errorf("%d messages, dead letters %+v, books %+v", len(out.sent), refused.letters, seen.books)
				}
			})
		})
	}
}
