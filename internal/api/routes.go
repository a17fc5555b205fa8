package api

import (
	"net/http"
	"strings"

	"web-backend/internal/apidocs"
	"web-backend/internal/auth"
	"web-backend/internal/backend"
)

// route is one row of the route table: how to serve a route, and its
// documentation.
type route struct {
	method, path string
	operationID  string // the method name in generated clients
	tag          string
	summary      string
	description  string
	errors       []int // error statuses in addition to those of all similar routes
	session      bool  // needs a user token in every access mode
	endpoint     endpoint
	responseType string // of the 200 response, if it is not JSON
	handler      http.Handler
}

const v1 = "/api/v1/"

// Tags group the endpoints in the documentation.
const (
	tagAccounts   = "accounts"
	tagUsers      = "users"
	tagCharacters = "characters"
	tagProviders  = "providers"
	tagMotion     = "motion"
	tagLogs       = "logs"
	tagSystem     = "system"
)

// routes returns all routes: those of the table, the WebSocket, and the
// documentation pages.
func (a *API) routes() []route {
	table := a.table()
	for i := range table {
		table[i].complete(a)
	}
	// OpenAPI cannot describe a WebSocket.
	download := route{method: http.MethodGet, path: motionDownloadPath, endpoint: endpoint{level: auth.AnyUser, handle: a.downloadMotionFiles}}
	download.complete(a)
	table = append(table, download)
	for _, file := range apidocs.Files() {
		table = append(table, route{method: http.MethodGet, path: file.Path, handler: documentationFile(file), endpoint: endpoint{level: auth.Public}})
	}
	for _, route := range table {
		if !route.endpoint.level.Valid() {
			panic("api: " + route.path + " does not say who may call it")
		}
	}
	return table
}

// documentationFile serves a documentation page or a file that a page loads.
// Only requests for pages are logged.
func documentationFile(file *apidocs.File) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requestFrom(r.Context()).quiet = strings.Count(file.Path, "/") > 1
		file.ServeHTTP(w, r)
	})
}

// table returns the endpoints in the order of the documentation. The functions
// public, owner, localOperator and operator set who may call each of them.
func (a *API) table() []route { //nolint:funlen // one table, to be read from top to bottom
	return []route{
		{method: http.MethodPost, path: v1 + "register_user", tag: tagAccounts,
			summary: "Register a user", endpoint: public(a, a.registerUser),
			description: "Creates an account. The user's config and characters are created at the first login. " +
				"A name that differs from that of another account only in upper and lower case is refused."},
		{method: http.MethodPost, path: v1 + "authenticate_user", tag: tagAccounts,
			summary: "Log in", endpoint: public(a, a.authenticateUser),
			description: "Returns the user id and an access token. An unknown name and a wrong password get the same refusal. " +
				"A disabled account gets a different one, but only with the right password."},
		{method: http.MethodPost, path: v1 + "update_user_password", tag: tagAccounts,
			summary: "Change a password", endpoint: public(a, a.updateUserPassword),
			description: "Ends all access tokens of the user."},
		{method: http.MethodPost, path: v1 + "set_user_password", tag: tagAccounts, errors: []int{http.StatusNotFound},
			summary: "Set a user's password without the old one", endpoint: operator(a, a.setUserPassword),
			description: "Ends all access tokens of the user. If the user has no user name yet, send one together with the user_id."},
		{method: http.MethodPost, path: v1 + "disable_user", tag: tagAccounts, errors: []int{http.StatusNotFound},
			summary: "Disable a user's account", endpoint: operator(a, a.disableUser),
			description: "Ends all access tokens of the user. The user cannot log in until the account is enabled again. The data stays. 404 if the user has no account."},
		{method: http.MethodPost, path: v1 + "enable_user", tag: tagAccounts, errors: []int{http.StatusNotFound},
			summary: "Enable a user's account again", endpoint: operator(a, a.enableUser),
			description: "The user can log in again. 404 if the user has no account."},
		{method: http.MethodPost, path: v1 + "end_user_sessions", tag: tagAccounts, errors: []int{http.StatusNotFound},
			summary: "End a user's sessions", endpoint: operator(a, a.endUserSessions),
			description: "Ends all access tokens of the user. The user can log in again. 404 if the user has no account."},
		{method: http.MethodPost, path: v1 + "logout", tag: tagAccounts, session: true, errors: []int{http.StatusUnauthorized},
			summary: "Log out", endpoint: public(a, a.logout),
			description: "Ends the access token in the header Authorization of the request."},
		{method: http.MethodGet, path: v1 + "sessions", operationID: "list_sessions", tag: tagAccounts, session: true, errors: []int{http.StatusUnauthorized},
			summary: "List one's own sessions", endpoint: public(a, a.sessions),
			description: "Returns the sessions of the user whose token the request has, in creation order. Each login starts a session, which is an access token."},
		{method: http.MethodPost, path: v1 + "end_sessions", tag: tagAccounts, session: true, errors: []int{http.StatusUnauthorized},
			summary: "End one's own sessions", endpoint: public(a, a.endSessions),
			description: "Ends the sessions in ids. Without ids, ends all sessions of the user except that of this request."},

		{method: http.MethodGet, path: v1 + "list_users", tag: tagUsers,
			summary: "List all users", endpoint: localOperator(a, a.listUsers),
			description: "All users with a credential or a user config, in creation order. The name is empty for a user without a credential."},
		{method: http.MethodGet, path: v1 + "find_users", tag: tagUsers,
			summary: "Find users by the beginning of the name or id, page by page", endpoint: operator(a, a.findUsers),
			description: "Returns first the users whose name begins with text, by name, then those whose id does, by id. Without text it returns all users in creation order. " +
				"If next is present, there may be more users, even if the page has fewer than limit."},
		{method: http.MethodGet, path: v1 + "list_user_credential_id", tag: tagUsers,
			summary: "List the ids of users with a credential", description: "In creation order; user_name_list is null.", endpoint: localOperator(a, a.listUserCredentialIDs)},
		{method: http.MethodGet, path: v1 + "list_user_config_id", tag: tagUsers,
			summary: "List the ids of users with a user config", description: "In creation order; user_name_list is null.", endpoint: localOperator(a, a.listUserConfigIDs)},
		{method: http.MethodPost, path: v1 + "create_user", tag: tagUsers, errors: []int{http.StatusBadRequest},
			summary: "Create a user", endpoint: localOperator(a, a.createUser),
			description: "The new user has the default user config and a read-only copy of each default character. 400 if the id is taken."},
		{method: http.MethodPost, path: v1 + "delete_user", tag: tagUsers, errors: []int{http.StatusNotFound},
			summary: "Delete a user with everything stored for it", endpoint: localOperator(a, a.deleteUser),
			description: "With username and password, which must belong to the user id, anyone may call it, and the response says whether it succeeded. " +
				"Without them only operators may call it: the response is empty, or 404 if nothing is stored for the user."},
		{method: http.MethodPost, path: v1 + "update_user_config", tag: tagUsers, errors: []int{http.StatusNotFound},
			summary: "Set or clear provider keys and the time zone", endpoint: owner(a, a.updateUserConfig),
			description: "A field that is absent or null does not change; an empty one is cleared. No endpoint returns a key."},

		{method: http.MethodGet, path: v1 + "get_user_config/{user_id}", tag: tagUsers, errors: []int{http.StatusNotFound},
			summary: "Get the time zone, and which provider keys are set", endpoint: owner(a, a.getUserConfig),
			description: "Says only whether each provider key is set. A key that the server cannot read because its master key is missing counts as not set."},

		{method: http.MethodGet, path: v1 + "list_characters/{user_id}", tag: tagCharacters,
			summary: "List a user's characters", endpoint: owner(a, a.listCharacters),
			description: "In creation order; both lists are empty for an unknown user."},
		{method: http.MethodGet, path: v1 + "list_character_summaries/{user_id}", tag: tagCharacters,
			summary: "List a user's characters with avatar and scene", endpoint: owner(a, a.listCharacterSummaries),
			description: "In creation order, with what a page needs to let people choose a character. The list is empty for an unknown user."},
		{method: http.MethodGet, path: v1 + "get_character_config/{user_id}/{character_id}", tag: tagCharacters,
			errors: []int{http.StatusNotFound}, summary: "Get a character", description: "Every field, in the order of the stored document.", endpoint: owner(a, a.getCharacterConfig)},
		{method: http.MethodPost, path: v1 + "duplicate_character", tag: tagCharacters, errors: []int{http.StatusNotFound},
			summary: "Duplicate a character", endpoint: owner(a, a.duplicateCharacter),
			description: "The copy can be changed. It is the last character in the list."},
		{method: http.MethodPost, path: v1 + "import_character/{user_id}", tag: tagCharacters, errors: []int{http.StatusNotFound},
			summary: "Create a character from its JSON", endpoint: owner(a, a.importCharacter),
			description: "The body is what get_character_config returns, from this server or another one. The new character has its own id and creation time " +
				"and can be changed. It is the last character in the list. user_id, character_id, create_datatime and read_only of the body are ignored. " +
				"A body with unknown fields is refused."},
		{method: http.MethodPost, path: v1 + "delete_character", tag: tagCharacters, errors: []int{http.StatusNotFound},
			summary: "Delete a character", endpoint: owner(a, a.deleteCharacter),
			description: "A read-only character may be deleted."},

		update[updateName](a, "name", "Rename a character"),
		update[updateAvatar](a, "avatar", "Change the avatar"),
		update[updateScene](a, "scene", "Change the scene"),
		update[updatePrompt](a, "prompt", "Change the prompt"),
		update[updateASR](a, "asr", "Change the speech recognition"),
		update[updateTTS](a, "tts", "Change the speech synthesis"),
		update[updateClassification](a, "classification", "Change the classification"),
		update[updateConversation](a, "conversation", "Change the conversation"),
		update[updateReaction](a, "reaction", "Change the reaction"),
		update[updateMemory](a, "memory", "Change the memory"),

		{method: http.MethodGet, path: v1 + "list_providers", tag: tagProviders, endpoint: public(a, a.listProviders),
			summary: "List the known providers, adapters, scenes and avatars",
			description: "The names that a character can use, and the provider keys that they need. They are the same for all users. " +
				"Other names are accepted too, because an orchestrator may know more."},
		available[getAvailableLLMResponse](a, backend.LLM, "List the language model providers a user can use"),
		available[getAvailableASRResponse](a, backend.ASR, "List the speech recognition providers a user can use"),
		available[getAvailableTTSResponse](a, backend.TTS, "List the speech synthesis providers a user can use"),
		{method: http.MethodGet, path: v1 + "get_missing_secrets/{user_id}/{character_id}", tag: tagProviders,
			errors: []int{http.StatusNotFound}, endpoint: owner(a, a.getMissingSecrets),
			summary:     "List the provider keys that a character needs and its user has not set",
			description: "The provider of an adapter is the text before its first underscore. An unknown provider needs no key."},

		{method: http.MethodGet, path: v1 + "motion_keywords", tag: tagMotion,
			errors: []int{http.StatusNotFound, http.StatusServiceUnavailable}, endpoint: public(a, a.motionKeywords),
			summary:     "List the keywords of all motions",
			description: "404 if the server has no motion files, 503 until they are loaded for the first time. Clients download the motions themselves over the WebSocket /api/v1/motion_file_download (docs/motion.md)."},

		{method: http.MethodGet, path: "/tail_log/{n_lines}", tag: tagLogs, responseType: "text/html",
			errors: []int{http.StatusServiceUnavailable}, summary: "Show the end of the log as a page", endpoint: localOperator(a, a.tailLog),
			description: "The last n_lines lines, at most 10,000, with the newest at the end. With ?refresh the page reloads itself. 503 if there is no log file, or if the log goes to a pipe or a device."},
		{method: http.MethodGet, path: "/dowload_log_file", tag: tagLogs, responseType: "application/octet-stream",
			operationID: "download_log_file",
			errors:      []int{http.StatusRequestedRangeNotSatisfiable, http.StatusServiceUnavailable},
			summary:     "Download the log", endpoint: localOperator(a, a.downloadLog),
			description: "Existing clients use this spelling of the path. A Range header requests a part. 503 as for /tail_log."},

		{method: http.MethodGet, path: "/health", tag: tagSystem,
			summary: "Check that the server runs", description: "For liveness checks: it does not use the store.", endpoint: public(a, a.health)},
		{method: http.MethodGet, path: "/health/ready", tag: tagSystem,
			errors:  []int{http.StatusInternalServerError, http.StatusServiceUnavailable},
			summary: "Check that the server can use its store", description: "For readiness checks: 503 if the store does not respond or the server cannot read its master key.", endpoint: public(a, a.ready)},
		{method: http.MethodGet, path: "/metrics", tag: tagSystem, responseType: "text/plain",
			errors:  []int{http.StatusInternalServerError, http.StatusServiceUnavailable},
			summary: "Get the metrics", description: "In the text format of Prometheus. docs/monitoring.md lists them.", endpoint: operator(a, a.metrics)},
		{method: http.MethodGet, path: "/", tag: tagSystem, operationID: "redirect_to_docs",
			summary: "Go to the documentation", description: "Redirects to docs, relative to this path.", endpoint: public(a, a.root)},
		{method: http.MethodGet, path: "/openapi.json", tag: tagSystem, operationID: "get_openapi_document",
			summary: "Get this document", description: "OpenAPI 3.1, for client generators.", endpoint: public(a, a.openAPI)},
	}
}

// complete sets the fields that can be derived.
func (r *route) complete(a *API) {
	if r.operationID == "" {
		r.operationID = operationID(r.path)
	}
	r.handler = http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if err := r.endpoint.handle(w, req); err != nil {
			a.writeError(w, req, err)
		}
	})
}
