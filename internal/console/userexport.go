package console

import (
	"bytes"
	"cmp"
	"mime"
	"strconv"
)

// downloadUser sends what is stored of the user as a file, without secrets. The
// file is complete before anything is sent, so that an error is shown as a page
// and not as a part of a file.
func (v *visit) downloadUser() error {
	user, err := v.service.User(v.r.Context(), v.userID())
	if err != nil {
		return userError(err)
	}
	var file bytes.Buffer
	if err := v.options.ExportUser(v.r.Context(), &file, v.userID()); err != nil {
		return userError(err)
	}
	name := cmp.Or(fileName(user.Username), fileName(v.userID()), "user")
	header := v.w.Header()
	header.Set("Content-Type", "application/x-ndjson")
	header.Set("Content-Length", strconv.Itoa(file.Len()))
	header.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": name + ".jsonl"}))
	_, _ = v.w.Write(file.Bytes()) // an error means that the client has disconnected
	return nil
}
