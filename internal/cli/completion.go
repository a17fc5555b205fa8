package cli

import (
	"embed"
	"fmt"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// completionCommand prints the completion script of a shell. The script calls
// completeCommand.
type completionCommand struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

// completionScripts are the scripts, one for each shell.
//
//go:embed completion.bash completion.zsh completion.fish
var completionScripts embed.FS

// Help implements kong.HelpProvider.
func (completionCommand) Help() string {
	return `It completes commands, flags, values of flags, and file names.

    source <(web-backend completion bash)
    web-backend completion bash > /etc/bash_completion.d/web-backend
    web-backend completion zsh > ~/.zfunc/_web-backend
    web-backend completion fish > ~/.config/fish/completions/web-backend.fish`
}

// Run prints the script.
func (c *completionCommand) Run(streams Streams) error {
	script, err := completionScripts.ReadFile("completion." + c.Shell)
	if err != nil {
		return err
	}
	_, err = streams.Out.Write(script)
	return err
}

// completeCommand prints what can be the last of the words of a command line,
// one per line: the word, and after a tab what it means. The line ":file" or
// ":folder" means the names of files or folders.
type completeCommand struct {
	Words []string `arg:"" optional:""`
}

// Run prints the lines.
func (c *completeCommand) Run(context *kong.Context, streams Streams) error {
	for _, line := range completions(context.Model.Node, c.Words) {
		if _, err := fmt.Fprintln(streams.Out, line); err != nil {
			return err
		}
	}
	return nil
}

// completions returns the lines of completeCommand.
func completions(node *kong.Node, words []string) (lines []string) {
	var last string
	var flag *kong.Flag // the flag whose value comes next, if any
	for i, word := range words {
		switch last = word; {
		case i == len(words)-1:
		case word == "=": // bash makes three words of --flag=value
		case flag != nil:
			flag = nil
		case strings.HasPrefix(word, "--"):
			flag = flagOf(node, word)
		default:
			if index := slices.IndexFunc(node.Children, func(child *kong.Node) bool { return child.Name == word }); index >= 0 {
				node = node.Children[index]
			}
		}
	}
	name, _, assigned := strings.Cut(last, "=")
	switch {
	case flag != nil:
		return values(flag.Value, flag.PlaceHolder, "")
	case assigned && flagOf(node, name) != nil:
		flag = flagOf(node, name)
		return values(flag.Value, flag.PlaceHolder, name+"=")
	case strings.HasPrefix(last, "-"):
		for _, flag := range flagsOf(node) {
			lines = append(lines, "--"+flag.Name+"\t"+flag.Help)
		}
	default:
		for _, child := range node.Children {
			if !child.Hidden {
				lines = append(lines, child.Name+"\t"+child.Help)
			}
		}
		for _, argument := range node.Positional {
			lines = append(lines, values(argument, argument.Name, "")...)
		}
	}
	return lines
}

// flagsOf returns the flags that node has, and those of its default command,
// which are allowed without its name.
func flagsOf(node *kong.Node) []*kong.Flag {
	if node.DefaultCmd != nil {
		node = node.DefaultCmd
	}
	return slices.Concat(node.AllFlags(true)...)
}

// flagOf returns the flag that word names if it takes a value; nil otherwise.
func flagOf(node *kong.Node, word string) *kong.Flag {
	for _, flag := range flagsOf(node) {
		if !flag.IsBool() && slices.Contains(append(flag.Aliases, flag.Name), strings.TrimPrefix(word, "--")) {
			return flag
		}
	}
	return nil
}

// values returns the lines of the values of a flag or an argument, each with
// prefix before it. The words come from the tag enum, or from the tag complete
// if another package validates the value. Whether it is a file or a folder comes
// from name, which is the name in the help.
func values(value *kong.Value, name, prefix string) (lines []string) {
	switch strings.ToLower(name) {
	case "file":
		return []string{":file"}
	case "dir", "folder":
		return []string{":folder"}
	}
	for _, word := range strings.FieldsFunc(value.Enum+","+value.Tag.Get("complete"), func(r rune) bool { return r == ',' || r == ' ' }) {
		lines = append(lines, prefix+word)
	}
	return lines
}
