package api_test

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestAvailableProviders(t *testing.T) {
	t.Parallel()
	none := map[string]string{
		"llm": `[]`, "asr": `["zoetrope"]`, "tts": `["chatterbox","zoetrope"]`,
	}
	tests := []struct {
		name, keys    string
		llm, asr, tts string // "" for those that need no key
	}{
		{name: "no key"},
		{name: "openai", keys: `"openai_api_key":"k"`, llm: `["openai"]`, asr: `["openai","zoetrope"]`},
		{name: "xai", keys: `"xai_api_key":"k"`, llm: `["xai"]`},
		{name: "anthropic", keys: `"anthropic_api_key":"k"`, llm: `["anthropic"]`},
		{name: "gemini", keys: `"gemini_api_key":"k"`, llm: `["gemini"]`},
		{name: "deepseek", keys: `"deepseek_api_key":"k"`, llm: `["deepseek"]`},
		{name: "sensenova", keys: `"sensenova_api_key":"k"`, llm: `["sensenova"]`},
		{name: "sensenova's other keys", keys: `"sensenova_ak":"k","sensenova_sk":"k"`},
		{name: "minimax", keys: `"minimax_api_key":"k"`, llm: `["minimax"]`},
		{name: "half of sensechat", keys: `"sensechat_ak":"k"`},
		{name: "other half of sensechat", keys: `"sensechat_sk":"k"`},
		{name: "sensechat", keys: `"sensechat_ak":"k","sensechat_sk":"k"`, llm: `["sensechat"]`},
		{name: "half of softsugar", keys: `"softsugar_app_id":"k"`},
		{
			name: "softsugar", keys: `"softsugar_app_id":"k","softsugar_app_key":"k"`,
			asr: `["softsugar","zoetrope"]`, tts: `["chatterbox","softsugar","zoetrope"]`,
		},
		{
			name: "huoshan", keys: `"huoshan_app_id":"k","huoshan_token":"k"`,
			asr: `["huoshan","zoetrope"]`, tts: `["chatterbox","huoshan","huoshan_icl","zoetrope"]`,
		},
		{name: "sense_tts", keys: `"sense_tts_api_key":"k"`},
		{name: "nova", keys: `"nova_tts_api_key":"k"`, tts: `["chatterbox","sensenova","zoetrope"]`},
		{name: "elevenlabs", keys: `"elevenlabs_api_key":"k"`, tts: `["chatterbox","elevenlabs","zoetrope"]`},
		{
			name: "several, sorted", keys: `"xai_api_key":"k","anthropic_api_key":"k","openai_api_key":"k"`,
			llm: `["anthropic","openai","xai"]`, asr: `["openai","zoetrope"]`,
		},
	}
	s := newServer(t)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			user := "user with " + test.name
			s.createUser(t, user)
			body := strings.Replace(`{"user_id":`+quote(user)+`,`+test.keys+`}`, ",}", "}", 1)
			s.exchange(t, exchange{request: "POST update_user_config", body: body, status: 200, want: noBody})
			for role, want := range map[string]string{"llm": test.llm, "asr": test.asr, "tts": test.tts} {
				if want == "" {
					want = none[role]
				}
				s.exchange(t, exchange{
					request: "GET get_available_" + role + "/" + segment(user), status: 200, want: `{"options":` + want + `}`,
				})
			}
		})
	}
}

func TestAvailableProviders_UnknownUser(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	for _, role := range []string{"llm", "asr", "tts"} {
		s.run(t, exchange{
			name: role, request: "GET get_available_" + role + "/nobody", status: 404,
			want: failure(404, `user "nobody" does not exist`),
		})
	}
}

func TestMissingSecrets(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.withUser(t)
	update := func(what, fields string) exchange {
		return exchange{
			name: "set " + what, request: "POST update_character_" + what,
			body: `{"user_id":"ada","character_id":"$own",` + fields + `}`, status: 200, want: noBody,
		}
	}
	setKeys := func(keys string) exchange {
		return exchange{
			name: "set keys", request: "POST update_user_config", body: `{"user_id":"ada",` + keys + `}`, status: 200,
		}
	}
	missing := func(name, llm, tts, asr string) exchange {
		return exchange{
			name: name, request: "GET get_missing_secrets/ada/$own", status: 200,
			want: `{"llm_requirements":` + llm + `,"tts_requirements":` + tts + `,"asr_requirements":` + asr + `}`,
		}
	}
	s.run(
		t,
		missing("the first default character", `["openai_api_key"]`, `[]`, `["openai_api_key"]`),
		setKeys(`"openai_api_key":"k"`),
		missing("its key is set", `[]`, `[]`, `[]`),
		setKeys(`"openai_api_key":""`),
		missing("its key is cleared", `["openai_api_key"]`, `[]`, `["openai_api_key"]`),
		update("conversation", `"conversation_adapter":"sensechat_agent"`),
		update("reaction", `"reaction_adapter":"anthropic"`),
		update("memory", `"memory_adapter":"xai_memory_of_old"`),
		update("classification", `"classification_adapter":"unheard_of"`),
		update("tts", `"tts_adapter":"huoshan_icl","voice":""`),
		update("asr", `"asr_adapter":"softsugar"`),
		missing("sorted, of all four adapters, none for an unknown provider",
			`["anthropic_api_key","sensechat_ak","sensechat_sk","xai_api_key"]`,
			`["huoshan_app_id","huoshan_token"]`, `["softsugar_app_id","softsugar_app_key"]`),
		setKeys(`"sensechat_sk":"k","huoshan_app_id":"k","softsugar_app_key":"k"`),
		missing("the rest of the keys", `["anthropic_api_key","sensechat_ak","xai_api_key"]`,
			`["huoshan_token"]`, `["softsugar_app_id"]`),
		update("asr", `"asr_adapter":""`),
		update("tts", `"tts_adapter":"_huoshan","voice":""`),
		update("reaction", `"reaction_adapter":"OpenAI_agent"`),
		update("memory", `"memory_adapter":"zoetrope"`),
		missing("providers of another role or case need nothing", `["sensechat_ak"]`, `[]`, `[]`),
		exchange{
			name: "a read-only character", request: "GET get_missing_secrets/ada/$readonly", status: 200,
			want: `{"llm_requirements":["openai_api_key"],"tts_requirements":[],"asr_requirements":["openai_api_key"]}`,
		},
		exchange{
			name: "unknown character", request: "GET get_missing_secrets/ada/nothing", status: 404,
			want: noSuchCharacter("ada", "nothing"),
		},
		exchange{
			name: "unknown user", request: "GET get_missing_secrets/nobody/$own", status: 404,
			want: noSuchCharacter("nobody", s.names["own"]),
		},
	)
}

// Every default character can be used once the keys that it asks for are set.
func TestMissingSecrets_DefaultCharacters(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.createUser(t, "ada")
	for _, id := range s.characterIDs(t, "ada") {
		request := "GET get_missing_secrets/ada/" + id
		var missing map[string][]string
		s.decode(t, exchange{request: request, status: 200}, &missing)
		keys := map[string]string{"user_id": "ada"}
		for _, names := range missing {
			for _, name := range names {
				keys[name] = "k"
			}
		}
		body, err := json.Marshal(keys)
		if err != nil {
			t.Fatal(err)
		}
		s.exchange(t, exchange{request: "POST update_user_config", body: string(body), status: 200, want: noBody})
		s.exchange(t, exchange{
			request: request, status: 200, want: `{"llm_requirements":[],"tts_requirements":[],"asr_requirements":[]}`,
		})
	}
}
