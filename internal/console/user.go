package console

import (
	"cmp"
	"errors"
	"net/http"
	"slices"
	"strings"

	"web-backend/internal/backend"
)

// userPage is the content of the page of a user.
type userPage struct {
	Path            string // of the page, relative to /console/
	ID              string // "" for the user that is signed in
	Characters      []characterCard
	LLM, ASR, TTS   []string // the providers that the user can use
	Keys            []keyGroup
	Timezone        string // as it was typed
	Timezones       []string
	TimezoneProblem string
	KeyProblem      string // of a key that was typed
	UploadProblem   string // of the file of a character
}

// characterCard is a character as the page of its user shows it.
type characterCard struct {
	backend.CharacterSummary

	Path        string // relative to /console/
	KeysMissing bool
}

// keyGroup is the keys of one provider.
type keyGroup struct {
	Provider string
	Keys     []shownKey
}

// shownKey is a provider key. Its value is never shown.
type shownKey struct {
	Name string
	Set  bool
}

func (v *visit) showUser() error { return v.userPage(http.StatusOK, userPage{}) }

// userPage shows the page of a user with what was typed in page.
func (v *visit) userPage(status int, page userPage) error {
	ctx, userID := v.r.Context(), v.userID()
	config, err := v.service.UserConfig(ctx, userID)
	if err != nil {
		return userError(err)
	}
	summaries, err := v.service.CharacterSummaries(ctx, userID)
	if err != nil {
		return err
	}
	lacking, err := v.service.CharactersMissingSecrets(ctx, userID)
	if err != nil {
		return err
	}
	for _, summary := range summaries {
		key := backend.CharacterKey{UserID: userID, CharacterID: summary.CharacterID}
		page.Characters = append(page.Characters, characterCard{summary, characterPath(key), lacking[summary.CharacterID]})
	}
	for _, list := range []struct {
		role  backend.ProviderRole
		names *[]string
	}{{backend.LLM, &page.LLM}, {backend.ASR, &page.ASR}, {backend.TTS, &page.TTS}} {
		if *list.names, err = v.service.AvailableProviders(ctx, userID, list.role); err != nil {
			return userError(err)
		}
	}
	page.Path, page.Keys, page.Timezones = userPath(userID), keyGroups(config), backend.Timezones()
	page.Timezone = cmp.Or(page.Timezone, config.Timezone)
	if v.caller.UserID != userID {
		page.ID = userID
	}
	return v.show(status, "user", "user_page", page)
}

// userError returns the error for a page about a user.
func userError(err error) error {
	if errors.Is(err, backend.NotFound) {
		return &pageError{http.StatusNotFound, "user_unknown", err}
	}
	return err
}

// keySuffixes end the names of keys, after the name of the provider.
var keySuffixes = []string{"_api_key", "_app_id", "_app_key", "_token", "_ak", "_sk"}

// keyGroups returns all provider keys by provider.
func keyGroups(config backend.UserConfig) (groups []keyGroup) {
	for _, name := range backend.ProviderKeys {
		provider := name
		for _, suffix := range keySuffixes {
			provider = strings.TrimSuffix(provider, suffix)
		}
		at := slices.IndexFunc(groups, func(g keyGroup) bool { return g.Provider == provider })
		if at < 0 {
			at, groups = len(groups), append(groups, keyGroup{Provider: provider})
		}
		groups[at].Keys = append(groups[at].Keys, shownKey{name, config.Keys[name].IsSet()})
	}
	return groups
}

// saveKeys sets the keys that were typed and removes those that were chosen.
func (v *visit) saveKeys() error {
	fields, err := v.form()
	if err != nil {
		return err
	}
	patch := backend.UserConfigPatch{Keys: map[string]backend.Secret{}}
	for _, name := range backend.ProviderKeys {
		switch typed := strings.TrimSpace(fields[name]); {
		case !backend.ValidText(typed):
			return v.userPage(http.StatusUnprocessableEntity, userPage{KeyProblem: name})
		case typed != "":
			patch.Keys[name] = backend.NewSecret(typed)
		case fields["clear_"+name] != "":
			patch.Keys[name] = backend.Secret{}
		}
	}
	if err := v.service.UpdateUserConfig(v.r.Context(), v.userID(), patch); err != nil {
		return userError(err)
	}
	return v.redirectDone(userPath(v.userID()), "done_keys")
}

func (v *visit) saveTimezone() error {
	fields, err := v.form()
	if err != nil {
		return err
	}
	timezone := strings.TrimSpace(fields["timezone"])
	if !backend.KnownTimezone(timezone) {
		page := userPage{TimezoneProblem: v.texts["time_zone_unknown"]}
		if backend.ValidText(timezone) {
			page.Timezone = timezone
		}
		return v.userPage(http.StatusUnprocessableEntity, page)
	}
	if err := v.service.UpdateUserConfig(v.r.Context(), v.userID(), backend.UserConfigPatch{Timezone: &timezone}); err != nil {
		return userError(err)
	}
	return v.redirectDone(userPath(v.userID()), "done_time_zone")
}
