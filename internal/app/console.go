package app

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"golang.org/x/term"

	"web-backend/internal/api"
	"web-backend/internal/auth"
	"web-backend/internal/backend"
	"web-backend/internal/config"
	"web-backend/internal/console"
	"web-backend/internal/store/sqlite"
)

// mountConsole adds the console to the API. embedded is nil on other stores.
func (s *server) mountConsole(
	cfg *config.Config, service *backend.Service, access api.AccessOptions, build Build, embedded *sqlite.Store,
) {
	s.tickets = auth.NewTickets(access.OperatorTokens, time.Now)
	known := console.Status{
		Version: build.Version, Store: s.description, Started: time.Now(), Unready: s.unready,
		OpenToNetwork: access.Mode == auth.Open && !auth.IsLoopbackHost(net.JoinHostPort(cfg.Host, "0")),
	}
	options := console.Options{
		Gate: s.api, Tickets: s.tickets, MaxFormBytes: int64(cfg.Limits.MaxBodyBytes),
		Status:        func(ctx context.Context) console.Status { return s.status(ctx, known, embedded) },
		Configuration: configurationOf(cfg),
		Log:           console.Log{Tail: s.api.TailLog, Download: s.api.ServeLog, Follow: func(n int) ([]string, console.LogFollower, error) { return s.api.FollowLog(n) }},
	}
	if s.motion != nil {
		options.Motion = func() console.Motion { return motionStatus(s.motion.library, cfg.Motion) }
	}
	s.console = console.New(service, options)
	s.api.Mount("/console", s.console.Handler())
}

// configurationOf returns what config explain says.
func configurationOf(cfg *config.Config) console.Configuration {
	shown := console.Configuration{Warnings: cfg.Warnings}
	for _, e := range cfg.Entries {
		shown.Settings = append(shown.Settings, console.Setting{Key: e.Key, Value: e.Value, Source: e.Source, Default: e.Default, Variable: e.Variable})
	}
	return shown
}

// status adds to known what changes while the server runs.
func (s *server) status(ctx context.Context, known console.Status, embedded *sqlite.Store) console.Status {
	var err error
	if known.Users, err = s.store.CountUsers(ctx); err != nil {
		known.Users = -1
	}
	if embedded != nil {
		known.DatabaseBytes = embedded.Stats().DatabaseBytes
	}
	if last := s.lastBackup.Load(); last != nil {
		known.LastBackup = *last
	}
	return known
}

// backupDone records a scheduled backup for the metrics and the console.
func (s *server) backupDone(at time.Time, size int64, err error) {
	s.instruments.metrics.BackupDone(at, size, err)
	if err == nil {
		s.lastBackup.Store(&at)
	}
}

// announceLink writes a link that signs in an operator once. It writes it only
// to a terminal: a file or a log collector would keep it.
func (s *server) announceLink(consoleURL string, out io.Writer) {
	file, ok := out.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return
	}
	if code := s.tickets.Make(auth.SignInTicket, 1); code.IsSet() {
		fmt.Fprintf(out, "  sign in once   %s/sign-in?code=%s (within %d minutes; `web-backend console` prints a new link)\n",
			consoleURL, code.Reveal(), int(auth.SignInTicket.Lifetime().Minutes()))
	}
}
