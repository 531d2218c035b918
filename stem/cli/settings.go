package cli

import (
	"cmp"
	"io"
	"log/slog"
	"os"

	"github.com/gostem/gostem/adapters"
)

// configure finds out what holds: flags go before the environment, and that before the current context.
//
// Stores are never mixed by accident. A context that is chosen with --context counts as flags, and names all stores: who says
// --context prod acts on prod, whatever the environment names. The current context is not asked at all where flags or the environment
// name a broker.
func (p *program) configure() (adapters.Config, error) {
	file, err := readContexts()
	if err != nil {
		return adapters.Config{}, err
	}
	flags := adapters.Layer{Name: "flags", Values: make(map[string]string)}
	set(flags.Values, "STEM_BROKER_URL", p.flags.broker)
	set(flags.Values, "STEM_RESULT_BACKEND_URL", p.flags.backend)
	set(flags.Values, "STEM_WORKER_NAMESPACE", p.flags.namespace)
	layers := []adapters.Layer{flags, adapters.Environment(os.Environ())}
	_, named := layers[1].Values["STEM_BROKER_URL"]
	switch {
	case p.flags.context != "":
		chosen, known := file.Contexts[p.flags.context]
		if !known {
			return adapters.Config{}, file.unknown(p.flags.context)
		}
		layers = []adapters.Layer{flags, chosen.whole(p.flags.context), layers[1]}
	case p.flags.broker == "" && !named && file.Current != "":
		current, known := file.Contexts[file.Current]
		if !known {
			return adapters.Config{}, file.unknown(file.Current)
		}
		layers = append(layers, current.layer(file.Current))
	}
	cfg, err := adapters.Configure(layers...)
	if err == nil && cfg.Log == nil {
		cfg.Log = p.logger()
	}
	return cfg, err
}

// logger tells what stores say of themselves, where -v asks for it.
func (p *program) logger() *slog.Logger {
	out := io.Discard
	if p.flags.verbose {
		out = p.stderr
	}
	return slog.New(slog.NewTextHandler(out, nil))
}

// set sets a variable, unless nothing is said of it.
func set(values map[string]string, name, text string) {
	if text != "" {
		values[name] = text
	}
}

// layer gives what a context says.
func (c storeContext) layer(name string) adapters.Layer {
	l := adapters.Layer{Name: "context " + name, Values: make(map[string]string)}
	set(l.Values, "STEM_BROKER_URL", c.Broker)
	set(l.Values, "STEM_RESULT_BACKEND_URL", c.Backend)
	set(l.Values, "STEM_WORKER_NAMESPACE", c.Namespace)
	return l
}

// whole is layer, with nothing left for the environment to say of where things lie.
func (c storeContext) whole(name string) adapters.Layer {
	c.Backend = cmp.Or(c.Backend, c.Broker)
	c.Namespace = cmp.Or(c.Namespace, "stem")
	l := c.layer(name)
	set(l.Values, "STEM_REVOKE_STORE_URL", c.Backend)
	return l
}

// value gives what holds for a variable.
func (p *program) value(variable string) string {
	for _, s := range p.stores.Sources() {
		if s.Variable == variable {
			return s.Value
		}
	}
	return ""
}
