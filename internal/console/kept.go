package console

import (
	"net/http"
	"slices"
	"strings"
)

// keptForms are the paths of actions whose forms contain text that a person has
// typed, but no secret. If such an action fails, for instance because the
// session has ended, the error page shows the prompt and can send the form
// again.
var keptForms = []string{
	"users/{user}/characters/{character}", "users/{user}/characters/{character}/changes", "users/{user}/time-zone",
}

// maxKeptForms is how many such pages are made at the same time. There is a
// limit because they are made for people who are not signed in. Further
// requests get a page without the form.
const maxKeptForms = 8

// keptForm is a form that a page can send again.
type keptForm struct {
	Action string // relative to the page
	Fields map[string]string
}

// admitForm is like admit, for a page that may have such a form. done must be
// called after the response.
func (v *visit) admitForm(p page) (done func(), err error) {
	done = func() {}
	err = v.admit(p.level)
	if err == nil || !v.keeps(p) {
		return done, err
	}
	select {
	case v.keeping <- struct{}{}:
		done = func() { <-v.keeping }
	default:
		return done, err
	}
	if fields, unread := v.formUpTo(v.options.MaxFormBytes); unread == nil {
		v.keep(fields)
	}
	return done, err
}

// keeps reports whether the form of this request may be in the page of an error.
func (v *visit) keeps(p page) bool {
	return p.method == http.MethodPost && !v.byScript() && slices.Contains(keptForms, p.path)
}

// keep puts the fields of the form into the error page.
func (v *visit) keep(fields map[string]string) {
	if len(fields) == 0 {
		return
	}
	for name, value := range fields {
		fields[name] = strings.ToValidUTF8(value, "\uFFFD")
	}
	v.kept = &keptForm{v.rootPath() + strings.TrimPrefix(v.r.URL.EscapedPath(), root+"/"), fields}
}
