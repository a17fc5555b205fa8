package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/term"

	"web-backend/internal/api"
	"web-backend/internal/auth"
	"web-backend/internal/backend"
	"web-backend/internal/config"
	"web-backend/internal/console"
	"web-backend/internal/maintenance"
	"web-backend/internal/store/sqlite"
	"web-backend/internal/transfer"
)

// mountConsole adds the console to the API. embedded is nil on other stores.
func (s *server) mountConsole(
	cfg *config.Config, service *backend.Service, access api.AccessOptions, build Build, embedded *sqlite.Store,
) {
	s.tickets = auth.NewTickets(access.OperatorTokens, time.Now)
	public := !auth.IsLoopbackHost(net.JoinHostPort(cfg.Host, "0"))
	known := console.Status{
		Version: build.Version, Store: cfg.Store, Location: s.location, Started: time.Now(), Unready: s.unready,
		OpenToNetwork:  public && access.Mode == auth.Open,
		PlainToNetwork: public && cfg.TLSCert == "" && len(cfg.Access.TrustedProxies) == 0,
	}
	options := console.Options{
		Gate: s.api, Tickets: s.tickets, MaxFormBytes: int64(cfg.Limits.MaxBodyBytes),
		Status:        func(ctx context.Context) console.Status { return s.status(ctx, known, cfg.DataDir, embedded) },
		Backups:       s.consoleBackups(cfg, embedded),
		LastHour:      s.lastHour,
		Configuration: configurationOf(cfg),
		ExportUser: func(ctx context.Context, w io.Writer, userID string) error {
			return transfer.WriteUser(ctx, w, s.store, userID)
		},
		Log: console.Log{Tail: s.api.TailLog, Download: s.api.ServeLog, Follow: func(n int) ([]string, console.LogFollower, error) { return s.api.FollowLog(n) }},
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

// consoleBackups returns how the console makes and shows backups. The schedule
// starts before the first request is served.
func (s *server) consoleBackups(cfg *config.Config, embedded *sqlite.Store) console.Backups {
	if embedded == nil {
		return console.Backups{}
	}
	return console.Backups{Make: s.backUp, Status: func() console.BackupStatus { return s.backupStatus(cfg.Backup) }}
}

// status adds to known what changes while the server runs.
func (s *server) status(ctx context.Context, known console.Status, dataDir string, embedded *sqlite.Store) console.Status {
	known.Disk = diskOf(dataDir)
	var err error
	if known.Users, err = s.store.CountUsers(ctx); err != nil {
		known.Users = -1
	}
	if embedded != nil {
		known.DatabaseBytes = embedded.Stats().DatabaseBytes
	}
	return known
}

// backupStatus returns what the console shows about backups.
func (s *server) backupStatus(cfg config.Backup) console.BackupStatus {
	last := maintenance.Latest(cfg.Dir)
	folder, err := filepath.Abs(cfg.Dir)
	if err != nil {
		folder = cfg.Dir
	}
	status := console.BackupStatus{Folder: folder, Every: cfg.Every, Running: s.backups.Busy(), Name: last.Name, At: last.At, Bytes: last.Bytes}
	if failure := s.backupFailure.Load(); failure != nil {
		status.Failure = *failure
	}
	return status
}

// lastHour returns the requests of the last hour for the console.
func (s *server) lastHour() (all []console.Minute) {
	for _, minute := range s.instruments.metrics.LastHour() {
		all = append(all, console.Minute(minute))
	}
	return all
}

// backUp makes a backup for the console.
func (s *server) backUp(ctx context.Context) error {
	err := s.backups.MakeNow(ctx)
	if errors.Is(err, maintenance.ErrBackupRunning) {
		return console.ErrBackupRunning
	}
	return err
}

// backupDone records a backup for the metrics and the console.
func (s *server) backupDone(at time.Time, size int64, err error) {
	s.instruments.metrics.BackupDone(at, size, err)
	if err != nil {
		s.backupFailure.Store(&console.BackupFailure{At: at, Reason: err.Error()})
		return
	}
	s.backupFailure.Store(nil)
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
