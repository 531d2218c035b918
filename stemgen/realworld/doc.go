// Package realworld tries stemgen on types that others have published: a task for each
// exported type of some large and some much used packages. It is a module of its own, so
// that none of them reaches a user of Stem.
package realworld
