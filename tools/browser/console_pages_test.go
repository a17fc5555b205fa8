package browser

import (
	"path/filepath"
	"strings"
	"testing"
)

// consolePage is a page of the console as somebody sees it.
type consolePage struct {
	name string
	path string // below /console/, with {user} and {character} for those of the demo
	// submit is what is done on the page, in JavaScript, or "". The page that
	// follows has a field that is marked as wrong, or a difference,
	// or a link to sign in.
	submit string
	// picture is the height of the picture of the page, or 0 for none.
	picture int64
}

// visitors are those who see the pages.
// A new page needs a row here: TestConsole_IsAccessible then examines it, and
// make pictures takes its picture.
var visitors = []struct {
	name   string
	signIn func(*demo, *tab)
	pages  []consolePage
}{
	{"nobody", func(*demo, *tab) {}, []consolePage{
		{name: "sign-in", path: "sign-in", picture: 550},
		{name: "link", path: "sign-in?code=wbc_demo"},
		{name: "session-ended", path: "sign-in", submit: sendCharacter, picture: 640},
		{name: "register", path: "register", picture: 700},
		{name: "register-wrong", path: "register", submit: enter("new_password_again", "x")},
		{name: "error", path: "no/such/page", picture: 300},
	}},
	{"user", (*demo).signInUser, []consolePage{
		{name: "user", path: "users/{user}", picture: 760},
		{name: "user-wrong", path: "users/{user}", submit: enter("timezone", "Atlantis")},
		{name: "character", path: "users/{user}/characters/{character}", picture: 760},
		{name: "character-wrong", path: "users/{user}/characters/{character}", submit: enter("voice_speed", "fast")},
		{name: "character-changes", path: "users/{user}/characters/{character}", submit: change},
		{name: "character-read-only", path: "users/{user}/characters/{read-only}"},
		{name: "account", path: "account", picture: 760},
		{name: "account-wrong", path: "account", submit: enter("new_password_again", "x")},
		{name: "forbidden", path: "log"},
	}},
	{"operator", (*demo).signInOperator, []consolePage{
		{name: "overview", path: "overview", picture: 680},
		{name: "users", path: "users", picture: 640},
		{name: "new-user", path: "new-user", picture: 560},
		{name: "new-user-wrong", path: "new-user", submit: enter("password", "short")},
		{name: "user-admin", path: "users/{user}/admin", picture: 1100},
		{name: "user-admin-wrong", path: "users/{user}/admin", submit: enter("confirm", "x")},
		{name: "log", path: "log?text=route", picture: 600},
		{name: "log-wrong", path: "log?lines=many"},
		{name: "motion", path: "motion", picture: 760},
		{name: "configuration", path: "configuration", picture: 620},
	}},
}

// enter returns JavaScript that writes a text into a field and sends its form,
// although other fields may be empty.
func enter(name, text string) string {
	return `(() => { const field = document.querySelector("[name=` + name + `]"); field.value = "` + text + `"; field.form.submit(); return true })()`
}

// change is JavaScript that changes the prompt of a character and asks for the
// difference without a script.
const change = `(() => {
	const prompt = document.querySelector("#prompt");
	prompt.value = "New first line\n" + prompt.value.slice(20);
	prompt.form.requestSubmit(document.querySelector(".changes button"));
	return true;
})()`

// sendCharacter is JavaScript that sends a character as the editor does.
const sendCharacter = `(() => {
	document.body.insertAdjacentHTML("beforeend", "<form method=post action=users/ada/characters/one><input name=prompt value='You are Mira, an explorer.'></form>");
	document.body.lastElementChild.submit();
	return true;
})()`

const (
	demoName     = "Ada"
	demoPassword = "correct horse battery"
)

// demo is a server with the data of people who use it.
type demo struct {
	*server

	folder       string
	motionFolder string
	paths        *strings.Replacer
}

// newDemo starts a server, with additional environment variables, and with some
// users. One of them has provider keys and a character of her own. The account
// of another one is disabled.
func newDemo(t *testing.T, environment ...string) *demo {
	t.Helper()
	motion := motionData(t)
	s := serve(t, append(environment, motion)...)
	for _, name := range []string{demoName, "Grace", "Katherine", "Mary", "Rosalind", "Sofia"} {
		s.send(t, "/api/v1/register_user", map[string]string{"username": name, "password": demoPassword})
	}
	folder := filepath.Dir(filepath.Dir(s.logFile))
	disabled := decode[struct {
		ID string `json:"user_id"`
	}](t, s, "/api/v1/authenticate_user", map[string]string{"username": "Grace", "password": demoPassword}).ID
	s.send(t, "/api/v1/disable_user", map[string]string{"user_id": disabled}, "Authorization", "Bearer "+s.operatorToken(t))
	user := decode[struct {
		ID string `json:"user_id"`
	}](t, s, "/api/v1/authenticate_user", map[string]string{"username": demoName, "password": demoPassword}).ID
	s.send(t, "/api/v1/update_user_config", map[string]any{
		"user_id": user, "timezone": "Europe/London", "openai_api_key": "sk-demo", "deepseek_api_key": "sk-demo",
	})
	characters := decode[struct {
		IDs []string `json:"character_id_list"`
	}](t, s, "/api/v1/list_characters/"+user, nil).IDs
	for _, id := range characters[5:] { // those in Chinese, for which a machine may have no font
		s.send(t, "/api/v1/delete_character", map[string]string{"user_id": user, "character_id": id})
	}
	own := decode[struct {
		ID string `json:"character_id"`
	}](t, s, "/api/v1/duplicate_character", map[string]string{"user_id": user, "character_id": characters[0], "character_name": "Thea Junior"}).ID
	return &demo{
		server: s, folder: folder, motionFolder: motion[strings.Index(motion, "=")+1:],
		paths: strings.NewReplacer("{user}", user, "{character}", own, "{read-only}", characters[0]),
	}
}

// show opens a page of the demo.
func (d *demo) show(tab *tab, page consolePage) {
	tab.t.Helper()
	tab.open(d.url + "/console/" + d.paths.Replace(page.path))
	if page.submit != "" {
		evaluate[bool](tab, page.submit)
		tab.wait(`document.querySelector("[aria-invalid=true], .difference, [target=_blank]") && document.readyState === "complete"`)
	}
}

func (d *demo) signInUser(tab *tab) {
	tab.t.Helper()
	tab.fill("username", demoName)
	tab.fill("password", demoPassword)
	tab.click("form:has([name=password]) button")
	tab.wait(`location.pathname.includes("/console/users/") && document.readyState === "complete"`)
}

func (d *demo) signInOperator(tab *tab) { signInOperator(tab, d.server) }

// signInOperator signs in with the operator token at the page for signing in,
// which the tab shows.
func signInOperator(tab *tab, s *server) {
	tab.t.Helper()
	tab.fill("token", s.operatorToken(tab.t))
	tab.click("form:has([name=token]) button")
	tab.wait(`location.pathname.endsWith("/console/overview") && document.readyState === "complete"`)
}

// prefer chooses a language and an appearance at the end of a page.
func (b *tab) prefer(language, theme string) {
	b.t.Helper()
	if evaluate[string](b, `document.documentElement.lang`) != language {
		b.click("button[name=language]")
		b.wait(`document.documentElement.lang === "` + language + `" && document.readyState === "complete"`)
	}
	if evaluate[string](b, `document.documentElement.dataset.theme ?? ""`) == theme {
		return // the wait would end before the page is loaded again
	}
	b.click("button[value=" + theme + "]")
	b.wait(`document.documentElement.dataset.theme === "` + theme + `" && document.readyState === "complete"`)
}
