package kafka

import (
	"fmt"
	"io"
	"testing"
	"time"

	kafkago "github.com/segmentio/kafka-go"
)

// TestRefused: exchanges that one broker has broken off are held against the login only by errors that may come from a login.
func TestRefused(t *testing.T) {
	broken := &logins{failed: loginAttempts, since: time.Now().Add(-2 * loginPatienceLater), before: true}
	for err, want := range map[error]bool{
		kafkago.SASLAuthenticationFailed:                             true,
		io.ErrUnexpectedEOF:                                          true,
		kafkago.NotLeaderForPartition:                                false,
		fmt.Errorf("read t/1: %w", kafkago.UnknownTopicOrPartition):  false,
		fmt.Errorf("join: %w", kafkago.GroupCoordinatorNotAvailable): false,
		fmt.Errorf("produce to t/1: %w", kafkago.RequestTimedOut):    false,
	} {
		if got := broken.refused(err, loginAttempts, loginPatience); got != want {
			t.Errorf("%v: %t, want %t", err, got, want)
		}
	}
}
