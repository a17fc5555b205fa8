package characters_test

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode"

	"web-backend/configs/characters"
	"web-backend/internal/backend"
	"web-backend/internal/masterkey"
	"web-backend/internal/store/sqlite"
)

// What the web client knows (contract §4): avatars and scenes, compared exactly,
// and provider keys that a person can set on its screens. There is none for
// sensenova_api_key.
var (
	avatars = []string{"KQ-default", "FNN-default", "HT-default", "Ani-default"}
	scenes  = []string{"Vast", "Seabed", "Ground View", "Cobbled Street", "Cyber Black", "Green"}
	keys    = []string{"openai_api_key", "deepseek_api_key", "elevenlabs_api_key", "huoshan_app_id", "huoshan_token"}
)

func all(t *testing.T) []backend.Character {
	t.Helper()
	all, err := characters.All()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// files are the paths of the character files, in the order of their names.
func files(t *testing.T) []string {
	t.Helper()
	paths, err := fs.Glob(os.DirFS("."), "*.json")
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(paths)
	return paths
}

// isChinese reports whether most of a text is.
func isChinese(text string) bool { return 2*han(text) > len([]rune(text)) }

// han counts Chinese characters.
func han(text string) (count int) {
	for _, r := range text {
		if unicode.Is(unicode.Han, r) {
			count++
		}
	}
	return count
}

func TestAll_Enough(t *testing.T) {
	t.Parallel()
	all := all(t)
	chinese, names, prompts := 0, map[string]bool{}, map[string]bool{}
	for _, c := range all {
		if isChinese(c.Prompt) {
			chinese++
		}
		names[c.CharacterName], prompts[c.Prompt] = true, true
	}
	if len(all) < 6 || chinese < 2 || len(all)-chinese < 2 {
		t.Errorf("%d characters, %d of them Chinese; want six or more, two or more of each language", len(all), chinese)
	}
	if len(names) != len(all) || len(prompts) != len(all) {
		t.Errorf("%d characters with %d names and %d prompts", len(all), len(names), len(prompts))
	}
	if paths := files(t); len(paths) != len(all) {
		t.Errorf("%d characters are embedded, the folder has %d: %q", len(all), len(paths), paths)
	}
}

// Ids of default characters are derived from their position, so the order must
// be that of the file names, whatever else changes.
func TestAll_InTheOrderOfFileNames(t *testing.T) {
	t.Parallel()
	all := all(t)
	for i, path := range files(t) {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if want, err := backend.ParseDefaultCharacter(data); err != nil || !reflect.DeepEqual(all[i], want) {
			t.Errorf("character %d is %q, want that of %s, %q: %v", i, all[i].CharacterName, path, want.CharacterName, err)
		}
	}
}

func TestAll_OfRealUse(t *testing.T) {
	t.Parallel()
	for _, c := range all(t) {
		t.Run(c.CharacterName, func(t *testing.T) {
			t.Parallel()
			// A Chinese text says in five characters what an English one says in three words.
			words := len(strings.Fields(c.Prompt))
			if isChinese(c.Prompt) {
				words = han(c.Prompt) * 3 / 5
			}
			if words < 300 || words > 900 {
				t.Errorf("the prompt has %d words, want 300 to 900", words)
			}
			if !strings.Contains(c.Prompt, strings.Fields(c.CharacterName)[0]) {
				t.Error("the prompt does not name the character")
			}
			if strings.TrimSpace(c.Prompt) != c.Prompt || strings.TrimSpace(c.CharacterName) != c.CharacterName {
				t.Error("name or prompt has white space at an end")
			}
			if unknown := c.UnknownNames(); len(unknown) > 0 {
				t.Errorf("list_providers does not have %v", unknown)
			}
			if !slices.Contains(avatars, c.Avatar) {
				t.Errorf("avatar %q is none of %q", c.Avatar, avatars)
			}
			if !slices.Contains(scenes, c.SceneName) {
				t.Errorf("scene %q is none of %q", c.SceneName, scenes)
			}
			if !c.ReadOnly || c.VoiceSpeed < 0.5 || c.VoiceSpeed > 2 {
				t.Errorf("read-only %t, voice speed %v", c.ReadOnly, c.VoiceSpeed)
			}
			for i, adapter := range []string{c.ConversationAdapter, c.ReactionAdapter, c.MemoryAdapter, c.ClassificationAdapter} {
				suffix := []string{"_agent", "_reaction", "_memory", "_classification"}[i]
				if !strings.HasSuffix(adapter, suffix) {
					t.Errorf("adapter %q does not end in %s", adapter, suffix)
				}
			}
			if stages := []int32{c.AcquaintanceThreshold, c.FriendThreshold, c.SituationshipThreshold, c.LoverThreshold}; !slices.IsSorted(stages) {
				t.Error("the thresholds of the relationship do not rise")
			}
		})
	}
}

// Every adapter is of a provider there is: somebody with the keys that the web
// client can set can use every character, and somebody without any is told what
// is missing.
func TestAll_ProvidersResolve(t *testing.T) {
	t.Parallel()
	defaults := all(t)
	store, err := sqlite.Open(t.TempDir(), sqlite.Keys(masterkey.NewRing(masterkey.Generate())))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	service := backend.New(store, backend.Options{Defaults: backend.Defaults{Characters: defaults}})
	for _, user := range []string{"with keys", "without keys"} {
		if _, err := service.CreateUser(t.Context(), user); err != nil {
			t.Fatal(err)
		}
	}
	set := map[string]backend.Secret{}
	for _, name := range keys {
		set[name] = backend.NewSecret("some key")
	}
	if err := service.UpdateUserConfig(t.Context(), "with keys", backend.UserConfigPatch{Keys: set}); err != nil {
		t.Fatal(err)
	}
	known := map[backend.ProviderRole][]string{}
	for _, role := range []backend.ProviderRole{backend.LLM, backend.ASR, backend.TTS} {
		if known[role], err = service.AvailableProviders(t.Context(), "with keys", role); err != nil {
			t.Fatal(err)
		}
	}
	check := func(c backend.Character, role backend.ProviderRole, adapters ...string) {
		for _, adapter := range adapters {
			if provider, _, _ := strings.Cut(adapter, "_"); !slices.Contains(known[role], provider) {
				t.Errorf("%s: %s adapter %q is of no provider; there are %q", c.CharacterName, role, adapter, known[role])
			}
		}
	}
	for _, c := range defaults {
		check(c, backend.LLM, c.ConversationAdapter, c.ReactionAdapter, c.MemoryAdapter, c.ClassificationAdapter)
		check(c, backend.ASR, c.ASRAdapter)
		check(c, backend.TTS, c.TTSAdapter)
	}
	for user, wantMissing := range map[string]bool{"with keys": false, "without keys": true} {
		names, err := service.CharacterNames(t.Context(), user)
		if err != nil || len(names) != len(defaults) {
			t.Fatalf("%d characters, %v", len(names), err)
		}
		for _, name := range names {
			missing, err := service.MissingSecrets(t.Context(),
				backend.CharacterKey{UserID: user, CharacterID: name.CharacterID})
			if err != nil || (len(missing.LLM) > 0) != wantMissing || !wantMissing && len(missing.TTS)+len(missing.ASR) > 0 {
				t.Errorf("%s %s: missing %v, %v", name.CharacterName, user, missing, err)
			}
		}
	}
}

// A file holds every field that a person chooses, in the order of contract §4,
// indented by two spaces, with letters rather than escapes: made to be read
// and compared.
func TestFiles_Canonical(t *testing.T) {
	t.Parallel()
	var want []string
	for field := range reflect.TypeFor[backend.Character]().Fields() {
		if name := field.Tag.Get("json"); !slices.Contains([]string{"user_id", "character_id", "create_datatime"}, name) {
			want = append(want, name)
		}
	}
	for _, path := range files(t) {
		t.Run(filepath.Base(path), func(t *testing.T) {
			t.Parallel()
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if got := fieldNames(t, data); !slices.Equal(got, want) {
				t.Errorf("fields\n got %q\nwant %q", got, want)
			}
			var compact, indented bytes.Buffer
			if err := json.Compact(&compact, data); err != nil {
				t.Fatal(err)
			}
			if err := json.Indent(&indented, compact.Bytes(), "", "  "); err != nil {
				t.Fatal(err)
			}
			if want := indented.String() + "\n"; string(data) != want {
				t.Error("the file is not indented by two spaces, with one line end last")
			}
			if bytes.Contains(data, []byte(`\u`)) || bytes.Contains(data, []byte(`\/`)) {
				t.Error("the file holds escapes that it does not need")
			}
		})
	}
}

// fieldNames are the names of an object's fields in their order.
func fieldNames(t *testing.T, data []byte) (names []string) {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(data))
	for depth, isName := 0, true; ; {
		token, err := decoder.Token()
		if err != nil {
			return names
		}
		switch token := token.(type) {
		case json.Delim:
			if depth++; depth > 2 {
				t.Fatalf("an object within the object, at byte %d", decoder.InputOffset())
			}
		case string:
			if isName {
				names = append(names, token)
			}
			isName = !isName
		default:
			isName = true
		}
	}
}
