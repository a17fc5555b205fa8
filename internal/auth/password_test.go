package auth_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"web-backend/internal/auth"
	"web-backend/internal/backend"
)

var cheap = auth.PasswordParams{MemoryKiB: 64, Iterations: 1, Parallelism: 1}

func secret(text string) backend.Secret { return backend.NewSecret(text) }

func hash(t testing.TB, params auth.PasswordParams, password string) backend.Secret {
	t.Helper()
	stored, err := auth.NewPasswords(params).Hash(t.Context(), secret(password))
	if err != nil {
		t.Fatalf("hash: %v", err)
	}
	return stored
}

func TestPasswords_HashIsPHCWithItsOwnSalt(t *testing.T) {
	t.Parallel()
	first, second := hash(t, cheap, "correct horse").Reveal(), hash(t, cheap, "correct horse").Reveal()
	const want = "$argon2id$v=19$m=64,t=1,p=1$"
	if !strings.HasPrefix(first, want) || len(strings.Split(first, "$")) != 6 {
		t.Errorf("got a hash of another form, want %s<salt>$<key>", want)
	}
	if first == second {
		t.Error("two hashes of one password are the same, want another salt each time")
	}
}

func TestPasswords_Verify(t *testing.T) {
	t.Parallel()
	more := func(change func(*auth.PasswordParams)) auth.PasswordParams {
		params := cheap
		change(&params)
		return params
	}
	long := strings.Repeat("x", 1024)
	cases := map[string]struct {
		password     string
		stored       backend.Secret
		ok, outdated bool
	}{
		"right":                    {"pw", hash(t, cheap, "pw"), true, false},
		"wrong":                    {"pW", hash(t, cheap, "pw"), false, false},
		"empty for a hash":         {"", hash(t, cheap, "pw"), false, false},
		"long":                     {long, hash(t, cheap, long), true, false},
		"long, last byte wrong":    {long[1:] + "y", hash(t, cheap, long), false, false},
		"with a NUL":               {"a\x00b", hash(t, cheap, "a\x00c"), false, false},
		"not ASCII":                {"密码🔑", hash(t, cheap, "密码🔑"), true, false},
		"less memory than now":     {"pw", hash(t, more(func(p *auth.PasswordParams) { p.MemoryKiB = 32 }), "pw"), true, true},
		"more iterations than now": {"pw", hash(t, more(func(p *auth.PasswordParams) { p.Iterations = 2 }), "pw"), true, true},
		"more lanes than now":      {"pw", hash(t, more(func(p *auth.PasswordParams) { p.Parallelism = 4 }), "pw"), true, true},
		"wrong and outdated":       {"no", hash(t, more(func(p *auth.PasswordParams) { p.Iterations = 2 }), "pw"), false, false},
		"plain text, right":        {"pw", secret("pw"), true, true},
		"plain text, wrong":        {"pw", secret("pw2"), false, false},
		"plain text, other hash":   {"$2b$12$abc", secret("$2b$12$abc"), true, true},
		"plain text, other case":   {"$argon2ID$x", secret("$argon2ID$x"), true, true},
		"nobody":                   {"pw", backend.Secret{}, false, false},
		"nobody, empty":            {"", backend.Secret{}, false, false},
		"empty for plain text":     {"", secret("pw"), false, false},
		// From the test suite of the reference implementation (src/test.c in P-H-C/phc-winner-argon2).
		"reference, 1 lane":  {"password", secret("$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"), true, true},
		"reference, 2 lanes": {"password", secret("$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc"), true, true},
		"reference, wrong":   {"passw0rd", secret("$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"), false, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ok, outdated, err := auth.NewPasswords(cheap).Verify(t.Context(), secret(c.password), c.stored)
			if ok != c.ok || outdated != c.outdated || err != nil {
				t.Errorf("got %t, outdated %t, %v, want %t, outdated %t", ok, outdated, err, c.ok, c.outdated)
			}
		})
	}
}

func TestPasswords_HashThatCannotBeComputed(t *testing.T) {
	t.Parallel()
	const salt, key = "c29tZXNhbHQ", "nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"
	whole := func(params string) string { return "$argon2id$v=19$" + params + "$" + salt + "$" + key }
	cases := map[string]string{
		"prefix only":          "$argon2id$",
		"no iterations":        whole("m=64,t=0,p=1"),
		"no lanes":             whole("m=64,t=1,p=0"),
		"no memory":            whole("m=0,t=1,p=1"),
		"too little memory":    whole("m=7,t=1,p=1"),
		"too little per lane":  whole("m=31,t=1,p=4"),
		"beyond 32 bits":       whole("m=4294967296,t=1,p=1"),
		"negative":             whole("m=64,t=-1,p=1"),
		"too many lanes":       whole("m=64000,t=1,p=256"),
		"parameters left out":  whole("m=64"),
		"other version":        "$argon2id$v=16$m=64,t=1,p=1$" + salt + "$" + key,
		"no version":           "$argon2id$m=64,t=1,p=1$" + salt + "$" + key,
		"salt is not base64":   "$argon2id$v=19$m=64,t=1,p=1$!!!!!!!!!!!!$" + key,
		"no salt":              "$argon2id$v=19$m=64,t=1,p=1$$" + key,
		"no key":               "$argon2id$v=19$m=64,t=1,p=1$" + salt + "$",
		"short key":            "$argon2id$v=19$m=64,t=1,p=1$" + salt + "$nf65",
		"more parts":           whole("m=64,t=1,p=1") + "$more",
		"far too long":         whole("m=64,t=1,p=1") + strings.Repeat("A", 1<<20),
		"NUL":                  whole("m=64,t=1,p=1\x00"),
		"leading zero":         whole("m=064,t=1,p=1"),
		"sign":                 whole("m=64,t=+1,p=1"),
		"password in its text": "$argon2id$hunter2",
	}
	passwords := auth.NewPasswords(cheap)
	for name, stored := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ok, outdated, err := passwords.Verify(t.Context(), secret(stored), secret(stored))
			if e, is := errors.AsType[*backend.Error](err); !is || e.Kind != backend.Internal || ok || outdated {
				t.Fatalf("got %t, %t, %v, want an internal error", ok, outdated, err)
			}
			for _, part := range []string{salt, key, "hunter2", "!!!!"} {
				if strings.Contains(err.Error(), part) {
					t.Errorf("the error holds %q, want nothing of the hash: %v", part, err)
				}
			}
		})
	}
}

// A login with a stored hash that is too costly is refused without computing
// the hash.
func TestPasswords_HashThatCostsTooMuch(t *testing.T) {
	t.Parallel()
	large := auth.PasswordParams{MemoryKiB: 65 << 10, Iterations: 1, Parallelism: 5}
	for _, c := range []struct {
		params string
		own    auth.PasswordParams
		want   string // of the error; "" if the hash is computed
	}{
		{"m=65536,t=1,p=4", cheap, ""},
		{"m=64,t=10,p=1", cheap, ""},
		{"m=65537,t=1,p=1", cheap, "takes 65537 KiB of memory, and at most 65536 are allowed"},
		{"m=64,t=11,p=1", cheap, "takes 11 iterations, and at most 10 are allowed"},
		{"m=64,t=1,p=5", cheap, "takes 5 lanes, and at most 4 are allowed"},
		{"m=1048576,t=1,p=1", cheap, "takes 1048576 KiB"},
		{"m=4294967295,t=4294967295,p=255", cheap, "takes 4294967295 KiB"},
		{"m=8,t=4294967295,p=1", cheap, "takes 4294967295 iterations"},
		{"m=66560,t=1,p=5", large, ""},
		{"m=66561,t=1,p=5", large, "and at most 66560 are allowed"},
		{"m=64,t=1,p=6", large, "and at most 5 are allowed"},
	} {
		t.Run(c.params, func(t *testing.T) {
			t.Parallel()
			stored := secret("$argon2id$v=19$" + c.params + "$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4")
			passwords := auth.NewPasswords(c.own)
			checked := passwords.CheckStored(stored)
			ok, outdated, err := passwords.Verify(t.Context(), secret("pw"), stored)
			if c.want == "" {
				if checked != nil || ok || err != nil {
					t.Errorf("got %v, and from Verify %t, %v, want that it is computed", checked, ok, err)
				}
				return
			}
			refusal, is := errors.AsType[*backend.Refusal](err)
			if !is || refusal.Reason != backend.WrongCredentials || ok || outdated {
				t.Fatalf("got %t, %t, %v, want the refusal of a wrong password", ok, outdated, err)
			}
			for _, got := range []error{checked, refusal.Cause} {
				if got == nil || !strings.Contains(got.Error(), c.want) || strings.Contains(got.Error(), "c29tZXNhbHQ") {
					t.Errorf("got error %v, want %q and nothing of the hash", got, c.want)
				}
			}
		})
	}
	for name, stored := range map[string]string{"none": "", "plain text": "m=1048576", "no hash": "$argon2id$m=1048576"} {
		if err := auth.NewPasswords(cheap).CheckStored(secret(stored)); err != nil {
			t.Errorf("%s: got %v, want no error", name, err)
		}
	}
}

func TestPasswordParams_Check(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		params auth.PasswordParams
		want   string // in the error, or "" for none
	}{
		"default":         {auth.DefaultPasswordParams, ""},
		"least":           {auth.PasswordParams{8, 1, 1}, ""},
		"least of 2":      {auth.PasswordParams{16, 1, 2}, ""},
		"most memory":     {auth.PasswordParams{1 << 20, 8, 1}, ""},
		"zero":            {auth.PasswordParams{}, "parallelism is 0, want 1 to 255"},
		"no memory":       {auth.PasswordParams{0, 1, 1}, "memory is 0 KiB, want 8"},
		"little for 2":    {auth.PasswordParams{15, 1, 2}, "want 16 (8 for each lane)"},
		"too much memory": {auth.PasswordParams{1<<20 + 1, 1, 1}, "to 1048576"},
		"no iterations":   {auth.PasswordParams{64, 0, 1}, "iterations are 0, want 1 to 131072 with 64 KiB"},
		"too much work":   {auth.PasswordParams{1 << 20, 9, 1}, "iterations are 9, want 1 to 8 with"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := c.params.Check()
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want %q", err, c.want)
			}
			if err == nil {
				return
			}
			passwords := auth.NewPasswords(c.params)
			if _, err := passwords.Hash(t.Context(), secret("pw")); !errors.Is(err, backend.Internal) {
				t.Errorf("hash: got %v, want an internal error", err)
			}
			if ok, _, err := passwords.Verify(t.Context(), secret("pw"), secret("pw")); ok || !errors.Is(err, backend.Internal) {
				t.Errorf("verify: got %t, %v, want an internal error", ok, err)
			}
		})
	}
}

// wantQueue fills the queue while the budget is occupied. It returns the
// channel on which the errors of the callers arrive.
func wantQueue(ctx context.Context, t *testing.T, passwords *auth.Passwords) <-chan error {
	t.Helper()
	answers := make(chan error, auth.MaxHashWaiting)
	for range auth.MaxHashWaiting {
		go func() {
			_, _, err := passwords.Verify(ctx, secret("pw"), secret("pw"))
			answers <- err
		}()
	}
	synctest.Wait()
	if len(answers) > 0 {
		t.Fatalf("a caller of a queue that is not full was answered %v, want it to wait", <-answers)
	}
	return answers
}

func wantAnswers(t *testing.T, answers <-chan error, kind error) {
	t.Helper()
	for i := range auth.MaxHashWaiting {
		if err := <-answers; !errors.Is(err, kind) {
			t.Errorf("waiting caller %d: got %v, want %v", i, err, kind)
		}
	}
}

func occupy(t *testing.T, passwords *auth.Passwords) (release func()) {
	t.Helper()
	release, err := passwords.Occupy(t.Context())
	if err != nil {
		t.Fatalf("occupy the budget: %v", err)
	}
	return release
}

func TestPasswords_FullQueueRefusesAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		passwords := auth.NewPasswords(cheap)
		release := occupy(t, passwords)
		answers := wantQueue(t.Context(), t, passwords)

		start := time.Now() // fake clock: it stands still while any goroutine runs
		_, err := passwords.Hash(t.Context(), secret("pw"))
		if e, is := errors.AsType[*backend.Error](err); !is || e.Kind != backend.TooMany || e.Message == "" {
			t.Errorf("one more: got %v, want TooMany with a message", err)
		}
		if waited := time.Since(start); waited != 0 {
			t.Errorf("one more waited %v, want none", waited)
		}
		release()
		wantAnswers(t, answers, nil)
		if _, err := passwords.Hash(t.Context(), secret("pw")); err != nil {
			t.Errorf("after the queue: got %v, want a hash", err)
		}
	})
}

func TestPasswords_NobodyWaitsTooLong(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		passwords := auth.NewPasswords(cheap)
		release := occupy(t, passwords)
		start := time.Now()
		wantAnswers(t, wantQueue(t.Context(), t, passwords), backend.TooMany)
		if waited := time.Since(start); waited != auth.MaxHashWait {
			t.Errorf("they waited %v, want %v", waited, auth.MaxHashWait)
		}
		answers := wantQueue(t.Context(), t, passwords) // the previous places are free again
		release()
		wantAnswers(t, answers, nil)
	})
}

func TestPasswords_WaitingEndsWithTheContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		passwords := auth.NewPasswords(cheap)
		release := occupy(t, passwords)
		ctx, cancel := context.WithCancel(t.Context())
		answers := wantQueue(ctx, t, passwords)
		cancel()
		for range auth.MaxHashWaiting {
			if err := <-answers; !errors.Is(err, backend.Unavailable) || !errors.Is(err, context.Canceled) {
				t.Errorf("got %v, want Unavailable by the context", err)
			}
		}
		release()
		if _, err := passwords.Hash(ctx, secret("pw")); !errors.Is(err, context.Canceled) {
			t.Errorf("with an ended context: got %v, want it to end at once", err)
		}
		if _, err := passwords.Hash(t.Context(), secret("pw")); err != nil {
			t.Errorf("afterwards: got %v, want a hash", err)
		}
	})
}

func TestPasswords_QueueIsInOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		passwords := auth.NewPasswords(cheap)
		release := occupy(t, passwords)
		var mu sync.Mutex
		var order, want []int
		for i := range auth.MaxHashWaiting {
			want = append(want, i)
			go func() {
				release, err := passwords.Occupy(t.Context())
				if err != nil {
					t.Errorf("waiting caller %d: %v", i, err)
					return
				}
				mu.Lock()
				order = append(order, i)
				mu.Unlock()
				release()
			}()
			synctest.Wait()
		}
		release()
		time.Sleep(time.Nanosecond) // in fake time, so it waits until all goroutines are blocked
		synctest.Wait()
		mu.Lock()
		defer mu.Unlock()
		if !slices.Equal(order, want) {
			t.Errorf("got order %v, want as they came", order)
		}
	})
}
