package ops

import "fmt"

// quoted gives a value as an error shows it: shortened, with what a terminal would obey escaped.
func quoted(s string) string {
	const most = 60
	if len(s) > most {
		return fmt.Sprintf("%.*q…", most, s)
	}
	return fmt.Sprintf("%q", s)
}
