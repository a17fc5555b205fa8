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
	Disk                          string // what is free; "" if unknown
	Warnings                      []warning
}

// warning is something that an operator should act on.
type warning struct {
	Text string
	Docs string // the page of the documentation that says more, or ""
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
		Uptime: v.duration(time.Since(status.Started)), Warnings: v.warnings(status),
	}
	if status.Users < 0 {
		shown.Users = "–"
	}
	if status.DatabaseBytes > 0 {
		shown.DatabaseSize = sizeText(status.DatabaseBytes)
	}
	if status.Disk.Total > 0 {
		shown.Disk = strings.NewReplacer("{free}", sizeText(status.Disk.Free), "{total}", sizeText(status.Disk.Total)).Replace(v.texts["disk_value"])
	}
	if !status.LastBackup.IsZero() {
		shown.LastBackup = status.LastBackup.UTC().Format(time.RFC3339)
	}
	return shown
}

// warnings returns what an operator should act on, the most urgent first.
func (v *visit) warnings(status Status) (warnings []warning) {
	for _, x := range []struct {
		holds      bool
		text, docs string
	}{
		{status.Users < 0, v.texts["store_away"], "docs/operations.md"},
		{status.Unready != "", status.Unready, "docs/provider-keys.md"},
		{status.Disk.low(), v.texts["warning_disk"], "docs/operations.md"},
		{status.OpenToNetwork, v.texts["warning_open"], "docs/security.md"},
		{status.PlainToNetwork, v.texts["warning_plain"], "docs/security.md"},
	} {
		if x.holds {
			warnings = append(warnings, warning{x.text, x.docs})
		}
	}
	return warnings
}

// sizeText returns a number of bytes as text.
func sizeText(bytes int64) string {
	if bytes >= 1e9 {
		return fmt.Sprintf("%.1f GB", float64(bytes)/1e9)
	}
	return fmt.Sprintf("%.1f MB", float64(bytes)/1e6)
}

// duration returns a duration as text, in minutes.
func (v *visit) duration(d time.Duration) string {
	minutes := int(d.Minutes())
	return strings.NewReplacer(
		"{days}", strconv.Itoa(minutes/(24*60)), "{hours}", strconv.Itoa(minutes/60%24), "{minutes}", strconv.Itoa(minutes%60),
	).Replace(v.texts["uptime_value"])
}
