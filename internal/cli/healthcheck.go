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
	URL     string        `name:"url" placeholder:"URL" help:"URL of the server, without /health. Default: the server that uses the data folder, otherwise host and port of the configuration."`
	Timeout time.Duration `default:"3s" help:"How long to wait for the response (${default})."`
	Ready   bool          `help:"Also check whether the server can use its store."`
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
	return `It is made for the health checks of containers without curl. The exit status is 0 if the server is healthy, otherwise 1.
It requests /health, which responds as long as the process works. Use it for a supervisor that restarts unhealthy
servers, because a restart does not help if only the database is away. --ready requests /health/ready, for a supervisor
that only stops sending requests for a while.
The command finds the server that uses the data folder on any port, unless --host or --port is given. It reaches host
0.0.0.0 at 127.0.0.1, uses https if tls_cert is set, and uses no proxy. It does not check the certificate at a loopback
address or at the configured address, because the certificate is for the public name and nothing secret is sent.

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
