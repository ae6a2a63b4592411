package main

import (
	"fmt"
	"runtime"
)

// where says what was measured on.
func (b *bench) where() {
	fmt.Printf("Measured on %d CPUs, %s/%s, %s, %d clients, %s each, Postgres on the same machine with fsync on.\n\n",
		runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version(), b.clients, b.length)
}

// printRow prints one line of the table.
func printRow(m measured, ceilingName string, ceilingRate float64) {
	ratio := "–"
	if ceilingRate > 0 {
		ratio = fmt.Sprintf("%.2f", m.rate/ceilingRate)
		ceilingName += fmt.Sprintf(" (%.0f/s)", ceilingRate)
	}
	fmt.Printf("| %s%s | %.0f | %s | %s | %s | %s |\n", m.name, failures(m), m.rate, short(m.p50), short(m.p99), ceilingName, ratio)
}

func failures(m measured) string {
	if m.failed == 0 {
		return ""
	}
	return fmt.Sprintf(" (%d failed)", m.failed)
}

// printHooks prints what hooks cost.
func printHooks(rows []hookRow) {
	fmt.Println("| what | per second | p50 | p99 | without | ratio | added to p50 |")
	fmt.Println("| --- | ---: | ---: | ---: | --- | ---: | ---: |")
	for _, r := range rows {
		ratio := 0.0
		if r.rate > 0 {
			ratio = r.with.rate / r.rate
		}
		fmt.Printf("| %s%s | %.0f | %s | %s | %.0f/s | %.2f | %.2f ms |\n", r.with.name, failures(r.with), r.with.rate, short(r.with.p50), short(r.with.p99), r.rate, ratio, float64(r.added.Microseconds())/1000)
	}
}
