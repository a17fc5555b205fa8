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

// Options say how to reach the cluster and where the documents lie.
type Options struct {
	// URI is a connection string. It says where the servers are, in place of
	// Host and Port; what it says of the user counts unless Username is set.
	URI  backend.Secret
	Host string
	Port int
	// TLS encrypts the connection to Host and Port. TLSCAFile is the PEM file of
	// the authority that signed the server's certificate; "" for those that the
	// system trusts. A URI says both itself.
	TLS          bool
	TLSCAFile    string
	Username     string
	Password     backend.Secret
	AuthDatabase string

	Database             string
	CredentialCollection string
	UserCollection       string
	CharacterCollection  string

	// Timeout bounds each call of the store, waiting for a server included.
	Timeout time.Duration
	// MaxPoolSize bounds the connections to each server; 0 is the driver's own
	// bound. The URI may say otherwise.
	MaxPoolSize int
}

// Login is who a connection logs in as.
type Login struct {
	Username string // "" for nobody
	Password backend.Secret
	Database string // where the user is defined
}

// parsed is the connection string, read by the driver. For a mongodb+srv
// string it asks the name service.
func (o Options) parsed() *options.ClientOptions {
	if o.URI.IsSet() {
		return options.Client().ApplyURI(o.URI.Reveal())
	}
	return options.Client().SetHosts([]string{net.JoinHostPort(o.Host, strconv.Itoa(o.Port))})
}

// tlsConfig is how to encrypt the connection to Host and Port; nil for not at
// all.
func (o Options) tlsConfig() (*tls.Config, error) {
	if o.URI.IsSet() || !o.TLS {
		return nil, nil //nolint:nilnil // plain, as the driver has it
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

// CheckTLS says what is wrong with TLSCAFile.
func (o Options) CheckTLS() error {
	_, err := o.tlsConfig()
	return err
}

// errNotValid is the error of settings that the driver does not take. Its own
// text can quote the connection string.
var errNotValid = errors.New("the MongoDB connection settings are not valid; check mongodb_uri, or host and port")

// errUnacknowledged is the error of a URI with w=0.
var errUnacknowledged = errors.New("mongodb_uri asks for unacknowledged writes (w=0); they would be lost unnoticed")

// CheckURI says what is wrong with a URI, as far as that can be told without a
// server: not of one whose servers the name service knows (mongodb+srv).
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

// Login is the user of the options: that of Username, else that of the URI.
func (o Options) Login() Login {
	if o.Username != "" {
		return Login{o.Username, o.Password, o.AuthDatabase}
	}
	if auth := o.parsed().Auth; auth != nil {
		return Login{auth.Username, backend.NewSecret(auth.Password), auth.AuthSource}
	}
	return Login{}
}

// As gives the options for another user of the same servers.
func (o Options) As(user Login) Options {
	o.Username, o.Password, o.AuthDatabase = user.Username, user.Password, user.Database
	return o
}

// HostList names the servers for a message. It shows nothing of a URI that is
// not valid: who knows which part of it is the password.
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

// authorityOf gives the part of a URI that names user and servers. Not ok means
// that the "@" between the two is not the only one: part of the password would
// be taken for a server, looked up, and shown in messages.
func authorityOf(uri string) (authority string, ok bool) {
	_, rest, _ := strings.Cut(uri, "://")
	authority = rest
	if end := strings.IndexAny(rest, "/?"); end >= 0 {
		authority = rest[:end]
	}
	at := strings.Count(uri, "@")
	return authority, authority != "" && at <= 1 && at == strings.Count(authority, "@")
}
