package console

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"web-backend/internal/auth"
	"web-backend/internal/backend"
)

// charactersAtOnce is the number of characters that a page of a user shows. With
// more, the page would be too large.
const charactersAtOnce = 100

// userPage is the content of the page of a user.
type userPage struct {
	Path            string // of the page, relative to /console/
	ID              string // "" for the user that is signed in
	Username        string // "" for a user who cannot log in
	Admin           bool   // the visitor may manage the user
	Disabled        bool   // the account is disabled, and Admin is true
	SetUp           bool   // false if the user has registered but not signed in yet
	Problem         string // why nothing was saved, as a sentence
	Characters      []characterCard
	Earlier, Later  string   // the numbers of the first characters of the pages before and after, or ""
	LLM, ASR, TTS   []string // the providers that the user can use
	Keys            []keyGroup
	Timezone        string // as it was typed
	Timezones       []string
	TimezoneProblem string
	UploadProblem   string // of the file of a character
	// The problem of a provider key that was typed, and the name of that key.
	KeyProblem, BadKey string
}

// characterCard is a character as the page of its user shows it.
type characterCard struct {
	backend.CharacterProfile

	Path string // relative to /console/
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

// userPage shows the page of a user. page contains what was typed. If
// page.Problem is set, userPage shows the page even without the stored data,
// because the store may not respond.
func (v *visit) userPage(status int, page userPage) error {
	userID := v.userID()
	profile, err := v.service.Profile(v.r.Context(), userID)
	if err != nil && page.Problem == "" {
		return userError(err)
	}
	if v.caller.UserID != userID {
		page.ID = userID
	}
	if page.Admin = v.may(auth.Operator); page.Admin && profile.Username != "" {
		if page.Disabled, err = v.service.AccountDisabled(v.r.Context(), profile.Username); err != nil && page.Problem == "" {
			return userError(err)
		}
	}
	page.Path, page.Username, page.SetUp = userPath(userID), profile.Username, profile.SetUp
	page.LLM, page.ASR, page.TTS = profile.Available[backend.LLM], profile.Available[backend.ASR], profile.Available[backend.TTS]
	page.Keys, page.Timezones = keyGroups(profile.KeysSet), backend.Timezones()
	page.Timezone = cmp.Or(page.Timezone, profile.Timezone)
	page.addCharacters(profile.Characters, v.r.URL.Query().Get("from"))
	return v.show(status, "user", "user_page", page)
}

// addCharacters adds a part of all characters, beginning with the character
// that has this number.
func (p *userPage) addCharacters(all []backend.CharacterProfile, number string) {
	from, err := strconv.Atoi(number)
	if err != nil || from < 0 || from >= len(all) {
		from = 0
	}
	to := min(len(all), from+charactersAtOnce)
	for _, c := range all[from:to] {
		p.Characters = append(p.Characters, characterCard{c, p.Path + "/characters/" + url.PathEscape(c.CharacterID)})
	}
	if from > 0 {
		p.Earlier = strconv.Itoa(max(0, from-charactersAtOnce))
	}
	if to < len(all) {
		p.Later = strconv.Itoa(to)
	}
}

// userError returns the error for a page about a user.
func userError(err error) error {
	if errors.Is(err, backend.NotFound) {
		return &pageError{http.StatusNotFound, "user_unknown", err}
	}
	return err
}

// keySuffixes are the endings of the names of keys, after the name of the
// provider.
var keySuffixes = []string{"_api_key", "_app_id", "_app_key", "_token", "_ak", "_sk"}

// keyGroups returns all provider keys by provider. The keys in set are set.
func keyGroups(set []string) (groups []keyGroup) {
	for _, name := range backend.ProviderKeys {
		provider := name
		for _, suffix := range keySuffixes {
			provider = strings.TrimSuffix(provider, suffix)
		}
		at := slices.IndexFunc(groups, func(g keyGroup) bool { return g.Provider == provider })
		if at < 0 {
			at, groups = len(groups), append(groups, keyGroup{Provider: provider})
		}
		groups[at].Keys = append(groups[at].Keys, shownKey{name, slices.Contains(set, name)})
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
		typed, remove := strings.TrimSpace(fields[name]), fields["clear_"+name] != ""
		switch {
		case typed != "" && remove:
			return v.userPage(http.StatusUnprocessableEntity, userPage{BadKey: name, KeyProblem: v.texts["key_both"]})
		case !backend.ValidText(typed):
			return v.userPage(http.StatusUnprocessableEntity, userPage{BadKey: name, KeyProblem: v.texts["key_unreadable"]})
		case typed != "":
			patch.Keys[name] = backend.NewSecret(typed)
		case remove:
			patch.Keys[name] = backend.Secret{}
		}
	}
	if len(patch.Keys) == 0 {
		return v.redirectDone(userPath(v.userID()), "done_keys_unchanged")
	}
	return v.updateUser(patch, userPage{}, "done_keys")
}

func (v *visit) saveTimezone() error {
	fields, err := v.form()
	if err != nil {
		return err
	}
	timezone := strings.TrimSpace(fields["timezone"])
	var page userPage
	if backend.ValidText(timezone) {
		page.Timezone = timezone
	}
	if !backend.KnownTimezone(timezone) {
		page.TimezoneProblem = v.texts["time_zone_unknown"]
		return v.userPage(http.StatusUnprocessableEntity, page)
	}
	return v.updateUser(backend.UserConfigPatch{Timezone: &timezone}, page, "done_time_zone")
}

// updateUser changes the config of the user and returns to the page. If that
// fails for a reason that the visitor can correct or wait for, it shows page
// again, with what was typed.
func (v *visit) updateUser(patch backend.UserConfigPatch, page userPage, done string) error {
	err := v.service.UpdateUserConfig(v.r.Context(), v.userID(), patch)
	switch {
	case err == nil:
		return v.redirectDone(userPath(v.userID()), done)
	case errors.Is(err, backend.NotFound):
		return &pageError{http.StatusNotFound, "user_not_set_up", err}
	case errors.Is(err, backend.TooLong):
		if known, ok := errors.AsType[*backend.Error](err); ok {
			page.BadKey, page.KeyProblem = known.Field, v.texts["key_long"]
		}
		return v.userPage(http.StatusUnprocessableEntity, page)
	case errors.Is(err, backend.Unavailable):
		return v.userPageAway(err, page)
	}
	return err
}

// userPageAway shows page again after the store did not respond.
func (v *visit) userPageAway(err error, page userPage) error {
	v.options.Gate.NoteError(v.r.Context(), err)
	page.Problem = v.texts["store_away"]
	return v.userPage(http.StatusServiceUnavailable, page)
}
