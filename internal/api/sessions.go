package api

import (
	"context"
	"time"

	"web-backend/internal/backend"
)

type sessionsResponse struct {
	Sessions []session `json:"sessions" required:"true" nullable:"false" description:"The user's sessions, in creation order." example:"[{\"id\":\"5f0c9e1ab2d34476\",\"created\":\"2026-01-02T03:04:05.678Z\",\"expires\":\"2026-01-09T03:04:05.678Z\",\"current\":true}]"`
}

// session is an access token as shown to its user.
type session struct {
	ID      string    `json:"id" required:"true" description:"Id of the session. It reveals nothing about the token." example:"5f0c9e1ab2d34476"`
	Created time.Time `json:"created" required:"true" description:"Time of the login, in UTC." example:"2026-01-02T03:04:05.678Z"`
	Expires time.Time `json:"expires" required:"true" description:"When the access token expires, in UTC." example:"2026-01-09T03:04:05.678Z"`
	Current bool      `json:"current" required:"true" description:"Whether this request belongs to the session." example:"true"`
}

func (a *API) sessions(ctx context.Context, _ *none) (sessionsResponse, error) {
	return withToken(ctx, func(token backend.Secret) (sessionsResponse, error) {
		found, err := a.service.Sessions(ctx, token)
		response := sessionsResponse{Sessions: make([]session, len(found))}
		for i, s := range found {
			response.Sessions[i] = session{s.ID, s.CreatedAt, s.ExpiresAt, s.Current}
		}
		return response, err
	})
}

type endSessionsRequest struct {
	IDs []string `json:"ids" maxItems:"100" description:"Ids of the sessions to end, each of at most 64 characters; absent to end all except that of this request. Unknown ids are ignored." example:"[\"5f0c9e1ab2d34476\"]"`
}

type endSessionsResponse struct {
	Ended int `json:"ended" required:"true" description:"How many sessions have ended." example:"1"`
}

func (a *API) endSessions(ctx context.Context, in *endSessionsRequest) (endSessionsResponse, error) {
	return withToken(ctx, func(token backend.Secret) (endSessionsResponse, error) {
		ended, err := a.service.EndSessions(ctx, token, in.IDs)
		return endSessionsResponse{ended}, err
	})
}
