package storetest

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"web-backend/internal/backend"
)

// Character returns the n-th character of a user, as a client might have stored
// it. It is not read-only. Each of its other fields has a different value.
func Character(userID string, n int) backend.Character {
	looks := []struct{ name, scene, avatar, voice, adapter string }{
		{"Mira", "vast", "KQ-default", "Rachel", "elevenlabs"},
		{"凌星", "seabed", "FNN-default", "zh_female_shuangkuaisisi_moon_bigtts", "huoshan_icl"},
		{"Aoife O'Hara", "street", "HT-default", "alloy", "sensenova"},
		{"Renée 🌙", "black", "KL-default", "wenroutongtong", "softsugar"},
	}
	look := looks[n%len(looks)]
	step := int32(n)
	c := backend.Character{
		UserID:         userID,
		CharacterID:    uuid.NewSHA1(uuid.NameSpaceOID, fmt.Appendf(nil, "%d/%s", n, userID)).String(),
		CharacterName:  fmt.Sprintf("%s %d", look.name, n),
		CreateDatatime: fmt.Sprintf("2025-09-26 14:49:13,%03d", n%1000),
		SceneName:      look.scene,
		TTSAdapter:     look.adapter, Voice: look.voice, VoiceSpeed: 1.1 + float64(n)/10,
		Avatar: look.avatar, ASRAdapter: "openai_realtime",
		ClassificationAdapter: "openai_classification", ClassificationModelOverride: fmt.Sprintf("gpt-4.1-nano-%d", n),
		ConversationAdapter: "openai_agent", ConversationModelOverride: fmt.Sprintf("gpt-4.1-%d", n),
		Prompt:          prompt(look.name, n),
		ReactionAdapter: "openai_reaction", ReactionModelOverride: fmt.Sprintf("gpt-4.1-mini-%d", n),
		MemoryAdapter: "sensenova_memory", MemoryModelOverride: fmt.Sprintf("SenseNova-V6-5-Turbo-%d", n),
		AcquaintanceThreshold: 101 + step, FriendThreshold: 102 + step, SituationshipThreshold: 103 + step,
		LoverThreshold: 104 + step, NeutralThreshold: 105 + step, HappinessThreshold: 106 + step,
		SadnessThreshold: 107 + step, FearThreshold: 108 + step, AngerThreshold: 109 + step,
		DisgustThreshold: 110 + step, SurpriseThreshold: 111 + step, ShynessThreshold: 112 + step,
	}
	setOtherFields(&c, n)
	return c
}

// setOtherFields gives each field that is not set a value of its own, so that a
// new field needs no line above. A bool stays false, and the
// caller chooses UserID.
func setOtherFields(c *backend.Character, n int) {
	for field, value := range reflect.ValueOf(c).Elem().Fields() {
		if !value.IsZero() || field.Name == "UserID" {
			continue
		}
		switch number := 1000*(field.Index[0]+1) + n; value.Kind() {
		case reflect.String:
			value.SetString(fmt.Sprintf("%s %d", field.Name, n))
		case reflect.Int32:
			value.SetInt(int64(number))
		case reflect.Float64:
			value.SetFloat(float64(number))
		}
	}
}

func prompt(name string, n int) string {
	return fmt.Sprintf(`# %s, %d
You are "%s". You keep a lighthouse; you like <i>rain</i>, tea & people who're late.
- Never say you are a model; if asked: 「我只是守灯人」.
- {user_name} may call you "captain". 🫖`, name, n, name)
}

// Characters returns the first count characters of a user. Their ids are not in
// the order of their numbers.
func Characters(userID string, count int) []backend.Character {
	characters := make([]backend.Character, count)
	for n := range characters {
		characters[n] = Character(userID, n)
	}
	return characters
}

// UserConfig returns a config as a user might have stored it: a time zone other
// than the default and some provider keys.
func UserConfig(userID string) backend.UserConfig {
	return backend.UserConfig{UserID: userID, Timezone: "Europe/Berlin", Keys: map[string]backend.Secret{
		"openai_api_key":     backend.NewSecret("sk-proj-4Qv_test-of-" + userID),
		"elevenlabs_api_key": backend.NewSecret("xi-9f21"),
		"huoshan_app_id":     backend.NewSecret("7046529182"),
	}}
}

// Credential returns a credential as an old client stored it, with a plain
// password.
func Credential(username, userID string) backend.Credential {
	return backend.Credential{Username: username, Password: backend.NewSecret("correct horse"), UserID: userID}
}

// tokenBirth is the creation time of the suite's tokens. It is in another
// century, so that no store considers the tokens expired by its clock.
var tokenBirth = time.Date(2101, time.March, 4, 5, 6, 7, 891_000_000, time.UTC)

// Token returns a token of a user that is valid for a day from tokenBirth on.
// text is the text of the token.
func Token(text, userID string) backend.Token {
	return backend.Token{
		Hash: backend.HashToken(backend.NewSecret(text)), UserID: userID,
		CreatedAt: tokenBirth, ExpiresAt: tokenBirth.Add(24 * time.Hour),
	}
}

// TokenTime returns a time at which the tokens of [Token] are valid.
func TokenTime() time.Time { return tokenBirth.Add(time.Hour) }

// OldCharacterDocument is a character as the first generation stored it. It
// does not have the fields that were added later: read_only, voice_speed, the
// overrides and the thresholds.
const OldCharacterDocument = `{"user_id":"7d2c…/ada","character_id":"c-1","character_name":"凌星",` +
	`"create_datatime":"2025-06-30 09:05:00,007","scene_name":"vast","tts_adapter":"huoshan","voice":"zh_female",` +
	`"avatar":"KQ-default","asr_adapter":"openai_realtime","classification_adapter":"openai_classification",` +
	`"conversation_adapter":"openai_agent","prompt":"You keep a lighthouse.","reaction_adapter":"openai_reaction",` +
	`"memory_adapter":"sensenova_memory"}`

// Text is a text that a faulty store might change, cut off or interpret.
type Text struct{ Name, Value string }

// Texts returns texts that must be stored byte for byte. None of them is empty.
func Texts() []Text {
	return []Text{
		{"quotes", `"double" 'single' ` + "`back`" + ` \ \\ \n \u0041 /`},
		{"line ends", "a\nb\r\nc\rd\te\u2028f\u2029g\u0085h"},
		{"control characters", "\x01\x08\x0b\x1b[31m\x1f\x7f"},
		{"emoji", "👩‍👩‍👧‍👦 🏳️‍🌈 👍🏽 💩"},
		{"composed accent", "é"},
		{"combining accent", "e\u0301"},
		{"four bytes", "𝔘𠀀𐍈\U0010ffff"},
		{"right to left", "\u202eمرحبا\u202c שלום"},
		{"replacement and no characters", "\ufffd\ufffe\uffff\ufeff"},
		{"markup", `<script>alert("&amp;")</script>`},
		{"query operator", "$ne"},
		{"query document", `{"$gt":""}`},
		{"field path", "a.b.$.c"},
		{"SQL", `'; DROP TABLE users; --`},
		{"SQL pattern", `%_*?[a-z]`},
		{"outer spaces", " \u00a0 leading and trailing \t\n"},
		{"one space", " "},
		{"format verbs", "%s %d %v %%"},
		{"word null", "null"},
		{"number", "007"},
		{"same number", "7"},
		{"upper case", "ADA"},
		{"lower case", "ada"},
		{"100 KB", strings.Repeat("A long prompt, 长提示词 🫖\n", 3400)},
	}
}

// IDs returns ids and names that must work, for users and characters alike.
func IDs() []Text {
	short := func(text Text) bool { return len(text.Value) < 1000 }
	ids := []Text{
		{"UUID", "9a4b5f6e-6f3c-4a57-9d0b-6d8d0c6b8a11"},
		{"slash", "a/b"},
		{"escaped slash", "a%2Fb"},
		{"escaped slash in lower case", "a%2fb"},
		{"only a slash", "/"},
		{"parent folder", ".."},
		{"path", "../../etc/passwd"},
		{"dot", "."},
		{"dollar", "$id"},
		{"inner space", "a b"},
		{"plus", "a+b"},
		{"query", "?a=b&c#d"},
		{"10,000 characters", strings.Repeat("長", 10_000)},
	}
	for _, text := range Texts() {
		if short(text) {
			ids = append(ids, text)
		}
	}
	return ids
}

// Usernames returns the texts of [IDs] that are different user names, and that
// people would not confuse with each other.
func Usernames() []Text {
	seen := make(map[string]bool)
	return slices.DeleteFunc(IDs(), func(name Text) bool {
		key := backend.NameKey(name.Value)
		again := seen[key]
		seen[key] = true
		return again
	})
}

// AlikeNames returns user names that people would confuse with each other. The
// last four are names of accounts that older servers created.
func AlikeNames() []string {
	return []string{"anna \u00e9", "Anna \u00e9", "ANNA \u00c9", "ANNA E\u0301",
		"\uff21nna \u00e9", "anna  \u00e9", " anna \u00e9", "an\u200bna \u00e9"}
}

// NameForms returns user names, each in several forms. The forms have different
// code points but look the same, so they are the same name.
func NameForms() [][]string {
	return [][]string{
		{"Ren\u00e9e", "Rene\u0301e"},
		{"\u00c5sa", "A\u030asa", "\u212bsa"},                    // the last is the angstrom sign
		{"\ud55c\uae00", "\u1112\u1161\u11ab\u1100\u1173\u11af"}, // Hangul as syllables and as letters
		{"q\u0323\u0307", "q\u0307\u0323"},                       // marks below and above, in both orders
	}
}
