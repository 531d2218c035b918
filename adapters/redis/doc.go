// Package redis is the adapter that keeps tasks and results in Redis.
package redis
