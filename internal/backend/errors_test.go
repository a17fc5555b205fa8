package backend_test

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"strings"
	"testing"

	"web-backend/internal/backend"
)

// kindConstants returns the constants of type Kind in the source, so that the
// test finds a new one that is missing in the tables.
func kindConstants(t *testing.T) (names []string) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "errors.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, declaration := range file.Decls {
		group, ok := declaration.(*ast.GenDecl)
		if !ok || group.Tok != token.CONST {
			continue
		}
		for _, spec := range group.Specs {
			for _, name := range spec.(*ast.ValueSpec).Names {
				names = append(names, name.Name)
			}
		}
	}
	return names
}

func TestKinds_AreComplete(t *testing.T) {
	t.Parallel()
	constants := kindConstants(t)
	if len(constants) != len(backend.Kinds) {
		t.Errorf("Kinds: got %d of them, want all of %q", len(backend.Kinds), constants)
	}
	seen := make(map[string]bool)
	for i, kind := range backend.Kinds {
		if int(kind) != i || kind.Error() == "" || seen[kind.Error()] {
			t.Errorf("kind %d: got value %d and name %q, want each once, in order, with a name of its own", i, kind, kind.Error())
		}
		seen[kind.Error()] = true
	}
}

func TestError_HasOneKind(t *testing.T) {
	t.Parallel()
	for _, kind := range backend.Kinds {
		wrapped := fmt.Errorf("load: %w", fmt.Errorf("again: %w", &backend.Error{Kind: kind, Message: "m"}))
		if got := backend.KindOf(wrapped); got != kind {
			t.Errorf("kind of a wrapped %q: got %q", kind, got)
		}
		for _, other := range backend.Kinds {
			if got, want := errors.Is(wrapped, other), other == kind; got != want {
				t.Errorf("a %q is a %q: got %v, want %v", kind, other, got, want)
			}
		}
	}
}

func TestKindOf_OtherErrors(t *testing.T) {
	t.Parallel()
	outer := &backend.Error{Kind: backend.Unavailable, Cause: &backend.Error{Kind: backend.NotFound}}
	for _, c := range []struct {
		err  error
		want backend.Kind
	}{
		{io.EOF, backend.Internal}, {context.Canceled, backend.Internal}, {outer, backend.Unavailable},
		{errors.Join(io.EOF, backend.UserNotFound("ada")), backend.NotFound},
	} {
		if got := backend.KindOf(c.err); got != c.want {
			t.Errorf("kind of %v: got %q, want %q", c.err, got, c.want)
		}
	}
	if plain := errors.New("plain"); errors.Is(plain, backend.Internal) {
		t.Error("any error is Internal: got true, want it only of the domain's own errors")
	}
}

func TestError_KeepsItsCauseForTheLog(t *testing.T) {
	t.Parallel()
	err := &backend.Error{Kind: backend.Unavailable, Message: "try again", Cause: io.ErrUnexpectedEOF}
	if got, want := err.Error(), "try again: unexpected EOF"; got != want || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("got %q, is its cause: %v, want %q and true", got, errors.Is(err, io.ErrUnexpectedEOF), want)
	}
	if got := (&backend.Error{Message: "alone"}).Error(); got != "alone" {
		t.Errorf("without a cause: got %q, want %q", got, "alone")
	}
}

func TestErrors_NameWhatTheyAreAbout(t *testing.T) {
	t.Parallel()
	key := backend.CharacterKey{UserID: "user \"1\"\n", CharacterID: "character/2"}
	for _, c := range []struct {
		err  error
		kind backend.Kind
		want string
	}{
		{backend.UserNotFound(key.UserID), backend.NotFound, `user "user \"1\"\n" does not exist`},
		{backend.UserExists(key.UserID), backend.Exists, `user "user \"1\"\n" exists already`},
		{backend.UsernameTaken("ada"), backend.Exists, `user name "ada" is taken`},
		{backend.CharacterNotFound(key), backend.NotFound, `character "character/2" of user "user \"1\"\n" does not exist`},
		{backend.CharacterExists(key), backend.Exists, `character "character/2" of user "user \"1\"\n" exists already`},
		{backend.CharacterReadOnly(key), backend.ReadOnly, `character "character/2" is read-only; duplicate it and change the copy`},
	} {
		if c.err.Error() != c.want || backend.KindOf(c.err) != c.kind {
			t.Errorf("got %q of kind %q, want %q of kind %q", c.err, backend.KindOf(c.err), c.want, c.kind)
		}
	}
}

func TestErrors_ShortenLongIDs(t *testing.T) {
	t.Parallel()
	exactly, longer := strings.Repeat("長", 64), strings.Repeat("長", 65)
	if got, want := backend.UserNotFound(exactly).Error(), `user "`+exactly+`" does not exist`; got != want {
		t.Errorf("64 characters: got %q, want %q", got, want)
	}
	if got, want := backend.UserNotFound(longer).Error(), `user "`+exactly+`"… does not exist`; got != want {
		t.Errorf("65 characters: got %q, want %q", got, want)
	}
}

func TestValidText(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"": true, "plain": true, "长 🫖\n\t\u202e\ufffd\x01": true, "\x00": false, "a\x00b": false, "a\x00": false,
		"\xff": false, "a\xed\xa0\x80b": false, "\xc0\x80": false, "cut \xe9\x95": false,
	} {
		if got := backend.ValidText(text); got != want {
			t.Errorf("%q: got %v, want %v", text, got, want)
		}
	}
}
