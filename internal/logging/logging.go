// Package logging makes the server's log: structured lines to the console and
// to a file that rotates, and reads the end of that file.
package logging

import (
	"errors"
	"io"
	"log/slog"
)

// Options say where log lines go.
type Options struct {
	Console      io.Writer
	ConsoleLevel slog.Level
	// Streams are standard output and standard error, to which Path may lead.
	Streams []io.Writer
	// Path is the log file; its folder is made. "" for none. What is there and is
	// no file, as a link to standard output, is only written to.
	Path      string
	FileLevel slog.Level
	MaxSizeMB int // megabytes at which the file is rotated
	MaxFiles  int // rotated files to keep beside the current one
}

// Log is a logger with the file behind it.
type Log struct {
	*slog.Logger

	console, file *lines // nil without a file; then lines are written as they come
	opened        *logFile
}

// Open opens the log. A file that cannot be written is an error now, not at
// the first line.
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
	// Each of the two says what became of the other, from a goroutine of its own:
	// neither must wait for the other to take a line.
	log.console.failed = func(err error) {
		go log.onlyTo(log.file).Warn("standard error cannot be written; the log goes on in the file alone", "error", err)
	}
	log.file.failed = func(err error) {
		go log.onlyTo(log.console).Warn("the log file cannot be written", "file", options.Path, "error", err)
	}
	if !file.owner && file.seen != nil {
		log.Warn("another server writes this log file; it is rotated by that one alone",
			"file", options.Path, "remedy", "give each server its own (logger_cfg.logger_path, WEB_BACKEND_LOG_PATH)")
	}
	return log, nil
}

// onlyTo logs to one of the two.
func (*Log) onlyTo(lines *lines) *slog.Logger { return slog.New(slog.NewTextHandler(lines, nil)) }

// Flush returns when every line that was logged before is written.
func (l *Log) Flush() {
	if l.file == nil {
		return
	}
	l.console.flush()
	l.file.flush()
}

// Close writes what is left, and closes the file. A console that cannot be
// written to is nothing to report: nobody would see it.
func (l *Log) Close() error {
	if l.file == nil {
		return nil
	}
	_ = l.console.close()
	return errors.Join(l.file.close(), l.opened.Close())
}
