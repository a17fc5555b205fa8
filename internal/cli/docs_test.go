package cli_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"web-backend/internal/cli"
)

// commandsPage describes every command under a heading of its own.
const commandsPage = "../../docs/commands.md"

// commonFlags stand once, under the heading of the flags of all commands.
const commonFlags = "Flags that choose the configuration"

// sections are the parts of a page by heading, without its backquotes.
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

// leaves are the commands that do something.
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

// Every command and each of its flags stands in docs/commands.md, with an
// example and what its exit status means.
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

// What the page shows of a command exists.
func TestDocs_NoOtherCommand(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile(commandsPage)
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]*kong.Node{}
	for _, command := range leaves(t) {
		known[command.Path()] = command
	}
	calls := regexp.MustCompile(`(?m)^\$ (?:.* \| )?web-backend ((?:[a-z-]+ ?)+)(.*)$`).FindAllStringSubmatch(string(data), -1)
	if len(calls) < len(known) {
		t.Errorf("the page has %d examples, want one of each of %d commands at least", len(calls), len(known))
	}
	for _, call := range calls {
		words := strings.Fields(call[1])
		var command *kong.Node
		for i := range words {
			if found := known[strings.Join(words[:i+1], " ")]; found != nil {
				command = found
			}
		}
		if command == nil {
			t.Errorf("%s: there is no such command", call[0])
			continue
		}
		for _, flag := range regexp.MustCompile(`--([a-z_-]+)`).FindAllStringSubmatch(call[2], -1) {
			if !hasFlag(command, flag[1]) {
				t.Errorf("%s: %s has no --%s", call[0], command.Path(), flag[1])
			}
		}
	}
}

func hasFlag(command *kong.Node, name string) bool {
	for _, flag := range command.Flags {
		if flag.Name == name {
			return true
		}
	}
	return false
}

// The help of every command says what it does, shows an example where there is
// more than one way, and is in a group of the list.
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
