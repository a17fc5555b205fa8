// Package config is the configuration: its defaults, and how the YAML file,
// the environment and the flags change them. Every fault is reported at once.
package config

import (
	"log/slog"
	"time"

	"web-backend/internal/backend"
)

// The stores that can be chosen.
const (
	StoreEmbedded = "embedded"
	StoreMongoDB  = "mongodb"
)

// Config is everything an operator can choose; settings.go says under which
// names, and what is allowed.
type Config struct {
	Store   string
	Host    string
	Port    int
	DataDir string
	Type    string // of the original; not used

	MasterKey backend.Secret // what masterkey.Parse reads; "" for the file in DataDir

	DefaultUserConfigPath       string
	DefaultCharacterConfigPaths []string

	EnableCORS  bool
	CORSOrigins []string

	Log     Log
	Limits  Limits
	MongoDB MongoDB
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
	MaxBodyBytes      int
	MaxHeaderBytes    int
	MaxConnections    int
	ReadHeaderTimeout time.Duration
	ReadTimeout       time.Duration
	WriteTimeout      time.Duration
	IdleTimeout       time.Duration
	ShutdownTimeout   time.Duration
}

// MongoDB says where the cluster is; the names are the original's
// (contract §7).
type MongoDB struct {
	URI                  backend.Secret
	Host                 string
	Port                 int
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
		Store: StoreEmbedded, Host: "127.0.0.1", Port: 18080, DataDir: "data", Type: "FastAPIServer",
		Log: Log{
			Path: "logs/server.log", FileLevel: slog.LevelInfo, ConsoleLevel: slog.LevelInfo,
			MaxSizeMB: 50, MaxFiles: 5,
		},
		Limits: Limits{
			MaxBodyBytes: 1 << 20, MaxHeaderBytes: 256 << 10, MaxConnections: 10_000,
			ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second, WriteTimeout: 30 * time.Second,
			IdleTimeout: 2 * time.Minute, ShutdownTimeout: 10 * time.Second,
		},
		MongoDB: MongoDB{
			Port: 27017, Database: "web", AuthDatabase: "admin", AdminUsername: "admin",
			CredentialCollection: "UserCredentials", UserCollection: "UserConfigs", CharacterCollection: "CharacterConfigs",
			Timeout: 2 * time.Second, StartupTimeout: 30 * time.Second, MaxPoolSize: 100,
		},
	}
}
