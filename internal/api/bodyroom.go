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
	// freeBody is how many bytes of a body take no part in [bodyRoom]: nearly
	// all requests are smaller.
	freeBody = 16 << 10
	// minBodyRoom is the room for larger bodies, in bytes, unless MaxBodyBytes
	// needs more.
	minBodyRoom = 16 << 20
	// slowBody is how long a body may arrive before it gives way to others that
	// need its room.
	slowBody = time.Second
)

// bodyRoom bounds the bytes of large request bodies that the server holds at
// once. A body that finds no room waits, and its sender with it. So that slow
// senders cannot hold the room, the one that has been sending for longest gives
// way. It is safe for concurrent use.
type bodyRoom struct {
	mu       sync.Mutex
	free     int64
	arriving list.List     // of *largeBody, the one that came first in front
	changed  chan struct{} // closed, and made anew, when there is more room

	// decoding has a place for each large body that is decoded at once. One
	// processor stays free for other requests.
	decoding chan struct{}
}

func newBodyRoom(maxBodyBytes int64) *bodyRoom {
	return &bodyRoom{
		free: max(minBodyRoom, 4*maxBodyBytes), changed: make(chan struct{}),
		decoding: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)-1)),
	}
}

// largeBody is what one body holds of the room. The room's lock protects it.
type largeBody struct {
	room    *bodyRoom
	element *list.Element // in room.arriving; nil when it has arrived or gave way
	size    int64         // 0 when it was returned
	began   time.Time
	gaveWay bool
	stop    func() // ends the reading
}

// errGaveWay is the error of a body that gave way to others.
var errGaveWay = &httpError{
	status: http.StatusServiceUnavailable, header: [2]string{"Retry-After", "1"},
	text: "this request body came so slowly that others needed its room; try again",
}

// enter waits for room for size bytes. stop is called at most once, from any
// goroutine, if the body must give way. The error is that of ctx.
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

// tryEnter takes room if there is some. Otherwise it returns what to wait for,
// and how long at most.
func (room *bodyRoom) tryEnter(size int64, stop func()) (b *largeBody, changed <-chan struct{}, wait time.Duration) {
	room.mu.Lock()
	defer room.mu.Unlock()
	for size > room.free {
		first := room.arriving.Front()
		if first == nil {
			return nil, room.changed, slowBody // all are in work, which ends soon
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

// arrived ends the time in which the body may have to give way. It returns the
// error that ended the reading, or errGaveWay.
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

// release returns the room.
func (b *largeBody) release() {
	b.room.mu.Lock()
	defer b.room.mu.Unlock()
	b.leave()
}

// leave needs the lock.
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

// decode runs f in one of the places for decoding. The error is that of ctx.
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
