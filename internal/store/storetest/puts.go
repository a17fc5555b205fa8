package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"web-backend/internal/backend"
)

var putPromises = []promise{
	{"PutUsers_ReplacesWholeAndInPlace", putReplaces},
	{"PutUsers_KeepsPlacesWhenHalvesGo", putHalves},
	{"PutUsers_NameOfAnother", putNameTaken},
	{"PutUsers_NamesTakenForOne", putAlike},
	{"PutUsers_AnotherNameFreesTheOldOne", putRenamed},
	{"PutUsers_ManyInOrder", putMany},
	{"PutUsers_NamesPassedOn", putPassedOn},
	{"PutUsers_OneCharacterTwice", putCharacterTwice},
	{"PutUsers_OneUserTwice", putUserTwice},
	{"PutUsers_Tokens", putTokens},
	{"PutUsers_BrokenOffAndRepeated", putRepeated},
	{"PutUsers_ArgumentsStayTheCallers", putOwnership},
	{"Race_PutUsers_IsSeenWhole", racePutRead},
	{"Race_PutUsersAgainstCreateAndDelete", racePutCreate},
}

func putReplaces(t *trial) {
	users := []backend.UserData{UserData("ada", 3), UserData("bob", 2), UserData("carol", 1), UserData("dora", 0)}
	t.must("put", t.PutUsers(t.Context(), users))
	users[0].Characters = []backend.Character{users[0].Characters[2], Character("ada", 7), users[0].Characters[0]}
	users[1].Config.Keys = secrets("xai_api_key", "another")
	users[1].Config.Timezone = "Asia/Tokyo"
	users[1].Credential.Username = "another name"
	users[2].Characters[0].Prompt = "another"
	users[3].Characters = Characters("dora", 4)
	next, last := UserData("aaa is new", 2), UserData("a is last", 1)
	t.must("replace and add", t.PutUsers(t.Context(), []backend.UserData{users[3], next, users[1], users[2], last, users[0]}))
	t.wantExport(append(users, next, last)...)
	t.wantNoCredential("name of bob")
	t.wantCredential("another name", *users[1].Credential)
	added := UserData("name goes on", 0)
	added.Credential.Username = "name of bob"
	t.must("put a user of a name that was given up", t.PutUsers(t.Context(), []backend.UserData{added}))
}

// putHalves removes and restores credentials and configs. It covers both cases:
// the credential is older, and the config is older.
func putHalves(t *trial) {
	t.mustCreateUser("config first", 2)
	t.mustCreateCredential("name of config first", "config first")
	t.mustCreateUser("between", 0)
	t.mustCreateCredential("name of credential first", "credential first")
	t.must("set up", t.SetUpUser(t.Context(), UserConfig("credential first"), nil))
	t.mustCreateUser("last", 0)
	between, last := backend.UserData{Config: new(UserConfig("between"))}, backend.UserData{Config: new(UserConfig("last"))}
	for _, keep := range []string{"config", "credential", "config", "both", "credential", "both", "config"} {
		first, second := UserData("config first", 2), UserData("credential first", 1)
		for _, user := range []*backend.UserData{&first, &second} {
			switch keep {
			case "config":
				user.Credential = nil
			case "credential":
				user.Config, user.Characters = nil, nil
			}
		}
		t.must("keep "+keep, t.PutUsers(t.Context(), []backend.UserData{second, first}))
		t.wantExport(first, between, second, last)
		if keep == "credential" {
			t.wantNames("config first")
		}
	}
}

func putNameTaken(t *trial) {
	t.must("put", t.PutUsers(t.Context(), []backend.UserData{UserData("ada", 1), UserData("bob", 1)}))
	accented := UserData("accented", 0)
	accented.Credential.Username = NameForms()[0][0]
	t.must("put", t.PutUsers(t.Context(), []backend.UserData{accented}))
	before := t.contents("new")
	for _, name := range []string{"name of bob", NameForms()[0][0], NameForms()[0][1]} {
		for _, id := range []string{"new", "ada"} {
			user := UserData(id, 2)
			user.Credential.Username = name
			t.wantKind("put "+id+" with the name of another", t.PutUsers(t.Context(), []backend.UserData{user}), backend.Exists)
			t.wantContents("a refused put", before, "new")
		}
	}
	twins := []backend.UserData{UserData("twin 1", 0), UserData("twin 2", 0)}
	twins[0].Credential.Username, twins[1].Credential.Username = NameForms()[1][0], NameForms()[1][1]
	t.wantKind("put two users of one name", t.PutUsers(t.Context(), twins), backend.Exists)
	twins[1].Credential.Username = "free"
	t.must("put after a refusal", t.PutUsers(t.Context(), twins))
	t.wantTokens(t.mustCreateToken("of a twin", *twins[1].Credential))
}

// putAlike puts users with names that people would confuse with each other,
// both as new users and over one that registered. All of them stay, each with
// its own login. While one of them exists, no new user can get such a name.
func putAlike(t *trial) {
	names := slices.DeleteFunc(AlikeNames(), func(name string) bool { return backend.UsernameKey(name) != name })
	user := func(i int) backend.UserData {
		data := UserData(fmt.Sprintf("user %d", i), 0)
		data.Credential.Username = names[i]
		return data
	}
	t.mustCreateCredential(names[0], "user 0")
	t.mustCreateCredential("Bea", "user 1")
	var users []backend.UserData
	for i := range names {
		users = append(users, user(i))
	}
	for range 2 {
		t.must("put", t.PutUsers(t.Context(), users))
		t.wantExport(users...)
	}
	for i := range names {
		for _, data := range users[i:] {
			t.wantCredential(data.Credential.Username, *data.Credential)
		}
		for _, name := range AlikeNames() {
			err := t.CreateCredential(t.Context(), Credential(name, "new"))
			t.wantKind(fmt.Sprintf("%+q after the put", name), err, backend.Exists)
		}
		t.must("delete user", t.DeleteUser(t.Context(), users[i].UserID()))
	}
	t.mustCreateCredential(names[1], "new")
	t.mustCreateCredential("bea", "newer")
}

// putRenamed puts users with another name than the registered one, or without a
// name.
func putRenamed(t *trial) {
	t.mustCreateCredential("Ada", "ada")
	t.mustCreateCredential("Bob", "bob")
	ada, bob := UserData("ada", 0), UserData("bob", 0)
	ada.Credential.Username, bob.Credential = "Carol", nil
	t.must("put", t.PutUsers(t.Context(), []backend.UserData{ada, bob}))
	err := t.CreateCredential(t.Context(), Credential("carol", "new"))
	t.wantKind("the new name", err, backend.Exists)
	for _, name := range []string{"ada", "bob"} {
		t.mustCreateCredential(name, "new "+name)
	}
}

// putMany puts more users than a store writes at the same time.
func putMany(t *trial) {
	var users []backend.UserData
	for n := range 40 {
		users = append(users, UserData(fmt.Sprint("user ", n), n%3))
	}
	t.must("put", t.PutUsers(t.Context(), users))
	t.wantExport(users...)
}

// putPassedOn puts many users, each with the name that the previous one gives
// up. Then it puts two users with the same name: the first one gets it.
func putPassedOn(t *trial) {
	var users []backend.UserData
	for n := range 20 {
		users = append(users, UserData(fmt.Sprint("user ", n), 1))
	}
	t.must("put", t.PutUsers(t.Context(), users))
	name := "free"
	for _, user := range users {
		user.Credential.Username, name = name, user.Credential.Username
	}
	added := UserData("added", 0)
	added.Credential.Username = name
	users = append(users, added)
	t.must("pass the names on", t.PutUsers(t.Context(), users))
	t.wantExport(users...)

	twins := []backend.UserData{UserData("twin 1", 0), UserData("twin 2", 0)}
	twins[0].Credential.Username, twins[1].Credential.Username = "twin", "twin"
	t.wantKind("put two users of one name", t.PutUsers(t.Context(), twins), backend.Exists)
	if users, err := t.UserData(t.Context(), []string{"twin 2"}); err != nil || len(users) > 0 {
		t.Errorf("the second twin: got %s, error %v, want it refused", describeUsers(users), err)
	}
}

func putCharacterTwice(t *trial) {
	t.must("put", t.PutUsers(t.Context(), []backend.UserData{UserData("ada", 2)}))
	before := t.contents("new")
	for _, id := range []string{"new", "ada"} {
		user := UserData(id, 2)
		user.Characters = append(user.Characters, user.Characters[0])
		t.wantKind("put a character twice", t.PutUsers(t.Context(), []backend.UserData{user}), backend.Exists)
		t.wantContents("a refused put", before, "new")
	}
}

func putUserTwice(t *trial) {
	first, second, other := UserData("ada", 3), UserData("ada", 1), UserData("bob", 1)
	second.Credential.Username = "later name"
	t.must("put a user twice", t.PutUsers(t.Context(), []backend.UserData{first, other, second}))
	t.wantExport(second, other)
}

func putTokens(t *trial) {
	gone, changed, same, renamed := UserData("gone", 0), UserData("changed", 1), UserData("same", 1), UserData("renamed", 1)
	users := []backend.UserData{gone, changed, same, renamed}
	t.must("put", t.PutUsers(t.Context(), users))
	tokens := map[string]backend.Token{}
	for _, user := range users {
		tokens[user.UserID()] = t.mustCreateToken("of "+user.UserID(), *user.Credential)
	}
	t.must("put the same", t.PutUsers(t.Context(), users))
	t.wantTokens(tokens["gone"], tokens["changed"], tokens["same"], tokens["renamed"])

	next := []backend.UserData{UserData("gone", 0), UserData("changed", 1), UserData("same", 3), UserData("renamed", 1)}
	next[0].Credential = nil
	next[1].Credential.Password = backend.NewSecret("another")
	next[3].Credential.Username = "another name"
	t.must("put others", t.PutUsers(t.Context(), next))
	t.wantNoTokens(tokens["gone"], tokens["changed"])
	t.wantTokens(tokens["same"], tokens["renamed"])
	t.must("put the first again", t.PutUsers(t.Context(), users))
	t.wantNoTokens(tokens["gone"], tokens["changed"]) // although the password is back
	t.wantTokens(tokens["same"], tokens["renamed"])
}

// putRepeated interrupts puts at many moments and then repeats them.
func putRepeated(t *trial) {
	stored := []backend.UserData{UserData("user 1", 2), UserData("user 3", 2)}
	t.must("put", t.PutUsers(t.Context(), stored))
	var users []backend.UserData
	for n := range 40 {
		users = append(users, UserData(fmt.Sprint("user ", n), n%5))
	}
	ctx, cancel := context.WithCancel(t.Context())
	var put sync.WaitGroup
	for range 3 {
		put.Go(func() {
			if err := t.PutUsers(ctx, users); err != nil && !errors.Is(err, backend.Unavailable) {
				t.Errorf("a put that breaks off: got error %v, want none or Unavailable", err)
			}
		})
	}
	cancel()
	put.Wait()
	t.must("put again", t.PutUsers(t.Context(), users))
	want := map[string]string{}
	for _, user := range users {
		want[user.UserID()] = DescribeUser(user)
	}
	for _, user := range t.export() {
		if got := DescribeUser(user); got != want[user.UserID()] {
			t.Errorf("user %s:\n got %s\nwant %s", user.UserID(), brief(got), brief(want[user.UserID()]))
		}
		delete(want, user.UserID())
	}
	if len(want) > 0 {
		t.Errorf("after the second put %d users are missing", len(want))
	}
}

func putOwnership(t *trial) {
	users := ArchiveUsers()
	t.must("put", t.PutUsers(t.Context(), users))
	t.must("put again", t.PutUsers(t.Context(), users))
	t.wantSameUsers("arguments", users, ArchiveUsers())
	users[0].Config.Keys["xai_api_key"] = backend.NewSecret("changed later")
	users[0].Characters[0].Prompt, users[0].Credential.Username = "changed later", "changed later"
	t.wantExport(ArchiveUsers()...)
	for _, user := range t.export() {
		if user.Config != nil {
			user.Config.Keys["xai_api_key"] = backend.NewSecret("mine")
		}
	}
	t.wantExport(ArchiveUsers()...)
}

// racePutRead replaces a user with two versions in turn while others read it.
// Each read returns one of the two versions exactly as it was put.
func racePutRead(t *trial) {
	one, two := UserData("ada", 5), UserData("ada", 3)
	two.Credential.Password, two.Config.Keys = backend.NewSecret("two"), secrets("xai_api_key", "two")
	for n := range two.Characters {
		two.Characters[n].Prompt = "two"
	}
	t.must("put", t.PutUsers(t.Context(), []backend.UserData{one}))
	known := []string{DescribeUser(one), DescribeUser(two)}
	var ended atomic.Bool
	together(4, func(caller int) {
		if caller == 0 {
			for range 10 {
				t.putInTurn(two, one)
			}
			ended.Store(true)
			return
		}
		for !ended.Load() {
			var users []backend.UserData
			var err error
			if caller == 1 {
				users, err = collect(t.ExportUsers(t.Context()))
			} else {
				users, err = t.UserData(t.Context(), []string{"ada"})
			}
			if err != nil || len(users) != 1 || !slices.Contains(known, DescribeUser(users[0])) {
				t.Errorf("read while it is replaced: got %s, error %v, want one of the two", brief(describeUsers(users)), err)
			}
		}
	})
	t.wantExport(one)
}

func (t *trial) putInTurn(users ...backend.UserData) {
	t.Helper()
	for _, user := range users {
		if err := t.PutUsers(t.Context(), []backend.UserData{user}); err != nil {
			t.Errorf("put in turn: got error %v, want none", err)
		}
	}
}

// racePutCreate puts users while other calls create and remove them. In the end
// each user is complete, as one of the calls made it, or does not exist.
func racePutCreate(t *trial) {
	for round := range rounds {
		ids := []string{fmt.Sprintf("a %d", round), fmt.Sprintf("b %d", round)}
		put, made := map[string]backend.UserData{}, map[string]backend.UserData{}
		for _, id := range ids {
			config, characters := raceUser(id, 3)
			put[id], made[id] = UserData(id, 4), backend.UserData{Config: &config, Characters: characters}
		}
		together(4, func(caller int) {
			id := ids[caller%2]
			var err error
			switch {
			case caller < 2:
				err = t.PutUsers(t.Context(), []backend.UserData{put[ids[0]], put[ids[1]]})
			case round%2 == 0:
				err = t.CreateUser(t.Context(), *made[id].Config, made[id].Characters)
			default:
				err = t.DeleteUser(t.Context(), id)
			}
			if err != nil && !errors.Is(err, backend.Exists) && !errors.Is(err, backend.NotFound) {
				t.Errorf("caller %d: got error %v, want none, Exists or NotFound", caller, err)
			}
		})
		users, err := t.UserData(t.Context(), ids)
		t.must("read the users of the race", err)
		for _, user := range users {
			known := []string{DescribeUser(put[user.UserID()]), DescribeUser(made[user.UserID()])}
			if got := DescribeUser(user); !slices.Contains(known, got) {
				t.Errorf("user %s after the race: got %s, want what one caller made", user.UserID(), brief(got))
			}
		}
	}
}
