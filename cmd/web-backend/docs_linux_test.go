package main

import (
	"archive/tar"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"web-backend/internal/store/mongo/mongotest"
)

// shellBlocks returns the fenced blocks with the language sh, without their
// indentation.
func shellBlocks(markdown string) []string {
	var blocks []string
	for _, match := range regexp.MustCompile("(?ms)^( *)```sh\n(.*?)^ *```$").FindAllStringSubmatch(markdown, -1) {
		blocks = append(blocks, strings.ReplaceAll("\n"+match[2], "\n"+match[1], "\n"))
	}
	return blocks
}

// documentPrelude comes before the blocks of a page. Its functions replace
// programs that a page starts in the foreground, and programs that a test
// cannot run. The latter write their names to the file skipped.
const documentPrelude = `set -eu
server=
stop_server() { [ -z "$server" ] || { kill "$server"; wait "$server"; server=; }; }
trap 'status=$?; stop_server; exit $status' EXIT
start_server() {
  stop_server
  rm -f "$ROOT/server.out"; mkfifo "$ROOT/server.out"
  "$@" >"$ROOT/server.out" & server=$!
  exec 4<"$ROOT/server.out"
  while read -r line <&4; do
    echo "$line"
    case $line in *'listening on'*) return 0 ;; esac
  done
  echo 'the server did not start'; return 1
}
web-backend() { case ${1-} in '' | serve) start_server "$ROOT/bin/web-backend" "$@" ;; *) "$ROOT/bin/web-backend" "$@" ;; esac; }
./web-backend() { start_server "$PWD/web-backend" "$@"; }
skip() { echo "$1" >>"$ROOT/skipped"; }
sudo() { case $1 in install) skip install ;; *) "$@" ;; esac; }
systemctl() {
  skip systemctl
  case $* in
  stop*) stop_server ;;
  start* | enable*) start_server env $(sed -n "s|=/var/|=$ROOT/var/|; s/^Environment=//p" "$ROOT/unit") "$ROOT/bin/web-backend" serve ;;
  daemon-reload) ;;
  *) return 1 ;;
  esac
}
docker() { skip docker; }
kubectl() { skip kubectl; }
litestream() { skip litestream; }
go() { skip go; }
`

// documentRun describes how the blocks of a page are run.
type documentRun struct {
	page          string
	before, after string            // additional steps, in bash
	replace       []string          // pairs: text of the page and its replacement
	files         map[string]string // additional files in the folder of the program
	environment   []string
	want          []string // expected output
}

// run runs the blocks, each in the same folder.
func (d documentRun) run(t *testing.T) {
	t.Helper()
	needTools(t)
	program, err := build()
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(repository, d.page))
	if err != nil {
		t.Fatal(err)
	}
	root, address := t.TempDir(), freeAddress(t)
	for name, text := range d.files {
		writeBeside(t, filepath.Join(root, name), text)
	}
	if err := os.MkdirAll(filepath.Join(root, "bin"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(program, filepath.Join(root, "bin", "web-backend")); err != nil {
		t.Fatal(err)
	}
	replace := strings.NewReplacer(append([]string{"127.0.0.1:18080", address}, d.replace...)...)
	script := documentPrelude + d.before
	for _, block := range shellBlocks(string(data)) {
		script += "\ncd \"$ROOT\"\nset -x\n" + replace.Replace(block) + "\n{ set +x; } 2>/dev/null\n"
	}
	script += "cd \"$ROOT\"\n" + d.after
	writeBeside(t, filepath.Join(root, "page.sh"), script)

	bash := exec.CommandContext(t.Context(), "bash", filepath.Join(root, "page.sh"))
	host, port, _ := strings.Cut(address, ":")
	bash.Dir, bash.Env = root, append([]string{
		"ROOT=" + root, "PATH=" + filepath.Join(root, "bin") + ":" + os.Getenv("PATH"), "HOME=" + root, "LC_ALL=C.UTF-8",
		"WEB_BACKEND_HOST=" + host, "WEB_BACKEND_PORT=" + port,
	}, d.environment...)
	bash.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // includes all processes that bash starts
	bash.Cancel = func() error { return syscall.Kill(-bash.Process.Pid, syscall.SIGKILL) }
	timeout := time.AfterFunc(2*deadline, func() { _ = bash.Cancel() })
	defer timeout.Stop()
	output, err := bash.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", d.page, err, output)
	}
	for _, want := range d.want {
		if !strings.Contains(string(output), want) {
			t.Errorf("%s: nothing printed %q:\n%s", d.page, want, output)
		}
	}
	skipped, _ := os.ReadFile(filepath.Join(root, "skipped")) // the file may be missing
	_, tried, _ := strings.Cut(string(data), "\n## What was tried")
	for name := range strings.FieldsSeq(string(skipped)) {
		if !strings.Contains(tried, "`"+name+"`") {
			t.Errorf("%s: `%s` is not run by the test, and \"What was tried\" does not say so", d.page, name)
		}
	}
}

func writeBeside(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
}

// freeAddress returns an address for a server that a page identifies by its
// port.
func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", loopback()+":0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// releaseSite serves the archive of a release of the program and its checksums,
// in the form that GoReleaser creates.
func releaseSite(t *testing.T) *httptest.Server {
	t.Helper()
	program, err := build()
	if err != nil {
		t.Fatal(err)
	}
	binary, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	const name = "web-backend_1.0.0_linux_amd64"
	var archive strings.Builder
	packed, err := gzip.NewWriterLevel(&archive, gzip.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	files := tar.NewWriter(packed)
	if err := files.WriteHeader(&tar.Header{Name: name + "/web-backend", Mode: 0o755, Size: int64(len(binary))}); err != nil {
		t.Fatal(err)
	}
	if _, err := files.Write(binary); err != nil {
		t.Fatal(err)
	}
	if err := files.Close(); err != nil {
		t.Fatal(err)
	}
	if err := packed.Close(); err != nil {
		t.Fatal(err)
	}
	checksums := fmt.Sprintf("%x  %s.tar.gz\n%064x  web-backend_1.0.0_darwin_arm64.tar.gz\n",
		sha256.Sum256([]byte(archive.String())), name, 1)
	site := http.NewServeMux()
	for path, text := range map[string]string{"/" + name + ".tar.gz": archive.String(), "/checksums.txt": checksums} {
		site.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, text) })
	}
	server := httptest.NewServer(site)
	t.Cleanup(server.Close)
	return server
}

// The commands on the pages for operators work as they are written. The pages
// list the commands that are not run here.
func TestDocuments_RunAsWritten(t *testing.T) {
	t.Parallel()
	needTools(t)
	read := func(name string) string {
		data, err := os.ReadFile(filepath.Join(repository, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	unitPaths := []string{
		"/var/lib/web-backend", "$ROOT/var/lib/web-backend", "/var/log/web-backend", "$ROOT/var/log/web-backend",
		"/etc/web-backend", "$ROOT/etc/web-backend",
	}
	debug := freeAddress(t)
	runs := []documentRun{
		{
			page:    "docs/install.md",
			before:  "mkdir -p var/lib/private/web-backend\nln -s private/web-backend var/lib/web-backend\n",
			replace: append([]string{"https://localhost/", "http://$WEB_BACKEND_HOST:$WEB_BACKEND_PORT/"}, unitPaths...),
			files: map[string]string{
				"unit":                             read("deploy/systemd/web-backend.service"),
				"etc/web-backend/web-backend.env":  "WEB_BACKEND_DATA_DIR=var/lib/web-backend\n",
				"etc/web-backend/mongodb_password": applicationPassword,
				"deploy/docker/.env.example":       read("deploy/docker/.env.example"),
				"deploy/docker/secrets.sh":         read("deploy/docker/secrets.sh"),
			},
			environment: []string{"RELEASE=" + releaseSite(t).URL},
			want:        []string{"tar.gz: OK", "ada", "by-hand.db", "made deploy/docker/secrets/operator_token", `"OK"`},
		},
		{
			page:   "docs/backup.md",
			before: "web-backend serve\nstop_server\nmkdir -p safe var/backups/web-backend\ncp data/master.key safe/\nweb-backend backup --out restored.db\n",
			replace: []string{
				"/var/backups", "$ROOT/var/backups", "/tmp/drill", "$ROOT/drill", "/safe/place", "$ROOT/safe", "--port 18090", "--port 0",
				"backups/web-backend-20260301T000000.000Z.db", "$(ls backups/web-backend-manual-*.db)",
			},
			after: "stop_server\nweb-backend restore --check var/backups/web-backend/monday.db\n" +
				"web-backend restore var/backups/web-backend/monday.db\nweb-backend keys doctor\n",
			want: []string{"before-restore-"},
		},
		{
			page:        "docs/monitoring.md",
			before:      "web-backend serve\n",
			replace:     []string{"127.0.0.1:6060", debug, "seconds=30", "seconds=1", "seconds=5", "seconds=1"},
			after:       "[ -s cpu.pprof ] && [ -s heap.pprof ] && [ -s trace.out ]\n",
			environment: []string{"WEB_BACKEND_DEBUG_ADDRESS=" + debug},
			want:        []string{"webbackend_build_info"},
		},
	}
	for _, one := range runs {
		t.Run(one.page, func(t *testing.T) {
			t.Parallel()
			one.run(t)
		})
	}
}

// The commands for moving from the original work too, with a database of the
// original.
func TestDocuments_RunAsWritten_Upgrade(t *testing.T) {
	t.Parallel()
	server := mongotest.Own(t, false)
	u, err := url.Parse(server.URI())
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{"mongodb-uri": server.URI()}
	folder := pythonFolder(t)
	for _, name := range []string{"configs/local.py", "characters/first.json", "characters/second.json"} {
		data, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		files[name], _, _ = strings.Cut(string(data), "motion_file_api_cfg") // its servers are not available here
	}
	documentRun{
		page:    "docs/upgrade.md",
		before:  "web-backend serve --config_path configs/local.py\n\"$ROOT/bin/web-backend\" user create ada --config_path configs/local.py\nstop_server\n",
		replace: []string{"--config_path …", "--config_path configs/local.py", "/run/secrets", "$ROOT"},
		files:   files,
		environment: []string{
			"MONGODB_HOST=" + u.Hostname(), "MONGODB_PORT=" + u.Port(), "MONGODB_PASSWORD=" + applicationPassword,
			"MONGODB_ADMIN_USERNAME=root", "MONGODB_ADMIN_PASSWORD=root", "MONGODB_TIMEOUT=25s",
		},
		want: []string{"the configuration has no faults"},
	}.run(t)
}
