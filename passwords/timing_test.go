//go:build timing

// Run with: go test -tags timing -run Timing -v ./passwords
// SAMPLES sets how many refusals of each class are timed.

package passwords

import (
	"context"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"sort"
	"strconv"
	"sync"
	"testing"
	"time"
)

// TestTimingOfRefusalsTellsNothing times refusals of all classes in random order, several at a
// time, and asks the statistics whether two classes can be told apart.
func TestTimingOfRefusalsTellsNothing(t *testing.T) {
	samples := 400
	if n, err := strconv.Atoi(os.Getenv("SAMPLES")); err == nil {
		samples = n
	}
	h := NewHasher(Settings{}, time.Now)
	p := NewPacer(h, time.Now)
	if err := p.Calibrate(t.Context(), "$2a$10"); err != nil {
		t.Fatal(err)
	}
	classes := []struct{ name, stored string }{
		{"wrong, argon2id", hashOf(t, h, "right password")},
		{"wrong, bcrypt", bcryptOf(t, "$2a$", "right password", 10)},
		{"unknown", ""},
		{"locked", ""},
		{"without a password", ""},
	}
	order := make([]int, 0, samples*len(classes))
	for i := range samples * len(classes) {
		order = append(order, i%len(classes))
	}
	rand.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] }) //#nosec G404 -- an order of tests
	var mu sync.Mutex
	took := make([][]float64, len(classes))
	refuse := func(class int) {
		start := time.Now()
		if ok, _, err := h.Verify(context.Background(), classes[class].stored, "wrong password"); ok || err != nil {
			t.Errorf("%s: %v, %v", classes[class].name, ok, err)
		}
		if err := p.Refuse(context.Background(), start); err != nil {
			t.Error(err)
		}
		d := time.Since(start)
		mu.Lock()
		took[class] = append(took[class], float64(d)/1e6)
		mu.Unlock()
	}
	work := make(chan int)
	var clients sync.WaitGroup
	for range 4 {
		clients.Go(func() {
			for class := range work {
				refuse(class)
			}
		})
	}
	for _, class := range order {
		work <- class
	}
	close(work)
	clients.Wait()
	for i, c := range classes {
		sort.Float64s(took[i])
		took[i] = took[i][:len(took[i])*95/100]
		m, v := moments(took[i])
		t.Logf("%-20s mean %.3f ms, deviation %.3f ms, median %.3f ms", c.name, m, math.Sqrt(v), took[i][len(took[i])/2])
	}
	for i := range classes {
		for j := range i {
			m1, v1 := moments(took[i])
			m2, v2 := moments(took[j])
			n := float64(len(took[i]))
			welch := (m1 - m2) / math.Sqrt(v1/n+v2/n)
			a := auc(took[i], took[j])
			bound := max(0.55, 0.5+4*math.Sqrt(1/(6*n)))
			t.Logf("%s / %s: difference %.3f ms, t %.2f, AUC %.3f (bound %.3f)", classes[i].name, classes[j].name, m1-m2, welch, a, bound)
			if math.Abs(welch) > 4.5 && math.Abs(m1-m2) > 0.2 || a > bound {
				t.Errorf("%s and %s can be told apart", classes[i].name, classes[j].name)
			}
		}
	}
}

func moments(x []float64) (mean, variance float64) {
	for _, v := range x {
		mean += v / float64(len(x))
	}
	for _, v := range x {
		variance += (v - mean) * (v - mean) / float64(len(x)-1)
	}
	return mean, variance
}

// auc is how often one value of the first exceeds one of the second: 0.5 where nothing tells.
func auc(x, y []float64) float64 {
	won := 0.0
	for _, v := range x {
		below, _ := slices.BinarySearch(y, v)
		won += float64(below)
	}
	a := won / float64(len(x)*len(y))
	return max(a, 1-a)
}
