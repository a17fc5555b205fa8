// Package bootstrap makes sure that the application user can work on its
// MongoDB database. It sets up the user and its role at the first run (contract
// §7).
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

// Options are the options of the store and those for setting it up.
type Options struct {
	Store         mongo.Options
	AdminUsername string
	AdminPassword backend.Secret
	// StartupTimeout limits the wait for a server that does not respond yet.
	// There is always at least one attempt.
	StartupTimeout time.Duration
	// Check reports what Run would do, and changes nothing.
	Check bool
}

// adminDatabase is the database that defines MongoDB's administrators.
const adminDatabase = "admin"

// Steps that a [Failure] can name.
const (
	stepTest      = "test the access of the application user"
	stepAdmin     = "log in as the admin user"
	stepSetUp     = "set up the application user"
	stepTestAgain = "test the access of the application user again"
)

// Run tests the access of the application user. If the user has no access, Run
// logs in as the admin user, creates the application user or grants it the
// role, and tests again. It waits for a server that is still starting. Several
// processes may call Run at the same time. Run calls report with one line for
// each step. The error is a [*Failure] or the error of ctx; neither contains a
// secret.
func Run(ctx context.Context, o Options, report func(line string)) error {
	b := &bootstrap{
		Options: o, report: report, host: o.Store.HostList(),
		scratch:  "web_backend_access_" + bson.NewObjectID().Hex(),
		deadline: time.Now().Add(max(o.StartupTimeout, o.Store.Timeout)),
	}
	limited, cancel := context.WithDeadline(ctx, b.deadline)
	defer cancel()
	err := b.run(limited)
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// bootstrap is the state of one run.
type bootstrap struct {
	Options
	report   func(line string)
	host     string
	scratch  string // a collection for testing writes
	deadline time.Time
	user     mongo.Login
}

func (b *bootstrap) run(ctx context.Context) error {
	accessErr := b.waitFor(ctx, b.testAccess)
	if accessErr == nil {
		b.reportAccess()
		return nil
	}
	if !passwordRefused(accessErr) && !notAuthorized(accessErr) {
		return b.failure(stepTest, accessErr)
	}
	b.user = b.Store.Login()
	if b.user.Username == "" {
		return &Failure{Reason: NoUser, Host: b.host, Step: stepTest, Cause: accessErr,
			Problem: "the server asks for a user, and none is configured",
			Remedy:  "set mongodb_username and mongodb_password; the user is made at the first run"}
	}
	if b.user.Database == "" {
		b.user.Database = adminDatabase
	}
	b.report(fmt.Sprintf("application user %q has no access to database %q yet: %s",
		b.user.Username, b.Store.Database, accessErrorText(accessErr)))
	if b.AdminUsername == "" {
		return b.adminFailure(AdminRefused, stepAdmin, "no admin user is configured", accessErr, accessErr)
	}
	err := b.waitFor(ctx, func(ctx context.Context) error { return b.setUp(ctx, accessErr) })
	switch {
	case errors.Is(err, errOnlyChecked):
		return nil
	case passwordRefused(err):
		return b.adminFailure(AdminRefused, stepAdmin,
			fmt.Sprintf("the server refused admin user %q", b.AdminUsername), accessErr, err)
	case notAuthorized(err):
		return b.adminFailure(NotAllowed, stepSetUp,
			fmt.Sprintf("admin user %q is not allowed to create users and grant roles", b.AdminUsername), accessErr, err)
	case err != nil:
		return b.failure(stepSetUp, err)
	}
	return b.confirm(ctx)
}

// waitFor calls step until a server responds, with growing pauses between the
// attempts.
func (b *bootstrap) waitFor(ctx context.Context, step func(context.Context) error) error {
	pause := 250 * time.Millisecond
	for attempt := 1; ; attempt++ {
		err := b.try(ctx, step)
		if _, ok := untrusted(err); ok {
			return err
		}
		if err == nil || passwordRefused(err) || notAuthorized(err) || !mongo.IsUnavailable(err) ||
			time.Now().Add(pause).After(b.deadline) {
			return err
		}
		b.report(fmt.Sprintf("attempt %d: %s does not respond%s; next try in %s", attempt, b.host, why(err), pause))
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pause):
		}
		pause = min(2*pause, 4*time.Second)
	}
}

// try limits one attempt, so that a server which accepts connections but does
// not respond does not use up all the time.
func (b *bootstrap) try(ctx context.Context, step func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, 2*b.Store.Timeout)
	defer cancel()
	return step(ctx)
}

// testAccess does what the store will do: it lists the collections, writes to a
// collection of its own and drops it. A check deletes a document from that
// collection instead. That needs the same permission and changes nothing,
// because the collection does not exist.
func (b *bootstrap) testAccess(ctx context.Context) error {
	return b.as(b.Store, func(client *driver.Client) error {
		database := client.Database(b.Store.Database)
		if _, err := database.ListCollectionNames(ctx, bson.D{}); err != nil {
			return err
		}
		scratch := database.Collection(b.scratch)
		if b.Check {
			_, err := scratch.DeleteOne(ctx, bson.D{{Key: "_id", Value: 0}})
			return err
		}
		if _, err := scratch.InsertOne(ctx, bson.D{{Key: "test", Value: true}}); err != nil {
			return err
		}
		return scratch.Drop(ctx)
	})
}

// as runs fn on a new client, because the permissions of a user are determined
// when it logs in.
func (b *bootstrap) as(o mongo.Options, fn func(client *driver.Client) error) error {
	client, err := mongo.Connect(o)
	if err != nil {
		return err
	}
	defer func() { _ = client.Disconnect(context.Background()) }() // it holds nothing that is still needed
	return fn(client)
}

// setUp creates the application user or grants it its role, as the admin user.
// It does not change a user that exists with another password. accessErr is the
// reason why the user has no access.
func (b *bootstrap) setUp(ctx context.Context, accessErr error) error {
	admin := mongo.Login{Username: b.AdminUsername, Password: b.AdminPassword, Database: adminDatabase}
	return b.as(b.Store.As(admin), func(client *driver.Client) error {
		auth := client.Database(b.user.Database)
		var found struct {
			Users []bson.Raw `bson:"users"`
		}
		err := auth.RunCommand(ctx, bson.D{{Key: "usersInfo", Value: b.user.Username}}).Decode(&found)
		switch {
		case err != nil:
			return err
		case len(found.Users) == 0:
			return b.createUser(ctx, auth)
		case passwordRefused(accessErr) && !notAuthorized(b.testAccess(ctx)):
			// The user has another password, or another server has created it
			// since and the access works now. The following test finds out
			// which.
			return nil
		}
		return b.grantRole(ctx, auth)
	})
}

func (b *bootstrap) createUser(ctx context.Context, auth *driver.Database) error {
	if b.Check {
		b.report(fmt.Sprintf("application user %q does not exist in database %q; it would be made", b.user.Username, auth.Name()))
		return errOnlyChecked
	}
	err := auth.RunCommand(ctx, bson.D{
		{Key: "createUser", Value: b.user.Username},
		{Key: "pwd", Value: b.user.Password.Reveal()},
		{Key: "roles", Value: b.wantedRoles()},
		{Key: "writeConcern", Value: byMajority},
	}).Err()
	if hasCode(err, codeUserExists) {
		b.report(fmt.Sprintf("application user %q was made by another server meanwhile", b.user.Username))
		return nil
	}
	if err == nil {
		b.report(fmt.Sprintf("application user %q was made, with role readWrite on database %q", b.user.Username, b.Store.Database))
	}
	return err
}

func (b *bootstrap) grantRole(ctx context.Context, auth *driver.Database) error {
	if b.Check {
		b.report(fmt.Sprintf("application user %q lacks role readWrite on database %q; it would be granted", b.user.Username, b.Store.Database))
		return errOnlyChecked
	}
	err := auth.RunCommand(ctx, bson.D{
		{Key: "grantRolesToUser", Value: b.user.Username},
		{Key: "roles", Value: b.wantedRoles()},
		{Key: "writeConcern", Value: byMajority},
	}).Err()
	if err == nil {
		b.report(fmt.Sprintf("application user %q was granted role readWrite on database %q", b.user.Username, b.Store.Database))
	}
	return err
}

func (b *bootstrap) wantedRoles() bson.A {
	return bson.A{bson.D{{Key: "role", Value: "readWrite"}, {Key: "db", Value: b.Store.Database}}}
}

// byMajority makes sure that a created user is kept if another server becomes
// primary.
var byMajority = bson.D{{Key: "w", Value: "majority"}}

// errOnlyChecked ends a check that found something to do.
var errOnlyChecked = errors.New("only checked")

// confirm tests the access again, after setUp.
func (b *bootstrap) confirm(ctx context.Context) error {
	err := b.waitFor(ctx, b.testAccess)
	switch {
	case err == nil:
		b.reportAccess()
		return nil
	case passwordRefused(err):
		return &Failure{Reason: WrongPassword, Host: b.host, Step: stepTestAgain, Cause: err,
			Problem: fmt.Sprintf("user %q exists in database %q with another password, and was left alone", b.user.Username, b.user.Database),
			Remedy:  "set mongodb_password to its password, or change it on the server"}
	case notAuthorized(err):
		return &Failure{Reason: RoleMissing, Host: b.host, Step: stepTestAgain, Cause: err,
			Problem: fmt.Sprintf("user %q has role readWrite on database %q, but it has no effect", b.user.Username, b.Store.Database),
			Remedy:  "wait half a minute, which routers of a sharded cluster may take to see it, and start again"}
	}
	return b.failure(stepTestAgain, err)
}

func (b *bootstrap) reportAccess() {
	who := "anyone"
	if user := b.Store.Login().Username; user != "" {
		who = fmt.Sprintf("application user %q", user)
	}
	b.report(fmt.Sprintf("%s can work on database %q at %s", who, b.Store.Database, b.host))
}

// accessErrorText explains why the application user was refused.
func accessErrorText(accessErr error) string {
	if passwordRefused(accessErr) {
		return "the server does not know it, or the password is wrong"
	}
	return "it lacks the role readWrite"
}

// adminFailure returns a failure that only an administrator can correct.
func (b *bootstrap) adminFailure(reason Reason, step, problem string, accessErr, cause error) error {
	remedy := "set MONGODB_ADMIN_USERNAME and MONGODB_ADMIN_PASSWORD"
	if reason == NotAllowed {
		remedy = "give it the role userAdminAnyDatabase"
	}
	own := fmt.Sprintf(`db.getSiblingDB(%q).createUser({user: %q, pwd: passwordPrompt(), roles: [{role: "readWrite", db: %q}]})`,
		b.user.Database, b.user.Username, b.Store.Database)
	if notAuthorized(accessErr) {
		own = fmt.Sprintf(`db.getSiblingDB(%q).grantRolesToUser(%q, [{role: "readWrite", db: %q}])`,
			b.user.Database, b.user.Username, b.Store.Database)
		if reason == AdminRefused {
			reason = RoleMissing
		}
	}
	return &Failure{Reason: reason, Host: b.host, Step: step, Cause: cause,
		Problem: fmt.Sprintf("application user %q: %s; and %s", b.user.Username, accessErrorText(accessErr), problem),
		Remedy:  remedy + ", or run in mongosh: " + own}
}

// failure returns the failure of a step whose cause is not the users.
func (b *bootstrap) failure(step string, err error) error {
	f := &Failure{Reason: Unreachable, Host: b.host, Step: step, Cause: err,
		Problem: "no server responded" + why(err),
		Remedy: "check that the server runs, that mongodb_host and mongodb_port, or mongodb_uri, name it, and that nothing on the way blocks the connection; " +
			"both sides or none must use TLS (mongodb_tls, or tls in mongodb_uri)"}
	if certificate, ok := untrusted(err); ok {
		f.Reason, f.Problem = Untrusted, "the server's certificate is not trusted ("+certificate.Err.Error()+")"
		f.Remedy = "set mongodb_tls_ca_file, or tlsCAFile in mongodb_uri, to the certificate of the authority that signed it, " +
			"and name the server as its certificate does"
		return f
	}
	if mongo.IsUnavailable(err) {
		return f
	}
	if server, ok := errors.AsType[driver.ServerError](err); ok {
		f.Reason = Unexpected
		f.Problem = "the server responded: " + strings.TrimSpace(server.Error())
		f.Remedy = "see its documentation and its log"
		return f
	}
	f.Reason, f.Problem, f.Remedy = Settings, err.Error(), "correct the configuration"
	return f
}
