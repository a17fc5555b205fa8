package cli_test

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"web-backend/internal/backend"
	"web-backend/internal/store/sqlite"
)

// storedUsers returns everything that is stored in a data folder, by user id.
func storedUsers(t *testing.T, data string) map[string]backend.UserData {
	t.Helper()
	all := map[string]backend.UserData{}
	change(t, data, func(store *sqlite.Store) error {
		for user, err := range store.ExportUsers(t.Context()) {
			if err != nil {
				return err
			}
			all[user.UserID()] = user
		}
		return nil
	})
	return all
}

// The export of one user has this user and nobody else. It can be imported into
// an empty store, and into one that has other users.
func TestExport_OneUser(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	data, file := filepath.Join(folder, "data"), filepath.Join(folder, "ada.age")
	withUsers(t, data)
	want := storedUsers(t, data)
	identity, recipient := identityFile(t)
	change(t, data, func(*sqlite.Store) error { // beside a server that uses the store
		got := ok(t, folder, "export", "--user", "ada", "--with-secrets", "--recipient", recipient, "--out", file)
		if got.out != "" || got.err != `exported user "ada", user name "Ada", with 2 characters to `+file+"\n" {
			t.Errorf("got %+v", got)
		}
		return nil
	})

	empty := t.TempDir()
	if r := report(t, ok(t, empty, "import", file, "--identity", identity, "--json")); r.Added != 1 || r.Users != 1 || r.Characters != 2 {
		t.Errorf("into an empty store: %+v", r)
	}
	if got := storedUsers(t, filepath.Join(empty, "data")); len(got) != 1 || !reflect.DeepEqual(got["ada"], want["ada"]) {
		t.Errorf("the empty store has\n     %+v\nwant %+v", got, want["ada"])
	}

	others := t.TempDir()
	ok(t, folder, "export", "--user", "bob", "--out", filepath.Join(others, "bob.jsonl"), "--quiet")
	ok(t, others, "import", filepath.Join(others, "bob.jsonl"))
	if r := report(t, ok(t, others, "import", file, "--identity", identity, "--json")); r.Added != 1 {
		t.Errorf("into a store with another user: %+v", r)
	}
	if got := storedUsers(t, filepath.Join(others, "data")); !reflect.DeepEqual(got, want) {
		t.Errorf("the store with both users has\n     %+v\nwant %+v", got, want)
	}
}

// The user is named by the id or, if no id fits, by the user name. Without
// --with-secrets the file has no secret.
func TestExport_OneUserByIDOrName(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	data := filepath.Join(folder, "data")
	withUsers(t, data)
	change(t, data, func(store *sqlite.Store) error { // a user name that is the id of somebody else
		return store.PutUsers(t.Context(), []backend.UserData{
			{Credential: &backend.Credential{UserID: "carl", Username: "bob", Password: backend.NewSecret(secretText)}},
		})
	})
	for user, want := range map[string]string{"ada": "ada", "Ada": "ada", "bob": "bob", "carl": "carl"} {
		got := ok(t, folder, "export", "--user", user).out
		lines := strings.Split(got, "\n")
		if len(lines) < 2 || !strings.Contains(lines[0], `"secrets":false,"users":1,`) || !strings.HasPrefix(lines[1], `{"kind":"user","user_id":"`+want+`"`) ||
			strings.Count(got, `"kind":"user"`) != 1 {
			t.Errorf("%s: got %.400s", user, got)
		}
	}
}

func TestExport_OneUserRefused(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	withUsers(t, filepath.Join(folder, "data"))
	out := filepath.Join(t.TempDir(), "e.jsonl")
	refused(t, folder, `no user has the id or the user name "eve"; "web-backend user list" prints all users`, "export", "--user", "eve", "--out", out)
	if entries, err := os.ReadDir(filepath.Dir(out)); err != nil || len(entries) != 0 {
		t.Errorf("it left %v, %v", entries, err)
	}
	for _, x := range []struct {
		want string
		args []string
	}{
		{"--user needs the id or the user name of a user", []string{"--user", ""}},
		{"can't be used together", []string{"--user", "ada", "--leave-out-bad"}},
	} {
		if got := command(t, folder, "", nil, append([]string{"export"}, x.args...)...); got.status != 2 || got.out != "" || !strings.Contains(got.err, x.want) {
			t.Errorf("%q: got %+v, want an error that says %q", x.args, got, x.want)
		}
	}
}
