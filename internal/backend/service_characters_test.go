package backend_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"

	"web-backend/internal/backend"
	"web-backend/internal/masterkey"
	"web-backend/internal/store/sqlite"
	"web-backend/internal/store/storetest"
)

func TestDuplicateCharacter(t *testing.T) {
	t.Parallel()
	r := newRig(t, defaults())
	r.createUser("ada")
	source := r.characters("ada")[0]
	given, empty := "Nova", ""
	for _, c := range []struct {
		name *string
		want string
	}{{nil, source.CharacterName}, {&given, "Nova"}, {&empty, ""}} {
		made, err := r.DuplicateCharacter(t.Context(), source.Key(), c.name)
		if err != nil {
			t.Fatal(err)
		}
		id := made.CharacterID
		if parsed, err := uuid.Parse(id); err != nil || parsed.Version() != 4 {
			t.Errorf("id of the copy: got %q, error %v, want a UUID of version 4", id, err)
		}
		want := source
		want.CharacterID, want.CharacterName, want.ReadOnly = id, c.want, false
		characters := r.characters("ada")
		if got := characters[len(characters)-1]; got != want || made != want {
			t.Errorf("last character:\n got %+v\nreturned %+v\nwant %+v", got, made, want)
		}
		if characters[0] != source {
			t.Errorf("source after a copy: got %+v, want it unchanged", characters[0])
		}
	}
	if got := len(r.characters("ada")); got != 5 {
		t.Errorf("characters: got %d, want 5", got)
	}
}

// A character that is added has every field that was given, can be changed and
// is the last one. This also holds for a user without characters.
func TestAddCharacter(t *testing.T) {
	t.Parallel()
	r := newRig(t, defaults())
	r.createUser("ada")
	for _, character := range r.characters("ada") {
		if err := r.DeleteCharacter(t.Context(), character.Key()); err != nil {
			t.Fatal(err)
		}
	}
	for n := range 2 {
		given := storetest.Character("bob", n)
		given.ReadOnly = true
		added, err := r.AddCharacter(t.Context(), "ada", given)
		if err != nil {
			t.Fatal(err)
		}
		want := given
		want.UserID, want.CharacterID, want.CreateDatatime, want.ReadOnly = "ada", added.CharacterID, added.CreateDatatime, false
		characters := r.characters("ada")
		if got := characters[len(characters)-1]; len(characters) != n+1 || got != want || added != want || added.CharacterID == given.CharacterID ||
			added.CreateDatatime == given.CreateDatatime {
			t.Errorf("last character of %d:\n got %+v\nreturned %+v\nwant %+v", len(characters), got, added, want)
		}
	}
	if _, err := r.AddCharacter(t.Context(), "gone", storetest.Character("ada", 1)); !errors.Is(err, backend.NotFound) {
		t.Errorf("an unknown user: got error %v, want not found", err)
	}
}

// TestDuplicateCharacter_Time copies a character at noon UTC for users in
// different time zones. A zone that is no longer known must not cause an error.
func TestDuplicateCharacter_Time(t *testing.T) {
	t.Parallel()
	brokenDefaults := defaults()
	brokenDefaults.UserConfig.Timezone = "Mars/Olympus"
	for _, c := range []struct {
		name, zone string
		defaults   backend.Defaults
		want       string
	}{
		{"own", "America/New_York", defaults(), "2025-09-26 08:00:00,007"},
		{"default", "Asia/Tokyo", defaults(), "2025-09-26 21:00:00,007"},
		{"unknown, so the default", "Mars/Olympus", defaults(), "2025-09-26 21:00:00,007"},
		{"empty, so the default", "", defaults(), "2025-09-26 21:00:00,007"},
		{"the machine's, so the default", "Local", defaults(), "2025-09-26 21:00:00,007"},
		{"all unknown, so the contract's", "Mars/Olympus", brokenDefaults, "2025-09-26 20:00:00,007"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, c.defaults)
			r.createUser("ada")
			if err := r.store.UpdateUserConfig(t.Context(), "ada", backend.UserConfigPatch{Timezone: &c.zone}); err != nil {
				t.Fatal(err) // directly in the store, because the service rejects unknown zones
			}
			source := r.characters("ada")[1]
			duplicate, err := r.DuplicateCharacter(t.Context(), source.Key(), nil)
			if err != nil {
				t.Fatal(err)
			}
			made, err := r.store.Character(t.Context(), duplicate.Key())
			if err != nil || made.CreateDatatime != c.want {
				t.Errorf("creation time: got %q, error %v, want %q", made.CreateDatatime, err, c.want)
			}
		})
	}
}

func TestCharacters_NotFound(t *testing.T) {
	t.Parallel()
	r := newRig(t, defaults())
	r.createUser("ada")
	ctx, key := t.Context(), backend.CharacterKey{UserID: "ada", CharacterID: "unknown"}
	for _, key := range []backend.CharacterKey{key, {UserID: "nobody", CharacterID: r.characters("ada")[0].CharacterID}} {
		_, err := r.DuplicateCharacter(ctx, key, nil)
		wantKind(t, "duplicate", err, backend.NotFound, "")
		_, err = r.CharacterDocument(ctx, key)
		wantKind(t, "document", err, backend.NotFound, "")
		_, err = r.MissingSecrets(ctx, key)
		wantKind(t, "missing secrets", err, backend.NotFound, "")
		wantKind(t, "update", r.UpdateCharacter(ctx, key, backend.CharacterPatch{}), backend.NotFound, "")
		wantKind(t, "delete", r.DeleteCharacter(ctx, key), backend.NotFound, "")
	}
	if names, err := r.CharacterNames(ctx, "nobody"); err != nil || len(names) != 0 {
		t.Errorf("characters of an unknown user: got %v, error %v, want none", names, err)
	}
}

func TestUpdateCharacter_OnlyACopyMayChange(t *testing.T) {
	t.Parallel()
	r := newRig(t, defaults())
	r.createUser("ada")
	source, prompt := r.characters("ada")[0], "changed"
	patch := backend.CharacterPatch{Prompt: &prompt}
	wantKind(t, "update a default character", r.UpdateCharacter(t.Context(), source.Key(), patch), backend.ReadOnly, "")
	duplicate, err := r.DuplicateCharacter(t.Context(), source.Key(), nil)
	if err != nil {
		t.Fatal(err)
	}
	made := duplicate.Key()
	if err := r.UpdateCharacter(t.Context(), made, patch); err != nil {
		t.Fatal(err)
	}
	want := source
	want.CharacterID, want.ReadOnly, want.Prompt = made.CharacterID, false, "changed"
	document, err := r.CharacterDocument(t.Context(), made)
	if err != nil || string(document) != string(mustEncode(t, want)) {
		t.Errorf("document:\n got %s, error %v\nwant %s", document, err, mustEncode(t, want))
	}
	if got := r.characters("ada")[0]; got != source {
		t.Errorf("default character: got %+v, want it unchanged", got)
	}
	if err := r.DeleteCharacter(t.Context(), source.Key()); err != nil {
		t.Errorf("delete a read-only character: got error %v, want none", err)
	}
}

func TestNew_UsesTheClockOfTheMachine(t *testing.T) {
	t.Parallel()
	store, err := sqlite.Open(t.TempDir(), sqlite.Keys(masterkey.NewRing(masterkey.Generate())))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	before := time.Now()
	if _, err := backend.New(store, backend.Options{Defaults: defaults()}).CreateUser(t.Context(), "ada"); err != nil {
		t.Fatal(err)
	}
	names, err := store.CharacterNames(t.Context(), "ada")
	if err != nil {
		t.Fatal(err)
	}
	c, err := store.Character(t.Context(), backend.CharacterKey{UserID: "ada", CharacterID: names[0].CharacterID})
	if err != nil {
		t.Fatal(err)
	}
	tokyo := zone(t, "Asia/Tokyo")
	if low, high := backend.Timestamp(before, tokyo), backend.Timestamp(time.Now(), tokyo); c.CreateDatatime < low || c.CreateDatatime > high {
		t.Errorf("creation time: got %q, want it between %q and %q", c.CreateDatatime, low, high)
	}
}
