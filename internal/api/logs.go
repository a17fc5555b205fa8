package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"errors"
	"html/template"
	"io"
	"mime"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"web-backend/internal/logging"
)

// maxTailLines is the maximum number of lines that /tail_log shows. If more are
// requested, it shows this many.
const maxTailLines = 10_000

//go:embed logs.html
var logPageSource string

//go:embed logs.css
var logPageStyle string

var logPage = template.Must(template.New("log").Funcs(template.FuncMap{
	// As template.CSS the style is written unchanged, so that its hash matches.
	"style": func() template.CSS { return template.CSS(logPageStyle) },
}).Parse(logPageSource))

// logPagePolicy does not allow the page to run scripts, load anything, or use
// any style except its own. The page reloads without a script.
var logPagePolicy = []string{"default-src 'none'; img-src data:; style-src " + sourceHash(logPageStyle) +
	"; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"}

// sourceHash returns the expression that allows one inline style or script in a
// Content-Security-Policy.
func sourceHash(source string) string {
	sum := sha256.Sum256([]byte(source))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

type tailLogRequest struct {
	Lines int `path:"n_lines" minimum:"1" description:"Number of lines, at least 1. At most 10,000 lines are shown." example:"100"`
}

func (a *API) tailLog(_ context.Context, in *tailLogRequest) (logTail, error) {
	file, err := a.openLog()
	if err != nil {
		return logTail{}, err
	}
	defer file.Close() //nolint:errcheck // only read
	lines, err := logging.Tail(file, min(in.Lines, maxTailLines))
	return logTail{lines}, err
}

const (
	noLogText  = "there is no log file"
	pipeText   = "the log is written to a pipe or a device, from which it cannot be read back"
	hiddenText = "the log file cannot be opened; the log on the console says why"
)

// openLog opens the log file. If no log file can be read, the error is a 503.
func (a *API) openLog() (*os.File, error) {
	if a.options.LogFile == "" {
		return nil, &httpError{status: http.StatusServiceUnavailable, text: "this server writes no log file"}
	}
	if a.options.FlushLog != nil {
		a.options.FlushLog()
	}
	text := hiddenText
	info, err := os.Stat(a.options.LogFile) // first, because opening a pipe would block
	switch {
	case errors.Is(err, os.ErrNotExist):
		text = noLogText
	case err == nil && !info.Mode().IsRegular():
		text = pipeText
	case err == nil:
		file, openErr := os.Open(a.options.LogFile)
		if openErr == nil {
			return file, nil
		}
		err = openErr
	}
	return nil, &httpError{status: http.StatusServiceUnavailable, text: text, cause: err}
}

// logTail is the page that shows the end of the log.
type logTail struct{ lines []string }

// logLine is one line of the page. Its level sets the colour.
type logLine struct{ Level, Text string }

// refreshSeconds is how often the page reloads itself if the user requests it.
const refreshSeconds = 5

func (t logTail) write(_ *API, w http.ResponseWriter, r *http.Request) error {
	requestFrom(r.Context()).quiet = true // reading the log must not make it grow
	page := struct {
		Seconds int
		Refresh bool
		Lines   []logLine
		Now     string
	}{
		Seconds: refreshSeconds, Refresh: r.URL.Query().Has("refresh"),
		Lines: make([]logLine, len(t.lines)), Now: time.Now().Format(time.DateTime),
	}
	for i, line := range t.lines {
		page.Lines[i] = logLine{levelOf(line), line}
	}
	var buf bytes.Buffer
	if err := logPage.Execute(&buf, page); err != nil {
		return err
	}
	w.Header()["Content-Security-Policy"] = logPagePolicy
	writeBytes(w, http.StatusOK, "text/html; charset=utf-8", buf.Bytes())
	return nil
}

// levelOf returns the level of a line that package logging has written, or ""
// if the line has no level.
func levelOf(line string) string {
	_, rest, _ := strings.Cut(line, " level=")
	level, _, _ := strings.Cut(rest, " ")
	switch level {
	case "DEBUG", "INFO", "WARN", "ERROR":
		return strings.ToLower(level)
	}
	return ""
}

func (a *API) downloadLog(context.Context, *none) (logDownload, error) {
	file, err := a.openLog()
	return logDownload{file}, err
}

// logDownload streams the log file as it is when the response begins.
type logDownload struct{ file *os.File }

func (d logDownload) write(a *API, w http.ResponseWriter, r *http.Request) error {
	defer d.file.Close() //nolint:errcheck // only read
	info, err := d.file.Stat()
	if err != nil {
		return err
	}
	requestFrom(r.Context()).quiet = true
	header := w.Header()
	header.Set("Content-Type", "application/octet-stream")
	header.Set("Content-Disposition", mime.FormatMediaType("attachment",
		map[string]string{"filename": filepath.Base(d.file.Name())}))
	// The size is fixed now, even though the log continues to grow. With
	// ranges, a client can continue an interrupted download.
	out := &rangeWriter{ResponseWriter: deadlineWriter{w, http.NewResponseController(w), a.options.WriteTimeout}}
	http.ServeContent(out, r, "", time.Time{}, io.NewSectionReader(d.file, 0, info.Size()))
	if out.refused {
		header.Del("Content-Disposition")
		setSecurityHeaders(header) // ServeContent has removed some
		return &httpError{status: http.StatusRequestedRangeNotSatisfiable, text: "the log does not have this range of bytes"}
	}
	return nil
}

// rangeWriter discards the plain text with which ServeContent refuses a range,
// because all error responses have the same form.
type rangeWriter struct {
	http.ResponseWriter

	refused bool
}

func (w *rangeWriter) WriteHeader(status int) {
	if w.refused = status == http.StatusRequestedRangeNotSatisfiable; !w.refused {
		w.ResponseWriter.WriteHeader(status)
	}
}

func (w *rangeWriter) Write(p []byte) (int, error) {
	if w.refused {
		return len(p), nil
	}
	return w.ResponseWriter.Write(p)
}
