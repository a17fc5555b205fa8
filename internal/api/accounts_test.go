package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/text/unicode/norm"

	"web-backend/internal/api"
	"web-backend/internal/auth"
	"web-backend/internal/backend"
)

// Sentences of the English catalogue.
const (
	nameTaken        = "This user name is already in use. Please choose another one."
	nameInvalid      = "A user name has 1 to 254 characters, without control characters, invisible characters, and spaces around it."
	passwordTooShort = "The password is too short. It needs at least 8 characters."
	passwordTooLong  = "The password is too long. It may have at most 1024 bytes."
	wrongCredentials = "The user name or the password is not correct."
)

// refusal returns the response of an account endpoint that refuses, which has
// these empty fields in addition to the result.
func refusal(sentence string, emptyFields ...string) string {
	members := []string{"auth_code", "500", "auth_msg", quote(sentence)}
	for _, name := range emptyFields {
		value := `""`
		if name == "confirmation_required" {
			value = "false"
		}
		members = append(members, name, value)
	}
	return object(members...)
}

// account returns the body of an account endpoint.
func account(username, password string, more ...string) string {
	return object(append([]string{"username", quote(username), "password", quote(password)}, more...)...)
}

// TestAccounts checks each endpoint of contract §3, in the order in which an
// account uses them.
func TestAccounts(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.names["ada"] = s.register(t, "Ada", "first password")
	registered := []string{"user_id", "confirmation_required"}
	changed := `{"confirmation_required":false,"auth_code":200,"auth_msg":""}`
	loggedIn := `{"user_id":"$ada","auth_code":200,"auth_msg":"","access_token":"<text>","token_type":"bearer","expires_in":604800}`
	deleted := `{"user_id":"$ada","auth_code":200,"auth_msg":""}`
	s.run(
		t,
		exchange{name: "taken", request: "POST register_user", body: account("Ada", "another password"), status: 200, want: refusal(nameTaken, registered...)},
		exchange{name: "taken in another case", request: "POST register_user", body: account("ada", "first password"), status: 200, want: refusal(nameTaken, registered...)},
		exchange{name: "another name", request: "POST register_user", body: account("Bob", "first password"), status: 200, contains: []string{`"auth_code":200`}},
		exchange{name: "login in another case", request: "POST authenticate_user", body: account("ada", "first password"), status: 200, want: refusal(wrongCredentials, "user_id")},
		exchange{name: "no config before the first login", request: "GET list_user_config_id", status: 200, want: `{"user_id_list":[],"user_name_list":null}`},
		exchange{name: "no characters either", request: "GET list_characters/$ada", status: 200, want: `{"character_id_list":[],"character_name_list":[]}`},
		exchange{name: "wrong password", request: "POST authenticate_user", body: account("Ada", "First password"), status: 200, want: refusal(wrongCredentials, "user_id")},
		exchange{name: "unknown name", request: "POST authenticate_user", body: account("Nobody", "first password"), status: 200, want: refusal(wrongCredentials, "user_id")},
		exchange{name: "empty password", request: "POST authenticate_user", body: account("Ada", ""), status: 200, want: refusal(wrongCredentials, "user_id")},
		exchange{name: "nobody was set up", request: "GET list_user_config_id", status: 200, want: `{"user_id_list":[],"user_name_list":null}`},
		exchange{name: "first login", request: "POST authenticate_user", body: account("Ada", "first password"), status: 200, want: loggedIn},
		exchange{name: "set up", request: "GET list_user_config_id", status: 200, want: `{"user_id_list":["$ada"],"user_name_list":null}`},
		exchange{name: "characters", request: "GET list_characters/$ada", status: 200, absent: []string{`[]`}},
		exchange{name: "second login", request: "POST authenticate_user", body: account("Ada", "first password"), status: 200, want: loggedIn},

		exchange{name: "change with a wrong password", request: "POST update_user_password", body: account("Ada", "x", "new_password", `"second password"`), status: 200, want: refusal(wrongCredentials, "confirmation_required")},
		exchange{name: "change of nobody", request: "POST update_user_password", body: account("Nobody", "x", "new_password", `"second password"`), status: 200, want: refusal(wrongCredentials, "confirmation_required")},
		exchange{name: "change to a short one", request: "POST update_user_password", body: account("Ada", "first password", "new_password", `"seven.."`), status: 200, want: refusal(passwordTooShort, "confirmation_required")},
		exchange{name: "still the first", request: "POST authenticate_user", body: account("Ada", "first password"), status: 200, want: loggedIn},
		exchange{name: "change", request: "POST update_user_password", body: account("Ada", "first password", "new_password", `"second password"`), status: 200, want: changed},
		exchange{name: "the first is over", request: "POST authenticate_user", body: account("Ada", "first password"), status: 200, want: refusal(wrongCredentials, "user_id")},
		exchange{name: "the second counts", request: "POST authenticate_user", body: account("Ada", "second password"), status: 200, want: loggedIn},

		exchange{name: "delete with a wrong password", request: "POST delete_user", body: account("Ada", "first password", "user_id", `"$ada"`), status: 200, want: refusal(wrongCredentials, "user_id")},
		exchange{name: "delete another's id", request: "POST delete_user", body: account("Bob", "first password", "user_id", `"$ada"`), status: 200, want: refusal(wrongCredentials, "user_id")},
		exchange{name: "delete an unknown id", request: "POST delete_user", body: account("Ada", "second password", "user_id", `"nobody"`), status: 200, want: refusal(wrongCredentials, "user_id")},
		exchange{name: "nothing was deleted", request: "GET list_characters/$ada", status: 200, absent: []string{`[]`}},
		exchange{name: "delete", request: "POST delete_user", body: account("Ada", "second password", "user_id", `"$ada"`), status: 200, want: deleted},
		exchange{name: "delete twice", request: "POST delete_user", body: account("Ada", "second password", "user_id", `"$ada"`), status: 200, want: refusal(wrongCredentials, "user_id")},
		exchange{name: "its characters are gone", request: "GET list_characters/$ada", status: 200, want: `{"character_id_list":[],"character_name_list":[]}`},
		exchange{name: "login after it", request: "POST authenticate_user", body: account("Ada", "second password"), status: 200, want: refusal(wrongCredentials, "user_id")},
		exchange{name: "the name is free again", request: "POST register_user", body: account("Ada", "third password"), status: 200, contains: []string{`"auth_code":200`}, absent: []string{"$ada"}},
	)
}

// If registration is closed, nobody can register, not even with a name that is
// taken or not allowed. Operators then make accounts in two steps.
func TestRegister_Closed(t *testing.T) {
	t.Parallel()
	const closed = "Registration is closed here. Ask the operator of this server for an account."
	s := newServer(t, func(c *config) {
		c.accounts.RegistrationClosed = true
		c.Access.AddressTries = auth.NewRateLimit(1, 6, 100, func() time.Time { return time.Time{} })
	})
	refused := refusal(closed, "user_id", "confirmation_required")
	s.run(
		t,
		exchange{name: "a stranger", request: "POST register_user", body: account("Ada", "first password"), status: 200, want: refused},
		exchange{name: "a name that is not allowed", request: "POST register_user", body: account("", "first password"), status: 200, want: refused},
		exchange{name: "in Chinese", request: "POST register_user", body: account("Ada", "first password", "language", `"zh-CN"`), status: 200, contains: []string{`"auth_code":500`, "未开放注册"}},
	)
	s.run(
		t,
		exchange{name: "made by an operator", request: "POST create_user", body: `{"user_id":"ada"}`, status: 200},
		exchange{name: "with a password", request: "POST set_user_password", body: `{"user_id":"ada","username":"Ada","new_password":"first password"}`, status: 200, contains: []string{`"auth_code":200`}},
		exchange{name: "logs in", request: "POST authenticate_user", body: account("Ada", "first password"), status: 200, contains: []string{`"auth_code":200`, `"user_id":"ada"`}},
		exchange{name: "a taken name", request: "POST register_user", body: account("Ada", "first password"), status: 200, want: refused},
		exchange{name: "the last try of an address", request: "POST register_user", body: account("Ada", "first password"), status: 200, want: refused},
		exchange{name: "one more", request: "POST register_user", body: account("Ada", "first password"), status: 200, want: refusal("Too many tries. Please try again in 60 s.", "user_id", "confirmation_required")},
	)
}

// Names and passwords that are not allowed, and those that are just within the
// limits.
func TestRegister_Limits(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	const fine = ""
	for name, c := range map[string]struct{ username, password, sentence string }{
		"empty name":                    {"", testPassword, nameInvalid},
		"longest name":                  {strings.Repeat("é", 254), testPassword, fine},
		"name too long":                 {strings.Repeat("é", 255), testPassword, nameInvalid},
		"name of spaces":                {"  ", testPassword, nameInvalid},
		"line end in a name":            {"a\nb", testPassword, nameInvalid},
		"escape in a name":              {"a\x1b[31m", testPassword, nameInvalid},
		"C1 control in a name":          {"a\u0085", testPassword, nameInvalid},
		"space before a name":           {" ann", testPassword, nameInvalid},
		"space behind a name":           {"ann ", testPassword, nameInvalid},
		"wide space before a name":      {"\u3000ann", testPassword, nameInvalid},
		"no-break space behind a name":  {"ann\u00a0", testPassword, nameInvalid},
		"zero-width space in a name":    {"a\u200bnn", testPassword, nameInvalid},
		"zero-width joiner in a name":   {"a\u200dnn", testPassword, nameInvalid},
		"byte order mark in a name":     {"\ufeffann", testPassword, nameInvalid},
		"soft hyphen in a name":         {"a\u00adnn", testPassword, nameInvalid},
		"direction mark in a name":      {"ann\u200e", testPassword, nameInvalid},
		"direction override in a name":  {"\u202eann", testPassword, nameInvalid},
		"direction isolate in a name":   {"\u2066ann", testPassword, nameInvalid},
		"line separator in a name":      {"a\u2028nn", testPassword, nameInvalid},
		"blank letter as a name":        {"\u3164", testPassword, nameInvalid},
		"blank Braille as a name":       {"\u2800\u2800", testPassword, nameInvalid},
		"a mark on nothing as a name":   {"\u0301", testPassword, nameInvalid},
		"Braille":                       {"\u2801\u2800", testPassword, fine},
		"inner space":                   {"ann lee", testPassword, fine},
		"Chinese with inner space":      {"张 三", testPassword, fine},
		"emoji":                         {"😀", testPassword, fine},
		"emoji with a skin tone":        {"👍🏽", testPassword, fine},
		"markup is a name":              {"<script>alert(1)</script>", testPassword, fine},
		"operator is a name":            {`{"$ne":""}`, testPassword, fine},
		"shortest password":             {"s1", "8 chars.", fine},
		"password of eight characters":  {"s2", "éééééééé", fine},
		"password too short":            {"s3", "7 chars", passwordTooShort},
		"empty password":                {"s4", "", passwordTooShort},
		"longest password":              {"s5", strings.Repeat("x", 1024), fine},
		"password too long":             {"s6", strings.Repeat("x", 1025), passwordTooLong},
		"password too long in bytes":    {"s7", strings.Repeat("é", 513), passwordTooLong},
		"password with a line end":      {"s8", "pass\nword\t", fine},
		"password that looks like hash": {"s9", "$argon2id$v=19$m=8,t=1,p=1$AAAA$AAAA", fine},
	} {
		t.Run(name, func(t *testing.T) {
			x := exchange{request: "POST register_user", body: account(c.username, c.password), status: 200}
			if c.sentence != fine {
				x.want = refusal(c.sentence, "user_id", "confirmation_required")
				s.exchange(t, x)
				return
			}
			x.contains = []string{`"auth_code":200`}
			id := field(t, s.exchange(t, x).body, "user_id")
			if loggedIn, _ := s.login(t, c.username, c.password); loggedIn != id {
				t.Errorf("login of %q: got user id %q, want %q", c.username, loggedIn, id)
			}
			s.exchange(t, exchange{request: "GET list_users", status: 200, contains: []string{quote(c.username)}})
		})
	}
}

// With password_min_length 0, all passwords that the original server accepted
// are accepted.
func TestRegister_NoLeastLength(t *testing.T) {
	t.Parallel()
	s := newServer(t, func(c *config) { c.accounts.PasswordMinLength = 0 })
	s.register(t, "ada", "x")
	s.login(t, "ada", "x")
	s.exchange(t, exchange{
		request: "POST register_user", body: account("bob", "", "language", `"en"`), status: 200,
		want: refusal("The password is too short. It needs at least 1 characters.", "user_id", "confirmation_required"),
	})
}

// Two names that look the same are one name. The account keeps the form that
// was registered.
func TestAccounts_NamesThatLookAlike(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	for _, alike := range [][]string{
		{"Ann Lee", "Ａｎｎ　Ｌｅｅ", "Ann\u00a0Lee", "Ann  Lee"},
		{"ｗｉｄｅ", "wide", "wiｄe"},
		{"❤", "❤\ufe0f"},
		{"小明（北京）", "小明(北京)"},
	} {
		id := s.register(t, alike[0], testPassword)
		for _, name := range alike {
			s.exchange(t, exchange{name: name, request: "POST register_user", body: account(name, testPassword), status: 200, want: refusal(nameTaken, "user_id", "confirmation_required")})
			if got, _ := s.login(t, name, testPassword); got != id {
				t.Errorf("%q logs in as %q, want %q, who registered as %q", name, got, id, alike[0])
			}
		}
	}
}

// A name that an older server accepted works as stored, even together with a
// new one.
func TestAccounts_NamesOfOld(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	for _, name := range []string{"  ", " ann", "a\u200bnn", "\u202eann", "Ａｎｎ", "👨\u200d👩\u200d👧"} {
		s.plainCredential(t, name)
		if got, _ := s.login(t, name, testPassword); got != "id of "+name {
			t.Errorf("%q logs in as %q", name, got)
		}
	}
	s.exchange(t, exchange{request: "POST register_user", body: account("Ａｎｎ", testPassword), status: 200, want: refusal(nameTaken, "user_id", "confirmation_required")})
	for _, name := range []string{"Ann", "ann", "ANN", "aNn"} { // people take these for the existing name
		s.exchange(t, exchange{request: "POST register_user", body: account(name, testPassword), status: 200, want: refusal(nameTaken, "user_id", "confirmation_required")})
	}
	s.plainCredential(t, "Ann")
	s.plainCredential(t, "ANN")
	for _, name := range []string{"Ann", "Ａｎｎ", "ANN"} {
		if got, _ := s.login(t, name, testPassword); got != "id of "+name {
			t.Errorf("beside another, %q logs in as %q", name, got)
		}
	}
}

func TestAccounts_NamesInNFC(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	for i, form := range []norm.Form{norm.NFC, norm.NFD} {
		other := norm.NFD
		if form == norm.NFD {
			other = norm.NFC
		}
		name := fmt.Sprintf("Zoé Ångström %d", i)
		id := s.register(t, form.String(name), testPassword)
		if got, _ := s.login(t, other.String(name), testPassword); got != id {
			t.Errorf("login as %+q: got user id %q, want that of %+q", other.String(name), got, form.String(name))
		}
		s.exchange(t, exchange{
			request: "POST register_user", body: account(other.String(name), testPassword), status: 200,
			want: refusal(nameTaken, "user_id", "confirmation_required"),
		})
		s.exchange(t, exchange{request: "GET list_users", status: 200, contains: []string{quote(form.String(name))}, absent: []string{quote(other.String(name))}})
	}
}

// A sentence is in the requested language if there is a catalogue for it.
func TestAccounts_Languages(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	const chinese = "用户名或密码不正确。"
	for language, want := range map[string]string{
		`"en"`: wrongCredentials, `"en-US"`: wrongCredentials, `"zh"`: chinese, `"zh-CN"`: chinese, `"zh-Hans"`: chinese,
		`"zh_TW"`: chinese, `"ZH"`: chinese, `" zh "`: chinese, `"fr"`: wrongCredentials, `""`: wrongCredentials, `"zhx"`: wrongCredentials,
		`"../zh"`: wrongCredentials, `null`: wrongCredentials, "": wrongCredentials,
	} {
		s.exchange(t, exchange{
			request: "POST authenticate_user", body: account("ada", "x", "language", language), status: 200, want: refusal(want, "user_id"),
		})
	}
	s.exchange(t, exchange{request: "POST authenticate_user", body: account("ada", "x", "language", "5"), status: 422})
}

// Every catalogue has a sentence for every refusal, including its limit.
func TestMessages_AreComplete(t *testing.T) {
	t.Parallel()
	catalogues := api.Messages()
	if len(catalogues) < 2 || catalogues["en"] == nil || catalogues["zh"] == nil {
		t.Fatalf("got catalogues %v, want en and zh", catalogues)
	}
	for language, catalogue := range catalogues {
		if len(catalogue) != len(backend.RefusalReasons) {
			t.Errorf("%s has %d sentences, want %d", language, len(catalogue), len(backend.RefusalReasons))
		}
		for _, reason := range backend.RefusalReasons {
			limited := strings.HasPrefix(string(reason), "password_") || slices.Contains([]backend.RefusalReason{backend.NameInvalid, backend.TooManyTries, backend.Busy}, reason)
			if sentence := catalogue[reason]; sentence == "" || strings.Contains(sentence, "{limit}") != limited {
				t.Errorf("%s: %s: got %q, want a sentence, and {limit} in it if there is one", language, reason, sentence)
			}
		}
	}
}

// Ten simultaneous first logins set up an account only once. This also holds
// for an account of the original server, whose plain password is hashed during
// the login.
func TestAuthenticate_TenFirstLogins(t *testing.T) {
	t.Parallel()
	onBothStores(t, func(t *testing.T, s *server) {
		s.register(t, "ada", testPassword)
		s.plainCredential(t, "bob")
		for _, username := range []string{"ada", "bob"} {
			var all sync.WaitGroup
			ids := make([]string, 10)
			for i := range ids {
				all.Go(func() { ids[i], _ = s.login(t, username, testPassword) })
			}
			all.Wait()
			if ids = slices.Compact(ids); len(ids) != 1 || ids[0] == "" {
				t.Fatalf("%s logged in as %q, want one user", username, ids)
			}
			if characters := s.characterIDs(t, ids[0]); len(characters) != len(slices.Compact(slices.Sorted(slices.Values(characters)))) || len(characters) != 8 {
				t.Errorf("%s has the characters %q, want 8, each once", username, characters)
			}
		}
	})
}

// plainCredential stores a credential as the original server did, with the
// password in plain text.
func (s *server) plainCredential(t testing.TB, username string) {
	t.Helper()
	credential := backend.Credential{Username: username, Password: backend.NewSecret(testPassword), UserID: "id of " + username}
	// Stored like an import, because an import accepts any name.
	if err := s.store.PutUsers(t.Context(), []backend.UserData{{Credential: &credential}}); err != nil {
		t.Fatal(err)
	}
}

// A plain password of the original server works and is hashed at the first
// successful login. A hash with other parameters is replaced.
func TestAuthenticate_HashesAnew(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.plainCredential(t, "ada")
	stored := func() string {
		credential, err := s.store.Credential(t.Context(), "ada")
		if err != nil {
			t.Fatal(err)
		}
		return credential.Password.Reveal()
	}
	s.exchange(t, exchange{request: "POST authenticate_user", body: account("ada", "wrong"), status: 200, want: refusal(wrongCredentials, "user_id")})
	if got := stored(); got != testPassword {
		t.Errorf("after a wrong password %q is stored, want the plain one", got)
	}
	_, token := s.login(t, "ada", testPassword)
	hash := stored()
	if want := "$argon2id$v=19$m=8,t=1,p=1$"; !strings.HasPrefix(hash, want) {
		t.Errorf("after a login %q is stored, want a hash %s…", hash, want)
	}
	s.login(t, "ada", testPassword)
	if got := stored(); got != hash {
		t.Errorf("the second login stored %q in place of %q", got, hash)
	}
	outdated, err := auth.NewPasswords(auth.PasswordParams{MemoryKiB: 16, Iterations: 1, Parallelism: 1}).Hash(t.Context(), backend.NewSecret(testPassword))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.store.ReplacePassword(t.Context(), backend.Credential{Username: "ada", Password: backend.NewSecret(hash), UserID: "id of ada"}, outdated, backend.KeepTokens); err != nil {
		t.Fatal(err)
	}
	s.login(t, "ada", testPassword)
	if got := stored(); !strings.HasPrefix(got, "$argon2id$v=19$m=8,t=1,p=1$") || got == hash {
		t.Errorf("after a login %q is stored, want a new hash with this server's parameters", got)
	}
	// Existing logins stay valid.
	s.exchange(t, exchange{request: "POST logout", header: bearer(token), status: 200, want: noBody})
}

// A stored hash that would need too many resources gets the same response as a
// wrong password. The log tells the operator about it.
func TestAuthenticate_HashThatCostsTooMuch(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	stored := backend.NewSecret("$argon2id$v=19$m=1048576,t=1,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4")
	if err := s.store.CreateCredential(t.Context(), backend.Credential{Username: "greta", Password: stored, UserID: "id of greta"}); err != nil {
		t.Fatal(err)
	}
	s.exchange(t, exchange{request: "POST authenticate_user", body: account("greta", testPassword), status: 200, want: refusal(wrongCredentials, "user_id")})
	log := s.stop(t)
	for _, want := range []string{"ERROR", "refused=true", "at most 65536 are allowed", "web-backend user set-password"} {
		if !strings.Contains(log, want) {
			t.Errorf("the log lacks %q: %s", want, log)
		}
	}
	for _, secret := range []string{"greta", "c29tZXNhbHQ", testPassword} {
		if strings.Contains(log, secret) {
			t.Errorf("the log shows %q: %s", secret, log)
		}
	}
}

// If the password of a user changes or the user is deleted, all tokens of the
// user end on every server. Tokens of other users stay valid.
func TestTokens_EndTogether(t *testing.T) {
	t.Parallel()
	s := newServer(t, accessMode(auth.Strict))
	s.register(t, "other", testPassword)
	other, otherToken := s.login(t, "other", testPassword)
	for name, end := range map[string]func(id string) exchange{
		"change of the password": func(string) exchange {
			return exchange{request: "POST update_user_password", body: account("ada", testPassword, "new_password", quote(testPassword))}
		},
		"deletion with the password": func(id string) exchange {
			return exchange{request: "POST delete_user", body: account("ada", testPassword, "user_id", quote(id))}
		},
		"deletion by an operator": func(id string) exchange {
			return exchange{request: "POST delete_user", body: object("user_id", quote(id)), header: bearer(operatorToken.Reveal())}
		},
	} {
		s.exchange(t, exchange{request: "POST register_user", body: account("ada", testPassword), status: 200})
		id, first := s.login(t, "ada", testPassword)
		_, second := s.login(t, "ada", testPassword)
		read := func(id, token string, status int) {
			t.Helper()
			s.exchange(t, exchange{request: "GET list_characters/" + id, header: bearer(token), status: status})
		}
		read(id, first, 200)
		read(id, second, 200)
		x := end(id)
		x.status, x.absent = 200, []string{`"auth_code":500`}
		s.exchange(t, x)
		if t.Failed() {
			t.Fatal(name)
		}
		read(id, first, 401)
		read(id, second, 401)
		read(other, otherToken, 200)
	}
}

// Logging out ends one token. If the token is not valid, the response says so.
func TestLogout(t *testing.T) {
	t.Parallel()
	s := newServer(t, accessMode(auth.Strict))
	s.register(t, "ada", testPassword)
	id, first := s.login(t, "ada", testPassword)
	_, second := s.login(t, "ada", testPassword)
	s.run(
		t,
		exchange{name: "without a token", request: "POST logout", status: 401},
		exchange{name: "with none at all", request: "POST logout", header: bearer(auth.NewToken().Reveal()), status: 401},
		exchange{name: "with an operator's", request: "POST logout", header: bearer(operatorToken.Reveal()), status: 401},
		exchange{name: "by a form", request: "POST logout", header: http.Header{"Authorization": {"Bearer " + first}, "Content-Type": {"text/plain"}}, body: "x=1", status: 415},
		exchange{name: "with a body of no use", request: "POST logout", header: bearer(first), body: `{"x":1}`, status: 200, want: noBody},
		exchange{name: "twice", request: "POST logout", header: bearer(first), status: 401},
		exchange{name: "the other still counts", request: "GET list_characters/" + id, header: bearer(second), status: 200},
	)
}

// Attempts on accounts are limited by address and by name.
func TestAccounts_RateLimits(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	s := newServer(t, withOptions(func(o *api.Options) {
		o.Access.Proxies = localProxy(t)
		o.Access.AddressTries = auth.NewRateLimit(60, 5, 100, clock)
		o.Access.PairTries = auth.NewRateLimit(10, 2, 100, clock)
	}))
	from := func(address string) http.Header { return http.Header{"X-Forwarded-For": {address}} }
	try := func(name, address, body, retryAfter string) {
		t.Helper()
		want := refusal(wrongCredentials, "user_id")
		if retryAfter != "" {
			want = refusal(tooManyTries(retryAfter), "user_id")
		}
		got := s.exchange(t, exchange{name: name, request: "POST authenticate_user", header: from(address), body: body, status: 200, want: want})
		if retry := got.header.Get("Retry-After"); retry != retryAfter {
			t.Errorf("%s: got Retry-After %q, want %q", name, retry, retryAfter)
		}
	}
	for i := range 5 {
		try("burst of an address", "203.0.113.7", account(fmt.Sprintf("a%d", i), "x"), "")
	}
	try("address is over", "203.0.113.7", account("a9", "x"), "1")
	try("what it says it forwards is not believed of a stranger", "203.0.113.8, 203.0.113.7", account("a9", "x"), "1")
	try("another address", "203.0.113.8", account("b", "x"), "")
	for i := range 5 {
		try("IPv6 network", fmt.Sprintf("2001:db8:1:2::%d", i), account(fmt.Sprintf("c%d", i), "x"), "")
	}
	try("the same network", "2001:db8:1:2:ffff::1", account("c9", "x"), "1")
	try("the next network", "2001:db8:1:3::1", account("c9", "x"), "")
	try("a name", "203.0.113.9", account("caf\u00e9", "x"), "")
	try("a name in another form", "203.0.113.9", account("cafe\u0301", "x"), "")
	try("the name is over", "203.0.113.9", account("caf\u00e9", "x"), "6")
	try("a wide form of it, too", "203.0.113.9", account("ｃaf\u00e9", "x"), "6")
	try("the name from elsewhere", "203.0.113.11", account("caf\u00e9", "x"), "")
	now = now.Add(7 * time.Second)
	try("the name again", "203.0.113.9", account("caf\u00e9", "x"), "")
	try("the address again", "203.0.113.7", account("d", "x"), "")

	now = now.Add(time.Hour)
	for request, members := range map[string][]string{
		"POST register_user": {"user_id", "confirmation_required"}, "POST update_user_password": {"confirmation_required"}, "POST delete_user": {"user_id"},
	} {
		now = now.Add(time.Hour)
		body := account("erna", "x", "new_password", `"y"`, "user_id", `"z"`)
		for range 2 {
			s.exchange(t, exchange{request: request, header: from("203.0.113.7"), body: body, status: 200})
		}
		s.exchange(t, exchange{request: request, header: from("203.0.113.7"), body: body, status: 200, want: refusal(tooManyTries("6"), members...)})
		s.exchange(t, exchange{request: request, header: from("203.0.113.7"), status: 200, contains: []string{`"auth_code":500`, "请在 6 秒后重试"},
			body: account("erna", "x", "new_password", `"y"`, "user_id", `"z"`, "language", `"zh"`)})
	}
	lines := linesWith(s.stop(t), "retry_after=")
	if len(lines) != 11 {
		t.Errorf("the log tells of %d tries over a limit, want 11: %q", len(lines), lines)
	}
	for _, line := range lines {
		if !strings.Contains(line, " status=200 ") || !strings.Contains(line, " refused=true ") || !strings.Contains(line, " client=2") {
			t.Errorf("a refusal without its marks: %s", line)
		}
	}
}

// tooManyTries returns the message to a person who has to wait.
func tooManyTries(seconds string) string {
	return "Too many tries. Please try again in " + seconds + " s."
}

// A deletion without a password cannot report a refusal in a 200 response,
// because a 200 means to the client that the user is deleted.
func TestAccounts_RateLimitOfADeletionWithoutPassword(t *testing.T) {
	t.Parallel()
	s := newServer(t, accessMode(auth.Strict), withOptions(func(o *api.Options) {
		o.Access.AddressTries = auth.NewRateLimit(1, 1, 100, time.Now)
	}))
	s.run(
		t,
		exchange{name: "the last try", request: "POST delete_user", body: `{"user_id":"ada"}`, status: 401},
		exchange{name: "one more", request: "POST delete_user", body: `{"user_id":"ada"}`, status: 429, contains: []string{"too many tries from this address; try again in 60 s"}},
		exchange{name: "half a proof", request: "POST delete_user", body: `{"user_id":"ada","username":"Ada"}`, status: 429},
		exchange{name: "a proof without a user id", request: "POST delete_user", body: account("Ada", "x"), status: 200, want: refusal(tooManyTries("60"), "user_id")},
	)
}

// localProxy trusts this machine to report the address of the client.
func localProxy(t testing.TB) auth.Proxies {
	t.Helper()
	proxies, err := auth.ParseProxies([]string{"127.0.0.1"})
	if err != nil {
		t.Fatal(err)
	}
	return proxies
}

// Attempts on a name from many addresses do not lock out users at addresses
// from which they have logged in before, and do not affect other names.
func TestAccounts_LockOut(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	s := newServer(t, withOptions(func(o *api.Options) {
		o.Access.Proxies = localProxy(t)
		o.Access.PairTries = auth.NewRateLimit(10, 3, 1000, clock)
		o.Access.UsernameTries = auth.NewRateLimit(10, 20, 100, clock)
	}))
	s.register(t, "ada", "right password")
	try := func(address, name, password string) int { // returns 429 if a limit is reached
		got := s.send(t, "POST authenticate_user", account(name, password), http.Header{"X-Forwarded-For": {address}})
		if got.status == 200 && got.header.Get("Retry-After") != "" {
			return 429
		}
		return got.status
	}
	now = now.Add(time.Hour)
	if got := try("198.51.100.1", "ada", "right password"); got != 200 {
		t.Fatalf("the owner at home: got %d, want 200", got)
	}
	refused := 0
	for i := range 100 {
		if try(fmt.Sprintf("203.0.113.%d", i), "ada", "wrong") == 429 {
			refused++
		}
	}
	if refused < 80 {
		t.Errorf("of 100 tries from 100 addresses %d were refused, want all but the burst of 20", refused)
	}
	if got := try("198.51.100.2", "ada", "right password"); got != 429 {
		t.Errorf("the owner at a new address: got %d, want 429", got)
	}
	if got := try("198.51.100.1", "ada", "right password"); got != 200 {
		t.Errorf("the owner where they have logged in before: got %d, want 200", got)
	}
	if got := try("203.0.113.1", "bob", "wrong"); got != 200 {
		t.Errorf("another name: got %d, want 200", got)
	}
	_ = try("198.51.100.1", "ada", "wrong")
	if got := try("198.51.100.1", "ada", "wrong"); got != 429 {
		t.Errorf("too many tries where the owner has logged in: got %d, want 429", got)
	}
}

// All clients of an untrusted proxy count as one client. If this locks somebody
// out, the log says so once.
func TestAccounts_UntrustedProxy(t *testing.T) {
	t.Parallel()
	forwarded := http.Header{"X-Forwarded-For": {"203.0.113.7"}}
	for name, test := range map[string]struct {
		header  http.Header
		trusted []string
		want    int
	}{
		"forwarded":                    {forwarded, nil, 1},
		"forwarded by a trusted proxy": {forwarded, []string{"127.0.0.1"}, 0},
		"direct":                       {http.Header{}, nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			proxies, err := auth.ParseProxies(test.trusted)
			if err != nil {
				t.Fatal(err)
			}
			s := newServer(t, withOptions(func(o *api.Options) {
				o.Access.AddressTries, o.Access.Proxies = auth.NewRateLimit(1, 1, 100, time.Now), proxies
			}))
			for range 3 {
				s.exchange(t, exchange{request: "POST authenticate_user", header: test.header, body: account("ada", "x"), status: 200})
			}
			want := test.want
			log := s.stop(t)
			if warnings := linesWith(log, "trusted_proxies"); len(warnings) != want || want > 0 && !strings.Contains(warnings[0], "client=127.0.0.1") {
				t.Errorf("got the warnings %q, want %d that names the address", warnings, want)
			}
		})
	}
}

// The sequence of requests that the web client sends, unchanged if the access
// mode allows it. The web client sends no token, but needs one in strict mode.
func TestWebClient(t *testing.T) {
	t.Parallel()
	for _, mode := range []auth.Mode{auth.Open, auth.Guarded, auth.Strict} {
		t.Run(mode.String(), func(t *testing.T) {
			t.Parallel()
			onBothStores(t, func(t *testing.T, s *server) { s.liveAsWebClient(t, mode) }, accessMode(mode))
		})
	}
}

func (s *server) liveAsWebClient(t *testing.T, mode auth.Mode) {
	t.Helper()
	outside := func() http.Header { return viaProxy(http.Header{}) }
	send := func(x exchange) response {
		t.Helper()
		if x.header == nil {
			x.header = outside()
		}
		x.status = 200
		got := s.exchange(t, x)
		if t.Failed() {
			t.Fatal(x.request)
		}
		return got
	}
	username, first, second := "ada@example.org", "first password", "second password"
	s.names["ada"] = field(t, send(exchange{request: "POST register_user", body: account(username, first, "language", `"zh"`)}).body, "user_id")
	login := send(exchange{request: "POST authenticate_user", body: account(username, first, "language", `"zh"`)})
	if mode == auth.Strict {
		token := field(t, login.body, "access_token")
		outside = func() http.Header { return viaProxy(bearer(token)) }
	}
	var list struct {
		IDs []string `json:"character_id_list"`
	}
	if err := json.Unmarshal([]byte(send(exchange{request: "GET list_characters/$ada"}).body), &list); err != nil || len(list.IDs) != 8 {
		t.Fatalf("got characters %q, %v, want 8", list.IDs, err)
	}
	s.names["one"] = list.IDs[0]
	send(exchange{request: "GET get_character_config/$ada/$one", contains: []string{`"read_only":true`}})
	send(exchange{request: "POST update_user_config", body: `{"user_id":"$ada","timezone":"Europe/Berlin","openai_api_key":"sk-x"}`, want: noBody})
	send(exchange{request: "GET get_available_llm/$ada", want: `{"options":["openai"]}`})
	s.names["copy"] = field(t, send(exchange{request: "POST duplicate_character", body: `{"user_id":"$ada","character_id":"$one","character_name":"Mine"}`}).body, "character_id")
	send(exchange{request: "POST update_character_prompt", body: `{"user_id":"$ada","character_id":"$copy","prompt":"You are mine."}`, want: noBody})
	send(exchange{request: "POST update_character_tts", body: `{"user_id":"$ada","character_id":"$copy","tts_adapter":"elevenlabs","voice":"v","voice_speed":"1.1"}`, want: noBody})
	send(exchange{request: "GET get_character_config/$ada/$copy", contains: []string{"You are mine.", `"voice_speed":1.1`, `"read_only":false`}})
	send(exchange{request: "GET get_missing_secrets/$ada/$copy"})
	send(exchange{request: "POST delete_character", body: `{"user_id":"$ada","character_id":"$copy"}`, want: noBody})
	send(exchange{request: "POST update_user_password", body: account(username, first, "new_password", quote(second)), contains: []string{`"auth_code":200`}})
	if mode == auth.Strict {
		s.exchange(t, exchange{request: "GET list_characters/$ada", header: outside(), status: 401}) // no token is valid
	}
	send(exchange{request: "POST authenticate_user", body: account(username, second), contains: []string{`"auth_code":200`}})
	send(exchange{request: "POST delete_user", body: account(username, second, "user_id", `"$ada"`), contains: []string{`"auth_code":200`}})
	s.exchange(t, exchange{request: "POST authenticate_user", header: outside(), body: account(username, second), status: 200, contains: []string{`"auth_code":500`}})
}

// If there are more logins than the server can hash, they wait or are refused
// at once. No response says that the password is wrong.
func TestAuthenticate_Overload(t *testing.T) {
	t.Parallel()
	s := newServer(t, func(c *config) { c.hash = auth.PasswordParams{MemoryKiB: 48 << 10, Iterations: 3, Parallelism: 1} })
	s.register(t, "ada", testPassword)
	var all sync.WaitGroup
	var refused, letIn atomic.Int64
	for range 60 {
		all.Go(func() {
			got := s.send(t, "POST authenticate_user", account("ada", testPassword), nil)
			switch {
			case got.status == http.StatusOK && strings.Contains(got.body, `"auth_code":200`):
				letIn.Add(1)
			case got.status == http.StatusOK && strings.Contains(got.body, "checking too many passwords") && got.header.Get("Retry-After") == "1":
				refused.Add(1)
			default:
				t.Errorf("got %d %s with Retry-After %q", got.status, got.body, got.header.Get("Retry-After"))
			}
		})
	}
	all.Wait()
	if refused.Load() == 0 || letIn.Load() == 0 {
		t.Errorf("of 60 logins at a time %d were refused and %d let in, want some of both", refused.Load(), letIn.Load())
	}
}

// An operator sets a password without the old one, on both stores.
func TestSetUserPassword(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.names["ada"] = s.register(t, "Ada", "first password")
	const set = "POST set_user_password"
	for _, by := range []string{`"user_id":"$ada"`, `"username":"Ada"`, `"user_id":"$ada","username":"Ada"`} {
		_, token := s.login(t, "Ada", "first password")
		s.run(
			t,
			exchange{name: by, request: set, body: `{` + by + `,"new_password":"second password"}`, status: 200, want: `{"user_id":"$ada","auth_code":200,"auth_msg":""}`},
			exchange{name: "the first is over", request: "POST authenticate_user", body: account("Ada", "first password"), status: 200, want: refusal(wrongCredentials, "user_id")},
			exchange{name: "its token has ended", request: "POST logout", header: bearer(token), status: 401},
			exchange{name: "back", request: set, body: `{` + by + `,"new_password":"first password"}`, status: 200, contains: []string{`"auth_code":200`}},
		)
	}
	s.run(
		t,
		exchange{name: "too short", request: set, body: `{"user_id":"$ada","new_password":"seven.."}`, status: 200, want: refusal(passwordTooShort, "user_id")},
		exchange{name: "too short in Chinese", request: set, body: `{"user_id":"$ada","new_password":"seven..","language":"zh"}`, status: 200, contains: []string{`"auth_code":500`}, absent: []string{"new password"}},
		exchange{name: "unknown id", request: set, body: `{"user_id":"gone","new_password":"second password"}`, status: 404},
		exchange{name: "unknown name", request: set, body: `{"username":"gone","new_password":"second password"}`, status: 404},
		exchange{name: "nobody", request: set, body: `{"new_password":"second password"}`, status: 422, contains: []string{`"loc":["body","user_id"]`}, absent: []string{"second password"}},
		exchange{name: "another name", request: set, body: `{"user_id":"$ada","username":"Bob","new_password":"second password"}`, status: 422, contains: []string{`"loc":["body","username"]`}, absent: []string{"second password"}},
		exchange{name: "wrong type", request: set, body: `{"user_id":"$ada","new_password":["second password"]}`, status: 422, absent: []string{"second password"}},
		exchange{name: "still the first", request: "POST authenticate_user", body: account("Ada", "first password"), status: 200, contains: []string{`"auth_code":200`}},

		exchange{name: "user without a name", request: "POST create_user", body: `{"user_id":"bob"}`, status: 200},
		exchange{name: "needs a name", request: set, body: `{"user_id":"bob","new_password":"second password"}`, status: 422, contains: []string{`"loc":["body","username"]`}},
		exchange{name: "name of another", request: set, body: `{"user_id":"bob","username":"Ada","new_password":"second password"}`, status: 200, want: refusal(nameTaken, "user_id")},
		exchange{name: "gets a name", request: set, body: `{"user_id":"bob","username":"Bob","new_password":"second password"}`, status: 200, want: `{"user_id":"bob","auth_code":200,"auth_msg":""}`},
		exchange{name: "can log in", request: "POST authenticate_user", body: account("Bob", "second password"), status: 200, contains: []string{`"user_id":"bob"`}},
	)
	if log := s.logLines(); strings.Contains(log, "second password") {
		t.Errorf("the log shows the password: %s", log)
	}
}

// An operator disables and enables an account, on both stores. Only the right
// password shows that the account is disabled.
func TestDisableUser(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.names["ada"] = s.register(t, "Ada", "first password")
	_, token := s.login(t, "Ada", "first password")
	const ada = `{"user_id":"$ada"}`
	const disabled = "This account is disabled. Ask the operator of this server."
	change := `{"username":"Ada","password":"first password","new_password":"second password"}`
	s.run(t, exchange{name: "disable", request: "POST disable_user", body: ada, status: 200, want: noBody},
		exchange{name: "its token has ended", request: "POST logout", header: bearer(token), status: 401},
		exchange{name: "log in", request: "POST authenticate_user", body: account("Ada", "first password"), status: 200, want: refusal(disabled, "user_id")},
		exchange{name: "in Chinese", request: "POST authenticate_user", body: `{"username":"Ada","password":"first password","language":"zh"}`, status: 200, contains: []string{"停用"}},
		exchange{name: "a wrong password", request: "POST authenticate_user", body: account("Ada", "a wrong password"), status: 200, want: refusal(wrongCredentials, "user_id")},
		exchange{name: "change the password", request: "POST update_user_password", body: change, status: 200, contains: []string{disabled}},
		exchange{name: "delete", request: "POST delete_user", body: `{"user_id":"$ada","username":"Ada","password":"first password"}`, status: 200, contains: []string{disabled}},
		exchange{name: "enable", request: "POST enable_user", body: ada, status: 200, want: noBody},
	)
	_, token = s.login(t, "Ada", "first password")
	s.run(t, exchange{name: "end the sessions", request: "POST end_user_sessions", body: ada, status: 200, want: noBody},
		exchange{name: "its session has ended", request: "POST logout", header: bearer(token), status: 401},
		exchange{name: "create", request: "POST create_user", body: `{"user_id":"bob"}`, status: 200},
	)
	s.login(t, "Ada", "first password")
	for _, request := range []string{"POST disable_user", "POST enable_user", "POST end_user_sessions"} {
		s.run(t, exchange{name: "a user without an account", request: request, body: `{"user_id":"bob"}`, status: 404},
			exchange{name: "unknown", request: request, body: `{"user_id":"gone"}`, status: 404},
			exchange{name: "nobody", request: request, body: `{}`, status: 422})
	}
}
