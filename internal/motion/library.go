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

// Library has one [Generation] in use, and makes the next one when its sources
// change. It is safe for concurrent use.
type Library struct {
	sources Sources
	options LibraryOptions

	ready chan struct{} // closed with the first generation

	mu      sync.Mutex
	current *Generation
	lastErr error // of the last look or load; nil after one that succeeded
	failed  int64
}

// LibraryOptions say how a library is kept.
type LibraryOptions struct {
	Options

	CheckInterval time.Duration // between two looks at the sources
	Log           *slog.Logger
}

// NewLibrary makes a library that has nothing yet: [Library.Run] loads it.
func NewLibrary(sources Sources, options LibraryOptions) *Library {
	return &Library{sources: sources, options: options, ready: make(chan struct{})}
}

// Run loads the first generation and, whenever the sources changed, the next
// one, until ctx ends. A generation is swapped in when it is whole; one that
// cannot be made leaves the one before in use.
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

// refresh loads a generation if there is something new to load.
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

// logFaults logs each fault, up to a number that does not bury the rest of the
// log.
func (l *Library) logFaults(ctx context.Context, faults []Fault, log func(fault string)) {
	const most = 100
	for _, fault := range faults[:min(len(faults), most)] {
		log(fault.String())
	}
	if more := len(faults) - most; more > 0 {
		l.options.Log.WarnContext(ctx, "motion files: more faults, which web-backend motion check names", "faults", more)
	}
}

// note keeps the outcome of a look or a load, and logs an error that is not
// that of the last time.
func (l *Library) note(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return // the server stops
	}
	l.mu.Lock()
	before, keeps := l.lastErr, l.current != nil
	l.lastErr = err
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

// Current gives the generation in use, nil before the first one. Who asks for
// it once and uses it for a whole answer is not disturbed by the next one.
func (l *Library) Current() *Generation {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.current
}

// Wait gives the generation in use, and waits for the first one. The error is
// [ErrNotReady] if there is none after the time limit, or that of ctx.
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

// Status is how a library is.
type Status struct {
	Version                string // "" without a generation
	Avatars, Clips, Faults int    // of the generation
	Failures               int64  // looks and loads that failed
	Err                    error  // of the last one
}

// Status gives how l is.
func (l *Library) Status() Status {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := Status{Failures: l.failed, Err: l.lastErr}
	if g := l.current; g != nil {
		s.Version, s.Avatars, s.Faults = g.version, len(g.avatars), len(g.faults)
		for _, clips := range g.avatars {
			s.Clips += len(clips)
		}
	}
	return s
}
