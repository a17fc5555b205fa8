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

// call is one method of the store with arguments for which it succeeds. The
// store must hold user "ada" with two characters, user "bob" with only a
// config, and user "eve" with a credential and two tokens. The calls run in
// this order.
type call struct {
	name string
	do   func(ctx context.Context) error
}

func (t *trial) calls() []call {
	key, patched := Character("ada", 0).Key(), "changed"
	eve, token := Credential("Eve", "eve"), Token("first", "eve")
	return []call{
		{"CreateUser", func(ctx context.Context) error {
			return t.CreateUser(ctx, UserConfig("carol"), Characters("carol", 1))
		}},
		{"CreateCredential", func(ctx context.Context) error {
			return t.CreateCredential(ctx, Credential("Dora", "dora"))
		}},
		{"SetUpUser", func(ctx context.Context) error {
			return t.SetUpUser(ctx, UserConfig("eve"), Characters("eve", 1))
		}},
		{"Credential", func(ctx context.Context) error {
			_, err := t.Credential(ctx, "Eve")
			return err
		}},
		{"CreateToken", func(ctx context.Context) error { return t.CreateToken(ctx, Token("third", "eve"), eve) }},
		{"Token", func(ctx context.Context) error {
			_, err := t.Token(ctx, token.Hash, TokenTime())
			return err
		}},
		{"UserTokens", func(ctx context.Context) error {
			_, err := t.UserTokens(ctx, "eve", TokenTime())
			return err
		}},
		{"DeleteToken", func(ctx context.Context) error { return t.DeleteToken(ctx, token.Hash) }},
		{"ReplacePassword", func(ctx context.Context) error {
			return t.ReplacePassword(ctx, eve, backend.NewSecret(patched), backend.EndTokens)
		}},
		{"SetDisabled", func(ctx context.Context) error { return t.SetDisabled(ctx, "eve", true) }},
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
		{"CharacterSummaries", func(ctx context.Context) error {
			_, err := t.CharacterSummaries(ctx, "ada")
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
		{"CopyCharacter", func(ctx context.Context) error { return t.CopyCharacter(ctx, key, 0, withID("copy")) }},
		{"UpdateCharacter", func(ctx context.Context) error {
			return t.UpdateCharacter(ctx, key, backend.CharacterPatch{Prompt: &patched})
		}},
		{"DeleteCharacter", func(ctx context.Context) error { return t.DeleteCharacter(ctx, Character("ada", 1).Key()) }},
		{"PutUsers", func(ctx context.Context) error {
			return t.PutUsers(ctx, []backend.UserData{{Credential: new(Credential("Faye", "faye"))}})
		}},
		{"UserData", func(ctx context.Context) error {
			_, err := t.UserData(ctx, []string{"ada", "eve"})
			return err
		}},
		{"UsernameOwners", func(ctx context.Context) error {
			_, err := t.UsernameOwners(ctx, []string{"ada", "eve"})
			return err
		}},
		{"ExportUsers", func(ctx context.Context) error {
			_, err := collect(t.ExportUsers(ctx))
			return err
		}},
		{"Count", func(ctx context.Context) error {
			_, err := t.Count(ctx)
			return err
		}},
		{"Ping", t.Ping},
	}
}

func contextEnded(t *trial) {
	t.mustCreateUser("ada", 2)
	t.mustCreateUser("bob", 0)
	eve := t.mustCreateCredential("Eve", "eve")
	first, second := t.mustCreateToken("first", eve), t.mustCreateToken("second", eve)
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	expired, cancelExpired := context.WithDeadline(t.Context(), time.Unix(0, 0))
	defer cancelExpired()

	before := t.contents("carol", "dora", "faye")
	for range 10 { // repeated to catch a call that fails only sometimes
		for _, call := range t.calls() {
			t.wantKind(call.name+" with a cancelled context", call.do(cancelled), backend.Unavailable)
			t.wantKind(call.name+" with an expired context", call.do(expired), backend.Unavailable)
		}
	}
	t.wantContents("a call whose context had ended", before, "carol", "dora", "faye")
	t.wantTokens(first, second)
	t.wantNoTokens(Token("third", "eve"))
	for _, call := range t.calls() { // only the context made them fail before
		t.must(call.name, call.do(t.Context()))
	}
}

func pingAnswers(t *trial) {
	t.must("ping an empty store", t.Ping(t.Context()))
	t.mustCreateUser("ada", 1)
	t.must("ping", t.Ping(t.Context()))
}
