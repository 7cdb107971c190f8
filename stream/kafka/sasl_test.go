package kafka_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
	"golang.org/x/sync/errgroup"

	"otklik/stream/kafka"
)

// TestWrongPassword: a broker that refuses the login ends every call soon, also one that says nothing and hangs up.
func TestWrongPassword(t *testing.T) {
	t.Parallel()
	for _, mechanism := range []string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"} {
		t.Run(mechanism, func(t *testing.T) {
			t.Parallel()
			broker, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.Ports(0), kfake.EnableSASL(), kfake.Superuser(mechanism, "otklik", "right"))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(broker.Close)
			login := func(password string) (*kafka.Client, error) {
				c, err := kafka.Open(kafka.Config{
					Brokers: broker.ListenAddrs(), SASL: &kafka.SASL{Mechanism: mechanism, User: "otklik", Password: password},
				})
				if err != nil {
					return nil, err
				}
				t.Cleanup(c.Close)
				_, err = c.Partitions(t.Context())
				return c, err
			}
			if _, err := login("right"); err != nil {
				t.Fatalf("the right password: %v", err)
			}
			c, err := login("wrong")
			expectRefused(t, "metadata", err)
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			expectRefused(t, "group", c.RunGroup(ctx, kafka.GroupConfig{ID: "g", Topics: []string{"t"}},
				func(context.Context, kafka.Assignment) error { return nil }))
		})
	}
}

// TestRefusedLogin: Apache Kafka answers instead of hanging up, and may do so for a moment when it has just started.
func TestRefusedLogin(t *testing.T) {
	t.Parallel()
	broker, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.Ports(0), kfake.EnableSASL(), kfake.Superuser("PLAIN", "otklik", "right"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(broker.Close)
	var refusals atomic.Int32
	refuse := func(times int32) {
		refusals.Store(times)
		broker.ControlKey(int16(kmsg.SASLAuthenticate), func(request kmsg.Request) (kmsg.Response, error, bool) {
			if refusals.Add(-1) < 0 {
				return nil, nil, false //nolint:nilnil // not handled here
			}
			broker.KeepControl()
			response := request.ResponseKind().(*kmsg.SASLAuthenticateResponse)
			response.ErrorCode, response.ErrorMessage = kerr.SaslAuthenticationFailed.Code, new("Authentication failed: Invalid username or password")
			return response, nil, true
		})
	}
	login := func() error {
		c, err := kafka.Open(kafka.Config{Brokers: broker.ListenAddrs(), SASL: &kafka.SASL{Mechanism: "PLAIN", User: "otklik", Password: "right"}})
		if err != nil {
			return err
		}
		defer c.Close()
		_, err = c.Partitions(t.Context())
		return err
	}
	refuse(1)
	if err := login(); err != nil {
		t.Errorf("refused once: %v", err)
	}
	refuse(1000)
	expectRefused(t, "login", login())
}

func expectRefused(t *testing.T, what string, err error) {
	t.Helper()
	if !errors.Is(err, kafka.ErrLogin) || !strings.Contains(err.Error(), "kafka.sasl") {
		t.Errorf("%s with the wrong password: %v, want ErrLogin", what, err)
	}
}

// TestLoginWaitsForABroker: a broker that is away when the client begins is waited for, and so is one that hangs up before anybody
// could log in.
func TestLoginWaitsForABroker(t *testing.T) {
	t.Parallel()
	var lc net.ListenConfig
	starting, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	retried := make(chan struct{}, 1000)
	c, err := kafka.Open(kafka.Config{
		Brokers: []string{starting.Addr().String()}, SASL: &kafka.SASL{Mechanism: "PLAIN", User: "otklik", Password: "right"},
		OnRetry: func(string, error) { retried <- struct{}{} },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var group, away errgroup.Group
	group.Go(func() error { _, err := c.Partitions(ctx); return err })
	away.Go(func() error {
		for range 3 {
			conn, err := starting.Accept()
			if err != nil {
				return err
			}
			if err := conn.Close(); err != nil {
				return err
			}
		}
		return starting.Close()
	})
	if err := away.Wait(); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		<-retried
	}
	port := starting.Addr().(*net.TCPAddr).Port
	broker, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.Ports(port), kfake.EnableSASL(), kfake.Superuser("PLAIN", "otklik", "right"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(broker.Close)
	if err := group.Wait(); err != nil {
		t.Fatalf("the broker came late: %v", err)
	}
}
