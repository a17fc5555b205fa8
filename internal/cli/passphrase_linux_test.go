package cli_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"web-backend/internal/cli"
)

// pseudoterminal returns both ends of a terminal: one for the user and one for
// the program.
func pseudoterminal(t *testing.T) (person, program *os.File) {
	t.Helper()
	// From asm-generic/ioctls.h.
	const unlock, number = 0x40045431, 0x80045430
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { person.Close() })
	var zero, n int32
	for request, argument := range map[uintptr]*int32{unlock: &zero, number: &n} {
		if _, _, code := syscall.Syscall(syscall.SYS_IOCTL, person.Fd(), request, uintptr(unsafe.Pointer(argument))); code != 0 {
			t.Skip(code)
		}
	}
	program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { program.Close() })
	return person, program
}

// screen collects the output of a command and signals each prompt.
type screen struct {
	mutex   sync.Mutex
	text    bytes.Buffer
	prompts chan struct{}
}

func (s *screen) Write(p []byte) (int, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if strings.HasSuffix(string(p), ": ") {
		s.prompts <- struct{}{}
	}
	return s.text.Write(p)
}

// A new passphrase is asked for twice and an old one once. Neither is shown.
func TestPassphrase_AtATerminal(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	withUsers(t, filepath.Join(folder, "data"))
	person, program := pseudoterminal(t)
	file, cheap := filepath.Join(folder, "e.age"), cheapExport(t, folder)
	for _, tt := range []struct {
		name  string
		args  []string
		types []string
		want  string // text of the error; "" for success
	}{
		{"too short", []string{"export", "--with-secrets", "--out", file}, []string{"short", "short"}, "it has 5 of at least 12 characters"},
		{"the second one empty", []string{"export", "--with-secrets", "--out", file}, []string{secretText, ""}, "the two passphrases differ"},
		{"two that differ", []string{"export", "--with-secrets", "--out", file}, []string{secretText, secretText + "x"}, "the two passphrases differ"},
		{"an empty one", []string{"export", "--with-secrets", "--out", file}, []string{""}, "the passphrase is empty"},
		{"a new one", []string{"export", "--with-secrets", "--out", file}, []string{secretText, secretText}, ""},
		{"a wrong one", []string{"import", cheap}, []string{"wrong"}, "the passphrase is not the one"},
		{"the right one", []string{"import", cheap}, []string{secretText}, ""},
	} {
		s := &screen{prompts: make(chan struct{}, 4)}
		status := make(chan int, 1)
		go func() {
			status <- cli.Main(t.Context(), tt.args, cli.Streams{In: program, ReadPassword: cli.PasswordReader(program), Out: io.Discard, Err: s, Getenv: func(name string) (string, bool) {
				value, ok := map[string]string{"WEB_BACKEND_DATA_DIR": filepath.Join(folder, "data")}[name]
				return value, ok
			}})
		}()
		for _, text := range tt.types {
			select {
			case <-s.prompts:
			case got := <-status:
				t.Fatalf("%s: status %d without a question: %s", tt.name, got, s.text.String())
			case <-time.After(time.Minute):
				t.Fatalf("%s: it does not ask", tt.name)
			}
			if _, err := io.WriteString(person, text+"\n"); err != nil {
				t.Fatal(err)
			}
		}
		got := <-status
		if printed := s.text.String(); (got == 0) != (tt.want == "") || !strings.Contains(printed, tt.want) || strings.Contains(printed, secretText) {
			t.Errorf("%s: status %d, printed %q, want %q", tt.name, got, printed, tt.want)
		}
	}
}

// cheapExport returns an export that secretText opens quickly.
func cheapExport(t *testing.T, folder string) string {
	t.Helper()
	identity, recipient := identityFile(t)
	export := ok(t, folder, "export", "--with-secrets", "--recipient", recipient).out
	return writeFile(t, "cheap", sealedWith(t, secretText, export, identity))
}

// If the user types nothing, a passphrase is generated. The terminal shows it,
// and it opens the export.
func TestPassphrase_Made(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	withUsers(t, filepath.Join(folder, "data"))
	person, program := pseudoterminal(t)
	file := filepath.Join(folder, "e.age")
	status := make(chan int, 1)
	go func() {
		got := cli.Main(t.Context(), []string{"export", "--quiet", "--with-secrets", "--out", file, "--data-dir", filepath.Join(folder, "data")}, cli.Streams{
			In: program, ReadPassword: cli.PasswordReader(program), Out: io.Discard, Err: program,
			Getenv: func(string) (string, bool) { return "", false },
		})
		program.Close() // ends the reading of its output
		status <- got
	}()
	shown := bufio.NewReader(person)
	if _, err := shown.ReadString(':'); err != nil { // the end of the prompt
		t.Fatal(err)
	}
	if _, err := io.WriteString(person, "\n"); err != nil {
		t.Fatal(err)
	}
	made := ""
	for made == "" {
		line, err := shown.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		_, made, _ = strings.Cut(strings.TrimSpace(line), "The passphrase is ")
	}
	if got := <-status; got != 0 || len(made) < 20 {
		t.Fatalf("status %d, and a passphrase of %d characters", got, len(made))
	}
	ok(t, folder, "import", file, "--passphrase-file", writeFile(t, "made", made))
}
