package clickhouse

import (
	"context"
	"fmt"
	"strings"
	"time"

	driver "github.com/ClickHouse/clickhouse-go/v2"
)

// person is somebody in a conversation whose item was deleted.
type person struct {
	platform, thread, pseudonym string
	rows                        uint64 // turns that name them
}

// size is what a person takes in the mutation, which names them twice and their thread once more.
func (p *person) size() int { return 2*(len(p.platform)+len(p.pseudonym)) + 3*len(p.thread) }

// erasePersonsAtOnce is how many persons one mutation names.
const erasePersonsAtOnce = 300

// turnChecks is how often turns are checked within EraseTurnsAfter: they come of age slowly, and the search looks at all erasures.
const turnChecks = 1000

// erasePersons gives the authors and customers of erased turns pseudonyms, in all turns of their conversations that have come of age, and
// returns how many turns name them. The pseudonym is the same in the whole conversation and computed from the id alone, so that turns
// that come of age later get the same one, and the conversation still pairs as before.
func (e *Eraser) erasePersons(ctx context.Context, now time.Time) (int, error) {
	if !e.turns.IsZero() && now.Sub(e.turns) < e.EraseTurnsAfter/turnChecks {
		return 0, nil
	}
	c := e.client
	aged := fmt.Sprintf("greatest(at, written_at) <= now64(3) - INTERVAL %d SECOND", int64(e.EraseTurnsAfter/time.Second))
	rows := 0
	for {
		persons, err := e.findPersons(ctx, aged)
		if err != nil {
			return rows, err
		}
		for some := range portions(persons, erasePersonsAtOnce, (*person).size) {
			names, threads := make([]string, len(some)), make([]string, len(some))
			for i, p := range some {
				threads[i] = quote(p.thread)
				names[i] = "(" + quote(p.platform) + ", " + threads[i] + ", " + quote(p.pseudonym) + ")"
				rows += int(p.rows)
			}
			// One mutation for both columns: an answer names its customer as the author of the question is named.
			all := strings.Join(names, ", ")
			err := c.conn.Exec(driver.Context(ctx, driver.WithSettings(driver.Settings{"mutations_sync": 2})),
				fmt.Sprintf("ALTER TABLE %[1]s%[2]s UPDATE author_id = if(NOT own AND (platform, thread, %[3]s) IN (%[5]s), %[3]s, author_id), "+
					"customer_id = if((platform, thread, %[4]s) IN (%[5]s), %[4]s, customer_id) WHERE thread IN (%[6]s) AND %[7]s",
					c.local("turns"), c.onCluster(), pseudonymOf("author_id"), pseudonymOf("customer_id"), all, strings.Join(threads, ", "), aged))
			if err != nil {
				return rows, err
			}
		}
		if len(persons) < findLimit {
			e.turns = now
			return rows, nil
		}
	}
}

// pseudonymOf is an expression for the pseudonym of the id in a column.
func pseudonymOf(column string) string {
	return fmt.Sprintf("if(%[1]s = '' OR startsWith(%[1]s, 'erased-'), %[1]s, concat('erased-', hex(sipHash64(platform, %[1]s))))", column)
}

// findPersons returns the persons of erased turns that turns of age still name.
func (e *Eraser) findPersons(ctx context.Context, aged string) ([]person, error) {
	c := e.client
	erased := fmt.Sprintf("FROM %s WHERE NOT own AND %s AND (platform, item_id) GLOBAL IN (SELECT platform, item_id FROM %s)", c.table("turns"), aged, c.table("erasures"))
	author, customer := pseudonymOf("author_id"), pseudonymOf("customer_id")
	query := fmt.Sprintf(`SELECT platform, thread, pseudonym, count() FROM (
			SELECT platform, thread, arrayJoin(arrayDistinct(arrayFilter(p -> p != '', [if(NOT own AND author_id != %[1]s, %[1]s, ''), if(customer_id != %[2]s, %[2]s, '')]))) AS pseudonym
			FROM %[3]s WHERE %[4]s AND sipHash64(thread) GLOBAL IN (SELECT sipHash64(thread) %[5]s)
		) WHERE (platform, thread, pseudonym) GLOBAL IN (
			SELECT platform, thread, arrayJoin([%[1]s, %[2]s]) AS pseudonym %[5]s
		) GROUP BY platform, thread, pseudonym LIMIT %[6]d`, author, customer, c.table("turns"), aged, erased, findLimit)
	var out []person
	err := c.each(ctx, func(scan func(...any) error) error {
		var p person
		if err := scan(&p.platform, &p.thread, &p.pseudonym, &p.rows); err != nil {
			return err
		}
		out = append(out, p)
		return nil
	}, query)
	return out, err
}
