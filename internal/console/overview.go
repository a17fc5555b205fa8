package console

import (
	"cmp"
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
	DatabaseSize                  string // "" if unknown
	Disk                          string // what is free; "" if unknown
	Backup                        *backupView
	Hour                          *hourView
	Warnings                      []warning
}

// warning is something that an operator should act on.
type warning struct {
	Text string
	Docs string // the page of the documentation that says more, or ""
}

func (v *visit) showOverview() error {
	if v.byScript() { // the page asks again every few seconds
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
		Version: status.Version, Store: v.storeText(status), Users: strconv.FormatInt(status.Users, 10),
		Uptime: v.duration(time.Since(status.Started)), Hour: v.lastHour(),
	}
	backup, failure := v.backupView()
	shown.Backup, shown.Warnings = backup, v.warnings(status, failure)
	if status.Users < 0 {
		shown.Users = "–"
	}
	if status.DatabaseBytes > 0 {
		shown.DatabaseSize = sizeText(status.DatabaseBytes)
	}
	if status.Disk.Total > 0 {
		shown.Disk = strings.NewReplacer("{free}", sizeText(status.Disk.Free), "{total}", sizeText(status.Disk.Total)).Replace(v.texts["disk_value"])
	}
	return shown
}

// warnings returns what an operator should act on, the most urgent first.
// backup is the sentence about a backup that failed, or "".
func (v *visit) warnings(status Status, backup string) (warnings []warning) {
	for _, x := range []struct {
		holds      bool
		text, docs string
	}{
		{status.Users < 0, v.texts["store_away"], "docs/operations.md"},
		{status.Unready != "", status.Unready, "docs/provider-keys.md"},
		{status.Disk.low(), v.texts["warning_disk"], "docs/operations.md"},
		{backup != "", backup, "docs/backup.md"},
		{status.OpenToNetwork, v.texts["warning_open"], "docs/security.md"},
		{status.PlainToNetwork, v.texts["warning_plain"], "docs/security.md"},
	} {
		if x.holds {
			warnings = append(warnings, warning{x.text, x.docs})
		}
	}
	return warnings
}

// storeText returns the kind of the store and where it is.
func (v *visit) storeText(status Status) string {
	kind := map[string]string{"embedded": "store_embedded", "mongodb": "store_mongodb"}[status.Store]
	return cmp.Or(v.texts[kind], status.Store) + v.texts["colon"] + status.Location
}

// sizeText returns a number of bytes as text.
func sizeText(bytes int64) string {
	if bytes >= 1e9 {
		return fmt.Sprintf("%.1f GB", float64(bytes)/1e9)
	}
	return fmt.Sprintf("%.1f MB", float64(bytes)/1e6)
}

// duration returns a duration as text, in days, hours and minutes.
func (v *visit) duration(d time.Duration) string {
	minutes := int(d.Minutes())
	var parts []string
	for _, unit := range []struct {
		message string
		number  int
	}{{"unit_days", minutes / (24 * 60)}, {"unit_hours", minutes / 60 % 24}, {"unit_minutes", minutes % 60}} {
		if unit.number > 0 || minutes == 0 && unit.message == "unit_minutes" {
			parts = append(parts, strconv.Itoa(unit.number)+" "+v.texts[unit.message])
		}
	}
	return strings.Join(parts, " ")
}
