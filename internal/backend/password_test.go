package backend_test

import (
	"strings"
	"testing"

	"golang.org/x/text/secure/precis"

	"web-backend/internal/auth"
	"web-backend/internal/backend"
)

// PlainPassword maps allowed passwords like OpaqueString. Passwords that
// OpaqueString rejects are still valid passwords.
func TestPlainPassword(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"correct horse", "caf\u00e9 au lait", "cafe\u0301 au lait", "\u00c5ngstr\u00f6m", "\u212bngstr\u00f6m", "a\u00a0b\u3000c",
		"\uff21\uff22", "\u1112\u1161\u11ab\u1100\u1173\u11af", "\ud55c\uae00", "1\u0323\u0307", "1\u0307\u0323", "張三", "🔑 🗝",
	} {
		want, err := precis.OpaqueString.String(text)
		if got := backend.PlainPassword(backend.NewSecret(text)).Reveal(); got != want || err != nil {
			t.Errorf("%+q: got %+q, want %+q, error %v", text, got, want, err)
		}
	}
	for _, text := range []string{"", "tab\tand\x1b", "zero\u200bwidth", "\ufeff", "\U0010fffd", "👨\u200d👩"} {
		if got := backend.PlainPassword(backend.NewSecret(text)).Reveal(); got != text {
			t.Errorf("%+q: got %+q", text, got)
		}
	}
}

// A password must work from every keyboard, whatever form was stored.
func TestPasswords_OfEveryKeyboard(t *testing.T) {
	t.Parallel()
	const nfc, nfd, wide = "caf\u00e9 au lait", "cafe\u0301 au lait", "caf\u00e9\u3000au\u00a0lait"
	r := newAccounts(t)
	hasher := auth.NewPasswords(auth.PasswordParams{MemoryKiB: 8, Iterations: 1, Parallelism: 1})
	store := func(name string, password backend.Secret) {
		if err := r.store.CreateCredential(t.Context(), backend.Credential{Username: name, Password: password, UserID: name}); err != nil {
			t.Fatal(err)
		}
	}
	for name, registered := range map[string]string{"nfc": nfc, "nfd": nfd, "wide": wide} {
		r.register(name, registered)
		before, err := hasher.Hash(t.Context(), backend.NewSecret(registered))
		if err != nil {
			t.Fatal(err)
		}
		store("hash of before "+name, before)
		r.login("hash of before "+name, registered) // this login also stores a new hash
		store("plain text "+name, backend.NewSecret(registered))
		for _, typed := range []string{nfc, nfd, wide} {
			for _, kind := range []string{"", "hash of before ", "plain text "} {
				r.login(kind+name, typed)
			}
		}
		_, err = r.Authenticate(t.Context(), name, backend.NewSecret("cafe au lait"))
		wantRefusal(t, "without the accent", err, backend.WrongCredentials)
	}

	r.register("change", nfd)
	if err := r.UpdatePassword(t.Context(), "change", backend.NewSecret(nfc), backend.NewSecret("n\u00e9w one")); err != nil {
		t.Error(err)
	}
	login := r.login("change", "ne\u0301w one")
	if _, err := r.SetPassword(t.Context(), login.UserID, "", backend.NewSecret("se\u0301t one")); err != nil {
		t.Error(err)
	}
	r.login("change", "s\u00e9t one")
	if err := r.DeleteAccount(t.Context(), "change", backend.NewSecret("se\u0301t one"), login.UserID); err != nil {
		t.Error(err)
	}

	longest := strings.Repeat("\u00e9", 512) // 1,536 bytes as NFD
	r.register("longest", longest)
	r.login("longest", strings.Repeat("e\u0301", 512))
}
