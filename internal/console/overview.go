package console

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"web-backend/internal/auth"
)

// serverOverview is what an operator sees about the server, as text.
type serverOverview struct {
	Version, Store, Uptime, Users string
	DatabaseSize, LastBackup      string // "" if unknown
	Warnings                      []string
}

func (v *visit) showOverview() error {
	if v.r.Header.Get("Hx-Request") != "" { // the page asks again every few seconds
		v.options.Gate.Quiet(v.r.Context())
	}
	if v.caller.Kind == auth.CallerUser {
		return v.redirect(userPath(v.caller.UserID))
	}
	return v.show(http.StatusOK, "overview", "overview", v.serverOverview())
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
