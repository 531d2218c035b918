package cli

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/term"
)

// The formats of -o.
const (
	asTable = "table"
	asWide  = "wide"
	asJSON  = "json"
	asJSONL = "jsonl"
	asYAML  = "yaml"
	asName  = "name"
)

var formats = []string{asTable, asWide, asJSON, asJSONL, asYAML, asName}

// printer writes what was asked for, in one of the formats.
type printer struct {
	out     io.Writer
	talk    io.Writer
	format  string
	columns int  // of the terminal, 0 where there is none: then no line is cut
	colour  bool // for tables
}

func newPrinter(out, talk io.Writer, format string, noColour bool) (*printer, error) {
	if !slices.Contains(formats, format) {
		return nil, usagef("output %s: want one of %s", escape(format), strings.Join(formats, ", "))
	}
	p := &printer{out: out, talk: talk, format: format}
	if file, ok := out.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		p.columns, _, _ = term.GetSize(int(file.Fd()))
		p.colour = !noColour && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	}
	return p, nil
}

// as gives the printer with another format.
func (p *printer) as(format string) *printer {
	other := *p
	other.format = format
	return &other
}

// note says something to who is there, beside what was asked for.
func (p *printer) note(format string, args ...any) {
	fmt.Fprintln(p.talk, escapeLines(fmt.Sprintf(format, args...)))
}

// structured writes a view in the formats that are for programs, and reports whether it was one of these.
func (p *printer) structured(view any) (bool, error) {
	switch p.format {
	case asJSON, asJSONL, asYAML:
	default:
		return false, nil
	}
	line, err := marshal(view)
	if err != nil {
		return true, err
	}
	switch p.format {
	case asJSON:
		_, err = fmt.Fprintf(p.out, "%s\n", indentJSON(line))
	case asJSONL:
		_, err = fmt.Fprintf(p.out, "%s\n", line)
	default:
		err = writeYAML(p.out, line)
	}
	return true, err
}

// detail is one thing as people read it: fields, then sections.
type detail struct {
	name     string // for -o name
	fields   [][]string
	sections []section
}

// section is rows below a title. One without rows is not shown.
type section struct {
	title string
	rows  [][]string
}

// field adds a line, unless there is nothing to say.
func (d *detail) field(label, value string) { d.block(label, escape(value)) }

// block is field for what has lines of its own. No store has a say in where they end.
func (d *detail) block(label, value string) {
	if value != "" {
		d.fields = append(d.fields, []string{label + ":", value})
	}
}

// show writes one thing: view for programs, d for people.
func (p *printer) show(view any, d detail) error {
	if done, err := p.structured(view); done {
		return err
	}
	if p.format == asName {
		_, err := fmt.Fprintln(p.out, escape(d.name))
		return err
	}
	lines := align(d.fields)
	for _, s := range d.sections {
		if len(s.rows) == 0 {
			continue
		}
		lines = append(lines, "", s.title+":")
		for _, line := range align(s.rows) {
			lines = append(lines, "  "+line)
		}
	}
	_, err := io.WriteString(p.out, strings.Join(lines, "\n")+"\n")
	return err
}

// align gives rows as lines, with the cells of each column below each other and escaped. The last cell of a row may have several
// lines of its own.
func align(rows [][]string) []string {
	var widths []int
	for _, row := range rows {
		for i, cell := range row[:len(row)-1] {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(escape(cell)))
		}
	}
	var lines []string
	for _, row := range rows {
		last := len(row) - 1
		var b strings.Builder
		for i, cell := range row[:last] {
			b.WriteString(pad(escape(cell), widths[i]+2))
		}
		indent := strings.Repeat(" ", utf8.RuneCountInString(b.String()))
		for i, part := range strings.Split(row[last], "\n") {
			if i > 0 {
				b.Reset()
				b.WriteString(indent)
			}
			lines = append(lines, strings.TrimRight(b.String()+escape(part), " "))
		}
	}
	return lines
}

func pad(text string, width int) string {
	return text + strings.Repeat(" ", max(0, width-utf8.RuneCountInString(text)))
}

// age gives a duration as people say it, to two units.
func age(d time.Duration) string {
	switch {
	case d < 0:
		return "-" + age(-d)
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < time.Minute:
		return d.Round(100 * time.Millisecond).String()
	case d < time.Hour:
		return round(d, time.Second)
	case d < 24*time.Hour:
		return round(d, time.Minute)
	default:
		hours := int(d.Round(time.Hour).Hours())
		return fmt.Sprintf("%dd%dh", hours/24, hours%24)
	}
}

// round gives a duration without the units that are zero at its end: 2m50s, 1h30m, 2h.
func round(d, to time.Duration) string {
	text := d.Round(to).String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// seconds is what views have of a duration.
func seconds(n float64) time.Duration { return time.Duration(n * float64(time.Second)) }

// stampLayout is how times are shown.
const stampLayout = "2006-01-02 15:04:05.000Z"

// stamp gives an instant, or "" for none.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(stampLayout)
}
