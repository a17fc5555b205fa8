package maintenance

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"web-backend/internal/config"
	"web-backend/internal/masterkey"
	"web-backend/internal/store"
	"web-backend/internal/store/sqlite"
)

// ErrUnreadable means that no master key opens some provider keys. They must be
// discarded before RotateKeys can continue.
var ErrUnreadable = errors.New("no master key was dropped")

// RotateKeys seals every provider key again. If the master keys come from the
// key file, it uses a new master key; otherwise it uses the first configured
// key. No other process may use the data folder at the same time. With discard
// it removes the values that no key opens; otherwise such values are an error.
// If a run is interrupted at any moment, all values stay readable and the next
// run completes the rotation.
func RotateKeys(ctx context.Context, cfg *config.Config, discard bool, console io.Writer) error {
	if err := store.SealsKeys(cfg); err != nil {
		return fmt.Errorf("there is nothing to rotate: %w", err)
	}
	r := &rotation{cfg: cfg, discard: discard}
	err := r.run(ctx, r.steps())
	if err == nil {
		r.report(console)
	}
	return err
}

// rotation is one run of RotateKeys. Each step leaves enough behind to start
// again.
type rotation struct {
	cfg     *config.Config
	discard bool

	store *sqlite.Store
	found masterkey.Found // the keys of the run, and where they come from
	began bool            // the run made a new key, and did not continue an interrupted run
	done  sqlite.Resealed
}

func (r *rotation) steps() []func(context.Context) error {
	return []func(context.Context) error{r.begin, r.reseal, r.finish}
}

// run runs the steps and closes the store that they opened.
func (r *rotation) run(ctx context.Context, steps []func(context.Context) error) (err error) {
	defer func() {
		if r.store != nil {
			err = errors.Join(err, r.store.Close())
		}
	}()
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// begin opens the store. takeKeys then adds the new key in front of the old
// one.
func (r *rotation) begin(context.Context) (err error) {
	if !sqlite.Exists(r.cfg.DataDir) {
		return fmt.Errorf("there is nothing to rotate: no database is in %s", r.cfg.DataDir)
	}
	r.store, err = sqlite.Open(r.cfg.DataDir, r.takeKeys)
	return err
}

// takeKeys returns the keys of the run: the keys of the configuration, the keys
// of an interrupted run, or a new key followed by the old one.
func (r *rotation) takeKeys(use sqlite.KeyUse) (masterkey.Ring, error) {
	var err error
	if r.found, err = masterkey.Find(r.cfg.MasterKey, r.cfg.DataDir); err != nil {
		return masterkey.Ring{}, err
	}
	if r.found.Fault != nil {
		return masterkey.Ring{}, r.found.Fault
	}
	if missing := use.Missing(r.found.Ring); len(missing) > 0 && !r.discard {
		lost, err := use.Lost(r.found.Ring)
		if err != nil {
			return masterkey.Ring{}, err
		}
		return masterkey.Ring{}, fmt.Errorf("%s sealed with a master key that is missing (%s); put that key back; nothing was changed, and %w",
			keysAre(lost), strings.Join(masterkey.Texts(missing), ", "), ErrUnreadable)
	}
	old := r.found.Ring.Keys()
	if r.found.Source == masterkey.FromConfig || len(old) > 1 {
		return r.found.Ring, nil
	}
	r.began, r.found.Source = true, masterkey.FromFile
	r.found.Ring = masterkey.NewRing(append([]masterkey.Key{masterkey.Generate()}, old...)...)
	return r.found.Ring, masterkey.WriteFile(r.found.Path, r.found.Ring)
}

// reseal seals every provider key with the first key.
func (r *rotation) reseal(ctx context.Context) (err error) {
	r.done, err = r.store.Reseal(ctx, r.discard)
	if err != nil && r.done.Discarded > 0 {
		return fmt.Errorf("%w, and %w", err, ErrUnreadable)
	}
	return err
}

// finish removes the old keys from the key file.
func (r *rotation) finish(context.Context) error {
	if r.found.Source == masterkey.FromConfig {
		return nil
	}
	return masterkey.WriteFile(r.found.Path, masterkey.NewRing(r.found.Ring.Keys()[0]))
}

// report writes what was done and what is left to do.
func (r *rotation) report(console io.Writer) {
	keys := r.found.Ring.Keys()
	if r.done.Discarded > 0 {
		fmt.Fprintf(console, "removed, as no master key opened them: %d\n", r.done.Discarded)
	}
	fmt.Fprintf(console, "%s sealed with master key %s now; newly so: %d\n",
		keysAre(r.done.Values), keys[0].ID(), r.done.Changed)
	switch {
	case r.found.Source == masterkey.FromFile && r.began:
		fmt.Fprintf(console, "%s holds the new key alone\n", r.found.Path)
	case r.found.Source == masterkey.FromFile:
		fmt.Fprintf(console, "that finishes a rotation that had begun: %s holds its new key alone\n", r.found.Path)
	case len(keys) == 1:
		fmt.Fprintln(console, "to change the key, put a new one before it in master_key, with a comma between, and run this again")
	default:
		for _, key := range keys[1:] {
			fmt.Fprintf(console, "key %s is not needed any more; remove it from master_key\n", key.ID())
		}
	}
	fmt.Fprintln(console, "backups from before need the key that sealed them")
}
