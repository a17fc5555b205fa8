package mongo

import (
	"net"
	"strconv"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"web-backend/internal/backend"
)

// Options say how to reach the cluster and where the documents lie.
type Options struct {
	// URI is a connection string; it says where the servers are, in place of
	// Host and Port, and may name user and auth database, which Username,
	// Password and AuthDatabase otherwise do.
	URI          backend.Secret
	Host         string
	Port         int
	Username     string
	Password     backend.Secret
	AuthDatabase string

	Database             string
	CredentialCollection string
	UserCollection       string
	CharacterCollection  string

	// Timeout bounds each operation, waiting for a server included.
	Timeout time.Duration
	// MaxPoolSize bounds the connections to each server.
	MaxPoolSize int
}

// parsed is the connection string, read by the driver.
func (o Options) parsed() *options.ClientOptions {
	if o.URI.IsSet() {
		return options.Client().ApplyURI(o.URI.Reveal())
	}
	return options.Client().SetHosts([]string{net.JoinHostPort(o.Host, strconv.Itoa(o.Port))})
}

// credential is the user to log in as: that of Username, else that of the
// connection string, else none.
func (o Options) credential() *options.Credential {
	if o.Username != "" {
		return &options.Credential{
			Username: o.Username, Password: o.Password.Reveal(), PasswordSet: true, AuthSource: o.AuthDatabase}
	}
	return o.parsed().Auth
}

// HostList names the servers, without any secret.
func (o Options) HostList() string { return strings.Join(o.parsed().Hosts, ",") }

// User is the name of the user to log in as; "" for none.
func (o Options) User() string {
	if c := o.credential(); c != nil {
		return c.Username
	}
	return ""
}

// UserPassword is the password of the user to log in as.
func (o Options) UserPassword() backend.Secret {
	if c := o.credential(); c != nil {
		return backend.NewSecret(c.Password)
	}
	return backend.Secret{}
}

// AuthSource is the database that the user to log in as is defined in.
func (o Options) AuthSource() string {
	if c := o.credential(); c != nil && c.AuthSource != "" {
		return c.AuthSource
	}
	return o.AuthDatabase
}

// As gives the options for another user of the same servers.
func (o Options) As(username string, password backend.Secret, authDatabase string) Options {
	o.Username, o.Password, o.AuthDatabase = username, password, authDatabase
	return o
}
