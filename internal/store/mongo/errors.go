package mongo

import (
	"context"
	"errors"
	"net"
	"slices"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/topology"

	"web-backend/internal/backend"
)

// Server error codes after which a later attempt may succeed, from MongoDB's
// error_codes.yml. The predicates of the driver cover network errors.
var transientCodes = []int{
	13,    // Unauthorized: the role was taken away, or is not granted yet
	18,    // AuthenticationFailed: the password was changed
	50,    // MaxTimeMSExpired
	64,    // WriteConcernTimeout
	91,    // ShutdownInProgress
	112,   // WriteConflict
	189,   // PrimarySteppedDown
	10107, // NotWritablePrimary
	11600, // InterruptedAtShutdown
	11602, // InterruptedDueToReplStateChange
	13435, // NotPrimaryNoSecondaryOk
	13436, // NotPrimaryOrSecondary
	14031, // OutOfDiskSpace
}

// storeError converts an error of the driver to an error of package backend. It
// uses the predicates of the driver and the codes of the server. It returns a
// *backend.Error unchanged.
func storeError(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*backend.Error](err); ok {
		return err
	}
	if IsUnavailable(err) {
		return unavailable(err)
	}
	return err
}

// unavailable returns the error for a store that cannot respond now.
func unavailable(cause error) error {
	return &backend.Error{Kind: backend.Unavailable, Message: "the store does not respond now; try again", Cause: cause}
}

// IsUnavailable reports whether an error of the driver means that the cluster
// cannot respond now, but may later.
func IsUnavailable(err error) bool {
	return mongo.IsNetworkError(err) || mongo.IsTimeout(err) ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) ||
		errors.Is(err, mongo.ErrClientDisconnected) || errors.Is(err, backend.Unavailable) ||
		is[net.Error](err) || is[topology.ServerSelectionError](err) || is[topology.ConnectionError](err) ||
		is[topology.PoolError](err) || is[driver.RetryablePoolError](err) ||
		isTransient(err)
}

// Error codes of a server that rejects a user, from MongoDB's error_codes.yml.
const (
	codeUnauthorized         = 13
	codeAuthenticationFailed = 18
)

// IsRefused reports whether the server does not know the user, or rejects this
// password. A server process waits until that is corrected; a command reports
// it.
func IsRefused(err error) bool { return hasCode(err, codeAuthenticationFailed) }

// IsForbidden reports whether the user does not have permission for its
// request.
func IsForbidden(err error) bool { return hasCode(err, codeUnauthorized) }

func hasCode(err error, code int) bool {
	server, ok := errors.AsType[mongo.ServerError](err)
	return ok && server.HasErrorCode(code)
}

// is reports whether err's chain contains an error of type E, or, if E is an
// interface, one that implements E.
func is[E any](err error) bool {
	var target E
	return errors.As(err, &target)
}

// isTransient reports whether the server responded that it cannot do this now.
func isTransient(err error) bool {
	server, ok := errors.AsType[mongo.ServerError](err)
	return ok && (slices.ContainsFunc(transientCodes, server.HasErrorCode) ||
		server.HasErrorLabel("RetryableWriteError") || server.HasErrorLabel("TransientTransactionError"))
}
