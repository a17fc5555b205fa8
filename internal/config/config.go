// Package config is the configuration: its defaults, and how the YAML file,
// the environment and the flags change them. Every fault is reported at once.
package config

import (
	"log/slog"
	"time"

	"web-backend/internal/auth"
	"web-backend/internal/backend"
)

// The stores that can be chosen.
const (
	StoreEmbedded = "embedded"
	StoreMongoDB  = "mongodb"
)

// Stores are the stores that can be chosen. Package store says what each is.
var Stores = []string{StoreEmbedded, StoreMongoDB}

// Who may make an account.
const (
	RegistrationOpen   = "open"   // everyone
	RegistrationClosed = "closed" // operators
)

// Config is everything an operator can choose; settings.go says under which
// names, and what is allowed.
type Config struct {
	Store   string
	Host    string
	Port    int
	DataDir string
	CacheMB int    // MB of what the embedded store read lately that it keeps in memory; 0 for none
	Type    string // of the original; not used

	// BasePath is where everything is served below, such as /characters; "" for
	// the root.
	BasePath     string
	TLSCert      string // PEM file; set together with TLSKey for HTTPS
	TLSKey       string
	DebugAddress string // host:port of pprof and metrics; "" for no such listener

	MasterKey backend.Secret // what masterkey.Parse reads; "" for the file in DataDir

	DefaultTimezone             string // of new users; "" for the one of DefaultUserConfigPath
	DefaultUserConfigPath       string
	DefaultCharacterConfigPaths []string

	EnableCORS  bool
	CORSOrigins []string

	Log      Log
	Limits   Limits
	Quotas   Quotas
	Access   Access
	Accounts Accounts
	Backup   Backup
	MongoDB  MongoDB

	Motion *Motion // nil: there are no motion files
	motion motionKeys

	// Warnings are what in the sources has no effect, or is unwise, a line each;
	// whoever starts the server logs them.
	Warnings []string
}

// Backup is the schedule of backups of the embedded store.
type Backup struct {
	Every time.Duration // 0 for none
	Keep  int           // backups that are kept, the newest ones
	Dir   string        // folder they lie in
}

// Log says where the log goes.
type Log struct {
	Path         string
	FileLevel    slog.Level
	ConsoleLevel slog.Level
	MaxSizeMB    int // megabytes at which the file is rotated
	MaxFiles     int // rotated files that are kept
}

// Limits bound what one client can take.
type Limits struct {
	MaxBodyBytes   int
	MaxHeaderBytes int
	MaxConnections int
	// MaxConnectionsPerAddress are those of one client address; 0 for no bound.
	MaxConnectionsPerAddress int
	ReadHeaderTimeout        time.Duration
	ReadTimeout              time.Duration
	WriteTimeout             time.Duration
	IdleTimeout              time.Duration
	ShutdownTimeout          time.Duration
}

// Quotas are [backend.Limits].
type Quotas struct {
	IDLength         int
	TextLength       int
	PromptBytes      int
	ProviderKeyBytes int
	Characters       int
	Users            int
}

// Access says who may call what (docs/security.md).
type Access struct {
	Mode string // open, guarded or strict
	// LocalOperator lets programs on the server's machine list, make and delete
	// users and see the log without a token, where access is guarded.
	LocalOperator bool
	// OperatorToken opens the operator's routes; several, separated by commas
	// or line ends, while one replaces another.
	OperatorToken  backend.Secret
	TokenLifetime  time.Duration // of a user's access token
	TrustedProxies []string      // addresses or networks (CIDR)

	// RatePerAddress and RatePerUsername are tries at accounts per minute; 0
	// for no bound.
	RatePerAddress   int
	RateAddressBurst int // tries that one address may make at once
	RatePerUsername  int // from one address
	// RatePerUsernameFromAll counts tries from all addresses but those that have
	// logged the user in before.
	RatePerUsernameFromAll int

	// WritesPerUser are the changes of one user's data per minute, and
	// WritesPerUserBurst those at once; 0 for no bound.
	WritesPerUser, WritesPerUserBurst int
}

// OperatorTokens gives each operator token.
func (a Access) OperatorTokens() []backend.Secret {
	return auth.SplitOperatorTokens(a.OperatorToken)
}

// Accounts says who may make one, what passwords are like and what hashing one
// takes.
type Accounts struct {
	Registration      string // open or closed
	PasswordMinLength int    // characters of a new password
	HashMemoryKiB     int
	HashIterations    int
	HashParallelism   int
}

// PasswordParams gives the parameters of the password hash.
func (a Accounts) PasswordParams() auth.PasswordParams {
	return auth.PasswordParams{
		MemoryKiB: uint32(a.HashMemoryKiB), Iterations: uint32(a.HashIterations), Parallelism: uint8(a.HashParallelism), //nolint:gosec // the settings bound them
	}
}

// MongoDB says where the cluster is; the names are the original's
// (contract §7).
type MongoDB struct {
	URI                  backend.Secret
	Host                 string
	Port                 int
	TLS                  bool   // for Host and Port; a URI says so itself
	TLSCAFile            string // PEM file of who signs the server's certificate; "" for the system's own
	Username             string
	Password             backend.Secret
	Database             string
	AuthDatabase         string
	AdminUsername        string
	AdminPassword        backend.Secret
	CredentialCollection string
	UserCollection       string
	CharacterCollection  string
	Timeout              time.Duration // of each operation
	StartupTimeout       time.Duration // of waiting for a server at the start
	MaxPoolSize          int           // connections to each server
}

// Default is the configuration of a server that nobody configured: embedded
// store, reachable from this machine only.
func Default() *Config {
	return &Config{
		Store: StoreEmbedded, Host: "127.0.0.1", Port: 18080, DataDir: "data", CacheMB: 8, Type: "FastAPIServer",
		Log: Log{
			Path: "logs/server.log", FileLevel: slog.LevelInfo, ConsoleLevel: slog.LevelInfo,
			MaxSizeMB: 50, MaxFiles: 5,
		},
		Limits: Limits{
			MaxBodyBytes: 1 << 20, MaxHeaderBytes: 256 << 10, MaxConnections: 10_000, MaxConnectionsPerAddress: 256,
			ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second, WriteTimeout: 30 * time.Second,
			IdleTimeout: 2 * time.Minute, ShutdownTimeout: 10 * time.Second,
		},
		Quotas: Quotas{
			IDLength: 256, TextLength: 256, PromptBytes: 64 << 10, ProviderKeyBytes: 4 << 10, Characters: 200,
		},
		Access: Access{
			Mode: auth.Guarded.String(), LocalOperator: true, TokenLifetime: 7 * 24 * time.Hour,
			RatePerAddress: 60, RateAddressBurst: 30, RatePerUsername: 10, RatePerUsernameFromAll: 100,
			WritesPerUser: 6000, WritesPerUserBurst: 1000,
		},
		Accounts: Accounts{
			Registration: RegistrationOpen, PasswordMinLength: 8, HashMemoryKiB: int(auth.DefaultPasswordParams.MemoryKiB),
			HashIterations: int(auth.DefaultPasswordParams.Iterations), HashParallelism: int(auth.DefaultPasswordParams.Parallelism),
		},
		Backup: Backup{Keep: 7, Dir: "backups"},
		motion: defaultMotionKeys(),
		MongoDB: MongoDB{
			Port: 27017, Database: "web", AuthDatabase: "admin", AdminUsername: "admin",
			CredentialCollection: "UserCredentials", UserCollection: "UserConfigs", CharacterCollection: "CharacterConfigs",
			Timeout: 2 * time.Second, StartupTimeout: 30 * time.Second, MaxPoolSize: 100,
		},
	}
}
