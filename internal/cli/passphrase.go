package cli

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"web-backend/internal/backend"
	"web-backend/internal/move"
)

// messages returns where the progress of a command goes.
func messages(streams Streams, quiet bool) move.Messages {
	file, isFile := streams.Err.(*os.File)
	return move.Messages{Out: streams.Err, Terminal: isFile && term.IsTerminal(int(file.Fd())), Quiet: quiet}
}

// passphraseVariable is the environment variable with a passphrase. With the
// suffix _FILE it is the variable with the name of a file that contains the
// passphrase.
const passphraseVariable = "WEB_BACKEND_PASSPHRASE"

// maxPassphrase is the maximum size of a passphrase file, in bytes.
const maxPassphrase = 1 << 12

// passphraseSource describes where the passphrase of an export comes from.
type passphraseSource struct {
	file    string // --passphrase-file
	streams Streams
	twice   bool // the passphrase is new, so it is typed twice
	taken   bool // standard input is used for other data
}

// of returns a function that returns the passphrase. The function stops waiting
// when ctx ends. A new passphrase is checked. A passphrase that opens a file is
// not checked, because the file may have been encrypted with any bytes.
func (s passphraseSource) of(ctx context.Context) func() (backend.Secret, error) {
	return func() (backend.Secret, error) {
		passphrase, err := s.find(ctx)
		if err == nil && s.twice {
			err = checkNewSecret("passphrase", passphrase)
		}
		return passphrase, err
	}
}

// find looks for the passphrase: first in the file, then in the environment. If
// neither has it, find asks at the terminal.
func (s passphraseSource) find(ctx context.Context) (backend.Secret, error) {
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
	if s.streams.ReadPassword == nil || s.taken {
		return backend.Secret{}, errors.New("a passphrase is needed, and there is no terminal to ask for it: " +
			"use --passphrase-file, or set " + passphraseVariable + " or " + passphraseVariable + "_FILE")
	}
	if !s.twice {
		return typeSecret(ctx, s.streams, "passphrase", "Passphrase: ")
	}
	seen, prompt := messages(s.streams, false).Terminal, "New passphrase: "
	if seen { // standard error is a terminal, so the passphrase is shown only there
		prompt = "New passphrase (empty: one is made for you): "
	}
	passphrase, err := typeSecret(ctx, s.streams, "passphrase", prompt, "The same again: ")
	if seen && errors.Is(err, errNothingTyped) {
		made := rand.Text()
		fmt.Fprintf(s.streams.Err, "The passphrase is %s\nKeep it: it is shown this once only.\n", made)
		return backend.NewSecret(made), nil
	}
	return passphrase, err
}

// readPassphrase returns the first line of a file. The file may be a pipe.
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
	line, rest, _ := strings.Cut(strings.TrimPrefix(string(text), byteOrderMark), "\n")
	line = strings.TrimSuffix(line, "\r")
	if line == "" || strings.TrimSpace(rest) != "" || len(text) > maxPassphrase {
		return backend.Secret{}, fmt.Errorf("passphrase file %s: want one line with the passphrase, of at most %d bytes", path, maxPassphrase)
	}
	return backend.NewSecret(line), nil
}
