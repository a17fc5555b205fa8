package move

import (
	"fmt"
	"io"
	"time"

	"github.com/schollz/progressbar/v3"
)

// Messages are how a long command reports its progress to people. The result of
// the command is written elsewhere.
type Messages struct {
	Out      io.Writer // usually standard error
	Terminal bool      // Out is a terminal: show a bar instead of lines
	Quiet    bool      // show no bar, no lines and no notes
}

// note prints one line.
func (m Messages) note(format string, args ...any) {
	if !m.Quiet {
		fmt.Fprintf(m.Out, format+"\n", args...)
	}
}

// linePause is the minimum time between two lines of progress.
const linePause = 5 * time.Second

// progress shows how much of a pass over users is done.
type progress struct {
	messages Messages
	what     string // the pass, such as "import"
	total    int64  // expected number of users; there may be more
	bar      *progressbar.ProgressBar
	begin    time.Time
	last     time.Time // time of the last line
}

func (m Messages) progress(what string, total int64) *progress {
	p := &progress{messages: m, what: what, total: total, begin: time.Now(), last: time.Now()}
	if m.Terminal && !m.Quiet {
		p.bar = progressbar.NewOptions64(max(total, 1),
			progressbar.OptionSetWriter(m.Out), progressbar.OptionSetDescription(what),
			progressbar.OptionShowCount(), progressbar.OptionShowIts(), progressbar.OptionSetItsString("users"),
			progressbar.OptionSetPredictTime(true), progressbar.OptionSetElapsedTime(true),
			progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionSetWidth(30))
	}
	return p
}

// at shows that this many users and characters are done.
func (p *progress) at(users, characters int64) {
	switch now := time.Now(); {
	case p.messages.Quiet:
	case p.bar != nil:
		if users > p.total {
			p.bar.ChangeMax64(users)
		}
		_ = p.bar.Set64(users) // if the terminal is gone, no bar is needed
	case now.Sub(p.last) >= linePause:
		p.last = now
		p.line(users, characters, now.Sub(p.begin))
	}
}

func (p *progress) line(users, characters int64, took time.Duration) {
	rate := float64(users) / took.Seconds()
	left := ""
	if rest := p.total - users; rest > 0 && rate > 0 {
		left = ", " + time.Duration(float64(rest)/rate*float64(time.Second)).Round(time.Second).String() + " left"
	}
	p.messages.note("%s: %d of %d users, %d characters, %.0f users/s%s", p.what, users, max(p.total, users), characters, rate, left)
}

// end stops the bar and starts a new line.
func (p *progress) end() {
	if p.bar != nil {
		_ = p.bar.Exit()
		fmt.Fprintln(p.messages.Out)
	}
}
