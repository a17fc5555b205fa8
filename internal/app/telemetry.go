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

// watch holds the metrics and traces of the server.
type watch struct {
	metrics *telemetry.Metrics
	tracing *telemetry.Tracing // nil without traces
}

// openWatch starts metrics and tracing. It must run before the parts that are
// measured are started.
func (s *server) openWatch(ctx context.Context, build Build) (err error) {
	s.watch.metrics = telemetry.NewMetrics(build)
	s.watch.tracing, err = telemetry.StartTracing(ctx, build, s.log.Logger)
	return err
}

// store returns opened with measurement added. It also registers the metrics
// that only this kind of store has.
func (w watch) store(opened store.Opened) backend.Store {
	switch store := opened.Store.(type) {
	case *sqlite.Store:
		w.sqlite(store)
	case *mongo.Store:
		w.connections(func() (open, inUse, waiting int64) {
			stats := store.Stats()
			return stats.Open, stats.InUse, stats.Waiting
		})
	}
	return telemetry.Store(opened.Store, opened.System, w.metrics, w.tracing)
}

// connections registers the metrics of the connections of a store; count
// returns their current numbers.
func (w watch) connections(count func() (open, inUse, waiting int64)) {
	const help = "Connections to the database, or readers of the embedded store: open, in use, and callers that wait for one."
	gauge := func(state string, value func() int64) {
		w.metrics.Gauge("store_connections", help, telemetry.Labels{"state": state}, func() float64 { return float64(value()) })
	}
	gauge("open", func() int64 { open, _, _ := count(); return open })
	gauge("in_use", func() int64 { _, inUse, _ := count(); return inUse })
	gauge("waiting", func() int64 { _, _, waiting := count(); return waiting })
}

func (w watch) sqlite(store *sqlite.Store) {
	w.connections(func() (open, inUse, waiting int64) {
		stats := store.Stats()
		return stats.ReadersOpen, stats.ReadersInUse, stats.ReadersWaiting
	})
	value := func(of func(sqlite.Stats) int64) func() float64 {
		return func() float64 { return float64(of(store.Stats())) }
	}
	w.metrics.Gauge("store_write_queue_length", "Writes of the embedded store that no commit has taken yet.", nil,
		value(func(s sqlite.Stats) int64 { return s.WritesQueued }))
	w.metrics.Counter("store_commits_total", "Commits of the embedded store.",
		value(func(s sqlite.Stats) int64 { return s.Commits }))
	w.metrics.Counter("store_committed_writes_total", "Writes in the commits of the embedded store.",
		value(func(s sqlite.Stats) int64 { return s.CommittedWrites }))
	const help = "Size of the files of the embedded store."
	w.metrics.Gauge("store_size_bytes", help, telemetry.Labels{"file": "database"},
		value(func(s sqlite.Stats) int64 { return s.DatabaseBytes }))
	w.metrics.Gauge("store_size_bytes", help, telemetry.Labels{"file": "wal"},
		value(func(s sqlite.Stats) int64 { return s.WALBytes }))
}

// clients registers the metrics of client connections.
func (w watch) clients(bound *connections.Bound) {
	value := func(of func(connections.Stats) int64) func() float64 {
		return func() float64 { return float64(of(bound.Stats())) }
	}
	w.metrics.Gauge("http_connections", "Connections of clients.", nil,
		value(func(s connections.Stats) int64 { return s.Open }))
	w.metrics.Counter("http_connections_refused_total", "Connections that were closed at once, as their address had too many.",
		value(func(s connections.Stats) int64 { return s.Refused }))
	w.metrics.Counter("http_connections_dropped_total", "Connections that waited for a request and were closed for new ones.",
		value(func(s connections.Stats) int64 { return s.Dropped }))
}

// passwords registers the metrics of the queue of password hashes.
func (w watch) passwords(passwords *auth.Passwords) *auth.Passwords {
	w.metrics.Gauge("password_hash_queue_length", "Callers that wait for a password hash.", nil,
		func() float64 { return float64(passwords.Queue().Waiting) })
	w.metrics.Gauge("password_hash_queue_limit", "How many may wait for a password hash.", nil,
		func() float64 { return float64(passwords.Queue().Limit) })
	w.metrics.Counter("password_hash_refusals_total", "Callers that were refused because too many waited, or for too long.",
		func() float64 { return float64(passwords.Queue().Refused) })
	return passwords
}

// motionFiles registers the metrics of the motion files and of their downloads.
func (w watch) motionFiles(library *motion.Library, handler *api.API) {
	const help = "Downloads of motion files: those that are sent, and those that wait for their turn."
	w.metrics.Gauge("motion_downloads", help, telemetry.Labels{"state": "sending"},
		func() float64 { return float64(handler.MotionStats().Downloads) })
	w.metrics.Gauge("motion_downloads", help, telemetry.Labels{"state": "waiting"},
		func() float64 { return float64(handler.MotionStats().Waiting) })
	w.metrics.Counter("motion_sent_bytes_total", "Bytes of motion files that were sent.",
		func() float64 { return float64(handler.MotionStats().SentBytes) })
	w.metrics.Gauge("motion_clips", "Clips that can be downloaded.", nil,
		func() float64 { return float64(library.Status().Clips) })
	w.metrics.Gauge("motion_faults", "Records and files of motions that were left out because something is wrong with them.", nil,
		func() float64 { return float64(library.Status().Faults) })
	w.metrics.Counter("motion_load_failures_total", "Times that the motion files could not be looked at or loaded; those loaded before stay in use.",
		func() float64 { return float64(library.Status().Failures) })
	w.metrics.Gauge("motion_up_to_date", "1 if the motion files in use are those that are there; 0 if the last load failed, or the first one has not ended.", nil,
		func() float64 {
			if status := library.Status(); status.Err != nil || status.Version == "" {
				return 0
			}
			return 1
		})
}
