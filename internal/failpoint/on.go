//go:build failpoints

package failpoint

import (
	"os"
	"strconv"
	"strings"
	"sync/atomic"
)

// Variable names the environment variable that says where the program ends:
// POINT:N for the N-th time that it comes there, from 1.
const Variable = "WEB_BACKEND_FAILPOINT"

var (
	chosen, left = parse(os.Getenv(Variable))
	hits         atomic.Int64
)

func parse(text string) (Point, int64) {
	name, count, _ := strings.Cut(text, ":")
	n, _ := strconv.ParseInt(count, 10, 64)
	return Point(name), n
}

// Hit ends the process as SIGKILL does if this is where it should end: nothing
// deferred runs, and nothing that is in its memory gets out.
func Hit(point Point) {
	if point != chosen || hits.Add(1) != left {
		return
	}
	self, err := os.FindProcess(os.Getpid())
	if err == nil {
		err = self.Kill()
	}
	if err != nil {
		panic(err)
	}
	select {} // the signal is on its way; nothing may happen after this moment
}
