package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ClickHouse/ch-go"
	"github.com/ClickHouse/ch-go/proto"
	driver "github.com/ClickHouse/clickhouse-go/v2"
)

// link is a connection for inserts, one after the other. It is one of ch-go, the lower half of clickhouse-go: that one sends whatever
// writes itself into its buffer, where the upper half would have every value copied into a column first, which costs five times as
// much as everything else about an insert on our side.
type link struct {
	conn         *ch.Client
	buffer       *proto.Buffer
	opened, used time.Time
}

// links keeps the connections for inserts that are not in use. There are never more in use than tables are inserted into at once.
type links struct {
	mu     sync.Mutex
	idle   []*link
	closed bool
}

const (
	// linkAge is how long a connection is used, so that servers behind a load balancer share the work again after one was away.
	linkAge = time.Hour
	// linkIdle is how long a connection may have been silent: what lies between may have forgotten it.
	linkIdle = 5 * time.Minute
	// keptBuffers bounds the buffers that all connections together keep between two inserts.
	keptBuffers = 64 * sendBuffer
	// keptCells bounds what an inserter keeps between two inserts.
	keptCells = 32 * sendBuffer
	// blockRows are how many rows make one block: it lies in memory whole until it is sent. The server puts the blocks of an insert together
	// again.
	blockRows = 32_768
	// compressedRows is blockRows where the block is compressed: it lies in memory three times then.
	compressedRows = 16_384
	// portionRows are how many rows are encoded column by column before the next ones are: few enough to stay in the cache of the processor
	// meanwhile, so that it fetches each row once and not once for every column.
	portionRows = 64
)

// takeLink returns an idle connection, or a new one to the first address that answers.
func (c *Client) takeLink(ctx context.Context) (*link, error) {
	for {
		c.links.mu.Lock()
		n := len(c.links.idle)
		if n == 0 {
			c.links.mu.Unlock()
			return c.dialLink(ctx)
		}
		l := c.links.idle[n-1]
		c.links.idle = c.links.idle[:n-1]
		c.links.mu.Unlock()
		if time.Since(l.used) <= linkIdle && time.Since(l.opened) <= linkAge {
			return l, nil
		}
		l.close()
	}
}

// giveLink takes back a connection whose insert has succeeded.
func (c *Client) giveLink(l *link) {
	l.used = time.Now()
	c.links.mu.Lock()
	defer c.links.mu.Unlock()
	kept := cap(l.buffer.Buf)
	for _, other := range c.links.idle {
		kept += cap(other.buffer.Buf)
	}
	if kept > keptBuffers {
		l.buffer.Buf = nil
	}
	if c.links.closed || l.conn.IsClosed() || len(c.links.idle) >= c.cfg.MaxConns {
		l.close()
		return
	}
	c.links.idle = append(c.links.idle, l)
}

// dropLinks closes the idle connections.
func (c *Client) dropLinks() {
	c.links.mu.Lock()
	defer c.links.mu.Unlock()
	for _, l := range c.links.idle {
		l.close()
	}
	c.links.idle = nil
}

// closeLinks closes the idle connections, and each of the others when its insert ends.
func (c *Client) closeLinks() {
	c.links.mu.Lock()
	c.links.closed = true
	c.links.mu.Unlock()
	c.dropLinks()
}

// compressed reports whether the blocks of inserts are.
func (c *Client) compressed() bool { return compression(c.cfg.Addrs) != driver.CompressionNone }

func (c *Client) dialLink(ctx context.Context) (*link, error) {
	cfg := &c.cfg
	compress := ch.CompressionDisabled
	if c.compressed() {
		compress = ch.CompressionLZ4
	}
	database := cfg.DefaultDatabase
	if database == "" {
		database = "system" // the one that is always there: inserts name their tables in full
	}
	var errs []error
	for _, addr := range cfg.Addrs {
		buffer := new(proto.Buffer)
		conn, err := ch.DialWithBuffer(ctx, ch.Options{
			Address: addr, Database: database, User: cfg.User, Password: cfg.Password, TLS: cfg.TLS, Compression: compress,
			DialTimeout: cfg.DialTimeout, HandshakeTimeout: cfg.DialTimeout, ReadTimeout: cfg.DialTimeout, ClientName: "otklik",
		}, buffer)
		if err == nil {
			return &link{conn: conn, buffer: buffer, opened: time.Now()}, nil
		}
		errs = append(errs, fmt.Errorf("connect to clickhouse %s: %w", addr, err))
	}
	return nil, errors.Join(errs...)
}

// close gives the connection up: no answer to what was on its way over it is awaited any more.
func (l *link) close() {
	_ = l.conn.Close() // it may be closed already
}

// insert sends one query with its blocks and returns when the server has stored them. Cut prepares the next block in the input and
// returns io.EOF when there is none. After an error nothing is known of the rows.
func (l *link) insert(ctx context.Context, query string, settings []ch.Setting, input proto.Input, cut func(context.Context) error) error {
	stop := context.AfterFunc(ctx, l.close) // a server that hangs would be waited for
	err := l.conn.Do(ctx, ch.Query{Body: query, Settings: settings, Input: input, OnInput: cut})
	if !stop() || err != nil {
		l.close()
	}
	return serverError(err)
}

// linkSettings returns settings as ch-go takes them. A server that does not know one refuses the query, as with clickhouse-go.
func linkSettings(settings driver.Settings) []ch.Setting {
	out := make([]ch.Setting, 0, len(settings))
	for name, value := range settings {
		out = append(out, ch.Setting{Key: name, Value: fmt.Sprint(value), Important: true})
	}
	return out
}

// serverError makes an exception of the server one of clickhouse-go, so that it is classified like those of queries.
func serverError(err error) error {
	e, ok := ch.AsException(err)
	if !ok {
		return err
	}
	message := strings.TrimSpace(strings.TrimPrefix(e.Message, e.Name+":"))
	return &driver.Exception{Code: int32(e.Code), Name: e.Name, Message: message, StackTrace: e.Stack}
}

// errColumnType says that the table has another type than what is written into it.
var errColumnType = errors.New("the column of the table has another type than this version writes")

// block is one column of the rows under way, as ch-go sends it.
type block[T any] struct {
	column *column[T]
	rows   *int // of the block
	cells  *cells
	typ    proto.ColumnType // that the server has told
	low    bool
}

// Type implements proto.ColInput.
func (b *block[T]) Type() proto.ColumnType { return b.typ }

// Rows implements proto.ColInput.
func (b *block[T]) Rows() int { return *b.rows }

// Infer implements proto.Inferable: the server has told the type of the column.
func (b *block[T]) Infer(typ proto.ColumnType) error {
	if !b.column.fits(string(typ)) {
		return fmt.Errorf("column %s: %w: %s", b.column.name, errColumnType, typ)
	}
	b.typ, b.low = typ, strings.Contains(string(typ), inDictionary)
	return nil
}

// EncodeState implements proto.StateEncoder.
func (b *block[T]) EncodeState(to *proto.Buffer) {
	if b.low {
		to.PutUInt64(dictionaryState)
	}
}

// EncodeColumn implements proto.ColInput.
func (b *block[T]) EncodeColumn(to *proto.Buffer) {
	to.PutRaw(b.cells.head)
	if b.cells.words != nil {
		b.cells.words.put(to)
	}
	to.PutRaw(b.cells.values)
}

// WriteColumn implements proto.ColInput: the bytes are sent from where they are, which is before the next block is encoded.
func (b *block[T]) WriteColumn(to *proto.Writer) {
	if len(b.cells.head) > 0 {
		to.ChainWrite(b.cells.head)
	}
	if b.cells.words != nil {
		to.ChainBuffer(b.cells.words.put)
	}
	if len(b.cells.values) > 0 {
		to.ChainWrite(b.cells.values)
	}
}

// keep empties cells after an insert, so that nothing refers to its rows, and returns those to begin the next one with: none where they
// have become large.
func keep(all []cells) []cells {
	size := 0
	for i := range all {
		all[i].reset()
		size += cap(all[i].head) + cap(all[i].values)
	}
	if size > keptCells {
		return nil
	}
	return all
}

// encode puts rows into the cells of all columns.
func encode[T any](blocks []block[T], rows []*T) {
	for i := range blocks {
		blocks[i].cells.reset()
	}
	for portion := range slices.Chunk(rows, portionRows) {
		for i := range blocks {
			b := &blocks[i]
			b.column.put(b.cells, portion, b.low)
		}
	}
}
