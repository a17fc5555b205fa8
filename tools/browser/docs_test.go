package browser

import (
	"slices"
	"testing"
)

// openAPI is the part of the OpenAPI document that the tests use.
type openAPI struct {
	Components struct {
		SecuritySchemes map[string]any `json:"securitySchemes"`
	} `json:"components"`
}

// Both pages find the files that they load, and the API, with and without a
// base path.

func TestDocs(t *testing.T) { eachBasePath(t, testDocs) }

func TestReDoc(t *testing.T) { eachBasePath(t, testReDoc) }

// eachBasePath runs test on a server at the root and on a server below a path.
func eachBasePath(t *testing.T, test func(*testing.T, *server)) {
	t.Helper()
	for _, variable := range []string{"WEB_BACKEND_BASE_PATH=", basePath} {
		t.Run(variable, func(t *testing.T) {
			t.Parallel()
			test(t, serve(t, variable))
		})
	}
}

func testDocs(t *testing.T, s *server) {
	t.Helper()
	tab := newTab(t)
	tab.open(s.url + "/docs")
	tab.wait(`document.querySelector("#operations-system-health")?.checkVisibility()`)

	t.Log("Try it out makes a request and shows its answer")
	tab.click("#operations-system-health .opblock-summary-control")
	tab.click("#operations-system-health .try-out__btn")
	tab.click("#operations-system-health .execute")
	tab.wait(`document.querySelector("#operations-system-health .live-responses-table tbody .response-col_status")?.innerText.startsWith("200")`)
	tab.wait(`document.querySelector("#operations-system-health .live-responses-table tbody .response-col_description")?.innerText.includes('"OK"')`)

	t.Log("fields stand in the order of the document, not of the alphabet")
	tab.click("#operations-characters-update_character_tts .opblock-summary-control")
	tab.wait(`/user_id[^]+character_id[^]+tts_adapter[^]+voice[^]+voice_speed/.test(document.querySelector("#operations-characters-update_character_tts .body-param__example")?.innerText)`)

	document := decode[openAPI](t, s, "/openapi.json", nil)
	if len(document.Components.SecuritySchemes) > 0 {
		t.Log("Authorize opens its dialog")
		tab.click(".auth-wrapper .btn.authorize")
		tab.wait(`document.querySelector(".dialog-ux .modal-ux .auth-container")?.checkVisibility()`)
	} else if evaluate[bool](tab, `document.querySelector(".btn.authorize") !== null`) {
		t.Error("there is an Authorize button, though the document has no security schemes")
	}

	tab.quiet(s.url)
	tab.asked(s.url+"/openapi.json", s.url+"/docs/swagger-ui-bundle.js", s.url+"/health")
	tab.policyHolds()
}

func testReDoc(t *testing.T, s *server) {
	t.Helper()
	tab := newTab(t)
	tab.open(s.url + "/redoc")
	// The page shows only what is in view. Scrolling shows the rest.
	tab.wait(`(scrollBy(0, 100), /(GET|POST)\s+\/api\/v1\/[a-z_]+/.test(document.querySelector("#redoc")?.innerText))`)
	tab.quiet(s.url)
	tab.asked(s.url+"/openapi.json", s.url+"/redoc/redoc.standalone.js")
	tab.policyHolds()
}

// asked checks that the page made these requests. This shows that the test
// would also have seen other requests.
func (b *tab) asked(addresses ...string) {
	b.t.Helper()
	requests := b.now().requests
	for _, address := range addresses {
		if !slices.Contains(requests, address) {
			b.t.Errorf("the page made the requests %q, want %s among them", requests, address)
		}
	}
}
