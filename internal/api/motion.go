package api

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"
	"golang.org/x/net/http/httpguts"
	"golang.org/x/sync/semaphore"
	"golang.org/x/time/rate"

	"web-backend/internal/auth"
	"web-backend/internal/motion"
)

// MotionOptions configure the motion file routes.
type MotionOptions struct {
	Library      *motion.Library // nil if there are no motion files; the routes then respond with 404
	MaxDownloads int             // running at once; others wait for their turn
}

// motionFiles is the state of the motion file downloads.
type motionFiles struct {
	options MotionOptions
	slots   *semaphore.Weighted // one per download, in order of arrival
	pace    *rate.Limiter       // bytes of all downloads; see paced

	stopping, aborting context.Context //nolint:containedctx // of the server: stopping ends sessions, aborting breaks off messages
	stop, abort        context.CancelCauseFunc
	sessions           sync.WaitGroup

	// pingInterval and idleTimeout are motionPingInterval and
	// motionIdleTimeout, except in tests.
	pingInterval, idleTimeout time.Duration

	open, downloads, waiting, sent atomic.Int64
}

// MotionStats has counts of motion file downloads.
type MotionStats struct {
	Connections int64 // currently open
	Downloads   int64 // currently being sent
	Waiting     int64 // downloads that wait for their turn
	SentBytes   int64 // since the start
}

func newMotionFiles(options MotionOptions) *motionFiles {
	m := &motionFiles{
		options: options, slots: semaphore.NewWeighted(int64(max(1, options.MaxDownloads))),
		pace:         rate.NewLimiter(rate.Limit(pacePerProcessor*runtime.GOMAXPROCS(0)), paceBurst),
		pingInterval: motionPingInterval, idleTimeout: motionIdleTimeout,
	}
	m.stopping, m.stop = context.WithCancelCause(context.Background())
	m.aborting, m.abort = context.WithCancelCause(context.Background())
	return m
}

// MotionStats returns the current counts.
func (a *API) MotionStats() MotionStats {
	m := a.motion
	return MotionStats{Connections: m.open.Load(), Downloads: m.downloads.Load(), Waiting: m.waiting.Load(), SentBytes: m.sent.Load()}
}

// pacePerProcessor is how many bytes per second all downloads together may send
// for each processor. paceBurst is how many bytes they may send at once. The
// rate is a quarter of what a small processor can copy to the network, and more
// than the network of a small machine can carry.
const (
	pacePerProcessor = 256 << 20
	paceBurst        = 1 << 20
)

// paced waits until a message may be sent. The rate is limited only if more
// downloads run than there are processors. Without the limit, the clients with
// the fastest connections would keep every processor busy, and other requests
// would wait for tens of milliseconds.
func (m *motionFiles) paced(ctx context.Context, size int64) error {
	if m.downloads.Load() <= int64(runtime.GOMAXPROCS(0)) {
		return nil
	}
	for ; size > 0; size -= paceBurst {
		if err := m.pace.WaitN(ctx, int(min(size, paceBurst))); err != nil {
			return err
		}
	}
	return nil
}

// CloseMotionSessions tells all motion file clients that the server stops,
// after the message that is being sent to them. It returns when all sessions
// have ended and are logged. When ctx ends, it closes the remaining
// connections. It is needed because [http.Server] does not track these
// connections any more.
func (a *API) CloseMotionSessions(ctx context.Context) {
	a.motion.stop(errStopping)
	done := make(chan struct{})
	go func() {
		a.motion.sessions.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
		a.motion.abort(errStopping)
		<-done
	}
}

const motionDownloadPath = v1 + "motion_file_download"

// motionsOffText is only for the log.
const motionsOffText = "motion files are not configured: set motion.data_dir, or motion_file_api_cfg"

var errNoMotions = &httpError{status: http.StatusNotFound, text: "this server has no motion files"}

// keywordsWait is shorter than the five seconds that the orchestrator waits
// when it starts.
const keywordsWait = 4 * time.Second

type motionKeywordsV1Response struct {
	Keywords []string `json:"motion_keywords" required:"true" nullable:"false" description:"Sorted, without duplicates." example:"[\"nod\",\"wave\"]"`
}

// motionKeywords returns the keywords of all motions.
func (a *API) motionKeywords(ctx context.Context, _ *none) (motionKeywordsV1Response, error) {
	library := a.motion.options.Library
	if library == nil {
		requestFrom(ctx).reason = motionsOffText
		return motionKeywordsV1Response{}, errNoMotions
	}
	generation, err := library.Wait(ctx, keywordsWait)
	if err != nil {
		return motionKeywordsV1Response{}, notReady(err)
	}
	return motionKeywordsV1Response{generation.Keywords()}, nil
}

// notReady returns the error for a library that does not have a generation yet.
// It returns other errors unchanged.
func notReady(err error) error {
	if !errors.Is(err, motion.ErrNotReady) {
		return err
	}
	return &httpError{status: http.StatusServiceUnavailable, text: err.Error() + "; try again in a few seconds", header: [2]string{"Retry-After", "5"}}
}

// downloadMotionFiles handles the WebSocket route.
func (a *API) downloadMotionFiles(w http.ResponseWriter, r *http.Request) error {
	guard, err := a.guardOf(r, auth.AnyUser)
	if err == nil {
		err = guard.beforeDecoding(nil)
	}
	if err != nil {
		return err
	}
	info := requestFrom(r.Context())
	if a.motion.options.Library == nil {
		info.reason = motionsOffText
		return errNoMotions
	}
	if err := a.checkHandshake(r); err != nil {
		return err
	}
	a.motion.sessions.Add(1)
	info.logged = a.motion.sessions.Done
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true}) // checkHandshake has verified the origin
	if err != nil {
		info.err = err // Accept has sent the response
		return nil
	}
	s := newMotionSession(a, conn)
	a.motion.open.Add(1)
	defer a.motion.open.Add(-1)
	info.reason = s.serve()
	info.sent = s.sent.Load()
	return nil
}

// checkHandshake returns an error, in the form of all errors, for a request
// that is not a WebSocket handshake. It also refuses pages of an origin that
// may not call the API.
func (a *API) checkHandshake(r *http.Request) error {
	if r.ProtoMajor != 1 { // the header Upgrade is not allowed there (RFC 9113 §8.2.2)
		return &httpError{status: http.StatusUpgradeRequired, text: "this is a WebSocket: connect to it over HTTP/1.1"}
	}
	if !httpguts.HeaderValuesContainsToken(r.Header["Connection"], "upgrade") ||
		!httpguts.HeaderValuesContainsToken(r.Header["Upgrade"], "websocket") {
		return &httpError{status: http.StatusUpgradeRequired, header: [2]string{"Upgrade", "websocket"},
			text: "this is a WebSocket: connect to it with ws:// or wss://; a proxy must pass on the headers Upgrade and Connection"}
	}
	if r.Header.Get("Sec-WebSocket-Version") != "13" {
		return &httpError{status: http.StatusUpgradeRequired, header: [2]string{"Sec-WebSocket-Version", "13"}, text: "want version 13 of the WebSocket protocol"}
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(r.Header.Get("Sec-WebSocket-Key")))
	if err != nil || len(key) != 16 || len(r.Header.Values("Sec-WebSocket-Key")) != 1 {
		return &httpError{status: http.StatusBadRequest, text: "the header Sec-WebSocket-Key is not 16 bytes in base64"}
	}
	if origin := r.Header.Get("Origin"); origin != "" && !a.allowsOrigin(origin, r.Host) {
		return &httpError{status: http.StatusForbidden, text: "pages of this origin may not open a WebSocket here: see enable_cors and cors_origins"}
	}
	return nil
}

// allowsOrigin reports whether a page may open a WebSocket to host. Pages of
// this server may, and so may pages of origins that CORS allows to call the
// API.
func (a *API) allowsOrigin(origin, host string) bool {
	page, err := url.Parse(origin)
	return err == nil && strings.EqualFold(page.Host, host) || a.options.EnableCORS && a.allowsCORS(origin)
}
