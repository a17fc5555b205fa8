//go:build unix

package main

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"web-backend/internal/backend"
	"web-backend/internal/masterkey"
	"web-backend/internal/store/mongo/mongotest"
	"web-backend/internal/store/sqlite"
)

// secretsConfig makes hashing cheap, lifts the rate limits, logs everything,
// and rotates the log soon.
const secretsConfig = `
access: %s
max_body_bytes: 16384
rate_limit: {address_per_minute: 0, username_per_minute: 0}
password_hash: {memory_kib: 8, iterations: 1}
logger_cfg: {file_level: 10, console_level: 10, max_size_mb: 1, max_files: 9}
`

// Every endpoint that the program documents is given passwords, tokens,
// provider keys and prompts, in requests that succeed and that fail. They are
// then nowhere but where they belong: an access token in the answer to its
// login, a prompt in get_character_config, in the answer that shows a faulty
// body back, and in the database.
func TestSecrets(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"guarded", "strict"} {
		t.Run("embedded "+mode, func(t *testing.T) {
			t.Parallel()
			// guarded with configured operator tokens, strict with the one that is made
			s := newPlanting(t, t.TempDir(), mode, "data_dir: stored\n", mode == "guarded")
			s.plant()
			s.p.stop(t)
			s.checkData()
		})
		t.Run("mongodb "+mode, func(t *testing.T) {
			t.Parallel()
			server := mongotest.Own(t, false)
			folder, _ := mongoFolder(t, server, 25*time.Second)
			store, err := os.ReadFile(filepath.Join(folder, "mongodb.yaml"))
			if err != nil {
				t.Fatal(err)
			}
			s := newPlanting(t, folder, mode, string(store), true)
			s.plant()
			s.p.stop(t)
		})
	}
}

// planting is a program to which secrets are given.
type planting struct {
	*testing.T

	p        *process
	needles  *needles
	http     *http.Client
	operator string            // token
	secrets  map[string]string // by name; a new one is made when it is asked for
	stored   map[string]bool   // names of the prompts that were stored
	fields   map[string]bool   // fields of bodies that held a secret
	statuses map[int]int       // how many answers
	faults   int
	tokens   int // that logins gave
	stranger plantedAccount
}

// plantedAccount is a user of the program. Its password is a secret named
// after it.
type plantedAccount struct{ name, userID, characterID, token string }

// newPlanting starts the program with a store. Without a configured operator
// token it makes one.
func newPlanting(t *testing.T, folder, mode, store string, configured bool) *planting {
	t.Helper()
	s := &planting{
		T: t, needles: newNeedles(), secrets: map[string]string{},
		stored: map[string]bool{}, fields: map[string]bool{}, statuses: map[int]int{},
		http: &http.Client{Timeout: deadline, Transport: &http.Transport{}, CheckRedirect: client.CheckRedirect},
	}
	t.Cleanup(s.http.CloseIdleConnections)
	config := fmt.Sprintf(secretsConfig, mode) + store
	if configured { // of any form that a header can carry
		s.operator = "op&" + newToken()
		replaced := "op&" + newToken()
		s.needles.add(operatorTokenName, s.operator)
		s.needles.add("operator token that is being replaced", replaced)
		config += fmt.Sprintf("operator_token: %q\n", replaced+","+s.operator)
	}
	if err := os.WriteFile(filepath.Join(folder, "secrets.yaml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	s.p = serve(t, folder, "serve", "--config_path", "secrets.yaml")
	if !configured {
		text, err := os.ReadFile(filepath.Join(folder, "stored", operatorTokenFile))
		if err != nil {
			t.Fatal(err)
		}
		s.operator = strings.TrimSpace(string(text))
		s.addToken(operatorTokenName, s.operator)
	}
	s.stranger = s.account("stranger")
	return s
}

const (
	operatorTokenName = "operator token"
	operatorTokenFile = "operator.token" // where the one that was made belongs
)

// newToken is a token that the program knows nothing of.
func newToken() string { return rand.Text() + rand.Text()[:17] }

// secret gives the secret of a name.
func (s *planting) secret(name string) string {
	if _, ok := s.secrets[name]; !ok {
		s.secrets[name] = newSecret()
		s.needles.add(name, s.secrets[name])
	}
	return s.secrets[name]
}

// addToken has a token of the program searched for, and the bytes that it
// encodes.
func (s *planting) addToken(name, token string) {
	s.Helper()
	_, encoded, _ := strings.Cut(token, "_")
	raw, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil || len(raw) < 2*pieceLength {
		s.Fatalf("%s is no token: %v", name, err)
	}
	s.needles.add(name, token)
	s.needles.addBytes(name, string(raw))
	s.needles.add(name, encoded)
}

// plantedRequest is one request, and which secrets may stand in its answer.
type plantedRequest struct {
	about, method, path, body string
	header                    http.Header
	mayShow                   []string
}

// send makes a request and searches its answer.
func (s *planting) send(request plantedRequest) answer {
	s.Helper()
	r, err := http.NewRequestWithContext(s.Context(), request.method, s.p.url+request.path, strings.NewReader(request.body))
	if err != nil {
		s.Fatal(err)
	}
	if request.method == http.MethodPost {
		r.Header.Set("Content-Type", "application/json")
	}
	maps.Copy(r.Header, request.header)
	response, err := s.http.Do(r)
	if err != nil {
		s.Fatalf("%s %s, %s: %v", request.method, request.path, request.about, err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		s.Fatalf("%s %s, %s: %v", request.method, request.path, request.about, err)
	}
	got := answer{response.StatusCode, response.Header, string(body)}
	s.statuses[got.status]++
	found := s.needles.search(got.text(), request.mayShow...)
	switch token := tokenForm.FindString(got.text()); {
	case token != "" && strings.HasSuffix(request.path, "/authenticate_user"): // where it belongs
		s.addToken("access token of a login", token)
		s.tokens++
	case token != "":
		found = append(found, "an access token")
	}
	if len(found) > 0 {
		s.fault("%s %s, %s: the answer holds %q:\n%d %.1500s", request.method, request.path, request.about, found, got.status, got.text())
	}
	return got
}

// tokenForm is that of tokens that the program makes.
var tokenForm = regexp.MustCompile(`wb[a-z]_[A-Za-z0-9_-]{43}`)

// fault reports one, and stops the test when there are many of them.
func (s *planting) fault(format string, args ...any) {
	s.Helper()
	s.Errorf(format, args...)
	if s.faults++; s.faults == 20 {
		s.Fatal("and so on")
	}
}

// text is everything that came back.
func (a answer) text() string { return fmt.Sprintf("%v\n%s", a.header, a.body) }

// must makes a request that has to succeed; into takes its answer.
func (s *planting) must(request plantedRequest, into any) answer {
	s.Helper()
	got := s.send(request)
	if got.status != http.StatusOK || strings.Contains(got.body, `"auth_code":500`) {
		s.Fatalf("%s %s, %s: %d %s", request.method, request.path, request.about, got.status, got.body)
	}
	if into != nil {
		if err := json.Unmarshal([]byte(got.body), into); err != nil {
			s.Fatal(err)
		}
	}
	return got
}

func bearer(token string) http.Header { return http.Header{"Authorization": {"Bearer " + token}} }

// account registers a user, logs in, and makes a character.
func (s *planting) account(name string) plantedAccount {
	s.Helper()
	account := plantedAccount{name: name}
	credentials := asJSON(map[string]any{"username": name, "password": s.secret("password of " + name)})
	s.must(plantedRequest{about: "set-up", method: "POST", path: "/api/v1/register_user", body: credentials}, nil)
	var login struct {
		UserID string `json:"user_id"`
		Token  string `json:"access_token"`
	}
	s.must(plantedRequest{about: "set-up", method: "POST", path: "/api/v1/authenticate_user", body: credentials}, &login)
	account.userID, account.token = login.UserID, login.Token

	var list struct {
		IDs []string `json:"character_id_list"`
	}
	s.must(plantedRequest{method: "GET", path: "/api/v1/list_characters/" + account.userID, header: bearer(account.token)}, &list)
	var made struct {
		ID string `json:"character_id"`
	}
	s.must(plantedRequest{
		method: "POST", path: "/api/v1/duplicate_character", header: bearer(account.token),
		body: asJSON(map[string]any{"user_id": account.userID, "character_id": list.IDs[0]}),
	}, &made)
	account.characterID = made.ID
	return account
}

func asJSON(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err) // of texts, numbers and maps
	}
	return string(text)
}

// plantedOperation is what the OpenAPI document says of one.
type plantedOperation struct {
	ID          string `json:"operationId"`
	RequestBody *struct {
		Content map[string]struct {
			Schema struct {
				Ref string `json:"$ref"`
			} `json:"schema"`
			Example map[string]any `json:"example"`
		} `json:"content"`
	} `json:"requestBody"`

	method, path string
	example      map[string]any  // nil for one without a body
	secret       map[string]bool // fields that are never shown
}

// operationsOf reads the served document.
func (s *planting) operationsOf() (all []plantedOperation) {
	s.Helper()
	var document struct {
		Paths      map[string]map[string]plantedOperation `json:"paths"`
		Components struct {
			Schemas map[string]struct {
				Properties map[string]struct {
					WriteOnly bool `json:"writeOnly"`
				} `json:"properties"`
			} `json:"schemas"`
		} `json:"components"`
	}
	s.must(plantedRequest{method: "GET", path: "/openapi.json"}, &document)
	for _, path := range slices.Sorted(maps.Keys(document.Paths)) {
		for method, operation := range document.Paths[path] {
			operation.method, operation.path = strings.ToUpper(method), path
			if operation.RequestBody != nil {
				content := operation.RequestBody.Content["application/json"]
				operation.example, operation.secret = content.Example, map[string]bool{}
				for name, property := range document.Components.Schemas[filepath.Base(content.Schema.Ref)].Properties {
					operation.secret[name] = property.WriteOnly
				}
			}
			all = append(all, operation)
		}
	}
	return all
}

// plant gives secrets to every operation, fills the log until it rotates, and
// searches all that the program printed and wrote to its log.
func (s *planting) plant() {
	s.Helper()
	for _, operation := range s.operationsOf() {
		s.plantIn(operation)
	}
	for _, name := range append(slices.Clone(backend.ProviderKeys), "password", "new_password", "prompt") {
		if !s.fields[name] {
			s.Errorf("no request held %s", name)
		}
	}
	for _, status := range []int{200, 307, 400, 401, 403, 404, 405, 413, 415, 422} {
		if s.statuses[status] == 0 {
			s.Errorf("no request was answered %d, only %v", status, s.statuses)
		}
	}
	s.sendMalformed()
	for n := 0; len(s.logFiles()) < 2; n++ {
		if n > 20_000 {
			s.Fatal("the log does not rotate")
		}
		s.send(plantedRequest{method: "GET", path: "/" + s.operator + "?token=" + s.operator, header: bearer(s.operator)})
	}
	s.checkLog()
	if s.tokens == 0 {
		s.Error("no login gave a token")
	}
	s.Logf("answers by status: %v", s.statuses)
}

func (s *planting) logFiles() []string {
	files, err := filepath.Glob(filepath.Join(s.p.folder, "logs", "*"))
	if err != nil {
		s.Fatal(err)
	}
	return files
}

// plantIn gives secrets to one operation: in requests of every fault, then in
// one that succeeds.
func (s *planting) plantIn(operation plantedOperation) {
	s.Helper()
	account := s.account(operation.method + " " + operation.path)
	body := s.bodyOf(operation, account)
	for _, request := range slices.Concat(s.badBodies(operation, account, body), s.badCallers(operation, account, body), s.badPaths(operation, account)) {
		s.send(request)
	}

	account = s.account(account.name + ", again") // one of these may have removed the first
	body = s.bodyOf(operation, account)
	request := s.request(operation, account, "valid", asJSON(body))
	request.header = bearer(account.token)
	got := s.send(request)
	if got.status == http.StatusUnauthorized || got.status == http.StatusForbidden {
		request.header = bearer(s.operator)
		got = s.send(request)
	}
	if got.status >= http.StatusBadRequest || strings.Contains(got.body, `"auth_code":500`) {
		s.Errorf("%s %s: a valid request is answered %d %s", operation.method, operation.path, got.status, got.body)
	}
	s.send(request) // a second time, which often fails
	if _, ok := body["prompt"]; ok {
		s.checkPrompt(account)
	}
}

// promptOf names the prompt that an account stores.
func promptOf(account plantedAccount) string { return "prompt of " + account.name }

// checkPrompt reads a prompt where it belongs.
func (s *planting) checkPrompt(account plantedAccount) {
	s.Helper()
	got := s.must(plantedRequest{
		method: "GET", path: "/api/v1/get_character_config/" + account.userID + "/" + account.characterID,
		header: bearer(account.token), mayShow: []string{promptOf(account)},
	}, nil)
	if len(s.needles.search(got.body)) == 0 {
		s.Errorf("get_character_config lacks the prompt: %s", got.body)
	}
	s.stored[promptOf(account)] = true
}

// bodyOf makes a valid body with secrets in it, some in fields that only other
// clients send; nil for an operation without a body.
func (s *planting) bodyOf(operation plantedOperation, account plantedAccount) map[string]any {
	if operation.RequestBody == nil {
		return nil
	}
	body := maps.Clone(operation.example)
	for name, secret := range operation.secret {
		if secret {
			body[name] = s.secret(name + " of " + account.name)
		}
	}
	for _, name := range []string{
		"token", "sensechat_api_key", "access_token", "client_secret", "OPENAI_API_KEY", " apiKey", "passwd", "authorization",
	} {
		body[name] = s.secret("unknown field " + name)
	}
	for name, value := range map[string]any{
		"user_id": account.userID, "character_id": account.characterID, "username": account.name,
		"password": s.secret("password of " + account.name), "prompt": s.secret(promptOf(account)),
	} {
		if _, ok := body[name]; ok {
			body[name] = value
		}
	}
	switch operation.ID { // these want what is not there yet
	case "register_user":
		body["username"] = "new " + account.name
	case "create_user":
		body["user_id"] = "new " + account.name
	}
	for name := range body {
		s.fields[name] = true
	}
	return body
}

// request is one to an operation; its body may show its prompt.
func (s *planting) request(operation plantedOperation, account plantedAccount, about, body string) plantedRequest {
	path := strings.NewReplacer(
		"{user_id}", account.userID, "{character_id}", account.characterID, "{n_lines}", "10000",
	).Replace(operation.path)
	if operation.RequestBody == nil {
		body = ""
	}
	return plantedRequest{
		about: about, method: operation.method, path: path, body: body,
		header: bearer(account.token), mayShow: []string{promptOf(account)},
	}
}

// badBodies are requests that are refused for their body, for most of its
// faults.
func (s *planting) badBodies(operation plantedOperation, account plantedAccount, body map[string]any) (all []plantedRequest) {
	if body == nil {
		return nil
	}
	add := func(about, text string, header http.Header) {
		request := s.request(operation, account, about, text)
		maps.Copy(request.header, header)
		all = append(all, request)
	}
	with := func(name string, value any) string {
		changed := maps.Clone(body)
		changed[name] = value
		return asJSON(changed)
	}
	for name, value := range body {
		changed := maps.Clone(body)
		delete(changed, name)
		add("without "+name, asJSON(changed), nil)
		add(name+" is a number", with(name, 7), nil)
		add(name+" is null", with(name, nil), nil)
		add(name+" is a list", with(name, []any{value, []any{value}}), nil)
		add(name+" is an object", with(name, map[string]any{"a": value, "password": s.secret("nested password")}), nil)
		add(name+" holds a NUL", with(name, fmt.Sprint(value, "\x00")), nil)
		add("only "+name, asJSON(map[string]any{name: value}), nil)
	}
	for _, name := range []string{"password", "new_password"} {
		if _, ok := body[name]; ok {
			add("wrong "+name, with(name, s.secret("wrong password")), nil)
			add("long "+name, with(name, s.secret("long password")+strings.Repeat("x", 1024)), nil)
			add("wrong and broken "+name, with(name, s.secret("wrong password"))+"]", nil)
		}
	}
	valid := asJSON(body)
	add("unknown user", with("user_id", "nobody"), nil)
	add("stranger's user", with("user_id", s.stranger.userID), nil)
	add("unknown name", with("username", "nobody"), nil)
	add("unknown character", with("character_id", "none"), nil)
	add("in a list", "["+valid+"]", nil)
	add("in an object", `{"request":`+valid+`}`, nil)
	add("in a text", asJSON(valid), nil)
	add("in a text in an object", asJSON(map[string]any{"body": valid}), nil)
	add("cut off", valid[:len(valid)-5], nil)
	add("too long", valid+"}", nil)
	add("twice", valid+valid, nil)
	add("no UTF-8", strings.Replace(valid, `"}`, "\xff\"}", 1), nil)
	add("too large", valid+strings.Repeat(" ", 16_384), nil)
	add("too large, not sent", valid+strings.Repeat(" ", 16_384), http.Header{"Expect": {"100-continue"}})
	add("text", valid, http.Header{"Content-Type": {"text/plain"}})
	add("a secret content type", valid, http.Header{"Content-Type": {"application/json; x=" + s.operator}})
	add("a wrong content type", valid, http.Header{"Content-Type": {s.operator + "/" + s.operator}})
	add("no content type", valid, http.Header{"Content-Type": nil})
	add("compressed", valid, http.Header{"Content-Encoding": {"gzip"}})
	form := url.Values{}
	for name, value := range body {
		form.Set(name, fmt.Sprint(value))
	}
	add("a form", form.Encode(), http.Header{"Content-Type": {"application/x-www-form-urlencoded"}})
	add("a form said to be JSON", form.Encode(), nil)
	return all
}

// badCallers are valid requests of callers whose secrets stand in the wrong
// place, or who may not call.
func (s *planting) badCallers(operation plantedOperation, account plantedAccount, body map[string]any) (all []plantedRequest) {
	password := s.secret("password of " + account.name)
	basic := base64.StdEncoding.EncodeToString([]byte(account.name + ":" + password))
	token := account.token
	forged := "wbt_" + newToken()
	s.needles.add("forged token", forged)
	wrong := map[string]any{}
	maps.Copy(wrong, body)
	if body != nil { // it must not remove the account by its password
		wrong["password"] = s.secret("wrong password")
	}
	for about, header := range map[string]http.Header{
		"nobody":                {"Authorization": nil},
		"stranger":              bearer(s.stranger.token),
		"forged token":          bearer(forged),
		"token in lower case":   {"Authorization": {"bearer " + token}},
		"token without scheme":  {"Authorization": {token}},
		"token with more":       bearer(token + " " + token),
		"token of a long text":  bearer(token + strings.Repeat("x", 2000)),
		"two tokens":            {"Authorization": {"Bearer " + token, "Bearer " + s.operator}},
		"Basic":                 {"Authorization": {"Basic " + basic}},
		"Digest":                {"Authorization": {"Digest username=\"a\", response=\"" + token + "\""}},
		"token as request id":   {"X-Request-Id": {token}, "Authorization": nil},
		"operator's request id": {"X-Request-Id": {s.operator}, "Authorization": nil},
		"own request id":        {"X-Request-Id": {token}},
		"password's request id": {"X-Request-Id": {password}},
		"cookie":                {"Cookie": {"access_token=" + token + "; password=" + url.QueryEscape(password)}},
		"addresses":             {"X-Forwarded-For": {token}, "Forwarded": {"for=" + token}, "X-Real-Ip": {token}},
		"origin":                {"Origin": {"http://" + token}, "Referer": {s.p.url + "/docs?token=" + token}},
		"names":                 {"User-Agent": {token}, "X-Api-Key": {token}, "X-" + token: {password}, "Accept": {token}},
		"proxy":                 {"Proxy-Authorization": {"Basic " + basic}, "Via": {"1.1 " + token}},
		"range":                 {"Range": {"bytes=" + token}, "If-None-Match": {`"` + token + `"`}, "If-Modified-Since": {token}},
	} {
		request := s.request(operation, account, about, asJSON(wrong))
		maps.Copy(request.header, header)
		all = append(all, request)
	}
	return all
}

// badPaths are requests with secrets in the path and in the query, and of
// other methods. A value of the path is shown back in the answer that says
// what is wrong with it.
func (s *planting) badPaths(operation plantedOperation, account plantedAccount) (all []plantedRequest) {
	const inPath = "value of a path"
	secrets := url.Values{
		"token": {account.token}, "access_token": {s.operator}, "password": {s.secret("password of " + account.name)},
		"openai_api_key": {s.secret("key in a query")},
	}.Encode()
	valid := s.request(operation, account, "", "{}")
	for about, path := range map[string]string{
		"query":               valid.path + "?" + secrets,
		"query with a ;":      valid.path + "?" + secrets + ";" + secrets,
		"unknown path":        valid.path + "/" + account.token + "?" + secrets,
		"path of two slashes": valid.path + "//" + account.token,
		"path below":          "/" + account.token + valid.path,
	} {
		request := valid
		request.about, request.path = about, path
		all = append(all, request)
		if about == "query" {
			request.header = nil
			all = append(all, request)
		}
	}
	for _, method := range []string{"PUT", "DELETE", "OPTIONS", "HEAD", "SECRET", account.token[:20], "GET", "POST"} {
		request := valid
		request.about, request.method, request.path = "method", method, valid.path+"?"+secrets
		if method == "POST" {
			request.about, request.body = "no body", ""
		}
		all = append(all, request)
	}
	for _, parameter := range []string{"{user_id}", "{character_id}", "{n_lines}"} {
		if strings.Contains(operation.path, parameter) {
			changed := operation
			changed.path = strings.Replace(operation.path, parameter, url.PathEscape(s.secret(inPath)), 1)
			request := s.request(changed, account, "value of a path", "")
			request.mayShow = append(request.mayShow, inPath)
			operators := request
			operators.header = bearer(s.operator)
			all = append(all, request, operators)
		}
	}
	return all
}

// sendMalformed sends what is no HTTP.
func (s *planting) sendMalformed() {
	s.Helper()
	for _, request := range []string{
		"GET /health HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + s.operator + "\r\n" + s.operator + "\r\n\r\n",
		"GET /" + s.operator + " " + s.operator + " HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /%zz" + s.operator + " HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /health HTTP/9." + s.operator + "\r\n\r\n",
		"GET /health HTTP/1.1\r\nHost: " + s.operator + " x\r\n\r\n",
		"POST /health HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: " + s.operator + "\r\n\r\n",
		"POST /health HTTP/1.1\r\nHost: x\r\nContent-Length: " + s.operator + "\r\n\r\n",
		"POST /health HTTP/1.1\r\nHost: x\r\nExpect: " + s.operator + "\r\nContent-Length: 0\r\n\r\n",
		"POST /api/v1/authenticate_user HTTP/1.1\r\nHost: x\r\nContent-Length: 999\r\n\r\n{\"password\":\"" + s.operator,
		"GET /health HTTP/1.1\r\nHost: x\r\nX-Token: " + s.operator + strings.Repeat("x", 300<<10) + "\r\n\r\n",
	} {
		connection, err := new(net.Dialer).DialContext(s.Context(), "tcp", s.p.address)
		if err != nil {
			s.Fatal(err)
		}
		_ = connection.SetDeadline(time.Now().Add(deadline))
		_, _ = io.WriteString(connection, request) // the program may refuse it half way
		_ = connection.(*net.TCPConn).CloseWrite()
		got, _ := io.ReadAll(connection)
		_ = connection.Close()
		for _, hit := range s.needles.search(string(got)) {
			s.Errorf("%.60q: the answer holds %s: %s", request, hit, got)
		}
	}
}

// checkLog searches what the program printed, and its log files as they are
// and as it serves them.
func (s *planting) checkLog() {
	s.Helper()
	texts := map[string]string{"console": s.p.stdout.String(), "standard error": s.p.stderr.String()}
	for _, path := range s.logFiles() {
		text, err := os.ReadFile(path)
		if err != nil {
			s.Fatal(err)
		}
		texts[path] = string(text)
	}
	for _, path := range []string{"/tail_log/10000", "/dowload_log_file"} {
		texts[path] = s.must(plantedRequest{method: "GET", path: path, header: bearer(s.operator)}, nil).text()
	}
	for name, text := range texts {
		if strings.Contains(text, "argon2") || tokenForm.MatchString(text) {
			s.Errorf("%s holds a password hash or a token", name)
		}
		if name != "console" && !strings.Contains(text, "msg=request") {
			s.Errorf("%s does not hold the log: %.300s", name, text)
		}
		if !strings.Contains(name, "tail_log") {
			s.checkLines(name, text)
		} else if found := s.needles.search(text); len(found) > 0 {
			s.Errorf("%s holds %q", name, found)
		}
	}
}

// checkLines searches a text line by line, so that a failure can tell which.
func (s *planting) checkLines(name, text string) {
	s.Helper()
	for line := range strings.Lines(text) {
		if found := s.needles.search(line); len(found) > 0 {
			s.fault("%s holds %q in the line\n%s", name, found, line)
		}
	}
	if found := s.needles.search(text); len(found) > 0 { // also across lines
		s.Errorf("%s holds %q", name, found)
	}
}

// checkData searches the files of the embedded store. The prompts that were
// stored are there; so may be those that were replaced.
func (s *planting) checkData() {
	s.Helper()
	var may []string
	for name := range s.secrets {
		field, _, _ := strings.Cut(name, " of ")
		if field == "prompt" {
			may = append(may, name)
		}
	}
	files := readFolder(s.T, filepath.Join(s.p.folder, "stored"))
	database := files["web-backend.db"]
	for name := range s.stored {
		if found := s.needles.search(database, slices.DeleteFunc(slices.Collect(maps.Keys(s.secrets)), func(other string) bool {
			return other == name
		})...); len(found) == 0 {
			s.Errorf("the database lacks %s, which belongs there", name)
		}
	}
	if len(s.stored) == 0 {
		s.Error("no prompt was stored")
	}
	for name, data := range files {
		mayHold := may
		if name == operatorTokenFile {
			mayHold = append(slices.Clone(may), operatorTokenName)
		}
		if found := s.needles.search(data, mayHold...); len(found) > 0 {
			s.Errorf("%s holds %q", name, found)
		}
	}
}

// readFolder gives the contents of all files below a folder, by their names.
func readFolder(t *testing.T, folder string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		files[entry.Name()] = string(data)
		return err
	})
	if err != nil || len(files) == 0 {
		t.Fatalf("read the files in %s: %d, %v", folder, len(files), err)
	}
	return files
}

// What has ended is in no file: the password of the original that a login
// replaced, the hash of a changed or deleted password, the hash of a token,
// and what a deleted user stored.
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
	// made are the hashes that do leaves in the files.
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
	const want = 7 // the provider key is not to be found in the first place
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

// hashes are the password hashes in some files.
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
