package storetest

import (
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"
	"strings"
	"testing"

	"web-backend/internal/backend"
)

// importPromises are the promises of [backend.Import]. They depend on the
// promises of the store.
var importPromises = []promise{
	{"Import_WithoutSecrets", importWithoutSecrets},
	{"Import_KeepsLoginsThatTheSourceLacks", importWithoutLogins},
	{"Import_NamesWithinABatch", importNames},
	{"Import_AUserTwice", importTwice},
	{"Import_RefusesWhatIsInvalid", importInvalid},
	{"Import_StopsAtAnErrorOfTheSource", importSourceFails},
}

// RunImportRules checks the rules of [backend.Import] that do not depend on the
// store, so one store is enough. They are about users that are already stored,
// and about more users than one batch. open is the same as for [Run].
func RunImportRules(t *testing.T, open func(t *testing.T) backend.Store) {
	t.Helper()
	for _, p := range []promise{
		{"StoredUsers", importConflicts},
		{"ManyBatchesAndAgain", importAll},
		{"GoesOnWhereItBrokeOff", importGoesOn},
	} {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			p.check(&trial{T: t, Store: open(t), open: open})
		})
	}
}

var lockedPassword = backend.NewSecret("the hash of a password that nobody knows")

// source returns a sequence of users to import.
func source(users ...backend.UserData) iter.Seq2[backend.UserData, error] {
	return func(yield func(backend.UserData, error) bool) {
		for _, user := range users {
			if !yield(user, nil) {
				return
			}
		}
	}
}

func (t *trial) imports(o backend.ImportOptions, users ...backend.UserData) (backend.ImportReport, error) {
	o.LockedPassword = lockedPassword
	return backend.Import(t.Context(), t.Store, source(users...), o)
}

// outcome has the expected result for a user, one letter for each of the
// policies skip, replace and fail. A is added, U unchanged, R replaced, S
// skipped, N not replaced (rejected), E an error.
type outcome string

func (o outcome) of(policy backend.OnConflict) byte { return o[policy] }

var importStates = []struct {
	name                  string
	change                func(stored *backend.UserData) // applied to the imported user
	secrets, secretsUnset outcome
}{
	{"nothing", func(u *backend.UserData) { *u = backend.UserData{} }, "AAA", "AAA"},
	{"the same", func(*backend.UserData) {}, "UUU", "UUU"},
	{"credential only", func(u *backend.UserData) { u.Config, u.Characters = nil, nil }, "AAA", "AAA"},
	{"config only", func(u *backend.UserData) { u.Credential = nil }, "AAA", "AAA"},
	{"another password", func(u *backend.UserData) { u.Credential.Password = backend.NewSecret("other") }, "SRE", "UUU"},
	{"another key", func(u *backend.UserData) { u.Config.Keys = secrets("xai_api_key", "other") }, "SRE", "UUU"},
	{"no keys", func(u *backend.UserData) { u.Config.Keys = nil }, "SRE", "UUU"},
	{"empty keys besides", func(u *backend.UserData) { u.Config.Keys["xai_api_key"] = backend.Secret{} }, "UUU", "UUU"},
	{"another password and no config", func(u *backend.UserData) {
		u.Credential.Password = backend.NewSecret("other")
		u.Config, u.Characters = nil, nil
	}, "SRE", "AAA"},
	{"another name", func(u *backend.UserData) { u.Credential.Username = "other" }, "SRE", "SRE"},
	{"another form of the name", func(u *backend.UserData) { u.Credential.Username = NameForms()[0][0] }, "SRE", "SRE"},
	{"another zone", func(u *backend.UserData) { u.Config.Timezone = "Asia/Tokyo" }, "SRE", "SRE"},
	{"another zone, no credential", func(u *backend.UserData) { u.Config.Timezone, u.Credential = "Asia/Tokyo", nil }, "SRE", "SRE"},
	{"another character", func(u *backend.UserData) { u.Characters[1].Prompt = "other" }, "SRE", "SRE"},
	{"a character less", func(u *backend.UserData) { u.Characters = u.Characters[:1] }, "SRE", "SRE"},
	{"a character more", func(u *backend.UserData) { u.Characters = append(u.Characters, Character("ada", 9)) }, "SRE", "SRE"},
	{"another order", func(u *backend.UserData) { slices.Reverse(u.Characters) }, "SRE", "SRE"},
}

// importUser returns the user that importConflicts imports.
func importUser() backend.UserData {
	user := UserData("ada", 3)
	user.Credential.Username = NameForms()[0][1]
	return user
}

func importConflicts(t *trial) {
	for _, state := range importStates {
		for _, policy := range []backend.OnConflict{backend.SkipConflicts, backend.ReplaceConflicts, backend.FailOnConflict} {
			for _, withSecrets := range []bool{true, false} {
				want := state.secrets
				if !withSecrets {
					want = state.secretsUnset
				}
				t.importConflict(state.name, state.change, backend.ImportOptions{OnConflict: policy, Secrets: withSecrets}, want.of(policy))
			}
		}
	}
	t.importNameTaken()
}

// importConflict imports one user into one state of the store, twice.
func (t *trial) importConflict(name string, change func(*backend.UserData), o backend.ImportOptions, want byte) {
	t.Helper()
	what := fmt.Sprintf("%s, policy %d, secrets %v", name, o.OnConflict, o.Secrets)
	stored := importUser()
	change(&stored)
	before := []backend.UserData{}
	if stored.UserID() != "" {
		before = []backend.UserData{stored}
	}
	t.must(what, t.PutUsers(t.Context(), before))
	t.wantImport(what, o, want, importUser())

	after := before
	if want == 'A' || want == 'R' {
		after = []backend.UserData{importUser()}
		if !o.Secrets {
			withSecretsOf(&after[0], stored)
		}
	}
	got, err := t.UserData(t.Context(), []string{"ada"})
	t.must(what, err)
	t.wantSameUsers(what, got, after)
	if want == 'A' || want == 'R' {
		want = 'U'
	}
	t.wantImport(what+", again", o, want, importUser())
	got, err = t.UserData(t.Context(), []string{"ada"})
	t.must(what, err)
	t.wantSameUsers(what+", again", got, after)
	if len(after) > 0 {
		t.must(what, t.DeleteUser(t.Context(), "ada"))
	}
}

// withSecretsOf changes user to the expected result of an import without
// secrets.
func withSecretsOf(user *backend.UserData, stored backend.UserData) {
	user.Credential.Password, user.Config.Keys = lockedPassword, nil
	if stored.Credential != nil {
		user.Credential.Password = stored.Credential.Password
	}
	if stored.Config != nil {
		user.Config.Keys = stored.Config.Keys
	}
}

// wantImport imports one user and checks the report.
func (t *trial) wantImport(what string, o backend.ImportOptions, want byte, user backend.UserData) {
	t.Helper()
	report, err := t.imports(o, user)
	counts := map[byte]int64{'A': report.Added, 'U': report.Unchanged, 'R': report.Replaced, 'S': report.Skipped, 'N': report.Refused}
	if want == 'E' {
		t.wantKind(what, err, backend.Exists)
		if err != nil && !strings.Contains(err.Error(), `"`+user.UserID()+`"`) || report.Users() != 0 {
			t.Errorf("%s: got error %v, report %+v, want an error that names the user, and nobody", what, err, report)
		}
		return
	}
	if err != nil || report.Users() != 1 || counts[want] != 1 {
		t.Errorf("%s: got %+v, error %v, want one of %c", what, report, err, want)
	}
	if conflict := strings.ContainsRune("RSN", rune(want)); conflict != slices.Equal(report.Conflicts, []string{user.UserID()}) {
		t.Errorf("%s: got conflicts %q", what, report.Conflicts)
	}
}

// importNameTaken imports users whose name belongs to another user.
func (t *trial) importNameTaken() {
	owner := UserData("owner", 1)
	owner.Credential.Username = NameForms()[0][0]
	configOnly := importUser()
	configOnly.Credential = nil
	renamed := importUser()
	renamed.Credential.Username = "other"
	for _, before := range [][]backend.UserData{{owner}, {owner, configOnly}, {owner, renamed}} {
		t.must("put", t.PutUsers(t.Context(), before))
		for policy, want := range []byte("SNE") {
			for _, withSecrets := range []bool{true, false} {
				o := backend.ImportOptions{OnConflict: backend.OnConflict(policy), Secrets: withSecrets}
				t.wantImport(fmt.Sprintf("name of another, policy %d", policy), o, want, importUser())
				t.wantExport(before...)
			}
		}
	}
}

func importAll(t *trial) {
	users := ArchiveUsers()
	for n := range 120 { // more than one batch
		user := UserData(fmt.Sprint("user ", n), 0)
		users = append(users, user)
	}
	want := backend.ImportReport{Added: int64(len(users)), FirstDifferent: users[0].UserID()}
	for _, user := range users {
		want.Characters += int64(len(user.Characters))
	}
	want.Compared = want.Characters
	for _, policy := range []backend.OnConflict{backend.SkipConflicts, backend.ReplaceConflicts, backend.FailOnConflict} {
		var last backend.ImportReport
		progress := func(r backend.ImportReport) {
			if r.Users() <= last.Users() {
				t.Errorf("progress: got %d users after %d, want more", r.Users(), last.Users())
			}
			last = r
		}
		report, err := t.imports(backend.ImportOptions{OnConflict: policy, Secrets: true, Progress: progress}, users...)
		var unknown int64 // each of these characters has a scene that is not known
		for _, name := range report.UnknownNames {
			unknown += name.Count
		}
		if unknown != want.Characters {
			t.Errorf("import: got the unknown names %v, want %d", report.UnknownNames, want.Characters)
		}
		report.UnknownNames, last.UnknownNames = nil, nil
		if got := fmt.Sprint(report); err != nil || got != fmt.Sprint(want) || fmt.Sprint(last) != got {
			t.Errorf("import: got %s, error %v, last progress %+v, want %+v", got, err, last, want)
		}
		t.wantExport(users...)
		want = backend.ImportReport{Unchanged: int64(len(users)), Compared: want.Compared} // from the second run on
	}
}

func importWithoutSecrets(t *trial) {
	if _, err := backend.Import(t.Context(), t.Store, source(UserData("ada", 1)), backend.ImportOptions{}); err == nil {
		t.Error("import without secrets and without a locked password: got no error, want one")
	}
	t.wantExport()
	users := ArchiveUsers()
	_, err := t.imports(backend.ImportOptions{}, users...)
	t.must("import", err)
	for i := range users {
		if users[i].Credential != nil {
			users[i].Credential.Password = lockedPassword
		}
		if users[i].Config != nil {
			users[i].Config.Keys = nil
		}
	}
	t.wantExport(users...)
}

// importWithoutLogins imports users without a login over a user that has one.
// An import without secrets keeps the login, an import with secrets removes it.
func importWithoutLogins(t *trial) {
	stored := UserData("ada", 2)
	t.must("put", t.PutUsers(t.Context(), []backend.UserData{stored}))
	bare := UserData("ada", 2)
	bare.Credential, bare.Config.Keys = nil, nil
	replace := backend.ImportOptions{OnConflict: backend.ReplaceConflicts}
	t.wantImport("no login, without secrets", replace, 'U', bare)
	bare.Config.Timezone, stored.Config.Timezone = "Asia/Tokyo", "Asia/Tokyo"
	t.wantImport("no login and another zone, without secrets", replace, 'R', bare)
	t.wantExport(stored)
	replace.Secrets = true
	t.wantImport("no login, with secrets", replace, 'R', bare)
	t.wantExport(bare)
}

// importNames imports users that take over each other's names within one batch.
func importNames(t *trial) {
	twins := []backend.UserData{UserData("twin 1", 1), UserData("twin 2", 1), UserData("third", 1)}
	twins[0].Credential.Username, twins[1].Credential.Username = NameForms()[0][0], NameForms()[0][1]
	_, err := t.imports(backend.ImportOptions{OnConflict: backend.FailOnConflict, Secrets: true}, twins...)
	t.wantKind("two users of one name", err, backend.Exists)
	t.wantExport()
	for policy, count := range map[backend.OnConflict]func(backend.ImportReport) int64{
		backend.SkipConflicts:    func(r backend.ImportReport) int64 { return r.Skipped },
		backend.ReplaceConflicts: func(r backend.ImportReport) int64 { return r.Refused },
	} {
		report, err := t.imports(backend.ImportOptions{OnConflict: policy, Secrets: true}, twins...)
		if err != nil || count(report) != 1 || !slices.Equal(report.Conflicts, []string{"twin 2"}) {
			t.Errorf("two users of one name, policy %d: got %+v, error %v, want the second left out", policy, report, err)
		}
		t.wantExport(twins[0], twins[2])
	}
	twins[0].Credential.Username = "given up"
	report, err := t.imports(backend.ImportOptions{OnConflict: backend.ReplaceConflicts, Secrets: true}, twins...)
	if err != nil || report.Replaced != 1 || report.Added != 1 || report.Unchanged != 1 {
		t.Errorf("a name that was given up before: got %+v, error %v, want one replaced and one added", report, err)
	}
	t.wantExport(twins[0], twins[2], twins[1])
}

func importTwice(t *trial) {
	first, second := UserData("ada", 1), UserData("ada", 2)
	report, err := t.imports(backend.ImportOptions{Secrets: true}, first, first, second)
	if err != nil || report.Added != 1 || report.Unchanged != 1 || report.Skipped != 1 {
		t.Errorf("a user thrice: got %+v, error %v, want it added, unchanged and skipped", report, err)
	}
	t.wantExport(first)
}

func importInvalid(t *trial) {
	for name, spoil := range map[string]func(*backend.UserData){
		"no id":                     func(u *backend.UserData) { u.Config.UserID, u.Credential, u.Characters = "", nil, nil },
		"nothing at all":            func(u *backend.UserData) { *u = backend.UserData{} },
		"credential of another":     func(u *backend.UserData) { u.Credential.UserID = "bob" },
		"character of another":      func(u *backend.UserData) { u.Characters[1].UserID = "bob" },
		"character twice":           func(u *backend.UserData) { u.Characters[1] = u.Characters[0] },
		"characters and no config":  func(u *backend.UserData) { u.Config = nil },
		"too many characters":       func(u *backend.UserData) { u.Characters = make([]backend.Character, backend.MaxMovedCharacters+1) },
		"NUL in the name":           func(u *backend.UserData) { u.Credential.Username = "a\x00b" },
		"no UTF-8 in the password":  func(u *backend.UserData) { u.Credential.Password = backend.NewSecret("s3cr3t\xff") },
		"NUL in a key":              func(u *backend.UserData) { u.Config.Keys["xai_api_key"] = backend.NewSecret("s3cr3t\x00") },
		"NUL in the zone":           func(u *backend.UserData) { u.Config.Timezone = "\x00" },
		"no UTF-8 in a prompt":      func(u *backend.UserData) { u.Characters[1].Prompt = "\xc3" },
		"speed that is no number":   func(u *backend.UserData) { u.Characters[1].VoiceSpeed = math.NaN() },
		"speed that is not finite":  func(u *backend.UserData) { u.Characters[1].VoiceSpeed = math.Inf(-1) },
		"key of an unknown name":    func(u *backend.UserData) { u.Config.Keys["nobody_api_key"] = backend.NewSecret("s3cr3t") },
		"NUL in a character's id":   func(u *backend.UserData) { u.Characters[0].CharacterID = "\x00" },
		"NUL in the user's own id":  func(u *backend.UserData) { *u = UserData("ada\x00", 1) },
		"no UTF-8 in the user's id": func(u *backend.UserData) { *u = UserData("ada\xff", 1) },
	} {
		user := UserData("ada", 3)
		spoil(&user)
		report, err := t.imports(backend.ImportOptions{Secrets: true}, UserData("before", 1), user, UserData("behind", 1))
		t.wantKind("import, "+name, err, backend.Invalid)
		if err != nil && (strings.Contains(err.Error(), "s3cr3t") || !strings.Contains(err.Error(), "user ")) {
			t.Errorf("import, %s: got error %q, want one that names the user and shows no secret", name, err)
		}
		if report.Users() != 0 {
			t.Errorf("import, %s: got %+v, want nothing done", name, report)
		}
		t.wantExport()
	}
}

func importSourceFails(t *trial) {
	broken := errors.New("the file ends too early")
	users := func(yield func(backend.UserData, error) bool) {
		if yield(UserData("ada", 1), nil) {
			yield(backend.UserData{}, broken)
		}
	}
	_, err := backend.Import(t.Context(), t.Store, users, backend.ImportOptions{Secrets: true})
	if !errors.Is(err, broken) {
		t.Errorf("import from a source that fails: got error %v, want its own", err)
	}
	t.wantExport()
}

// importGoesOn interrupts imports after each batch in turn. The final state is
// the same as without the interruptions.
func importGoesOn(t *trial) {
	var users []backend.UserData
	for n := range 220 { // more than two batches
		users = append(users, UserData(fmt.Sprint("user ", n), n%2))
	}
	broken := errors.New("killed")
	for count := 90; count < len(users); count += 90 {
		cut := func(yield func(backend.UserData, error) bool) {
			for _, user := range users[:count] {
				if !yield(user, nil) {
					return
				}
			}
			yield(backend.UserData{}, broken)
		}
		_, err := backend.Import(t.Context(), t.Store, cut, backend.ImportOptions{OnConflict: backend.FailOnConflict, Secrets: true})
		if !errors.Is(err, broken) {
			t.Errorf("import that broke off: got error %v, want its source's", err)
		}
	}
	report, err := t.imports(backend.ImportOptions{OnConflict: backend.FailOnConflict, Secrets: true}, users...)
	if err != nil || report.Added == 0 || report.Unchanged == 0 || report.Users() != int64(len(users)) {
		t.Errorf("import after others broke off: got %+v, error %v, want some added and some unchanged", report, err)
	}
	t.wantExport(users...)
}
