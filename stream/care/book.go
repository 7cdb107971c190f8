package care

import (
	"hash/maphash"
	"slices"
	"strings"

	"otklik/stream"
)

// Book holds the conversations of one partition in memory, and which of their rows have changed since the last flush.
// It is not safe for concurrent use.
//
// A thread at rest is a single string (see pack.go) that is laid open for each turn it gets; from roomy turns on it stays
// open. Whether a thread is in the book at all is the caller's concern: a turn applied to a thread that the book does
// not hold starts that thread, so a thread that may have earlier turns in the table has to be restored first.
type Book struct {
	evaluator *Evaluator

	threads map[uint64]*thread // by hash of the key, chained where hashes meet
	seed    maphash.Seed
	held    int

	scopes    []scope
	scopeIDs  map[scope]uint32
	lastScope uint32 // of the thread asked for last: there are few scopes, and the next thread is often of the same

	scratch  *graph // the thread laid open last, while at rest
	packer   packer
	unpacker unpacker
	change   Change

	// Since the last flush:
	dirty     []*thread
	turns     []TurnRow
	responses unflushed[Response]
	cases     unflushed[Case]
}

// roomy is the number of turns from which a thread stays open. It is below indexed, so scratch never has maps.
const roomy = 24

// thread is one conversation thread.
type thread struct {
	next     *thread // with the same hash
	packed   string  // the thread key, and the turns while at rest
	open     *graph  // nil while at rest
	last     stream.Time
	position stream.Position // highest of the turns
	scope    uint32
	// The rows not flushed yet that were written at rest: one plus the place of the last one in Book.responses and Book.cases, 0 without.
	// They are as few as the turns of a thread at rest.
	responses, cases int32
	dirty            bool // has turns or rows that were not flushed yet
}

// scope is what many threads have in common.
type scope struct {
	platform stream.Platform
	brand    string
}

// unflushed are the rows of one kind that wait for a flush, each once.
type unflushed[T any] struct {
	rows   []T
	older  []int32        // of each row the one before it of its thread, as thread.responses
	places map[rowKey]int // in rows, of threads that are open
	id     func(*T) string
}

type rowKey struct {
	thread *thread
	id     string
}

// put adds a row of the thread, or replaces the one with the same id. last is that of the thread for this kind of rows.
func (u *unflushed[T]) put(th *thread, last *int32, row *T) {
	id := u.id(row)
	for n := *last; n != 0; n = u.older[n-1] {
		if u.id(&u.rows[n-1]) == id {
			u.rows[n-1] = *row
			return
		}
	}
	place, older := len(u.rows), int32(0)
	if th.open == nil {
		older, *last = *last, int32(place+1)
	} else {
		k := rowKey{th, id}
		if i, ok := u.places[k]; ok {
			u.rows[i] = *row
			return
		}
		u.places[k] = place
	}
	u.rows, u.older = append(roomFor(u.rows), *row), append(u.older, older)
}

// take returns the rows and forgets them. Their memory is used again.
func (u *unflushed[T]) take() []T {
	rows := u.rows
	u.rows, u.older = u.rows[:0], u.older[:0]
	clear(u.places)
	return rows
}

// TurnRow is a row of the table turns.
type TurnRow struct {
	Key
	Turn
}

// Change is what one turn changed. Its slices are valid until the next call of Apply.
type Change struct {
	// Known says that the thread had a turn with this item id already; then nothing has changed.
	Known bool

	// Removed are the responses that no longer hold, as they were, and Added those that hold now: a response that has
	// changed stands in both. Counting −1 for each of Removed and +1 for each of Added keeps sums over responses exact. The
	// position of a removed one is that of its thread before the turn.
	Removed, Added []Response
}

// NewBook returns an empty book.
func NewBook(e *Evaluator) *Book {
	return &Book{
		evaluator: e,
		threads:   make(map[uint64]*thread),
		seed:      maphash.MakeSeed(),
		scopeIDs:  make(map[scope]uint32),
		scratch:   newGraph(e.quiet),
		responses: unflushed[Response]{places: make(map[rowKey]int), id: func(r *Response) string { return r.ID }},
		cases:     unflushed[Case]{places: make(map[rowKey]int), id: func(c *Case) string { return c.ID }},
	}
}

// Len returns the number of threads held.
func (b *Book) Len() int { return b.held }

// Has reports whether the book holds the thread.
func (b *Book) Has(key Key) bool {
	th, _ := b.find(key)
	return th != nil
}

// HasTurn reports whether the book holds the thread and the thread has a turn with the item id.
func (b *Book) HasTurn(key Key, itemID string) bool {
	th, _ := b.find(key)
	return th != nil && b.knows(th, itemID)
}

// Restore sets a thread to the turns that the table holds for it. Its rows count as flushed. A thread that the book holds
// is replaced; it should have nothing unflushed (its unflushed rows would still be flushed, as they were).
func (b *Book) Restore(key Key, turns []Turn) {
	th, at := b.find(key)
	if th == nil {
		th = b.start(key, at)
	}
	g := newGraph(b.evaluator.quiet)
	if len(turns) >= roomy {
		turns = slices.Clone(turns)
		for i := range turns {
			keep(g, &turns[i])
		}
	}
	th.position = b.evaluator.load(g, turns)
	th.last = 0
	for i := range g.nodes {
		th.last = max(th.last, g.nodes[i].at)
	}
	b.rest(th, key.Thread, g)
}

// Apply adds a turn to its thread, which is started if the book does not hold it. A turn whose item id the thread has
// already changes nothing.
func (b *Book) Apply(key Key, t Turn) Change {
	b.change.Known = false
	b.change.Removed, b.change.Added = b.change.Removed[:0], b.change.Added[:0]

	th, at := b.find(key)
	fresh := th == nil
	if fresh {
		th = b.start(key, at)
	}
	g := th.open
	switch {
	case fresh:
		g = b.scratch
		g.reset()
	case g == nil:
		g = b.scratch
		g.reset()
		b.unpacker.begin(th.packed)
		var earlier Turn
		for b.unpacker.turn(&earlier) {
			g.insert(&earlier)
		}
		g.finish()
	}
	if g.find(t.ItemID) != none {
		return Change{Known: true}
	}
	before := th.position
	th.position = max(th.position, t.Position)
	th.last = max(th.last, t.At)
	b.turns = append(roomFor(b.turns), TurnRow{Key: key, Turn: t})
	if len(g.nodes)+1 >= roomy {
		keep(g, &t)
	}
	g.insert(&t)
	g.finish()

	if !th.dirty {
		th.dirty = true
		b.dirty = append(b.dirty, th)
	}
	b.record(th, g, key, before)
	if th.open == nil {
		if len(g.nodes) == roomy {
			b.scratch = newGraph(b.evaluator.quiet)
		}
		b.rest(th, key.Thread, g)
	}
	return b.change
}

// keep makes the texts of a turn fit to be held for long: their own, not parts of a larger record, and where the graph
// has the same text already, that one.
func keep(g *graph, t *Turn) {
	held := func(s string) string {
		if n := len(g.nodes); n > 0 && g.nodes[n-1].author == s {
			return g.nodes[n-1].author
		}
		if i, ok := g.byName[s]; ok {
			return g.people[i].name
		}
		return strings.Clone(s)
	}
	t.ItemID = strings.Clone(t.ItemID)
	t.Author = held(t.Author)
	if t.Customer == t.Author {
		t.Customer = t.Author
	} else {
		t.Customer = held(t.Customer)
	}
	if p := g.find(t.ParentID); p != none {
		t.ParentID = g.nodes[p].id
	} else {
		t.ParentID = strings.Clone(t.ParentID)
	}
}

// record turns what finish found into the change and into rows to flush. Every row that was ever different since the
// last flush is written, even if it is back to what it was or had not existed then: a flush that was torn by a crash
// may have left any state in between in the tables.
func (b *Book) record(th *thread, g *graph, key Key, before stream.Position) {
	e := b.evaluator
	for _, r := range g.removed {
		gone := e.response(g, key, r, before)
		b.change.Removed = append(b.change.Removed, gone)
		gone.Position, gone.Deleted = th.position, true
		b.responses.put(th, &th.responses, &gone)
	}
	for _, r := range g.added {
		b.change.Added = append(b.change.Added, e.response(g, key, r, th.position))
		b.responses.put(th, &th.responses, &b.change.Added[len(b.change.Added)-1])
	}
	for _, c := range g.removedCases {
		gone := e.cycle(g, key, c, th.position)
		gone.Deleted = true
		b.cases.put(th, &th.cases, &gone)
	}
	for _, c := range g.newCases {
		opened := e.cycle(g, key, c, th.position)
		b.cases.put(th, &th.cases, &opened)
	}
}

// roomFor returns the rows with room for one more. It grows by more than append would, because rows are large and copied each time.
func roomFor[T any](rows []T) []T {
	if len(rows) < cap(rows) {
		return rows
	}
	return slices.Grow(rows, len(rows)/2+64)
}

// Flush returns what has to be written: the rows that have changed since the last flush, each once, among them tombstones
// (Deleted) for those that no longer hold, and the turns applied. Responses and cases must be durable before the turns
// are (stream/DESIGN.md, "Position and restart point"). The slices are valid until the next call of Apply: their memory is
// used again.
func (b *Book) Flush() ([]Response, []Case, []TurnRow) {
	responses, cases, turns := b.responses.take(), b.cases.take(), b.turns
	b.turns = b.turns[:0]
	for _, th := range b.dirty {
		th.dirty, th.responses, th.cases = false, 0, 0
	}
	clear(b.dirty)
	b.dirty = b.dirty[:0]
	return responses, cases, turns
}

// Unflushed returns the turns applied since the last flush, in order. The slice is valid until the next call of Apply.
func (b *Book) Unflushed() []TurnRow { return b.turns }

// Evict forgets the flushed threads whose last turn was published before the given time, and returns how many. It looks
// at every thread.
func (b *Book) Evict(before stream.Time) int {
	forgotten := 0
	for hash, head := range b.threads {
		kept := head
		for link := &kept; *link != nil; {
			if th := *link; th.last < before && !th.dirty {
				*link = th.next
				forgotten++
			} else {
				link = &th.next
			}
		}
		switch {
		case kept == nil:
			delete(b.threads, hash)
		case kept != head:
			b.threads[hash] = kept
		}
	}
	b.held -= forgotten
	return forgotten
}

// place is where a thread belongs.
type place struct {
	scope uint32
	hash  uint64
	first *thread // with that hash
	known bool    // there has been a thread of the scope
}

// find returns the thread, or nil and where it would be.
func (b *Book) find(key Key) (*thread, place) {
	id, ok := b.scope(key)
	if !ok {
		return nil, place{}
	}
	at := place{scope: id, hash: b.hash(id, key.Thread), known: true}
	at.first = b.threads[at.hash]
	for th := at.first; th != nil; th = th.next {
		if th.scope == id && b.unpacker.begin(th.packed) == key.Thread {
			return th, at
		}
	}
	return nil, at
}

// scope returns the number of a thread's scope, if there has been a thread of it.
func (b *Book) scope(key Key) (uint32, bool) {
	s := scope{key.Platform, key.Brand}
	if int(b.lastScope) < len(b.scopes) && b.scopes[b.lastScope] == s {
		return b.lastScope, true
	}
	id, ok := b.scopeIDs[s]
	if ok {
		b.lastScope = id
	}
	return id, ok
}

func (b *Book) hash(scope uint32, thread string) uint64 {
	return maphash.String(b.seed, thread) + uint64(scope)*0x9e3779b97f4a7c15 // 2^64 ÷ golden ratio: odd, spreads well
}

// start starts a thread that find has not found there. It is the caller's duty to put it to rest before another thread is asked for.
func (b *Book) start(key Key, at place) *thread {
	if !at.known {
		at.scope = uint32(len(b.scopes))
		at.hash = b.hash(at.scope, key.Thread)
		at.first = b.threads[at.hash] // of another scope
		s := scope{stream.Platform(strings.Clone(string(key.Platform))), strings.Clone(key.Brand)}
		b.scopes = append(b.scopes, s)
		b.scopeIDs[s] = at.scope
	}
	th := &thread{next: at.first, scope: at.scope}
	b.threads[at.hash] = th
	b.held++
	return th
}

// rest puts the turns of a graph back into their thread: packed, or as they are where they are many.
func (b *Book) rest(th *thread, name string, g *graph) {
	b.packer.begin(name)
	th.open = nil
	if len(g.nodes) >= roomy {
		th.open = g
	} else {
		for i := range g.nodes {
			b.packer.node(&g.nodes[i])
		}
	}
	th.packed = string(b.packer.buf)
}

// knows reports whether the thread has a turn with the item id.
func (b *Book) knows(th *thread, itemID string) bool {
	if th.open != nil {
		return th.open.find(itemID) != none
	}
	b.unpacker.begin(th.packed)
	var t Turn
	for b.unpacker.turn(&t) {
		if t.ItemID == itemID {
			return true
		}
	}
	return false
}
