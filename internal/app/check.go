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

// Check looks at what a server with this configuration would find at its
// start, and gives everything that would keep it from starting, from using its
// master key, or from serving all of its motion files; and warnings. It makes
// and changes nothing, and asks no other server, but the system for the address
// of a host name to listen on.
func Check(ctx context.Context, cfg *config.Config) (faults []error, warnings []string) {
	faults, warnings = checkAddresses(ctx, cfg)
	return append(faults, checkFiles(ctx, cfg)...), warnings
}

// checkFiles looks at what a server would read and write.
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

// checkAddresses listens for a moment where a server would. That something else
// listens there is a warning: it may be the server that this is about.
func checkAddresses(ctx context.Context, cfg *config.Config) (faults []error, warnings []string) {
	const patience = 5 * time.Second // with the resolver of names
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
	if !store.InDataFolder(cfg) && len(cfg.Access.OperatorTokens()) == 0 { // else one is made
		faults = append(faults, errDebugToken)
	}
	return faults, warnings
}

// checkOperatorToken says what is wrong with the token in the data folder, if
// there is one.
func checkOperatorToken(cfg *config.Config) error {
	path := filepath.Join(cfg.DataDir, auth.OperatorTokenFile)
	if len(cfg.Access.OperatorTokens()) > 0 {
		return nil
	}
	if _, err := secretfile.Read(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	_, err := keptOperatorTokens(path) // the file is there: none is made
	return err
}

// named is err with the setting that it is about, if there is one.
func named(key string, err error) []error {
	if err == nil {
		return nil
	}
	return []error{fmt.Errorf("%s: %w", key, err)}
}

// checkDefaults gives the faults of the files for new users, each by itself.
func checkDefaults(cfg *config.Config) []error {
	_, err := cfg.UserDefaults()
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	return nil
}

// checkFile says why a file cannot be written that may not be there yet.
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

// checkFolder says why files cannot be made in a folder that may not be there
// yet itself: then the nearest folder above it counts.
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
