package bootstrap

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"

	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/topology"

	"web-backend/internal/store/mongo"
)

// Reason is what keeps the application user from its database.
type Reason int

// The reasons.
const (
	Unexpected    Reason = iota // the server refused for a reason of its own
	Settings                    // the connection settings are not valid
	Unreachable                 // no server answers
	NoUser                      // the server asks for a user, and none is configured
	WrongPassword               // the application user exists, with another password
	RoleMissing                 // the application user may not work on the database
	AdminRefused                // the server does not know the admin user, or not with this password
	NotAllowed                  // the admin user may not create users, or not give the role
	Untrusted                   // the server's certificate is not signed by who is trusted, or for another name
)

// Failure is why the store cannot be used, in words for the operator. It holds
// no secret.
type Failure struct {
	Reason Reason
	Host   string
	Step   string // what was attempted
	// Problem and Remedy are one line each.
	Problem, Remedy string
	Cause           error
}

// Error names host, step, problem and remedy. The cause is left out: the
// driver's texts repeat themselves over several lines.
func (f *Failure) Error() string {
	return fmt.Sprintf("MongoDB at %s: cannot %s: %s; %s", f.Host, f.Step, f.Problem, f.Remedy)
}

// Unwrap gives the driver's error.
func (f *Failure) Unwrap() error { return f.Cause }

// codeUserExists is a server error code, from MongoDB's error_codes.yml.
const codeUserExists = 51003

// passwordRefused reports whether the server does not know the user, or not
// with this password.
func passwordRefused(err error) bool { return mongo.IsRefused(err) }

// notAuthorized reports whether the user may not do what it tried.
func notAuthorized(err error) bool { return mongo.IsForbidden(err) }

func hasCode(err error, code int) bool {
	server, ok := errors.AsType[driver.ServerError](err)
	return ok && server.HasErrorCode(code)
}

// lastError is what kept the driver from the last server that it tried.
func lastError(err error) error {
	if selection, ok := errors.AsType[topology.ServerSelectionError](err); ok {
		for _, server := range selection.Desc.Servers {
			if server.LastError != nil {
				err = server.LastError
			}
		}
	}
	return err
}

// untrusted gives what is wrong with the server's certificate, if that is what
// err is about: then no later try helps.
func untrusted(err error) (*tls.CertificateVerificationError, bool) {
	return errors.AsType[*tls.CertificateVerificationError](lastError(err))
}

// why says in a few words why no server answered; "" if nobody knows.
func why(err error) string {
	err = lastError(err)
	if dial, ok := errors.AsType[*net.OpError](err); ok {
		return " (" + dial.Err.Error() + ")"
	}
	if name, ok := errors.AsType[*net.DNSError](err); ok {
		return " (" + name.Err + ")"
	}
	return ""
}
