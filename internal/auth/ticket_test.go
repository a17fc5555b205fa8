package auth_test

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"web-backend/internal/auth"
	"web-backend/internal/backend"
)

// ticketClock is a clock that a test moves.
type ticketClock struct{ now time.Time }

func (c *ticketClock) read() time.Time { return c.now }

func newTickets(clock *ticketClock, tokens ...string) *auth.Tickets {
	var secrets []backend.Secret
	for _, token := range tokens {
		secrets = append(secrets, backend.NewSecret(token))
	}
	return auth.NewTickets(auth.NewOperatorTokens(secrets), clock.read)
}

const (
	firstOperator  = "the first operator token"
	secondOperator = "the second operator token"
)

func TestTickets_EndWithTheirTimeAndTheirToken(t *testing.T) {
	t.Parallel()
	kinds := map[auth.TicketKind]time.Duration{auth.SignInTicket: 10 * time.Minute, auth.SessionTicket: 12 * time.Hour}
	for kind, lifetime := range kinds {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			clock := &ticketClock{time.Unix(1_800_000_000, 0)}
			tickets := newTickets(clock, firstOperator, secondOperator)
			ticket := tickets.Make(kind, 2)
			for name, check := range map[string]struct {
				tickets *auth.Tickets
				kind    auth.TicketKind
				after   time.Duration
				want    int
			}{
				"at once":                    {tickets, kind, 0, 2},
				"at its end":                 {tickets, kind, lifetime - time.Second, 2},
				"after its end":              {tickets, kind, lifetime, 0},
				"in another process":         {newTickets(clock, firstOperator, secondOperator), kind, 0, 2},
				"with its token alone":       {newTickets(clock, secondOperator), kind, 0, 1},
				"after its token is removed": {newTickets(clock, firstOperator), kind, 0, 0},
				"without any token":          {newTickets(clock), kind, 0, 0},
				"as an unknown kind":         {tickets, "other", 0, 0},
			} {
				clock.now = time.Unix(1_800_000_000, 0).Add(check.after)
				if got := check.tickets.Check(check.kind, ticket); got != check.want {
					t.Errorf("%s: token %d, want %d", name, got, check.want)
				}
			}
		})
	}
}

func TestTickets_OneKindIsNotAnother(t *testing.T) {
	t.Parallel()
	tickets := newTickets(&ticketClock{time.Now()}, firstOperator)
	if got := tickets.Check(auth.SessionTicket, tickets.Make(auth.SignInTicket, 1)); got != 0 {
		t.Error("the code of a link is valid as a session")
	}
	if got := tickets.End(auth.SignInTicket, tickets.Make(auth.SessionTicket, 1)); got != 0 {
		t.Error("a session is valid as the code of a link")
	}
}

func TestTickets_AreMadeOnlyForATokenThatExists(t *testing.T) {
	t.Parallel()
	tickets := newTickets(&ticketClock{time.Now()}, firstOperator)
	for _, number := range []int{-1, 0, 2} {
		if tickets.Make(auth.SignInTicket, number).IsSet() {
			t.Errorf("there is a ticket of token %d", number)
		}
	}
}

func TestTickets_TamperedOnesAreRefused(t *testing.T) {
	t.Parallel()
	tickets := newTickets(&ticketClock{time.Now()}, firstOperator)
	ticket := tickets.Make(auth.SessionTicket, 1).Reveal()
	for i := range ticket {
		other := byte('A')
		if ticket[i] == other {
			other = 'B'
		}
		if tickets.Check(auth.SessionTicket, backend.NewSecret(ticket[:i]+string(other)+ticket[i+1:])) != 0 {
			t.Errorf("accepted with another character %d", i)
		}
	}
	for _, text := range []string{"", "wbc_", ticket[4:], ticket + "A", ticket[:len(ticket)-1], ticket + "\n", "wbc_" + strings.Repeat("A", len(ticket)-4), firstOperator} {
		if tickets.Check(auth.SessionTicket, backend.NewSecret(text)) != 0 {
			t.Errorf("accepted %q", text)
		}
	}
}

func TestTickets_AreEndedOnce(t *testing.T) {
	t.Parallel()
	clock := &ticketClock{time.Now()}
	tickets := newTickets(clock, firstOperator)
	ticket, other := tickets.Make(auth.SignInTicket, 1), tickets.Make(auth.SignInTicket, 1)
	var ended atomic.Int32
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() { ended.Add(int32(tickets.End(auth.SignInTicket, ticket))) })
	}
	group.Wait()
	if ended.Load() != 1 {
		t.Errorf("ended %d times, want once", ended.Load())
	}
	if tickets.Check(auth.SignInTicket, ticket) != 0 {
		t.Error("valid after its end")
	}
	if tickets.Check(auth.SignInTicket, other) != 1 {
		t.Error("another ticket ended with it")
	}
	clock.now = clock.now.Add(5 * time.Minute)
	tickets.End(auth.SignInTicket, other) // forgets only what has expired
	if tickets.End(auth.SignInTicket, ticket) != 0 {
		t.Error("valid again after another one ended")
	}
}

func TestTickets_LookLikeSecrets(t *testing.T) {
	t.Parallel()
	ticket := newTickets(&ticketClock{time.Now()}, firstOperator).Make(auth.SignInTicket, 1).Reveal()
	if !auth.HasTokenPrefix(ticket) || !auth.HoldsTokenPrefix("x="+ticket) {
		t.Error("the log would not hide a ticket")
	}
	if auth.LooksLikeToken(backend.NewSecret(ticket)) {
		t.Error("a ticket looks like the token of a user")
	}
}
