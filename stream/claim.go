package stream

import (
	"fmt"
	"strings"
	"time"
)

// Factors are what the priority of a negative mention by a customer is made of. The zero value stands for a mention that has none.
type Factors struct {
	Audience float64 // of the band that the author's followers lie in
	Severity float64 // of what the text says, tempered by how certain it is that it is negative
	Product  float64 // weight of the heaviest product that is named
	// Threshold is the priority from which on the mention becomes a claim, as it was configured when the row was written; 0: never.
	Threshold float64
}

// Priority is the product of the three factors. The order of the multiplications is that of the view mentions, so that both give the
// same to the last bit.
func (f *Factors) Priority() float64 { return float64(f.Audience*f.Severity) * f.Product }

// Claims reports whether the mention is handed over to the care department.
func (f *Factors) Claims() bool { return f.Threshold > 0 && f.Priority() >= f.Threshold }

// ClaimState is where a claim stands.
type ClaimState int8

// The states of a claim. The numbers are those of the Enum8 column claims.state. A care department says Accepted to Reopened.
const (
	ClaimOpen         ClaimState = 0 // nobody has answered it yet
	ClaimAccepted     ClaimState = 1 // the department has received it
	ClaimNeedsDetails ClaimState = 2 // the customer has to say more
	ClaimResolved     ClaimState = 3
	ClaimRejected     ClaimState = 4
	ClaimReopened     ClaimState = 5
	ClaimWithdrawn    ClaimState = 6 // its mention has no priority any more: it was corrected or edited
)

// claimStates are the names of the states, by number.
var claimStates = [...]string{"open", "accepted", "needs_details", "resolved", "rejected", "reopened", "withdrawn"}

// String returns the name of the state, as claims.state holds it.
func (s ClaimState) String() string {
	if s < 0 || int(s) >= len(claimStates) {
		return fmt.Sprintf("claim_state(%d)", int8(s))
	}
	return claimStates[s]
}

// ParseClaimState reads what String writes.
func ParseClaimState(name string) (ClaimState, bool) {
	for i, n := range claimStates {
		if n == name {
			return ClaimState(i), true
		}
	}
	return 0, false
}

// ClaimAnswers are the states that a care department gives, in their order.
var ClaimAnswers = []ClaimState{ClaimAccepted, ClaimNeedsDetails, ClaimResolved, ClaimRejected, ClaimReopened}

// ClaimStatus is what a care department says about a claim.
type ClaimStatus struct {
	State ClaimState // one of ClaimAnswers
	By    string     // who
	At    Time       // when; the newest counts
	Note  string     // for people; may be empty
}

// Same reports whether o is the same status, delivered again.
func (s *ClaimStatus) Same(o *ClaimStatus) bool {
	return s.At == o.At && s.State == o.State && s.By == o.By
}

// String returns the status without its note as the column claims.statuses holds it: "2026-03-02T15:04:05.000Z accepted anna".
func (s *ClaimStatus) String() string { return s.At.String() + " " + s.State.String() + " " + s.By }

// ParseClaimStatus reads what String writes.
func ParseClaimStatus(text string) (ClaimStatus, error) {
	at, rest, _ := strings.Cut(text, " ")
	state, by, ok := strings.Cut(rest, " ")
	moment, err := time.Parse(timeLayout, at)
	s, known := ParseClaimState(state)
	if err != nil || !ok || !known {
		return ClaimStatus{}, fmt.Errorf("%q is not a time, a state and a name", text)
	}
	return ClaimStatus{At: TimeOf(moment), State: s, By: by}, nil
}

// ClaimPlace is where a claim is: the mention that it is about.
type ClaimPlace struct {
	ID string
	MentionPlace
}
