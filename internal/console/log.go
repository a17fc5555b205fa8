package console

import (
	"cmp"
	"errors"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"web-backend/internal/backend"
)

// Log is how the console reads the log. The errors are of kind
// [backend.Unavailable] if it cannot be read; their text is for operators.
type Log struct {
	// Tail returns the last n lines, oldest first.
	Tail func(n int) ([]string, error)
	// Follow is like Tail, and also returns the lines that come after. If the
	// error is nil, the follower must be closed.
	Follow func(n int) ([]string, LogFollower, error)
	// Download responds with the whole log. If it returns an error, it has
	// written nothing.
	Download func(w http.ResponseWriter, r *http.Request) error
}

// LogFollower returns the lines that were added to the log since the last call,
// oldest first.
type LogFollower interface {
	Lines() ([]string, error)
	Close() error
}

const (
	defaultLogLines = 200
	maxLogLines     = 1000
	maxLogText      = 200 // characters of the text to look for
	// searchedLogLines is how many lines are searched for those that the filter
	// lets through.
	searchedLogLines = 10_000
	// Without these limits, long lines would make the page slow. The first is for
	// one part of a line, in bytes. The second is for all lines together, in bytes
	// of HTML.
	maxLogPart = 2000
	maxLogHTML = 80_000
)

// logLevels are the levels of lines, from the lowest to the highest.
var logLevels = []string{"debug", "info", "warn", "error"}

// logFilter says which lines a page shows.
type logFilter struct {
	Lines int    // at most
	Level string // the lowest level; "" for all lines, even those without a level
	Text  string // is in each line
}

// logForm is the form for the filter, as it was sent.
type logForm struct {
	Lines, Level, Text        string
	LinesProblem, TextProblem string // "" if there is none
	LinesHint                 string
	MostLines, MostText       int
	Levels                    []logLevelOption
	IsSet                     bool // whether it leaves out lines
}

type logLevelOption struct {
	Value, Title string
	Chosen       bool
}

// logPage is the content of the page of the log.
type logPage struct {
	Form    logForm
	Problem string // why the log cannot be read
	Lines   []logLine
	Short   bool   // not all lines or not all of a line are on the page
	Stream  string // query of the stream with the same filter
}

// logLine is one line of the log, in parts. Together they are the whole line,
// unless a part is too long.
type logLine struct {
	Level     string // "" if the line has none; sets the colour
	Time      string
	Before    string // between the time and the request id
	RequestID string // "" if the line has none
	After     string
}

func (v *visit) showLog() error {
	v.options.Gate.Quiet(v.r.Context()) // reading the log must not make it grow
	form, filter := v.logForm(v.r.URL.Query())
	page, status := logPage{Form: form}, http.StatusOK
	if form.LinesProblem != "" || form.TextProblem != "" {
		return v.show(http.StatusUnprocessableEntity, "log", "log", page)
	}
	lines, err := v.options.Log.Tail(filter.reach())
	switch {
	case errors.Is(err, backend.Unavailable):
		v.options.Gate.NoteError(v.r.Context(), err)
		page.Problem, status = err.Error(), http.StatusServiceUnavailable
	case err != nil:
		return err
	}
	page.Lines, page.Short = filter.choose(lines)
	page.Stream = url.Values{"lines": {form.Lines}, "level": {form.Level}, "text": {form.Text}}.Encode()
	return v.show(status, "log", "log", page)
}

// downloadLog sends the whole log as a file.
func (v *visit) downloadLog() error {
	err := v.options.Log.Download(v.w, v.r)
	if !errors.Is(err, backend.Unavailable) {
		return err
	}
	v.options.Gate.NoteError(v.r.Context(), err)
	form, _ := v.logForm(nil)
	return v.show(http.StatusServiceUnavailable, "log", "log", logPage{Form: form, Problem: err.Error()})
}

// logForm returns the form with the fields that were sent, and the filter if
// the form has no problem.
func (v *visit) logForm(fields url.Values) (logForm, logFilter) {
	form := logForm{
		Lines: cmp.Or(fields.Get("lines"), strconv.Itoa(defaultLogLines)), Level: fields.Get("level"), Text: fields.Get("text"),
		MostLines: maxLogLines, MostText: maxLogText,
	}
	number := strings.NewReplacer("{most}", strconv.Itoa(maxLogLines), "{searched}", strconv.Itoa(searchedLogLines))
	form.LinesHint = number.Replace(v.texts["log_lines_hint"])
	lines, err := strconv.Atoi(form.Lines)
	if err != nil || lines < 1 || lines > maxLogLines {
		form.LinesProblem = number.Replace(v.texts["log_lines_wrong"])
	}
	if !backend.ValidText(form.Text) || utf8.RuneCountInString(form.Text) > maxLogText {
		form.TextProblem = strings.ReplaceAll(v.texts["log_text_wrong"], "{most}", strconv.Itoa(maxLogText))
	}
	if !slices.Contains(logLevels, form.Level) {
		form.Level = "" // only an address that was written by hand has another level
	}
	for _, option := range []logLevelOption{
		{Title: "log_level_all"},
		{Value: "debug", Title: "log_level_debug"}, {Value: "info", Title: "log_level_info"},
		{Value: "warn", Title: "log_level_warn"}, {Value: "error", Title: "log_level_error"},
	} {
		option.Chosen = option.Value == form.Level
		form.Levels = append(form.Levels, option)
	}
	form.IsSet = form.Level != "" || form.Text != ""
	return form, logFilter{lines, form.Level, form.Text}
}

// reach returns the number of lines to read.
func (f logFilter) reach() int {
	if f.Level == "" && f.Text == "" {
		return f.Lines
	}
	return searchedLogLines
}

// choose returns the last lines that the filter lets through, in parts. It
// shortens long parts, and returns fewer lines if they are too long together.
// In both cases short is true.
func (f logFilter) choose(lines []string) (chosen []logLine, short bool) {
	size := 0
	for _, line := range slices.Backward(lines) {
		if len(chosen) == f.Lines {
			break
		}
		parts := splitLogLine(line)
		if !strings.Contains(line, f.Text) || slices.Index(logLevels, parts.Level) < slices.Index(logLevels, f.Level) {
			continue
		}
		for _, part := range []*string{&parts.Time, &parts.Before, &parts.RequestID, &parts.After} {
			short = short || len(*part) > maxLogPart
			*part = shorten(*part, maxLogPart)
		}
		if size += parts.htmlSize(); size > maxLogHTML {
			short = true
			break
		}
		chosen = append(chosen, parts)
	}
	slices.Reverse(chosen)
	return chosen, short
}

// htmlSize returns about how many bytes the line has on the page.
func (l logLine) htmlSize() int {
	const tags = 80
	return tags + len(l.Time) + len(template.HTMLEscapeString(l.Before)) + 2*len(template.HTMLEscapeString(l.RequestID)) + len(template.HTMLEscapeString(l.After))
}

// splitLogLine returns the parts of a line. A line of the server starts with
// its time and its level; the file may also contain other lines, which are
// completely in Before.
func splitLogLine(line string) logLine {
	time, rest, _ := strings.Cut(line, " level=")
	level, _, _ := strings.Cut(rest, " ")
	level = strings.ToLower(level)
	if !strings.HasPrefix(time, "time=") || strings.Contains(time, " ") || !slices.Contains(logLevels, level) {
		return logLine{Before: line}
	}
	parts := logLine{Level: level, Time: time, Before: line[len(time):]}
	const key = " request_id="
	if at := strings.Index(parts.Before, key); at >= 0 {
		before, after := parts.Before[:at+len(key)], parts.Before[at+len(key):]
		parts.RequestID, _, _ = strings.Cut(after, " ")
		parts.Before, parts.After = before, after[len(parts.RequestID):]
	}
	return parts
}
