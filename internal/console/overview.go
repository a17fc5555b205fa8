package console

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"web-backend/internal/auth"
	"web-backend/internal/backend"
)

// overview is the content of the overview: one of its parts.
type overview struct {
	Server *serverOverview
	User   *userOverview
}

// serverOverview is what an operator sees about the server, as text.
type serverOverview struct {
	Version, Store, Uptime, Users string
	DatabaseSize, LastBackup      string // "" if unknown
	Warnings                      []string
}

// userOverview is what a user sees.
type userOverview struct {
	Characters    []backend.CharacterSummary
	LLM, ASR, TTS []string
}

func (v *visit) showOverview() error {
	if v.r.Header.Get("Hx-Request") != "" { // the page asks again every few seconds
		v.options.Gate.Quiet(v.r.Context())
	}
	if v.caller.Kind == auth.CallerOperator {
		return v.show(http.StatusOK, "overview", "overview", overview{Server: v.serverOverview()})
	}
	user, err := v.userOverview()
	if err != nil {
		return err
	}
	return v.show(http.StatusOK, "overview", "overview", overview{User: user})
}

func (v *visit) serverOverview() *serverOverview {
	status := v.options.Status(v.r.Context())
	shown := &serverOverview{
		Version: status.Version, Store: status.Store, Users: strconv.FormatInt(status.Users, 10),
		Uptime: v.duration(time.Since(status.Started)),
	}
	if status.Users < 0 {
		shown.Users = "–"
		shown.Warnings = append(shown.Warnings, v.texts["store_away"])
	}
	if status.Unready != "" {
		shown.Warnings = append(shown.Warnings, status.Unready)
	}
	if status.OpenToNetwork {
		shown.Warnings = append(shown.Warnings, v.texts["warning_open"])
	}
	if status.DatabaseBytes > 0 {
		shown.DatabaseSize = fmt.Sprintf("%.1f MB", float64(status.DatabaseBytes)/1e6)
	}
	if !status.LastBackup.IsZero() {
		shown.LastBackup = status.LastBackup.UTC().Format(time.RFC3339)
	}
	return shown
}

// duration returns a duration as text, in minutes.
func (v *visit) duration(d time.Duration) string {
	minutes := int(d.Minutes())
	return strings.NewReplacer(
		"{days}", strconv.Itoa(minutes/(24*60)), "{hours}", strconv.Itoa(minutes/60%24), "{minutes}", strconv.Itoa(minutes%60),
	).Replace(v.texts["uptime_value"])
}

func (v *visit) userOverview() (shown *userOverview, err error) {
	shown = &userOverview{}
	ctx, userID := v.r.Context(), v.caller.UserID
	if shown.Characters, err = v.service.CharacterSummaries(ctx, userID); err != nil {
		return nil, err
	}
	for _, list := range []struct {
		role  backend.ProviderRole
		names *[]string
	}{{backend.LLM, &shown.LLM}, {backend.ASR, &shown.ASR}, {backend.TTS, &shown.TTS}} {
		// A user without a config has not set any key.
		if *list.names, err = v.service.AvailableProviders(ctx, userID, list.role); err != nil && !errors.Is(err, backend.NotFound) {
			return nil, err
		}
	}
	return shown, nil
}
