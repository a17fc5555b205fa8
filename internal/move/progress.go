package move

import (
	"fmt"
	"io"
	"time"

	"github.com/schollz/progressbar/v3"
)

// Messages are where a long command tells a person how it goes. Its result goes
// elsewhere.
type Messages struct {
	Out      io.Writer // standard error, mostly
	Terminal bool      // Out is one: a bar in place of lines
	Quiet    bool      // neither bar, lines nor notes
}

// note prints one sentence.
func (m Messages) note(format string, args ...any) {
	if !m.Quiet {
		fmt.Fprintf(m.Out, format+"\n", args...)
	}
}

// linePause is the time between two lines of progress.
const linePause = 5 * time.Second

// progress shows how far a pass over users is.
type progress struct {
	messages Messages
	what     string // the pass, such as "import"
	total    int64  // users that are expected; what comes may be more
	bar      *progressbar.ProgressBar
	begin    time.Time
	last     time.Time // of a line
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

// at shows that so many users are done.
func (p *progress) at(users, characters int64) {
	switch now := time.Now(); {
	case p.messages.Quiet:
	case p.bar != nil:
		if users > p.total {
			p.bar.ChangeMax64(users)
		}
		_ = p.bar.Set64(users) // a terminal that is gone needs no bar
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

// end leaves the line of the bar.
func (p *progress) end() {
	if p.bar != nil {
		_ = p.bar.Exit()
		fmt.Fprintln(p.messages.Out)
	}
}
