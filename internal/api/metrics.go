package api

import (
	"bytes"
	"context"
	"io"
	"net/http"
)

// metricsType is the media type of the Prometheus text format.
const metricsType = "text/plain; version=0.0.4; charset=utf-8"

// metrics returns the metrics of this process.
func (a *API) metrics(context.Context, *none) (metricsPage, error) {
	if a.options.Metrics == nil {
		return nil, &httpError{status: http.StatusServiceUnavailable, text: "this server has no metrics"}
	}
	return a.options.Metrics, nil
}

// metricsPage writes the current metrics.
type metricsPage func(w io.Writer) error

func (p metricsPage) write(_ *API, w http.ResponseWriter, r *http.Request) error {
	var buf bytes.Buffer
	if err := p(&buf); err != nil {
		return err
	}
	requestFrom(r.Context()).quiet = true // scraping every few seconds must not fill the log
	writeBytes(w, http.StatusOK, metricsType, buf.Bytes())
	return nil
}
