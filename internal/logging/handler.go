package logging

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strconv"
	"time"
)

// handler writes records to the console and to the file. Each has its own
// minimum level. A record for both is formatted only once. A warning or an
// error is written before Handle returns.
type handler struct {
	flush                   func() // returns when all records are written
	console, file, both     slog.Handler
	consoleLevel, fileLevel slog.Level
}

// newHandler returns a handler with two writers. Both must be safe for
// concurrent use.
func newHandler(console io.Writer, consoleLevel slog.Level, file io.Writer, fileLevel slog.Level, flush func()) *handler {
	every := &slog.HandlerOptions{Level: min(consoleLevel, fileLevel), ReplaceAttr: inMilliseconds}
	return &handler{
		flush:        flush,
		console:      slog.NewTextHandler(console, every),
		file:         slog.NewTextHandler(file, every),
		both:         slog.NewTextHandler(eachWriter{console, file}, every),
		consoleLevel: consoleLevel, fileLevel: fileLevel,
	}
}

// inMilliseconds writes every duration in the same unit, so that lines can be
// compared and sorted.
func inMilliseconds(_ []string, attr slog.Attr) slog.Attr {
	if attr.Value.Kind() == slog.KindDuration {
		milliseconds := float64(attr.Value.Duration()) / float64(time.Millisecond)
		attr.Value = slog.StringValue(strconv.FormatFloat(milliseconds, 'f', 3, 64) + "ms")
	}
	return attr
}

// Enabled implements [slog.Handler].
func (h *handler) Enabled(_ context.Context, level slog.Level) bool {
	return level >= min(h.consoleLevel, h.fileLevel)
}

// Handle implements [slog.Handler].
func (h *handler) Handle(ctx context.Context, record slog.Record) error {
	to := h.both
	switch {
	case record.Level < h.fileLevel:
		to = h.console
	case record.Level < h.consoleLevel:
		to = h.file
	}
	err := to.Handle(ctx, record)
	if record.Level >= slog.LevelWarn {
		h.flush()
	}
	return err
}

// WithAttrs implements [slog.Handler].
func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return h.with(func(next slog.Handler) slog.Handler { return next.WithAttrs(attrs) })
}

// WithGroup implements [slog.Handler].
func (h *handler) WithGroup(name string) slog.Handler {
	return h.with(func(next slog.Handler) slog.Handler { return next.WithGroup(name) })
}

func (h *handler) with(add func(slog.Handler) slog.Handler) slog.Handler {
	changed := *h
	changed.console, changed.file, changed.both = add(h.console), add(h.file), add(h.both)
	return &changed
}

// eachWriter writes to all its writers, even if one fails.
type eachWriter [2]io.Writer

func (w eachWriter) Write(line []byte) (int, error) {
	_, first := w[0].Write(line)
	_, second := w[1].Write(line)
	return len(line), errors.Join(first, second)
}
