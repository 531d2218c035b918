package stem

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// envPrefix is how the names of the variables begin that DefaultsFromEnv reads.
const envPrefix = "STEM_DEFAULT_"

// envDefault is one variable: its name behind the prefix, how its text becomes an
// option, and what it may be.
type envDefault struct {
	name string
	read func(text string) (Option, error)
	want string
}

var envDefaults = []envDefault{
	{"QUEUE", func(text string) (Option, error) { return OnQueue(text), nil }, "the name of a queue, 1 to 200 printable ASCII bytes without spaces"},
	{"PRIORITY", reads(strconv.Atoi, Priority), "0 to 9"},
	{"MAX_RETRIES", reads(strconv.Atoi, MaxRetries), "0 or a positive number"},
	{"RETRY_FOR", reads(time.ParseDuration, RetryFor), "a duration such as 6h, or 0 for no bound"},
	{"BACKOFF", reads(parseBackoff, Backoff), "fixed(10s), linear(1s,1m) or exp(1s,5m)"},
	{"TIMEOUT", reads(time.ParseDuration, Timeout), "a duration such as 30s, or 0 for none"},
	{"SOFT_TIMEOUT", reads(time.ParseDuration, SoftTimeout), "a duration such as 20s, or 0 for none"},
	{"EXPIRES", reads(time.ParseDuration, ExpiresIn), "a duration such as 1h, or 0 for never"},
	{"VISIBILITY", reads(time.ParseDuration, Visibility), "a duration such as 10m, or 0 for the lease of the worker"},
	{"KEEP_RESULT", reads(time.ParseDuration, KeepResult), "a duration such as 24h, or 0 for none"},
}

func reads[T any](parse func(string) (T, error), option func(T) Option) func(string) (Option, error) {
	return func(text string) (Option, error) {
		v, err := parse(text)
		return option(v), err
	}
}

// DefaultsFromEnv reads the options that the variables of an environment ask for, as
// os.Environ gives it, for [ClientConfig].Defaults:
//
//	STEM_DEFAULT_QUEUE         bulk
//	STEM_DEFAULT_PRIORITY      0 to 9
//	STEM_DEFAULT_MAX_RETRIES   3
//	STEM_DEFAULT_RETRY_FOR     6h
//	STEM_DEFAULT_BACKOFF       exp(1s,5m), linear(1s,1m) or fixed(10s)
//	STEM_DEFAULT_TIMEOUT       30s
//	STEM_DEFAULT_SOFT_TIMEOUT  20s
//	STEM_DEFAULT_EXPIRES       1h
//	STEM_DEFAULT_VISIBILITY    10m
//	STEM_DEFAULT_KEEP_RESULT   24h
//
// A variable that is not set leaves the default of this package. One of another name that
// begins with STEM_DEFAULT_, and a value that is none, an empty one too, are errors that name
// the variable and what it may be; all of them are told at once. Nothing reads
// the environment unless a program calls this.
func DefaultsFromEnv(environ []string) ([]Option, error) {
	var opts []Option
	var errs []error
	for _, variable := range environ {
		name, text, _ := strings.Cut(variable, "=")
		if !strings.HasPrefix(name, envPrefix) {
			continue
		}
		opt, err := readEnv(name, text)
		if err != nil {
			errs = append(errs, err)
		}
		opts = append(opts, opt)
	}
	if errs != nil {
		return nil, errors.Join(errs...)
	}
	return opts, nil
}

func readEnv(name, text string) (Option, error) {
	i := slices.IndexFunc(envDefaults, func(d envDefault) bool { return envPrefix+d.name == name })
	if i < 0 {
		return nil, &OptionError{Option: "variable", Value: clip(name), Want: "one of " + envNames() + ", or none"}
	}
	d := envDefaults[i]
	opt, err := d.read(text)
	if err == nil {
		e := builtin()
		e.ID, e.Task = "id", "task"
		opt(&draft{Envelope: &e})
		err = e.Validate()
	}
	if err != nil {
		return nil, &OptionError{Option: name, Value: clip(text), Want: d.want}
	}
	return opt, nil
}

func envNames() string {
	names := make([]string, len(envDefaults))
	for i, d := range envDefaults {
		names[i] = envPrefix + d.name
	}
	return strings.Join(names, ", ")
}

// parseBackoff reads a back-off as a directive writes it.
func parseBackoff(text string) (BackoffPolicy, error) {
	shape, rest, _ := strings.Cut(text, "(")
	list, closed := strings.CutSuffix(rest, ")")
	var waits []time.Duration
	for part := range strings.SplitSeq(list, ",") {
		d, err := time.ParseDuration(strings.TrimSpace(part))
		if err != nil {
			return BackoffPolicy{}, err
		}
		waits = append(waits, d)
	}
	switch {
	case closed && shape == "fixed" && len(waits) == 1:
		return FixedBackoff(waits[0]), nil
	case closed && shape == "linear" && len(waits) == 2 && waits[0] <= waits[1]:
		return LinearBackoff(waits[0], waits[1]), nil
	case closed && shape == "exp" && len(waits) == 2 && waits[0] <= waits[1]:
		return ExponentialBackoff(waits[0], waits[1]), nil
	default:
		return BackoffPolicy{}, fmt.Errorf("%s is no back-off", clip(text))
	}
}
