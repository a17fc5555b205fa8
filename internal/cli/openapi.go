package cli

import (
	"fmt"
	"os"

	"web-backend/internal/app"
)

// openapiCommand prints the OpenAPI document.
type openapiCommand struct {
	configFlags
	Out string `placeholder:"FILE" help:"Write it to this file instead."`
}

// Help implements kong.HelpProvider.
func (openapiCommand) Help() string {
	return `OpenAPI 3.1, the same as the server's /openapi.json, for client generators. It needs no server and no store.

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
