package cli_test

import (
	"os"
	"path/filepath"
	"testing"
)

// The errors of the other packages name no flags. The command line adds the
// flag that helps.
func TestMain_ErrorsNameFlags(t *testing.T) {
	t.Parallel()
	p := &place{folder: t.TempDir()}
	p.must(t, "", "user", "create", "ada")
	file := filepath.Join(t.TempDir(), "users.jsonl")
	p.must(t, "", "export", "--quiet", "--out", file)
	elsewhere := filepath.Join(t.TempDir(), "data")
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"export", "--out", file}, file + " exists already and is left alone; --force replaces it\n"},
		{[]string{"export", "--out", os.DevNull}, "is not a regular file; leave --out away and send standard output there\n"},
		{[]string{"import", file, "--identity", file + ".none"}, "identity file: open " + file + ".none: "},
		{[]string{"copy", "--from", "ftp://a", "--to", elsewhere}, "web-backend: --from: a store is named by a data folder"},
		{[]string{"copy", "--to", "ftp://a"}, "web-backend: --to: a store is named by a data folder"},
		{[]string{"user", "list", "--data-dir", elsewhere}, "no database is in " + elsewhere + "; look elsewhere with --data-dir or --config_path\n"},
		{[]string{"healthcheck", "--port", "0"}, "port 0 does not say where the server listens; give its --port\n"},
		{[]string{"healthcheck", "--url", "here"}, "unhealthy: --url: want a URL such as "},
	} {
		p.fails(t, "", tt.args, tt.want)
	}
}
