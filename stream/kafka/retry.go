package kafka

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"
	kafkago "github.com/segmentio/kafka-go"
)

// permanent lists the broker's answers that no waiting will change: they stop the task loudly (promise 6).
var permanent = []error{
	kafkago.TopicAuthorizationFailed, kafkago.GroupAuthorizationFailed, kafkago.ClusterAuthorizationFailed,
	kafkago.SASLAuthenticationFailed, kafkago.UnsupportedSASLMechanism, kafkago.UnsupportedVersion, kafkago.InvalidTopic,
	kafkago.MessageSizeTooLarge, kafkago.RecordListTooLarge, kafkago.InvalidRequiredAcks, kafkago.PolicyViolation,
	kafkago.UnsupportedForMessageFormat, kafkago.InvalidReplicationFactor, kafkago.InvalidPartitionNumber,
}

// retry calls f until it succeeds, ctx ends, or the error is permanent. Everything else is transient: a broker that is
// away, a leader that moves, a connection that breaks.
func retry(ctx context.Context, what string, onRetry func(string, error), f func(context.Context) error) error {
	policy := backoff.NewExponentialBackOff()
	policy.InitialInterval = 50 * time.Millisecond
	policy.MaxInterval = 2 * time.Second
	for {
		err := f(ctx)
		if err == nil {
			return nil
		}
		for _, p := range permanent {
			if errors.Is(err, p) {
				return fmt.Errorf("%s: %w", what, err)
			}
		}
		if ctx.Err() != nil {
			return fmt.Errorf("%s: %w (last error: %w)", what, context.Cause(ctx), err)
		}
		onRetry(what, err)
		timer := time.NewTimer(policy.NextBackOff())
		select {
		case <-ctx.Done():
			timer.Stop()
			return fmt.Errorf("%s: %w (last error: %w)", what, context.Cause(ctx), err)
		case <-timer.C:
		}
	}
}
