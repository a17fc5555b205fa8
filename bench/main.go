// Bench measures web-backend in two ways. It compares web-backend with the
// limit, which is what the same machine achieves with the same bytes and no
// application. It also compares web-backend with a program that could be used
// instead. Comparisons are ratios within one run.
//
//	go run .                     all groups; writes docs/benchmarks.{md,json,svg}
//	go run . -work reads         one group, printed only
//	go run . -users 100000       a smaller crowd instead of 1,000,000
//
// Servers and load run in separate processes. Most programs that web-backend is
// compared with are this program, started with another first argument.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

func main() {
	if len(os.Args) > 1 {
		if serve, ok := peers[os.Args[1]]; ok {
			end(serve(context.Background(), os.Args[2:]))
		}
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	end(err)
}

// end ends this process. It prints err unless err is nil.
func end(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// peers are the other programs that this binary can run as, by first argument.
var peers = map[string]func(ctx context.Context, args []string) error{"bare": serveBare, "bare-websocket": serveBareWebSocket, "downloads": downloadAtOnce, "pocketbase": servePocketBase}

// settings are the values of the flags.
type settings struct {
	works  []string      // groups to run; empty for all
	users  int           // number of users of the large crowd
	rounds int           // number of rounds of each measurement
	length time.Duration // length of each round
	data   string        // folder of the crowds, which are kept for the next run
}

// groups are the benchmark groups, in the order in which they run.
var groups = []struct {
	name string
	run  func(*bench) error
}{
	{"build", (*bench).build},
	{"reads", (*bench).reads},
	{"updates", (*bench).updates},
	{"peer", (*bench).peer},
	{"mongodb", (*bench).mongodb},
	{"logins", (*bench).logins},
	{"moves", (*bench).moves},
	{"growth", (*bench).growth},
	{"tail", (*bench).tail},
	{"session", (*bench).session},
	{"motions", (*bench).motions},
}

func run(ctx context.Context) error {
	var s settings
	var only string
	flag.StringVar(&only, "work", "", "groups to run, separated by commas, and only print: "+strings.Join(groupNames(), ", "))
	flag.IntVar(&s.users, "users", 1_000_000, "users of the large crowd")
	flag.IntVar(&s.rounds, "rounds", 3, "rounds of each measurement")
	flag.DurationVar(&s.length, "length", 3*time.Second, "length of a round")
	flag.StringVar(&s.data, "data", ".data", "folder of the crowds, which are kept for the next run")
	flag.Parse()
	if only != "" {
		s.works = strings.Split(only, ",")
	}
	for _, name := range s.works {
		if !slices.Contains(groupNames(), name) {
			return fmt.Errorf("-work: there is no %q; there are %s", name, strings.Join(groupNames(), ", "))
		}
	}
	if s.rounds < 1 || s.length < 100*time.Millisecond || s.users < 1000 {
		return fmt.Errorf("want -rounds of 1, -length of 100ms and -users of 1000 at least")
	}
	var err error
	if s.data, err = filepath.Abs(s.data); err != nil {
		return err
	}
	b, err := newBench(ctx, s)
	if err != nil {
		return err
	}
	defer b.close()
	start := time.Now()
	for _, group := range groups {
		if len(s.works) > 0 && !slices.Contains(s.works, group.name) {
			continue
		}
		fmt.Fprintf(os.Stderr, "== %s\n", group.name)
		if err := group.run(b); err != nil {
			return fmt.Errorf("%s: %w", group.name, err)
		}
	}
	report := b.report(time.Since(start))
	if len(s.works) > 0 {
		fmt.Print(report.markdown())
		return nil
	}
	return report.write("../docs")
}

func groupNames() (names []string) {
	for _, group := range groups {
		names = append(names, group.name)
	}
	return names
}
