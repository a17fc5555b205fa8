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

// MotionOptions say what is served of motion files.
type MotionOptions struct {
	Library      *motion.Library // nil: there are none, and their routes answer 404
	MaxDownloads int             // at once; others wait for their turn
}

// motionFiles is what the API knows of those who download motion files.
type motionFiles struct {
	options MotionOptions
	slots   *semaphore.Weighted // one per download, first come, first served
	pace    *rate.Limiter       // bytes of all downloads, see paced

	stopping, aborting context.Context //nolint:containedctx // the server's: sessions end, and messages are broken off
	stop, abort        context.CancelCauseFunc
	sessions           sync.WaitGroup

	// pingInterval and idleTimeout are motionPingInterval and motionIdleTimeout but in tests.
	pingInterval, idleTimeout time.Duration

	open, downloads, waiting, sent atomic.Int64
}

// MotionStats are the counts of a server's downloads of motion files.
type MotionStats struct {
	Connections int64 // that are open
	Downloads   int64 // that are sent now
	Waiting     int64 // for their turn
	SentBytes   int64 // so far
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

// MotionStats gives the counts so far.
func (a *API) MotionStats() MotionStats {
	m := a.motion
	return MotionStats{Connections: m.open.Load(), Downloads: m.downloads.Load(), Waiting: m.waiting.Load(), SentBytes: m.sent.Load()}
}

// Bytes a second that downloads get of a processor, and bytes that they may be
// ahead: a quarter of what a small one can copy to the network, and more than
// the network of a small machine takes.
const (
	pacePerProcessor = 256 << 20
	paceBurst        = 1 << 20
)

// paced waits until a message may be sent. While more people download than
// there are processors, all of them together have their bounds: otherwise those
// with the fastest connections keep every processor, and other requests wait
// for tens of milliseconds.
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

// CloseMotionSessions tells everyone who downloads motion files that the server
// stops, after the message that is being sent, and returns when they are gone
// and logged. When ctx ends their connections are closed. [http.Server] does not
// know of them any more.
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

// motionsOffText is for the log alone.
const motionsOffText = "motion files are not configured: set motion.data_dir, or motion_file_api_cfg"

var errNoMotions = &httpError{status: http.StatusNotFound, text: "this server has no motion files"}

// keywordsWait is shorter than the five seconds for which the orchestrator waits
// when it starts.
const keywordsWait = 4 * time.Second

type motionKeywordsV1Response struct {
	Keywords []string `json:"motion_keywords" required:"true" nullable:"false" description:"Sorted, each once." example:"[\"nod\",\"wave\"]"`
}

// motionKeywords answers with the keywords of all motions.
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

// notReady is the answer while there is no generation.
func notReady(err error) error {
	if !errors.Is(err, motion.ErrNotReady) {
		return err
	}
	return &httpError{status: http.StatusServiceUnavailable, text: err.Error() + "; try again in some seconds", header: [2]string{"Retry-After", "5"}}
}

// downloadMotionFiles is the route of the WebSocket.
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
		info.err = err // it is answered
		return nil
	}
	s := newMotionSession(a, conn)
	a.motion.open.Add(1)
	defer a.motion.open.Add(-1)
	info.reason = s.serve()
	info.sent = s.sent.Load()
	return nil
}

// checkHandshake refuses what is no handshake of a WebSocket, in the shape of
// all errors, and one from a page of an origin that may not call the API.
func (a *API) checkHandshake(r *http.Request) error {
	if r.ProtoMajor != 1 { // where the header Upgrade is not allowed (RFC 9113 §8.2.2)
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

// allowsOrigin reports whether a page may open a WebSocket to host: one of the
// server's own, and those that CORS lets call the API.
func (a *API) allowsOrigin(origin, host string) bool {
	page, err := url.Parse(origin)
	return err == nil && strings.EqualFold(page.Host, host) || a.options.EnableCORS && a.allowsCORS(origin)
}
