package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"web-backend/internal/client"
)

// healthcheckCommand asks the running server whether it is healthy.
type healthcheckCommand struct {
	configFlags
	URL     string        `name:"url" placeholder:"URL" help:"Address of the server, without /health; by default that of the server on the data folder, otherwise host and port of the configuration."`
	Timeout time.Duration `default:"3s" help:"How long to wait for the response (${default})."`
	Ready   bool          `help:"Ask as well whether the server reaches its store."`
}

// Validate is called by kong to check the command.
func (c *healthcheckCommand) Validate() error {
	if c.Timeout <= 0 {
		return errors.New("--timeout: want more than 0")
	}
	return nil
}

// Help implements kong.HelpProvider.
func (healthcheckCommand) Help() string {
	return `For the health check of a container, without curl: the exit status is 0 if the server is healthy, otherwise 1.
It requests /health, which responds while the process works. A supervisor that restarts unhealthy servers should use it,
because a restart does not help when the database is away for a moment. --ready requests /health/ready, for a supervisor
that only holds requests back in the meantime.
The server that runs on the data folder is found on any port, unless --host or --port say which address to use. Host
0.0.0.0 is reached at 127.0.0.1, tls_cert switches to https, and no proxy is used. The certificate is not checked on a
loopback address or at the configured one: it is for the public name, and nothing secret is sent.

    web-backend healthcheck
    web-backend healthcheck --url http://127.0.0.1:8080 --ready --timeout 10s`
}

// Run prints one line if the server is healthy, and returns an error otherwise.
func (c *healthcheckCommand) Run(ctx context.Context, streams Streams) error {
	cfg, err := c.load(streams)
	if err != nil {
		return err
	}
	asked, err := client.CheckHealth(ctx, cfg, client.HealthCheck{
		URL: c.URL, Running: c.Host == nil && c.Port == nil, Ready: c.Ready, Timeout: c.Timeout,
	})
	if bad, ok := errors.AsType[*client.URLError](err); ok {
		err = fmt.Errorf("--url: %w", bad.Err)
	}
	if err != nil {
		return fmt.Errorf("unhealthy: %w", err)
	}
	_, err = fmt.Fprintf(streams.Out, "healthy: %s responded OK\n", asked)
	return err
}
