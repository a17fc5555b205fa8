//go:build unix

package main

import (
	"errors"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"web-backend/internal/backend"
	"web-backend/internal/masterkey"
	"web-backend/internal/store/sqlite"
)

// No file contains secrets that are no longer valid: a password of the original
// that a login replaced, the hash of a changed or deleted password, the hash of
// a token, and the data of a deleted user.
func TestSecrets_EndedOnesLeaveTheFiles(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	data := filepath.Join(folder, "stored")
	plain := newSecret()
	store, err := sqlite.Open(data, sqlite.Keys(masterkey.NewRing(masterkey.Generate())))
	if err != nil {
		t.Fatal(err)
	}
	original := backend.Credential{Username: "original", Password: backend.NewSecret(plain), UserID: "original"}
	if err := errors.Join(store.CreateCredential(t.Context(), original), store.Close()); err != nil {
		t.Fatal(err)
	}
	ended := newNeedles()
	ended.add("password of the original", plain)
	if len(ended.search(readFolder(t, data)["web-backend.db"])) == 0 {
		t.Fatal("the search does not find the password of the original where it stands")
	}

	s := newPlanting(t, folder, "strict", "data_dir: stored\n", true)
	// made records the hashes that do adds to the files.
	made := func(what string, do func()) {
		before := hashes(readFolder(t, data))
		do()
		for hash := range hashes(readFolder(t, data)) {
			if !before[hash] {
				ended.addBytes(what, hash[len(hash)-43:])
				before[what] = true
			}
		}
		if !before[what] {
			t.Errorf("%s is not in the files", what)
		}
	}
	var ada, bob plantedAccount
	made("hash of a changed password", func() { ada = s.account("ada") })
	made("hash of a deleted user's password", func() { bob = s.account("bob") })
	prompt := newSecret()
	ended.add("prompt of a deleted user", prompt)
	key := newSecret()
	ended.add("provider key of a deleted user", key)
	for path, fields := range map[string]map[string]any{
		"update_character_prompt": {"user_id": bob.userID, "character_id": bob.characterID, "prompt": prompt},
		"update_user_config":      {"user_id": bob.userID, "openai_api_key": key},
	} {
		s.must(plantedRequest{method: "POST", path: "/api/v1/" + path, header: bearer(bob.token), body: asJSON(fields)}, nil)
	}
	for name, token := range map[string]string{"changed": ada.token, "deleted": bob.token, "logged out": s.stranger.token} {
		hash := backend.HashToken(backend.NewSecret(token))
		ended.addBytes("hash of a token that was "+name, string(hash[:]))
	}
	const want = 7 // the provider key cannot be found even before it ends
	if found := ended.search(strings.Join(slices.Collect(maps.Values(readFolder(t, data))), "\n")); len(found) != want {
		t.Fatalf("of what will end the search finds only %q", found)
	}

	for _, request := range []plantedRequest{
		{path: "authenticate_user", body: asJSON(map[string]any{"username": "original", "password": plain})},
		{path: "update_user_password", body: asJSON(map[string]any{
			"username": "ada", "password": s.secret("password of ada"), "new_password": s.secret("new password of ada"),
		})},
		{path: "delete_user", body: asJSON(map[string]any{
			"username": "bob", "password": s.secret("password of bob"), "user_id": bob.userID,
		})},
		{path: "logout", body: "{}", header: bearer(s.stranger.token)},
	} {
		request.method, request.path = "POST", "/api/v1/"+request.path
		s.must(request, nil)
	}
	for name, text := range readFolder(t, data) {
		if found := ended.search(text); len(found) > 0 {
			t.Logf("while the program runs %s still holds %q", name, found)
		}
	}
	s.p.stop(t)
	for name, text := range readFolder(t, data) {
		if found := ended.search(text); len(found) > 0 {
			t.Errorf("%s holds %q", name, found)
		}
	}
}

// hashes returns the password hashes in some files.
func hashes(files map[string]string) map[string]bool {
	found := map[string]bool{}
	for _, text := range files {
		for _, hash := range hashForm.FindAllString(text, -1) {
			found[hash] = true
		}
	}
	return found
}

var hashForm = regexp.MustCompile(`\$argon2id\$v=19\$m=8,t=1,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}`)
