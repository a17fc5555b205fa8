package api

import (
	"container/list"
	"context"
	"net/http"
	"runtime"
	"sync"
	"time"
)

const (
	// freeBody is how many bytes of a body do not count in [bodyRoom]. Nearly
	// all requests are smaller.
	freeBody = 16 << 10
	// minBodyRoom is the space for larger bodies, in bytes, unless MaxBodyBytes
	// requires more.
	minBodyRoom = 16 << 20
	// slowBody is how long a body may take to arrive before it can be stopped
	// to make space for others.
	slowBody = time.Second
)

// bodyRoom limits the total size of large request bodies in memory. If there is
// no space for a body, the request waits. If the body that began to arrive
// first has been arriving for at least slowBody, it is stopped, so that slow
// clients cannot keep all the space. A bodyRoom is safe for concurrent use.
type bodyRoom struct {
	mu       sync.Mutex
	free     int64
	arriving list.List     // of *largeBody, oldest first
	changed  chan struct{} // closed and replaced when space becomes free

	// decoding limits how many large bodies are decoded at the same time. One
	// processor stays free for other requests.
	decoding chan struct{}
}

func newBodyRoom(maxBodyBytes int64) *bodyRoom {
	return &bodyRoom{
		free: max(minBodyRoom, 4*maxBodyBytes), changed: make(chan struct{}),
		decoding: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)-1)),
	}
}

// largeBody is the space that one body has reserved. It is protected by
// room.mu.
type largeBody struct {
	room    *bodyRoom
	element *list.Element // in room.arriving; nil after the body has arrived or was stopped
	size    int64         // 0 after it was given back
	began   time.Time
	gaveWay bool
	stop    func() // ends the read
}

// errGaveWay is the error for a body that was stopped to make space for others.
var errGaveWay = &httpError{
	status: http.StatusServiceUnavailable, header: [2]string{"Retry-After", "1"},
	text: "this request body arrived so slowly that its memory was given to other requests; try again",
}

// enter waits for size bytes of space. It calls stop at most once, from any
// goroutine, if the body has to make space for others. The error is the error
// of ctx.
func (room *bodyRoom) enter(ctx context.Context, size int64, stop func()) (*largeBody, error) {
	for {
		b, changed, wait := room.tryEnter(size, stop)
		if b != nil {
			return b, nil
		}
		timer := time.NewTimer(wait)
		select {
		case <-changed:
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, ctx.Err()
		}
		timer.Stop()
	}
}

// tryEnter reserves size bytes if there is space. Otherwise it returns a
// channel to wait for and the maximum time to wait.
func (room *bodyRoom) tryEnter(size int64, stop func()) (b *largeBody, changed <-chan struct{}, wait time.Duration) {
	room.mu.Lock()
	defer room.mu.Unlock()
	for size > room.free {
		first := room.arriving.Front()
		if first == nil {
			return nil, room.changed, slowBody // all bodies are being processed, which ends soon
		}
		slowest := first.Value.(*largeBody) //nolint:forcetypeassert // nothing else is in the list
		if age := time.Since(slowest.began); age < slowBody {
			return nil, room.changed, slowBody - age
		}
		slowest.gaveWay = true
		slowest.leave()
		slowest.stop()
	}
	room.free -= size
	b = &largeBody{room: room, size: size, began: time.Now(), stop: stop}
	b.element = room.arriving.PushBack(b)
	return b, nil, 0
}

// arrived marks the body as complete, so that it cannot be stopped any more to
// make space for others. It returns err, the error that ended the read, or
// errGaveWay if the body was stopped.
func (b *largeBody) arrived(err error) error {
	b.room.mu.Lock()
	defer b.room.mu.Unlock()
	if b.gaveWay {
		return errGaveWay
	}
	b.room.arriving.Remove(b.element)
	b.element = nil
	return err
}

// release gives back the space.
func (b *largeBody) release() {
	b.room.mu.Lock()
	defer b.room.mu.Unlock()
	b.leave()
}

// leave does the work of release. The caller must hold room.mu.
func (b *largeBody) leave() {
	if b.element != nil {
		b.room.arriving.Remove(b.element)
		b.element = nil
	}
	if b.size > 0 {
		b.room.free += b.size
		b.size = 0
		close(b.room.changed)
		b.room.changed = make(chan struct{})
	}
}

// decode waits for a place in room.decoding and then runs f. The error is the
// error of ctx.
func (room *bodyRoom) decode(ctx context.Context, f func()) error {
	select {
	case room.decoding <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-room.decoding }()
	f()
	return nil
}
