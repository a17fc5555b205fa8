package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// completionCommand prints the completion script of a shell. The scripts
// contain all the data that they need, so completion does not start the
// program.
type completionCommand struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

// Help implements kong.HelpProvider.
func (completionCommand) Help() string {
	return `It completes commands, flags, the values that a flag allows, and file names where a file is wanted.

    source <(web-backend completion bash)
    web-backend completion bash > /etc/bash_completion.d/web-backend
    web-backend completion zsh > ~/.zfunc/_web-backend
    web-backend completion fish > ~/.config/fish/completions/web-backend.fish`
}

// Run prints the script.
func (c *completionCommand) Run(streams Streams) error {
	parser, err := newParser(&commands{})
	if err != nil {
		return err
	}
	points := completionPoints(parser.Model.Node)
	script := map[string]func([]completionPoint) string{
		"bash": bashCompletion, "zsh": zshCompletion, "fish": fishCompletion,
	}[c.Shell]
	_, err = fmt.Fprint(streams.Out, script(points))
	return err
}

// completionPoint describes what can follow a command.
type completionPoint struct {
	path     string // words of the command, separated by spaces; "" for the program
	commands []completionWord
	flags    []completionFlag
	argument completionValue // values of the command's own arguments
}

type completionWord struct{ name, help string }

type completionFlag struct {
	completionWord
	takesValue bool
	value      completionValue
}

// completionValue describes the possible values: one of words, or the name of a
// file or folder. The zero value means that the values are unknown.
type completionValue struct {
	words        []string
	file, folder bool
}

// completionPoints returns a point for node and for each command below it.
func completionPoints(node *kong.Node) []completionPoint {
	point := completionPoint{flags: []completionFlag{{completionWord: completionWord{"help", "Show help."}}}}
	if node.Type == kong.CommandNode {
		point.path = node.Path()
	}
	points := []completionPoint{}
	for _, child := range node.Children {
		if !child.Hidden {
			point.commands = append(point.commands, completionWord{child.Name, child.Help})
			points = append(points, completionPoints(child)...)
		}
	}
	flags := node.Flags
	if node.DefaultCmd != nil { // its flags are allowed without its name
		flags = append(slices.Clip(flags), node.DefaultCmd.Flags...)
	}
	for _, flag := range flags {
		if !flag.Hidden && flag.Name != "help" {
			point.flags = append(point.flags, completionFlag{
				completionWord{flag.Name, flag.Help}, !flag.IsBool(), valueOf(flag.Value, flag.PlaceHolder),
			})
		}
	}
	for _, argument := range node.Positional {
		value := valueOf(argument, argument.Name)
		point.argument.words = append(point.argument.words, value.words...)
		point.argument.file = point.argument.file || value.file
		point.argument.folder = point.argument.folder || value.folder
	}
	return append([]completionPoint{point}, points...)
}

// valueOf returns the possible values of a flag or argument. The words come
// from the tag enum, or from the tag complete if another package validates the
// value. Whether it is a file or a folder comes from name, which is the name in
// the help.
func valueOf(value *kong.Value, name string) (v completionValue) {
	words := value.Enum
	if words == "" {
		words = value.Tag.Get("complete")
	}
	for word := range strings.SplitSeq(words, ",") {
		if word = strings.TrimSpace(word); word != "" {
			v.words = append(v.words, word)
		}
	}
	switch strings.ToLower(name) {
	case "file":
		v.file = true
	case "dir", "folder":
		v.folder = true
	}
	return v
}

// shellQuote puts text in single quotes for bash and zsh.
func shellQuote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

// fishQuote puts text in single quotes for fish.
func fishQuote(text string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(text) + "'"
}

// walkCases returns the cases of the loop that finds the command of a line. A
// pattern is "PATH|WORD". It either leads to another path, or marks a flag
// whose value must be skipped.
func walkCases(points []completionPoint, quote func(string) string, move, skip func(pattern, path string) string) string {
	var cases strings.Builder
	for _, point := range points {
		for _, command := range point.commands {
			cases.WriteString(move(quote(point.path+"|"+command.name), quote(strings.TrimSpace(point.path+" "+command.name))))
		}
		for _, flag := range point.flags {
			if flag.takesValue {
				cases.WriteString(skip(quote(point.path+"|--"+flag.name), ""))
			}
		}
	}
	return cases.String()
}

func names(words []completionWord) string {
	var list []string
	for _, word := range words {
		list = append(list, word.name)
	}
	return strings.Join(list, " ")
}

// bashCompletion returns the script for bash. It needs only bash 4, not the
// package bash-completion. bash splits words at "=", so "=" is a separate word.
func bashCompletion(points []completionPoint) string {
	moves := walkCases(points, shellQuote,
		func(pattern, path string) string { return fmt.Sprintf("            %s) path=%s ;;\n", pattern, path) },
		func(pattern, _ string) string {
			return fmt.Sprintf("            %s) ((i++)); [[ ${COMP_WORDS[i]} == = ]] && ((i++)) ;;\n", pattern)
		})
	var values, rest strings.Builder
	for _, point := range points {
		for _, flag := range point.flags {
			if flag.takesValue {
				fmt.Fprintf(&values, "        %s) %s return ;;\n", shellQuote(point.path+"|--"+flag.name), bashValue(flag.value))
			}
		}
		fmt.Fprintf(&rest, "        %s)\n            if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W %s -- \"$cur\"))\n            else %s fi ;;\n",
			shellQuote(point.path), shellQuote(flagNames(point.flags)), bashRest(point))
	}
	return `# bash completion of web-backend; made by: web-backend completion bash
_web_backend() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} path='' i
    COMPREPLY=()
    [[ $cur == = ]] && cur=
    [[ $prev == = ]] && prev=${COMP_WORDS[COMP_CWORD-2]}
    for ((i = 1; i < COMP_CWORD; i++)); do
        case "$path|${COMP_WORDS[i]}" in
` + moves + `        esac
    done
    case "$path|$prev" in
` + values.String() + `    esac
    case $path in
` + rest.String() + `    esac
}
complete -F _web_backend web-backend
`
}

func bashValue(value completionValue) string {
	switch {
	case value.folder:
		return `compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$cur");`
	case value.file:
		return `compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$cur");`
	case len(value.words) > 0:
		return `COMPREPLY=($(compgen -W ` + shellQuote(strings.Join(value.words, " ")) + ` -- "$cur"));`
	}
	return ""
}

func bashRest(point completionPoint) string {
	if len(point.commands) > 0 {
		return bashValue(completionValue{words: strings.Fields(names(point.commands))})
	}
	if rest := bashValue(point.argument); rest != "" {
		return rest
	}
	return ":;"
}

func flagNames(flags []completionFlag) string {
	var list []string
	for _, flag := range flags {
		list = append(list, "--"+flag.name)
	}
	return strings.Join(list, " ")
}

// zshCompletion returns the script for zsh. It can be sourced, or stored in a
// folder of fpath.
func zshCompletion(points []completionPoint) string {
	moves := walkCases(points, shellQuote,
		func(pattern, path string) string { return fmt.Sprintf("            %s) at=%s ;;\n", pattern, path) },
		func(pattern, _ string) string { return fmt.Sprintf("            %s) ((i++)) ;;\n", pattern) })
	var values, rest strings.Builder
	for _, point := range points {
		for _, flag := range point.flags {
			if flag.takesValue {
				fmt.Fprintf(&values, "        %s) %s return ;;\n", shellQuote(point.path+"|--"+flag.name), zshValue(flag.value))
			}
		}
		fmt.Fprintf(&rest, "        %s)\n            if [[ $cur == -* ]]; then\n                list=(%s)\n                _describe flag list\n            else\n",
			shellQuote(point.path), zshList(point.flagWords()))
		if len(point.commands) > 0 {
			fmt.Fprintf(&rest, "                list=(%s)\n                _describe command list\n", zshList(point.commands))
		} else {
			fmt.Fprintf(&rest, "                %s\n", zshValue(point.argument))
		}
		rest.WriteString("            fi ;;\n")
	}
	return `#compdef web-backend
# zsh completion of web-backend; made by: web-backend completion zsh
_web_backend() {
    local cur=${words[CURRENT]} prev=${words[CURRENT-1]} at='' i
    local -a list
    if [[ $cur == --*=* ]]; then
        prev=${cur%%=*}
        cur=${cur#*=}
        compset -P '*='
    fi
    for ((i = 2; i < CURRENT; i++)); do
        case "$at|${words[i]}" in
` + moves + `        esac
    done
    case "$at|$prev" in
` + values.String() + `    esac
    case $at in
` + rest.String() + `    esac
}
if [[ ${funcstack[1]} == _web-backend ]]; then
    _web_backend "$@"
else
    compdef _web_backend web-backend
fi
`
}

// flagWords returns the flags with their leading "--".
func (p completionPoint) flagWords() (words []completionWord) {
	for _, flag := range p.flags {
		words = append(words, completionWord{"--" + flag.name, flag.help})
	}
	return words
}

// zshList returns words in the form that _describe reads: NAME:HELP, with other
// colons escaped.
func zshList(words []completionWord) string {
	var list []string
	for _, word := range words {
		list = append(list, shellQuote(word.name+":"+strings.ReplaceAll(word.help, ":", `\:`)))
	}
	return strings.Join(list, " ")
}

func zshValue(value completionValue) string {
	switch {
	case value.folder:
		return "_files -/;"
	case value.file:
		return "_files;"
	case len(value.words) > 0:
		return "compadd -- " + strings.Join(value.words, " ") + ";"
	}
	return ":;"
}

// fishCompletion returns the script for fish. It has one line for each word
// that can be completed.
func fishCompletion(points []completionPoint) string {
	moves := walkCases(points, fishQuote,
		func(pattern, path string) string {
			return fmt.Sprintf("            case %s\n                set at %s\n", pattern, path)
		},
		func(pattern, _ string) string {
			return fmt.Sprintf("            case %s\n                set skip 1\n", pattern)
		})
	var lines strings.Builder
	for _, point := range points {
		line := "complete -c web-backend -n " + fishQuote("__web_backend_at "+fishQuote(point.path))
		for _, command := range point.commands {
			fmt.Fprintf(&lines, "%s -a %s -d %s\n", line, command.name, fishQuote(command.help))
		}
		for _, flag := range point.flags {
			value := ""
			if flag.takesValue {
				value = " -r" + fishValue(flag.value)
			}
			fmt.Fprintf(&lines, "%s -l %s%s -d %s\n", line, flag.name, value, fishQuote(flag.help))
		}
		if value := fishValue(point.argument); value != " -f" {
			fmt.Fprintf(&lines, "%s%s\n", line, value)
		}
	}
	return `# fish completion of web-backend; made by: web-backend completion fish
function __web_backend_at
    set -l at ''
    set -l skip 0
    set -l line (commandline -opc)
    for word in $line[2..-1]
        if test $skip = 1
            set skip 0
            continue
        end
        switch "$at|$word"
` + moves + `        end
    end
    test "$at" = "$argv[1]"
end
complete -c web-backend -f
` + lines.String()
}

func fishValue(value completionValue) string {
	switch {
	case value.folder:
		return " -f -a '(__fish_complete_directories (commandline -ct))'"
	case value.file:
		return " -F"
	case len(value.words) > 0:
		return " -f -a " + fishQuote(strings.Join(value.words, " "))
	}
	return " -f"
}
