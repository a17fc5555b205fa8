package logging

import (
	"io"
	"sync"
	"time"
)

// lines writes log lines in its own goroutine. It writes the first line at
// once. It collects the lines of the next [pause] and writes them together, in
// their order, with one write. So under load, several lines share the cost of a
// write. No line is dropped: a caller that is too fast for the writer waits. If
// the process is killed, the last lines are lost.
type lines struct {
	to io.Writer

	mu           sync.Mutex
	changed      sync.Cond // signals every change of the fields below
	pending      []byte
	came, passed int64 // bytes since the start: received, and written
	closed       bool
	failure      error       // the first write error
	failed       func(error) // called with it; set before the first line
	ended        chan struct{}
	hurry        chan struct{} // receives a value to end a pause
}

// pause is the time between two writes.
const pause = 5 * time.Millisecond

// pendingMost is the maximum number of bytes that may wait. It is far below the
// minimum size of a log file, because one write must not exceed that size.
const pendingMost = 256 << 10

func newLines(to io.Writer) *lines {
	l := &lines{to: to, ended: make(chan struct{}), hurry: make(chan struct{}, 1), failed: func(error) {}}
	l.changed.L = &l.mu
	go l.run()
	return l
}

// Write accepts one line. A later error in writing it is returned by close.
func (l *lines) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.pending) > 0 && len(l.pending)+len(line) > pendingMost && !l.closed {
		l.changed.Wait()
	}
	if l.closed {
		return l.to.Write(line)
	}
	idle := len(l.pending) == 0
	l.pending = append(l.pending, line...)
	l.came += int64(len(line))
	if idle {
		l.changed.Broadcast()
	}
	if len(l.pending) > pendingMost/2 {
		l.hurryUp()
	}
	return len(line), nil
}

func (l *lines) run() {
	defer close(l.ended)
	l.mu.Lock()
	defer l.mu.Unlock()
	var taken []byte
	for {
		for len(l.pending) == 0 {
			if l.closed {
				return
			}
			l.changed.Wait()
		}
		taken, l.pending = l.pending, taken[:0]
		l.changed.Broadcast() // there is room again
		l.mu.Unlock()
		_, err := l.to.Write(taken)
		l.mu.Lock()
		l.passed += int64(len(taken))
		if l.failure == nil && err != nil {
			l.failure = err
			l.failed(err)
		}
		l.changed.Broadcast()
		if !l.closed {
			l.rest()
		}
	}
}

// rest waits until the pause is over or a caller wants to end it.
func (l *lines) rest() {
	l.mu.Unlock()
	defer l.mu.Lock()
	select {
	case <-l.hurry:
	case <-time.After(pause):
	}
}

func (l *lines) hurryUp() {
	select {
	case l.hurry <- struct{}{}:
	default:
	}
}

// flush returns when all earlier lines are written.
func (l *lines) flush() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for came := l.came; l.passed < came; {
		l.hurryUp()
		l.changed.Wait()
	}
}

// close writes the remaining lines. Later lines are written immediately, unless
// their destination is closed.
func (l *lines) close() error {
	l.mu.Lock()
	l.closed = true
	l.hurryUp()
	l.changed.Broadcast()
	l.mu.Unlock()
	<-l.ended
	return l.failure
}
