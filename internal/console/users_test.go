package console_test

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"web-backend/internal/backend"
)

// The list is searched by name and id, and read page by page.
func TestUsers_AreSearchedAndPaged(t *testing.T) {
	t.Parallel()
	for name, mongoDB := range map[string]bool{"embedded": false, "mongodb": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			site := newSite(t, settings{mongoDB: mongoDB})
			const more = 120
			for i := range more {
				if _, err := site.service.CreateUser(t.Context(), fmt.Sprintf("id/%03d?", i)); err != nil {
					t.Fatal(err)
				}
			}
			b := site.browser(t)
			b.signInOperator(t)
			for query, want := range map[string]int{
				"": more + 2, "?text=": more + 2, "?text=id": more, "?text=id%2F00": 10, "?text=ANN": 1, "?text=" + site.userID: 1, "?text=nobody": 0,
			} {
				if got := countUsers(t, b, "/console/users"+query); got != want {
					t.Errorf("%q: got %d users, want %d", query, got, want)
				}
			}
			page := b.get(t, "/console/users?text=id")
			if want := `<a href="users/id%2F000%3F">`; !strings.Contains(page.body, want) || strings.Count(page.body, "<tr>") != 51 {
				t.Errorf("the first page: want %s and 50 users in %s", want, page.body)
			}
			if got := b.get(t, "/console/users?after=x"); got.status != http.StatusBadRequest {
				t.Errorf("a place that does not exist: got %d, want 400", got.status)
			}
		})
	}
}

var nextPage = regexp.MustCompile(`href="(users\?[^"]*)" rel="next"`)

// countUsers counts the users on a page of the list and all pages after it.
func countUsers(t *testing.T, b *browser, path string) (count int) {
	t.Helper()
	for range 10 {
		page := b.get(t, path)
		if page.status != http.StatusOK {
			t.Fatalf("%s: %d: %s", path, page.status, page.body)
		}
		count += strings.Count(page.body, "<tr><td>")
		next := nextPage.FindStringSubmatch(page.body)
		if next == nil {
			return count
		}
		path = "/console/" + strings.ReplaceAll(next[1], "&amp;", "&")
	}
	t.Fatal("the pages do not end")
	return 0
}

func TestNewUser(t *testing.T) {
	t.Parallel()
	site := newSite(t, settings{})
	b := site.browser(t)
	b.signInOperator(t)
	for name, x := range map[string]struct {
		username, password string
		field, want        string
	}{
		"the name is taken":   {"ANNA", "correct horse", "username", "already"},
		"no name":             {"", "correct horse", "username", "user name"},
		"a short password":    {"carl", "secret!", "password", "8"},
		"a markup as a name":  {`"><img src=x>` + "\u200b", "correct horse", "username", "user name"},
		"a password too long": {"carl", strings.Repeat("secret!", 200), "password", "1024"},
	} {
		got := b.post(t, "/console/new-user", "username", x.username, "password", x.password)
		problem := regexp.MustCompile(`<small id="` + x.field + `-problem">[^<]*` + x.want).FindString(got.body)
		if got.status != http.StatusUnprocessableEntity || problem == "" || strings.Count(got.body, `aria-invalid="true"`) != 1 ||
			!strings.Contains(got.body, `aria-describedby="`+x.field+`-problem"`) {
			t.Errorf("%s: %d: %s", name, got.status, got.body)
		}
		if strings.Contains(got.body, "<img") || strings.Contains(got.body, "secret!") || strings.Contains(got.body, "correct horse") {
			t.Errorf("%s: the page has what was typed: %s", name, got.body)
		}
		if x.username == "carl" && !strings.Contains(got.body, `value="carl"`) {
			t.Errorf("%s: the page does not keep the name: %s", name, got.body)
		}
	}
	got := b.post(t, "/console/new-user", "username", "Carl & Co", "password", "correct horse")
	if got.status != http.StatusSeeOther || got.to != "/console/users?text=Carl+%26+Co&done=user_created" {
		t.Fatalf("create: %d, to %q: %s", got.status, got.to, got.body)
	}
	if page := b.get(t, got.to); !strings.Contains(page.body, "The user was created.") || !strings.Contains(page.body, ">Carl &amp; Co</a>") {
		t.Errorf("the list: %s", page.body)
	}
	found, err := site.service.FindUsers(t.Context(), backend.UserSearch{Text: "Carl &", Limit: 1})
	if err != nil || len(found.Users) != 1 {
		t.Fatalf("find the user: %+v, %v", found, err)
	}
	if page := b.get(t, "/console/users/"+found.Users[0].UserID); !strings.Contains(page.body, `name="openai_api_key"`) || !strings.Contains(page.body, `/admin">Manage</a>`) ||
		!strings.Contains(page.body, `<a href="../users" aria-current="page">`) {
		t.Errorf("the page of the user: %s", page.body)
	}
	if _, err := site.service.Authenticate(t.Context(), "Carl & Co", backend.NewSecret("correct horse")); err != nil {
		t.Errorf("log in: %v", err)
	}
}
