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

// Reason says why the application user cannot use its database.
type Reason int

// The reasons.
const (
	Unexpected    Reason = iota // the server rejected the request for another reason
	Settings                    // the connection settings are not valid
	Unreachable                 // no server responds
	NoUser                      // the server requires a user, and none is configured
	WrongPassword               // the application user exists with another password
	RoleMissing                 // the application user has no permission for the database
	AdminRefused                // the server does not know the admin user, or rejects its password
	NotAllowed                  // the admin user has no permission to create users or grant the role
	Untrusted                   // the server's certificate has no trusted signature or is for another name
)

// Failure says why the store cannot be used, in words for the operator. It
// contains no secret.
type Failure struct {
	Reason Reason
	Host   string
	Step   string // what was attempted
	// Problem and Remedy are one line each.
	Problem, Remedy string
	Cause           error
}

// Error returns the host, the step, the problem and the remedy. It leaves out
// the cause, because the driver's texts repeat themselves over several lines.
func (f *Failure) Error() string {
	return fmt.Sprintf("MongoDB at %s: cannot %s: %s; %s", f.Host, f.Step, f.Problem, f.Remedy)
}

// Unwrap returns the driver's error.
func (f *Failure) Unwrap() error { return f.Cause }

// codeUserExists is a server error code, from MongoDB's error_codes.yml.
const codeUserExists = 51003

// passwordRefused reports whether the server does not know the user, or rejects
// this password.
func passwordRefused(err error) bool { return mongo.IsRefused(err) }

// notAuthorized reports whether the user does not have permission for its
// request.
func notAuthorized(err error) bool { return mongo.IsForbidden(err) }

func hasCode(err error, code int) bool {
	server, ok := errors.AsType[driver.ServerError](err)
	return ok && server.HasErrorCode(code)
}

// lastError returns the error of the last server that the driver tried.
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

// untrusted returns the problem with the server's certificate if err is about
// that. In that case a retry does not help.
func untrusted(err error) (*tls.CertificateVerificationError, bool) {
	return errors.AsType[*tls.CertificateVerificationError](lastError(err))
}

// why returns a short reason why no server responded, or "" if it is unknown.
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
