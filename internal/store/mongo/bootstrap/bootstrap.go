// Package bootstrap makes sure that the application user can work on its
// MongoDB database, and sets both up at the first run (contract §7).
package bootstrap

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"

	"web-backend/internal/backend"
	"web-backend/internal/store/mongo"
)

// Options are those of the store and what setting it up needs beside them.
type Options struct {
	Store         mongo.Options
	AdminUsername string
	AdminPassword backend.Secret
	// StartupTimeout bounds the wait for a server that does not answer yet.
	StartupTimeout time.Duration
	// Check looks and changes nothing.
	Check bool
}

// adminDatabase is where MongoDB keeps its administrators.
const adminDatabase = "admin"

// Run tests the access of the application user; if it has none, it makes the
// user, or grants it the role, as the admin user, and tests again. It waits
// for a server that is still starting. Several processes may run it at once.
// report gets a line for each step. The error is a [*Failure] that names host,
// step and remedy, or that of ctx; neither holds a secret.
func Run(ctx context.Context, o Options, report func(line string)) error {
	b := &bootstrap{Options: o, report: report, host: o.Store.HostList()}
	err := b.waitFor(ctx, b.testAccess)
	if err == nil {
		report(fmt.Sprintf("application user %q can work on database %q", b.user(), b.Store.Database))
		return nil
	}
	if !isAccess(err) {
		return b.fail("test the access of the application user", err)
	}
	if b.Store.User() == "" {
		return &Failure{Host: b.host, Step: "test the access of the application user",
			Problem: "the server asks for a user, and none is configured",
			Remedy:  "set mongodb_username and mongodb_password; the user is made at the first run", Cause: err}
	}
	report(fmt.Sprintf("application user %q has no access to database %q yet: %s", b.user(), b.Store.Database, problemOf(err)))
	existed, err := b.setUp(ctx)
	if err != nil || b.Check {
		return err
	}
	return b.confirm(ctx, existed)
}

// bootstrap is one run.
type bootstrap struct {
	Options
	report func(line string)
	host   string
}

func (b *bootstrap) user() string { return b.Store.User() }

// waitFor calls step until a server answers it, with growing pauses, for at
// most StartupTimeout.
func (b *bootstrap) waitFor(ctx context.Context, step func(context.Context) error) error {
	deadline := time.Now().Add(b.StartupTimeout)
	pause := 250 * time.Millisecond
	for attempt := 1; ; attempt++ {
		err := step(ctx)
		if err == nil || isAccess(err) || ctx.Err() != nil || time.Now().Add(pause).After(deadline) {
			return err
		}
		b.report(fmt.Sprintf("attempt %d: %s does not answer; next try in %s", attempt, b.host, pause))
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
		pause = min(2*pause, 4*time.Second)
	}
}

// testAccess does what the store will do: it lists the collections, writes to
// one of its own and drops it. Checking only lists.
func (b *bootstrap) testAccess(ctx context.Context) error {
	return b.as(ctx, b.Store, func(ctx context.Context, client *driver.Client) error {
		database := client.Database(b.Store.Database)
		if _, err := database.ListCollectionNames(ctx, bson.D{}); err != nil || b.Check {
			return err
		}
		scratch := database.Collection("web_backend_access_" + bson.NewObjectID().Hex())
		if _, err := scratch.InsertOne(ctx, bson.D{{Key: "test", Value: true}}); err != nil {
			return err
		}
		return scratch.Drop(ctx)
	})
}

// as runs fn on a client of its own: what a user may do is settled when it
// logs in.
func (b *bootstrap) as(
	ctx context.Context, o mongo.Options, fn func(context.Context, *driver.Client) error,
) error {
	client, err := mongo.Connect(o)
	if err != nil {
		return err
	}
	defer func() { _ = client.Disconnect(context.WithoutCancel(ctx)) }() // nothing of ours is left on it
	return fn(ctx, client)
}

// setUp makes the application user or grants it its role, as the admin user.
// It reports whether the user was there before.
func (b *bootstrap) setUp(ctx context.Context) (existed bool, err error) {
	admin := b.Store.As(b.AdminUsername, b.AdminPassword, adminDatabase)
	err = b.as(ctx, admin, func(ctx context.Context, client *driver.Client) error {
		auth := client.Database(b.Store.AuthSource())
		roles, found, err := b.rolesOf(ctx, auth)
		if err != nil {
			return err
		}
		existed = found
		switch {
		case !found:
			return b.createUser(ctx, auth)
		case !hasRole(roles, b.Store.Database):
			return b.grantRole(ctx, auth)
		}
		return nil
	})
	switch {
	case err == nil:
		return existed, nil
	case hasCode(err, codeAuthenticationFailed):
		return existed, &Failure{Host: b.host, Step: "log in as the admin user",
			Problem: fmt.Sprintf("the server refused admin user %q", b.AdminUsername),
			Remedy:  "set MONGODB_ADMIN_USERNAME and MONGODB_ADMIN_PASSWORD, or make the application user yourself: " + b.recipe(), Cause: err}
	case hasCode(err, codeUnauthorized):
		return existed, &Failure{Host: b.host, Step: "set up the application user",
			Problem: fmt.Sprintf("admin user %q is not allowed to create users", b.AdminUsername),
			Remedy:  "give it the role userAdminAnyDatabase, or make the application user yourself: " + b.recipe(), Cause: err}
	}
	return existed, b.fail("set up the application user", err)
}

// role is one role of a user.
type role struct {
	Role string `bson:"role"`
	DB   string `bson:"db"`
}

// rolesOf looks the application user up.
func (b *bootstrap) rolesOf(ctx context.Context, auth *driver.Database) (roles []role, found bool, err error) {
	var answer struct {
		Users []struct {
			Roles []role `bson:"roles"`
		} `bson:"users"`
	}
	err = auth.RunCommand(ctx, bson.D{{Key: "usersInfo", Value: b.user()}}).Decode(&answer)
	if err != nil || len(answer.Users) == 0 {
		return nil, false, err
	}
	return answer.Users[0].Roles, true, nil
}

// hasRole reports whether roles let a user read and write database.
func hasRole(roles []role, database string) bool {
	for _, r := range roles {
		if r.DB == database && (r.Role == "readWrite" || r.Role == "dbOwner") ||
			r.DB == adminDatabase && (r.Role == "root" || r.Role == "readWriteAnyDatabase") {
			return true
		}
	}
	return false
}

func (b *bootstrap) wantedRoles() bson.A {
	return bson.A{bson.D{{Key: "role", Value: "readWrite"}, {Key: "db", Value: b.Store.Database}}}
}

func (b *bootstrap) createUser(ctx context.Context, auth *driver.Database) error {
	if b.Check {
		b.report(fmt.Sprintf("application user %q does not exist in database %q; it would be made", b.user(), auth.Name()))
		return nil
	}
	err := auth.RunCommand(ctx, bson.D{
		{Key: "createUser", Value: b.user()},
		{Key: "pwd", Value: b.Store.UserPassword().Reveal()},
		{Key: "roles", Value: b.wantedRoles()},
	}).Err()
	if hasCode(err, codeUserExists) {
		b.report(fmt.Sprintf("application user %q was made by another server meanwhile", b.user()))
		return nil
	}
	if err == nil {
		b.report(fmt.Sprintf("application user %q was made, with role readWrite on database %q", b.user(), b.Store.Database))
	}
	return err
}

func (b *bootstrap) grantRole(ctx context.Context, auth *driver.Database) error {
	if b.Check {
		b.report(fmt.Sprintf("application user %q lacks role readWrite on database %q; it would be granted", b.user(), b.Store.Database))
		return nil
	}
	err := auth.RunCommand(ctx, bson.D{
		{Key: "grantRolesToUser", Value: b.user()}, {Key: "roles", Value: b.wantedRoles()},
	}).Err()
	if err == nil {
		b.report(fmt.Sprintf("application user %q was granted role readWrite on database %q", b.user(), b.Store.Database))
	}
	return err
}

// confirm tests the access again, after setUp.
func (b *bootstrap) confirm(ctx context.Context, existed bool) error {
	err := b.testAccess(ctx)
	switch {
	case err == nil:
		b.report(fmt.Sprintf("application user %q can work on database %q", b.user(), b.Store.Database))
		return nil
	case hasCode(err, codeAuthenticationFailed) && existed:
		return &Failure{Host: b.host, Step: "test the access of the application user",
			Problem: fmt.Sprintf("user %q exists in database %q with another password, and was left alone", b.user(), b.Store.AuthSource()),
			Remedy:  "set mongodb_password to its password, or change it on the server", Cause: err}
	}
	return b.fail("test the access of the application user again", err)
}

// recipe is what an administrator types into mongosh.
func (b *bootstrap) recipe() string {
	return fmt.Sprintf(`db.getSiblingDB(%q).createUser({user: %q, pwd: passwordPrompt(), roles: [{role: "readWrite", db: %q}]})`,
		b.Store.AuthSource(), b.user(), b.Store.Database)
}

// fail is the failure of a step for a reason that is not about users.
func (b *bootstrap) fail(step string, err error) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	return &Failure{Host: b.host, Step: step, Problem: problemOf(err), Cause: err,
		Remedy: "check that the server runs, that mongodb_host and mongodb_port (or mongodb_uri) name it, and that nothing between blocks it"}
}

// Failure is why the store cannot be used, in words for the operator.
type Failure struct {
	Host, Step, Problem, Remedy string
	Cause                       error
}

// Error names host, step, problem and remedy. The cause is left out: the
// driver's texts repeat themselves over several lines.
func (f *Failure) Error() string {
	return fmt.Sprintf("MongoDB at %s: cannot %s: %s; %s", f.Host, f.Step, f.Problem, f.Remedy)
}

// Unwrap gives the driver's error.
func (f *Failure) Unwrap() error { return f.Cause }

// Server error codes, from MongoDB's error_codes.yml.
const (
	codeUnauthorized         = 13
	codeAuthenticationFailed = 18
	codeUserExists           = 51003
)

func hasCode(err error, code int) bool {
	server, ok := errors.AsType[driver.ServerError](err)
	return ok && server.HasErrorCode(code)
}

// isAccess reports whether a server answered, and refused.
func isAccess(err error) bool {
	return hasCode(err, codeUnauthorized) || hasCode(err, codeAuthenticationFailed)
}

// problemOf says in a few words what an error of the driver means.
func problemOf(err error) string {
	switch {
	case hasCode(err, codeAuthenticationFailed):
		return "the server refused user name or password"
	case hasCode(err, codeUnauthorized):
		return "the user exists without the role readWrite"
	case driver.IsTimeout(err), driver.IsNetworkError(err):
		return "no server answered"
	}
	if server, ok := errors.AsType[driver.ServerError](err); ok {
		return "the server answered: " + strings.TrimSpace(server.Error())
	}
	return "no server answered"
}
