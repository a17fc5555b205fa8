package api

import (
	"context"
	"net/http"
	"path"
	"strings"
)

// health is the liveness answer: it touches nothing but this process.
func (a *API) health(context.Context, *none) (ok, error) { return "OK", nil }

// ready touches the store. A server that can read no provider key must not look
// well. Motion files that cannot be loaded are no reason to
// keep clients away: the last ones stay in use, and all else works.
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

// docsPath is the path of the documentation, as a client writes it.
func (a *API) docsPath() string { return a.options.BasePath + "/docs" }

// redirect answers 307 with this location, a path below the base path. It is
// told relative to the request: a proxy may serve the API below a path that it
// takes away, and that the server does not know.
type redirect string

func (to redirect) write(a *API, w http.ResponseWriter, r *http.Request) error {
	location := string(to)
	if !strings.HasSuffix(requestFrom(r.Context()).url.Path, "/") { // the base path itself: what is relative takes the place of its last part
		location = path.Base(a.options.BasePath) + "/" + location
	}
	w.Header().Set("Location", location)
	w.Header().Set("Content-Length", "0")
	w.WriteHeader(http.StatusTemporaryRedirect)
	return nil
}
