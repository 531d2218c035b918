// Package desk has a task for each way to be unique.
package desk

import (
	"context"
	"fmt"
	"time"
)

//go:generate go tool stemgen

// work is how long the tasks take, so that something can happen meanwhile.
const work = 200 * time.Millisecond

// report makes the report of a month. While one is asked for or made, whoever asks for the same gets that.
//
//stem:task name=desk.report unique=until-done
func report(ctx context.Context, month string) (string, error) {
	return "the report of " + month, sleep(ctx)
}

// sync brings an account's changes to the other side. What changes while it runs is for the next one.
//
//stem:task name=desk.sync unique=until-started unique-by=account
func sync(ctx context.Context, account string, why string) (string, error) {
	return fmt.Sprintf("%s is in step (%s)", account, why), sleep(ctx)
}

// digest writes to a reader, once an hour at most.
//
//stem:task name=desk.digest unique=1h
func digest(ctx context.Context, reader string) (string, error) {
	return "wrote to " + reader, sleep(ctx)
}

// index indexes the text of a document. Of those that wait only the last is wanted.
//
//stem:task name=desk.index unique=until-done unique-by=document on-conflict=replace
func index(ctx context.Context, document string, text string) (string, error) {
	return fmt.Sprintf("%s says %q", document, text), sleep(ctx)
}

// payout pays an account out. Two at once are a mistake, and whoever asks is told.
//
//stem:task name=desk.payout unique=until-done unique-by=account on-conflict=error
func payout(ctx context.Context, account string, cents int) (string, error) {
	return fmt.Sprintf("paid %d cents to %s", cents, account), sleep(ctx)
}

func sleep(ctx context.Context) error {
	select {
	case <-time.After(work):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
