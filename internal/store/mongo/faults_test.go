package mongo_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"web-backend/internal/backend"
	"web-backend/internal/store/mongo"
	"web-backend/internal/store/mongo/mongotest"
)

const (
	faultTimeout = 700 * time.Millisecond // time limit of a call

	// margin allows for a machine that also runs other programs. The driver's
	// default timeout is 30 s.
	margin = 10 * time.Second
)

// wantUnavailable checks the result and the duration of a call with a time
// limit. The call must succeed, or return the kind of error that tells the
// caller to try again.
func wantUnavailable(t *testing.T, err error, limit, took time.Duration) {
	t.Helper()
	e, ok := errors.AsType[*backend.Error](err)
	if err != nil && (!ok || e.Kind != backend.Unavailable || e.Message == "" || e.Cause == nil) {
		t.Errorf("got error %v (%T), want one of kind %q with message and cause, or none", err, err, backend.Unavailable)
	}
	if took > limit+margin {
		t.Errorf("took %s, want %s at most", took, limit+margin)
	}
}

// TestFaults_InTheMiddleOfEachCall interrupts the network during each method of
// the store, before and after the server has seen the command. It does so at
// the first command, because the crash tests cover the others. Like them, it
// tries a sample, and everything in `make torture`.
func TestFaults_InTheMiddleOfEachCall(t *testing.T) {
	t.Parallel()
	type trial struct {
		call
		name    string
		fault   mongotest.Fault
		moment  mongotest.Moment
		succeed bool // the call survives the fault
	}
	var trials []trial
	for i, c := range calls {
		retried := c.name != "Ping" // the driver does not retry Ping, which asks for the current state
		trials = append(trials, trial{c, "cut before", mongotest.Cut, mongotest.BeforeCommand, false})
		if c.stored != nil { // without a change, "after" is the same as "before"
			trials = append(trials, trial{c, "reset after", mongotest.Reset, mongotest.BeforeReply, retried})
		}
		if !everyCrash && i%3 != 0 {
			continue
		}
		trials = append(trials,
			trial{c, "stalled before", mongotest.Stall, mongotest.BeforeCommand, false},
			trial{c, "reset before", mongotest.Reset, mongotest.BeforeCommand, retried},
			trial{c, "slow", mongotest.Slow, mongotest.BeforeCommand, true})
		if c.stored == nil {
			continue
		}
		trials = append(trials,
			trial{c, "cut after", mongotest.Cut, mongotest.BeforeReply, false},
			trial{c, "stalled after", mongotest.Stall, mongotest.BeforeReply, false})
	}
	site := newCrashSite(t)
	inParallel(trials, func(trial trial) {
		t.Run(trial.call.name+" "+trial.name, func(t *testing.T) {
			var who string
			var store *mongo.Store
			var proxy *mongotest.Proxy
			var err error
			timeout := faultTimeout
			if trial.succeed {
				timeout = site.options.Timeout
			}
			// On a busy machine the time of a call may be over before the fault
			// starts. In that case repeat the call with a longer time limit.
			for attempt := 0; proxy == nil || !proxy.Struck(); attempt, timeout = attempt+1, 2*timeout {
				if attempt == 6 {
					t.Fatal("the fault did not strike")
				}
				who = life(t.Name(), attempt)
				must(t, "prepare", prepare(t.Context(), site.other, who))
				store, proxy = site.behindProxy(t, timeout)
				proxy.Strike(trial.fault, trial.moment, 0)
				start := time.Now()
				err = trial.do(t.Context(), store, who)
				if !trial.succeed {
					wantUnavailable(t, err, timeout, time.Since(start))
				}
			}
			switch {
			case err == nil && !trial.succeed && trial.stored == nil:
				t.Error("got an answer, want none from a server that cannot be reached")
			case err == nil && trial.stored != nil && !trial.stored(t, site.database, who):
				t.Error("got success, and its effect is not stored")
			case err != nil && trial.succeed:
				t.Errorf("got error %v, want success at the second attempt", err)
			}

			proxy.Set(mongotest.None)
			wantRecovery(t, "read", func() error {
				_, err := store.UserConfig(t.Context(), who+" ada")
				return err
			})
		})
	})
}

// TestFaults_NoServer calls each method while no server responds, on existing
// connections and on new ones.
func TestFaults_NoServer(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]mongotest.Fault{"refused": mongotest.Cut, "silent": mongotest.Stall} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			site := newCrashSite(t)
			must(t, "prepare", prepare(t.Context(), site.other, name))
			store, proxy := site.behindProxy(t, faultTimeout)
			proxy.Set(fault)
			inParallel(calls, func(c call) {
				t.Run(c.name, func(t *testing.T) {
					start := time.Now()
					err := c.do(t.Context(), store, name)
					wantUnavailable(t, err, faultTimeout, time.Since(start))
					if err == nil {
						t.Error("got success, want an error")
					}
				})
			})
			proxy.Set(mongotest.None)
			wantPing(t, store)
		})
	}
}

// TestFaults_CallerGivesUp cancels a call that waits. The call must end at
// once.
func TestFaults_CallerGivesUp(t *testing.T) {
	t.Parallel()
	site := newCrashSite(t)
	must(t, "prepare", prepare(t.Context(), site.other, "who"))
	store, proxy := site.behindProxy(t, time.Minute)
	proxy.Set(mongotest.Stall)
	inParallel(reads, func(c call) {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(50*time.Millisecond, cancel)
			start := time.Now()
			err := c.do(ctx, store, "who")
			if !errors.Is(err, backend.Unavailable) || time.Since(start) > margin {
				t.Errorf("cancelled call: got error %v after %s, want %q at once", err, time.Since(start), backend.Unavailable)
			}
		})
	})
}

// TestFaults_HangingUpDoesNotBreakOff cancels a call that changes several
// documents while it runs. The call must be completed anyway.
func TestFaults_HangingUpDoesNotBreakOff(t *testing.T) {
	t.Parallel()
	site := newCrashSite(t)
	store, proxy := site.behindProxy(t, site.options.Timeout)
	proxy.Set(mongotest.Slow) // so that the call takes long enough to be cancelled
	for _, call := range severals {
		must(t, "prepare", call.prepare(t.Context(), site.other, call.name))
		ctx, cancel := context.WithCancel(t.Context())
		var called backend.Store = store
		if call.readsFirst {
			called = hangsUp{Store: store, proxy: proxy, hangUp: cancel}
		} else {
			atNextCommand(ctx, proxy, cancel)
		}
		must(t, call.name, call.do(ctx, called, call.name))
		if got, want := visible(t, site.other, call.name), call.after(call.name); ctx.Err() == nil || got != want {
			t.Errorf("%s whose caller went away (%v): visible is\n%s\nwant\n%s", call.name, ctx.Err(), got, want)
		}
	}
}

// hangsUp is a store whose caller hangs up during PutUsers.
type hangsUp struct {
	backend.Store
	proxy  *mongotest.Proxy
	hangUp context.CancelFunc
}

func (h hangsUp) PutUsers(ctx context.Context, users []backend.UserData) error {
	atNextCommand(ctx, h.proxy, h.hangUp)
	return h.Store.PutUsers(ctx, users)
}

// atNextCommand calls hangUp as soon as the next command is on its way, so that
// the call has begun and has not ended.
func atNextCommand(ctx context.Context, proxy *mongotest.Proxy, hangUp context.CancelFunc) {
	proxy.Strike(mongotest.Slow, mongotest.BeforeCommand, 0)
	go func() {
		for ctx.Err() == nil && !proxy.Struck() {
			<-time.After(time.Millisecond)
		}
		hangUp()
	}()
}

// TestFaults_FrozenServer freezes the database, which simulates an overloaded
// machine.
func TestFaults_FrozenServer(t *testing.T) {
	t.Parallel()
	server := mongotest.Own(t, false)
	o := mongotest.StoreOptions(server.URI(), server.Database(t))
	must(t, "prepare", prepare(t.Context(), mongotest.OpenStore(t, o), "who"))
	o.Timeout = faultTimeout
	store := mongotest.OpenBare(t, o)
	wantPing(t, store)
	server.Freeze(t)
	inParallel(calls, func(c call) {
		t.Run(c.name, func(t *testing.T) {
			start := time.Now()
			err := c.do(t.Context(), store, "who")
			wantUnavailable(t, err, faultTimeout, time.Since(start))
			if err == nil {
				t.Error("got success, want an error")
			}
		})
	})
	server.Thaw(t)
	wantPing(t, store)
}

// TestStore_RefusedUserIsUnavailable covers a password that an operator changes
// while the server runs.
func TestStore_RefusedUserIsUnavailable(t *testing.T) {
	t.Parallel()
	server := mongotest.Engine(t)
	o := mongotest.StoreOptions(server.URI(), server.Database(t))
	for name, user := range map[string]mongo.Login{
		"wrong password": {Username: "nobody", Password: backend.NewSecret("hush"), Database: "admin"},
		"no user":        {},
	} {
		o := o.As(user)
		if user.Username == "" {
			o.URI = backend.NewSecret(fmt.Sprintf("mongodb://%s/", o.HostList()))
		}
		store := mongotest.OpenBare(t, o)
		for _, c := range calls {
			if c.name == "Ping" && user.Username == "" {
				continue // no server requires a login for Ping
			}
			if err := c.do(t.Context(), store, "who"); !errors.Is(err, backend.Unavailable) {
				t.Errorf("%s, %s: got error %v, want %q", name, c.name, err, backend.Unavailable)
			}
		}
	}
}
