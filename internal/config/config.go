// Package config holds the configuration: its defaults, and how the YAML file,
// the environment and the flags change them. It reports all faults at once.
package config

import (
	"log/slog"
	"time"

	"web-backend/internal/auth"
	"web-backend/internal/backend"
)

// The available stores.
const (
	StoreEmbedded = "embedded"
	StoreMongoDB  = "mongodb"
)

// Stores are the available stores. Package store describes each of them.
var Stores = []string{StoreEmbedded, StoreMongoDB}

// Who may create an account.
const (
	RegistrationOpen   = "open"   // everyone
	RegistrationClosed = "closed" // operators
)

// Config is everything that an operator can configure. The file settings.go
// defines the names and the allowed values.
type Config struct {
	Store   string
	Host    string
	Port    int
	DataDir string
	CacheMB int    // MB of recent reads that the embedded store keeps in memory; 0 for none
	Type    string // a setting of the original; not used

	// BasePath is the path prefix of all routes, such as /characters; "" for the
	// root.
	BasePath     string
	TLSCert      string // PEM file; set together with TLSKey for HTTPS
	TLSKey       string
	DebugAddress string // host:port of pprof and metrics; "" to disable this listener

	MasterKey backend.Secret // in the form that masterkey.Parse reads; "" to use the file in DataDir

	DefaultTimezone             string // for new users; "" to use the one of DefaultUserConfigPath
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

	Motion *Motion // nil if there are no motion files
	motion motionKeys

	// Warnings describe settings that have no effect or are unwise, one per
	// line. The code that starts the server logs them.
	Warnings []string
	// Entries describe each key for the console. [Load] leaves them empty; who
	// serves takes them from [Report.Entries].
	Entries []Entry
}

// Backup is the schedule of backups of the embedded store.
type Backup struct {
	Every time.Duration // 0 to make no backups
	Keep  int           // number of backups to keep; the newest are kept
	Dir   string        // folder for backups
}

// Log configures the log.
type Log struct {
	Path         string
	FileLevel    slog.Level
	ConsoleLevel slog.Level
	MaxSizeMB    int // size in megabytes at which the file is rotated
	MaxFiles     int // number of rotated files to keep
}

// Limits bound the resources that one client can use.
type Limits struct {
	MaxBodyBytes   int
	MaxHeaderBytes int
	MaxConnections int
	// MaxConnectionsPerAddress is the limit for one client address; 0 means no
	// limit.
	MaxConnectionsPerAddress int
	ReadHeaderTimeout        time.Duration
	ReadTimeout              time.Duration
	WriteTimeout             time.Duration
	IdleTimeout              time.Duration
	ShutdownTimeout          time.Duration
}

// Quotas are the settings for [backend.Limits].
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
	// LocalOperator lets programs on the server's machine list, create and
	// delete users and read the log without a token in guarded mode.
	LocalOperator bool
	// OperatorToken gives access to the operator's routes. It may hold several
	// tokens, separated by commas or line ends, while one replaces another.
	OperatorToken  backend.Secret
	TokenLifetime  time.Duration // of a user's access token
	TrustedProxies []string      // addresses or networks (CIDR)

	// RatePerAddress and RatePerUsername limit the account tries per minute; 0
	// means no limit.
	RatePerAddress   int
	RateAddressBurst int // tries that one address may make at once
	RatePerUsername  int // counts tries from one address
	// RatePerUsernameFromAll counts tries from all addresses, except addresses
	// from which the user has logged in before.
	RatePerUsernameFromAll int

	// WritesPerUser limits the changes of one user's data per minute.
	// WritesPerUserBurst limits the changes at once. 0 means no limit.
	WritesPerUser, WritesPerUserBurst int
}

// OperatorTokens returns each operator token.
func (a Access) OperatorTokens() []backend.Secret {
	return auth.SplitOperatorTokens(a.OperatorToken)
}

// Accounts configures who may create an account, the rules for passwords, and
// the cost of hashing.
type Accounts struct {
	Registration      string // open or closed
	PasswordMinLength int    // minimum length of a new password in characters
	HashMemoryKiB     int
	HashIterations    int
	HashParallelism   int
}

// PasswordParams returns the parameters of the password hash.
func (a Accounts) PasswordParams() auth.PasswordParams {
	return auth.PasswordParams{
		MemoryKiB: uint32(a.HashMemoryKiB), Iterations: uint32(a.HashIterations), Parallelism: uint8(a.HashParallelism), //nolint:gosec // the settings bound them
	}
}

// MongoDB configures the connection to the cluster. The names are those of the
// original (contract §7).
type MongoDB struct {
	URI                  backend.Secret
	Host                 string
	Port                 int
	TLS                  bool   // for Host and Port; a URI has its own option
	TLSCAFile            string // PEM file of the CA of the server's certificate; "" for the system's CAs
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
	StartupTimeout       time.Duration // how long to wait for a server at the start
	MaxPoolSize          int           // maximum number of connections to each server
}

// Default returns the configuration of a server without any settings: it uses
// the embedded store and can be reached only from this machine.
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
