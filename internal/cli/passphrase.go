package cli

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"web-backend/internal/app"
	"web-backend/internal/backend"
)

// messages says where a command's progress goes.
func messages(streams Streams, quiet bool) app.Messages {
	_, terminal := terminalOf(streams.Err)
	return app.Messages{Out: streams.Err, Terminal: terminal, Quiet: quiet}
}

// terminalOf gives the descriptor of a stream that is a terminal.
func terminalOf(stream any) (descriptor int, ok bool) {
	file, isFile := stream.(*os.File)
	if !isFile {
		return 0, false
	}
	descriptor = int(file.Fd())
	return descriptor, term.IsTerminal(descriptor)
}

// passphraseVariable holds a passphrase; with _FILE, the name of a file with it.
const passphraseVariable = "WEB_BACKEND_PASSPHRASE"

// maxPassphrase bounds the file of a passphrase, in bytes.
const maxPassphrase = 1 << 12

// passphraseSource finds the passphrase of an export.
type passphraseSource struct {
	file    string // --passphrase-file
	streams Streams
	twice   bool // it is a new one
	taken   bool // standard input is something else
}

// of gives the function that asks, until ctx ends: first the file, then the
// environment, then the person at the terminal.
func (s passphraseSource) of(ctx context.Context) func() (backend.Secret, error) {
	return func() (backend.Secret, error) {
		path := s.file
		if path == "" {
			if text, ok := s.streams.Getenv(passphraseVariable); ok && text != "" {
				return backend.NewSecret(text), nil
			}
			path, _ = s.streams.Getenv(passphraseVariable + "_FILE")
		}
		if path != "" {
			return readPassphrase(path)
		}
		descriptor, ok := terminalOf(s.streams.In)
		if !ok || s.taken {
			return backend.Secret{}, errors.New("a passphrase is needed, and there is no terminal to ask for it: " +
				"use --passphrase-file, or set " + passphraseVariable + " or " + passphraseVariable + "_FILE")
		}
		return s.ask(ctx, descriptor)
	}
}

// readPassphrase gives the first line of a file, which may be a pipe.
func readPassphrase(path string) (backend.Secret, error) {
	file, err := os.Open(path)
	if err != nil {
		return backend.Secret{}, fmt.Errorf("passphrase file: %w", err)
	}
	defer file.Close() //nolint:errcheck // it was only read
	text, err := io.ReadAll(io.LimitReader(file, maxPassphrase+1))
	if err != nil {
		return backend.Secret{}, fmt.Errorf("passphrase file: %w", err)
	}
	line, rest, _ := strings.Cut(string(text), "\n")
	line = strings.TrimSuffix(line, "\r")
	if line == "" || strings.TrimSpace(rest) != "" || len(text) > maxPassphrase {
		return backend.Secret{}, fmt.Errorf("passphrase file %s: want one line with the passphrase, of at most %d bytes", path, maxPassphrase)
	}
	return backend.NewSecret(line), nil
}

// ask asks at a terminal, which shows nothing of what is typed.
func (s passphraseSource) ask(ctx context.Context, descriptor int) (backend.Secret, error) {
	passphrase, err := s.prompt(ctx, descriptor, "Passphrase: ")
	if err != nil {
		return backend.Secret{}, err
	}
	if len(passphrase) == 0 {
		return backend.Secret{}, errors.New("the passphrase is empty")
	}
	if s.twice {
		again, err := s.prompt(ctx, descriptor, "Once more: ")
		if err != nil {
			return backend.Secret{}, err
		}
		if subtle.ConstantTimeCompare(passphrase, again) == 0 {
			return backend.Secret{}, errors.New("the two passphrases differ")
		}
	}
	return backend.NewSecret(string(passphrase)), nil
}

// prompt reads one line. When ctx ends first the terminal shows again what is
// typed.
func (s passphraseSource) prompt(ctx context.Context, descriptor int, text string) ([]byte, error) {
	state, err := term.GetState(descriptor)
	if err != nil {
		return nil, err
	}
	fmt.Fprint(s.streams.Err, text)
	defer fmt.Fprintln(s.streams.Err)
	type line struct {
		text []byte
		err  error
	}
	read := make(chan line, 1)
	go func() { // it outlives a ctx that ends; the process does not
		text, err := term.ReadPassword(descriptor)
		read <- line{text, err}
	}()
	select {
	case got := <-read:
		return got.text, got.err
	case <-ctx.Done():
		return nil, errors.Join(ctx.Err(), term.Restore(descriptor, state))
	}
}
