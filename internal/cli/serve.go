package cli

import (
	"context"
	"os/signal"
	"syscall"

	"web-backend/internal/app"
	"web-backend/internal/config"
)

// configFlags are the flags that change the configuration. Every command that
// needs the configuration has them. Their values are strings, so that package
// config validates all of them.
type configFlags struct {
	ConfigPath    string  `name:"config_path" aliases:"config-path,config" placeholder:"FILE" help:"Configuration file: YAML, or a Python file (.py) of the original web backend."`
	Host          *string `placeholder:"HOST" help:"Address to listen on (127.0.0.1)."`
	Port          *string `placeholder:"PORT" help:"Port to listen on (18080); 0 for any free port."`
	Access        *string `placeholder:"MODE" complete:"open,guarded,strict" help:"Access mode: open, guarded (default) or strict."`
	LocalOperator *string `name:"local-operator" aliases:"local_operator" placeholder:"BOOL" complete:"true,false" help:"In guarded mode, accept programs on this machine as operators without a token (true)."`
	Registration  *string `placeholder:"MODE" complete:"open,closed" help:"Who can create accounts: open (everyone, default) or closed (operators)."`
	DataDir       *string `name:"data-dir" aliases:"data_dir" placeholder:"DIR" help:"Folder of the embedded store (data)."`

	MongoDBAdminUsername *string `name:"mongodb_admin_username" aliases:"mongodb-admin-username" placeholder:"NAME" help:"Admin user of MongoDB, for the first run (admin)."`
	MongoDBAdminPassword *string `name:"mongodb_admin_password" aliases:"mongodb-admin-password" placeholder:"TEXT" help:"Password of the admin user. Prefer MONGODB_ADMIN_PASSWORD_FILE: the process list shows flags."`
}

// sources returns the sources of the configuration, including these flags.
func (f configFlags) sources(streams Streams) config.Sources {
	flags := map[string]string{}
	for key, value := range map[string]*string{
		"host": f.Host, "port": f.Port, "data_dir": f.DataDir, "access": f.Access, "local_operator": f.LocalOperator,
		"registration":           f.Registration,
		"mongodb_admin_username": f.MongoDBAdminUsername, "mongodb_admin_password": f.MongoDBAdminPassword,
	} {
		if value != nil {
			flags[key] = *value
		}
	}
	return config.Sources{File: f.ConfigPath, Getenv: streams.Getenv, Environ: streams.Environ, Flags: flags}
}

// load loads the configuration with these flags.
func (f configFlags) load(streams Streams) (*config.Config, error) {
	return config.Load(f.sources(streams))
}

// serveCommand runs the server.
type serveCommand struct{ configFlags }

// Help implements kong.HelpProvider.
func (serveCommand) Help() string {
	return `It runs until it receives SIGTERM or Ctrl-C, and then finishes the running requests. Flags take precedence over
environment variables, and these over the configuration file. Defaults are in parentheses.

    web-backend
    web-backend serve --config_path configs/local.yaml
    web-backend serve --host 0.0.0.0 --port 80 --data-dir /var/lib/web-backend`
}

// Run serves until ctx ends.
func (c *serveCommand) Run(ctx context.Context, streams Streams) error {
	report := config.Examine(c.sources(streams))
	if len(report.Faults) > 0 {
		return report.Faults
	}
	cfg := report.Config
	cfg.Entries = report.Entries()
	// If the reader of the console goes away, as in "serve | head", the server
	// must keep running. Other commands end in this case, as programs usually
	// do.
	signal.Ignore(syscall.SIGPIPE)
	version, commit := buildVersion()
	return app.Run(ctx, cfg, app.Build{Version: version, Commit: commit}, streams.Out, streams.Err)
}
