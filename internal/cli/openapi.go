package cli

import (
	"fmt"
	"os"

	"web-backend/internal/app"
)

// openapiCommand prints the OpenAPI document.
type openapiCommand struct {
	configFlags
	Out string `placeholder:"FILE" help:"File to write. Default: standard output."`
}

// Help implements kong.HelpProvider.
func (openapiCommand) Help() string {
	return `It is the document that the server has at /openapi.json (OpenAPI 3.1), for client generators. The command needs no server
and no store.

    web-backend openapi --out openapi.json`
}

// Run writes the document to standard output or to a file.
func (c *openapiCommand) Run(streams Streams) error {
	cfg, err := c.load(streams)
	if err != nil {
		return err
	}
	document := app.OpenAPI(cfg)
	if c.Out == "" {
		_, err = streams.Out.Write(document)
		return err
	}
	if err := os.WriteFile(c.Out, document, 0o644); err != nil { //nolint:gosec // everybody may read the document
		return fmt.Errorf("write the document: %w", err)
	}
	return nil
}
