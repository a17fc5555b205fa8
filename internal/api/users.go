package api

import (
	"bytes"
	"cmp"
	"context"
	"iter"
	"net/http"

	"web-backend/internal/backend"
)

// userListResponse writes a user list of any length while it reads it.
type userListResponse struct {
	users iter.Seq2[backend.User, error]
	names bool // otherwise user_name_list is null
}

func (a *API) listUsers(ctx context.Context, _ *none) (userListResponse, error) {
	return userListResponse{users: a.service.Users(ctx, backend.AllUsers), names: true}, nil
}

// userIDListResponse is a user list without names.
type userIDListResponse struct{ userListResponse }

func (a *API) listUserCredentialIDs(ctx context.Context, _ *none) (userIDListResponse, error) {
	return userIDListResponse{userListResponse{users: a.service.Users(ctx, backend.UsersWithCredential)}}, nil
}

func (a *API) listUserConfigIDs(ctx context.Context, _ *none) (userIDListResponse, error) {
	return userIDListResponse{userListResponse{users: a.service.Users(ctx, backend.UsersWithConfig)}}, nil
}

// write sends each id as soon as it is read and keeps only the names in memory,
// because they come after all ids.
func (u userListResponse) write(a *API, w http.ResponseWriter, r *http.Request) error {
	list := a.newLongJSON(w, r)
	var names bytes.Buffer
	list.text(`{"user_id_list":[`)
	n := 0
	for user, err := range u.users {
		if u.names && err == nil {
			if n > 0 {
				names.WriteByte(',')
			}
			err = encodeJSON(&names, user.Username)
		}
		if !list.element(n, user.UserID, err) {
			break
		}
		n++
	}
	switch {
	case u.names:
		list.text(`],"user_name_list":[`)
		list.text(names.String())
		list.text(`]}`)
	default:
		list.text(`],"user_name_list":null}`)
	}
	return list.end()
}

type findUsersRequest struct {
	Text  string `query:"text" description:"Beginning of the user name or the user id. Upper and lower case are the same in names. Without it, all users are found." example:"example-user"`
	Limit int    `query:"limit" default:"50" minimum:"1" maximum:"1000" description:"Maximum number of users on a page. There are a few more if their names differ only in upper and lower case." example:"50"`
	After string `query:"after" description:"Value of next of the page before; absent for the first page." example:"bmV4YW1wbGUtdXNlcg"`
}

type findUsersResponse struct {
	Users []foundUser `json:"users" required:"true" nullable:"false" description:"The users of this page." example:"[{\"user_id\":\"8f2c1c9e-52d5-4c1e-9b7c-0c1c39f3b6aa\",\"username\":\"example-user@example.org\",\"disabled\":false}]"`
	Next  string      `json:"next,omitempty" description:"Value of after for the next page; absent if this is the last page." example:"bmV4YW1wbGUtdXNlckBleGFtcGxlLm9yZw"`
}

type foundUser struct {
	UserID   string `json:"user_id" required:"true" description:"Id of the user." example:"8f2c1c9e-52d5-4c1e-9b7c-0c1c39f3b6aa"`
	Username string `json:"username" required:"true" description:"User name; empty for a user without a credential." example:"example-user@example.org"`
	Disabled bool   `json:"disabled" required:"true" description:"An operator has disabled the account." example:"false"`
}

func (a *API) findUsers(ctx context.Context, in *findUsersRequest) (findUsersResponse, error) {
	page, err := a.service.FindUsers(ctx, backend.UserSearch{Text: in.Text, After: in.After, Limit: in.Limit})
	response := findUsersResponse{Users: make([]foundUser, len(page.Users)), Next: page.Next}
	for i, user := range page.Users {
		response.Users[i] = foundUser(user)
	}
	return response, err
}

// userPath is a request for one user.
type userPath struct {
	UserID string `path:"user_id" description:"Id of the user." example:"example-user"`
}

// ownerID implements [ownedRequest].
func (p *userPath) ownerID() string { return p.UserID }

type createUserRequest struct {
	UserID *string `json:"user_id" minLength:"1" description:"Id of the new user; if it is absent, the server makes one." example:"example-user"`
}

type createUserResponse struct {
	UserID string `json:"user_id" required:"true" description:"Id of the new user." example:"example-user"`
}

func (a *API) createUser(ctx context.Context, in *createUserRequest) (createUserResponse, error) {
	var wanted string
	if in.UserID != nil {
		wanted = *in.UserID
	}
	id, err := a.service.CreateUser(ctx, wanted)
	requestFrom(ctx).userID = cmp.Or(id, wanted)
	return createUserResponse{id}, err
}

type getUserConfigResponse struct {
	UserID       string          `json:"user_id" required:"true" description:"Id of the user." example:"ada"`
	Timezone     string          `json:"timezone" required:"true" description:"IANA name of the user's time zone." example:"Asia/Shanghai"`
	ProviderKeys map[string]bool `json:"provider_keys" required:"true" nullable:"false" description:"Whether each provider key is set, by name; never the key itself." example:"{\"openai_api_key\":true,\"xai_api_key\":false}"`
}

func (a *API) getUserConfig(ctx context.Context, in *userPath) (getUserConfigResponse, error) {
	config, err := a.service.UserConfig(ctx, in.UserID)
	response := getUserConfigResponse{in.UserID, config.Timezone, make(map[string]bool, len(backend.ProviderKeys))}
	for _, name := range backend.ProviderKeys {
		response.ProviderKeys[name] = config.Keys[name].IsSet()
	}
	return response, err
}

// operatedAccount names the user whose account an operator changes.
type operatedAccount struct {
	UserID string `json:"user_id" required:"true" description:"Id of the user." example:"example-user"`
}

func (a *API) disableUser(ctx context.Context, in *operatedAccount) (empty, error) {
	requestFrom(ctx).userID = in.UserID
	return empty{}, a.service.DisableUser(ctx, in.UserID)
}

func (a *API) enableUser(ctx context.Context, in *operatedAccount) (empty, error) {
	requestFrom(ctx).userID = in.UserID
	return empty{}, a.service.EnableUser(ctx, in.UserID)
}

func (a *API) endUserSessions(ctx context.Context, in *operatedAccount) (empty, error) {
	requestFrom(ctx).userID = in.UserID
	return empty{}, a.service.EndUserSessions(ctx, in.UserID)
}

type updateUserConfigRequest struct {
	UserID   string                    `json:"user_id" required:"true" description:"Id of the user." example:"example-user"`
	Timezone *string                   `json:"timezone" description:"IANA name of the user's time zone; empty for the default. An unknown name, such as Etc/Unknown, does not change the stored zone." example:"Asia/Shanghai"`
	Keys     map[string]backend.Secret `json:"-" example:"{\"openai_api_key\":\"sk-your-key\"}"`
}

// ownerID implements [ownedRequest].
func (r *updateUserConfigRequest) ownerID() string { return r.UserID }

func (a *API) updateUserConfig(ctx context.Context, in *updateUserConfigRequest) (empty, error) {
	err := a.service.UpdateUserConfig(ctx, in.UserID, backend.UserConfigPatch{Timezone: in.Timezone, Keys: in.Keys})
	if err == nil && in.Timezone != nil && *in.Timezone != "" && !backend.KnownTimezone(*in.Timezone) {
		const most = 64 // bytes; the longest IANA name has 32
		a.log.InfoContext(ctx, "time zone is not known, the user keeps the one that is stored",
			"request_id", requestFrom(ctx).loggedID, "timezone", loggedText(a.hideToken(*in.Timezone), most))
	}
	return empty{}, err
}
