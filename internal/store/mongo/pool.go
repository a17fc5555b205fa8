package mongo

import (
	"sync/atomic"

	"go.mongodb.org/mongo-driver/v2/event"
)

// pool counts what the driver tells of its connections, to all servers
// together, monitoring connections left out.
type pool struct{ open, inUse, waiting atomic.Int64 }

// note takes one event of the driver, which calls it in the way of the caller.
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

// Stats is what the store's connections are like at one moment.
type Stats struct {
	Open, InUse int64
	Waiting     int64 // calls that wait for a connection
}

// Stats costs nothing.
func (s *Store) Stats() Stats {
	return Stats{Open: s.pool.open.Load(), InUse: s.pool.inUse.Load(), Waiting: s.pool.waiting.Load()}
}
