//go:build unix

package main

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"web-backend/internal/backend"
	"web-backend/internal/store/mongo/mongotest"
)

// secretsConfig makes hashing cheap, turns off the rate limits, logs
// everything, and rotates the log soon.
const secretsConfig = `
access: %s
max_body_bytes: 16384
rate_limit: {address_per_minute: 0, username_per_minute: 0}
password_hash: {memory_kib: 8, iterations: 1}
logger_cfg: {file_level: 10, console_level: 10, max_size_mb: 1, max_files: 9}
`

// Every documented endpoint gets passwords, tokens, provider keys and prompts,
// in requests that succeed and in requests that fail. Afterwards the secrets
// are only where they belong: an access token in the response to its login; a
// prompt in get_character_config, in the response that shows a faulty body, and
// in the database.
func TestSecrets(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"guarded", "strict"} {
		t.Run("embedded "+mode, func(t *testing.T) {
			t.Parallel()
			// guarded with configured operator tokens, strict with the token that is created
			s := newPlanting(t, t.TempDir(), mode, "data_dir: stored\n", mode == "guarded")
			s.whole = mode == "guarded"
			s.plant()
			mustRun(t, s.p.folder, "backup", "--config_path", "secrets.yaml", "--out", "stored/"+backupFile)
			s.p.stop(t)
			s.checkData()
		})
	}
	t.Run("mongodb", func(t *testing.T) {
		t.Parallel()
		server := mongotest.Own(t, false)
		folder, _ := mongoFolder(t, server, 25*time.Second)
		store, err := os.ReadFile(filepath.Join(folder, "mongodb.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		s := newPlanting(t, folder, "guarded", string(store), true)
		s.shared = s.account("shared")
		s.plant()
		s.p.stop(t)
	})
}

// planting is a program that receives secrets.
type planting struct {
	*testing.T

	p        *process
	needles  *needles
	http     *http.Client
	whole    bool              // also send bad bodies and fill the log, which depends neither on the store nor on the mode
	operator string            // token
	secrets  map[string]string // by name; created on first use
	stored   map[string]bool   // names of the prompts that were stored
	fields   map[string]bool   // fields of bodies that held a secret
	statuses map[int]int       // number of responses by status
	faults   int
	tokens   int // number of tokens from logins
	stranger plantedAccount
	shared   plantedAccount // for the operations that do not use it up; without it, each operation gets an account of its own
}

// plantedAccount is a user of the program. The name of its password as a secret
// contains the name of the account.
type plantedAccount struct{ name, userID, characterID, token string }

// newPlanting starts the program with a store. If no operator token is
// configured, the program creates one.
func newPlanting(t *testing.T, folder, mode, store string, configured bool) *planting {
	t.Helper()
	s := &planting{
		T: t, needles: newNeedles(), secrets: map[string]string{},
		stored: map[string]bool{}, fields: map[string]bool{}, statuses: map[int]int{},
		http: &http.Client{Timeout: deadline, Transport: &http.Transport{}, CheckRedirect: client.CheckRedirect},
	}
	t.Cleanup(s.http.CloseIdleConnections)
	config := fmt.Sprintf(secretsConfig, mode) + store
	if configured { // the tokens may have any form that a header allows
		s.operator = "op&" + newToken()
		replaced := "op&" + newToken()
		s.needles.add(operatorTokenName, s.operator)
		s.needles.add("operator token that is being replaced", replaced)
		config += fmt.Sprintf("operator_token: %q\n", replaced+","+s.operator)
	}
	if err := os.WriteFile(filepath.Join(folder, "secrets.yaml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	s.p = serveWith(t, folder, []string{motionFolder(t)}, "serve", "--config_path", "secrets.yaml")
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
	operatorTokenFile = "operator.token" // the file of the created token
	backupFile        = "backup.db"      // next to the database; searched in the same way
)

// newToken returns a token that the program does not know.
func newToken() string { return rand.Text() + rand.Text()[:17] }

// secret returns the secret with this name.
func (s *planting) secret(name string) string {
	if _, ok := s.secrets[name]; !ok {
		s.secrets[name] = newSecret()
		s.needles.add(name, s.secrets[name])
	}
	return s.secrets[name]
}

// addToken adds a token of the program, and the bytes that it encodes, to the
// search.
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

// plantedRequest is a request and the secrets that its response may contain.
type plantedRequest struct {
	about, method, path, body string
	header                    http.Header
	mayShow                   []string
}

// send sends a request and searches its response.
func (s *planting) send(request plantedRequest) received {
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
	got := received{response.StatusCode, response.Header, string(body)}
	s.statuses[got.status]++
	found := s.needles.search(got.text(), request.mayShow...)
	switch token := tokenForm.FindString(got.text()); {
	case token != "" && strings.HasSuffix(request.path, "/authenticate_user"): // a login response may contain a token
		s.addToken("access token of a login", token)
		s.tokens++
	case token != "":
		found = append(found, "an access token")
	}
	if len(found) > 0 {
		s.fault("%s %s, %s: the response holds %q:\n%d %.1500s", request.method, request.path, request.about, found, got.status, got.text())
	}
	return got
}

// tokenForm matches tokens that the program creates.
var tokenForm = regexp.MustCompile(`wb[a-z]_[A-Za-z0-9_-]{43}`)

// fault reports an error, and stops the test if there are many of them.
func (s *planting) fault(format string, args ...any) {
	s.Helper()
	s.Errorf(format, args...)
	if s.faults++; s.faults == 20 {
		s.Fatal("and so on")
	}
}

// text returns the whole response.
func (a received) text() string { return fmt.Sprintf("%v\n%s", a.header, a.body) }

// must sends a request that has to succeed, and decodes the response into into.
func (s *planting) must(request plantedRequest, into any) received {
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

// account registers a user, logs in, and creates a character.
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
		panic(err) // the value contains only strings, numbers and maps
	}
	return string(text)
}

// plant sends secrets to every operation, fills the log until it rotates, and
// searches everything that the program printed and logged.
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
	want := []int{200, 307, 400, 401, 403, 404, 405, 422}
	if s.whole {
		want = append(want, 413, 415)
	}
	for _, status := range want {
		if s.statuses[status] == 0 {
			s.Errorf("no request got %d, only %v", status, s.statuses)
		}
	}
	s.sendMalformed()
	for n := 0; s.whole && len(s.logFiles()) < 2; n++ {
		if n > 20_000 {
			s.Fatal("the log does not rotate")
		}
		s.send(plantedRequest{method: "GET", path: "/" + s.operator + "?token=" + s.operator, header: bearer(s.operator)})
	}
	s.checkLog()
	if s.tokens == 0 {
		s.Error("no login gave a token")
	}
	s.Logf("responses by status: %v", s.statuses)
}

func (s *planting) logFiles() []string {
	files, err := filepath.Glob(filepath.Join(s.p.folder, "logs", "*.log"))
	if err != nil {
		s.Fatal(err)
	}
	return files
}

// usedUp are the operations after which an account may no longer be usable for
// the same operation, even after a bad request. The account, its token or its
// name may be gone, or the object to create may already exist.
var usedUp = []string{
	"create_user", "register_user", "delete_user", "delete_character", "update_user_password", "set_user_password", "disable_user", "enable_user", "end_user_sessions", "logout",
	"end_sessions",
}

// plantIn sends secrets to one operation: first in requests with each kind of
// fault, then in a request that succeeds.
func (s *planting) plantIn(operation plantedOperation) {
	s.Helper()
	account := s.shared
	if account.name == "" || slices.Contains(usedUp, operation.ID) {
		account = s.account(operation.method + " " + operation.path)
	}
	body := s.bodyOf(operation, account)
	requests := slices.Concat(s.badCallers(operation, account, body), s.badPaths(operation, account))
	if s.whole {
		requests = append(requests, s.badBodies(operation, account, body)...)
	}
	for _, request := range requests {
		s.send(request)
	}

	if slices.Contains(usedUp, operation.ID) {
		account = s.account(account.name + ", again")
		body = s.bodyOf(operation, account)
	}
	if operation.ID == "import_character" { // refuses fields that it does not know
		maps.DeleteFunc(body, func(name string, _ any) bool {
			_, known := operation.example[name]
			return !known
		})
	}
	request := s.request(operation, account, "valid", asJSON(body))
	request.header = bearer(account.token)
	got := s.send(request)
	if got.status == http.StatusUnauthorized || got.status == http.StatusForbidden {
		request.header = bearer(s.operator)
		got = s.send(request)
	}
	if got.status >= http.StatusBadRequest || strings.Contains(got.body, `"auth_code":500`) {
		s.Errorf("%s %s: a valid request gets %d %s", operation.method, operation.path, got.status, got.body)
	}
	s.send(request)                                                        // send it a second time, which often fails
	if _, ok := body["prompt"]; ok && operation.ID != "import_character" { // it makes another character
		s.checkPrompt(account)
	}
}

// promptOf returns the name of the prompt that an account stores.
func promptOf(account plantedAccount) string { return "prompt of " + account.name }

// checkPrompt checks that the prompt can be read where it belongs.
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

// sendMalformed sends data that is not valid HTTP.
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
		_, _ = io.WriteString(connection, request) // the program may refuse it before it is complete
		_ = connection.(*net.TCPConn).CloseWrite()
		got, _ := io.ReadAll(connection)
		_ = connection.Close()
		for _, hit := range s.needles.search(string(got)) {
			s.Errorf("%.60q: the response holds %s: %s", request, hit, got)
		}
	}
}

// checkLog searches the output of the program and its log files, both directly
// and as the program serves them.
func (s *planting) checkLog() {
	s.Helper()
	texts := map[string]string{}
	// Lines reach the files shortly after the response, unless the log is
	// requested.
	for _, path := range []string{"/tail_log/10000", "/dowload_log_file", "/metrics"} {
		texts[path] = s.must(plantedRequest{method: "GET", path: path, header: bearer(s.operator)}, nil).text()
	}
	for _, path := range s.logFiles() {
		text, err := os.ReadFile(path)
		if err != nil {
			s.Fatal(err)
		}
		texts[path] = string(text)
	}
	texts["console"], texts["standard error"] = s.p.stdout.String(), s.p.stderr.String()
	for name, text := range texts {
		if strings.Contains(text, "argon2") || tokenForm.MatchString(text) {
			s.Errorf("%s holds a password hash or a token", name)
		}
		if name != "console" && name != "/metrics" && !strings.Contains(text, "msg=request") {
			s.Errorf("%s does not hold the log: %.300s", name, text)
		}
		if !strings.Contains(name, "tail_log") {
			s.checkLines(name, text)
		} else if found := s.needles.search(text); len(found) > 0 {
			s.Errorf("%s holds %q", name, found)
		}
	}
}

// checkLines searches a text line by line, so that a failure can name the line.
func (s *planting) checkLines(name, text string) {
	s.Helper()
	for line := range strings.Lines(text) {
		if found := s.needles.search(line); len(found) > 0 {
			s.fault("%s holds %q in the line\n%s", name, found, line)
		}
	}
	if found := s.needles.search(text); len(found) > 0 { // also search across lines
		s.Errorf("%s holds %q", name, found)
	}
}

// checkData searches the files of the embedded store. Stored prompts are there.
// Prompts that were replaced may be there too.
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
	if len(files[backupFile]) == 0 {
		s.Error("there is no backup to search")
	}
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

// readFolder returns the contents of all files below a folder, by name.
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
