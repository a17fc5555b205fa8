package cli_test

import (
	"bufio"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"web-backend/internal/cli"
)

// On a terminal, the start prints a link that signs in. It is not in the log.
func TestServe_PrintsALinkOnATerminal(t *testing.T) {
	t.Parallel()
	person, program := pseudoterminal(t)
	p := &place{folder: t.TempDir()}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan int, 1)
	go func() { ended <- cli.Main(ctx, []string{"serve", "--port", "0"}, p.streams("", program, p)) }()
	link := ""
	for lines := bufio.NewScanner(person); link == "" && lines.Scan(); {
		if _, rest, found := strings.Cut(lines.Text(), "sign in once"); found {
			link = strings.Fields(rest)[0]
		}
	}
	useLink(t, link)
	cancel()
	if status := <-ended; status != 0 {
		t.Errorf("the server ended with %d", status)
	}
	log, err := os.ReadFile(filepath.Join(p.folder, "server.log"))
	if err != nil || strings.Contains(string(log)+p.printed(), "wbc_") {
		t.Errorf("the log has a code: %v\n%s", err, log)
	}
}
