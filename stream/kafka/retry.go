package kafka

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"
	kafkago "github.com/segmentio/kafka-go"
)

// permanent lists the broker's answers that no waiting will change: they stop the task loudly (promise 6). A refused login is not
// among them, because a library that is hung up on in the exchange reports that, too: see logins.
var permanent = []error{
	kafkago.TopicAuthorizationFailed, kafkago.GroupAuthorizationFailed, kafkago.ClusterAuthorizationFailed,
	kafkago.UnsupportedSASLMechanism, kafkago.UnsupportedVersion, kafkago.InvalidTopic,
	kafkago.MessageSizeTooLarge, kafkago.RecordListTooLarge, kafkago.InvalidRequiredAcks, kafkago.PolicyViolation,
	kafkago.UnsupportedForMessageFormat, kafkago.InvalidReplicationFactor, kafkago.InvalidPartitionNumber,
}

// final returns the error to give up with if no waiting will change it, and nil if it is transient.
func (c *Client) final(err error) error {
	for _, p := range permanent {
		if errors.Is(err, p) {
			return err
		}
	}
	if errors.Is(err, ErrLogin) {
		return err
	}
	if c.logins.refused(err, loginAttempts, loginPatience) {
		return fmt.Errorf("%w: %w", ErrLogin, err)
	}
	return nil
}

// retry calls f until it succeeds, ctx ends, or the error is permanent. Everything else is transient: a broker that is
// away, a leader that moves, a connection that breaks.
func (c *Client) retry(ctx context.Context, what string, f func(context.Context) error) error {
	policy := backoff.NewExponentialBackOff()
	policy.InitialInterval = 50 * time.Millisecond
	policy.MaxInterval = 2 * time.Second
	for {
		err := f(ctx)
		if err == nil {
			return nil
		}
		if final := c.final(err); final != nil {
			return fmt.Errorf("%s: %w", what, final)
		}
		if ctx.Err() != nil {
			return fmt.Errorf("%s: %w (last error: %w)", what, context.Cause(ctx), err)
		}
		c.cfg.OnRetry(what, err)
		timer := time.NewTimer(policy.NextBackOff())
		select {
		case <-ctx.Done():
			timer.Stop()
			return fmt.Errorf("%s: %w (last error: %w)", what, context.Cause(ctx), err)
		case <-timer.C:
		}
	}
}
