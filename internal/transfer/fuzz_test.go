package transfer_test

import (
	"bytes"
	"strings"
	"testing"

	"web-backend/internal/transfer"
)

// FuzzReader checks that for any file, the Reader returns either an error of
// one line, or users that the Writer can write and that are the same when they
// are read again.
func FuzzReader(f *testing.F) {
	for _, secrets := range []bool{false, true} {
		data := users()
		data[0].Characters = data[0].Characters[:1]
		file, _ := write(f, secrets, data)
		f.Add([]byte(file), false)
	}
	for _, body := range []string{userLine, credLine, userLine + `{"kind":"character","user_id":"ada","character_id":"\ud83d\ude00","voice_speed":1e-7}` + "\n"} {
		f.Add([]byte(headLine+body), true)
		f.Add([]byte(plainHeadLine+body), true)
	}
	f.Add([]byte(headLine+`{"kind":"user","USER_ID":"a","user_id":null,"config":{"timezone":null}}`+"\n"), true)
	f.Fuzz(func(t *testing.T, file []byte, seal bool) {
		if seal { // otherwise almost no input would pass the checksum
			text := string(file)
			file = []byte(footed(text, strings.Count(text, `{"kind":"user"`), strings.Count(text, `{"kind":"character"`)))
		}
		r, got, err := read(bytes.NewReader(file))
		if err != nil {
			if strings.ContainsAny(err.Error(), "\n\r\x00") {
				t.Errorf("error %q", err)
			}
			return
		}
		var again bytes.Buffer
		wrote, err := transfer.Write(&again, r.Header(), sequence(got), nil)
		if err != nil {
			t.Fatal(err)
		}
		if totals := r.Totals(); wrote.Users != totals.Users || wrote.Characters != totals.Characters || wrote.Credentials != totals.Credentials {
			t.Errorf("read %+v, wrote %+v", totals, wrote)
		}
		_, more, err := read(&again)
		if err != nil || len(more) != len(got) {
			t.Fatalf("what was written cannot be read: %v", err)
		}
		for i := range got {
			if !same(got[i], more[i]) {
				t.Errorf("read %+v, and again %+v", got[i], more[i])
			}
		}
	})
}
