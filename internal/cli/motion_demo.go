package cli

import (
	"fmt"
	"strings"

	"web-backend/internal/motion/demo"
)

// motionDemoCommand writes demo motion files.
type motionDemoCommand struct {
	Folder string `arg:"" name:"folder" help:"Folder to write. It must be empty or not exist."`
}

// Help implements kong.HelpProvider.
func (motionDemoCommand) Help() string {
	return `It writes two figures made of boxes, with names that the DLP3D web client knows, and the few motions that it needs. No
existing file is replaced.

    web-backend motion demo demo-data`
}

// Run writes the files, and prints what it wrote and how to use it.
func (c *motionDemoCommand) Run(streams Streams) error {
	made, err := demo.Write(c.Folder)
	if err != nil {
		return err
	}
	folder := c.Folder
	if strings.ContainsFunc(folder, needsQuotes) {
		folder = shellQuote(folder)
	}
	_, err = fmt.Fprintf(streams.Out, "%s holds %d clips of %s, %.1f MB\n\nlook at it:  web-backend motion check %s\nserve it:    WEB_BACKEND_MOTION_DATA_DIR=%s web-backend serve\n",
		readable(c.Folder), made.Clips, strings.Join(made.Avatars, " and "), float64(made.Bytes)/1e6, folder, folder)
	return err
}

// needsQuotes reports whether r may have a special meaning in a shell.
func needsQuotes(r rune) bool {
	return !strings.ContainsRune("/._-", r) && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
}

// shellQuote puts text in single quotes.
func shellQuote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }
