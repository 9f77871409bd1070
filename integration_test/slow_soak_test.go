//go:build soak

package integration_test

import (
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goengineio/engineio/core"
)

// TestSlowClientLatency prints how long broadcasts take to reach the others while one client of a
// thousand has stopped reading, and while none has. It asserts nothing: times depend on the machine.
func TestSlowClientLatency(t *testing.T) {
	const (
		runs   = 3
		rounds = 100
	)
	for _, framework := range frameworks {
		for _, size := range []int{128, 4096} {
			var all [2][]time.Duration
			for run := range 2 * runs {
				t.Run("", func(t *testing.T) {
					c := newAudience(t, framework.serve)
					c.join(crowdSize - 1)
					slow := run % 2
					if slow == 1 {
						c.joinAndStall()
					} else {
						c.join(1)
					}
					all[slow] = append(all[slow], c.latencies(rounds, size)...)
				})
			}
			for slow, what := range []string{"all of them read", "one has stopped reading"} {
				slices.Sort(all[slow])
				at := func(q float64) time.Duration {
					return all[slow][int(q*float64(len(all[slow])-1))].Round(time.Microsecond)
				}
				t.Logf("%-8s %4d bytes to %d clients, %-23s: p50 %v, p99 %v, max %v",
					framework.name, size, crowdSize, what, at(0.5), at(0.99), at(1))
			}
		}
	}
}

// latencies broadcasts and returns how long each message took to each of the first 999 clients.
func (c *audience) latencies(rounds, size int) (all []time.Duration) {
	sent := make([]time.Time, rounds)
	var mu sync.Mutex
	var reading sync.WaitGroup
	var round sync.WaitGroup
	for i, client := range c.clients {
		reading.Go(func() {
			took := make([]time.Duration, 0, rounds)
			for n := range rounds {
				if got, err := client.message(); err != nil || got != n {
					c.t.Errorf("received %d (%v), want %d", got, err, n)
				}
				took = append(took, time.Since(sent[n]))
				round.Done()
			}
			if i < crowdSize-1 {
				mu.Lock()
				defer mu.Unlock()
				all = append(all, took...)
			}
		})
	}
	for n := range rounds {
		round.Add(len(c.clients))
		sent[n] = time.Now()
		c.engine.Broadcast(core.Text(strconv.Itoa(n) + " " + strings.Repeat("x", size)))
		round.Wait()
	}
	reading.Wait()
	return all
}
