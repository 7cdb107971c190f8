// Package care follows conversations between customers and brands: which customer message waits for an answer, which
// answer ended the wait, on the calendar clock and on the desk's business clock, and the cases that they make up.
// It is pure: no I/O, no clock; the result depends on the set of turns alone, not on the order of their arrival.
package care

import "otklik/stream"

// Key names a conversation thread about one brand.
type Key struct {
	Platform stream.Platform
	Brand    string
	Thread   string
}

// Turn is one message of a thread: a row of the table turns. A turn never changes once written (an edit does not move it).
type Turn struct {
	ItemID   string // identity of the item
	At       stream.Time
	Author   string // author id
	Customer string // whose conversation: the author of a customer's turn; of an own turn the one addressed, "" if unknown
	ParentID string
	ParentAt stream.Time     // where the parent's id carries its time; 0 unknown
	Own      bool            // by an official account of the brand
	Flags    stream.Flags    // NeedsAnswer, Approved, Automatic
	Position stream.Position // of the record that brought it first
}

// Response is a row of the table responses: one customer turn that needed an answer with the brand's answer to it (if any
// yet), or a further answer of the brand with the request that the platform says it answers. Spans are in milliseconds;
// a Count that is not known is "empty".
type Response struct {
	Key
	ID       string // key of the row in its thread: WaitingID if there is one, else ResponseID
	Customer string

	// The direct pair: the message that the platform says was answered.
	RequestID string
	RequestAt stream.Time
	Direct    stream.Count // ResponseAt − RequestAt

	// The waiting pair: the earliest customer message that was unanswered.
	WaitingID    string
	WaitingSince stream.Time
	Waiting      stream.Count // ResponseAt − WaitingSince, calendar clock
	Business     stream.Count // the same on the desk's clock

	ResponseID string // "" while unanswered
	ResponseAt stream.Time
	Responder  string // author id of the answer
	Approved   bool
	Automatic  bool // an automatic reply: it never ends a wait
	First      bool // the waiting pair opens a case cycle: its time is a first response time

	Position stream.Position // highest position of the turns it was computed from
	Deleted  bool            // the row is withdrawn: a late turn changed the pairing
}

// Case is a row of the table cases: one cycle of messages about one customer's problem with one brand.
type Case struct {
	Key
	ID       string // item id of the opening message: the key of the row in its thread
	Customer string
	Cycle    uint32 // 1 for the customer's first case in the thread, 2 after a quiet gap, …

	OpenedAt        stream.Time
	FirstResponseAt stream.Time  // 0 until answered
	FirstResponse   stream.Count // calendar milliseconds
	FirstBusiness   stream.Count // business milliseconds
	LastCustomerAt  stream.Time
	LastAnswerAt    stream.Time
	UnansweredSince stream.Time // earliest unanswered customer message; 0 when nothing waits
	QuietAt         stream.Time // last activity + quiet gap: the case is closed when the watermark passes it
	Messages        uint32      // customer messages
	Answers         uint32      // answers that end a wait
	Responder       string      // author id of the first answer

	Position stream.Position
	Deleted  bool
}
