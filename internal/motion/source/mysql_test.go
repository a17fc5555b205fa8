package source_test

import (
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"web-backend/internal/backend"
	"web-backend/internal/motion/source"
)

// The tests that need a MySQL server are in tools/motion.

func TestMySQL_Unreachable(t *testing.T) {
	t.Parallel()
	const password = "a-password"
	closing, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closing.Close() })
	go func() {
		for {
			connection, err := closing.Accept()
			if err != nil {
				return
			}
			connection.Close()
		}
	}()
	for _, c := range []struct{ name, address, text string }{
		{"nobody listens", deserted(t), "connection refused"},
		{"no response", silent(t), "does not respond within 100ms"},
		{"closes", closing.Addr().String(), "the server ends the connection"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			host, port, err := net.SplitHostPort(c.address)
			if err != nil {
				t.Fatal(err)
			}
			number, err := strconv.Atoi(port)
			if err != nil {
				t.Fatal(err)
			}
			database := source.NewMySQL(source.MySQLOptions{
				Host: host, Port: number, Username: "reader", Password: backend.NewSecret(password), Database: "motion",
				Query: source.Query{Table: "motion_record", EnabledColumn: "enabled"},
			})
			database.SetReadTimeout(100 * time.Millisecond)
			for _, read := range []func() error{
				func() error { _, err := database.Read(t.Context()); return err },
				func() error { _, err := database.Fingerprint(t.Context()); return err },
			} {
				if err := read(); err == nil || !strings.Contains(err.Error(), "motion of "+c.address) || !strings.Contains(err.Error(), c.text) {
					t.Errorf("got %v, want %q", err, c.text)
				} else if strings.Contains(err.Error(), password) {
					t.Errorf("the error shows the password: %v", err)
				}
			}
		})
	}
}
