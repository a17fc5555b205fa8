package api

import (
	"bytes"
	"cmp"
	"context"
	"io"
	"iter"
	"net/http"
	"time"

	"github.com/swaggest/jsonschema-go"

	"web-backend/internal/backend"
)

// userList is the answer of the three user lists. It stands for the shape in
// the documentation; userListReply writes it.
type userList struct {
	UserIDList   []string `json:"user_id_list" required:"true" nullable:"false" description:"User ids in creation order."`
	UserNameList []string `json:"user_name_list" required:"true" description:"User names in the same order, empty for a user without a credential; null where the list is of ids only."`
}

// userListReply writes a user list of any length while it is read.
type userListReply struct {
	users iter.Seq2[backend.User, error]
	names bool // else user_name_list is null
}

func (a *API) listUsers(ctx context.Context, _ *none) (userListReply, error) {
	return userListReply{users: a.service.Users(ctx, backend.AllUsers), names: true}, nil
}

// userIDListReply is a user list without names.
type userIDListReply struct{ userListReply }

func (a *API) listUserCredentialIDs(ctx context.Context, _ *none) (userIDListReply, error) {
	return userIDListReply{userListReply{users: a.service.Users(ctx, backend.UsersWithCredential)}}, nil
}

func (a *API) listUserConfigIDs(ctx context.Context, _ *none) (userIDListReply, error) {
	return userIDListReply{userListReply{users: a.service.Users(ctx, backend.UsersWithConfig)}}, nil
}

// listChunk is how much of a list is gathered before it is sent, in bytes. A
// shorter list goes out whole, with its length.
const listChunk = 64 << 10

// documented implements [documentedReply].
func (userListReply) documented() any {
	return userList{[]string{"ada", "bob"}, []string{"Ada Lovelace", ""}}
}

// documented implements [documentedReply].
func (userIDListReply) documented() any { return userList{UserIDList: []string{"ada", "bob"}} }

// write sends the ids as they come and holds back only the names, which stand
// after all ids. A fault after the first chunk breaks off the connection:
// nobody must take a part for the whole.
func (u userListReply) write(a *API, w http.ResponseWriter, r *http.Request) error {
	var ids, names bytes.Buffer
	out := a.longAnswer(w)
	sent := false
	ids.WriteString(`{"user_id_list":[`)
	separator := ""
	for user, err := range u.users {
		if err == nil {
			err = appendUser(&ids, &names, separator, user, u.names)
		}
		switch {
		case err != nil && sent:
			requestFrom(r.Context()).err = err
			panic(http.ErrAbortHandler)
		case err != nil:
			return err
		}
		if ids.Len() >= listChunk {
			w.Header().Set("Content-Type", "application/json")
			sent = true
			if _, err := ids.WriteTo(out); err != nil {
				panic(http.ErrAbortHandler) // a client that went away
			}
		}
		separator = ","
	}
	ids.WriteString(`],"user_name_list":`)
	if u.names {
		ids.WriteByte('[')
		_, _ = names.WriteTo(&ids)
		ids.WriteByte(']')
	} else {
		ids.WriteString("null")
	}
	ids.WriteByte('}')
	if !sent {
		writeBytes(w, http.StatusOK, "application/json", ids.Bytes())
		return nil
	}
	_, _ = ids.WriteTo(out) // a client that went away
	return nil
}

func appendUser(ids, names *bytes.Buffer, separator string, user backend.User, withNames bool) error {
	ids.WriteString(separator)
	if err := encodeJSON(ids, user.UserID); err != nil || !withNames {
		return err
	}
	names.WriteString(separator)
	return encodeJSON(names, user.Username)
}

// longAnswer gives a writer that allows each write the whole write timeout, so
// that a long answer to a slow client is not cut off while it moves.
func (a *API) longAnswer(w http.ResponseWriter) io.Writer {
	return deadlineWriter{w, http.NewResponseController(w), a.options.WriteTimeout}
}

type deadlineWriter struct {
	http.ResponseWriter
	control *http.ResponseController
	timeout time.Duration
}

func (w deadlineWriter) Write(p []byte) (int, error) {
	if w.timeout > 0 {
		// A connection without deadlines (a test's recorder) needs none.
		_ = w.control.SetWriteDeadline(time.Now().Add(w.timeout))
	}
	return w.ResponseWriter.Write(p)
}

// userPath is a request for one user.
type userPath struct {
	UserID string `path:"user_id" description:"Id of the user." example:"ada"`
}

// ownerID implements [ownedRequest].
func (p *userPath) ownerID() string { return p.UserID }

type createUserRequest struct {
	UserID *string `json:"user_id" minLength:"1" description:"Id of the new user; one is made if it is absent." example:"ada"`
}

type createUserResponse struct {
	UserID string `json:"user_id" required:"true" description:"Id of the new user." example:"ada"`
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

type updateUserConfigRequest struct {
	UserID   string                    `json:"user_id" required:"true" description:"Id of the user." example:"ada"`
	Timezone *string                   `json:"timezone" description:"IANA name of the user's time zone; empty for the default." example:"Asia/Shanghai"`
	Keys     map[string]backend.Secret `json:"-" example:"{\"openai_api_key\":\"sk-your-key\"}"`
}

// ownerID implements [ownedRequest].
func (r *updateUserConfigRequest) ownerID() string { return r.UserID }

// PrepareJSONSchema documents the provider keys, which are one map here.
func (updateUserConfigRequest) PrepareJSONSchema(schema *jsonschema.Schema) error {
	for _, name := range backend.ProviderKeys {
		property := jsonschema.Schema{}
		property.WithType(*(&jsonschema.Type{}).WithSliceOfSimpleTypeValues(jsonschema.String, jsonschema.Null)).
			WithDescription("Provider key; absent or null keeps it, an empty text clears it.").
			WithFormat("password").WithWriteOnly(true)
		schema.WithPropertiesItem(name, property.ToSchemaOrBool())
	}
	return nil
}

func (a *API) updateUserConfig(ctx context.Context, in *updateUserConfigRequest) (empty, error) {
	return empty{}, a.service.UpdateUserConfig(ctx, in.UserID,
		backend.UserConfigPatch{Timezone: in.Timezone, Keys: in.Keys})
}
