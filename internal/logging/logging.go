// Package logging writes the server's log: structured lines to the console and
// to a rotating file. It also reads the end of that file.
package logging

import (
	"errors"
	"io"
	"log/slog"
	"sync"
)

// Options configure the destinations of log lines.
type Options struct {
	Console      io.Writer
	ConsoleLevel slog.Level
	// Streams are standard output and standard error. Path may lead to one of
	// them.
	Streams []io.Writer
	// Path is the path of the log file, or "" for none. Its folder is created.
	// If the path leads to something other than a regular file, such as a link
	// to standard output, it is only written to.
	Path      string
	FileLevel slog.Level
	MaxSizeMB int // size in megabytes at which the file is rotated
	MaxFiles  int // number of rotated files to keep in addition to the current one
}

// Log is a logger together with its file.
type Log struct {
	*slog.Logger

	console, file *lines // nil without a file; then each line is written immediately
	opened        *logFile
	reports       struct{ console, file sync.WaitGroup } // reports that one of the two failed
}

// Open opens the log. If the file cannot be written, Open returns an error, so
// that the problem is not found only at the first line.
func Open(options Options) (*Log, error) {
	if options.Path == "" {
		console := slog.NewTextHandler(options.Console, &slog.HandlerOptions{Level: options.ConsoleLevel})
		return &Log{Logger: slog.New(console)}, nil
	}
	file, err := openFile(options)
	if err != nil {
		return nil, err
	}
	log := &Log{console: newLines(options.Console), file: newLines(file), opened: file}
	log.Logger = slog.New(newHandler(log.console, options.ConsoleLevel, log.file, options.FileLevel, log.Flush))
	// Each of the two reports a failure of the other. It does this in a new
	// goroutine, because neither must wait until the other accepts a line.
	log.console.failed = func(err error) {
		log.reports.console.Go(func() {
			log.onlyTo(log.file).Warn("standard error cannot be written; the log goes on in the file alone", "error", err)
		})
	}
	log.file.failed = func(err error) {
		log.reports.file.Go(func() {
			log.onlyTo(log.console).Warn("the log file cannot be written", "file", options.Path, "error", err)
		})
	}
	if !file.owner && file.seen != nil {
		log.Warn("another server writes this log file; it is rotated by that one alone",
			"file", options.Path, "remedy", "give each server its own (logger_cfg.logger_path, WEB_BACKEND_LOG_PATH)")
	}
	return log, nil
}

// onlyTo returns a logger that writes to one of the two.
func (*Log) onlyTo(lines *lines) *slog.Logger { return slog.New(slog.NewTextHandler(lines, nil)) }

// Flush returns when all earlier lines are written.
func (l *Log) Flush() {
	if l.file == nil {
		return
	}
	l.console.flush()
	l.file.flush()
}

// Close writes the remaining lines and closes the file. It does not return
// errors of the console; the file has a line about the first one.
func (l *Log) Close() error {
	if l.file == nil {
		return nil
	}
	_ = l.console.close()
	l.reports.console.Wait()
	err := l.file.close()
	l.reports.file.Wait()
	return errors.Join(err, l.opened.Close())
}
