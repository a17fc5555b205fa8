package backend_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"web-backend/internal/backend"
	"web-backend/internal/masterkey"
	"web-backend/internal/store/sqlite"
	"web-backend/internal/store/storetest"
)

// noon is the time of the clock in these tests.
var noon = time.Date(2025, 9, 26, 12, 0, 0, 7_000_000, time.UTC)

// rig is a service with an embedded store.
type rig struct {
	*backend.Service

	t     *testing.T
	store backend.Store
}

// defaults returns two characters, in the form of API responses, and a config
// with one key.
func defaults() backend.Defaults {
	return backend.Defaults{
		UserConfig: backend.UserConfig{UserID: "not used", Timezone: "Asia/Tokyo", Keys: keysOf("xai_api_key", "shared")},
		Characters: storetest.Characters("not used", 2),
	}
}

func newRig(t *testing.T, defaults backend.Defaults) *rig {
	t.Helper()
	store, err := sqlite.Open(t.TempDir(), sqlite.Keys(masterkey.NewRing(masterkey.Generate())))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return &rig{backend.New(store, backend.Options{Defaults: defaults, Now: func() time.Time { return noon }}), t, store}
}

func (r *rig) createUser(userID string) string {
	r.t.Helper()
	id, err := r.CreateUser(r.t.Context(), userID)
	if err != nil || id == "" || userID != "" && id != userID {
		r.t.Fatalf("create user %q: got id %q, error %v", userID, id, err)
	}
	return id
}

func (r *rig) config(userID string) backend.UserConfig {
	r.t.Helper()
	config, err := r.store.UserConfig(r.t.Context(), userID)
	if err != nil {
		r.t.Fatal(err)
	}
	return config
}

// characters returns all characters of a user, in order.
func (r *rig) characters(userID string) (characters []backend.Character) {
	r.t.Helper()
	names, err := r.CharacterNames(r.t.Context(), userID)
	for _, name := range names {
		var c backend.Character
		if err == nil {
			c, err = r.store.Character(r.t.Context(), backend.CharacterKey{UserID: userID, CharacterID: name.CharacterID})
			characters = append(characters, c)
		}
	}
	if err != nil {
		r.t.Fatal(err)
	}
	return characters
}

// wantKind checks the kind of an error, and its field.
func wantKind(t *testing.T, what string, err error, kind backend.Kind, field string) {
	t.Helper()
	e, ok := errors.AsType[*backend.Error](err)
	if !ok || e.Kind != kind || e.Field != field || e.Message == "" {
		t.Errorf("%s: got error %#v, want kind %q for field %q, with a message", what, err, kind, field)
	}
}

func TestCreateUser_MakesTheDefaults(t *testing.T) {
	t.Parallel()
	r := newRig(t, defaults())
	r.createUser("ada")
	config := r.config("ada")
	if config.UserID != "ada" || config.Timezone != "Asia/Tokyo" ||
		!maps.Equal(reveal(config.Keys), map[string]string{"xai_api_key": "shared"}) {
		t.Errorf("config: got user %q, zone %q, keys %q, want the defaults", config.UserID, config.Timezone, reveal(config.Keys))
	}
	characters := r.characters("ada")
	if len(characters) != 2 {
		t.Fatalf("characters: got %d, want 2", len(characters))
	}
	for n, got := range characters {
		want := defaults().Characters[n]
		want.UserID, want.CharacterID, want.CreateDatatime, want.ReadOnly = "ada", got.CharacterID, "2025-09-26 21:00:00,007", true
		if got != want {
			t.Errorf("character %d:\n got %+v\nwant %+v", n, got, want)
		}
	}
}

// TestCreateUser_DerivesCharacterIDs checks ids that existing installations
// have stored. They must never change.
func TestCreateUser_DerivesCharacterIDs(t *testing.T) {
	t.Parallel()
	r := newRig(t, defaults())
	for userID, want := range map[string][]string{
		"ada":   {"8fb34364-2194-5f4f-988f-43f2642ba3b1", "5343692c-a288-55b1-bd57-a88a7df3b879"},
		"1/ada": {"95f1d918-0b17-50f2-85fd-ca1444b430b2", "2fd985c6-c8cc-593f-910e-5a1a00493609"},
	} {
		r.createUser(userID)
		var got []string
		for _, c := range r.characters(userID) {
			got = append(got, c.CharacterID)
			if id, err := uuid.Parse(c.CharacterID); err != nil || id.Version() != 5 {
				t.Errorf("id %q: got version %d, error %v, want a UUID of version 5", c.CharacterID, id.Version(), err)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("ids of the default characters of %q: got %q, want %q", userID, got, want)
		}
	}
	first := r.characters("ada")
	if err := r.DeleteUser(t.Context(), "ada"); err != nil {
		t.Fatal(err)
	}
	r.createUser("ada")
	if again := r.characters("ada"); !slices.Equal(again, first) {
		t.Errorf("set up again: got %+v, want the same characters: %+v", again, first)
	}
}

func TestCreateUser_MakesAnID(t *testing.T) {
	t.Parallel()
	r := newRig(t, defaults())
	first, second := r.createUser(""), r.createUser("")
	for _, userID := range []string{first, second} {
		if id, err := uuid.Parse(userID); err != nil || id.Version() != 4 {
			t.Errorf("made id %q: got version %d, error %v, want a UUID of version 4", userID, id.Version(), err)
		}
		if got := len(r.characters(userID)); got != 2 {
			t.Errorf("characters of %q: got %d, want 2", userID, got)
		}
	}
	if first == second {
		t.Errorf("made ids: got %q twice", first)
	}
}

func TestCreateUser_Exists(t *testing.T) {
	t.Parallel()
	r := newRig(t, defaults())
	r.createUser("ada")
	id, err := r.CreateUser(t.Context(), "ada")
	wantKind(t, "second creation", err, backend.Exists, "")
	if id != "" {
		t.Errorf("id of a refused creation: got %q, want none", id)
	}
}

// TestCreateUser_SharesNothing changes a user and then creates another one.
func TestCreateUser_SharesNothing(t *testing.T) {
	t.Parallel()
	given := defaults()
	r := newRig(t, given)
	r.createUser("ada")
	err := r.UpdateUserConfig(t.Context(), "ada", backend.UserConfigPatch{Keys: keysOf("xai_api_key", "ada's", "gemini_api_key", "g")})
	if err != nil {
		t.Fatal(err)
	}
	r.createUser("bob")
	if got := reveal(r.config("bob").Keys); !maps.Equal(got, map[string]string{"xai_api_key": "shared"}) {
		t.Errorf("keys of the next user: got %q, want the defaults", got)
	}
	if want := defaults(); !maps.Equal(reveal(given.UserConfig.Keys), reveal(want.UserConfig.Keys)) ||
		!slices.Equal(given.Characters, want.Characters) {
		t.Errorf("the defaults after use: got %+v, want them unchanged", given)
	}
}

func TestCreateUser_WithoutDefaults(t *testing.T) {
	t.Parallel()
	r := newRig(t, backend.Defaults{})
	r.createUser("ada")
	if config := r.config("ada"); config.Timezone != backend.DefaultTimezone || len(r.characters("ada")) != 0 {
		t.Errorf("got zone %q and %d characters, want %q and none", config.Timezone, len(r.characters("ada")), backend.DefaultTimezone)
	}
}

func TestCreateUser_AtTheSameTime(t *testing.T) {
	t.Parallel()
	r := newRig(t, defaults())
	results := make([]error, 8)
	var calls sync.WaitGroup
	for i := range results {
		calls.Go(func() { _, results[i] = r.CreateUser(context.Background(), "ada") })
	}
	calls.Wait()
	succeeded := 0
	for _, err := range results {
		if err == nil {
			succeeded++
		} else {
			wantKind(t, "creation", err, backend.Exists, "")
		}
	}
	if succeeded != 1 || len(r.characters("ada")) != 2 {
		t.Errorf("got %d successes and %d characters, want 1 and 2", succeeded, len(r.characters("ada")))
	}
}

func TestDeleteUserAndUsers(t *testing.T) {
	t.Parallel()
	r := newRig(t, defaults())
	r.createUser("ada")
	r.createUser("bob")
	if err := r.DeleteUser(t.Context(), "ada"); err != nil {
		t.Fatal(err)
	}
	wantKind(t, "second deletion", r.DeleteUser(t.Context(), "ada"), backend.NotFound, "")
	var got []backend.User
	for user, err := range r.Users(t.Context(), backend.UsersWithConfig) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, user)
	}
	if want := []backend.User{{UserID: "bob"}}; !slices.Equal(got, want) {
		t.Errorf("users: got %v, want %v", got, want)
	}
}

func TestUpdateUserConfig_Timezone(t *testing.T) {
	t.Parallel()
	r := newRig(t, defaults())
	r.createUser("ada")
	for _, c := range []struct {
		name, zone, want string
	}{
		{"another zone", "Europe/Berlin", "Europe/Berlin"},
		{"unknown", "Mars/Olympus", "Europe/Berlin"},
		{"a browser's unknown one", "Etc/Unknown", "Europe/Berlin"},
		{"empty means the default", "", "Asia/Tokyo"},
		{"one without a place", "UTC", "UTC"},
		{"the machine's own", "Local", "UTC"},
		{"a path", "../zoneinfo/UTC", "UTC"},
		{"an offset", "+08:00", "UTC"},
		{"spaces", " UTC", "UTC"},
	} {
		err := r.UpdateUserConfig(t.Context(), "ada", backend.UserConfigPatch{Timezone: &c.zone, Keys: keysOf("gemini_api_key", c.name)})
		if err != nil {
			t.Errorf("%s: got error %v, want none", c.name, err)
		}
		config := r.config("ada")
		if key := config.Keys["gemini_api_key"].Reveal(); config.Timezone != c.want || key != c.name {
			t.Errorf("%s: got zone %q and key %q, want zone %q and the key", c.name, config.Timezone, key, c.want)
		}
	}
}

func TestUpdateUserConfig_EmptyZoneWithoutDefaults(t *testing.T) {
	t.Parallel()
	r := newRig(t, backend.Defaults{})
	r.createUser("ada")
	for _, zone := range []string{"UTC", ""} {
		if err := r.UpdateUserConfig(t.Context(), "ada", backend.UserConfigPatch{Timezone: &zone}); err != nil {
			t.Errorf("zone %q: got error %v, want none", zone, err)
		}
	}
	if got := r.config("ada").Timezone; got != backend.DefaultTimezone {
		t.Errorf("zone: got %q, want %q", got, backend.DefaultTimezone)
	}
}

func TestUpdateUserConfig_NotFound(t *testing.T) {
	t.Parallel()
	r := newRig(t, defaults())
	zone := "UTC"
	for _, patch := range []backend.UserConfigPatch{{}, {Timezone: &zone}, {Keys: keysOf("xai_api_key", "x")}} {
		wantKind(t, "unknown user", r.UpdateUserConfig(t.Context(), "ada", patch), backend.NotFound, "")
	}
}

func TestReady(t *testing.T) {
	t.Parallel()
	r := newRig(t, defaults())
	if err := r.Ready(t.Context()); err != nil {
		t.Errorf("open store: got error %v, want none", err)
	}
	if err := r.store.Close(); err != nil {
		t.Fatal(err)
	}
	wantKind(t, "closed store", r.Ready(t.Context()), backend.Unavailable, "")
}
