package postgres

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/gostem/gostem/stem"
)

// Settle ends deliveries, by one call of a function.
func (s *Store) Settle(ctx context.Context, ss ...stem.Settlement) error {
	return s.settleAll(ctx, ss, false)
}

// SaveAndSettle saves results and settles deliveries in one statement.
func (s *Store) SaveAndSettle(ctx context.Context, ss ...stem.Settlement) error {
	return s.settleAll(ctx, ss, true)
}

func (s *Store) settleAll(ctx context.Context, ss []stem.Settlement, save bool) error {
	if err := s.begin(); err != nil {
		return err
	}
	defer s.calls.Done()
	ctx, cancel := bound(ctx)
	defer cancel()
	var failed []stem.ItemError
	todo := make([]int, 0, len(ss))
	for i := range ss {
		if err := s.checkSettlement(&ss[i]); err != nil {
			failed = append(failed, stem.ItemError{Index: i, Err: err})
			continue
		}
		todo = append(todo, i)
	}
	for known := len(failed); len(todo) > 0; {
		var rows *settleRows
		rows, todo = gather(ss, todo, save)
		refused, err := s.settle(ctx, rows)
		if err != nil {
			err = s.failed("settle", err)
			if len(rows.indices)+len(todo)+known == len(ss) {
				return err
			}
			return partial(unknown(failed, slices.Concat(rows.indices, todo), err))
		}
		failed = append(failed, refused...)
	}
	s.tidyNowAndThen()
	return partial(failed)
}

// checkSettlement tells why a settlement cannot be made, without asking the server.
func (s *Store) checkSettlement(one *stem.Settlement) error {
	if err := one.Validate(); err != nil {
		return err
	}
	if r, ok := one.Delivery.Receipt.(*receipt); !ok || r.schema != s.cfg.Schema || one.Delivery.Envelope == nil {
		return stem.ErrLeaseLost
	}
	return nil
}

// gather makes rows of settlements. Of one delivery only the first is among them, the others are for the next call.
func gather(ss []stem.Settlement, todo []int, save bool) (rows *settleRows, again []int) {
	rows = newSettleRows(len(todo))
	seen := make(map[int64]struct{}, len(todo))
	for _, i := range todo {
		r := ss[i].Delivery.Receipt.(*receipt)
		if _, twice := seen[r.seq]; twice {
			again = append(again, i)
			continue
		}
		seen[r.seq] = struct{}{}
		rows.add(i, &ss[i], r, save)
	}
	return rows, again
}

// settle settles the rows and names those that were refused. Where others hold one of them, or one id
// has two results, it is done again with care.
func (s *Store) settle(ctx context.Context, rows *settleRows) ([]stem.ItemError, error) {
	refused, err := s.settleRows(ctx, rows, false)
	switch code(err) {
	case "55P03", "40P01", "40001": // lock_not_available, deadlock_detected, serialization_failure
		return s.settleRows(ctx, rows, true)
	case "21000", "23505": // cardinality_violation, unique_violation: two results of one id
		return s.settleOneByOne(ctx, rows)
	}
	return refused, err
}

// settleOneByOne settles each row by itself. An error leaves those after it as they are, and says nothing of those before:
// all are told as unknown.
func (s *Store) settleOneByOne(ctx context.Context, rows *settleRows) (refused []stem.ItemError, err error) {
	for i := range rows.indices {
		some, err := s.settleRows(ctx, rows.only(i), true)
		if err != nil {
			return nil, err
		}
		refused = append(refused, some...)
	}
	return refused, nil
}

func (s *Store) settleRows(ctx context.Context, r *settleRows, careful bool) ([]stem.ItemError, error) {
	args := [20]any{s.offset.Load(), careful, listOf(r.holders), listOf(r.seqs), listOf(r.numbers),
		listOf(r.verdicts), listOf(r.delays), listOf(r.marks), listOf(r.reasons), listOf(r.ids),
		listOf(r.results), listOf(r.terminals), listOf(r.keeps), listOf(r.records), listOf(r.spots),
		len(r.indices) >= manySettled && time.Now().UnixNano() >= s.stale.Load()}
	statement, n := s.sql.settle, 16
	if k := r.keys; k != nil {
		statement, n = s.sql.settleUnique, 20
		args[16], args[17], args[18], args[19] = listOf(k.queues), listOf(k.keys), listOf(k.ids), listOf(k.whats)
	}
	rows, err := s.on.rows(ctx, statement, args[:n]...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var refused []stem.ItemError
	announced := false
	var place, code int32
	for rows.Next() {
		if err := rows.Scan(&place, &code); err != nil {
			return nil, err
		}
		if place < 0 {
			announced = code&1 > 0
			if code&2 > 0 {
				s.stale.Store(time.Now().Add(staleFor).UnixNano())
			}
			continue
		}
		if int(place) >= len(r.indices) || int(code) >= len(settleErrors) {
			return nil, errAnswer
		}
		refused = append(refused, stem.ItemError{Index: r.indices[place], Err: settleErrors[code]})
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	s.settled(r, announced)
	return refused, nil
}

// A try without a look costs a subtransaction, and all of it where it fails, so only many are tried together, and for a while
// none where one has failed: results of tasks that are retried or report progress, or whose ids come again, are not the first.
const (
	manySettled = 8
	staleFor    = time.Minute
)

var settleErrors = [...]error{1: stem.ErrLeaseLost, 2: stem.ErrCompleted, 3: stem.ErrTransactionOpen}

// settled tells those who wait for what a settlement has changed.
func (s *Store) settled(r *settleRows, announced bool) {
	for queue := range r.back {
		s.announceQueue(queue)
	}
	if len(r.results) > 0 {
		s.watch.look(r.results)
		if announced {
			s.notifier.notify(resultChannel, "")
		}
	}
}

// settleRows are settlements by column, those of one kind only nil where there is none of the kind.
type settleRows struct {
	indices  []int // in the caller's list
	holders  []int32
	seqs     []int64
	numbers  []int64
	spots    []pgtype.TID // where their claims have put the rows
	verdicts []int16
	delays   []int64
	marks    []*string
	reasons  []*string
	ids      []string
	back     map[string]struct{} // queues to which something goes back

	results   []*string
	terminals []bool
	keeps     []int64
	records   [][]byte
	bytes     []byte // those of the records

	keys *keyRows // where there are unique keys
}

func newSettleRows(n int) *settleRows {
	return &settleRows{indices: make([]int, 0, n), holders: make([]int32, 0, n), seqs: make([]int64, 0, n),
		numbers: make([]int64, 0, n), spots: make([]pgtype.TID, 0, n)}
}

func (r *settleRows) add(index int, s *stem.Settlement, receipt *receipt, save bool) {
	n := len(r.indices)
	r.indices = append(r.indices, index)
	r.holders, r.seqs, r.numbers = append(r.holders, receipt.holder), append(r.seqs, receipt.seq), append(r.numbers, s.Delivery.Number)
	r.spots = append(r.spots, receipt.spot)
	if s.Verdict != stem.VerdictAck && r.verdicts == nil {
		r.verdicts = make([]int16, n, cap(r.indices))
		for i := range r.verdicts {
			r.verdicts[i] = int16(stem.VerdictAck)
		}
		r.delays, r.marks, r.reasons, r.ids = make([]int64, n), make([]*string, n), make([]*string, n), make([]string, n)
	}
	if r.verdicts != nil {
		r.addVerdict(s)
	}
	if what := keyed(s); what != 0 || r.keys != nil {
		if r.keys == nil {
			r.keys = newKeyRows(n, cap(r.indices))
		}
		r.keys.add(&s.Delivery, what)
	}
	if save && s.Result != nil && r.results == nil {
		c := cap(r.indices)
		r.results, r.terminals, r.keeps, r.records = make([]*string, n, c), make([]bool, n, c), make([]int64, n, c), make([][]byte, n, c)
		r.bytes = make([]byte, 0, c*(usualRecord+len(s.Result.Payload)))
	}
	if r.results != nil {
		r.addResult(s.Result, save)
	}
}

func (r *settleRows) addVerdict(s *stem.Settlement) {
	r.verdicts = append(r.verdicts, int16(s.Verdict))
	r.delays = append(r.delays, micros(s.Delay))
	r.marks = append(r.marks, marksText(s.Marks))
	r.ids = append(r.ids, s.Delivery.ID)
	var reason *string
	if s.Verdict == stem.VerdictDeadLetter {
		reason = &s.Reason
	}
	r.reasons = append(r.reasons, reason)
	if s.Verdict == stem.VerdictRetry || s.Verdict == stem.VerdictSnooze || s.Verdict == stem.VerdictRelease {
		if r.back == nil {
			r.back = make(map[string]struct{})
		}
		r.back[s.Delivery.Queue] = struct{}{}
	}
}

func (r *settleRows) addResult(result *stem.Result, save bool) {
	if result == nil || !save {
		r.results, r.terminals, r.keeps, r.records = append(r.results, nil), append(r.terminals, false), append(r.keeps, 0), append(r.records, nil)
		return
	}
	r.results, r.terminals, r.keeps = append(r.results, &result.ID), append(r.terminals, result.State.Terminal()), append(r.keeps, max(micros(result.Keep), 1))
	begin := len(r.bytes)
	r.bytes = stem.AppendResult(r.bytes, result)
	r.records = append(r.records, r.bytes[begin:len(r.bytes):len(r.bytes)])
}

// usualRecord is about how long a record is without its payload.
const usualRecord = 192

// record gives the bytes of a result.
func record(r *stem.Result) []byte {
	return stem.AppendResult(make([]byte, 0, usualRecord+len(r.Payload)), r)
}

// only gives the rows without all but one.
func (r *settleRows) only(i int) *settleRows {
	one := &settleRows{indices: r.indices[i : i+1], holders: r.holders[i : i+1], seqs: r.seqs[i : i+1], numbers: r.numbers[i : i+1], spots: r.spots[i : i+1]}
	if r.verdicts != nil {
		one.verdicts, one.delays, one.marks = r.verdicts[i:i+1], r.delays[i:i+1], r.marks[i:i+1]
		one.reasons, one.ids, one.back = r.reasons[i:i+1], r.ids[i:i+1], r.back
	}
	if r.keys != nil {
		one.keys = r.keys.only(i)
	}
	if r.results != nil {
		one.results, one.terminals, one.keeps, one.records = r.results[i:i+1], r.terminals[i:i+1], r.keeps[i:i+1], r.records[i:i+1]
	}
	return one
}

// marksText gives marks as the server keeps them: NULL for none.
func marksText(marks map[string]string) *string {
	if len(marks) == 0 {
		return nil
	}
	b, _ := json.Marshal(marks) // a map of strings: it never fails
	text := string(b)
	return &text
}
