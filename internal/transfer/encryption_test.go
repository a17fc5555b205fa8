package transfer_test

import (
	"bytes"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"

	"filippo.io/age"
	"filippo.io/age/armor"

	"web-backend/internal/backend"
	"web-backend/internal/transfer"
)

const passphrase = "correct horse battery staple"

// same compares users. It does not distinguish between empty and nil
// characters.
func same(a, b backend.UserData) bool {
	return reflect.DeepEqual(a.Credential, b.Credential) && reflect.DeepEqual(a.Config, b.Config) &&
		len(a.Characters) == len(b.Characters) && (len(a.Characters) == 0 || reflect.DeepEqual(a.Characters, b.Characters))
}

func encrypt(t *testing.T, text string, recipients ...age.Recipient) []byte {
	t.Helper()
	var file bytes.Buffer
	w, err := transfer.Encrypt(&file, recipients)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

func armored(t *testing.T, file []byte) []byte {
	t.Helper()
	var text bytes.Buffer
	w := armor.NewWriter(&text)
	if _, err := w.Write(file); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return text.Bytes()
}

// byPassphrase returns a passphrase recipient with a very low cost.
func byPassphrase(t *testing.T) age.Recipient {
	t.Helper()
	recipient, err := transfer.PassphraseRecipient(backend.NewSecret(passphrase))
	if err != nil {
		t.Fatal(err)
	}
	recipient.(*age.ScryptRecipient).SetWorkFactor(10)
	return recipient
}

func TestOpen(t *testing.T) {
	t.Parallel()
	file, _ := write(t, true, users())
	mine, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	other, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	recipients, err := transfer.Recipients([]string{other.Recipient().String(), " " + mine.Recipient().String() + "\n"})
	if err != nil {
		t.Fatal(err)
	}
	identities, err := transfer.Identities(strings.NewReader("# mine\n" + mine.String() + "\n"))
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	know := func(text string) func() (backend.Secret, error) {
		return func() (backend.Secret, error) { return backend.NewSecret(text), nil }
	}
	asking := errors.New("no terminal")
	forMe, secret := encrypt(t, file, recipients...), encrypt(t, file, byPassphrase(t))
	for _, tt := range []struct {
		name string
		file []byte
		keys transfer.Keys
		want error
	}{
		{"plain", []byte(file), transfer.Keys{}, nil},
		{"for me", forMe, transfer.Keys{Identities: identities}, nil},
		{"for me, armored", armored(t, forMe), transfer.Keys{Identities: identities, Passphrase: know("x")}, nil},
		{"for me, not for a stranger", forMe, transfer.Keys{Identities: []age.Identity{stranger}}, transfer.ErrNoIdentity},
		{"for me, without identity", forMe, transfer.Keys{Passphrase: know(passphrase)}, transfer.ErrNoIdentity},
		{"passphrase", secret, transfer.Keys{Passphrase: know(passphrase), Identities: identities}, nil},
		{"passphrase, armored", append([]byte("\n"), armored(t, secret)...), transfer.Keys{Passphrase: know(passphrase)}, nil},
		{"wrong passphrase", secret, transfer.Keys{Passphrase: know("guess")}, transfer.ErrWrongPassphrase},
		{"empty passphrase", secret, transfer.Keys{Passphrase: know("")}, transfer.ErrNoPassphrase},
		{"no passphrase", secret, transfer.Keys{Identities: identities}, transfer.ErrNoPassphrase},
		{"asking fails", secret, transfer.Keys{Passphrase: func() (backend.Secret, error) { return backend.Secret{}, asking }}, asking},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			lines, encrypted, err := transfer.Open(bytes.NewReader(tt.file), &tt.keys)
			if encrypted != (tt.name != "plain") || !errors.Is(err, tt.want) {
				t.Fatalf("encrypted %t, %v", encrypted, err)
			}
			if tt.want != nil {
				if strings.Contains(err.Error(), "guess") || strings.Contains(err.Error(), "\n") && !errors.Is(err, asking) {
					t.Errorf("the error is %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(lines)
			if err != nil || string(got) != file {
				t.Errorf("%d bytes, %v", len(got), err)
			}
		})
	}
}

func TestOpen_AsksOnce(t *testing.T) {
	t.Parallel()
	file := encrypt(t, "text", byPassphrase(t))
	asked := 0
	keys := &transfer.Keys{Passphrase: func() (backend.Secret, error) {
		asked++
		return backend.NewSecret(passphrase), nil
	}}
	for range 2 {
		lines, _, err := transfer.Open(bytes.NewReader(file), keys)
		if err != nil {
			t.Fatal(err)
		}
		if text, err := io.ReadAll(lines); err != nil || string(text) != "text" {
			t.Errorf("got %q, %v", text, err)
		}
	}
	if asked != 1 {
		t.Errorf("asked %d times", asked)
	}
}

func TestOpen_Damaged(t *testing.T) {
	t.Parallel()
	file, _ := write(t, true, users())
	whole := encrypt(t, file, byPassphrase(t))
	keys := &transfer.Keys{Passphrase: func() (backend.Secret, error) { return backend.NewSecret(passphrase), nil }}
	changed := bytes.Clone(whole)
	changed[len(changed)-1000] ^= 1
	for name, data := range map[string][]byte{
		"cut": whole[:len(whole)-1000], "cut in the header": whole[:50], "cut at a chunk": whole[:len(whole)-(len(whole)-200)%65552], "changed": changed,
		"extended": append(bytes.Clone(whole), 0), "cut armor": armored(t, whole)[:5000],
	} {
		lines, _, err := transfer.Open(bytes.NewReader(data), keys)
		if err == nil {
			_, _, err = read(lines)
		}
		if err == nil {
			t.Errorf("%s: it was read as if whole", name)
		}
	}
}

// letters is an endless input without line ends. It counts the bytes that are
// read.
type letters struct{ read int }

func (l *letters) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'A'
	}
	l.read += len(p)
	return len(p), nil
}

// A malicious file must not use more memory than any other file.
func TestOpen_EndlessLine(t *testing.T) {
	t.Parallel()
	const end, most = 32 << 20, 4 << 20
	for _, begin := range []string{
		"-----BEGIN AGE ENCRYPTED FILE-----\n", "-----BEGIN AGE ENCRYPTED FILE-----", "age-encryption.org/v1\n-> ", "age-encryption.org/",
	} {
		endless := &letters{}
		lines, encrypted, err := transfer.Open(io.MultiReader(strings.NewReader(begin), io.LimitReader(endless, end)), &transfer.Keys{})
		if err == nil || !encrypted || len(err.Error()) > 2000 || endless.read > most {
			t.Errorf("%q: got %v, %v, %.100v after %d bytes, want a short error before %d", begin, lines, encrypted, err, endless.read, most)
		}
	}
}

func TestKeys_AreRefusedWithoutShowingThem(t *testing.T) {
	t.Parallel()
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"", "age1x", identity.String(), identity.Recipient().String() + "\n" + identity.Recipient().String(), "ssh-ed25519 AAAA"} {
		if _, err := transfer.Recipients([]string{key}); err == nil || !strings.Contains(err.Error(), "age1…") || strings.Contains(err.Error(), "AGE-SECRET-KEY-1"+key) {
			t.Errorf("recipient %q: %v", key, err)
		}
	}
	broken := identity.String()[:60]
	sealed := encrypt(t, identity.String(), byPassphrase(t))
	for _, file := range []string{"", "# nothing\n", broken, identity.Recipient().String(), string(sealed), string(armored(t, sealed))} {
		if _, err := transfer.Identities(strings.NewReader(file)); err == nil || strings.Contains(err.Error(), broken[20:]) {
			t.Errorf("identities %q: %v", file, err)
		}
	}
	for _, short := range []string{"", "1", "eleven char", "ü-ü-ü-ü-ü-ü"} {
		_, err := transfer.PassphraseRecipient(backend.NewSecret(short))
		if err == nil || !strings.Contains(err.Error(), "of at least 12 characters") || len(short) > 1 && strings.Contains(err.Error(), short) {
			t.Errorf("a passphrase of %d bytes: got %v, want that it is too short", len(short), err)
		}
	}
}
