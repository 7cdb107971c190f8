package simulate

import "container/heap"

// queue is a priority queue of posts by event time, or by time of delivery.
type queue struct {
	posts    []*post
	delivery bool
}

func (q *queue) Len() int      { return len(q.posts) }
func (q *queue) Swap(i, j int) { q.posts[i], q.posts[j] = q.posts[j], q.posts[i] }
func (q *queue) Push(x any)    { q.posts = append(q.posts, x.(*post)) } //nolint:forcetypeassert // put alone pushes

func (q *queue) Less(i, j int) bool {
	a, b := q.posts[i], q.posts[j]
	ta, tb := a.when(), b.when()
	if q.delivery {
		ta, tb = a.deliver, b.deliver
	}
	if ta != tb {
		return ta < tb
	}
	return a.order < b.order
}

func (q *queue) Pop() any {
	last := len(q.posts) - 1
	p := q.posts[last]
	q.posts[last] = nil
	q.posts = q.posts[:last]
	return p
}

func (q *queue) put(p *post) { heap.Push(q, p) }
func (q *queue) take() *post { return heap.Pop(q).(*post) } //nolint:forcetypeassert // put alone pushes

func (q *queue) head() *post {
	if len(q.posts) == 0 {
		return nil
	}
	return q.posts[0]
}

// memory is a ring of the last posts of a kind, from which reposts, reactions and deletes are drawn.
type memory struct {
	posts [128]*post
	n     int
}

func (m *memory) keep(p *post) {
	m.posts[m.n%len(m.posts)] = p
	m.n++
}

func (m *memory) draw(r interface{ IntN(n int) int }) *post {
	n := min(m.n, len(m.posts))
	if n == 0 {
		return nil
	}
	return m.posts[r.IntN(n)]
}
