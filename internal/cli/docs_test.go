package cli_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"web-backend/internal/cli"
)

// commandsPage describes every command under a separate heading.
const commandsPage = "../../docs/commands.md"

// commonFlags is the heading of the flags that all commands share. They are
// described only once.
const commonFlags = "Flags that choose the configuration"

// sections returns the parts of a page by heading, without the backquotes of
// the heading.
func sections(markdown string) map[string]string {
	parts := map[string]string{}
	heading, fenced := "", false
	for line := range strings.Lines(markdown) {
		if strings.HasPrefix(line, "```") {
			fenced = !fenced
		}
		if title, ok := strings.CutPrefix(line, "#"); ok && !fenced {
			heading = strings.ReplaceAll(strings.Trim(title, "# \n"), "`", "")
			continue
		}
		parts[heading] += line
	}
	return parts
}

// leaves returns the commands that do something themselves, so not the groups.
func leaves(t *testing.T) []*kong.Node {
	t.Helper()
	model, err := cli.Model()
	if err != nil {
		t.Fatal(err)
	}
	all := model.Leaves(true)
	if len(all) < 10 {
		t.Fatalf("there are only %d commands", len(all))
	}
	return all
}

// docs/commands.md describes every command and each of its flags, with an
// example and the meaning of its exit status.
func TestDocs_EveryCommand(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile(commandsPage)
	if err != nil {
		t.Fatal(err)
	}
	parts := sections(string(data))
	var lacking []string
	for _, command := range leaves(t) {
		text, ok := parts[command.Path()]
		if !ok {
			lacking = append(lacking, "the heading "+command.Path())
			continue
		}
		if !strings.Contains(text, "$ web-backend "+command.Path()) {
			lacking = append(lacking, command.Path()+": an example, $ web-backend "+command.Path())
		}
		if !strings.Contains(text, "Exit status") {
			lacking = append(lacking, command.Path()+": Exit status")
		}
		for _, flag := range command.Flags {
			if name := "`--" + flag.Name; !flag.Hidden && !strings.Contains(text+parts[commonFlags], name) {
				lacking = append(lacking, command.Path()+": "+name+"`")
			}
		}
	}
	if len(lacking) > 0 {
		t.Errorf("%s lacks:\n  %s", commandsPage, strings.Join(lacking, "\n  "))
	}
}

// commandLine is one use of the program in a document.
type commandLine struct {
	args  []string
	whole bool // it is in a block, so it has all its arguments
}

var (
	block      = regexp.MustCompile("(?ms)^ *```([a-z]*)\n(.*?)^ *```$")
	inlineCode = regexp.MustCompile("`((?:docker exec web-backend /)?web-backend [^`]*)`")
	// called finds the program where a shell looks for a command: at the
	// beginning of a line, after a prompt, or after text that can come before a
	// command.
	called = regexp.MustCompile(`(?:^\s*(?:\$ )?|[|;&(] *|exec |docker exec web-backend /)` +
		`(?:sudo |[A-Z_]+=\S* )*(?:\./|/usr/bin/)?web-backend(?: +([^#|;&<>)]*)|$)`)
)

// commandLines returns the uses of the program in the shell blocks and the
// inline code of a document.
func commandLines(markdown string) []commandLine {
	var found []commandLine
	add := func(text string, whole bool) {
		for _, match := range called.FindAllStringSubmatch(text, -1) {
			args := strings.Fields(strings.NewReplacer("'", " ", `"`, " ").Replace(match[1]))
			if !whole {
				if last := len(args) - 1; last > 0 && args[last] == "…" && !strings.HasPrefix(args[last-1], "--") {
					args = args[:last] // stands for any command of a group
				}
				args = append(args, "--help")
			}
			found = append(found, commandLine{args, whole})
		}
	}
	for _, match := range block.FindAllStringSubmatch(markdown, -1) {
		if !slices.Contains([]string{"", "sh", "console"}, match[1]) {
			continue
		}
		for line := range strings.SplitSeq(strings.ReplaceAll(match[2], "\\\n", " "), "\n") {
			if match[1] != "console" || strings.HasPrefix(line, "$ ") {
				add(line, true)
			}
		}
	}
	for _, match := range inlineCode.FindAllStringSubmatch(block.ReplaceAllString(markdown, ""), -1) {
		add(match[1], false)
	}
	return found
}

// Every use of the program in a document is a valid command line.
func TestDocs_EveryCommandLine(t *testing.T) {
	t.Parallel()
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	pages = append(pages, "../../README.md", "../../CHANGELOG.md")
	blocks, inline, seen := 0, 0, map[string]bool{}
	for _, page := range pages {
		data, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range commandLines(string(data)) {
			if line.whole {
				blocks++
			} else {
				inline++
			}
			text := strings.Join(line.args, " ")
			if seen[text] || strings.HasPrefix(text, "COMMAND ") {
				continue
			}
			seen[text] = true
			if err := cli.Parse(line.args); err != nil {
				t.Errorf("%s: web-backend %s: %v", page, text, err)
			}
		}
	}
	if blocks < 50 || inline < 40 {
		t.Errorf("only %d command lines in blocks and %d in texts were found", blocks, inline)
	}
	t.Logf("%d command lines in blocks, %d in texts", blocks, inline)
}

func TestCommandLines(t *testing.T) {
	t.Parallel()
	const document = "Run `web-backend user …` or `docker exec web-backend /web-backend version`, in `/etc/web-backend/x`.\n" +
		"```sh\nweb-backend\ncd x && ./web-backend --port 1   # `web-backend no`\nA=b sudo web-backend backup \\\n  --out 'x'\n" +
		"docker run web-backend -p 80\nx | web-backend import - > y\n```\n" +
		"  ```console\n$ web-backend version --json\nweb-backend is a program\n```\n```yaml\nweb-backend: 1\n```\n"
	var got []string
	for _, line := range commandLines(document) {
		got = append(got, strings.Join(line.args, " "))
	}
	want := []string{"", "--port 1", "backup --out x", "import -", "version --json", "user --help", "version --help"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// The help of every command says what the command does, shows an example if it
// can be used in more than one way, and is in a group of the list.
func TestHelp_OfEveryCommand(t *testing.T) {
	t.Parallel()
	var lacking []string
	for _, command := range leaves(t) {
		if command.ClosestGroup() == nil {
			lacking = append(lacking, command.Path()+`: a group, such as group:"data" in type commands`)
		}
		if command.Help == "" {
			lacking = append(lacking, command.Path()+": help")
		}
		if !strings.Contains(command.Detail, "    web-backend") {
			lacking = append(lacking, command.Path()+": an example in its method Help")
		}
		for _, flag := range command.Flags {
			if flag.Help == "" {
				lacking = append(lacking, command.Path()+": help of --"+flag.Name)
			}
		}
		p := &place{folder: t.TempDir()}
		got := p.run(t, "", append(strings.Fields(command.Path()), "--help")...)
		if got.status != 0 || !strings.Contains(got.out, "Usage: web-backend "+command.Path()) {
			t.Errorf("%s --help: got %+v", command.Path(), got)
		}
	}
	if len(lacking) > 0 {
		t.Errorf("commands lack:\n  %s", strings.Join(lacking, "\n  "))
	}
}
