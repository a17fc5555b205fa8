package console

import (
	"bytes"
	"embed"
	"errors"
	"html/template"
	"mime"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"

	"web-backend/internal/auth"
	"web-backend/internal/backend"
)

// policy is the Content-Security-Policy of every page. Nothing inline is
// allowed. Pico CSS has images in data URLs.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; " +
	"base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

//go:embed templates/*.html
var templateFiles embed.FS

// views are the templates by language and name of the page.
type views map[string]map[string]*template.Template

// viewNames are the pages. Each has a file in templates.
var viewNames = []string{
	"sign-in", "register", "overview", "account", "user", "character", "users", "new-user", "user-admin", "log", "motion", "configuration", "error",
}

func loadViews() views {
	all := views{}
	for _, language := range languages {
		layout := template.Must(template.New("layout.html").Funcs(template.FuncMap{
			"t": catalogues[language].text, "code": catalogues[language].withCode, "time": timeElement, "asset": assetPath,
		}).ParseFS(templateFiles, "templates/layout.html"))
		all[language] = map[string]*template.Template{}
		for _, name := range viewNames {
			all[language][name] = template.Must(template.Must(layout.Clone()).ParseFS(templateFiles, "templates/"+name+".html"))
		}
	}
	return all
}

// visit is one request.
type visit struct {
	*Console

	w        http.ResponseWriter
	r        *http.Request
	language string
	texts    catalogue
	caller   auth.Caller // set by admit if somebody is signed in
	kept     *keptForm   // set if the action failed and its form may be in the page of the error
}

func (c *Console) newVisit(w http.ResponseWriter, r *http.Request) *visit {
	v := &visit{Console: c, w: w, r: r}
	v.language = languageOf(v.cookie(languageCookie), r.Header.Get("Accept-Language"))
	v.texts = catalogues[v.language]
	return v
}

// pageError is an error that a page shows as the message with this key.
type pageError struct {
	status  int
	message string
	cause   error
}

func (e *pageError) Error() string { return e.message }
func (e *pageError) Unwrap() error { return e.cause }

// errNotSignedIn leads to the page for signing in.
var errNotSignedIn = errors.New("nobody is signed in")

// admit checks that the visitor may see a page with this level.
func (v *visit) admit(level auth.Level) error {
	if level == auth.Public {
		return nil
	}
	if err := v.identify(); err != nil {
		return err
	}
	if !v.signedIn() {
		return errNotSignedIn
	}
	if !v.may(level) {
		return &pageError{http.StatusForbidden, "forbidden", nil}
	}
	return nil
}

// signedIn reports whether somebody is signed in, after identify.
func (v *visit) signedIn() bool {
	return v.caller.Kind == auth.CallerUser || v.caller.Kind == auth.CallerOperator
}

// may reports whether the visitor may see a page with this level.
func (v *visit) may(level auth.Level) bool {
	return auth.Decide(auth.Strict, level, v.caller, v.userID()) == auth.Allow
}

// userID returns the id of the user whom the page is about, or "".
func (v *visit) userID() string { return v.r.PathValue("user") }

// errorPage is the content of the page of an error.
type errorPage struct {
	Message string // key of a message
	Kept    *keptForm
}

// fail responds with an error. A person who has typed something is not
// redirected to the page for signing in, because the text would be lost.
func (v *visit) fail(err error) {
	if errors.Is(err, errNotSignedIn) {
		if v.kept == nil && (!v.byScript() || v.r.Method == http.MethodGet) {
			_ = v.redirectToSignIn()
			return
		}
		err = &pageError{http.StatusForbidden, "session_ended", err}
	}
	shown, ok := errors.AsType[*pageError](err)
	switch {
	case ok:
	case errors.Is(err, backend.Unavailable):
		shown = &pageError{http.StatusServiceUnavailable, "store_away", err}
	default:
		shown = &pageError{http.StatusInternalServerError, "internal", err}
	}
	if shown.status >= http.StatusInternalServerError {
		v.options.Gate.NoteError(v.r.Context(), err)
	}
	if v.byScript() {
		err = v.write(shown.status, "error", "problem", shown.message)
	} else {
		err = v.show(shown.status, "error", "error_title", errorPage{shown.message, v.kept})
	}
	if err != nil {
		panic(err) // the server responds with its own error
	}
}

// redirectToSignIn leads to the page for signing in, and from there back to the
// page that was requested.
func (v *visit) redirectToSignIn() error {
	page := "sign-in"
	if next := v.nextPage(v.back(http.StatusOK)); next != "" && next != "overview" {
		page += "?next=" + url.QueryEscape(next)
	}
	if v.cookie(sessionCookie) == "" {
		return v.redirect(page)
	}
	return v.redirectDone(page, "done_session_ended")
}

// rootPath returns the path of /console/ relative to the request.
func (v *visit) rootPath() string {
	below, found := strings.CutPrefix(v.r.URL.EscapedPath(), root+"/") // an id in it may contain a slash
	if !found {
		return strings.TrimPrefix(root, "/") + "/"
	}
	return strings.Repeat("../", strings.Count(below, "/"))
}

// redirectDone is like redirect, and the page shows the message with the key
// done, which starts with "done_". If this request is about a user, it has
// changed the user.
func (v *visit) redirectDone(page, done string) error {
	if v.userID() != "" {
		v.options.Gate.NoteChange(v.r.Context(), v.userID())
	}
	separator := "?"
	if strings.Contains(page, "?") {
		separator = "&"
	}
	return v.redirect(page + separator + "done=" + strings.TrimPrefix(done, "done_"))
}

// byScript reports whether htmx has sent the request.
func (v *visit) byScript() bool { return v.r.Header.Get("Hx-Request") != "" }

// redirect sends the browser to a page, which the browser requests with GET. If
// htmx sent the request, the browser follows the redirect, and not the script.
func (v *visit) redirect(page string) error {
	if v.byScript() {
		v.w.Header().Set("Hx-Redirect", v.rootPath()+page)
		v.w.WriteHeader(http.StatusNoContent)
		return nil
	}
	v.w.Header().Set("Location", v.rootPath()+page)
	v.w.WriteHeader(http.StatusSeeOther)
	return nil
}

// view is what the templates get.
type view struct {
	Title         string // key of a message
	Subject       string // name of the user or character that the page is about, or ""
	Root          string // path of /console/ relative to the page
	Back          string // the page to which the form for preferences returns, relative to /console/
	Language      string
	OtherLanguage string
	Theme         string // light or dark; "" for that of the system
	SignedIn      bool
	Current       string // title of the item of the menu that leads here
	Menu          []menuItem
	Done          string // what the visitor has just done, as a sentence, or ""
	PasswordHint  string // how long a new password must be, as a sentence, or ""
	Content       any
}

// back returns the path of this page below /console/. For the response to a form
// it is the page with the form, or the page above it, and "" for an error.
func (v *visit) back(status int) string {
	page := strings.TrimPrefix(v.r.URL.EscapedPath(), root+"/")
	switch {
	case v.r.Method != http.MethodGet:
		if !v.isPage(page) {
			page = strings.TrimSuffix(page, "/"+path.Base(page))
		}
	case status != http.StatusOK:
		return ""
	}
	return page
}

// menu returns the items of the menu for the visitor.
func (v *visit) menu() (items []menuItem) {
	if v.caller.Kind == auth.CallerUser {
		items = append(items, menuItem{Path: userPath(v.caller.UserID), Title: "user_page"}, menuItem{Path: "account", Title: "account"})
	}
	for _, item := range menu() {
		if v.signedIn() && v.may(item.level) && (item.Path != "motion" || v.options.Motion != nil) {
			items = append(items, item)
		}
	}
	return items
}

// current returns the title of the item of the menu that leads to the page with
// this title.
func (v *visit) current(title string) string {
	if v.caller.Kind == auth.CallerOperator && (v.userID() != "" || title == "user_create") {
		return "users_list"
	}
	return title
}

// passwordHint says how long a new password must be, unless one character is
// enough.
func (v *visit) passwordHint() string {
	least := v.service.PasswordMinLength()
	if least <= 1 {
		return ""
	}
	return strings.ReplaceAll(v.texts["password_hint"], "{least}", strconv.Itoa(least))
}

// subject returns the name of what the content of a page is about, or "".
func subject(content any) string {
	const most = 60 // letters, as a tab of a browser shows fewer
	var name string
	switch content := content.(type) {
	case characterPage:
		name = content.Name
	case userPage:
		name = content.Username
	case userAdmin:
		name = content.Confirm()
	}
	return shorten(name, most)
}

// show writes a page. If it returns an error, it has written nothing.
func (v *visit) show(status int, name, title string, content any) error {
	data := view{
		Title: title, Subject: subject(content), Root: v.rootPath(), Back: v.back(status), Language: v.language, OtherLanguage: otherLanguage(v.language), Theme: v.theme(),
		SignedIn: v.signedIn(), Current: v.current(title), Menu: v.menu(), Done: v.texts["done_"+v.r.URL.Query().Get("done")],
		PasswordHint: v.passwordHint(), Content: content,
	}
	return v.write(status, name, "layout.html", data)
}

// write writes a page, or only that part of it which has its own template.
// If it returns an error, it has written nothing.
func (v *visit) write(status int, name, part string, data any) error {
	var page bytes.Buffer
	if err := v.views[v.language][name].ExecuteTemplate(&page, part, data); err != nil {
		return err
	}
	header := v.w.Header()
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Content-Language", v.language)
	header.Set("Content-Length", strconv.Itoa(page.Len()))
	header.Set("Content-Security-Policy", policy)
	// With no-referrer, browsers send "Origin: null" with forms.
	header.Set("Referrer-Policy", "same-origin")
	v.w.WriteHeader(status)
	_, _ = v.w.Write(page.Bytes()) // an error means that the client has disconnected
	return nil
}

// maxForm is the maximum size of most forms, in bytes. The longest name and
// password fit in it in any encoding.
const maxForm = 16 << 10

// form reads the form that was sent, without the query.
func (v *visit) form() (map[string]string, error) { return v.formUpTo(maxForm) }

// formUpTo is like form, for a form of at most size bytes.
func (v *visit) formUpTo(size int64) (map[string]string, error) {
	v.r.Body = http.MaxBytesReader(v.w, v.r.Body, size)
	if err := v.parseForm(size); err != nil {
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			return nil, &pageError{http.StatusRequestEntityTooLarge, "too_large", err}
		}
		return nil, &pageError{http.StatusBadRequest, "unreadable", err}
	}
	return v.sentFields(), nil
}

// sentFields returns the fields of a form that has been read.
func (v *visit) sentFields() map[string]string {
	fields := map[string]string{}
	for name := range v.r.PostForm {
		fields[name] = v.r.PostForm.Get(name)
	}
	return fields
}

// parseForm parses the form of the request. Long texts are sent as
// multipart/form-data, which does not make them longer, and stay in memory.
func (v *visit) parseForm(size int64) error {
	if mediaType, _, _ := mime.ParseMediaType(v.r.Header.Get("Content-Type")); mediaType == "multipart/form-data" {
		return v.r.ParseMultipartForm(size) //nolint:gosec // formUpTo bounds the body
	}
	return v.r.ParseForm()
}
