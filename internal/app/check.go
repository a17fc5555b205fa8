package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"web-backend/internal/auth"
	"web-backend/internal/config"
	"web-backend/internal/secretfile"
	"web-backend/internal/store"
)

// Check checks what a server with this configuration would find when it starts.
// It returns warnings, and as faults everything that would prevent the server
// from starting, from using its master key, or from serving all of its motion
// files. It creates and changes nothing. It contacts no other server, except
// that it asks the system for the address of a host name to listen on.
func Check(ctx context.Context, cfg *config.Config) (faults []error, warnings []string) {
	faults, warnings = checkAddresses(ctx, cfg)
	return append(faults, checkFiles(ctx, cfg)...), warnings
}

// checkFiles checks the files and folders that a server would read and write.
func checkFiles(ctx context.Context, cfg *config.Config) []error {
	faults := append(checkDefaults(cfg), checkMotion(ctx, cfg.Motion)...)
	if cfg.TLSCert != "" && cfg.TLSKey != "" {
		if _, err := tls.LoadX509KeyPair(cfg.TLSCert, cfg.TLSKey); err != nil {
			faults = append(faults, fmt.Errorf("tls_cert, tls_key: %w", err))
		}
	}
	if cfg.Log.Path != "" {
		faults = append(faults, named("logger_cfg.logger_path", checkFile(cfg.Log.Path))...)
	}
	if !store.InDataFolder(cfg) {
		return append(faults, store.Check(cfg)...)
	}
	if err := errors.Join(checkFolder(cfg.DataDir), secretfile.CheckFolder(cfg.DataDir)); err != nil {
		faults = append(faults, named("data_dir", err)...)
	} else {
		faults = append(faults, store.Check(cfg)...)
		faults = append(faults, named("operator token", checkOperatorToken(cfg))...)
	}
	if cfg.Backup.Every > 0 {
		faults = append(faults, named("backup.dir", checkFolder(cfg.Backup.Dir))...)
	}
	return faults
}

// checkAddresses listens for a moment on the addresses that a server would use.
// If an address is already in use, that is only a warning, because the process
// that uses it may be this server.
func checkAddresses(ctx context.Context, cfg *config.Config) (faults []error, warnings []string) {
	const patience = 5 * time.Second // for resolving host names
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	check := func(key, address string) {
		listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
		switch {
		case err == nil:
			faults = append(faults, named(key, listener.Close())...)
		case isInUse(err):
			warnings = append(warnings, fmt.Sprintf("%s: something listens on %s already, maybe this server; serve needs it free", key, address))
		default:
			faults = append(faults, fmt.Errorf("%s: cannot listen on %s: %w", key, address, err))
		}
	}
	main := net.JoinHostPort(cfg.Host, strconv.Itoa(cfg.Port))
	check("host, port", main)
	if cfg.DebugAddress == "" {
		return faults, warnings
	}
	check("debug_address", cfg.DebugAddress)
	if cfg.DebugAddress == main && cfg.Port != 0 {
		faults = append(faults, errors.New("debug_address: is the address of the server itself; want another port"))
	}
	if !store.InDataFolder(cfg) && len(cfg.Access.OperatorTokens()) == 0 { // otherwise a token is created
		faults = append(faults, errDebugToken)
	}
	return faults, warnings
}

// checkOperatorToken returns what is wrong with the token in the data folder,
// or nil if there is no token.
func checkOperatorToken(cfg *config.Config) error {
	path := filepath.Join(cfg.DataDir, auth.OperatorTokenFile)
	if len(cfg.Access.OperatorTokens()) > 0 {
		return nil
	}
	if _, err := secretfile.Read(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	_, err := keptOperatorTokens(path) // the file exists, so no token is created
	return err
}

// named returns err prefixed with the setting that it is about, or nil if err
// is nil.
func named(key string, err error) []error {
	if err == nil {
		return nil
	}
	return []error{fmt.Errorf("%s: %w", key, err)}
}

// checkDefaults returns the faults of the files for new users, as separate
// errors.
func checkDefaults(cfg *config.Config) []error {
	_, err := cfg.UserDefaults()
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	return nil
}

// checkFile returns why the file at path cannot be written. The file does not
// have to exist yet.
func checkFile(path string) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return checkFolder(filepath.Dir(path))
	}
	if err != nil {
		return err
	}
	return file.Close()
}

// checkFolder returns why files cannot be created in the folder at path. If the
// folder does not exist yet, the nearest existing folder above it is checked.
func checkFolder(path string) error {
	for {
		info, err := os.Stat(path)
		switch parent := filepath.Dir(path); {
		case errors.Is(err, fs.ErrNotExist) && isLink(path):
			return fmt.Errorf("%s is a link that leads nowhere", path)
		case errors.Is(err, fs.ErrNotExist) && parent != path:
			path = parent
		case err != nil:
			return err
		case !info.IsDir():
			return fmt.Errorf("%s is not a folder", path)
		default:
			return checkWritable(path)
		}
	}
}

func isLink(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && info.Mode()&fs.ModeSymlink != 0
}
