package app

import (
	"context"

	"web-backend/internal/api"
	"web-backend/internal/auth"
	"web-backend/internal/backend"
	"web-backend/internal/connections"
	"web-backend/internal/motion"
	"web-backend/internal/store"
	"web-backend/internal/store/mongo"
	"web-backend/internal/store/sqlite"
	"web-backend/internal/telemetry"
)

// Build identifies the running program.
type Build = telemetry.Build

// instruments holds the metrics and traces of the server.
type instruments struct {
	metrics *telemetry.Metrics
	tracing *telemetry.Tracing // nil without traces
}

// openInstruments starts metrics and tracing. It must run before the parts that are
// measured are started.
func (s *server) openInstruments(ctx context.Context, build Build) (err error) {
	s.instruments.metrics = telemetry.NewMetrics(build)
	s.instruments.tracing, err = telemetry.StartTracing(ctx, build, s.log.Logger)
	return err
}

// store returns opened with measurement added. It also registers the metrics
// that only this kind of store has.
func (i instruments) store(opened store.Opened) backend.Store {
	switch store := opened.Store.(type) {
	case *sqlite.Store:
		i.sqlite(store)
	case *mongo.Store:
		i.connections(func() (open, inUse, waiting int64) {
			stats := store.Stats()
			return stats.Open, stats.InUse, stats.Waiting
		})
	}
	return telemetry.Store(opened.Store, opened.System, i.metrics, i.tracing)
}

// connections registers the metrics of the connections of a store; count
// returns their current numbers.
func (i instruments) connections(count func() (open, inUse, waiting int64)) {
	const help = "Connections to the database, or readers of the embedded store: open, in use, and callers that wait for one."
	gauge := func(state string, value func() int64) {
		i.metrics.Gauge("store_connections", help, telemetry.Labels{"state": state}, func() float64 { return float64(value()) })
	}
	gauge("open", func() int64 { open, _, _ := count(); return open })
	gauge("in_use", func() int64 { _, inUse, _ := count(); return inUse })
	gauge("waiting", func() int64 { _, _, waiting := count(); return waiting })
}

func (i instruments) sqlite(store *sqlite.Store) {
	i.connections(func() (open, inUse, waiting int64) {
		stats := store.Stats()
		return stats.ReadersOpen, stats.ReadersInUse, stats.ReadersWaiting
	})
	value := func(of func(sqlite.Stats) int64) func() float64 {
		return func() float64 { return float64(of(store.Stats())) }
	}
	i.metrics.Gauge("store_write_queue_length", "Writes of the embedded store that no commit has taken yet.", nil,
		value(func(s sqlite.Stats) int64 { return s.WritesQueued }))
	i.metrics.Counter("store_commits_total", "Commits of the embedded store.",
		value(func(s sqlite.Stats) int64 { return s.Commits }))
	i.metrics.Counter("store_committed_writes_total", "Writes in the commits of the embedded store.",
		value(func(s sqlite.Stats) int64 { return s.CommittedWrites }))
	const help = "Size of the files of the embedded store."
	i.metrics.Gauge("store_size_bytes", help, telemetry.Labels{"file": "database"},
		value(func(s sqlite.Stats) int64 { return s.DatabaseBytes }))
	i.metrics.Gauge("store_size_bytes", help, telemetry.Labels{"file": "wal"},
		value(func(s sqlite.Stats) int64 { return s.WALBytes }))
}

// clients registers the metrics of client connections.
func (i instruments) clients(bound *connections.Bound) {
	value := func(of func(connections.Stats) int64) func() float64 {
		return func() float64 { return float64(of(bound.Stats())) }
	}
	i.metrics.Gauge("http_connections", "Connections of clients.", nil,
		value(func(s connections.Stats) int64 { return s.Open }))
	i.metrics.Counter("http_connections_refused_total", "Connections that were closed at once, as their address had too many.",
		value(func(s connections.Stats) int64 { return s.Refused }))
	i.metrics.Counter("http_connections_dropped_total", "Connections that waited for a request and were closed for new ones.",
		value(func(s connections.Stats) int64 { return s.Dropped }))
}

// passwords registers the metrics of the queue of password hashes.
func (i instruments) passwords(passwords *auth.Passwords) *auth.Passwords {
	i.metrics.Gauge("password_hash_queue_length", "Callers that wait for a password hash.", nil,
		func() float64 { return float64(passwords.Queue().Waiting) })
	i.metrics.Gauge("password_hash_queue_limit", "How many may wait for a password hash.", nil,
		func() float64 { return float64(passwords.Queue().Limit) })
	i.metrics.Counter("password_hash_refusals_total", "Callers that were refused because too many waited, or for too long.",
		func() float64 { return float64(passwords.Queue().Refused) })
	return passwords
}

// motionFiles registers the metrics of the motion files and of their downloads.
func (i instruments) motionFiles(library *motion.Library, handler *api.API) {
	const help = "Downloads of motion files: those that are sent, and those that wait for their turn."
	i.metrics.Gauge("motion_downloads", help, telemetry.Labels{"state": "sending"},
		func() float64 { return float64(handler.MotionStats().Downloads) })
	i.metrics.Gauge("motion_downloads", help, telemetry.Labels{"state": "waiting"},
		func() float64 { return float64(handler.MotionStats().Waiting) })
	i.metrics.Counter("motion_sent_bytes_total", "Bytes of motion files that were sent.",
		func() float64 { return float64(handler.MotionStats().SentBytes) })
	i.metrics.Gauge("motion_clips", "Clips that can be downloaded.", nil,
		func() float64 { return float64(library.Status().Clips) })
	i.metrics.Gauge("motion_faults", "Records and files of motions that were left out because something is wrong with them.", nil,
		func() float64 { return float64(library.Status().Faults) })
	i.metrics.Counter("motion_load_failures_total", "Times that the motion files could not be checked or loaded; those loaded before stay in use.",
		func() float64 { return float64(library.Status().Failures) })
	i.metrics.Gauge("motion_up_to_date", "1 if the motion files in use are those that are there; 0 if the last load failed, or the first one has not ended.", nil,
		func() float64 {
			if status := library.Status(); status.Err != nil || status.Version == "" {
				return 0
			}
			return 1
		})
}
