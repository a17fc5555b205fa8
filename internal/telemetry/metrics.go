// Package telemetry measures the server: metrics in Prometheus' format, and
// traces over OTLP. It is the only package that uses the libraries for these.
// docs/monitoring.md explains every metric.
package telemetry

import (
	"fmt"
	"io"
	"maps"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/common/expfmt"

	"web-backend/internal/api"
)

const namespace = "webbackend"

// Histogram buckets, in seconds. A read of the embedded store takes about 20 µs
// and a durable write takes some milliseconds. A login waits up to two seconds.
var (
	requestBuckets = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}
	storeBuckets   = []float64{.00005, .0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5}
)

// Metrics are the metrics of one server, in a separate registry. It is safe for
// concurrent use.
type Metrics struct {
	registry *prometheus.Registry

	requests         *prometheus.CounterVec
	requestDurations *prometheus.HistogramVec
	responseBytes    *prometheus.CounterVec
	inFlight         prometheus.Gauge

	operations         *prometheus.CounterVec
	operationDurations *prometheus.HistogramVec

	logins     map[api.LoginOutcome]prometheus.Counter
	rateLimits map[api.RateLimitName]prometheus.Counter

	backupTime, backupBytes prometheus.Gauge
	backupFailures          prometheus.Counter

	minutes *minutes

	adding sync.Mutex // held while an entry is added to kinds
	// kinds holds the resolved metrics for each kind of request. There are
	// only a few methods, routes and statuses. The map is replaced and never
	// changed.
	kinds atomic.Pointer[map[requestKind]*requestMetrics]
}

// requestKind identifies a kind of request.
type requestKind struct {
	method, route string
	status        int
}

// requestMetrics holds the metrics that one request updates.
type requestMetrics struct {
	requests, bytes prometheus.Counter
	duration        prometheus.Observer
}

// Build identifies the running program.
type Build struct{ Version, Commit string }

// NewMetrics returns the metrics of a server of this build.
func NewMetrics(build Build) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(), minutes: newMinutes(time.Now()),
		requests: counters("http_requests_total", "Requests that got a response.", "method", "route", "status"),
		requestDurations: histograms("http_request_duration_seconds",
			"Time from the header of a request to the end of its response.", requestBuckets, "method", "route"),
		responseBytes: counters("http_response_body_bytes_total", "Bytes of bodies that were sent.", "method", "route"),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Namespace: namespace, Name: "http_requests_in_flight", Help: "Requests that are being handled."}),
		operations: counters("store_operations_total",
			"Operations of the store by their outcome: ok, or the kind of error.", "operation", "outcome"),
		operationDurations: histograms("store_operation_duration_seconds",
			"Time of an operation of the store; of a list, until its last item was taken.", storeBuckets, "operation"),
		logins:     map[api.LoginOutcome]prometheus.Counter{},
		rateLimits: map[api.RateLimitName]prometheus.Counter{},
		backupTime: prometheus.NewGauge(prometheus.GaugeOpts{Namespace: namespace, Name: "backup_last_success_timestamp_seconds",
			Help: "When the last backup of this process succeeded; 0 for none."}),
		backupBytes: prometheus.NewGauge(prometheus.GaugeOpts{Namespace: namespace, Name: "backup_last_size_bytes",
			Help: "Size of the last backup that succeeded; 0 for none."}),
		backupFailures: prometheus.NewCounter(prometheus.CounterOpts{Namespace: namespace, Name: "backup_failures_total",
			Help: "Backups that failed."}),
	}
	m.kinds.Store(&map[requestKind]*requestMetrics{})
	logins := counters("logins_total", "Logins by their outcome.", "outcome")
	for _, outcome := range api.LoginOutcomes {
		m.logins[outcome] = logins.WithLabelValues(string(outcome))
	}
	refusals := counters("rate_limit_refusals_total", "Tries at accounts that a limit refused.", "limit")
	for _, limit := range api.RateLimitNames {
		m.rateLimits[limit] = refusals.WithLabelValues(string(limit))
	}
	info := prometheus.NewGauge(prometheus.GaugeOpts{Namespace: namespace, Name: "build_info", Help: "1; the labels say what runs.",
		ConstLabels: prometheus.Labels{"version": build.Version, "commit": build.Commit, "goversion": runtime.Version()}})
	info.Set(1)
	m.registry.MustRegister(m.requests, m.requestDurations, m.responseBytes, m.inFlight, m.operations, m.operationDurations,
		logins, refusals, m.backupTime, m.backupBytes, m.backupFailures, info,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func counters(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, labels)
}

func histograms(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(
		prometheus.HistogramOpts{Namespace: namespace, Name: name, Help: help, Buckets: buckets}, labels)
}

// Gather returns the source of the metrics for a scrape.
func (m *Metrics) Gather() prometheus.Gatherer { return m.registry }

// Write writes all metrics in Prometheus' text format.
func (m *Metrics) Write(w io.Writer) error {
	families, err := m.registry.Gather()
	if err != nil {
		return fmt.Errorf("gather the metrics: %w", err)
	}
	encoder := expfmt.NewEncoder(w, expfmt.NewFormat(expfmt.TypeTextPlain))
	for _, family := range families {
		if err := encoder.Encode(family); err != nil {
			return fmt.Errorf("write the metric %s: %w", family.GetName(), err)
		}
	}
	return nil
}

// Labels are the labels of one metric with a value function. nil means no
// labels.
type Labels map[string]string

// Gauge adds a metric. It calls value at each scrape. It panics if a metric
// with this name and these labels already exists.
func (m *Metrics) Gauge(name, help string, labels Labels, value func() float64) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Namespace: namespace, Name: name, Help: help, ConstLabels: prometheus.Labels(labels)}, value))
}

// Counter is like [Metrics.Gauge], for a value that only grows.
func (m *Metrics) Counter(name, help string, value func() float64) {
	m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, value))
}

// BackupDone records a backup that ended at the given time, with its size in
// bytes or an error.
func (m *Metrics) BackupDone(at time.Time, size int64, err error) {
	if err != nil {
		m.backupFailures.Inc()
		return
	}
	m.backupTime.Set(float64(at.UnixMilli()) / 1000)
	m.backupBytes.Set(float64(size))
}

// observe counts a finished request.
func (m *Metrics) observe(request api.ObservedRequest) {
	key := requestKind{request.Method, request.Route, request.Status}
	a, ok := (*m.kinds.Load())[key]
	if !ok {
		a = m.addKind(key)
	}
	a.requests.Inc()
	a.bytes.Add(float64(request.Bytes))
	a.duration.Observe(request.Duration.Seconds())
	m.minutes.observe(time.Now(), request)
}

func (m *Metrics) addKind(key requestKind) *requestMetrics {
	m.adding.Lock()
	defer m.adding.Unlock()
	kinds := maps.Clone(*m.kinds.Load())
	a := &requestMetrics{
		requests: m.requests.WithLabelValues(key.method, key.route, strconv.Itoa(key.status)),
		bytes:    m.responseBytes.WithLabelValues(key.method, key.route),
		duration: m.requestDurations.WithLabelValues(key.method, key.route),
	}
	kinds[key] = a
	m.kinds.Store(&kinds)
	return a
}
