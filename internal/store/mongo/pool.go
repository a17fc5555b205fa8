package mongo

import (
	"sync/atomic"

	"go.mongodb.org/mongo-driver/v2/event"
)

// pool counts the driver's connections to all servers together, without the
// monitoring connections.
type pool struct{ open, inUse, waiting atomic.Int64 }

// note handles one event. The driver calls it synchronously, so its caller
// waits for it.
func (p *pool) note(e *event.PoolEvent) {
	switch e.Type {
	case event.ConnectionCreated:
		p.open.Add(1)
	case event.ConnectionClosed:
		p.open.Add(-1)
	case event.ConnectionCheckOutStarted:
		p.waiting.Add(1)
	case event.ConnectionCheckOutFailed:
		p.waiting.Add(-1)
	case event.ConnectionCheckedOut:
		p.waiting.Add(-1)
		p.inUse.Add(1)
	case event.ConnectionCheckedIn:
		p.inUse.Add(-1)
	}
}

// Stats describes the connections of the store at one moment.
type Stats struct {
	Open, InUse int64
	Waiting     int64 // calls that wait for a connection
}

// Stats returns the current numbers. It sends no command.
func (s *Store) Stats() Stats {
	return Stats{Open: s.pool.open.Load(), InUse: s.pool.inUse.Load(), Waiting: s.pool.waiting.Load()}
}
