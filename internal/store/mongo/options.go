package mongo

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"web-backend/internal/backend"
)

// Options are the address of the cluster and the names of the database and its
// collections.
type Options struct {
	// URI is a connection string. It names the servers instead of Host and
	// Port. It also names the user, unless Username is set.
	URI  backend.Secret
	Host string
	Port int
	// TLS encrypts the connection to Host and Port. TLSCAFile is the PEM file
	// of the authority that signed the server's certificate; "" means the
	// authorities that the system trusts. A URI has its own options for both.
	TLS          bool
	TLSCAFile    string
	Username     string
	Password     backend.Secret
	AuthDatabase string

	Database             string
	CredentialCollection string
	UserCollection       string
	CharacterCollection  string

	// Timeout limits each call of the store, including the wait for a server.
	Timeout time.Duration
	// MaxPoolSize limits the connections to each server; 0 means the default of
	// the driver. The URI may override it.
	MaxPoolSize int
}

// Login is the user that a connection logs in as.
type Login struct {
	Username string // "" for no login
	Password backend.Secret
	Database string // where the user is defined
}

// parsed returns the driver's options for the connection string. For a
// mongodb+srv URI it queries the name service.
func (o Options) parsed() *options.ClientOptions {
	if o.URI.IsSet() {
		return options.Client().ApplyURI(o.URI.Reveal())
	}
	return options.Client().SetHosts([]string{net.JoinHostPort(o.Host, strconv.Itoa(o.Port))})
}

// tlsConfig returns the TLS settings for the connection to Host and Port, or
// nil for no encryption.
func (o Options) tlsConfig() (*tls.Config, error) {
	if o.URI.IsSet() || !o.TLS {
		return nil, nil //nolint:nilnil // to the driver, nil means no TLS
	}
	encrypted := &tls.Config{MinVersion: tls.VersionTLS12}
	if o.TLSCAFile == "" {
		return encrypted, nil
	}
	data, err := os.ReadFile(o.TLSCAFile)
	if err != nil {
		return nil, err
	}
	encrypted.RootCAs = x509.NewCertPool()
	if !encrypted.RootCAs.AppendCertsFromPEM(data) {
		return nil, fmt.Errorf("%s holds no certificate in PEM form", o.TLSCAFile)
	}
	return encrypted, nil
}

// CheckTLS returns an error if TLSCAFile cannot be used.
func (o Options) CheckTLS() error {
	_, err := o.tlsConfig()
	return err
}

// errNotValid is the error for settings that the driver rejects. The driver's
// own text can quote the connection string.
var errNotValid = errors.New("the MongoDB connection settings are not valid; check mongodb_uri, or host and port")

// errUnacknowledged is the error for a URI with w=0.
var errUnacknowledged = errors.New("mongodb_uri asks for unacknowledged writes (w=0); they would be lost unnoticed")

// CheckURI returns an error if the URI is not valid, as far as it can tell
// without a server. It does not check a mongodb+srv URI, whose servers only the
// name service knows.
func (o Options) CheckURI() error {
	if !o.URI.IsSet() || strings.HasPrefix(o.URI.Reveal(), "mongodb+srv:") {
		return nil
	}
	client := o.parsed()
	switch err := client.Validate(); {
	case err != nil:
		return errNotValid
	case client.WriteConcern != nil && !client.WriteConcern.Acknowledged():
		return errUnacknowledged
	}
	return nil
}

// Login returns the user of the options: the one of Username if it is set,
// otherwise the one of the URI.
func (o Options) Login() Login {
	if o.Username != "" {
		return Login{o.Username, o.Password, o.AuthDatabase}
	}
	if auth := o.parsed().Auth; auth != nil {
		return Login{auth.Username, backend.NewSecret(auth.Password), auth.AuthSource}
	}
	return Login{}
}

// As returns the options for another user on the same servers.
func (o Options) As(user Login) Options {
	o.Username, o.Password, o.AuthDatabase = user.Username, user.Password, user.Database
	return o
}

// HostList names the servers for a message. It returns no part of an invalid
// URI, because any part of it may be the password.
func (o Options) HostList() string {
	if !o.URI.IsSet() {
		return net.JoinHostPort(o.Host, strconv.Itoa(o.Port))
	}
	authority, ok := authorityOf(o.URI.Reveal())
	if !ok {
		return "the servers of mongodb_uri"
	}
	return authority[strings.Index(authority, "@")+1:]
}

// authorityOf returns the part of a URI that names the user and the servers. ok
// is false if the "@" between the two is not the only one: part of the password
// would then be treated as a server, looked up, and shown in messages.
func authorityOf(uri string) (authority string, ok bool) {
	_, rest, _ := strings.Cut(uri, "://")
	authority = rest
	if end := strings.IndexAny(rest, "/?"); end >= 0 {
		authority = rest[:end]
	}
	at := strings.Count(uri, "@")
	return authority, authority != "" && at <= 1 && at == strings.Count(authority, "@")
}
