package cli

import "github.com/spf13/cobra"

// What tests look at from outside.
var (
	ExitCode  = exitCode
	Escape    = escape
	Age       = age
	Marshal   = marshal
	WriteYAML = writeYAML
	Usagef    = usagef
	Root      = func(cfg Config) *cobra.Command { return (&program{cfg: cfg.withDefaults()}).root() }
)
