// Package console serves the pages with which people use the server in a
// browser: operators and users sign in at /console. The pages are rendered here
// and need no JavaScript; htmx only keeps some of them up to date.
//
// The texts are in messages, one file for each language. The files in assets
// are written by vendor.sh.
package console

import (
	"context"
	"io"
	"net/http"
	"path"
	"time"

	"web-backend/internal/auth"
	"web-backend/internal/backend"
)

// root is the path of the console. Every address in a page is relative, so the
// pages work under any path that a proxy adds.
const root = "/console"

// Gate is what the console needs of the server around it: the rate limits that
// pages share with the API, and the log line of the request. The contexts are
// those of requests.
type Gate interface {
	// LogIn logs a user in. The error is a [backend.Refusal] if the user name
	// or the password is wrong, or a rate limit is reached.
	LogIn(ctx context.Context, username string, password backend.Secret) (backend.Login, error)
	// Register, UpdatePassword and DeleteAccount do the same as those of
	// [backend.Service], with the errors of LogIn.
	Register(ctx context.Context, username string, password backend.Secret) (userID string, err error)
	UpdatePassword(ctx context.Context, username string, password, newPassword backend.Secret) error
	DeleteAccount(ctx context.Context, username string, password backend.Secret, userID string) error
	// MatchOperator returns the number of the operator token that equals token,
	// or 0. The error is a [backend.Refusal] if a rate limit is reached.
	MatchOperator(ctx context.Context, token backend.Secret) (int, error)
	// RefusalMessage returns the sentence for a refusal in a language.
	RefusalMessage(refusal *backend.Refusal, language string) string
	// NoteCaller, NoteChange, NoteError and Quiet change the log line. The
	// first three add who the caller is, which user the request has changed,
	// and why the response has a status of 500 or above. Quiet omits the line
	// if the request succeeds.
	NoteCaller(ctx context.Context, caller auth.Caller)
	NoteChange(ctx context.Context, userID string)
	NoteError(ctx context.Context, err error)
	Quiet(ctx context.Context)
	// Lasting marks a request whose response goes on for as long as the client
	// wants.
	Lasting(ctx context.Context)
}

// Options are the settings that the console needs.
type Options struct {
	Gate Gate
	// Tickets are for the sessions of operators and the links that sign in.
	Tickets *auth.Tickets
	// Status describes the server for operators.
	Status func(ctx context.Context) Status
	// MaxFormBytes is the maximum size of the forms that contain a prompt.
	MaxFormBytes int64
	Log          Log
	Backups      Backups
	// Motion describes the motion files. It is nil if none are configured.
	Motion func() Motion
	// LastHour returns the minutes of the last hour, at most 60, the oldest
	// first. It may be nil.
	LastHour func() []Minute
	// ExportUser writes what is stored of a user, without passwords and provider
	// keys, as a file that web-backend import reads. The error is of kind
	// [backend.NotFound] for an unknown user.
	ExportUser func(ctx context.Context, w io.Writer, userID string) error
	// Configuration is what the server was started with.
	Configuration Configuration
}

// Status describes the server for operators.
type Status struct {
	Version string
	// Store is the kind of the store: embedded or mongodb. Location is where it
	// is.
	Store, Location string

	Started time.Time
	Users   int64 // below 0 if the store does not respond
	// DatabaseBytes is the size of the database, or 0 if the store does not report
	// it.
	DatabaseBytes int64
	Unready       string // why the server is not ready; "" if it is
	// OpenToNetwork means that the access mode is open and the server listens
	// on an address that other machines can reach.
	OpenToNetwork bool
	// PlainToNetwork means that the server listens on an address that other
	// machines can reach, without HTTPS and without a trusted proxy.
	PlainToNetwork bool
	Disk           Disk // that holds the data folder
}

// Disk is the space of a file system, in bytes. It is zero if it is not known.
type Disk struct{ Free, Total int64 }

// low reports whether so little is left that writes will soon fail.
func (d Disk) low() bool { return d.Total > 0 && d.Free < 1e9 && d.Free < d.Total/10 }

// Console serves the pages.
type Console struct {
	service *backend.Service
	options Options
	views   views
	streams *streams
	keeping chan struct{} // has an element for each [keptForm]
	mux     *http.ServeMux
}

// New returns the console for service.
func New(service *backend.Service, options Options) *Console {
	c := &Console{
		service: service, options: options, views: loadViews(), streams: newStreams(), keeping: make(chan struct{}, maxKeptForms), mux: http.NewServeMux(),
	}
	for _, p := range pages() {
		c.mux.Handle(p.method+" "+path.Join(root, p.path), c.handler(p))
	}
	for _, a := range assets {
		c.mux.Handle("GET "+a.file.Path, c.assetHandler(a))
	}
	toOverview := c.handler(page{level: auth.Public, serve: func(v *visit) error { return v.redirect("overview") }})
	c.mux.Handle("GET "+root, toOverview)
	c.mux.Handle("GET "+root+"/{$}", toOverview)
	c.mux.Handle(root+"/", c.failing(http.StatusNotFound, "not_found"))
	return c
}

// page is one row of the table of pages and actions.
type page struct {
	// The path is relative to /console/. A wildcard {user} is the id of the user
	// whom the page is about.
	method, path string
	level        auth.Level
	// serve writes the response. If it returns an error, the error becomes the
	// response, so it must not have written anything before.
	serve func(v *visit) error
}

// pages returns all pages and actions. The levels have the same meaning as in
// strict mode, whatever the mode of the API is: all except Public need a
// session, and users get only their own data.
func pages() []page {
	return []page{
		{http.MethodGet, "sign-in", auth.Public, (*visit).showSignIn},
		{http.MethodPost, "sign-in", auth.Public, (*visit).signIn},
		{http.MethodGet, "register", auth.Public, (*visit).showRegister},
		{http.MethodPost, "register", auth.Public, (*visit).register},
		{http.MethodPost, "sign-out", auth.Public, (*visit).signOut},
		{http.MethodPost, "preferences", auth.Public, (*visit).setPreferences},
		{http.MethodGet, "overview", auth.AnyUser, (*visit).showOverview},
		{http.MethodGet, "account", auth.AnyUser, (*visit).showAccount},
		{http.MethodPost, "change-password", auth.AnyUser, (*visit).changePassword},
		{http.MethodPost, "end-sessions", auth.AnyUser, (*visit).endSessions},
		{http.MethodPost, "delete-account", auth.AnyUser, (*visit).deleteAccount},
		{http.MethodPost, "backup", auth.Operator, (*visit).backUp},
		{http.MethodGet, "users/{user}", auth.Owner, (*visit).showUser},
		{http.MethodPost, "users/{user}/keys", auth.Owner, (*visit).saveKeys},
		{http.MethodPost, "users/{user}/time-zone", auth.Owner, (*visit).saveTimezone},
		{http.MethodPost, "users/{user}/characters", auth.Owner, (*visit).uploadCharacter},
		{http.MethodGet, "users/{user}/characters/{character}", auth.Owner, (*visit).showCharacter},
		{http.MethodPost, "users/{user}/characters/{character}", auth.Owner, (*visit).saveCharacter},
		{http.MethodPost, "users/{user}/characters/{character}/changes", auth.Owner, (*visit).showChanges},
		{http.MethodGet, "users/{user}/characters/{character}/download", auth.Owner, (*visit).downloadCharacter},
		{http.MethodPost, "users/{user}/characters/{character}/duplicate", auth.Owner, (*visit).duplicateCharacter},
		{http.MethodPost, "users/{user}/characters/{character}/delete", auth.Owner, (*visit).deleteCharacter},
		{http.MethodGet, "users", auth.Operator, (*visit).showUsers},
		{http.MethodGet, "new-user", auth.Operator, (*visit).showNewUser},
		{http.MethodPost, "new-user", auth.Operator, (*visit).createUser},
		{http.MethodGet, "users/{user}/admin", auth.Operator, (*visit).showUserAdmin},
		{http.MethodGet, "users/{user}/export", auth.Operator, (*visit).downloadUser},
		{http.MethodPost, "users/{user}/password", auth.Operator, (*visit).setPassword},
		{http.MethodPost, "users/{user}/disable", auth.Operator, (*visit).disableUser},
		{http.MethodPost, "users/{user}/enable", auth.Operator, (*visit).enableUser},
		{http.MethodPost, "users/{user}/end-sessions", auth.Operator, (*visit).endUserSessions},
		{http.MethodPost, "users/{user}/delete", auth.Operator, (*visit).deleteUser},
		{http.MethodGet, "log", auth.Operator, (*visit).showLog},
		{http.MethodGet, "log/download", auth.Operator, (*visit).downloadLog},
		{http.MethodGet, "log/stream", auth.Operator, (*visit).streamLog},
		{http.MethodGet, "motion", auth.Operator, (*visit).showMotion},
		{http.MethodGet, "configuration", auth.Operator, (*visit).showConfiguration},
	}
}

// menuItem is a page that the head of every page links to.
type menuItem struct {
	Path, Title string // Title is the key of a message
	level       auth.Level
}

// menu returns the pages to link to, in this order. Visitors get only those
// that they may see.
func menu() []menuItem {
	return []menuItem{
		{"overview", "overview", auth.Operator},
		{"users", "users_list", auth.Operator},
		{"log", "log", auth.Operator},
		{"motion", "motion", auth.Operator}, // only if motion files are configured
		{"configuration", "configuration", auth.Operator},
	}
}

// Handler returns the handler for /console and everything below it. Its paths
// do not have the base path of the server.
func (c *Console) Handler() http.Handler {
	protection := http.NewCrossOriginProtection()
	protection.SetDenyHandler(c.failing(http.StatusForbidden, "cross_site"))
	return protection.Handler(c.mux)
}

func (c *Console) assetHandler(a asset) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.options.Gate.Quiet(r.Context())
		a.file.ServeHTTP(w, r)
	})
}

// failing returns a handler that always shows an error page.
func (c *Console) failing(status int, message string) http.Handler {
	return c.handler(page{level: auth.Public, serve: func(v *visit) error {
		_ = v.identify() // for the menu; this page is also shown while the store is away
		return &pageError{status, message, nil}
	}})
}

// handler serves one page to those who may see it.
func (c *Console) handler(p page) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v := c.newVisit(w, r)
		done, err := v.admitForm(p)
		defer done()
		if err == nil {
			if err = p.serve(v); err != nil && v.keeps(p) {
				v.keep(v.sentFields())
			}
		}
		if err != nil {
			v.fail(err)
		}
	})
}
