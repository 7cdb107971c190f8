package care

import (
	"cmp"
	"slices"
	"strings"

	"otklik/stream"
)

// none is the index of a node or person that is not there.
const none int32 = -1

// nobody is the person to whom an own turn belongs when there is no telling whom it addresses.
const nobody int32 = 0

// indexed is the number of turns from which a graph finds its turns and persons by map.
const indexed = 32

// graph is one thread laid open: its turns, which of them answer which, their order, and per person the rows that
// follow. It grows turn by turn; insert may be called several times before finish brings the rows up to date.
//
// Three things make the result independent of the order of arrival. A turn's place in the order depends on the turns
// it answers alone. An own turn that says whom it answers ("firm") belongs to that person whatever else happens. And
// the other own turns ("floating") are attributed by one pass over the whole order, whenever anything before one of
// them has changed.
type graph struct {
	quiet stream.Time // the quiet gap

	nodes  []node
	order  []int32 // all nodes in their order
	people []person

	floating int // own turns that are not firm

	byID    map[string]int32 // node by item id; nil below indexed turns
	byName  map[string]int32 // person by name, without nobody; likewise
	orphans map[string]int32 // the first own turn that answers a turn which is not there, by its id; likewise

	// What insert leaves for finish.
	affected []int32 // persons whose rows may have changed
	rethink  bool    // floating turns have to be attributed anew

	// What finish found, valid until the next insert.
	removed, added         []row
	removedCases, newCases []cycle

	moved  []int32 // scratch of insert
	waits  []int32 // scratch of attribute
	rows   []row   // scratch of finish
	cycles []cycle // scratch of finish
}

// node is a turn in its graph.
type node struct {
	id, author, parentID string
	customer             string // as the turn states it
	at, parentAt         stream.Time
	position             stream.Position
	flags                stream.Flags

	own     bool
	firm    bool // own: it is known whom it addresses, without guessing from who waits
	circle  bool // own: following the turns that it answers leads back to it; it counts as answering nothing
	replied bool // customer's, not flagged: an answer that ends waits names this turn as the one it answers

	parent         int32 // own: the turn that it answers, if that is there
	child, sibling int32 // the first own turn that answers this one; the next own turn that answers (or misses) the same
	anchor, depth  int32 // its place in the order: after depth−1 others that hang on the turn anchor (itself: depth 0)
	who            int32 // the person whose conversation it belongs to; none while not placed
}

// ends reports whether the turn is an answer that ends waits.
func (n *node) ends() bool {
	return n.own && n.flags&stream.Approved != 0 && n.flags&stream.Automatic == 0
}

// wants reports whether the turn is a customer's that needs an answer. One that the brand has answered by name needed
// it, whatever the classifier thought; so a wait never begins later than the request whose answer ends it.
func (n *node) wants() bool {
	return !n.own && (n.flags&stream.NeedsAnswer != 0 || n.replied)
}

// person is a customer in a thread, or nobody.
type person struct {
	name   string
	marked bool    // stands in affected
	open   int32   // scratch of attribute: the flagged turn since which they wait
	turns  []int32 // of the conversation, in order
	rows   []row
	cycles []cycle

	changed int     // index in turns of the first that is new, gone or different since the last replay
	resume  *resume // where a replay can go on; nil in a short conversation
}

func newGraph(quiet stream.Time) *graph {
	g := &graph{quiet: quiet}
	g.reset()
	return g
}

// reset empties the graph and keeps its memory. It is for graphs below indexed turns.
func (g *graph) reset() {
	g.nodes = g.nodes[:0]
	g.order = g.order[:0]
	g.people = g.people[:0]
	g.floating = 0
	g.byID, g.byName, g.orphans = nil, nil, nil
	g.affected = g.affected[:0]
	g.rethink = false
	g.addPerson("")
}

func (g *graph) addPerson(name string) int32 {
	i := len(g.people)
	if i < cap(g.people) {
		g.people = g.people[:i+1] // with the slices of the person who was here before a reset
	} else {
		g.people = append(g.people, person{})
	}
	p := &g.people[i]
	*p = person{name: name, open: none, turns: p.turns[:0], rows: p.rows[:0], cycles: p.cycles[:0]}
	return int32(i)
}

// person returns the index of the customer of that name.
func (g *graph) person(name string) int32 {
	if g.byName != nil {
		if i, ok := g.byName[name]; ok {
			return i
		}
		g.byName[name] = int32(len(g.people))
		return g.addPerson(name)
	}
	for i := nobody + 1; int(i) < len(g.people); i++ {
		if g.people[i].name == name {
			return i
		}
	}
	return g.addPerson(name)
}

// find returns the index of the turn with the item id, or none.
func (g *graph) find(id string) int32 {
	if g.byID != nil {
		if i, ok := g.byID[id]; ok {
			return i
		}
		return none
	}
	for i := range g.nodes {
		if g.nodes[i].id == id {
			return int32(i)
		}
	}
	return none
}

// buildIndexes is called once, when the graph has grown to indexed turns.
func (g *graph) buildIndexes() {
	g.byID = make(map[string]int32, 2*indexed)
	g.byName = make(map[string]int32, 2*indexed)
	g.orphans = make(map[string]int32)
	for i := range g.nodes {
		n := &g.nodes[i]
		g.byID[n.id] = int32(i)
		if n.own && n.parentID != "" && n.parent == none {
			n.sibling = none
			if first, ok := g.orphans[n.parentID]; ok {
				n.sibling = first
			}
			g.orphans[n.parentID] = int32(i)
		}
	}
	for i := nobody + 1; int(i) < len(g.people); i++ {
		g.byName[g.people[i].name] = i
	}
}

// compare says which of two nodes comes first: by time, then by item id; but a turn never before the one it answers,
// for platforms state times in whole seconds and their clocks differ. Such a turn follows the one it answers at once.
func (g *graph) compare(a, b int32) int {
	if a == b {
		return 0
	}
	x, y := &g.nodes[a], &g.nodes[b]
	if x.anchor != y.anchor {
		x, y := &g.nodes[x.anchor], &g.nodes[y.anchor]
		return cmp.Or(cmp.Compare(x.at, y.at), strings.Compare(x.id, y.id))
	}
	return cmp.Or(cmp.Compare(x.depth, y.depth), cmp.Compare(x.at, y.at), strings.Compare(x.id, y.id))
}

// mark notes that the rows of a person may have changed, from the k-th turn of the conversation on.
func (g *graph) mark(who int32, k int) {
	p := &g.people[who]
	p.changed = min(p.changed, k)
	if !p.marked {
		p.marked = true
		g.affected = append(g.affected, who)
	}
}

// touch notes that the node has appeared, is about to move, or means something else now: floating turns after it are
// to be attributed anew. The node must be in the order.
func (g *graph) touch(i int32) {
	if g.floating == 0 || g.rethink {
		return
	}
	for _, n := range slices.Backward(g.order) {
		if g.nodes[n].own && !g.nodes[n].firm {
			g.rethink = true
			return
		}
		if n == i || g.compare(n, i) < 0 {
			return
		}
	}
}

// place puts a node into the order.
func (g *graph) place(i int32) {
	k := len(g.order)
	if k > 0 && g.compare(g.order[k-1], i) > 0 {
		k, _ = slices.BinarySearchFunc(g.order, i, g.compare)
	}
	g.order = slices.Insert(g.order, k, i)
	g.touch(i)
}

// displace takes a node out of the order.
func (g *graph) displace(i int32) {
	g.touch(i)
	if k, ok := slices.BinarySearchFunc(g.order, i, g.compare); ok {
		g.order = slices.Delete(g.order, k, k+1)
	}
}

// give makes a node a part of a person's conversation; none takes it from whoever has it.
func (g *graph) give(i, who int32) {
	n := &g.nodes[i]
	if n.who == who {
		return
	}
	if n.who != none {
		turns := &g.people[n.who].turns
		if k, ok := slices.BinarySearchFunc(*turns, i, g.compare); ok {
			*turns = slices.Delete(*turns, k, k+1)
			g.mark(n.who, k)
		}
	}
	n.who = who
	if who != none {
		turns := &g.people[who].turns
		k := len(*turns)
		if k > 0 && g.compare((*turns)[k-1], i) > 0 {
			k, _ = slices.BinarySearchFunc(*turns, i, g.compare)
		}
		*turns = slices.Insert(*turns, k, i)
		g.mark(who, k)
	}
}

// insert adds a turn whose item id is not in the graph yet. The rows are out of date until finish.
func (g *graph) insert(t *Turn) {
	i := int32(len(g.nodes))
	if i == indexed {
		g.buildIndexes()
	}
	g.nodes = append(g.nodes, node{
		id: t.ItemID, author: t.Author, parentID: t.ParentID, customer: t.Customer,
		at: t.At, parentAt: t.ParentAt, position: t.Position, flags: t.Flags, own: t.Own,
		parent: none, child: none, sibling: none, anchor: i, who: none,
	})
	if g.byID != nil {
		g.byID[t.ItemID] = i
	}
	g.moved = g.moved[:0]
	if t.Own {
		g.moved = append(g.moved, i)
		g.linkParent(i)
	} else {
		name := t.Customer
		if name == "" {
			name = t.Author
		}
		who := g.person(name)
		g.place(i)
		g.give(i, who)
	}
	g.adoptOrphans(i)

	// All that hang on the new turn move with it; first out of their old places, then into the new ones, each after the
	// one it answers. A circle leads back to the new turn, which is in moved already.
	for k := 0; k < len(g.moved); k++ {
		for c := g.nodes[g.moved[k]].child; c != none; c = g.nodes[c].sibling {
			if c != i {
				g.moved = append(g.moved, c)
			}
		}
	}
	for _, m := range g.moved {
		if m != i {
			g.unsettle(m)
		}
	}
	if t.Own {
		g.closeCircle(i)
	}
	for _, m := range g.moved {
		g.settle(m)
	}
}

// linkParent ties an own turn to the turn it answers, or remembers that it misses it.
func (g *graph) linkParent(i int32) {
	n := &g.nodes[i]
	if n.parentID == "" || n.parentID == n.id {
		return
	}
	if p := g.find(n.parentID); p != none {
		n.parent = p
		n.sibling = g.nodes[p].child
		g.nodes[p].child = i
		return
	}
	if g.orphans != nil {
		if first, ok := g.orphans[n.parentID]; ok {
			n.sibling = first
		}
		g.orphans[n.parentID] = i
	}
}

// adoptOrphans ties the own turns that answer the new turn, and came before it, to it; they are moved.
func (g *graph) adoptOrphans(i int32) {
	id := g.nodes[i].id
	if g.orphans != nil {
		first, ok := g.orphans[id]
		if !ok {
			return
		}
		delete(g.orphans, id)
		g.nodes[i].child = first
		for c := first; c != none; c = g.nodes[c].sibling {
			g.nodes[c].parent = i
			if !g.nodes[i].own {
				g.moved = append(g.moved, c)
			}
		}
		return
	}
	for c := range g.nodes[:i] {
		n := &g.nodes[c]
		if n.own && n.parent == none && n.parentID == id {
			n.parent = i
			n.sibling = g.nodes[i].child
			g.nodes[i].child = int32(c)
			if !g.nodes[i].own {
				g.moved = append(g.moved, int32(c))
			}
		}
	}
}

// closeCircle finds out whether the new own turn closes a circle of own turns that answer each other.
func (g *graph) closeCircle(i int32) {
	if g.nodes[i].child == none {
		return
	}
	p := g.nodes[i].parent
	for p != none && p != i && !g.nodes[p].circle {
		p = g.nodes[p].parent
	}
	if p != i {
		return
	}
	for {
		g.nodes[p].circle = true
		if p = g.nodes[p].parent; p == i {
			return
		}
	}
}

// answered returns the turn that an own turn answers, or none.
func (g *graph) answered(n *node) int32 {
	if n.circle {
		return none
	}
	return n.parent
}

// unsettle takes an own turn out of its place, with the keys that it had there.
func (g *graph) unsettle(i int32) {
	g.displace(i)
	g.give(i, none)
	if n := &g.nodes[i]; !n.firm {
		g.floating--
	}
}

// settle finds the place of an own turn in the order, and whom it addresses if that is said. What it answers must be
// settled.
func (g *graph) settle(i int32) {
	n := &g.nodes[i]
	n.anchor, n.depth, n.firm = i, 0, false
	who := none
	if p := g.answered(n); p != none {
		parent := &g.nodes[p]
		if a := &g.nodes[parent.anchor]; cmp.Or(cmp.Compare(n.at, a.at), strings.Compare(n.id, a.id)) < 0 {
			n.anchor, n.depth = parent.anchor, parent.depth+1
		}
		if !parent.own || parent.firm {
			n.firm, who = true, parent.who
		}
		if !parent.own && n.ends() && !parent.wants() {
			k, _ := slices.BinarySearchFunc(g.people[parent.who].turns, p, g.compare)
			g.mark(parent.who, k)
			parent.replied = true
		}
	}
	if !n.firm && n.customer != "" {
		n.firm, who = true, g.person(n.customer)
		n = &g.nodes[i]
	}
	if !n.firm {
		g.floating++
		g.rethink = true
	}
	g.place(i)
	if who != none {
		g.give(i, who)
	}
}

// attribute decides for every floating own turn whom it addresses: whoever the own turn that it goes on from addresses,
// else the only customer who has spoken so far, else the one who waits longest, else nobody. Turns that needed an answer
// only because they got one by name are not waited for here: a guess must not take what a statement gives.
func (g *graph) attribute() {
	spoken, lastSpoken := 0, none
	for i := range g.people {
		g.people[i].open = none
	}
	heard := func(who int32) { // counts customers up to two
		if spoken == 0 || spoken == 1 && lastSpoken != who {
			spoken++
			lastSpoken = who
		}
	}
	g.waits = g.waits[:0] // turns that opened a wait, in order; those that have ended are skipped when met
	first := 0
	for _, i := range g.order {
		n := &g.nodes[i]
		if !n.own {
			heard(n.who)
			if p := &g.people[n.who]; p.open == none && n.flags&stream.NeedsAnswer != 0 {
				p.open = i
				g.waits = append(g.waits, i)
			}
			continue
		}
		if !n.firm {
			who := nobody
			if p := g.answered(n); p != none && g.nodes[p].who != nobody {
				who = g.nodes[p].who
			} else if spoken == 1 {
				who = lastSpoken
			} else if spoken > 1 {
				for first < len(g.waits) && g.people[g.nodes[g.waits[first]].who].open != g.waits[first] {
					first++
				}
				if first < len(g.waits) {
					who = g.nodes[g.waits[first]].who
				}
			}
			g.give(i, who)
		}
		if n.ends() && n.who != nobody {
			g.people[n.who].open = none
		}
	}
}

// finish brings the rows up to date with the turns inserted and leaves in removed, added, removedCases and newCases
// how they differ from before.
func (g *graph) finish() {
	g.removed, g.added = g.removed[:0], g.added[:0]
	g.removedCases, g.newCases = g.removedCases[:0], g.newCases[:0]
	if g.rethink {
		g.attribute()
		g.rethink = false
	}
	for _, who := range g.affected {
		p := &g.people[who]
		rows, cycles := g.replay(who)
		g.removed, g.added = differ(p.rows[rows:], g.rows, g.removed, g.added)
		g.removedCases, g.newCases = differ(p.cycles[cycles:], g.cycles, g.removedCases, g.newCases)
		p.rows = append(p.rows[:rows], g.rows...)
		p.cycles = append(p.cycles[:cycles], g.cycles...)
		p.marked, p.changed = false, len(p.turns)
	}
	g.affected = g.affected[:0]
}

// differ appends to removed what only before holds, and to added what only after holds.
func differ[T comparable](before, after, removed, added []T) ([]T, []T) {
	for len(before) > 0 && len(after) > 0 && before[0] == after[0] {
		before, after = before[1:], after[1:]
	}
	for len(before) > 0 && len(after) > 0 && before[len(before)-1] == after[len(after)-1] {
		before, after = before[:len(before)-1], after[:len(after)-1]
	}
	if len(before)*len(after) <= 256 {
		for _, v := range before {
			if !slices.Contains(after, v) {
				removed = append(removed, v)
			}
		}
		for _, v := range after {
			if !slices.Contains(before, v) {
				added = append(added, v)
			}
		}
		return removed, added
	}
	was := make(map[T]struct{}, len(before))
	for _, v := range before {
		was[v] = struct{}{}
	}
	for _, v := range after {
		if _, ok := was[v]; ok {
			delete(was, v)
		} else {
			added = append(added, v)
		}
	}
	for _, v := range before {
		if _, ok := was[v]; ok {
			removed = append(removed, v)
		}
	}
	return removed, added
}
