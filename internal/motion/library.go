package motion

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"
)

// ErrNotReady says that there is no generation yet.
var ErrNotReady = errors.New("the motion files are not loaded yet")

// Library holds the current [Generation] and makes a new one when its sources
// change. It is safe for concurrent use.
type Library struct {
	sources Sources
	options LibraryOptions

	ready chan struct{} // closed when the first generation is ready

	mu      sync.Mutex
	current *Generation
	lastErr error // of the last check or load; nil if it succeeded
	checked time.Time
	failed  int64
}

// LibraryOptions configure a library.
type LibraryOptions struct {
	Options

	CheckInterval time.Duration // time between two checks of the sources
	Log           *slog.Logger
}

// NewLibrary returns an empty library. [Library.Run] loads it.
func NewLibrary(sources Sources, options LibraryOptions) *Library {
	return &Library{sources: sources, options: options, ready: make(chan struct{})}
}

// Run loads the first generation and, whenever the sources change, the next
// one, until ctx ends. A new generation replaces the current one only when it
// is complete. If it cannot be made, the current one stays in use.
func (l *Library) Run(ctx context.Context) {
	for {
		l.refresh(ctx)
		select {
		case <-time.After(l.options.CheckInterval):
		case <-ctx.Done():
			return
		}
	}
}

// refresh loads a new generation if the sources have changed.
func (l *Library) refresh(ctx context.Context) {
	current := l.Current()
	if current != nil {
		changed, err := current.changed(ctx, l.sources.Database)
		if err != nil || !changed {
			l.note(ctx, err)
			return
		}
	}
	start := time.Now()
	next, err := Load(ctx, l.sources, l.options.Options)
	l.note(ctx, err)
	if err != nil {
		return
	}
	l.mu.Lock()
	l.current = next
	l.mu.Unlock()
	if current == nil {
		close(l.ready)
	}
	status := l.Status()
	l.options.Log.InfoContext(ctx, "motion files loaded", "version", status.Version, "avatars", status.Avatars,
		"clips", status.Clips, "faults", status.Faults, "duration", time.Since(start))
	l.logFaults(ctx, next.faults, func(fault string) {
		l.options.Log.WarnContext(ctx, "motion files: left out", "fault", fault)
	})
}

// logFaults logs the faults, up to a maximum number, so that they do not flood
// the log.
func (l *Library) logFaults(ctx context.Context, faults []Fault, log func(fault string)) {
	const most = 100
	for _, fault := range faults[:min(len(faults), most)] {
		log(fault.String())
	}
	if more := len(faults) - most; more > 0 {
		l.options.Log.WarnContext(ctx, "motion files: more faults, which web-backend motion check names", "faults", more)
	}
}

// note records the result of a check or a load. It logs an error only if it
// differs from the last one.
func (l *Library) note(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return // the server is shutting down
	}
	l.mu.Lock()
	before, keeps := l.lastErr, l.current != nil
	l.lastErr, l.checked = err, time.Now()
	if err != nil {
		l.failed++
	}
	l.mu.Unlock()
	if err == nil || before != nil && before.Error() == err.Error() {
		return
	}
	l.options.Log.ErrorContext(ctx, "motion files cannot be loaded", "error", err, "keeps_the_last", keeps,
		"next_try_in", l.options.CheckInterval)
	if faults, ok := errors.AsType[*FaultsError](err); ok {
		l.logFaults(ctx, faults.Faults, func(fault string) {
			l.options.Log.WarnContext(ctx, "motion files: fault", "fault", fault)
		})
	}
}

// Current returns the current generation, or nil if there is none yet. Call it
// once for a whole response, so that a new generation does not affect the
// response.
func (l *Library) Current() *Generation {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.current
}

// Wait returns the current generation. If there is none yet, it waits for the
// first one. The error is [ErrNotReady] if there is none after the time limit,
// or the error of ctx.
func (l *Library) Wait(ctx context.Context, limit time.Duration) (*Generation, error) {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-l.ready:
		return l.Current(), nil
	case <-timer.C:
		return nil, ErrNotReady
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Status is the state of a library.
type Status struct {
	Version                string    // "" without a generation
	Avatars, Clips, Faults int       // of the generation
	Failures               int64     // number of failed checks and loads
	Err                    error     // error of the last check or load
	Checked                time.Time // when that ended; zero if there was none
}

// Status returns the state of l.
func (l *Library) Status() Status {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := Status{Failures: l.failed, Err: l.lastErr, Checked: l.checked}
	if g := l.current; g != nil {
		s.Version, s.Avatars, s.Faults = g.version, len(g.avatars), len(g.faults)
		for _, clips := range g.avatars {
			s.Clips += len(clips)
		}
	}
	return s
}
