package auth

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"slices"
	"strings"
	"sync"
	"time"

	"web-backend/internal/backend"
)

// TicketKind says what a ticket is for. A ticket of one kind is not valid as
// another.
type TicketKind string

// The kinds of tickets.
const (
	SignInTicket  TicketKind = "sign-in" // in a link that signs in an operator once
	SessionTicket TicketKind = "session" // in the cookie of an operator who is signed in
)

// ticketLifetimes are how long tickets are valid.
var ticketLifetimes = map[TicketKind]time.Duration{SignInTicket: 10 * time.Minute, SessionTicket: 12 * time.Hour}

// Lifetime returns how long a ticket of this kind is valid.
func (k TicketKind) Lifetime() time.Duration { return ticketLifetimes[k] }

// A ticket is ticketPrefix and the base64url form of: the time at which it
// expires in Unix seconds, a nonce, and the HMAC of both.
const (
	ticketPrefix    = "wbc_"
	ticketTimeBytes = 8
	nonceBytes      = 16
	ticketSigned    = ticketTimeBytes + nonceBytes
)

type nonce [nonceBytes]byte

// Tickets makes and checks tickets: texts that show for a limited time that
// somebody had an operator token. Each is authenticated with a key derived from
// that token, so it ends with the token and does not have to be stored. Another
// process that has the token can make tickets that this one accepts. It is safe
// for concurrent use.
type Tickets struct {
	tokens OperatorTokens
	now    func() time.Time

	mu   sync.Mutex
	used map[nonce]time.Time // nonces of tickets that were ended, and when these expire
}

// NewTickets returns Tickets for the operator tokens. now is the clock:
// time.Now except in tests.
func NewTickets(tokens OperatorTokens, now func() time.Time) *Tickets {
	return &Tickets{tokens: tokens, now: now, used: map[nonce]time.Time{}}
}

// Make returns a new ticket of the operator token with this number, starting at
// 1. It is empty if there is no such token.
func (t *Tickets) Make(kind TicketKind, number int) backend.Secret {
	if number < 1 || number > t.tokens.Len() {
		return backend.Secret{}
	}
	var ticket [ticketSigned]byte
	binary.BigEndian.PutUint64(ticket[:], uint64(t.now().Add(kind.Lifetime()).Unix())) //nolint:gosec // after 1970
	_, _ = rand.Read(ticket[ticketTimeBytes:])                                         // returns no error: it ends the program instead
	sum := ticketSum(t.tokens.tokens[number-1], kind, ticket[:])
	return backend.NewSecret(ticketPrefix + base64.RawURLEncoding.EncodeToString(append(ticket[:], sum...)))
}

// Check returns the number of the operator token of a valid ticket, or 0 if the
// ticket is malformed, has expired or was ended, or its token is gone.
func (t *Tickets) Check(kind TicketKind, ticket backend.Secret) int {
	number, id, _ := t.open(kind, ticket)
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, ended := t.used[id]; ended {
		return 0
	}
	return number
}

// End is like Check, but the ticket is not valid afterwards in this process.
// Only one of several concurrent calls succeeds.
func (t *Tickets) End(kind TicketKind, ticket backend.Secret) int {
	number, id, expires := t.open(kind, ticket)
	if number == 0 {
		return 0
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	for other, expires := range t.used { // only somebody with an operator token can add to them
		if !expires.After(now) {
			delete(t.used, other)
		}
	}
	if _, ended := t.used[id]; ended {
		return 0
	}
	t.used[id] = expires
	return number
}

// open returns what is in a ticket that is authentic and has not expired. For
// any other ticket the number is 0.
func (t *Tickets) open(kind TicketKind, ticket backend.Secret) (number int, id nonce, expires time.Time) {
	encoded, found := strings.CutPrefix(ticket.Reveal(), ticketPrefix)
	if !found || len(encoded) != base64.RawURLEncoding.EncodedLen(ticketSigned+sha256.Size) {
		return 0, id, expires
	}
	data, err := base64.RawURLEncoding.Strict().DecodeString(encoded)
	if err != nil {
		return 0, id, expires
	}
	signed, sum := data[:ticketSigned], data[ticketSigned:]
	number = 1 + slices.IndexFunc(t.tokens.tokens, func(token backend.Secret) bool {
		return hmac.Equal(sum, ticketSum(token, kind, signed))
	})
	expires = time.Unix(int64(binary.BigEndian.Uint64(signed)), 0) //nolint:gosec // authenticated, or not used
	if !expires.After(t.now()) {
		number = 0
	}
	return number, nonce(signed[ticketTimeBytes:]), expires
}

// ticketSum returns the HMAC of what a ticket contains.
func ticketSum(token backend.Secret, kind TicketKind, signed []byte) []byte {
	key, err := hkdf.Key(sha256.New, []byte(token.Reveal()), nil, "web-backend console "+string(kind), sha256.Size)
	if err != nil {
		panic(err) // happens only for a key that is too long
	}
	mac := hmac.New(sha256.New, key)
	mac.Write(signed)
	return mac.Sum(nil)
}
