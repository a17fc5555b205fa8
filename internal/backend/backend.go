// Package backend is the domain of web-backend: users, their configuration and
// provider keys, their characters, and the rules for them. It does not depend
// on a database, on HTTP or on configuration. A [Store] keeps what the
// [Service] decides.
package backend

import (
	"context"
	"time"

	"github.com/google/uuid"
)

// Service applies the rules of the domain on top of a [Store]. It holds no
// state except what [New] receives. It is safe for concurrent use.
type Service struct {
	store     Store
	defaults  Defaults
	accounts  AccountRules
	limits    Limits
	passwords PasswordHasher
	now       func() time.Time
	newID     func() string
}

// Options are what a [Service] needs in addition to its store.
type Options struct {
	Defaults  Defaults
	Accounts  AccountRules
	Limits    Limits
	Passwords PasswordHasher // required if accounts are used
	// Now is the clock. Tests can replace it. nil means time.Now.
	Now func() time.Time
}

// Defaults is what every new user starts with.
type Defaults struct {
	// UserConfig holds the time zone (DefaultTimezone if empty) and provider
	// keys. Its UserID is not used.
	UserConfig UserConfig
	// Characters are copied to a new user in this order. Their ids, owner and
	// creation time are not used.
	Characters []Character
}

// New returns a Service on store.
func New(store Store, o Options) *Service {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Defaults.UserConfig.Timezone == "" {
		o.Defaults.UserConfig.Timezone = DefaultTimezone
	}
	return &Service{
		store: store, defaults: o.Defaults, accounts: o.Accounts, limits: o.Limits, passwords: o.Passwords,
		now: o.Now, newID: uuid.NewString,
	}
}

// Ready returns an error if the store does not respond.
func (s *Service) Ready(ctx context.Context) error { return s.store.Ping(ctx) }
