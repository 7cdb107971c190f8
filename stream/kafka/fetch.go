package kafka

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"time"

	kafkago "github.com/segmentio/kafka-go"

	"otklik/stream"
)

// fetcher fetches from the leader of one partition. kafka-go finds the leader, connects and logs in; the fetches are ours, because a
// library that reads one record after the other spends more on it than the rest of a fetch costs. See
// https://kafka.apache.org/protocol#The_Messages_Fetch for what goes over the wire.
type fetcher struct {
	conn      net.Conn // what kafka-go made its connection of; kafka-go is not asked again
	login     *kafkago.Conn
	partition stream.Partition
	clientID  string
	version   int16 // of the requests
	sent      int32 // correlation id of the last request
	request   []byte
}

const (
	fetchKey = 1
	// The versions of fetch requests: since Kafka 0.11, and the first one in which brokers send everything that they may hold.
	minFetchVersion, maxFetchVersion = 4, 10
)

// fetched is the answer to a fetch.
type fetched struct {
	end     int64  // of the partition
	records []byte // record batches, of which the last one may be cut off
}

// dialFetcher connects to the leader of the partition through whichever broker answers first.
func (c *Client) dialFetcher(ctx context.Context, p stream.Partition) (*fetcher, error) {
	f := &fetcher{partition: p, clientID: c.cfg.ClientID}
	dialer := *c.dialer
	dialer.TLS = nil // dial sees to it
	dialer.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := c.dial(ctx, network, address)
		f.conn = conn // the last one is that to the leader
		return conn, err
	}
	var errs []error
	for _, broker := range c.cfg.Brokers {
		var err error
		if f.login, err = dialer.DialLeader(ctx, "tcp", broker, p.Topic, int(p.Number)); err == nil {
			if err = f.negotiate(ctx); err == nil {
				return f, nil
			}
			err = errors.Join(err, f.login.Close())
		}
		errs = append(errs, err)
		if ctx.Err() != nil {
			break
		}
	}
	return nil, errors.Join(errs...)
}

// negotiate chooses the version of the requests.
func (f *fetcher) negotiate(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { _ = f.close() })
	defer stop()
	if err := f.login.SetDeadline(time.Now().Add(dialTimeout)); err != nil {
		return err
	}
	versions, err := f.login.ApiVersions()
	if err != nil {
		return err
	}
	for _, v := range versions {
		if v.ApiKey == fetchKey {
			f.version = min(v.MaxVersion, maxFetchVersion)
			if f.version >= max(v.MinVersion, minFetchVersion) {
				return nil
			}
			return fmt.Errorf("the broker takes fetch requests of version %d to %d, we send %d to %d; use Kafka 0.11 or newer: %w",
				v.MinVersion, v.MaxVersion, minFetchVersion, maxFetchVersion, kafkago.UnsupportedVersion)
		}
	}
	return fmt.Errorf("the broker takes no fetch requests: %w", kafkago.UnsupportedVersion)
}

// fetch asks for what follows the offset, and waits for it no longer than cfg.MaxWait at the broker. What it returns is a part of memory. An
// error code of the broker is a kafkago.Error.
func (f *fetcher) fetch(offset int64, cfg *ReaderConfig, memory *frame) (fetched, error) {
	if err := f.conn.SetDeadline(time.Now().Add(cfg.MaxWait + 10*time.Second)); err != nil {
		return fetched{}, err
	}
	f.sent++
	f.request = f.appendRequest(f.request[:0], offset, cfg)
	if _, err := f.conn.Write(f.request); err != nil {
		return fetched{}, err
	}
	var err error
	if memory.body, err = readFrame(f.conn, max(cfg.MaxBytes, usualBatch), memory.body); err != nil {
		return fetched{}, err
	}
	return f.parse(memory.body)
}

// usualBatch is what a batch has at most unless brokers are configured otherwise. They send at least one, whatever the bound of a fetch is.
const usualBatch = 1 << 20

// appendRequest appends a fetch request with its length before it.
func (f *fetcher) appendRequest(b []byte, offset int64, cfg *ReaderConfig) []byte {
	order := binary.BigEndian
	text := func(s string) {
		b = order.AppendUint16(b, uint16(len(s)))
		b = append(b, s...)
	}
	number := func(v int32) { b = order.AppendUint32(b, uint32(v)) }
	b = append(b, 0, 0, 0, 0)
	b = order.AppendUint16(b, fetchKey)
	b = order.AppendUint16(b, uint16(f.version))
	number(f.sent)
	text(f.clientID)
	number(-1) // replica: a consumer
	number(int32(cfg.MaxWait.Milliseconds()))
	number(1) // least bytes
	number(int32(cfg.MaxBytes))
	b = append(b, 0) // isolation: all records
	if f.version >= 7 {
		number(0)  // session: none
		number(-1) // its epoch
	}
	number(1) // topics
	text(f.partition.Topic)
	number(1) // partitions
	number(f.partition.Number)
	if f.version >= 9 {
		number(-1) // epoch of the leader: any
	}
	b = order.AppendUint64(b, uint64(offset))
	if f.version >= 5 {
		b = order.AppendUint64(b, 0) // where the log starts: asked of followers
	}
	number(int32(cfg.MaxBytes))
	if f.version >= 7 {
		number(0) // topics to forget
	}
	order.PutUint32(b, uint32(len(b)-4))
	return b
}

// readFrame reads the bytes that stand behind their length, into the memory of frame if it is large enough. More than expected are not made
// room for before they are there.
func readFrame(r io.Reader, expected int, frame []byte) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	size := int(int32(binary.BigEndian.Uint32(head[:])))
	if size < 0 {
		return nil, fmt.Errorf("%w: a length of %d", errBadAnswer, size)
	}
	const around = 4 << 10 // of an answer beside its records
	if want := min(size, expected+around); cap(frame) < want {
		frame = make([]byte, 0, want)
	}
	frame = frame[:0]
	for {
		n, err := io.ReadFull(r, frame[len(frame):min(cap(frame), size)])
		frame = frame[:len(frame)+n]
		if err != nil {
			return nil, err
		}
		if len(frame) == size {
			return frame, nil
		}
		frame = slices.Grow(frame, min(size-len(frame), 2*len(frame)))
	}
}

// errBadAnswer says that a broker does not answer as Kafka does.
var errBadAnswer = errors.New("the answer cannot be read")

// parse reads the answer to the last request.
func (f *fetcher) parse(body []byte) (fetched, error) {
	in := answer{b: body}
	if id := in.int32(); id != f.sent {
		return fetched{}, fmt.Errorf("%w: it is to request %d instead of %d", errBadAnswer, id, f.sent)
	}
	in.int32() // how long the broker held us back
	if f.version >= 7 {
		if code := in.int16(); code != 0 {
			return fetched{}, kafkago.Error(code)
		}
		in.int32() // session
	}
	if n := in.int32(); n != 1 {
		return fetched{}, fmt.Errorf("%w: it holds %d topics instead of one", errBadAnswer, n)
	}
	in.skip(int(in.int16())) // its name
	if n := in.int32(); n != 1 {
		return fetched{}, fmt.Errorf("%w: it holds %d partitions instead of one", errBadAnswer, n)
	}
	number, code, end := in.int32(), in.int16(), in.int64()
	in.skip(8) // last stable offset
	if f.version >= 5 {
		in.skip(8) // start of the log
	}
	if aborted := in.int32(); aborted > 0 {
		in.skip(16 * int(aborted))
	}
	records := in.next(max(int(in.int32()), 0))
	switch {
	case code != 0:
		return fetched{}, kafkago.Error(code)
	case in.short:
		return fetched{}, fmt.Errorf("%w: it ends too early", errBadAnswer)
	case number != f.partition.Number:
		return fetched{}, fmt.Errorf("%w: it is of partition %d instead of %d", errBadAnswer, number, f.partition.Number)
	}
	return fetched{end: end, records: records}, nil
}

// close ends the connection.
func (f *fetcher) close() error { return f.login.Close() }

// answer is what is left to read of an answer; behind its end there are zeros.
type answer struct {
	b     []byte
	short bool // it ended too early
}

func (a *answer) next(n int) []byte {
	if n < 0 || n > len(a.b) {
		a.b, a.short = nil, true
		return nil
	}
	taken := a.b[:n:n]
	a.b = a.b[n:]
	return taken
}

func (a *answer) skip(n int) { a.next(n) }

func (a *answer) int16() int16 {
	if b := a.next(2); b != nil {
		return int16(binary.BigEndian.Uint16(b))
	}
	return 0
}

func (a *answer) int32() int32 {
	if b := a.next(4); b != nil {
		return int32(binary.BigEndian.Uint32(b))
	}
	return 0
}

func (a *answer) int64() int64 {
	if b := a.next(8); b != nil {
		return int64(binary.BigEndian.Uint64(b))
	}
	return 0
}
