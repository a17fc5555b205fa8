package cli

import (
	"encoding/json"
	"fmt"
	"io"
)

// printJSON prints a JSON value on one line.
func printJSON(out io.Writer, value any) error { return encodeJSON(out, value, "") }

// printIndentedJSON prints a JSON value with indentation, so that people can
// read it too.
func printIndentedJSON(out io.Writer, value any) error { return encodeJSON(out, value, "  ") }

func encodeJSON(out io.Writer, value any, indent string) error {
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", indent)
	return encoder.Encode(value)
}

// printReport prints a report as JSON for programs, or as text for people.
func printReport(streams Streams, asJSON bool, report interface{ Text() string }) error {
	if asJSON {
		return printIndentedJSON(streams.Out, report)
	}
	_, err := fmt.Fprint(streams.Out, report.Text())
	return err
}
