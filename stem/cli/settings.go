package cli

import (
	"cmp"
	"os"
	"strings"
)

// Settings are what a command knows of its stores.
type Settings struct {
	// Broker and Backend are URLs; Backend is "" where it is the broker's.
	Broker, Backend string
}

// settings finds out which stores are meant: flags go before the environment, that before the current context, and the
// memory of nobody is no default. A context that is chosen with --context counts as a flag, so that one who names
// it never acts on what the environment happens to name.
func (p *program) settings() (Settings, error) {
	file, err := readContexts()
	if err != nil {
		return Settings{}, err
	}
	name := cmp.Or(p.flags.context, file.Current)
	chosen, known := file.Contexts[name]
	if name != "" && !known {
		return Settings{}, file.unknown(name)
	}
	named := storeContext{}
	if p.flags.context != "" {
		named = chosen
	}
	s := Settings{
		Broker:  cmp.Or(p.flags.broker, named.Broker, os.Getenv("STEM_BROKER_URL"), chosen.Broker),
		Backend: cmp.Or(p.flags.backend, named.Backend, os.Getenv("STEM_RESULT_BACKEND_URL"), chosen.Backend),
	}
	if p.flags.context != "" && p.flags.backend == "" {
		s.Backend = named.Backend
	}
	if s.Broker == "" {
		return Settings{}, usagef("no broker is named: say --broker, set STEM_BROKER_URL or make a context (%s context set --help)", p.cfg.Name)
	}
	return s, nil
}

// known schemes are told where a URL has none of them.
var schemes = []string{"memory:", "redis://", "rediss://", "redis+cluster://", "rediss+cluster://", "postgres://", "postgresql://"}

// checkScheme refuses a URL that no adapter opens, before anything is tried.
func checkScheme(flag, text string) error {
	for _, scheme := range schemes {
		if strings.HasPrefix(text, scheme) {
			return nil
		}
	}
	return usagef("%s %s: the URL begins with none of %s", flag, maskURL(text), strings.Join(schemes, ", "))
}
