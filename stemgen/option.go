package stemgen

import (
	"fmt"
	"go/token"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/gostem/gostem/internal/nearest"
)

// An optionRule is what stemgen knows of one option.
type optionRule struct {
	key     string
	example string // as one would write it
	set     func(o *Options, w word) *badValue
}

// optionRules lists every option of a directive.
var optionRules = []optionRule{
	{key: "name", example: "name=mail.welcome", set: func(o *Options, w word) *badValue { o.Name = w.value; return wantName(w.value) }},
	{key: "alias", example: "alias=mail.hello", set: func(o *Options, w word) *badValue { return setList(&o.Aliases, w, wantName) }},
	{key: "queue", example: "queue=bulk", set: func(o *Options, w word) *badValue { o.Queue = w.value; return wantName(w.value) }},
	{key: "priority", example: "priority=5", set: func(o *Options, w word) *badValue { return setInt(&o.Priority, w.value, 0, 9) }},
	{key: "retries", example: "retries=3", set: func(o *Options, w word) *badValue { return setInt(&o.Retries, w.value, 0, 1000) }},
	{key: "retry-for", example: "retry-for=6h", set: func(o *Options, w word) *badValue { return setDuration(&o.RetryFor, w.value) }},
	{key: "backoff", example: "backoff=exp(1s,5m)", set: func(o *Options, w word) *badValue { return setBackoff(o, w.value) }},
	{key: "timeout", example: "timeout=30s", set: func(o *Options, w word) *badValue { return setDuration(&o.Timeout, w.value) }},
	{key: "soft-timeout", example: "soft-timeout=20s", set: func(o *Options, w word) *badValue { return setDuration(&o.SoftTimeout, w.value) }},
	{key: "heartbeat", example: "heartbeat=30s", set: func(o *Options, w word) *badValue { return setDuration(&o.Heartbeat, w.value) }},
	{key: "expires", example: "expires=1h", set: func(o *Options, w word) *badValue { return setDuration(&o.Expires, w.value) }},
	{key: "visibility", example: "visibility=10m", set: func(o *Options, w word) *badValue { return setDuration(&o.Visibility, w.value) }},
	{key: "tags", example: "tags=billing,eu", set: setTags},
	{key: "var", example: "var=Welcome", set: func(o *Options, w word) *badValue { o.Var = w.value; return wantIdentifier(w.value) }},
	{key: "args", example: "args=WelcomeArgs", set: func(o *Options, w word) *badValue { o.Args = w.value; return wantIdentifier(w.value) }},
	{key: "func", example: "func=Enqueue", set: func(o *Options, w word) *badValue { o.Func = w.value; return wantIdentifier(w.value) }},

	{key: "rate", example: "rate=10/s", set: func(o *Options, w word) *badValue { return setRate(&o.Rate, w.value) }},
	{key: "burst", example: "burst=20", set: func(o *Options, w word) *badValue { return setInt(&o.Burst, w.value, 1, 1_000_000) }},
	{key: "limit-key", example: "limit-key=args.TenantID", set: setLimitKey},
	{key: "concurrency", example: "concurrency=4", set: func(o *Options, w word) *badValue { return setInt(&o.Concurrency, w.value, 1, 1_000_000) }},
	{key: "unique", example: "unique=5m", set: setUnique},
	{key: "unique-by", example: "unique-by=UserID,Email", set: setUniqueBy},
	{key: "on-conflict", example: "on-conflict=existing", set: setConflict},
}

// otherNames are what the options are called elsewhere.
var otherNames = map[string]string{
	"retry": "retries", "max-retries": "retries", "max-retry": "retries", "max-attempts": "retries", "attempts": "retries",
	"retry-budget": "retry-for", "retry-timeout": "retry-for",
	"ttl": "expires", "expiry": "expires", "deadline": "timeout", "time-limit": "timeout", "soft-time-limit": "soft-timeout",
	"heartbeat-timeout": "heartbeat", "keepalive": "heartbeat",
	"rate-limit": "rate", "throttle": "rate", "id": "name", "task": "name", "variable": "var", "labels": "tags",
	"dedupe": "unique", "parallelism": "concurrency",
}

// An optionReader judges the words of one directive.
type optionReader struct {
	options Options
	seen    map[string]word // the first word of each option
	good    map[string]bool // options whose value will do
	rep     *report
}

// readOptions judges the words one by one, then against each other. What only the
// task's args can tell is left to checkOptions.
func readOptions(d directive, rep *report) Options {
	r := &optionReader{
		options: Options{Places: make(map[string]token.Position)},
		seen:    make(map[string]word),
		good:    make(map[string]bool),
		rep:     rep,
	}
	for _, w := range d.words {
		r.read(w)
	}
	r.compare()
	return r.options
}

func (r *optionReader) read(w word) {
	rule := findRule(w.key)
	switch first, again := r.seen[w.key]; {
	case rule == nil:
		r.rep.errorf(w.pos, CodeUnknownOption, suggestOption(w), "unknown option %q", w.key)
		return
	case !w.hasValue:
		r.rep.errorf(w.pos, CodeMissingValue, "write it as "+rule.example, "option %s has no value", w.key)
		return
	case again:
		r.rep.errorf(w.pos, CodeDuplicateOption, "keep one of them", "option %s is given twice", w.key).see(first.pos, "the first one")
		return
	}
	r.seen[w.key] = w
	r.options.Places[w.key] = w.valuePos
	bad := rule.set(&r.options, w)
	if bad == nil {
		r.good[w.key] = true
		return
	}
	if bad.fix == "" {
		bad.fix = "write it as " + rule.example
	}
	r.refuse(w, bad)
}

func (r *optionReader) refuse(w word, bad *badValue) {
	r.good[w.key] = false
	r.rep.errorf(w.within(bad.at), CodeBadValue, bad.fix, "%s=%s: %s", w.key, shown(w.value), bad.message)
}

// shown gives a value as it is, or quoted where nobody would see it as it is.
func shown(value string) string {
	if value == "" {
		return strconv.Quote(value)
	}
	for _, c := range value {
		if !unicode.IsPrint(c) {
			return strconv.Quote(value)
		}
	}
	return value
}

// compare judges options by each other: what contradicts another, or says nothing
// without it.
func (r *optionReader) compare() {
	o := &r.options
	if r.good["soft-timeout"] && r.good["timeout"] && o.SoftTimeout >= o.Timeout {
		r.refuse(r.seen["soft-timeout"], &badValue{
			message: fmt.Sprintf("timeout=%s ends the run before that", r.seen["timeout"].value),
			fix:     "make it shorter than the timeout: it is the time until the run is warned",
		})
	}
	if r.good["heartbeat"] && r.good["timeout"] && o.Heartbeat >= o.Timeout {
		r.refuse(r.seen["heartbeat"], &badValue{
			message: fmt.Sprintf("timeout=%s ends the run before that", r.seen["timeout"].value),
			fix:     "make it shorter than the timeout: it is the longest that a run may show no sign of life",
		})
	}
	retried := o.Retries == nil || *o.Retries > 0
	if r.good["backoff"] && r.good["expires"] && retried && o.Backoff.Shape == "fixed" && o.Backoff.Base >= o.Expires {
		r.refuse(r.seen["backoff"], &badValue{
			message: fmt.Sprintf("the task expires (expires=%s) before its first retry", r.seen["expires"].value),
			fix:     "wait less, or let it expire later",
		})
	}
	r.needs("unique-by", "unique")
	r.needs("on-conflict", "unique")
	r.needs("limit-key", "rate")
	r.needs("burst", "rate")
	if r.good["burst"] && r.good["rate"] && o.Rate.Per/time.Duration(o.Rate.Count) > longestRate/time.Duration(*o.Burst) {
		r.refuse(r.seen["burst"], &badValue{message: "takes more than a year to be saved up", fix: "use a smaller burst, or a higher rate"})
	}
}

// needs reports an option that says nothing without one of the others.
func (r *optionReader) needs(key string, others ...string) {
	w, given := r.seen[key]
	if !given || slices.ContainsFunc(others, func(other string) bool { _, ok := r.seen[other]; return ok }) {
		return
	}
	r.good[key] = false
	r.options.ArgsFields = slices.DeleteFunc(r.options.ArgsFields, func(f FieldRef) bool { return f.Option == key })
	r.rep.errorf(w.pos, CodeIdleOption, fmt.Sprintf("add %s, or leave it out", findRule(others[0]).example),
		"option %s says nothing without %s", key, strings.Join(others, " or "))
}

func findRule(key string) *optionRule {
	i := slices.IndexFunc(optionRules, func(r optionRule) bool { return r.key == key })
	if i < 0 {
		return nil
	}
	return &optionRules[i]
}

func suggestOption(w word) string {
	var keys []string
	for _, rule := range optionRules {
		keys = append(keys, rule.key)
	}
	guess := otherNames[strings.ReplaceAll(strings.ToLower(w.key), "_", "-")]
	if guess == "" {
		guess = nearest.To(w.key, keys)
	}
	if guess == "" {
		return "the options are " + strings.Join(keys, ", ")
	}
	return fmt.Sprintf("did you mean %q?", guess)
}
