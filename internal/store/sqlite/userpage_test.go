package sqlite_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ncruces/go-sqlite3"

	"web-backend/internal/backend"
	"web-backend/internal/store/sqlite"
)

// A page begins with a search in an index that is in the order of the page, so
// its time does not depend on the number of users.
func TestUserPage_UsesAnIndex(t *testing.T) {
	t.Parallel()
	store := openStore(t, t.TempDir())
	for order, want := range map[backend.UserOrder]string{
		backend.ByCreation: "SEARCH users USING INTEGER PRIMARY KEY (rowid>?)",
		backend.ByName:     "SEARCH users USING INDEX users_by_name_key (name_key>?)",
		backend.ByID:       "SEARCH users USING INDEX sqlite_autoindex_users_1 (user_id>?)",
	} {
		var plan []string
		err := store.OnWriter(t.Context(), func(c *sqlite3.Conn) error {
			statement, _, err := c.Prepare("EXPLAIN QUERY PLAN " + sqlite.PageQueries[order])
			if err != nil {
				return err
			}
			for statement.Step() {
				plan = append(plan, statement.ColumnText(3))
			}
			return statement.Close()
		})
		if got := strings.Join(plan, "; "); err != nil || got != want {
			t.Errorf("order %d: got the plan %q, error %v, want %q", order, got, err, want)
		}
	}
}

// BenchmarkFindUsers finds one page among few and many users. It must not take
// longer among many.
func BenchmarkFindUsers(b *testing.B) {
	for _, users := range []int{1000, 100_000} {
		dir := b.TempDir()
		fillWithKeys(b, dir, users)
		service := backend.New(openStore(b, dir), backend.Options{})
		for _, text := range []string{"", "user 00001", "user 00", "nobody"} {
			b.Run(fmt.Sprintf("users=%d/text=%s", users, text), func(b *testing.B) {
				for b.Loop() {
					if _, err := service.FindUsers(b.Context(), backend.UserSearch{Text: text, Limit: 50}); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
