package console_test

import (
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"web-backend/internal/backend"
	"web-backend/internal/transfer"
)

// userData returns everything that is stored of a user, without secrets.
func userData(t *testing.T, store backend.Store, userID string) backend.UserData {
	t.Helper()
	found, err := store.UserData(t.Context(), []string{userID})
	if err != nil || len(found) != 1 {
		t.Fatalf("user %q: %d found, error %v", userID, len(found), err)
	}
	if found[0].Credential != nil {
		found[0].Credential.Password = backend.Secret{}
	}
	if found[0].Config != nil {
		found[0].Config.Keys = nil
	}
	return found[0]
}

// The file of a user that an operator downloads has no secret. After an import
// into another store, that store has this user and nobody else.
func TestUserExport(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]settings{"embedded": {names: []string{"Mira", "凌星 <3"}}, "mongodb": {mongoDB: true, names: []string{"Mira"}}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			site := newSite(t, s)
			user, operator := site.browser(t), site.browser(t)
			user.signInUser(t)
			operator.signInOperator(t)
			const key = "sk-a-provider-key"
			user.post(t, site.userPath()+"/keys", "openai_api_key", key)
			operator.post(t, site.userPath()+"/disable")
			stored, err := site.store.UserData(t.Context(), []string{site.userID})
			if err != nil {
				t.Fatal(err)
			}
			hash := stored[0].Credential.Password.Reveal()

			got := operator.get(t, site.userPath()+"/export")
			if got.status != http.StatusOK || got.header.Get("Content-Type") != "application/x-ndjson" ||
				got.header.Get("Content-Disposition") != "attachment; filename="+username+".jsonl" {
				t.Fatalf("download: %d %v", got.status, got.header)
			}
			if hash == "" || strings.Contains(got.body, key) || strings.Contains(got.body, hash) {
				t.Errorf("the file has a secret: %s", got.body)
			}
			reader, err := transfer.NewReader(strings.NewReader(got.body))
			if err != nil {
				t.Fatal(err)
			}
			target := openStore(t, false)
			report, err := backend.Import(t.Context(), target, reader.Users(), backend.ImportOptions{
				OnConflict: backend.FailOnConflict, LockedPassword: backend.NewSecret("nobody's"),
			})
			if err != nil || report.Added != 1 || report.Users() != 1 {
				t.Fatalf("import: %+v, %v", report, err)
			}
			if got, want := userData(t, target, site.userID), userData(t, site.store, site.userID); !reflect.DeepEqual(got, want) {
				t.Errorf("imported\n got %+v\nwant %+v", got, want)
			}
			if count, err := target.CountUsers(t.Context()); count != 1 || err != nil {
				t.Errorf("the other store has %d users, error %v", count, err)
			}
		})
	}
}

// A download that fails shows a page. A file that is sent has a harmless name.
func TestUserExport_FailsAsAPage(t *testing.T) {
	t.Parallel()
	away := &awayStore{}
	site := newSite(t, settings{away: away})
	b := site.browser(t)
	b.signInOperator(t)
	const hostile = `../a"b`
	for id, want := range map[string]string{hostile: "attachment; filename=a-b.jsonl", `"/`: "attachment; filename=user.jsonl"} {
		if _, err := site.service.CreateUser(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		page := "/console/users/" + url.PathEscape(id)
		if got := b.get(t, page+"/admin"); !strings.Contains(got.body, `href="../../users/`+url.PathEscape(id)+`/export"`) ||
			!strings.Contains(got.body, "It has no password and no provider key") {
			t.Errorf("%s: %d: %s", id, got.status, got.body)
		}
		if got := b.get(t, page+"/export"); got.status != http.StatusOK || got.header.Get("Content-Disposition") != want {
			t.Errorf("%s: %d %v, want %s", id, got.status, got.header, want)
		}
	}
	if got := b.get(t, "/console/users/nobody/export"); got.status != http.StatusNotFound || !strings.Contains(got.body, "There is no such user.") {
		t.Errorf("unknown: %d: %s", got.status, got.body)
	}
	away.away.Store(true)
	got := b.get(t, site.userPath()+"/export")
	if got.status != http.StatusServiceUnavailable || got.header.Get("Content-Disposition") != "" || !strings.Contains(got.body, "<html") {
		t.Errorf("the store is away: %d %v: %s", got.status, got.header, got.body)
	}
}
