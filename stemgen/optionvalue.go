package stemgen

import (
	"fmt"
	"go/token"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gostem/gostem/internal/nearest"
)

// A badValue is why a value will not do, and what would.
type badValue struct {
	message, fix string
	at           int // where in the value the offending part begins
}

// longestName is how many bytes every store takes in a name.
const longestName = 200

// wantName holds a value to what every store takes for a name.
func wantName(v string) *badValue {
	switch {
	case v == "":
		return &badValue{message: "a name has at least one letter", fix: "leave the option out for the default"}
	case len(v) > longestName:
		return &badValue{message: fmt.Sprintf("%d bytes are too many", len(v)), fix: fmt.Sprintf("use 1 to %d bytes", longestName)}
	}
	for i, c := range v {
		if c <= ' ' || c > '~' {
			return &badValue{message: fmt.Sprintf("%q may not stand in a name", c), fix: "use printable ASCII without spaces", at: i}
		}
	}
	return nil
}

func wantIdentifier(v string) *badValue {
	if token.IsIdentifier(v) && v != "_" {
		return nil
	}
	return &badValue{message: "not a Go identifier"}
}

func wantOneOf(v string, choices ...string) *badValue {
	if slices.Contains(choices, v) {
		return nil
	}
	fix := "use " + strings.Join(choices[:len(choices)-1], ", ") + " or " + choices[len(choices)-1]
	if guess := nearest.To(v, choices); guess != "" {
		fix = fmt.Sprintf("did you mean %q?", guess)
	}
	return &badValue{message: "not one of the choices", fix: fix}
}

// wantText is wantName for what only people read: it may have spaces.
func wantText(v string) *badValue { return wantName(strings.ReplaceAll(v, " ", "_")) }

// setList reads texts that are parted by commas.
func setList(to *[]Listed, w word, want func(string) *badValue) *badValue {
	var list []Listed
	at := 0
	for part := range strings.SplitSeq(w.value, ",") {
		name := strings.TrimSpace(part)
		from := at + len(part) - len(strings.TrimLeft(part, " \t"))
		at += len(part) + 1
		if name == "" {
			return &badValue{message: "an entry of the list is empty", fix: "put one comma between two entries", at: from}
		}
		if bad := want(name); bad != nil {
			bad.at += from
			return bad
		}
		if slices.ContainsFunc(list, func(l Listed) bool { return l.Text == name }) {
			return &badValue{message: name + " is listed twice", fix: "keep one of them", at: from}
		}
		list = append(list, Listed{Text: name, Pos: w.within(from)})
	}
	*to = list
	return nil
}

// mostTags is how many tags the runtime lets a task have.
const mostTags = 20

func setTags(o *Options, w word) *badValue {
	bad := setList(&o.Tags, w, wantText)
	if bad == nil && len(o.Tags) > mostTags {
		bad = &badValue{message: fmt.Sprintf("%d tags are too many", len(o.Tags)), fix: fmt.Sprintf("use at most %d", mostTags)}
	}
	return bad
}

func setInt(to **int, v string, least, most int) *badValue {
	n, err := strconv.Atoi(v)
	fix := fmt.Sprintf("use a whole number from %d to %d", least, most)
	switch {
	case err != nil:
		return &badValue{message: "not a whole number", fix: fix}
	case n < least || n > most:
		return &badValue{message: "out of range", fix: fix}
	}
	*to = &n
	return nil
}

func setDuration(to *time.Duration, v string) *badValue {
	d, bad := readDuration(v)
	*to = d
	return bad
}

// readDuration reads a duration longer than nothing.
func readDuration(v string) (time.Duration, *badValue) {
	d, err := time.ParseDuration(v)
	switch {
	case err == nil && d > 0:
		return d, nil
	case err == nil:
		return 0, &badValue{message: "must be longer than 0", fix: "leave the option out for none"}
	}
	if _, err := strconv.Atoi(v); err == nil {
		return 0, &badValue{message: "a duration needs a unit", fix: fmt.Sprintf("write %ss for seconds, %sm for minutes", v, v)}
	}
	if days, ok := strings.CutSuffix(v, "d"); ok {
		if n, err := strconv.Atoi(days); err == nil {
			return 0, &badValue{message: "Go durations know no days", fix: fmt.Sprintf("write %dh", n*24)}
		}
	}
	return 0, &badValue{message: "not a duration", fix: "write a Go duration, such as 500ms, 30s, 5m or 1h30m"}
}

const backoffForms = "write fixed(10s), linear(1s,1m) or exp(1s,5m)"

func setBackoff(o *Options, v string) *badValue {
	shape, rest, found := strings.Cut(v, "(")
	list, closed := strings.CutSuffix(rest, ")")
	if !found || !closed {
		return &badValue{message: "not a back-off", fix: backoffForms}
	}
	parts := strings.Split(list, ",")
	var durations []time.Duration
	at := len(shape) + 1
	for i, part := range parts {
		parts[i] = strings.TrimSpace(part)
		d, bad := readDuration(parts[i])
		if bad != nil {
			return &badValue{message: fmt.Sprintf("%q: %s", parts[i], bad.message), fix: bad.fix, at: at + strings.Index(part, parts[i])}
		}
		durations = append(durations, d)
		at += len(part) + 1
	}
	switch {
	case shape == "fixed" && len(durations) == 1:
		o.Backoff = &Backoff{Shape: shape, Base: durations[0]}
	case (shape == "linear" || shape == "exp") && len(durations) == 2:
		o.Backoff = &Backoff{Shape: shape, Base: durations[0], Cap: durations[1]}
		if durations[0] > durations[1] {
			return &badValue{message: "begins above its cap", fix: fmt.Sprintf("write %s(%s,%s)", shape, parts[1], parts[0])}
		}
	default:
		return &badValue{message: "not a back-off", fix: backoffForms}
	}
	return nil
}

// longestRate is the longest time that the runtime lets a rate have.
const longestRate = 8784 * time.Hour

// setRate reads a rate of the form 10/s, 600/m or 5/10s.
func setRate(to **Rate, v string) *badValue {
	const forms = "write 10/s, 600/m or 5/10s"
	count, per, found := strings.Cut(v, "/")
	n, err := strconv.Atoi(count)
	switch {
	case err != nil:
		return &badValue{message: "not a rate", fix: forms}
	case !found || per == "":
		return &badValue{message: "a rate needs a time", fix: fmt.Sprintf("write %s/s for so many a second, %s/m for a minute", count, count), at: len(count)}
	case n < 1:
		return &badValue{message: "a rate of nothing", fix: "use a whole number from 1 on"}
	case slices.Contains([]string{"ms", "s", "m", "h"}, per):
		per = "1" + per
	}
	d, bad := readDuration(per)
	switch {
	case bad != nil:
		return &badValue{message: fmt.Sprintf("%q: %s", per, bad.message), fix: forms, at: len(count) + 1}
	case d > longestRate:
		return &badValue{message: "a year is the longest", fix: "use at most 8784h", at: len(count) + 1}
	case time.Duration(n) > d/time.Microsecond:
		return &badValue{message: "more than one in a microsecond", fix: "leave the option out"}
	}
	*to = &Rate{n, d}
	return nil
}

// setUnique reads a duration or one of the moments until which a task is
// the only one of its kind.
func setUnique(o *Options, w word) *badValue {
	moments := []string{"until-done", "until-started"}
	v := w.value
	if slices.Contains(moments, v) {
		o.Unique = &Unique{Until: v}
		return nil
	}
	d, bad := readDuration(v)
	o.Unique = &Unique{For: d}
	if guess := nearest.To(v, moments); bad != nil && guess != "" {
		return &badValue{message: "not a moment that stemgen knows", fix: fmt.Sprintf("did you mean %q?", guess)}
	}
	if bad != nil && bad.message == "not a duration" {
		bad = &badValue{message: "neither a duration nor a moment", fix: "write unique=5m, unique=until-done or unique=until-started"}
	}
	return bad
}

func setConflict(o *Options, w word) *badValue {
	o.OnConflict = w.value
	return wantOneOf(w.value, "existing", "replace", "error")
}

// setUniqueBy reads the fields of the args that tell one task from another.
func setUniqueBy(o *Options, w word) *badValue {
	var fields []Listed
	bad := setList(&fields, w, wantName)
	for _, f := range fields {
		o.ArgsFields = append(o.ArgsFields, FieldRef{Option: w.key, Name: f.Text, Pos: f.Pos})
	}
	return bad
}

// setLimitKey reads what tells apart the tasks that share a limit: args.TenantID or
// header.tenant.
func setLimitKey(o *Options, w word) *badValue {
	from, name, found := strings.Cut(w.value, ".")
	switch {
	case !found && token.IsIdentifier(w.value):
		return &badValue{message: "does not say where to look", fix: fmt.Sprintf("write args.%s for a field of the args, header.%s for a header", w.value, w.value)}
	case from != "args" && from != "header", name == "":
		return &badValue{message: "neither args.Field nor header.name", fix: "write limit-key=args.TenantID or limit-key=header.tenant"}
	}
	if bad := wantName(name); bad != nil {
		bad.at += len(from) + 1
		return bad
	}
	if from == "args" {
		o.ArgsFields = append(o.ArgsFields, FieldRef{Option: w.key, Name: name, Pos: w.within(len(from) + 1)})
	} else {
		o.LimitHeader = name
	}
	return nil
}
