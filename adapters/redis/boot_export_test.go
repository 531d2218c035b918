package redis

// Rights lists the commands that a user must be allowed, as an ACL names them.
func Rights() []string {
	var names []string
	for _, probe := range probes {
		names = append(names, nameOf(probe))
	}
	return names
}

// Grant is the command that allows them.
func Grant(user, namespace string) string { return grant(user, namespace) }
