//go:build unix

package main

import (
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
)

// plantedOperation is the description of one operation in the OpenAPI document.
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
	example      map[string]any  // nil for an operation without a body
	secret       map[string]bool // fields that must never be shown
}

// operationsOf returns the operations of the document that the program serves.
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

// bodyOf returns a valid body that contains secrets, some of them in fields
// that only other clients send. It returns nil for an operation without a body.
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
	switch operation.ID { // these operations need names and ids that do not exist yet
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

// request returns a request to an operation. The response may show the prompt
// of the body.
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

// badBodies returns requests that are refused because of their body. They cover
// most faults that a body can have.
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

// badCallers returns valid requests of callers whose secrets are in the wrong
// place, or who have no permission.
func (s *planting) badCallers(operation plantedOperation, account plantedAccount, body map[string]any) (all []plantedRequest) {
	password := s.secret("password of " + account.name)
	basic := base64.StdEncoding.EncodeToString([]byte(account.name + ":" + password))
	token := account.token
	forged := "wbt_" + newToken()
	s.needles.add("forged token", forged)
	wrong := map[string]any{}
	maps.Copy(wrong, body)
	if body != nil { // the request must not succeed in removing the account
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

// badPaths returns requests with secrets in the path and in the query, and
// requests with other methods. The response to an invalid value in the path
// shows the value.
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
