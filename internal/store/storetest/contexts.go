package storetest

import (
	"context"
	"time"

	"web-backend/internal/backend"
)

var contextPromises = []promise{
	{"Context_ThatEndedMakesEveryCallUnavailable", contextEnded},
	{"Ping_Answers", pingAnswers},
}

// call is one method of the store, called so that it succeeds on a store that
// holds user "ada" with two characters, and user "bob" with a config only.
type call struct {
	name string
	do   func(ctx context.Context) error
}

func (t *trial) calls() []call {
	key, patched := Character("ada", 0).Key(), "changed"
	return []call{
		{"CreateUser", func(ctx context.Context) error {
			return t.CreateUser(ctx, UserConfig("carol"), Characters("carol", 1))
		}},
		{"CreateCredential", func(ctx context.Context) error {
			return t.CreateCredential(ctx, Credential("Dora", "dora"))
		}},
		{"DeleteUser", func(ctx context.Context) error { return t.DeleteUser(ctx, "bob") }},
		{"Users", func(ctx context.Context) error {
			_, err := collect(t.Store.Users(ctx, backend.AllUsers))
			return err
		}},
		{"UserConfig", func(ctx context.Context) error {
			_, err := t.UserConfig(ctx, "ada")
			return err
		}},
		{"UpdateUserConfig", func(ctx context.Context) error {
			return t.UpdateUserConfig(ctx, "ada", backend.UserConfigPatch{Timezone: &patched})
		}},
		{"CharacterNames", func(ctx context.Context) error {
			_, err := t.CharacterNames(ctx, "ada")
			return err
		}},
		{"Character", func(ctx context.Context) error {
			_, err := t.Character(ctx, key)
			return err
		}},
		{"CharacterDocument", func(ctx context.Context) error {
			_, err := t.CharacterDocument(ctx, key)
			return err
		}},
		{"CopyCharacter", func(ctx context.Context) error { return t.CopyCharacter(ctx, key, withID("copy")) }},
		{"UpdateCharacter", func(ctx context.Context) error {
			return t.UpdateCharacter(ctx, key, backend.CharacterPatch{Prompt: &patched})
		}},
		{"DeleteCharacter", func(ctx context.Context) error { return t.DeleteCharacter(ctx, Character("ada", 1).Key()) }},
		{"Ping", t.Ping},
	}
}

func contextEnded(t *trial) {
	t.mustCreateUser("ada", 2)
	t.mustCreateUser("bob", 0)
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	expired, cancelExpired := context.WithDeadline(t.Context(), time.Unix(0, 0))
	defer cancelExpired()

	before := t.contents("carol", "dora")
	for range 10 { // a call that leaves it to chance is found out
		for _, call := range t.calls() {
			t.wantKind(call.name+" with a cancelled context", call.do(cancelled), backend.Unavailable)
			t.wantKind(call.name+" with an expired context", call.do(expired), backend.Unavailable)
		}
	}
	t.wantContents("a call whose context had ended", before, "carol", "dora")
	for _, call := range t.calls() { // they were refused for the context alone
		t.must(call.name, call.do(t.Context()))
	}
}

func pingAnswers(t *trial) {
	t.must("ping an empty store", t.Ping(t.Context()))
	t.mustCreateUser("ada", 1)
	t.must("ping", t.Ping(t.Context()))
}
