package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"web-backend/internal/app"
	"web-backend/internal/config"
)

// configCommand groups the commands for the configuration.
type configCommand struct {
	Check   configCheckCommand   `cmd:"" help:"Find everything in the configuration that prevents serve from starting, and bad motion files. Changes nothing and connects to no other server."`
	Explain configExplainCommand `cmd:"" help:"Print each key with its value, the source of the value, and its default. Secrets are hidden."`
}

// configCheckCommand checks the configuration.
type configCheckCommand struct {
	configFlags
	JSON bool `name:"json" help:"Print JSON."`
}

// Help implements kong.HelpProvider.
func (configCheckCommand) Help() string {
	return `It prints all faults, and warnings about settings that have no effect. The exit status is 1 if there is a fault.

    web-backend config check --config_path configs/local.yaml
    web-backend config check --config_path configs/local.py --json`
}

// configVerdict is the result of config check. Its lists are never nil, because
// Go encodes a nil slice as null.
type configVerdict struct {
	OK       bool     `json:"ok"`
	Faults   []string `json:"faults"`
	Warnings []string `json:"warnings"`
}

// Run prints the warnings. It returns all faults as one error.
func (c *configCheckCommand) Run(ctx context.Context, streams Streams) error {
	report := config.Examine(c.sources(streams))
	faults := slices.Clone(report.Faults)
	found, advice := app.Check(ctx, report.Config)
	for _, err := range found {
		faults = append(faults, strings.ReplaceAll(err.Error(), "\n", " "))
	}
	warnings := append(slices.Clone(report.Config.Warnings), advice...)
	if servers := app.MotionServers(report.Config.Motion); servers != "" {
		warnings = append(warnings, "motion files on "+servers+" were not checked; web-backend motion check, with the same flags, does that")
	}
	if c.JSON {
		verdict := configVerdict{len(faults) == 0, append([]string{}, faults...), append([]string{}, warnings...)}
		if err := printIndentedJSON(streams.Out, verdict); err != nil {
			return err
		}
	} else {
		for _, warning := range warnings {
			fmt.Fprintln(streams.Out, "warning:", warning)
		}
	}
	if len(faults) > 0 {
		return faults
	}
	if !c.JSON {
		fmt.Fprintln(streams.Out, "the configuration has no faults")
	}
	return nil
}

// configExplainCommand prints the configuration.
type configExplainCommand struct {
	configFlags
	JSON bool     `name:"json" xor:"form" help:"Print JSON."`
	YAML bool     `name:"yaml" xor:"form" help:"Print an equivalent YAML file, without secrets."`
	Keys []string `arg:"" optional:"" name:"key" help:"Print only these keys, or the keys of a section such as logger_cfg."`
}

// Help implements kong.HelpProvider.
func (configExplainCommand) Help() string {
	return `For a Python configuration file it also prints the equivalent YAML file.

    web-backend config explain
    web-backend config explain port logger_cfg --json
    web-backend config explain --config_path configs/local.py --yaml > configs/new.yaml`
}

// Run prints a table. For a Python file it also prints the YAML file to switch
// to.
func (c *configExplainCommand) Run(streams Streams) error {
	report := config.Examine(c.sources(streams))
	if len(report.Faults) > 0 {
		return report.Faults
	}
	entries, err := c.chosen(report.Entries())
	if err != nil {
		return err
	}
	text, err := report.YAML()
	switch {
	case err != nil:
		return err
	case c.JSON:
		return printIndentedJSON(streams.Out, map[string]any{"keys": entries, "warnings": append([]string{}, report.Config.Warnings...)})
	case c.YAML:
		_, err = io.WriteString(streams.Out, text)
		return err
	}
	if err := writeEntries(streams.Out, entries); err != nil {
		return err
	}
	if len(report.Config.Warnings) > 0 {
		fmt.Fprintf(streams.Out, "\nwarning: %s\n", strings.Join(report.Config.Warnings, "\nwarning: "))
	}
	if config.IsPython(c.ConfigPath) && len(c.Keys) == 0 {
		_, err = fmt.Fprintf(streams.Out, "\nThe same as YAML (config explain --yaml prints it alone):\n\n%s", text)
	}
	return err
}

// chosen returns the entries that the arguments name, in the order of the
// settings. Without arguments it returns all entries.
func (c *configExplainCommand) chosen(entries []config.Entry) ([]config.Entry, error) {
	if len(c.Keys) > 0 && c.YAML {
		return nil, errors.New("--yaml prints the whole file; leave the keys out")
	}
	if len(c.Keys) == 0 {
		return entries, nil
	}
	matches := func(key string, e config.Entry) bool { return e.Key == key || strings.HasPrefix(e.Key, key+".") }
	for _, key := range c.Keys {
		if !slices.ContainsFunc(entries, func(e config.Entry) bool { return matches(key, e) }) {
			return nil, fmt.Errorf("%q is not a key; web-backend config explain lists them all", key)
		}
	}
	return slices.DeleteFunc(slices.Clone(entries), func(e config.Entry) bool {
		return !slices.ContainsFunc(c.Keys, func(key string) bool { return matches(key, e) })
	}), nil
}

func writeEntries(out io.Writer, entries []config.Entry) error {
	const widest = 60 // characters; longer texts do not widen the column
	rows := [][]string{{"KEY", "VALUE", "FROM", "DEFAULT"}}
	for _, e := range entries {
		rows = append(rows, []string{e.Key, cell(e.Value), cell(e.Source), cell(e.Default)})
	}
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, text := range row {
			if width := utf8.RuneCountInString(text); width <= widest {
				widths[i] = max(widths[i], width)
			}
		}
	}
	var table strings.Builder
	for _, row := range rows {
		last := len(row) - 1
		for i, text := range row[:last] {
			fmt.Fprintf(&table, "%-*s  ", widths[i], text)
		}
		table.WriteString(row[last] + "\n")
	}
	_, err := io.WriteString(out, table.String())
	return err
}

// cell returns a value in the form that the table shows: on one line, and "-"
// if it is empty.
func cell(value string) string {
	if value == "" {
		return "-"
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, value)
}
