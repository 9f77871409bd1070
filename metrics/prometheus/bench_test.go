package eioprom_test

import (
	"fmt"
	"testing"

	"github.com/goengineio/engineio/core"
)

// BenchmarkScrape measures a scrape with idle sessions.
func BenchmarkScrape(b *testing.B) {
	for _, sessions := range []int{0, 1_000, 10_000} {
		b.Run(fmt.Sprint(sessions), func(b *testing.B) {
			client, registry := newServer(b, core.Config{})
			for range sessions {
				client.Get(poll4).Wait()
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := registry.Gather(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
