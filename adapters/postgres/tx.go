package postgres

import (
	"context"
	"database/sql"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/gostem/gostem/stem"
)

var (
	_ stem.Publisher = (*Transaction)(nil)
	_ stem.Completer = (*Transaction)(nil)
)

// Transaction is a transaction of the user's: what is enqueued or completed through it is committed or rolled
// back with whatever else is written there. It is used like the transaction itself, by one goroutine at a time, and has no end of
// its own. An error of the server's leaves the transaction aborted, as any statement that fails does in PostgreSQL.
//
//	_, err := hello.Hello.Via(postgres.Tx(tx)).Enqueue(ctx, args)
//
// Nobody is told of what it enqueues, since only the user knows when it commits: receivers find it when they look for
// themselves, within 700 ms. [InTx] and [Notify] tell them at once.
type Transaction struct {
	on     executor
	noted  *noted // nil if nobody tells after the commit
	sql    statements
	schema string
	notify bool
	offset func() int64 // what tests add to the clock
}

// TxOption adjusts a [Transaction].
type TxOption func(*Transaction)

// Schema names the schema of the store, where that is not "stem".
func Schema(name string) TxOption { return func(t *Transaction) { t.schema = name } }

// Notify tells receivers as part of the transaction: they are woken by its commit. That costs: PostgreSQL lets only one transaction at
// a time commit that notifies, in the whole database. docs/adapters/postgres.md has figures. [InTx] does without.
func Notify() TxOption { return func(t *Transaction) { t.notify = true } }

// Tx makes a transaction of pgx one in which tasks are enqueued and completed.
func Tx(tx pgx.Tx, options ...TxOption) *Transaction {
	t := newTransaction(onPgx{tx}, options)
	t.noted, _ = tx.(*noted)
	return t
}

// SQLTx makes a transaction of database/sql one in which tasks are enqueued and completed. Its driver is that of pgx,
// github.com/jackc/pgx/v5/stdlib.
func SQLTx(tx *sql.Tx, options ...TxOption) *Transaction { return newTransaction(onSQL{tx}, options) }

func newTransaction(on executor, options []TxOption) *Transaction {
	t := &Transaction{on: on, schema: "stem", offset: func() int64 { return 0 }}
	for _, option := range options {
		option(t)
	}
	t.sql = statementsOf(t.schema)
	return t
}

// Publish stores envelopes in the transaction. An envelope whose dedupe key another transaction has just taken that is
// still open waits for the end of that one.
func (t *Transaction) Publish(ctx context.Context, envs ...stem.Envelope) ([]stem.Published, error) {
	if len(envs) == 0 {
		return nil, nil
	}
	published, err := publish(ctx, t.on, &t.sql, t.offset(), false, envs)
	if err != nil {
		return nil, fmt.Errorf("postgres: publish in a transaction: %w", err)
	}
	queues := queuesToTell(envs)
	if t.noted != nil {
		t.noted.add(t.schema, queues)
	} else if t.notify && len(queues) > 0 {
		if err := tellOf(ctx, t.on, t.schema, queues); err != nil {
			return nil, fmt.Errorf("postgres: notify in a transaction: %w", err)
		}
	}
	return published, nil
}

// queuesToTell gives the queues of those envelopes that become due before receivers look for themselves.
func queuesToTell(envs []stem.Envelope) (queues []string) {
	for i := range envs {
		if envs[i].Delay < pollEvery && !slices.Contains(queues, envs[i].Queue) {
			queues = append(queues, envs[i].Queue)
		}
	}
	return queues
}

// tellOf wakes those who wait for queues, as part of a transaction.
func tellOf(ctx context.Context, on executor, schema string, queues []string) error {
	return on.exec(ctx, "SELECT pg_notify($1::text, q) FROM unnest($2::text[]) q", channelName(schema, workChannel), queues)
}

// tellAfter does the same in a statement of its own.
func tellAfter(ctx context.Context, pool *pgxpool.Pool, schema string, queues []string) error {
	return onPgx{pool}.exec(ctx, "SELECT "+unflushed+", pg_notify($1::text, q) FROM unnest($2::text[]) q", channelName(schema, workChannel), queues)
}

// Complete ends a delivery in the transaction, and saves its result there.
func (t *Transaction) Complete(ctx context.Context, s stem.Settlement) error {
	own := "postgres, schema " + t.schema
	r, ok := s.Delivery.Receipt.(*receipt)
	switch {
	case !ok:
		return &stem.OtherStoreError{Transaction: own}
	case r.schema != t.schema:
		return &stem.OtherStoreError{Delivery: "postgres, schema " + r.schema, Transaction: own}
	}
	var id *string
	var terminal bool
	var keep int64
	var bytes []byte
	if s.Result != nil {
		id, terminal, keep, bytes = &s.Result.ID, s.Result.State.Terminal(), max(micros(s.Result.Keep), 1), record(s.Result)
	}
	var code int
	err := t.on.query(ctx, func(scan func(...any) error) error { return scan(&code) },
		t.sql.complete, t.offset(), r.holder, r.seq, s.Delivery.Number, id, terminal, keep, bytes)
	if err != nil {
		return fmt.Errorf("postgres: complete in a transaction: %w", err)
	}
	if code < 0 || code >= len(settleErrors) {
		return errAnswer
	}
	if what := keyed(&s); what != 0 && code == 0 {
		k := newKeyRows(0, 1)
		k.add(&s.Delivery, what)
		if err := t.on.exec(ctx, t.sql.keep, k.queues, k.keys, k.ids, k.whats); err != nil {
			return fmt.Errorf("postgres: complete in a transaction: %w", err)
		}
	}
	return settleErrors[code]
}

// InTx runs a function in a transaction, commits it if that returns nil, and then tells those who wait what has been
// enqueued there: they are woken at once, and no commit waits for another. The function passes its tx to [Tx].
//
//	err := postgres.InTx(ctx, pool, func(tx pgx.Tx) error {
//		if _, err := tx.Exec(ctx, "INSERT INTO orders …"); err != nil {
//			return err
//		}
//		_, err := mail.Confirm.Via(postgres.Tx(tx)).Enqueue(ctx, args)
//		return err
//	})
//
// It answers what the function or the commit has; that those who wait could not be told is no error, since they look for themselves.
func InTx(ctx context.Context, pool *pgxpool.Pool, do func(tx pgx.Tx) error) error {
	var n noted
	err := pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		n.Tx = tx
		return do(&n)
	})
	if err != nil {
		return err
	}
	for schema, queues := range n.queues {
		_ = tellAfter(ctx, pool, schema, queues)
	}
	return nil
}

// noted is a transaction whose enqueues are told of when it has committed.
type noted struct {
	pgx.Tx
	queues map[string][]string // by schema
}

func (n *noted) add(schema string, queues []string) {
	if n.queues == nil && len(queues) > 0 {
		n.queues = make(map[string][]string)
	}
	for _, queue := range queues {
		if !slices.Contains(n.queues[schema], queue) {
			n.queues[schema] = append(n.queues[schema], queue)
		}
	}
}
