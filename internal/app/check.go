package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"web-backend/internal/config"
	"web-backend/internal/secretfile"
)

// Check looks at what a server with this configuration would find at its
// start, and gives everything that would keep it from starting, or from serving
// all of its motion files. It makes and changes nothing, and asks no other
// server.
func Check(ctx context.Context, cfg *config.Config) []error {
	faults := append(checkDefaults(cfg), checkMotion(ctx, cfg.Motion)...)
	if cfg.TLSCert != "" && cfg.TLSKey != "" {
		if _, err := tls.LoadX509KeyPair(cfg.TLSCert, cfg.TLSKey); err != nil {
			faults = append(faults, fmt.Errorf("tls_cert, tls_key: %w", err))
		}
	}
	if cfg.Log.Path != "" {
		faults = append(faults, named("logger_cfg.logger_path", checkFile(cfg.Log.Path))...)
	}
	if cfg.Store != config.StoreEmbedded {
		return append(faults, named("mongodb_tls_ca_file", bootstrapOptions(cfg).Store.CheckTLS())...)
	}
	if err := errors.Join(checkFolder(cfg.DataDir), secretfile.CheckFolder(cfg.DataDir)); err != nil {
		faults = append(faults, named("data_dir", err)...)
	} else {
		faults = append(faults, named("operator token", checkOperatorToken(cfg))...)
	}
	if cfg.Backup.Every > 0 {
		faults = append(faults, named("backup.dir", checkFolder(cfg.Backup.Dir))...)
	}
	return faults
}

// checkOperatorToken says what is wrong with the token in the data folder, if
// there is one.
func checkOperatorToken(cfg *config.Config) error {
	path := filepath.Join(cfg.DataDir, operatorTokenFile)
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
	_, err := loadDefaults(cfg)
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
