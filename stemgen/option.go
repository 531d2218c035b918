package stemgen

import (
	"fmt"
	"go/token"
	"slices"
	"strconv"
	"strings"
	"time"
)

// An optionRule is what stemgen knows of one option.
type optionRule struct {
	key     string
	example string // as one would write it
	// set reads the value into the options; nil for an option that cannot be
	// carried out yet.
	set func(o *Options, value string) *badValue
}

// A badValue is why a value will not do, and what would.
type badValue struct{ message, fix string }

// optionRules lists every option of a directive.
var optionRules = []optionRule{
	{"name", "name=mail.welcome", func(o *Options, v string) *badValue { o.Name = v; return wantName(v) }},
	{"queue", "queue=bulk", func(o *Options, v string) *badValue { o.Queue = v; return wantName(v) }},
	{"priority", "priority=5", func(o *Options, v string) *badValue { return setInt(&o.Priority, v, 0, 9) }},
	{"retries", "retries=3", func(o *Options, v string) *badValue { return setInt(&o.Retries, v, 0, 1000) }},
	{"backoff", "backoff=exp(1s,5m)", setBackoff},
	{"timeout", "timeout=30s", func(o *Options, v string) *badValue { return setDuration(&o.Timeout, v) }},
	{"expires", "expires=1h", func(o *Options, v string) *badValue { return setDuration(&o.Expires, v) }},
	{"visibility", "visibility=10m", func(o *Options, v string) *badValue { return setDuration(&o.Visibility, v) }},
	{"var", "var=Welcome", func(o *Options, v string) *badValue { o.Var = v; return wantIdentifier(v) }},
	{"args", "args=WelcomeArgs", func(o *Options, v string) *badValue { o.Args = v; return wantIdentifier(v) }},
	{"func", "func=Enqueue", func(o *Options, v string) *badValue { o.Func = v; return wantIdentifier(v) }},

	{key: "alias", example: "alias=mail.hello"},
	{key: "soft-timeout", example: "soft-timeout=20s"},
	{key: "rate", example: "rate=10/s"},
	{key: "unique", example: "unique=5m"},
	{key: "unique-by", example: "unique-by=UserID,Email"},
	{key: "on-conflict", example: "on-conflict=existing"},
	{key: "concurrency", example: "concurrency=4"},
	{key: "limit-key", example: "limit-key=args.TenantID"},
	{key: "tags", example: "tags=billing,eu"},
}

// otherNames are what the options are called elsewhere.
var otherNames = map[string]string{
	"retry": "retries", "max-retries": "retries", "max-retry": "retries", "max-attempts": "retries", "attempts": "retries",
	"ttl": "expires", "expiry": "expires", "deadline": "timeout", "time-limit": "timeout", "soft-time-limit": "soft-timeout",
	"rate-limit": "rate", "id": "name", "task": "name", "variable": "var",
}

// readOptions judges the words of a directive one by one.
func readOptions(d directive, rep *report) Options {
	o := Options{Places: make(map[string]token.Position)}
	for _, w := range d.words {
		rule := findRule(w.key)
		switch first, again := o.Places[w.key]; {
		case rule == nil:
			rep.errorf(w.pos, CodeUnknownOption, suggestOption(w), "unknown option %q", w.key)
			continue
		case rule.set == nil:
			rep.errorf(w.pos, CodeNotYetOption, "leave it out for now", "option %s is not available yet", w.key)
			continue
		case !w.hasValue:
			rep.errorf(w.pos, CodeMissingValue, "write it as "+rule.example, "option %s has no value", w.key)
			continue
		case again:
			rep.errorf(w.pos, CodeDuplicateOption, "keep one of them", "option %s is given twice", w.key).see(first, "the first one")
			continue
		}
		o.Places[w.key] = w.valuePos
		if bad := rule.set(&o, w.value); bad != nil {
			fix := bad.fix
			if fix == "" {
				fix = "write it as " + rule.example
			}
			rep.errorf(w.valuePos, CodeBadValue, fix, "%s=%s: %s", w.key, w.value, bad.message)
		}
	}
	return o
}

func findRule(key string) *optionRule {
	i := slices.IndexFunc(optionRules, func(r optionRule) bool { return r.key == key })
	if i < 0 {
		return nil
	}
	return &optionRules[i]
}

func suggestOption(w word) string {
	var keys, available []string
	for _, rule := range optionRules {
		keys = append(keys, rule.key)
		if rule.set != nil {
			available = append(available, rule.key)
		}
	}
	guess := otherNames[strings.ReplaceAll(strings.ToLower(w.key), "_", "-")]
	if guess == "" {
		guess = nearest(w.key, keys)
	}
	if guess == "" {
		return "the options are " + strings.Join(available, ", ")
	}
	return fmt.Sprintf("did you mean %q?", guess)
}

// wantName holds a value to what every store takes for a name.
func wantName(v string) *badValue {
	if len(v) > 200 {
		return &badValue{message: fmt.Sprintf("%d bytes are too many", len(v)), fix: "use 1 to 200 bytes"}
	}
	for _, c := range v {
		if c <= ' ' || c > '~' {
			return &badValue{message: fmt.Sprintf("%q may not stand in a name", c), fix: "use printable ASCII without spaces"}
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
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
		d, bad := readDuration(parts[i])
		if bad != nil {
			return &badValue{message: fmt.Sprintf("%q: %s", parts[i], bad.message), fix: bad.fix}
		}
		durations = append(durations, d)
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
