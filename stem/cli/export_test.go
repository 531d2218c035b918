package cli

// What tests look at from outside.
var (
	ExitCode  = exitCode
	Escape    = escape
	Marshal   = marshal
	WriteYAML = writeYAML
	Nearest   = nearest
	Usagef    = usagef
)
