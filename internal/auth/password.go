package auth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"github.com/alexedwards/argon2id"
	"golang.org/x/crypto/argon2"
	"golang.org/x/sync/semaphore"

	"web-backend/internal/backend"
)

// PasswordParams are the costs of hashing a password. They apply to this server
// and to an attacker who tries passwords against a stolen hash.
type PasswordParams struct {
	MemoryKiB   uint32 // at least 8 for each lane, at most 1 GiB
	Iterations  uint32 // at least 1; memory times iterations is at most 8 GiB
	Parallelism uint8  // lanes, at least 1; each uses a core
}

// DefaultPasswordParams is the first recommendation for servers in OWASP's
// Password Storage Cheat Sheet (19 MiB).
var DefaultPasswordParams = PasswordParams{MemoryKiB: 19 << 10, Iterations: 2, Parallelism: 1}

// mostOfStored is the limit for each parameter of a stored hash, unless the
// parameter of new hashes is greater. An import may bring hashes from an
// untrusted source, and a single login with one of them must not use up the
// machine.
var mostOfStored = PasswordParams{MemoryKiB: 64 << 10, Iterations: 10, Parallelism: 4}

const (
	maxHashMemoryKiB = 1 << 20 // of a new hash, set by configuration
	maxHashWorkKiB   = 8 << 20 // memory × iterations: about ten seconds
	maxHashLength    = 512     // characters of the PHC form; hashes made here have 97
	hashPrefix       = "$argon2id$"
	saltLength       = 16 // bytes, as RFC 9106 recommends
	keyLength        = 32
)

// Check returns an error that names the first parameter that is out of bounds,
// with the bounds. It returns nil if there is none.
func (p PasswordParams) Check() error {
	lanes, memory, work := uint64(p.Parallelism), uint64(p.MemoryKiB), uint64(p.MemoryKiB)*uint64(p.Iterations)
	switch {
	case lanes < 1:
		return errors.New("parallelism is 0, want 1 to 255")
	case memory < 8*lanes || memory > maxHashMemoryKiB:
		return fmt.Errorf("memory is %d KiB, want %d (8 for each lane) to %d", memory, 8*lanes, maxHashMemoryKiB)
	case work < memory || work > maxHashWorkKiB:
		return fmt.Errorf("iterations are %d, want 1 to %d with %d KiB of memory",
			p.Iterations, maxHashWorkKiB/memory, memory)
	}
	return nil
}

// The limits of hashing. If more logins arrive than the server can hash, it
// must refuse some early, because clients do not wait longer than maxHashWait.
const (
	hashMemoryKiB  = 48 << 10        // for all running hashes, unless a single one needs more
	maxHashWaiting = 32              // callers in the queue: about a second on two cores
	maxHashWait    = 2 * time.Second // for one caller in the queue
	restFraction   = 4               // on one core, hashing pauses for a quarter of the time that it took
)

// Passwords hashes passwords with argon2id and checks them. It is safe for
// concurrent use.
//
// All hashes share one budget of memory and cores. The memory is 48 MiB, or
// what one hash needs if that is more; the garbage collector may use the same
// amount again. The cores are all but one. If the budget is used up, callers
// wait in order: at most 32 callers, each for at most 2 s and not longer than
// its context. A hash that has started always finishes, even if its context
// ends.
//
// One core stays free for other work. The scheduler takes a core away from a
// hash only every 10 ms, and an HTTP request needs a core several times. On a
// machine with only one core, hashing pauses between hashes.
type Passwords struct {
	params  argon2id.Params
	most    PasswordParams // of a stored hash
	invalid error          // why params cannot be used, or nil
	nobody  string         // a hash that matches no password

	budget  *semaphore.Weighted // KiB
	size    int64               // of budget
	perCore int64               // the share of budget that represents one core
	oneCore bool
	waiting atomic.Int64 // callers in the queue
	refused atomic.Int64 // callers that were refused because the queue was too long or too slow
}

// NewPasswords returns a Passwords that makes new hashes with params. If params
// are out of bounds (see PasswordParams.Check), every call fails.
func NewPasswords(params PasswordParams) *Passwords {
	p := &Passwords{
		params: argon2id.Params{
			Memory: params.MemoryKiB, Iterations: params.Iterations, Parallelism: params.Parallelism,
			SaltLength: saltLength, KeyLength: keyLength,
		},
		most: PasswordParams{
			MemoryKiB:   max(params.MemoryKiB, mostOfStored.MemoryKiB),
			Iterations:  max(params.Iterations, mostOfStored.Iterations),
			Parallelism: max(params.Parallelism, mostOfStored.Parallelism),
		},
		invalid: params.Check(),
		size:    max(hashMemoryKiB, int64(params.MemoryKiB)),
	}
	// A random key is enough here: the key of a real hash is just as random, but
	// computing one takes time.
	var salt [saltLength]byte
	var key [keyLength]byte
	_, _ = rand.Read(salt[:])
	_, _ = rand.Read(key[:])
	p.nobody = phcPrefix(&p.params) + base64.RawStdEncoding.EncodeToString(salt[:]) + "$" +
		base64.RawStdEncoding.EncodeToString(key[:])

	cores := int64(runtime.GOMAXPROCS(0))
	p.oneCore = cores == 1
	p.budget = semaphore.NewWeighted(p.size)
	p.perCore = p.size / max(cores-1, 1)
	return p
}

// Hash returns the PHC form of a hash of password with a new salt. The error is
// TooMany if too many callers wait for a hash, and Unavailable if ctx ended
// first.
func (p *Passwords) Hash(ctx context.Context, password backend.Secret) (backend.Secret, error) {
	if p.invalid != nil {
		return backend.Secret{}, &backend.Error{Message: "hash a password", Cause: p.invalid}
	}
	release, err := p.acquire(ctx, &p.params)
	if err != nil {
		return backend.Secret{}, err
	}
	defer release()
	hash, err := argon2id.CreateHash(password.Reveal(), &p.params)
	if err != nil {
		return backend.Secret{}, &backend.Error{Message: "hash a password", Cause: err}
	}
	return backend.NewSecret(hash), nil
}

// Verify reports whether password is the stored password. If so, it also
// reports whether the stored form is outdated and should be replaced by a new
// Hash. It accepts three forms of stored: an argon2id hash in PHC form, which
// is outdated if it was made with other parameters; the plain text that the
// original kept, which is always outdated; and an empty value for a user name
// that does not exist, which does not match any password.
//
// Except for hashes with other parameters, all forms take the same time, so
// that the response time does not reveal anything about the user name. The
// errors are those of Hash, and Internal if stored is a hash that cannot be
// computed. If CheckStored does not allow the hash, Verify refuses it like a
// wrong password, with the cause for the log.
func (p *Passwords) Verify(ctx context.Context, password, stored backend.Secret) (ok, outdated bool, err error) {
	if p.invalid != nil {
		return false, false, &backend.Error{Message: "verify a password", Cause: p.invalid}
	}
	hash, isHash := stored.Reveal(), true
	if !strings.HasPrefix(hash, hashPrefix) {
		hash, isHash = p.nobody, false
	}
	tooCostly := p.CheckStored(stored)
	if tooCostly != nil {
		hash = p.nobody
	}
	params, err := hashParams(hash)
	if err != nil {
		return false, false, &backend.Error{Message: "verify a password against the stored hash", Cause: err}
	}
	release, err := p.acquire(ctx, params)
	if err != nil {
		return false, false, err
	}
	defer release()
	ok, err = argon2id.ComparePasswordAndHash(password.Reveal(), hash)
	if err != nil {
		return false, false, &backend.Error{Message: "verify a password against the stored hash", Cause: errMalformedHash}
	}
	if tooCostly != nil {
		return false, false, &backend.Refusal{Reason: backend.WrongCredentials, Cause: fmt.Errorf(
			"a stored password is not checked: %w; its user needs a new password (web-backend user set-password)", tooCostly)}
	}
	if isHash {
		return ok, ok && *params != p.params, nil
	}
	plain := backend.PlainPassword // compare plain texts in this form; a hash cannot be compared like this
	given, want := sha256.Sum256([]byte(plain(password).Reveal())), sha256.Sum256([]byte(plain(stored).Reveal()))
	ok = subtle.ConstantTimeCompare(given[:], want[:]) == 1 && stored.IsSet()
	return ok, ok, nil
}

// CheckStored returns an error if stored is an argon2id hash that exceeds the
// cost limits of Verify: 64 MiB of memory, 10 iterations and 4 lanes, or the
// parameters of new hashes where these are greater. The error does not show any
// part of the hash.
func (p *Passwords) CheckStored(stored backend.Secret) error {
	hash := stored.Reveal()
	if !strings.HasPrefix(hash, hashPrefix) || len(hash) > maxHashLength {
		return nil // not a hash, or one that is never computed
	}
	if params, _, _, err := argon2id.DecodeHash(hash); err == nil {
		return p.checkCost(params)
	}
	return nil
}

func (p *Passwords) checkCost(params *argon2id.Params) error {
	for _, parameter := range []struct {
		name      string
		got, most uint32
	}{
		{"KiB of memory", params.Memory, p.most.MemoryKiB},
		{"iterations", params.Iterations, p.most.Iterations},
		{"lanes", uint32(params.Parallelism), uint32(p.most.Parallelism)},
	} {
		if parameter.got > parameter.most {
			return fmt.Errorf("the argon2id hash takes %d %s, and at most %d are allowed",
				parameter.got, parameter.name, parameter.most)
		}
	}
	return nil
}

// errMalformedHash replaces the error of the library, which may quote the hash.
var errMalformedHash = errors.New("it is not an argon2id hash in PHC form")

// hashParams parses the parameters of a hash in PHC form. It rejects parameters
// that would make package argon2 panic or that would use up the machine.
func hashParams(hash string) (*argon2id.Params, error) {
	if len(hash) > maxHashLength {
		return nil, fmt.Errorf("it has %d characters, want at most %d", len(hash), maxHashLength)
	}
	params, _, _, err := argon2id.DecodeHash(hash)
	if err != nil || !strings.HasPrefix(hash, phcPrefix(params)) { // DecodeHash ignores text after a number
		return nil, errMalformedHash
	}
	if params.KeyLength < 16 || params.SaltLength < 8 {
		return nil, fmt.Errorf("its salt and key have %d and %d bytes, want at least 8 and 16",
			params.SaltLength, params.KeyLength)
	}
	return params, PasswordParams{params.Memory, params.Iterations, params.Parallelism}.Check()
}

// phcPrefix returns the PHC form up to the salt.
func phcPrefix(params *argon2id.Params) string {
	return fmt.Sprintf("%sv=%d$m=%d,t=%d,p=%d$",
		hashPrefix, argon2.Version, params.Memory, params.Iterations, params.Parallelism)
}

// acquire waits for the budget of one hash with params. It returns a function
// that releases the budget.
func (p *Passwords) acquire(ctx context.Context, params *argon2id.Params) (release func(), err error) {
	share := min(p.size, max(int64(params.Memory), p.perCore*int64(params.Parallelism)))
	if err := p.wait(ctx, share); err != nil {
		return nil, err
	}
	start := time.Now()
	return func() {
		if p.oneCore {
			time.AfterFunc(time.Since(start)/restFraction, func() { p.budget.Release(share) })
			return
		}
		p.budget.Release(share)
	}, nil
}

// wait takes share from the budget as soon as it is available.
func (p *Passwords) wait(ctx context.Context, share int64) error {
	if err := ctx.Err(); err != nil {
		return hashingEnded(err)
	}
	if p.budget.TryAcquire(share) { // never succeeds while other callers wait
		return nil
	}
	defer p.waiting.Add(-1)
	if p.waiting.Add(1) > maxHashWaiting {
		return p.tooManyHashes()
	}
	bounded, cancel := context.WithTimeout(ctx, maxHashWait)
	defer cancel()
	if p.budget.Acquire(bounded, share) == nil {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return hashingEnded(err)
	}
	return p.tooManyHashes()
}

// HashQueue is the state of the queue of callers that wait for a password hash.
type HashQueue struct {
	Waiting, Limit int64
	Refused        int64 // number of callers since the start that got TooMany
}

// Queue returns the current state of the queue.
func (p *Passwords) Queue() HashQueue {
	return HashQueue{Waiting: min(p.waiting.Load(), maxHashWaiting), Limit: maxHashWaiting, Refused: p.refused.Load()}
}

func hashingEnded(cause error) error {
	return &backend.Error{
		Kind: backend.Unavailable, Message: "the request ended before the password was checked", Cause: cause,
	}
}

func (p *Passwords) tooManyHashes() error {
	p.refused.Add(1)
	return &backend.Error{Kind: backend.TooMany, Message: "too many passwords are being checked; try again in a few seconds"}
}
