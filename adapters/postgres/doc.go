// Package postgres is the adapter that keeps tasks and results in PostgreSQL.
package postgres
