package api_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"web-backend/internal/api"
	"web-backend/internal/auth"
	"web-backend/internal/backend"
)

func TestAvailableProviders(t *testing.T) {
	t.Parallel()
	none := map[string]string{
		"llm": `[]`, "asr": `["zoetrope"]`, "tts": `["chatterbox","zoetrope"]`,
	}
	tests := []struct {
		name, keys    string
		llm, asr, tts string // "" for adapters that need no key
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

// list_providers returns all providers that get_available_* can return, with
// the same names. Setting the keys that it lists makes all of them available.
func TestListProviders(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	type provider struct {
		Name     string   `json:"name"`
		Keys     []string `json:"keys"`
		Adapters []string `json:"adapters"`
	}
	var list struct {
		LLM     []map[string]any `json:"llm"`
		ASR     []provider       `json:"asr"`
		TTS     []provider       `json:"tts"`
		Scenes  []string         `json:"scenes"`
		Avatars []string         `json:"avatars"`
	}
	got := s.exchange(t, exchange{request: "GET list_providers", status: 200, absent: []string{"null"}, contains: []string{
		`{"name":"openai","keys":["openai_api_key"],"classification_adapters":["openai_classification"],` +
			`"conversation_adapters":["openai_agent","openai_audio_agent"],"reaction_adapters":["openai_reaction"],"memory_adapters":["openai_memory"]}`,
		`{"name":"anthropic","keys":["anthropic_api_key"],"classification_adapters":[],"conversation_adapters":["anthropic_agent"],` +
			`"reaction_adapters":[],"memory_adapters":[]}`,
		`{"name":"openai","keys":["openai_api_key"],"adapters":["openai_realtime"]}`,
		`{"name":"chatterbox","keys":[],"adapters":["chatterbox"]}`,
		`"scenes":["Vast","Seabed","Ground View","Cobbled Street","Cyber Black","Green"]`,
		`"avatars":["KQ-default","FNN-default","HT-default","Ani-default","KL-default","NXD-default"]`,
	}})
	if err := json.Unmarshal([]byte(got.body), &list); err != nil {
		t.Fatal(err)
	}

	s.createUser(t, "ada")
	keys := map[string]string{"user_id": "ada"}
	for _, p := range list.LLM {
		for _, key := range p["keys"].([]any) {
			keys[key.(string)] = "k"
		}
	}
	for _, p := range slices.Concat(list.ASR, list.TTS) {
		for _, key := range p.Keys {
			keys[key] = "k"
		}
	}
	s.exchange(t, exchange{request: "POST update_user_config", body: encode(t, keys), status: 200, want: noBody})
	names := func(providers []provider) (names []string) {
		for _, p := range providers {
			names = append(names, p.Name)
		}
		return slices.Sorted(slices.Values(names))
	}
	var llm []string
	for _, p := range list.LLM {
		llm = append(llm, p["name"].(string))
	}
	slices.Sort(llm)
	for role, listed := range map[string][]string{"llm": llm, "asr": names(list.ASR), "tts": names(list.TTS)} {
		s.exchange(t, exchange{request: "GET get_available_" + role + "/ada", status: 200, want: `{"options":` + encode(t, listed) + `}`})
	}
}

// An unknown name is accepted and logged as a warning. A value that does not
// resemble a known name may be a key in the wrong field, so it is not shown.
func TestUnknownNames_AreLogged(t *testing.T) {
	t.Parallel()
	const key = "sk-proj-4dDfG7hJ"
	s := newServer(t, withOptions(func(o *api.Options) {
		o.Access.OperatorTokens = auth.NewOperatorTokens([]backend.Secret{backend.NewSecret("openai_realtim")})
	}))
	s.withUser(t)
	for _, test := range []struct{ what, fields, want string }{
		{"tts", `"tts_adapter":"elevnlabs","voice":"of my own"`, "field=tts_adapter value=elevnlabs nearest=elevenlabs"},
		{"scene", `"scene_name":"ground view"`, `field=scene_name value=ground_view nearest="Ground View"`},
		{"avatar", `"avatar":"QQ-default"`, `field=avatar value=QQ-default nearest=KQ-default`},
		{"classification", `"classification_adapter":"xai_classificatio"`, "field=classification_adapter value=xai_classificatio nearest=xai_classification"},
		{"conversation", `"conversation_adapter":"openai"`, `field=conversation_adapter value=openai nearest="openai_agent, openai_audio_agent"`},
		{"reaction", `"reaction_adapter":"openai_agent"`, "field=reaction_adapter"},
		{"memory", `"memory_adapter":"` + key + `"`, "field=memory_adapter"},
		{"asr", `"asr_adapter":"openai_realtim"`, `field=asr_adapter value=*** nearest=openai_realtime`},
	} {
		id := "unknown-" + test.what
		request := func(fields, character string, status int) {
			s.exchange(t, exchange{request: "POST update_character_" + test.what, header: http.Header{"X-Request-Id": {id}}, status: status,
				body: `{"user_id":"ada","character_id":"` + character + `",` + fields + `}`})
		}
		request(test.fields, "$own", 200)
		request(test.fields, "$readonly", 403) // nothing was changed
		if lines := linesWith(s.logLines(), "msg=\"an unknown name was set, GET /api/v1/list_providers has the known ones\" request_id="+id+" "); len(lines) != 1 ||
			!strings.Contains(lines[0], "level=WARN") || !strings.HasSuffix(lines[0], test.want+"\n") {
			t.Errorf("%s: got the lines %q, want one that ends with %s", test.fields, lines, test.want)
		}
	}
	s.duplicate(t, "ada", s.names["own"])      // has all the unknown names
	s.duplicate(t, "ada", s.names["readonly"]) // has none
	known := len(linesWith(s.logLines(), "an unknown name was set"))
	if known != 16 {
		t.Errorf("8 updates and a duplicate of their character made %d warnings, want 16", known)
	}
	for what, fields := range map[string]string{
		"tts": `"tts_adapter":"huoshan_icl","voice":"x"`, "scene": `"scene_name":"Seabed"`, "avatar": `"avatar":"KL-default"`,
		"memory": `"memory_adapter":"sensenova_memory","memory_model_override":"any"`, "asr": `"asr_adapter":""`, "name": `"character_name":"x"`,
	} {
		s.exchange(t, exchange{request: "POST update_character_" + what, status: 200, body: `{"user_id":"ada","character_id":"$own",` + fields + `}`})
	}
	log := s.stop(t)
	if got := len(linesWith(log, "an unknown name was set")); got != known {
		t.Errorf("known names made %d warnings", got-known)
	}
	if strings.Contains(log, key) {
		t.Errorf("the log shows a key:\n%s", log)
	}
}

// Every default character can be used after the keys that it requires are set.
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
