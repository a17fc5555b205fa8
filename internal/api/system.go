package api

import (
	"context"
	"net/http"
	"path"
	"strings"
)

// health reports that the process runs. It uses nothing outside this process.
func (a *API) health(context.Context, *none) (ok, error) { return "OK", nil }

// ready checks the store. A server that cannot read provider keys must not
// appear ready. If motion files cannot be loaded, the server is still ready:
// the last ones stay in use, and everything else works.
func (a *API) ready(ctx context.Context, _ *none) (ok, error) {
	if a.options.Unready != "" {
		return "", &httpError{status: http.StatusServiceUnavailable, text: a.options.Unready}
	}
	if library := a.motion.options.Library; library != nil && library.Status().Err != nil {
		return "OK, but the motion files could not be loaded; the log says why", a.service.Ready(ctx)
	}
	return "OK", a.service.Ready(ctx)
}

// ok is the text "OK".
type ok string

func (a *API) root(context.Context, *none) (redirect, error) {
	return redirect("docs"), nil
}

// docsPath returns the path of the documentation as seen by a client.
func (a *API) docsPath() string { return a.options.BasePath + "/docs" }

// redirect is a 307 response with this location, a path below the base path.
// The Location header is relative to the request, because a proxy may serve the
// API below a path that it removes and the server does not know.
type redirect string

func (to redirect) write(a *API, w http.ResponseWriter, r *http.Request) error {
	location := string(to)
	if !strings.HasSuffix(requestFrom(r.Context()).url.Path, "/") { // a request for the base path itself: include its last part
		location = path.Base(a.options.BasePath) + "/" + location
	}
	w.Header().Set("Location", location)
	w.Header().Set("Content-Length", "0")
	w.WriteHeader(http.StatusTemporaryRedirect)
	return nil
}
