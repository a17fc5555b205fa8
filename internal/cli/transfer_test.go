package cli_test

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"filippo.io/age"

	"web-backend/internal/backend"
	"web-backend/internal/cli"
	"web-backend/internal/masterkey"
	"web-backend/internal/store/sqlite"
	"web-backend/internal/store/storetest"
)

// withUsers stores two users in a data folder: ada with all kinds of data, and
// bob without a login.
func withUsers(t *testing.T, data string) {
	t.Helper()
	ring := masterkey.NewRing(masterkey.Generate())
	if err := os.MkdirAll(data, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := masterkey.WriteFile(filepath.Join(data, masterkey.FileName), ring); err != nil {
		t.Fatal(err)
	}
	change(t, data, func(store *sqlite.Store) error {
		config := storetest.UserConfig("ada")
		config.Keys = map[string]backend.Secret{"openai_api_key": backend.NewSecret(secretText + "-key")}
		bob := storetest.UserConfig("bob")
		bob.Keys = nil
		return store.PutUsers(t.Context(), []backend.UserData{
			{Credential: &backend.Credential{UserID: "ada", Username: "Ada", Password: backend.NewSecret(secretText)},
				Config: &config, Characters: storetest.Characters("ada", 2)},
			{Config: &bob, Characters: storetest.Characters("bob", 1)},
		})
	})
}

// change opens a data folder and calls edit.
func change(t *testing.T, data string, edit func(*sqlite.Store) error) {
	t.Helper()
	ring, err := masterkey.ReadFile(filepath.Join(data, masterkey.FileName))
	if err != nil {
		t.Fatal(err)
	}
	store, err := sqlite.Open(data, sqlite.Keys(ring))
	if err != nil {
		t.Fatal(err)
	}
	if err := edit(store); err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
}

// command runs a command with this standard input, and checks that its output
// contains no secret.
func command(t *testing.T, folder, stdin string, env map[string]string, args ...string) result {
	t.Helper()
	variables := map[string]string{"WEB_BACKEND_DATA_DIR": filepath.Join(folder, "data")}
	maps.Copy(variables, env)
	var out, errors bytes.Buffer
	status := cli.Main(t.Context(), args, cli.Streams{
		In: strings.NewReader(stdin), Out: &out, Err: &errors,
		Getenv: func(name string) (string, bool) { value, ok := variables[name]; return value, ok },
	})
	if strings.Contains(errors.String(), secretText) || strings.Contains(out.String(), secretText) {
		t.Errorf("%q shows a secret: %s%s", args, out.String(), errors.String())
	}
	return result{status, out.String(), errors.String()}
}

// ok runs a command that has to succeed.
func ok(t *testing.T, folder string, args ...string) result {
	t.Helper()
	got := command(t, folder, "", nil, args...)
	if got.status != 0 {
		t.Fatalf("%q: %+v", args, got)
	}
	return got
}

// refused runs a command that has to fail with a message of one line.
func refused(t *testing.T, folder, want string, args ...string) {
	t.Helper()
	got := command(t, folder, "", nil, args...)
	if got.status != 1 || got.out != "" || !strings.Contains(got.err, want) || strings.Count(got.err, "web-backend: ") != 1 {
		t.Errorf("%q: got %+v, want an error that says %q", args, got, want)
	}
}

// movedReport is the JSON output of import and copy.
type movedReport struct {
	DryRun, Secrets                                        bool
	Users, Characters, Added, Replaced, Skipped, Unchanged int64
	Locked, Orphans                                        int64
	KeysLeft                                               int64 `json:"provider_keys_left"`
	PasswordsLeft                                          int64 `json:"passwords_left"`
	Differences                                            *struct{ Users, Characters, Different int64 }
}

func report(t *testing.T, got result) (r movedReport) {
	t.Helper()
	if err := json.Unmarshal([]byte(got.out), &r); err != nil {
		t.Fatalf("%v: %+v", err, got)
	}
	return r
}

func identityFile(t *testing.T) (path, recipient string) {
	t.Helper()
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	return writeFile(t, "identity", identity.String()+"\n"), identity.Recipient().String()
}

func content(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestExport_Out(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	withUsers(t, filepath.Join(folder, "data"))
	path := filepath.Join(folder, "out", "e.jsonl")
	refused(t, folder, "cannot be written", "export", "--out", path)
	if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	refused(t, folder, "is a folder", "export", "--out", filepath.Dir(path))
	if got := ok(t, folder, "export", "--out", path); got.out != "" || got.err != "exported 2 users and 3 characters to "+path+"\n" {
		t.Errorf("got %+v", got)
	}
	first := content(t, path)
	if !strings.HasPrefix(first, `{"kind":"header"`) || strings.Contains(first, secretText) {
		t.Errorf("the file holds %.200q", first)
	}
	if info, err := os.Stat(path); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if err := os.WriteFile(path, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	refused(t, folder, "--force", "export", "--out", path)
	if content(t, path) != "mine" {
		t.Error("it was overwritten without --force")
	}
	if got := ok(t, folder, "export", "--out", path, "--force", "--quiet"); got.err != "" || content(t, path) == "mine" {
		t.Errorf("with --force: %+v", got)
	}
	if entries, err := os.ReadDir(filepath.Dir(path)); err != nil || len(entries) != 1 {
		t.Errorf("it left %v, %v", entries, err)
	}
	if got := ok(t, folder, "export"); !strings.HasPrefix(got.out, `{"kind":"header"`) || !strings.HasSuffix(got.out, "}\n") {
		t.Errorf("to standard output: %+v", got)
	}
}

func TestExport_Refuses(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	refused(t, folder, "does not exist", "export")
	if entries, err := os.ReadDir(folder); err != nil || len(entries) > 0 {
		t.Errorf("it made %v, %v", entries, err)
	}
	data := filepath.Join(folder, "data")
	withUsers(t, data)
	identity, recipient := identityFile(t)
	refused(t, folder, "there is no terminal", "export", "--with-secrets")
	refused(t, folder, "not an age public key", "export", "--with-secrets", "--recipient", strings.TrimSpace(content(t, identity)))
	refused(t, folder, "not both", "export", "--recipient", recipient, "--passphrase-file", identity)
	refused(t, folder, "passphrase file", "export", "--passphrase-file", filepath.Join(folder, "none"))
	refused(t, folder, "want one line", "export", "--passphrase-file", writeFile(t, "p", "\n"))
	refused(t, folder, "want one line", "export", "--passphrase-file", writeFile(t, "p", "a\nb\n"))
	refused(t, folder, "it has 11 of at least 12 characters", "export", "--passphrase-file", writeFile(t, "p", "eleven char\n"))
	short := command(t, folder, "", map[string]string{"WEB_BACKEND_PASSPHRASE": "1"}, "export", "--with-secrets")
	if short.status != 1 || short.out != "" || !strings.Contains(short.err, "it has 1 of at least 12 characters") {
		t.Errorf("a passphrase of one character: %+v", short)
	}
	if err := os.Remove(filepath.Join(data, masterkey.FileName)); err != nil {
		t.Fatal(err)
	}
	refused(t, folder, "web-backend keys doctor", "export", "--with-secrets", "--recipient", recipient)
	refused(t, folder, "web-backend keys doctor", "copy", "--with-secrets", "--to", filepath.Join(folder, "other"))
	ok(t, folder, "export")
}

// A password hash that would use too much memory or time at a login is refused
// by import and copy, unless the target's own hashes cost as much.
func TestImportAndCopy_HashThatCostsTooMuch(t *testing.T) {
	t.Parallel()
	folder, other := t.TempDir(), t.TempDir()
	data := filepath.Join(folder, "data")
	withUsers(t, data)
	change(t, data, func(store *sqlite.Store) error {
		return store.PutUsers(t.Context(), []backend.UserData{{Credential: &backend.Credential{UserID: "greta", Username: "greta",
			Password: backend.NewSecret("$argon2id$v=19$m=1048576,t=1,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4")}}})
	})
	identity, recipient := identityFile(t)
	file := filepath.Join(folder, "e.age")
	ok(t, folder, "export", "--with-secrets", "--recipient", recipient, "--out", file)
	// Lines: ada and her two characters, bob and his, then greta.
	refused(t, other, `line 7: field "password": the argon2id hash takes 1048576 KiB of memory, and at most 65536 are allowed; nothing was imported`,
		"import", file, "--identity", identity)
	refused(t, folder, `user "greta": password: the argon2id hash takes 1048576 KiB`,
		"copy", "--with-secrets", "--to", filepath.Join(other, "data"))
	ok(t, folder, "copy", "--to", filepath.Join(t.TempDir(), "without secrets"))
	env := map[string]string{"WEB_BACKEND_PASSWORD_HASH_MEMORY_KIB": "1048576", "WEB_BACKEND_PASSWORD_HASH_ITERATIONS": "1"}
	if got := command(t, other, "", env, "import", file, "--identity", identity, "--dry-run"); got.status != 0 {
		t.Errorf("into a store whose own hashes take as much: %+v", got)
	}
}

// Output files never replace a file of the server, however its folder is
// spelled, or something that is not a regular file.
func TestExportAndBackup_SpareTheServersFiles(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	data, link := filepath.Join(folder, "data"), filepath.Join(folder, "link")
	withUsers(t, data)
	if err := os.Symlink(data, link); err != nil {
		t.Skip(err)
	}
	before := map[string]string{}
	for _, name := range []string{"web-backend.db", masterkey.FileName} {
		before[name] = content(t, filepath.Join(data, name))
	}
	for _, path := range []string{
		filepath.Join(data, "web-backend.db"), filepath.Join(link, "web-backend.db"), data + "/../data/WEB-backend.db",
		filepath.Join(data, "web-backend.db-wal"), filepath.Join(data, masterkey.FileName), filepath.Join(link, "operator.token"),
	} {
		refused(t, folder, "a file of the server", "export", "--force", "--out", path)
		refused(t, folder, "a file of the server", "backup", "--out", path)
	}
	refused(t, folder, "not a regular file", "export", "--out", os.DevNull)
	for name, want := range before {
		if content(t, filepath.Join(data, name)) != want {
			t.Errorf("%s was changed", name)
		}
	}
	ok(t, folder, "export", "--out", filepath.Join(data, "users.jsonl"))
	ok(t, folder, "backup", "--out", filepath.Join(data, "monday.db"))
}

// sealedWith encrypts an export that identity opens again with a passphrase.
// The result is cheap to open.
func sealedWith(t *testing.T, passphrase, export, identity string) string {
	t.Helper()
	identities, err := age.ParseIdentities(strings.NewReader(content(t, identity)))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := age.Decrypt(strings.NewReader(export), identities...)
	if err != nil {
		t.Fatal(err)
	}
	recipient, err := age.NewScryptRecipient(passphrase)
	if err != nil {
		t.Fatal(err)
	}
	recipient.SetWorkFactor(10)
	var sealed bytes.Buffer
	w, err := age.Encrypt(&sealed, recipient)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(w, plain); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return sealed.String()
}

// An export can be encrypted and opened with every source of a passphrase and
// of a key.
func TestExport_Encrypted(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	withUsers(t, filepath.Join(folder, "data"))
	identity, recipient := identityFile(t)
	other, otherRecipient := identityFile(t)
	stranger, _ := identityFile(t)
	phrase := writeFile(t, "phrase", "correct horse\r\n")
	wrong := writeFile(t, "wrong", "battery staple")
	// An older version took the byte order mark for a part of the passphrase.
	const mark = "\ufeff"
	marked := writeFile(t, "marked", mark+"correct horse\n")

	byRecipients := ok(t, folder, "export", "--with-secrets", "--recipient", recipient, "--recipient", otherRecipient).out
	plainContent := ok(t, folder, "export", "--recipient", recipient).out
	// Opening an export that the program encrypted with a passphrase takes a
	// second, so only TestPassphrase_Made does it.
	cheap := sealedWith(t, "correct horse", byRecipients, identity)
	byPhrase := command(t, folder, "", map[string]string{"WEB_BACKEND_PASSPHRASE_FILE": phrase}, "export", "--with-secrets").out
	for name, file := range map[string]string{"recipients": byRecipients, "without secrets": plainContent, "passphrase": byPhrase} {
		if !strings.HasPrefix(file, "age-encryption.org/v1\n") || strings.Contains(file, "user_id") {
			t.Errorf("%s: the export begins with %.40q", name, file)
		}
	}
	n := 0
	importing := func(file string, env map[string]string, args ...string) result {
		n++
		args = append([]string{"import", "--json", writeFile(t, "export", file), "--data-dir", filepath.Join(folder, "into", string(rune('a'+n)))}, args...)
		return command(t, folder, "", env, args...)
	}
	for name, got := range map[string]result{
		"identity":        importing(byRecipients, nil, "--identity", identity),
		"other identity":  importing(byRecipients, nil, "--identity", other),
		"without secrets": importing(plainContent, nil, "--identity", identity),
		"passphrase":      importing(cheap, nil, "--passphrase-file", phrase),
		"environment":     importing(cheap, map[string]string{"WEB_BACKEND_PASSPHRASE": "correct horse"}),
		"marked file":     importing(cheap, nil, "--passphrase-file", marked),
		"marked variable": importing(cheap, map[string]string{"WEB_BACKEND_PASSPHRASE": mark + "correct horse"}),
		"marked export":   importing(sealedWith(t, mark+"correct horse", byRecipients, identity), nil, "--passphrase-file", marked),
		"mark forgotten":  importing(sealedWith(t, mark+"correct horse", byRecipients, identity), nil, "--passphrase-file", phrase),
		"short":           importing(sealedWith(t, "1", byRecipients, identity), map[string]string{"WEB_BACKEND_PASSPHRASE": "1"}),
	} {
		if got.status != 0 {
			t.Errorf("%s: %+v", name, got)
			continue
		}
		if r := report(t, got); r.Added != 2 || r.Secrets == (name == "without secrets") || (r.Locked > 0) == r.Secrets {
			t.Errorf("%s: %+v", name, r)
		}
	}
	for _, tt := range []struct {
		name, want string
		got        result
	}{
		{"no identity", "no identity is given", importing(byRecipients, nil)},
		{"a stranger", "no identity is given that opens it", importing(byRecipients, nil, "--identity", stranger)},
		{"no file", "--identity", importing(byRecipients, nil, "--identity", filepath.Join(folder, "none"))},
		{"no identity in it", "holds no age identity", importing(byRecipients, nil, "--identity", phrase)},
		{"wrong passphrase", "the passphrase is not the one", importing(cheap, nil, "--passphrase-file", wrong)},
		{"no passphrase", "there is no terminal", importing(cheap, nil)},
	} {
		if tt.got.status != 1 || !strings.Contains(tt.got.err, tt.want) || tt.got.out != "" {
			t.Errorf("%s: got %+v, want an error that says %q", tt.name, tt.got, tt.want)
		}
	}
	if entries, err := os.ReadDir(filepath.Join(folder, "into")); err != nil || len(entries) != 10 {
		t.Errorf("refused imports made folders: %v, %v", entries, err)
	}
}

func TestImport_Conflicts(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	data := filepath.Join(folder, "data")
	withUsers(t, data)
	path := filepath.Join(folder, "e.jsonl")
	ok(t, folder, "export", "--out", path)
	const other = "Another"
	change(t, data, func(store *sqlite.Store) error {
		// UpdateCharacter refuses a read-only character.
		bob, err := store.UserData(t.Context(), []string{"bob"})
		if err == nil {
			bob[0].Characters[0].CharacterName = other
			err = store.PutUsers(t.Context(), bob)
		}
		return err
	})
	changed := ok(t, folder, "export").out

	refused(t, folder, `"bob"`, "import", path)
	refused(t, folder, `"bob"`, "import", path, "--on-conflict=fail")
	if got := command(t, folder, "", nil, "import", path, "--on-conflict=overwrite"); got.status != 2 {
		t.Errorf("an unknown way: %+v", got)
	}
	if got := report(t, ok(t, folder, "import", path, "--on-conflict=skip", "--json")); got.Skipped != 1 || got.Unchanged != 1 {
		t.Errorf("skip: %+v", got)
	}
	if got := report(t, ok(t, folder, "import", path, "--on-conflict=replace", "--json", "--dry-run")); got.Replaced != 1 || !strings.Contains(ok(t, folder, "import", path, "--on-conflict=skip", "--dry-run").out, "dry run") {
		t.Errorf("dry run: %+v", got)
	}
	if lines(ok(t, folder, "export").out) != lines(changed) {
		t.Error("something was written that should not")
	}
	if got := report(t, ok(t, folder, "import", path, "--on-conflict=replace", "--json")); got.Replaced != 1 || got.Unchanged != 1 {
		t.Errorf("replace: %+v", got)
	}
	if lines(ok(t, folder, "export").out) != lines(content(t, path)) {
		t.Error("what was imported is not what comes out")
	}
}

// lines returns the parts of an export that do not depend on its time.
func lines(export string) string {
	all := strings.Split(export, "\n")
	return strings.Join(all[1:max(1, len(all)-2)], "\n")
}

// A fault of a file is found before anything is written, even if the file comes
// from standard input.
func TestImport_VerifiesFirst(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	withUsers(t, filepath.Join(folder, "data"))
	whole := ok(t, folder, "export").out
	into := []string{"import", "-", "--data-dir", filepath.Join(folder, "into")}
	for name, file := range map[string]string{
		"empty": "", "cut off": whole[:len(whole)-20], "changed": strings.Replace(whole, `"ada"`, `"eve"`, 1), "doubled": whole + whole,
		"no export": "{}\n", "cut age": "age-encryption.org/v1\n-> scrypt",
	} {
		got := command(t, folder, file, nil, into...)
		if got.status != 1 || got.out != "" || strings.Count(got.err, "\n") != 1 {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if _, err := os.Stat(filepath.Join(folder, "into")); err == nil {
		t.Error("the data folder was made")
	}
	got := command(t, folder, whole, nil, into...)
	if got.status != 0 || !strings.Contains(got.out, "2 added") || !strings.Contains(got.out, "web-backend user set-password") {
		t.Errorf("whole: %+v", got)
	}
	refused(t, folder, "is a folder", "import", folder)
	refused(t, folder, "none.jsonl", "import", filepath.Join(folder, "none.jsonl"))
	if got := command(t, folder, "", nil, "import"); got.status != 2 {
		t.Errorf("without a file: %+v", got)
	}
}

// The temporary copy of standard input is removed in every case.
func TestImport_RemovesItsTemporaryFile(t *testing.T) {
	folder := t.TempDir()
	temporary := filepath.Join(folder, "tmp")
	if err := os.Mkdir(temporary, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", temporary)
	t.Setenv("TMP", temporary)
	withUsers(t, filepath.Join(folder, "data"))
	whole := ok(t, folder, "export").out
	for _, file := range []string{whole, whole[:100]} {
		command(t, folder, file, nil, "import", "-")
		if entries, err := os.ReadDir(temporary); err != nil || len(entries) > 0 {
			t.Errorf("left: %v, %v", entries, err)
		}
	}
	got := cli.Main(t.Context(), []string{"import", "-", "--data-dir", filepath.Join(folder, "data")}, cli.Streams{
		In: io.MultiReader(strings.NewReader(whole[:50]), brokenReader{}), Out: io.Discard, Err: io.Discard,
		Getenv: func(string) (string, bool) { return "", false },
	})
	if entries, err := os.ReadDir(temporary); got != 1 || err != nil || len(entries) > 0 {
		t.Errorf("after a broken stream: status %d, left: %v, %v", got, entries, err)
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestCopy(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	data, other := filepath.Join(folder, "data"), filepath.Join(folder, "other")
	withUsers(t, data)
	if got := report(t, ok(t, folder, "copy", "--to", other, "--dry-run", "--json")); got.Added != 2 || got.KeysLeft != 1 || got.PasswordsLeft != 1 {
		t.Errorf("dry run: %+v", got)
	}
	if _, err := os.Stat(other); err == nil {
		t.Error("the dry run made the folder")
	}
	text := ok(t, folder, "copy", "--to", other, "--verify").out
	for _, want := range []string{"2 added", "1 provider key and 1 password stayed behind", "1 user cannot log in", "0 differences", data, other} {
		if !strings.Contains(text, want) {
			t.Errorf("%q lacks %q", text, want)
		}
	}
	if store, err := sqlite.OpenReadOnly(other, sqlite.Keys(masterkey.Ring{})); err != nil {
		t.Error(err)
	} else {
		counts, err := store.Count(t.Context())
		if counts.ProviderKeys != 0 || counts.Credentials != 1 || err != nil {
			t.Errorf("without secrets the copy holds %+v, %v", counts, err)
		}
		store.Close()
	}
	got := command(t, folder, "", nil, "copy", "--to", other, "--with-secrets", "--on-conflict=skip", "--verify")
	if got.status != 1 || !strings.Contains(got.out, "1 skipped") || !strings.Contains(got.err, `1 difference between`) || !strings.Contains(got.err, `"ada"`) {
		t.Errorf("skipped and compared: %+v", got)
	}
	got = ok(t, folder, "copy", "--to", other, "--with-secrets", "--on-conflict=replace", "--verify", "--json")
	if r := report(t, got); r.Replaced != 1 || r.Unchanged != 1 || r.Differences == nil || r.Differences.Different != 0 || r.Differences.Characters != 3 {
		t.Errorf("replaced: %+v", r)
	}
	back := ok(t, folder, "copy", "--from", other, "--with-secrets", "--json")
	if r := report(t, back); r.Unchanged != 2 {
		t.Errorf("back into the configured store: %+v", r)
	}
}

// Import and copy move unknown names as they are. One note counts them. A value
// that resembles no known name may be a key in the wrong field, so it is not
// shown.
func TestImportAndCopy_CountUnknownNames(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	data, file := filepath.Join(folder, "data"), filepath.Join(folder, "e.jsonl")
	withUsers(t, data)
	change(t, data, func(store *sqlite.Store) error {
		all, err := store.UserData(t.Context(), []string{"ada", "bob"})
		if err != nil {
			return err
		}
		for _, user := range all {
			for i := range user.Characters {
				c := &user.Characters[i]
				c.Avatar, c.SceneName = "KQ-default", "Seabed"
				c.ASRAdapter, c.TTSAdapter, c.MemoryAdapter = "", "elevnlabs", "openai_memory"
				c.ClassificationAdapter, c.ConversationAdapter, c.ReactionAdapter = "openai_classification", "openai_agent", "openai_reaction"
			}
		}
		all[0].Characters[0].MemoryAdapter = secretText
		return store.PutUsers(t.Context(), all)
	})
	ok(t, folder, "export", "--out", file)
	const note = `note        4 names in characters came along unchanged, but this server does not know them: ` +
		`tts_adapter "elevnlabs" 3 times (similar to elevenlabs); memory_adapter 1 time; GET /api/v1/list_providers has the known ones` + "\n"
	for name, args := range map[string][]string{
		"copy":   {"copy", "--to", filepath.Join(folder, "copied")},
		"import": {"import", file, "--data-dir", filepath.Join(folder, "imported")},
	} {
		var rehearsed struct {
			UnknownNames json.RawMessage `json:"unknown_names"`
		}
		if err := json.Unmarshal([]byte(ok(t, folder, append(args, "--dry-run", "--json")...).out), &rehearsed); err != nil {
			t.Fatal(err)
		}
		const want = `[{"field":"tts_adapter","value":"elevnlabs","nearest":["elevenlabs"],"count":3},{"field":"memory_adapter","count":1}]`
		var compact bytes.Buffer
		if err := json.Compact(&compact, rehearsed.UnknownNames); err != nil || compact.String() != want {
			t.Errorf("%s: the JSON has %s, error %v, want %s", name, compact.String(), err, want)
		}
		if text := ok(t, folder, args...).out; strings.Count(text, note) != 1 || strings.Count(text, "elevnlabs") != 1 {
			t.Errorf("%s: got %s\nwant once\n%s", name, text, note)
		}
		if text := ok(t, folder, args...).out; strings.Contains(text, "does not know") {
			t.Errorf("%s: the second run wrote nothing, but says %s", name, text)
		}
	}
}

func TestCopy_Refuses(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	data := filepath.Join(folder, "data")
	withUsers(t, data)
	link := filepath.Join(folder, "link")
	if err := os.Symlink(data, link); err != nil {
		t.Skip(err)
	}
	const uri = "mongodb://ada:" + secretText + "@db.example/web"
	for _, tt := range []struct {
		want string
		args []string
	}{
		{"the same store", nil},
		{"the same store", []string{"--to", data}},
		{"the same store", []string{"--to", link}},
		{"the same store", []string{"--from", data + "/../data/", "--to", link}},
		{"the same store", []string{"--from", uri, "--to", "mongodb://db.example:27017/web?ssl=true"}},
		{"the same store", []string{"--from", "mongodb://localhost", "--to", "mongodb://127.0.0.1:27017,b:1/web"}},
		{"begins with mongodb://", []string{"--to", "redis://ada:" + secretText + "@db.example"}},
		{"names no MongoDB", []string{"--from", "mongodb://"}},
		{"percent-encoded", []string{"--to", "mongodb://ada:x/" + secretText + "@db.example/web"}},
		{"does not exist", []string{"--from", filepath.Join(folder, "none"), "--to", filepath.Join(folder, "into")}},
	} {
		refused(t, folder, tt.want, append([]string{"copy"}, tt.args...)...)
	}
	if entries, err := os.ReadDir(folder); err != nil || len(entries) != 2 {
		t.Errorf("it made %v, %v", entries, err)
	}
}
