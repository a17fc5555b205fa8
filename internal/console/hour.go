package console

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Minute describes the requests of one minute.
type Minute struct {
	Start    time.Time
	Length   time.Duration // shorter than a minute if it has not ended
	Requests int64
	Refused  int64 // with a status from 400 to 499
	Failed   int64 // with a status of 500 or above
	P50, P99 time.Duration
}

// perSecond returns the mean number of requests in a second of the minute.
func (m Minute) perSecond() float64 {
	return float64(m.Requests) / max(m.Length, time.Second).Seconds()
}

// The size of the plots in their own units; a browser scales them. The margin
// keeps lines at the edges from being cut off.
const (
	plotMinutes = 60
	plotWidth   = 600
	plotHeight  = 100
	plotMargin  = 3
)

// hourView is what an operator sees about the last hour.
type hourView struct {
	Plots []plot
	Rows  []hourRow // the newest first
}

// hourRow is one minute as text.
type hourRow struct{ Time, Requests, Refused, Failed, P50, P99 string }

// plot is a figure with one or two lines.
type plot struct {
	Title string // key of a message
	Most  string // the value at the upper edge
	Lines []plotLine
}

// plotLine is a line of a plot.
type plotLine struct {
	Class string
	Label string // key of a message, or "" if the plot has one line
	Path  string // in the form of the SVG attribute d
}

// lastHour returns nil if the requests are not counted.
func (v *visit) lastHour() *hourView {
	if v.options.LastHour == nil {
		return nil
	}
	minutes := v.options.LastHour()
	shown := &hourView{}
	rate := func(m Minute) float64 { return m.perSecond() }
	refused := func(m Minute) float64 { return float64(m.Refused) }
	failed := func(m Minute) float64 { return float64(m.Failed) }
	half := func(m Minute) float64 { return m.P50.Seconds() }
	most := func(m Minute) float64 { return m.P99.Seconds() }
	always := func(Minute) bool { return true }
	measured := func(m Minute) bool { return m.Requests > 0 }

	top := highest(minutes, rate)
	shown.Plots = append(shown.Plots, plot{"plot_requests", number(top), []plotLine{
		{"line", "", plotPath(minutes, top, rate, always)},
	}})
	top = max(highest(minutes, refused), highest(minutes, failed))
	shown.Plots = append(shown.Plots, plot{"plot_errors", fmt.Sprintf("%.0f", top), []plotLine{
		{"line bad", "plot_failed", plotPath(minutes, top, failed, always)},
		{"line second", "plot_refused", plotPath(minutes, top, refused, always)},
	}})
	top = max(highest(minutes, half), highest(minutes, most))
	shown.Plots = append(shown.Plots, plot{"plot_latency", milliseconds(top), []plotLine{
		{"line", "plot_half", plotPath(minutes, top, half, measured)},
		{"line second", "plot_nearly", plotPath(minutes, top, most, measured)},
	}})
	for _, m := range slices.Backward(minutes) {
		row := hourRow{m.Start.UTC().Format("15:04"), number(rate(m)), fmt.Sprint(m.Refused), fmt.Sprint(m.Failed), "–", "–"}
		if measured(m) {
			row.P50, row.P99 = milliseconds(half(m)), milliseconds(most(m))
		}
		shown.Rows = append(shown.Rows, row)
	}
	return shown
}

// highest returns the highest value of the minutes.
func highest(minutes []Minute, value func(Minute) float64) (top float64) {
	for _, m := range minutes {
		top = max(top, value(m))
	}
	return top
}

// plotPath returns a line through the values of those minutes that have a
// value. The last minute is at the right edge, and top is the upper edge. A
// minute without a value interrupts the line.
func plotPath(minutes []Minute, top float64, value func(Minute) float64, has func(Minute) bool) string {
	var path strings.Builder
	joined := false
	for i, m := range minutes {
		if !has(m) {
			joined = false
			continue
		}
		x := plotMargin + float64(plotMinutes-len(minutes)+i)*(plotWidth-2*plotMargin)/(plotMinutes-1)
		y := float64(plotHeight - plotMargin)
		if top > 0 {
			y -= value(m) / top * (plotHeight - 2*plotMargin)
		}
		if joined {
			fmt.Fprintf(&path, "L%.1f %.1f", x, y)
		} else {
			fmt.Fprintf(&path, "M%.1f %.1fh0", x, y) // h0 shows a dot if no line follows
		}
		joined = true
	}
	return path.String()
}

// number returns a rate as text.
func number(value float64) string {
	if value >= 10 {
		return fmt.Sprintf("%.0f", value)
	}
	return fmt.Sprintf("%.2f", value)
}

// milliseconds returns a time in seconds as text.
func milliseconds(seconds float64) string {
	if seconds >= 0.01 {
		return fmt.Sprintf("%.0f ms", seconds*1000)
	}
	return fmt.Sprintf("%.1f ms", seconds*1000)
}
