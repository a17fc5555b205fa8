package api

import (
	"context"
	"net/http"
)

// health is the liveness answer: it touches nothing but this process.
func (a *API) health(context.Context, *none) (ok, error) { return "OK", nil }

// ready touches the store. Motion files that cannot be loaded are no reason to
// keep clients away: the last ones stay in use, and all else works.
func (a *API) ready(ctx context.Context, _ *none) (ok, error) {
	if library := a.motion.options.Library; library != nil && library.Status().Err != nil {
		return "OK, but the motion files could not be loaded; the log says why", a.service.Ready(ctx)
	}
	return "OK", a.service.Ready(ctx)
}

// ok is the text "OK".
type ok string

func (a *API) root(context.Context, *none) (redirect, error) {
	return redirect(a.docsPath()), nil
}

// docsPath is the path of the documentation, as a client writes it.
func (a *API) docsPath() string { return a.options.BasePath + "/docs" }

// redirect answers 307 with this location.
type redirect string

func (to redirect) write(_ *API, w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Location", string(to))
	w.Header().Set("Content-Length", "0")
	w.WriteHeader(http.StatusTemporaryRedirect)
	return nil
}
