package logging_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"web-backend/internal/logging"
)

func TestFollow(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "server.log")
	appendTo := func(text string) {
		t.Helper()
		file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		if _, err = file.WriteString(text); err != nil {
			t.Fatal(err)
		}
		if err = file.Close(); err != nil {
			t.Fatal(err)
		}
	}
	rename := func(string) {
		if err := os.Rename(path, path+".1"); err != nil {
			t.Fatal(err)
		}
	}
	empty := func(string) {
		if err := os.Truncate(path, 0); err != nil {
			t.Fatal(err)
		}
	}
	appendTo("older\nold\n")
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	lines, follower, err := logging.Follow(file, 1)
	if err != nil || !slices.Equal(lines, []string{"old"}) {
		t.Fatalf("got %q, %v", lines, err)
	}
	defer func() {
		if err := follower.Close(); err != nil {
			t.Error(err)
		}
	}()
	for _, step := range []struct {
		name string
		do   func(text string)
		text string
		want []string
	}{
		{"nothing new", appendTo, "", nil},
		{"lines", appendTo, "one\ntwo\r\n", []string{"one", "two"}},
		{"half a line", appendTo, "th", nil},
		{"the other half", appendTo, "ree\nfour", []string{"three"}},
		{"not UTF-8", appendTo, "\xff\n", []string{"four\uFFFD"}},
		{"rotated", rename, "", nil},
		{"the new file", appendTo, "five\n", []string{"five"}},
		{"emptied", empty, "", nil},
		{"after that", appendTo, "six\n", []string{"six"}},
		{"an empty line", appendTo, "\n", []string{""}},
	} {
		step.do(step.text)
		got, err := follower.Lines()
		if err != nil || !slices.Equal(got, step.want) {
			t.Errorf("%s: got %q, %v; want %q", step.name, got, err, step.want)
		}
	}
}
