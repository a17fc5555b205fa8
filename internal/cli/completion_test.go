package cli_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"web-backend/internal/cli"
)

// TestMain makes the test program behave as web-backend if it is called by this
// name, because the completion scripts start the program.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "web-backend" {
		streams := cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Getenv: os.LookupEnv}
		os.Exit(cli.Main(context.Background(), os.Args[1:], streams))
	}
	m.Run()
}

func readText(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// completed is what a shell must offer for a line: words that must be offered,
// and words that must not be offered.
var completed = []struct{ line, with, without string }{
	{"", "serve user healthcheck completion keys", "list bash --help"},
	{"us", "user", "serve"},
	{"user ", "list show create delete set-password set-key unset-key", "serve user"},
	{"user set", "set-password", "show"},
	{"user show --", "--username --json --config_path --help", "--yes --url --out"},
	{"user delete --username --json --", "--yes --username", "--out"}, // here --json is the user name
	{"--data-dir user ", "serve user", "list"},                        // here user is the folder
	{"--", "--port --help", "--json"},                                 // flags of serve, which is the default command
	{"serve --access ", "open guarded strict", "serve none"},
	{"serve --access g", "guarded", "open"},
	{"serve --access=g", "guarded", "open"},
	{"serve --access=open ", "", "open list"},
	{"--config user ", "serve user", "list"}, // another name of --config_path
	{"completion ", "bash zsh fish", "serve"},
	{"openapi --out ", "here.yaml folder", "serve"},
	{"openapi --out=he", "here.yaml", "folder"},
	{"serve --data-dir ", "folder", "here.yaml"},
	{"serve --port ", "", "here.yaml serve --port"},
	{"keys ", "doctor rotate", "keys"},
	{"motion ", "check demo", "motion"},
	{"motion demo ", "folder", "here.yaml"},
	{"motion check ", "folder", "here.yaml"},
}

// The scripts work in real shells. A shell that is not installed is skipped,
// and the test reports it.
func TestCompletion(t *testing.T) {
	t.Parallel()
	for shell, complete := range map[string]func(script, line string) []string{
		"bash": func(script, line string) []string {
			return []string{"--norc", "-c", `source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); compopt() { :; }; ` +
				`complete -p web-backend >&2; _web_backend; printf '%s\n' "${COMPREPLY[@]}"`, "bash", script, "web-backend", line}
		},
		// zsh completes only at a terminal, so functions replace the builtins
		// that the script calls.
		"zsh": func(script, line string) []string {
			return []string{"-f", "-c", `compdef() { :; }; compadd() { shift; print -l -- "$@"; }; compset() { :; }; ` +
				`_describe() { print -l -- "${${(P)2}[@]%%:*}"; }; ` +
				`_files() { if [[ $1 == -/ ]]; then print -l -- *(/); else print -l -- *; fi; }; ` +
				`source "$1"; shift; words=("$@"); CURRENT=$#; _web_backend`, "zsh", script, "web-backend", line}
		},
		"fish": func(script, line string) []string {
			return []string{"--no-config", "-c", `source $argv[1]; complete -C (string join -- ' ' $argv[2..-1])`, script, "web-backend", line}
		},
	} {
		t.Run(shell, func(t *testing.T) {
			t.Parallel()
			if _, err := exec.LookPath(shell); err != nil {
				t.Skipf("SKIPPED: completion in %s was NOT tested, because this machine has none", shell)
			}
			p := &place{folder: t.TempDir()}
			script, work, environment := completionPlace(t, p, shell)
			for _, tt := range completed {
				line := tt.line
				if shell == "bash" { // it makes "=" a word of its own
					line = strings.ReplaceAll(line, "=", " = ")
				}
				words := complete(script, "")
				words = append(words[:len(words)-1], strings.Split(line, " ")...)
				command := exec.CommandContext(t.Context(), shell, words...)
				command.Dir, command.Env = work, environment
				output, err := command.Output()
				if err != nil {
					t.Errorf("%q: %v: %s", tt.line, err, output)
				}
				checkOffers(t, tt.line, string(output), tt.with, tt.without)
			}
		})
	}
}

// completionPlace writes the script of a shell. It returns its path, a folder
// with something to complete, and an environment that has the program.
func completionPlace(t *testing.T, p *place, shell string) (script, work string, environment []string) {
	t.Helper()
	script, work = filepath.Join(p.folder, "script"), filepath.Join(p.folder, "work")
	writeNew(t, script, p.must(t, "", "completion", shell)+"\n")
	programs := filepath.Join(p.folder, "bin")
	for _, folder := range []string{programs, filepath.Join(work, "folder")} {
		if err := os.MkdirAll(folder, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	writeNew(t, filepath.Join(work, "here.yaml"), "")
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(program, filepath.Join(programs, "web-backend")); err != nil {
		t.Fatal(err)
	}
	return script, work, append(os.Environ(), "PATH="+programs+string(os.PathListSeparator)+os.Getenv("PATH"),
		"HOME="+p.folder, "XDG_CONFIG_HOME="+p.folder, "XDG_DATA_HOME="+p.folder)
}

// checkOffers checks the words that a shell offered. output has one word per
// line, in zsh and fish possibly followed by a help text. Only words that begin
// with the end of the line count.
func checkOffers(t *testing.T, line, output, with, without string) {
	t.Helper()
	begun := line[strings.LastIndexAny(line, " =")+1:]
	var offers []string
	for offer := range strings.Lines(output) {
		offer, _, _ = strings.Cut(strings.TrimSpace(offer), "\t")
		offer = offer[strings.LastIndex(offer, "=")+1:] // zsh and fish complete --flag=value as one word
		if offer = strings.TrimSuffix(offer, "/"); strings.HasPrefix(offer, begun) {
			offers = append(offers, offer)
		}
	}
	for want := range strings.FieldsSeq(with) {
		if !slices.Contains(offers, want) {
			t.Errorf("%q: %q lacks %q", line, offers, want)
		}
	}
	for not := range strings.FieldsSeq(without) {
		if slices.Contains(offers, not) {
			t.Errorf("%q: %q has %q", line, offers, not)
		}
	}
}

func writeNew(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestCompletion_UnknownShell(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"completion"}, {"completion", "tcsh"}, {"completion", "bash", "zsh"}} {
		p := &place{folder: t.TempDir()}
		if got := p.run(t, "", args...); got.status != 2 || got.out != "" {
			t.Errorf("%q: got %+v", args, got)
		}
	}
}

// The shells can parse the scripts.
func TestCompletion_Syntax(t *testing.T) {
	t.Parallel()
	p := &place{folder: t.TempDir()}
	for _, shell := range []string{"bash", "zsh", "fish"} {
		if _, err := exec.LookPath(shell); err != nil {
			t.Logf("SKIPPED: %s is not on this machine", shell)
			continue
		}
		path := filepath.Join(p.folder, shell)
		writeNew(t, path, p.must(t, "", "completion", shell)+"\n")
		if output, err := exec.CommandContext(t.Context(), shell, "-n", path).CombinedOutput(); err != nil {
			t.Errorf("%s -n: %v\n%s", shell, err, fmt.Sprintf("%.2000s", output))
		}
	}
}
