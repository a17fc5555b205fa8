package logging

import (
	"io"
	"sync"
	"time"
)

// lines writes log lines from a goroutine of its own: the first at once, and
// what comes in the next [pause] together, in its order, with one write. So
// under load the cost of a write is shared. Nothing is dropped: who is too fast
// for the writer waits. A process that is killed loses the lines of its last
// moment.
type lines struct {
	to io.Writer

	mu           sync.Mutex
	changed      sync.Cond // something below is another than before
	pending      []byte
	came, passed int64 // bytes since the start: that came, and that are written
	closed       bool
	failure      error       // the first failure to write
	failed       func(error) // called with it; set before the first line
	ended        chan struct{}
	hurry        chan struct{} // ends a pause
}

// pause is the time between two writes.
const pause = 5 * time.Millisecond

// pendingMost is how many bytes may wait. It is far below the least size of a
// log file, which one write must not exceed.
const pendingMost = 256 << 10

func newLines(to io.Writer) *lines {
	l := &lines{to: to, ended: make(chan struct{}), hurry: make(chan struct{}, 1), failed: func(error) {}}
	l.changed.L = &l.mu
	go l.run()
	return l
}

// Write takes one line. A failure to write it is the error of close.
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
		l.changed.Broadcast() // there is room
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

// rest waits for the pause, or until somebody is in a hurry.
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

// flush returns when every line that came before is written.
func (l *lines) flush() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for came := l.came; l.passed < came; {
		l.hurryUp()
		l.changed.Wait()
	}
}

// close writes what is left. Lines that come later are written as they come, unless
// what they go to is closed, too.
func (l *lines) close() error {
	l.mu.Lock()
	l.closed = true
	l.hurryUp()
	l.changed.Broadcast()
	l.mu.Unlock()
	<-l.ended
	return l.failure
}
