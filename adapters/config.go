package adapters

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/gostem/gostem/internal/nearest"
	"github.com/gostem/gostem/stem"
)

// Config is what a program is told from outside: by the variables of its environment, by flags, by a file. FromEnv and
// Configure make one; the zero value is what holds where nobody says anything, and opens nothing.
type Config struct {
	// Log is told what an operator should know, by the stores, clients and workers that are made of this. Default: Logger(os.Stderr) where
	// STEM_LOG_FORMAT or STEM_LOG_LEVEL is set, else slog.Default().
	Log *slog.Logger

	// LookOnly has Open make nothing in a store that is empty: where PostgreSQL has no tables of Stem it answers [ErrNoTables].
	LookOnly bool

	broker, backend, revocations string // URLs
	namespace                    string
	defaults                     []stem.Option
	worker                       stem.WorkerConfig
	json                         bool
	level                        slog.Level
	tls                          certificates
	sources                      []Source
	unknown                      []string
}

// Layer is one place where values come from.
type Layer struct {
	// Name is how Sources and errors call it: "flags", "context production".
	Name string
	// Values are the texts of variables, by their names: a flag such as --broker is the value of STEM_BROKER_URL.
	Values map[string]string
}

// environment is the name of the layer of FromEnv.
const environment = "environment"

// Environment gives the variables of an environment that are Stem's, as os.Environ gives it.
func Environment(environ []string) Layer {
	l := Layer{Name: environment, Values: make(map[string]string)}
	for _, variable := range environ {
		if name, text, _ := strings.Cut(variable, "="); strings.HasPrefix(name, prefix) {
			l.Values[name] = text
		}
	}
	return l
}

// FromEnv reads the variables of an environment whose names begin with STEM_, as os.Environ gives it:
//
//	STEM_BROKER_URL             where tasks lie: see Open for the URLs there are
//	STEM_RESULT_BACKEND_URL     where results lie; the broker unless it is set
//	STEM_REVOKE_STORE_URL       where revocations lie; the result backend unless it is set, then the broker
//	STEM_WORKER_NAMESPACE       what keys of Redis begin with, and the schema of PostgreSQL; stem
//	STEM_WORKER_QUEUES          the queues of a worker, in order of preference: mail,bulk; STEM_DEFAULT_QUEUE unless it is set
//	STEM_WORKER_CONCURRENCY     how many tasks a worker runs at once: 1 to 100000; 10 per CPU
//	STEM_PREFETCH_MULTIPLIER    how many times as many it has in hand: 1 to 1000; see stem.WorkerConfig
//	STEM_HEARTBEAT_INTERVAL     how often it announces itself: 1s to 1h; 10s
//	STEM_LOG_FORMAT             text or json
//	STEM_LOG_LEVEL              debug, info, warn or error; info
//	STEM_TLS_CA_CERT            a file with the certificates of authorities that servers are known by; the machine's
//	STEM_TLS_CLIENT_CERT        a file with the certificate by which servers know the program, and
//	STEM_TLS_CLIENT_KEY         one with its key
//	STEM_TLS_ALLOW_INSECURE     true: nobody looks whether a server is the one that it says it is; false
//
// and those of [stem.DefaultsFromEnv], which begin with STEM_DEFAULT_.
//
// What no variable may be, and a name that is one of these but for a slip, are errors that say what is allowed; all of them are
// told at once, and none shows a password. Other names that begin with STEM_ are not ours to judge: see Unknown.
func FromEnv(environ []string) (Config, error) { return Configure(Environment(environ)) }

// Configure reads variables from several layers, of which the first that has one counts: flags, then Environment, then a file.
func Configure(layers ...Layer) (Config, error) {
	var c Config
	var errs []error
	for i := range variables {
		v := &variables[i]
		s := Source{Variable: v.name, Value: v.otherwise}
		if l := slices.IndexFunc(layers, func(l Layer) bool { _, said := l.Values[v.name]; return said }); l >= 0 {
			text := layers[l].Values[v.name]
			s.Value, s.From = v.show(text), layers[l].Name
			if err := v.read(&c, text); err != nil {
				errs = append(errs, from(err, s.From))
			}
		}
		c.sources = append(c.sources, s)
	}
	for _, l := range layers {
		unknown, err := strangers(l)
		c.unknown = append(c.unknown, unknown...)
		errs = append(errs, err)
	}
	if err := errors.Join(append(errs, c.tls.check(&c))...); err != nil {
		return Config{}, err
	}
	c.derive()
	return c, nil
}

// derive fills in what follows from other variables.
func (c *Config) derive() {
	follow := func(name, other string) {
		if s, o := c.source(name), c.source(other); s.From == "" && o.From != "" {
			s.Value, s.From = o.Value, other
		}
	}
	if follow("STEM_RESULT_BACKEND_URL", "STEM_BROKER_URL"); c.backend == "" {
		c.backend = c.broker
	}
	if follow("STEM_REVOKE_STORE_URL", "STEM_RESULT_BACKEND_URL"); c.revocations == "" {
		c.revocations = c.backend
	}
	if queue := c.source("STEM_DEFAULT_QUEUE"); len(c.worker.Queues) == 0 && queue.From != "" {
		follow("STEM_WORKER_QUEUES", "STEM_DEFAULT_QUEUE")
		c.worker.Queues = []string{queue.Value}
	}
	if c.source("STEM_LOG_FORMAT").From != "" || c.source("STEM_LOG_LEVEL").From != "" {
		c.Log = c.Logger(os.Stderr)
	}
}

// from says where a value was, unless it was where one looks first.
func from(err error, layer string) error {
	if layer == environment {
		return err
	}
	return fmt.Errorf("%w (from: %s)", err, layer)
}

// Source says what holds for a variable, and who said so.
type Source struct {
	Variable string
	// Value is its text, or that of the default; secrets are masked.
	Value string
	// From is the name of the layer, or of the variable that this one follows; "" where the default holds.
	From string
}

// Sources tells of all variables that there are, in the order in which they are documented.
func (c *Config) Sources() []Source { return slices.Clone(c.sources) }

func (c *Config) source(name string) *Source {
	i := slices.IndexFunc(c.sources, func(s Source) bool { return s.Variable == name })
	return &c.sources[i]
}

// Unknown names what begins with STEM_ and is nothing that Stem reads, in order. It may be somebody else's: of a
// newer version, or of Kubernetes, for a service that is called stem. Open logs it.
func (c *Config) Unknown() []string { return slices.Clone(c.unknown) }

// Open opens the stores, each once, for Close of the Stores to close. Their schemas and what else Open of this package makes are
// made if they are missing. A store that cannot be used is an [*OpenError].
func (c *Config) Open(ctx context.Context) (Stores, error) {
	if c.broker == "" {
		return Stores{}, &stem.OptionError{Option: "STEM_BROKER_URL", Value: "is not set", Want: wantURL}
	}
	log := c.Log
	if log == nil {
		log = slog.Default()
	}
	for _, name := range c.unknown {
		log.WarnContext(ctx, "stem: a variable of the environment is none of Stem's", "variable", name)
	}
	o := opener{cfg: c, log: log, opened: make(map[string]store)}
	s := Stores{close: o.close}
	err := errors.Join(
		o.open(ctx, "STEM_BROKER_URL", c.broker, func(st store) { s.Broker, s.Limits = st, st }),
		o.open(ctx, "STEM_RESULT_BACKEND_URL", c.backend, func(st store) { s.Backend = st }),
		o.open(ctx, "STEM_REVOKE_STORE_URL", c.revocations, func(st store) { s.Revocations = st }),
	)
	if err != nil {
		return Stores{}, errors.Join(err, o.close())
	}
	return s, nil
}

// ClientConfig is that of a client of the stores, with the defaults of STEM_DEFAULT_ variables.
func (c *Config) ClientConfig(s Stores) stem.ClientConfig {
	cfg := stem.ClientConfig{Backend: s.Backend, Defaults: slices.Clone(c.defaults), Logger: c.Log}
	if s.Revocations != nil && any(s.Revocations) != any(s.Broker) { // the broker need not be asked for its own
		cfg.Revocations = s.Revocations
	}
	return cfg
}

// WorkerConfig is that of a worker.
func (c *Config) WorkerConfig() stem.WorkerConfig {
	cfg := c.worker
	cfg.Queues = slices.Clone(cfg.Queues)
	cfg.Logger = c.Log
	return cfg
}

// Logger makes a logger as STEM_LOG_FORMAT and STEM_LOG_LEVEL want it.
func (c *Config) Logger(w io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: c.level}
	if c.json {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}

// strangers finds the names of a layer that no variable has. One that was meant to be one is an error.
func strangers(l Layer) (unknown []string, err error) {
	var errs []error
	names := make([]string, len(variables))
	for i := range variables {
		names[i] = variables[i].name
	}
	for _, name := range slices.Sorted(maps.Keys(l.Values)) {
		if slices.Contains(names, name) || name == ofTheCommand {
			continue
		}
		near := nearest.To(name, names)
		switch {
		case near != "":
			errs = append(errs, from(&stem.OptionError{Option: "variable", Value: clip(name), Want: near}, l.Name))
		case strings.HasPrefix(name, "STEM_DEFAULT_"):
			_, err := stem.DefaultsFromEnv([]string{name + "="})
			errs = append(errs, from(err, l.Name))
		default:
			unknown = append(unknown, name)
		}
	}
	return unknown, errors.Join(errs...)
}
