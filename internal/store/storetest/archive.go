package storetest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"web-backend/internal/backend"
)

var archivePromises = []promise{
	{"Archive_RoundTrip", archiveRoundTrip},
	{"Archive_GivesWhatOtherMethodsStored", archiveAgrees},
	{"Archive_TextsAndIDs", archiveTexts},
	{"ExportUsers_Large", exportLarge},
	{"ExportUsers_MayBreakAndBeRepeated", exportBreak},
	{"UserData_InTheOrderAsked", userDataOrder},
	{"UsernameOwners_OfEachName", usernameOwners},
	{"Count_Everything", countAll},
}

// UserData returns the complete data of a user with count characters. Every
// other character is read-only. The password is in one of its stored forms.
func UserData(userID string, count int) backend.UserData {
	credential, config := Credential("name of "+userID, userID), UserConfig(userID)
	if count%2 == 0 {
		credential.Password = backend.NewSecret("$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaCBvZiBhIHBhc3N3b3Jk")
	}
	characters := Characters(userID, count)
	for n := range characters {
		characters[n].ReadOnly = n%2 == 1
	}
	return backend.UserData{Credential: &credential, Config: &config, Characters: characters}
}

// ArchiveUsers returns users of every kind that a store can hold.
func ArchiveUsers() []backend.UserData {
	credentialOnly, configOnly, bare := UserData("credential only", 0), UserData("config only", 2), UserData("bare", 0)
	credentialOnly.Config, configOnly.Credential = nil, nil
	bare.Config.Keys = nil
	emptyKeys := UserData("empty keys", 1)
	emptyKeys.Config.Keys = map[string]backend.Secret{}
	for _, name := range backend.ProviderKeys {
		emptyKeys.Config.Keys[name] = backend.Secret{}
	}
	decomposed := UserData("decomposed name", 1)
	decomposed.Credential.Username, decomposed.Credential.Disabled = NameForms()[0][1], true
	odd := UserData("odd zone", 1)
	odd.Config.Timezone = "Nowhere/At_All" // the original did not check it
	return []backend.UserData{
		UserData("ada", 3), credentialOnly, configOnly, bare, emptyKeys, decomposed, odd,
		UserData("many characters", 150), UserData("bob", 8), // a driver first reads 101
	}
}

// DescribeUser returns the complete data of a user as text, including secrets.
// An empty key counts as not set.
func DescribeUser(data backend.UserData) string {
	var lines []string
	if data.Credential != nil {
		lines = append(lines, describeCredential(*data.Credential))
	}
	if data.Config != nil {
		lines = append(lines, describeConfig(*data.Config))
	}
	for _, character := range data.Characters {
		lines = append(lines, fmt.Sprintf("%+v", character))
	}
	return strings.Join(lines, "\n")
}

func describeUsers(users []backend.UserData) []string {
	lines := make([]string, len(users))
	for i, user := range users {
		lines[i] = DescribeUser(user)
	}
	return lines
}

// export returns all users.
func (t *trial) export() []backend.UserData {
	t.Helper()
	users, err := collect(t.ExportUsers(t.Context()))
	t.must("export", err)
	return users
}

// wantExport checks that exactly these users are stored, in this order.
func (t *trial) wantExport(want ...backend.UserData) {
	t.Helper()
	t.wantSameUsers("export", t.export(), want)
}

func (t *trial) wantSameUsers(what string, users, want []backend.UserData) {
	t.Helper()
	got, wanted := describeUsers(users), describeUsers(want)
	if len(got) != len(wanted) {
		t.Errorf("%s: got %d users, want %d", what, len(got), len(wanted))
	}
	for i := range min(len(got), len(wanted)) {
		if got[i] != wanted[i] {
			t.Errorf("%s, user %d:\n got %s\nwant %s", what, i, brief(got[i]), brief(wanted[i]))
		}
	}
}

// another opens a second store.
func (t *trial) another() *trial {
	t.Helper()
	return &trial{t.T, t.open(t.T), t.open, t.many}
}

func archiveRoundTrip(t *trial) {
	users := ArchiveUsers()
	t.wantExport()
	t.must("put nobody", t.PutUsers(t.Context(), nil))
	t.must("put users", t.PutUsers(t.Context(), users))
	t.wantExport(users...)
	second := t.another()
	second.must("put into a second store", second.PutUsers(t.Context(), t.export()))
	second.wantExport(users...)
	second.wantContents("the way to another store", t.contents())
	second.must("put again", second.PutUsers(t.Context(), users))
	second.wantExport(users...)
}

// archiveAgrees checks that the archive methods and the other methods store and
// return the same data.
func archiveAgrees(t *trial) {
	t.mustCreateCredential("Carol", "carol")
	config, characters := t.mustCreateUser("ada", 4)
	ada := t.mustCreateCredential("Ada L.", "ada")
	t.must("delete", t.DeleteCharacter(t.Context(), characters[1].Key()))
	copied := t.mustCopy(characters[0], "copy")
	t.must("clear a key", t.UpdateUserConfig(t.Context(), "ada",
		backend.UserConfigPatch{Keys: secrets("openai_api_key", "")}))
	config.Keys["openai_api_key"] = backend.Secret{}
	want := []backend.UserData{
		{Credential: new(Credential("Carol", "carol"))},
		{Credential: &ada, Config: &config, Characters: []backend.Character{characters[0], characters[2], characters[3], copied}},
	}
	t.wantExport(want...)

	t.must("put", t.PutUsers(t.Context(), []backend.UserData{UserData("bob", 2)}))
	bob := UserData("bob", 2)
	t.wantUserConfig(*bob.Config)
	t.wantCharacters("bob", bob.Characters...)
	t.wantCredential(bob.Credential.Username, *bob.Credential)
	t.wantTokens(t.mustCreateToken("of bob", *bob.Credential))
	t.wantKind("create a user that was put", t.CreateUser(t.Context(), UserConfig("bob"), nil), backend.Exists)
	t.mustCopy(bob.Characters[0], "copy")
	t.must("delete a user that was put", t.DeleteUser(t.Context(), "bob"))
	t.wantExport(want...)
}

func archiveTexts(t *trial) {
	var users []backend.UserData
	for _, id := range Usernames() {
		user := UserData(id.Value, 1)
		user.Credential.Username = id.Value
		users = append(users, user)
	}
	for _, text := range Texts() {
		user := UserData("user with "+text.Name, 1)
		user.Credential.Password = backend.NewSecret(text.Value)
		user.Config.Keys["openai_api_key"] = backend.NewSecret(text.Value)
		user.Characters[0].Prompt, user.Characters[0].CharacterName = text.Value, text.Value
		users = append(users, user)
	}
	t.must("put", t.PutUsers(t.Context(), users))
	t.wantExport(users...)
}

// exportedAsListed checks that an export returns all users in the order of the
// list, with their names.
func (t *trial) exportedAsListed() {
	t.Helper()
	var got []backend.User
	for _, data := range t.export() {
		user := backend.User{UserID: data.UserID()}
		if data.Credential != nil {
			user.Username, user.Disabled = data.Credential.Username, data.Credential.Disabled
		}
		got = append(got, user)
	}
	t.wantUsers(backend.AllUsers, got...)
}

// exportLarge uses users of which only a few have more data than a store reads
// at once.
func exportLarge(t *trial) {
	prompt := strings.Repeat("長い", 150_000)
	var users []backend.UserData
	for n := range 12 {
		user := UserData(fmt.Sprint("user ", n), n%6)
		for i := range user.Characters {
			user.Characters[i].Prompt = prompt
		}
		users = append(users, user)
		t.must("put", t.PutUsers(t.Context(), users[n:]))
	}
	t.wantExport(users...)
}

func exportBreak(t *trial) {
	users := ArchiveUsers()
	t.must("put", t.PutUsers(t.Context(), users))
	sequence := t.ExportUsers(t.Context())
	for count := range len(users) {
		var got []backend.UserData
		for user, err := range sequence {
			t.must("export", err)
			if got = append(got, user); len(got) > count {
				break
			}
		}
		t.wantSameUsers("export that broke off", got, users[:count+1])
	}
}

// exportCancelled cancels the context during a long export, and checks that the
// export ends with an error.
func (t *trial) exportCancelled() {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	count := 0
	var last error
	for _, err := range t.ExportUsers(ctx) {
		if last != nil {
			t.Fatal("export went on after an error")
		}
		if last = err; err == nil {
			count++
		}
		cancel()
	}
	t.wantKind("export whose context ended", last, backend.Unavailable)
	if count == 0 || count == t.many {
		t.Errorf("export whose context ended: got %d users, want some of %d", count, t.many)
	}
	t.must("ping afterwards", t.Ping(t.Context()))
}

func userDataOrder(t *trial) {
	users := ArchiveUsers()
	t.must("put", t.PutUsers(t.Context(), users))
	slices.Reverse(users)
	ids := []string{"unknown"}
	for _, user := range users {
		ids = append(ids, user.UserID(), "nobody like "+user.UserID())
	}
	got, err := t.UserData(t.Context(), ids)
	t.must("read users", err)
	t.wantSameUsers("users that were asked for", got, users)
	got, err = t.UserData(t.Context(), nil)
	t.must("read nobody", err)
	t.wantSameUsers("nobody", got, nil)
}

func usernameOwners(t *trial) {
	t.mustCreateCredential("Do\u0308ra", "dora")
	t.mustCreateCredential("eve", "eve")
	t.must("create user without a name", t.CreateUser(t.Context(), UserConfig("carol"), nil))
	for _, c := range []struct {
		ask  []string
		want map[string]string
	}{
		{nil, map[string]string{}},
		{[]string{"nobody", "carol", "Eve", "dora"}, map[string]string{}},
		{[]string{"nobody", "eve", "D\u00f6ra"}, map[string]string{"eve": "eve", "D\u00f6ra": "dora"}},
		{[]string{"Do\u0308ra"}, map[string]string{"D\u00f6ra": "dora"}},
	} {
		got, err := t.UsernameOwners(t.Context(), c.ask)
		if err != nil || !maps.Equal(got, c.want) {
			t.Errorf("owners of %+q: got %+q, error %v, want %+q", c.ask, got, err, c.want)
		}
	}
}

func countAll(t *trial) {
	wantCounts := func(want backend.Counts) {
		t.Helper()
		if got, err := t.Count(t.Context()); err != nil || got != want {
			t.Errorf("counts: got %+v, error %v, want %+v", got, err, want)
		}
	}
	wantCounts(backend.Counts{})
	var want backend.Counts
	users := ArchiveUsers()
	t.must("put", t.PutUsers(t.Context(), users))
	for _, user := range users {
		want.Users++
		want.Characters += int64(len(user.Characters))
		if user.Credential != nil {
			want.Credentials++
		}
		if user.Config == nil {
			continue
		}
		want.Configs++
		for _, key := range user.Config.Keys {
			if key.IsSet() {
				want.ProviderKeys++
			}
		}
	}
	wantCounts(want)
	for _, user := range users {
		t.must("delete", t.DeleteUser(t.Context(), user.UserID()))
	}
	wantCounts(backend.Counts{})
}
