// Package logging makes the server's log: structured lines to the console and
// to a file that rotates, and reads the end of that file.
package logging

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/DeRuina/timberjack"
)

// Options say where log lines go.
type Options struct {
	Console      io.Writer
	ConsoleLevel slog.Level
	// Path is the log file; its folder is made. "" for none.
	Path      string
	FileLevel slog.Level
	MaxSizeMB int // megabytes at which the file is rotated
	MaxFiles  int // rotated files to keep beside the current one
}

// Log is a logger with the file behind it.
type Log struct {
	*slog.Logger

	console, file *lines // nil without a file; then lines are written as they come
	rotating      *timberjack.Logger
}

// Open opens the log. A file that cannot be written is an error now, not at
// the first line.
func Open(options Options) (*Log, error) {
	if options.Path == "" {
		console := slog.NewTextHandler(options.Console, &slog.HandlerOptions{Level: options.ConsoleLevel})
		return &Log{Logger: slog.New(console)}, nil
	}
	if err := os.MkdirAll(filepath.Dir(options.Path), 0o750); err != nil {
		return nil, fmt.Errorf("log folder %s cannot be made: %w", filepath.Dir(options.Path), err)
	}
	probe, err := os.OpenFile(options.Path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, fileMode)
	if err != nil {
		return nil, fmt.Errorf("log file %s cannot be written: %w", options.Path, err)
	}
	if err := probe.Close(); err != nil {
		return nil, fmt.Errorf("log file %s cannot be written: %w", options.Path, err)
	}
	rotating := &timberjack.Logger{
		Filename: options.Path, MaxSize: options.MaxSizeMB, MaxBackups: options.MaxFiles,
		LocalTime: true, FileMode: fileMode,
	}
	log := &Log{console: newLines(options.Console), file: newLines(rotating), rotating: rotating}
	log.Logger = slog.New(newHandler(log.console, options.ConsoleLevel, log.file, options.FileLevel, log.Flush))
	return log, nil
}

// fileMode lets the group read the log, as log collectors expect.
const fileMode = 0o640

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
	return errors.Join(l.file.close(), l.rotating.Close())
}
