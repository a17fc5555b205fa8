package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"web-backend/internal/backend"
)

// PasswordReader returns the function for [Streams.ReadPassword]. It reads a
// password from file if file is a terminal; otherwise PasswordReader returns
// nil.
func PasswordReader(file *os.File) func(ctx context.Context) (string, error) {
	descriptor := int(file.Fd())
	if !term.IsTerminal(descriptor) {
		return nil
	}
	return func(ctx context.Context) (string, error) {
		before, err := term.GetState(descriptor)
		if err != nil {
			return "", err
		}
		type line struct {
			text []byte
			err  error
		}
		read := make(chan line, 1)
		go func() {
			text, err := term.ReadPassword(descriptor)
			read <- line{text, err}
		}()
		select {
		case got := <-read:
			return string(got.text), got.err
		case <-ctx.Done(): // Ctrl-C; turn the echo of the terminal on again
			return "", errors.Join(ctx.Err(), term.Restore(descriptor, before))
		}
	}
}

// askPassword reads a new password. At a terminal the user types it twice;
// otherwise it is the first line of standard input. It is never an argument,
// because process lists and shell histories show arguments.
func askPassword(ctx context.Context, streams Streams) (backend.Secret, error) {
	read := func() (backend.Secret, error) { return readSecretLine(streams.In, "password") }
	if streams.ReadPassword != nil {
		read = func() (backend.Secret, error) {
			return typeSecret(ctx, streams, "password", "New password: ", "The same again: ")
		}
	}
	password, err := read()
	if err != nil {
		return backend.Secret{}, err
	}
	return password, checkNewSecret("password", password)
}

// checkNewSecret returns an error if the secret might be impossible to type on
// another machine. what is the name of the secret, for the error.
func checkNewSecret(what string, secret backend.Secret) error {
	if err := backend.CheckText(secret.Reveal()); err != nil {
		return fmt.Errorf("the %s %w; nothing was done", what, err)
	}
	if strings.HasPrefix(secret.Reveal(), byteOrderMark) {
		return fmt.Errorf("the %s begins with a byte order mark; save it without one; nothing was done", what)
	}
	return nil
}

// byteOrderMark is what some editors and shells write before a text. It is not
// part of the text.
const byteOrderMark = "\ufeff"

// errNothingTyped is the error for an empty line at the terminal.
var errNothingTyped = errors.New("is empty")

// typeSecret asks for a secret at the terminal, once for each prompt. It
// returns an error unless all texts are the same. what is the name of the
// secret, for errors.
func typeSecret(ctx context.Context, streams Streams, what string, prompts ...string) (backend.Secret, error) {
	var first string
	for i, prompt := range prompts {
		fmt.Fprint(streams.Err, prompt)
		text, err := streams.ReadPassword(ctx)
		fmt.Fprintln(streams.Err)
		switch {
		case err != nil:
			return backend.Secret{}, fmt.Errorf("read the %s: %w", what, err)
		case i == 0 && text == "":
			return backend.Secret{}, fmt.Errorf("the %s %w; nothing was done", what, errNothingTyped)
		case i == 0:
			first = text
		case text != first:
			return backend.Secret{}, fmt.Errorf("the two %ss differ; nothing was done", what)
		}
	}
	return backend.NewSecret(first), nil
}

// maxSecretLine is the maximum number of bytes that is read from standard
// input. The rules for passwords allow less.
const maxSecretLine = 64 << 10

// readSecretLine reads the first line of in. what is the name of the secret,
// for errors.
func readSecretLine(in io.Reader, what string) (backend.Secret, error) {
	if in == nil {
		in = strings.NewReader("")
	}
	line, err := bufio.NewReader(io.LimitReader(in, maxSecretLine)).ReadString('\n')
	switch {
	case errors.Is(err, io.EOF) && line == "":
		return backend.Secret{}, fmt.Errorf("there is no %s: type it at a terminal, or send it as a line to standard input", what)
	case err != nil && !errors.Is(err, io.EOF):
		return backend.Secret{}, fmt.Errorf("read the %s from standard input: %w", what, err)
	case err != nil && len(line) == maxSecretLine:
		return backend.Secret{}, fmt.Errorf("the first line of standard input is too long for a %s; nothing was done", what)
	}
	line = strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")
	return backend.NewSecret(strings.TrimPrefix(line, byteOrderMark)), nil
}

// confirm asks the user whether to go on. what describes what will happen.
// Without a terminal it cannot ask, so it returns an error unless yes is set.
func confirm(ctx context.Context, streams Streams, yes bool, what string) error {
	if yes {
		return nil
	}
	if streams.ReadPassword == nil {
		return fmt.Errorf("%s: add --yes to do it without a terminal to ask at", what)
	}
	fmt.Fprintf(streams.Err, "%s? Type yes to go on: ", what)
	answer := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(streams.In).ReadString('\n') // without an answer, line is not "yes"
		answer <- line
	}()
	select {
	case line := <-answer:
		if strings.TrimSpace(line) == "yes" {
			return nil
		}
		return errors.New("nothing was changed")
	case <-ctx.Done():
		return fmt.Errorf("nothing was changed: %w", ctx.Err())
	}
}
