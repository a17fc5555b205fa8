package cli

import (
	"context"
	"fmt"
	"html"
	"io"
	"os"
	"os/exec"
	"runtime"

	"golang.org/x/term"

	"web-backend/internal/backend"
)

// openBrowser opens a secret link in the browser of the person at the terminal
// out. It does nothing if out is not a terminal or there is no browser.
//
// It opens a private file that leads to the link, because other users of the
// machine can see the arguments of a process. The file stays, as nobody says
// when the browser has read it. The known libraries pass the address as an
// argument, and start a browser also where there is no display.
func openBrowser(ctx context.Context, streams Streams, link backend.Secret) error {
	file, ok := streams.Out.(*os.File)
	command := browserCommand(streams.Getenv)
	if !ok || !term.IsTerminal(int(file.Fd())) || command == nil {
		return nil
	}
	path, err := exec.LookPath(command[0])
	if err != nil {
		return nil //nolint:nilerr // there is no browser
	}
	page, err := os.CreateTemp("", "web-backend-*.html") // only this user can read it
	if err != nil {
		return err
	}
	address := html.EscapeString(link.Reveal())
	_, err = io.WriteString(page, `<!DOCTYPE html><title>web-backend</title><meta http-equiv="refresh" content="0; url=`+address+`"><a href="`+address+`">web-backend</a>`+"\n")
	if closing := page.Close(); err == nil {
		err = closing
	}
	if err != nil {
		_ = os.Remove(page.Name())
		return err
	}
	// The browser goes on after this program.
	opener := exec.CommandContext(context.WithoutCancel(ctx), path, append(command[1:], page.Name())...) //nolint:gosec // a fixed name
	if err := opener.Start(); err != nil {
		_ = os.Remove(page.Name())
		return fmt.Errorf("%s: %w", command[0], err)
	}
	return nil
}

// browserCommand returns the command that opens a file in a browser, or nil if
// there is no display.
func browserCommand(getenv func(string) (string, bool)) []string {
	switch runtime.GOOS {
	case "windows":
		return []string{"rundll32", "url.dll,FileProtocolHandler"}
	case "darwin":
		return []string{"open"}
	}
	for _, name := range []string{"DISPLAY", "WAYLAND_DISPLAY"} {
		if value, _ := getenv(name); value != "" {
			return []string{"xdg-open"}
		}
	}
	return nil
}
