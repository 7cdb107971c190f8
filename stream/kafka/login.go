package kafka

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/sasl"
)

// ErrLogin says that the brokers do not let the configured user in.
var ErrLogin = errors.New("the brokers refuse the login: check kafka.sasl (mechanism, user and password)")

const (
	// loginAttempts is how many exchanges in a row must fail before the login counts as refused.
	loginAttempts = 3
	// loginPatience is how long they must have failed for. A broker that is being restarted may refuse users that it does not know
	// yet, or hang up in the middle of an exchange, so those who were let in before are more patient.
	loginPatience      = 3 * time.Second
	loginPatienceLater = time.Minute
)

// logins is a SASL mechanism that notes whether anybody is let in. Some brokers say that a password is wrong, others only hang up,
// which alone looks like a broker that goes away: only a row of exchanges that were begun and never completed tells them apart.
type logins struct {
	sasl.Mechanism

	mu     sync.Mutex
	failed int       // exchanges begun since one was completed
	since  time.Time // the first of them
	before bool      // one was completed
}

// Start implements sasl.Mechanism.
func (l *logins) Start(ctx context.Context) (sasl.StateMachine, []byte, error) {
	l.mu.Lock()
	if l.failed == 0 {
		l.since = time.Now()
	}
	l.failed++
	l.mu.Unlock()
	machine, first, err := l.Mechanism.Start(ctx)
	if err != nil {
		return nil, nil, err
	}
	return &exchange{StateMachine: machine, logins: l}, first, nil
}

type exchange struct {
	sasl.StateMachine
	logins *logins
}

// Next implements sasl.StateMachine.
func (e *exchange) Next(ctx context.Context, challenge []byte) (bool, []byte, error) {
	done, response, err := e.StateMachine.Next(ctx, challenge)
	if done && err == nil {
		e.logins.mu.Lock()
		e.logins.failed, e.logins.before = 0, true
		e.logins.mu.Unlock()
	}
	return done, response, err
}

// refused reports whether the error means that the login is refused: so many exchanges have failed, for so long, that it does.
func (l *logins) refused(err error, attempts int, patience time.Duration) bool {
	if l == nil || unreachable(err) || letIn(err) {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.before {
		attempts, patience = loginAttempts, loginPatienceLater
	}
	return l.failed >= attempts && time.Since(l.since) >= patience
}

// unreachable reports whether the error is that of a broker that does not answer.
func unreachable(err error) bool {
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" {
		return true
	}
	if fault, ok := errors.AsType[net.Error](err); ok && fault.Timeout() {
		return true
	}
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, kafkago.RequestTimedOut)
}

// letIn reports whether the error is an answer that only those get who are logged in: while one broker is away in the middle of its
// exchanges, connections to the others go on, and what they report says nothing of the login.
func letIn(err error) bool {
	answer, ok := errors.AsType[kafkago.Error](err)
	return ok && answer != kafkago.SASLAuthenticationFailed && answer != kafkago.IllegalSASLState
}
